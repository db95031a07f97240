//! Search by text over the dictionaries of columns, not over rows.

use std::collections::HashSet;

use memchr::memmem::Finder;

use super::column::ValueRef;
use super::fold::{fold, fold_spaced, natural, street_type, street_type_begun};
use super::hit::{Hit, TextHit};
use super::segment::Part;
use super::snapshot::Snapshot;

/// Longest query in bytes, after folding: no cadastral number, name or address is longer.
const MAX_QUERY: usize = 200;

impl Snapshot {
    /// Features with a value in one of the columns that holds all words of the query, in any order, best first by
    /// [`Rank`]; within a rank in the order of the text, numbers by their size, then of the key. A feature comes once.
    /// Case, apostrophes, Latin letters in Cyrillic words, punctuation, separators of numbers and the spelling of
    /// street types make no difference. Columns that are not searchable find nothing.
    ///
    /// When very many values match, the first ones by dictionary order are taken.
    pub fn search_text(&self, query: &str, columns: &[usize], limit: usize) -> Vec<TextHit<'_>> {
        let needles = needles(query);
        let mut fields = Vec::new();
        for needle in &needles {
            for part in &self.inner.parts {
                let columns = columns.iter().filter(|c| **c < self.columns());
                fields.extend(columns.filter_map(|column| Field::new(part, *column, needle)));
            }
        }
        let mut found: Vec<(Rank, &str, TextHit<'_>)> = Vec::new();
        let mut seen = HashSet::new();
        for rank in Rank::ALL {
            for field in &fields {
                found.extend(
                    field
                        .hits(rank, limit, &seen)
                        .map(|(text, hit)| (rank, text, hit)),
                );
            }
            found.sort_by(|(a, a_text, a_hit), (b, b_text, b_hit)| {
                a.cmp(b)
                    .then_with(|| natural(a_text, b_text))
                    .then_with(|| a_hit.hit.fid().cmp(&b_hit.hit.fid()))
            });
            seen.clear();
            found.retain(|(_, _, hit)| seen.insert(hit.hit.fid()));
            found.truncate(limit);
            if found.len() >= limit {
                break;
            }
        }
        found.into_iter().map(|(_, _, hit)| hit).collect()
    }
}

/// How well a value matches a query, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The value is the query.
    Equal,
    /// It begins with the query.
    Prefix,
    /// The query stands in it and begins with one of its words.
    Word,
    /// All words of the query are words of the value, in any order.
    Whole,
    /// All words of the query begin words of the value.
    Begun,
    /// All words of the query stand somewhere in it.
    Inside,
}

/// What is looked for: the folded query, and its words.
#[derive(Debug, PartialEq, Eq)]
struct Needle {
    phrase: String,
    /// The longest first, since it is the rarest as a rule; empty when the phrase is
    /// one word or a number.
    words: Vec<String>,
}

impl Needle {
    fn new(phrase: String) -> Self {
        let mut words: Vec<String> = phrase.split(' ').map(str::to_owned).collect();
        words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        words.dedup();
        // The groups of a number belong together: each of them stands somewhere in many other numbers.
        if !phrase.contains(' ') || phrase.bytes().all(|b| b == b' ' || b.is_ascii_digit()) {
            words.clear();
        }
        Self { phrase, words }
    }

    fn is_in(&self, text: &str) -> bool {
        if self.words.is_empty() {
            text.contains(&self.phrase)
        } else {
            self.words.iter().all(|word| text.contains(word.as_str()))
        }
    }

    /// The rank of a text that the needle is in.
    fn rank(&self, text: &str) -> Rank {
        if text == self.phrase {
            return Rank::Equal;
        }
        if text.starts_with(&self.phrase) {
            return Rank::Prefix;
        }
        if stands(text, &self.phrase, Begins::Word) {
            return Rank::Word;
        }
        let all = |how| !self.words.is_empty() && self.words.iter().all(|w| stands(text, w, how));
        if all(Begins::WholeWord) {
            Rank::Whole
        } else if all(Begins::Word) {
            Rank::Begun
        } else {
            Rank::Inside
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    Word,
    WholeWord,
}

/// Whether a word stands at the beginning of a word of the text, or is one.
fn stands(text: &str, word: &str, how: Begins) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = at == 0 || text.as_bytes()[at - 1] == b' ';
        let after = text.as_bytes().get(at + word.len());
        before && (how == Begins::Word || after.is_none_or(|b| *b == b' '))
    })
}

