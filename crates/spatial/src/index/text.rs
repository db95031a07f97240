//! Search by text over the dictionaries of columns, not over rows.

use std::collections::HashSet;

use memchr::memmem::Finder;

use super::column::ValueRef;
use super::fold::{fold, fold_spaced};
use super::hit::{Hit, TextHit};
use super::segment::Part;
use super::snapshot::Snapshot;

/// Longest query in bytes, after folding: no cadastral number, name or address is longer.
const MAX_QUERY: usize = 200;

impl Snapshot {
    /// Features with a value in one of the columns that contains the query, best first: equal values, then those
    /// that begin with it, then those with a word that begins with it, then the others; within a rank in the order
    /// of the text, then of the key. A feature comes once. Case, apostrophes, Latin letters in Cyrillic words,
    /// punctuation and separators of numbers make no difference. Columns that are not searchable find nothing.
    ///
    /// When more than `limit` features share a rank, the first ones by dictionary order are taken.
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
        for rank in [Rank::Equal, Rank::Prefix, Rank::Word, Rank::Inside] {
            for field in &fields {
                found.extend(
                    field
                        .hits(rank, limit, &seen)
                        .map(|(text, hit)| (rank, text, hit)),
                );
            }
            found.sort_by(|(a, a_text, a_hit), (b, b_text, b_hit)| {
                (a, a_text, a_hit.hit.fid()).cmp(&(b, b_text, b_hit.hit.fid()))
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Equal,
    Prefix,
    Word,
    Inside,
}

/// Up to two forms of a query: a number is looked for by its digits alone, and as part of a text.
fn needles(query: &str) -> Vec<String> {
    let cut: String = query.chars().take(MAX_QUERY).collect();
    let mut folded = String::new();
    fold(&cut, &mut folded);
    let mut needles = vec![folded];
    let spaced = fold_spaced(&cut);
    if spaced != needles[0] {
        needles.push(spaced);
    }
    needles.retain(|needle| !needle.is_empty());
    needles
}

/// Codes that are ranked at once; a needle with more is rather looked for rank by rank, which ends early.
const MAX_RANKED: usize = 4_096;

/// A column of a part in which a needle is looked for.
struct Field<'a, 'n> {
    part: &'a Part,
    column: usize,
    haystack: &'a Haystack,
    needle: &'n str,
    /// All codes with the needle, where they are few.
    ranked: Option<Vec<(Rank, u32)>>,
}

impl<'a, 'n> Field<'a, 'n> {
    /// `None` when the column is not searchable or has no such text.
    fn new(part: &'a Part, column: usize, needle: &'n str) -> Option<Self> {
        let haystack = part.segment.columns[column].haystack()?;
        let codes: Vec<u32> = haystack.find(needle).take(MAX_RANKED + 1).collect();
        if codes.is_empty() {
            return None;
        }
        let few = codes.len() <= MAX_RANKED;
        let ranked = few.then(|| {
            codes
                .iter()
                .map(|c| (Rank::of(haystack.text(*c), needle), *c))
                .collect()
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
        match &self.ranked {
            Some(ranked) => {
                let codes: Vec<u32> = ranked
                    .iter()
                    .filter(|(r, _)| *r == rank)
                    .map(|(_, code)| *code)
                    .collect();
                rows(part, column, &codes, limit, seen, &mut out);
            }
            None => {
                let mut codes = haystack.find(&rank.pattern(self.needle));
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
            }
        }
        let prefix = rank <= Rank::Prefix;
        out.into_iter().map(move |(code, slot)| {
            (
                haystack.text(code),
                TextHit {
                    hit: Hit { part, slot },
                    column,
                    prefix,
                },
            )
        })
    }
}

impl Rank {
    /// What a text of this rank, or of a better one, contains between its line feeds.
    fn pattern(self, needle: &str) -> String {
        match self {
            Self::Equal => format!("\n{needle}\n"),
            Self::Prefix => format!("\n{needle}"),
            Self::Word => format!(" {needle}"),
            Self::Inside => needle.to_owned(),
        }
    }

    /// The rank of a text that contains the needle.
    fn of(text: &str, needle: &str) -> Self {
        if text == needle {
            Self::Equal
        } else if text.starts_with(needle) {
            Self::Prefix
        } else if text.contains(&Self::Word.pattern(needle)) {
            Self::Word
        } else {
            Self::Inside
        }
    }
}

/// Live slots with one of the codes, which ascend; at most `limit` for each code, and those of lower codes first.
fn rows(
    part: &Part,
    column: usize,
    codes: &[u32],
    limit: usize,
    seen: &HashSet<i64>,
    out: &mut Vec<(u32, u32)>,
) {
    let (Some(first), Some(last)) = (codes.first(), codes.last()) else {
        return;
    };
    let all = part.segment.columns[column].codes();
    // A bit for each code from the first to the last one.
    let mut wanted = vec![0_u64; ((last - first) / 64 + 1) as usize];
    for code in codes {
        wanted[((code - first) / 64) as usize] |= 1 << ((code - first) % 64);
    }
    let start = out.len();
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
            out.push((code, slot));
            if out.len() - start >= limit.saturating_mul(4).max(1024) {
                // Enough to choose from: keep those of the lowest codes.
                out[start..].sort_unstable();
                out.truncate(start + limit);
            }
        }
    }
    out[start..].sort_unstable();
    out.truncate(start + limit);
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
    /// Codes whose text holds the pattern, ascending, each once.
    fn find<'a>(&'a self, pattern: &str) -> impl Iterator<Item = u32> + use<'a> {
        let finder = Finder::new(pattern.as_bytes()).into_owned();
        let mut from = 0;
        std::iter::from_fn(move || {
            let at = from + finder.find(self.text.as_bytes().get(from..)?)?;
            // A pattern that begins with a line feed begins in the text behind it.
            let inside = at + usize::from(self.text.as_bytes()[at] == b'\n');
            let code = self
                .starts
                .partition_point(|start| *start as usize <= inside)
                - 1;
            // On with the line feed before the next text.
            from = self
                .starts
                .get(code + 1)
                .map_or(self.text.len(), |next| *next as usize - 1);
            Some(code as u32)
        })
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