/// The forms of a query: a number is looked for by its digits alone and as part of a text, a last word that is a
/// street type or begins one as the type and as what was typed, since it may be the beginning of a name.
fn needles(query: &str) -> Vec<Needle> {
    let cut: String = query.chars().take(MAX_QUERY).collect();
    let mut folded = String::new();
    fold(&cut, &mut folded);
    let mut phrases = vec![folded, fold_spaced(&cut)];
    let last = phrases[0].rsplit(' ').next().unwrap_or_default();
    if let Some(kind) = street_type_begun(last) {
        let before = phrases[0].len() - last.len();
        phrases.push(format!("{}{kind}", &phrases[0][..before]));
    }
    let typed = cut
        .rsplit(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let typed = typed.to_lowercase();
    if let Some(before) = street_type(&typed).and_then(|kind| phrases[0].strip_suffix(kind)) {
        phrases.push(format!("{before}{typed}"));
    }
    phrases.retain(|phrase| !phrase.is_empty());
    phrases.dedup();
    phrases.into_iter().map(Needle::new).collect()
}

/// Codes that are ranked at once; a needle with more is rather looked for rank by rank, which ends early.
const MAX_RANKED: usize = 4_096;

/// Values that are held against the words of a needle, for one rank, when more than [`MAX_RANKED`] have them all:
/// keeps the worst query below some 20 ms.
const MAX_EXAMINED: usize = 65_536;

/// Words of a needle that are counted to find the rarest.
const MAX_PROBED: usize = 4;

/// A column of a part in which a needle is looked for.
struct Field<'a, 'n> {
    part: &'a Part,
    column: usize,
    haystack: &'a Haystack,
    needle: &'n Needle,
    /// All codes with the needle in the order of their texts, where they are few.
    ranked: Option<Vec<(Rank, u32)>>,
}

impl<'a, 'n> Field<'a, 'n> {
    /// `None` when the column is not searchable or has no such text.
    fn new(part: &'a Part, column: usize, needle: &'n Needle) -> Option<Self> {
        let haystack = part.segment.columns[column].haystack()?;
        let codes: Vec<u32> = haystack.with(needle)?.take(MAX_RANKED + 1).collect();
        if codes.is_empty() {
            return None;
        }
        let few = codes.len() <= MAX_RANKED;
        let ranked = few.then(|| {
            let mut ranked: Vec<(Rank, u32)> = codes
                .iter()
                .map(|c| (needle.rank(haystack.text(*c)), *c))
                .collect();
            ranked.sort_by(|(a, a_code), (b, b_code)| {
                a.cmp(b)
                    .then_with(|| natural(haystack.text(*a_code), haystack.text(*b_code)))
            });
            ranked
        });
        Some(Self {
            part,
            column,
            haystack,
            needle,
            ranked,
        })
    }

    /// At most `limit` hits of a rank that are not yet known, with the text that matched.
    fn hits(
        &self,
        rank: Rank,
        limit: usize,
        seen: &HashSet<i64>,
    ) -> impl Iterator<Item = (&'a str, TextHit<'a>)> {
        let (part, column, haystack) = (self.part, self.column, self.haystack);
        let mut out = Vec::new();
        let mut codes = self.codes(rank);
        // Codes are looked up in the rows in growing batches: a code may have no live row, or thousands.
        let mut batch = limit.max(16);
        loop {
            let taken: Vec<u32> = codes.by_ref().take(batch).collect();
            rows(part, column, &taken, limit, seen, &mut out);
            if taken.len() < batch || out.len() >= limit {
                break;
            }
            batch = batch.saturating_mul(4);
        }
        drop(codes);
        out.into_iter().map(move |(code, slot)| {
            let hit = Hit { part, slot };
            (haystack.text(code), TextHit { hit, column, rank })
        })
    }

    /// Codes of a rank, in the order of their texts where they are few. Where they are many, those of a better rank
    /// may be among them.
    fn codes<'s>(&'s self, rank: Rank) -> Box<dyn Iterator<Item = u32> + 's> {
        if let Some(ranked) = &self.ranked {
            let of_rank = ranked.iter().filter(move |(r, _)| *r == rank);
            return Box::new(of_rank.map(|(_, code)| *code));
        }
        let phrase = &self.needle.phrase;
        let pattern = match rank {
            Rank::Equal => format!("\n{phrase}\n"),
            Rank::Prefix => format!("\n{phrase}"),
            Rank::Word => format!(" {phrase}"),
            // One word alone is of a better rank, or inside.
            Rank::Whole | Rank::Begun if self.needle.words.is_empty() => {
                return Box::new([].into_iter());
            }
            Rank::Whole | Rank::Begun => {
                let is = move |code: &u32| self.needle.rank(self.haystack.text(*code)) == rank;
                return Box::new(self.with_all().take(MAX_EXAMINED).filter(is));
            }
            Rank::Inside => return Box::new(self.with_all()),
        };
        Box::new(self.haystack.find(&pattern))
    }

    fn with_all(&self) -> impl Iterator<Item = u32> {
        self.haystack.with(self.needle).into_iter().flatten()
    }
}

impl Rank {
    const ALL: [Self; 6] = [
        Self::Equal,
        Self::Prefix,
        Self::Word,
        Self::Whole,
        Self::Begun,
        Self::Inside,
    ];
}

/// Live slots with one of the codes, at most `limit` of them, and those of the first codes first.
fn rows(
    part: &Part,
    column: usize,
    codes: &[u32],
    limit: usize,
    seen: &HashSet<i64>,
    out: &mut Vec<(u32, u32)>,
) {
    let (Some(first), Some(last)) = (codes.iter().min(), codes.iter().max()) else {
        return;
    };
    let all = part.segment.columns[column].codes();
    // A bit for each code from the lowest to the highest one.
    let mut wanted = vec![0_u64; ((last - first) / 64 + 1) as usize];
    for code in codes {
        wanted[((code - first) / 64) as usize] |= 1 << ((code - first) % 64);
    }
    let mut places: Vec<(u32, u32)> = codes.iter().copied().zip(0..).collect();
    places.sort_unstable();
    let place = |code: u32| places[places.partition_point(|(c, _)| *c < code)].1;
    let mut found: Vec<(u32, u32)> = Vec::new();
    for slot in 0..part.slots() {
        let code = all.get(slot);
        let Some(offset) = code.checked_sub(*first).filter(|_| code <= *last) else {
            continue;
        };
        let slot = slot as u32;
        if wanted[(offset / 64) as usize] >> (offset % 64) & 1 == 1
            && part.is_live(slot)
            && !seen.contains(&part.segment.fids[slot as usize])
        {
            found.push((place(code), slot));
            if found.len() >= limit.saturating_mul(4).max(1024) {
                // Enough to choose from: keep those of the first codes.
                found.sort_unstable();
                found.truncate(limit);
            }
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    out.extend(
        found
            .into_iter()
            .map(|(place, slot)| (codes[place as usize], slot)),
    );
}

/// The folded texts of a dictionary, each after a line feed, which no folded text contains.
#[derive(Debug)]
pub(super) struct Haystack {
    text: String,
    /// Where the text of each code begins.
    starts: Vec<u32>,
}

/// Folded texts of values in the order of their codes. What does not fit in 4 GiB is not found.
pub(super) fn haystack<'a>(values: impl Iterator<Item = ValueRef<'a>>) -> Haystack {
    let mut text = String::from("\n");
    let mut starts = Vec::new();
    for value in values {
        let start = text.len();
        match value {
            ValueRef::Null | ValueRef::Boolean(_) => {}
            ValueRef::Integer(i) => fold(&i.to_string(), &mut text),
            ValueRef::Real(x) => fold(&x.to_string(), &mut text),
            ValueRef::Text(t) => fold(t, &mut text),
        }
        if text.len() >= u32::MAX as usize {
            text.truncate(start);
            break;
        }
        starts.push(start as u32);
        text.push('\n');
    }
    text.shrink_to_fit();
    starts.shrink_to_fit();
    Haystack { text, starts }
}

impl Haystack {
    /// Codes whose text holds a needle, ascending, each once; `None` when one of its words is nowhere.
    fn with<'a>(&'a self, needle: &'a Needle) -> Option<impl Iterator<Item = u32> + use<'a>> {
        let mut rarest = (usize::MAX, needle.phrase.as_str());
        // The rarest of the longest words leads; how rare it is matters only while it is rare.
        for word in needle.words.iter().take(MAX_PROBED) {
            let count = self.find(word).take(rarest.0.min(MAX_RANKED + 1)).count();
            if count == 0 {
                return None;
            }
            if count < rarest.0 {
                rarest = (count, word);
            }
        }
        let leading = self.find(rarest.1);
        Some(leading.filter(|code| needle.words.is_empty() || needle.is_in(self.text(*code))))
    }

    /// Codes whose text holds the pattern, ascending, each once.
    fn find<'a>(&'a self, pattern: &str) -> impl Iterator<Item = u32> + use<'a> {
        let finder = Finder::new(pattern.as_bytes()).into_owned();
        let (mut from, mut code) = (0, 0);
        std::iter::from_fn(move || {
            let at = from + finder.find(self.text.as_bytes().get(from..)?)?;
            // A pattern that begins with a line feed begins in the text behind it.
            let inside = at + usize::from(self.text.as_bytes()[at] == b'\n');
            code = self.code_at(inside, code);
            // On with the line feed before the next text.
            from = self
                .starts
                .get(code + 1)
                .map_or(self.text.len(), |next| *next as usize - 1);
            Some(code as u32)
        })
    }

    /// The code of the text around a byte, which is not before `from`: near ones are found in a few steps.
    fn code_at(&self, byte: usize, from: usize) -> usize {
        let is_before = |code: usize| self.starts.get(code).is_some_and(|s| *s as usize <= byte);
        let (mut low, mut step) = (from, 1);
        while is_before(low + step) {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.starts.len());
        low + self.starts[low..high].partition_point(|start| *start as usize <= byte) - 1
    }

    /// The folded texts, in the order of their codes.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.text.trim_matches('\n').split('\n')
    }

    fn text(&self, code: u32) -> &str {
        let start = self.starts[code as usize] as usize;
        let end = self
            .starts
            .get(code as usize + 1)
            .map_or(self.text.len(), |next| *next as usize);
        &self.text[start..end - 1]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.text.capacity() + self.starts.capacity() * 4
    }
}
