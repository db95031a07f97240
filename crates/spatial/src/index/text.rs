//! Search by text over the dictionaries of columns, not over rows.

use std::collections::HashSet;

use super::field::Field;
use super::fold::{fold, fold_spaced, natural, street_type, street_type_begun};
use super::hit::TextHit;
use super::snapshot::Snapshot;

/// Longest query in bytes, after folding: no cadastral number, name or address is longer.
const MAX_QUERY: usize = 200;

impl Snapshot {
    /// Features with a value in one of the columns that holds all words of the query, in any order, best first by
    /// [`Rank`]; within a rank in the order of the text, numbers by their size, then of the key. A feature comes once.
    /// Case, apostrophes, Latin letters in Cyrillic words, punctuation, separators of numbers and the spelling of
    /// street types make no difference. Columns that are not searchable find nothing.
    ///
    /// When very many values match, the features of the lowest keys are taken.
    pub fn search_text(&self, query: &str, columns: &[usize], limit: usize) -> Vec<TextHit<'_>> {
        let needles = needles(query);
        let columns: Vec<usize> = columns
            .iter()
            .copied()
            .filter(|c| *c < self.columns())
            .collect();
        let fields: Vec<Field<'_, '_>> = needles
            .iter()
            .flat_map(|needle| columns.iter().map(move |column| (needle, *column)))
            .filter_map(|(needle, column)| Field::new(self, column, needle))
            .collect();
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

/// Words that are looked for in any of their forms, to hold texts against that are not in an index.
#[derive(Debug, Clone)]
pub struct Words {
    query: String,
    needles: Vec<Needle>,
}

impl Words {
    pub fn new(text: &str) -> Self {
        let query = stems(text);
        let query = if query.is_empty() {
            text.to_owned()
        } else {
            query
        };
        Self {
            needles: needles(&query),
            query,
        }
    }

    /// What [`Snapshot::search_text`] finds these values by, and others that have the words in another order.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Whether a value holds the words one after another (OGC API Features Part 9, draft), each as a part of a word.
    pub fn are_in(&self, value: &str) -> bool {
        let mut folded = String::new();
        fold(value, &mut folded);
        self.needles.iter().any(|needle| needle.follows_in(&folded))
    }
}

/// The words of a text without the endings that Ukrainian nouns and adjectives have in their cases, so that «вулицею» and
/// «вулиця» are found by each other. A stem keeps four letters at least; what is no Ukrainian word stays as it is.
fn stems(text: &str) -> String {
    const ENDINGS: [&str; 27] = [
        "ями", "ами", "ими", "ого", "ому", "ові", "еві", "єві", "ьої", "ій", "ий", "ої", "ою",
        "ею", "єю", "ів", "їв", "ах", "ях", "им", "ім", "ом", "ем", "єм", "их", "ам", "ям",
    ];
    const LETTERS: [char; 10] = ['а', 'я', 'у', 'ю', 'і', 'ї', 'и', 'о', 'е', 'ь'];
    const SHORTEST: usize = 4;
    let stem = |word: &str| -> String {
        let lower = word.to_lowercase();
        if !lower
            .chars()
            .all(|c| matches!(c, 'а'..='я' | 'є' | 'і' | 'ї' | 'ґ' | '\'' | '’' | 'ʼ'))
        {
            return word.to_owned();
        }
        let long_enough = |stem: &&str| stem.chars().count() >= SHORTEST;
        let by_ending = ENDINGS
            .iter()
            .find_map(|ending| lower.strip_suffix(ending).filter(long_enough));
        let by_letter = || lower.strip_suffix(LETTERS).filter(long_enough);
        let stem = by_ending.or_else(by_letter).unwrap_or(&lower);
        // Types of streets have one form each, in whatever case they stand.
        let kind = street_type(&lower).or_else(|| street_type_begun(stem));
        kind.unwrap_or(stem).to_owned()
    };
    let words: Vec<String> = text.split_whitespace().map(stem).collect();
    words.join(" ")
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    pub(super) phrase: String,
    /// The longest first, since it is the rarest as a rule; empty when the phrase is
    /// one word or a number.
    pub(super) words: Vec<String>,
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

    pub(super) fn is_in(&self, text: &str) -> bool {
        if self.words.is_empty() {
            text.contains(&self.phrase)
        } else {
            self.words.iter().all(|word| text.contains(word.as_str()))
        }
    }

    /// As [`Needle::is_in`], the words in their order and with none between them.
    fn follows_in(&self, text: &str) -> bool {
        if self.words.is_empty() {
            return text.contains(&self.phrase);
        }
        let wanted: Vec<&str> = self.phrase.split(' ').collect();
        let has: Vec<&str> = text.split(' ').collect();
        has.windows(wanted.len()).any(|some| {
            some.iter()
                .zip(&wanted)
                .all(|(word, part)| word.contains(part))
        })
    }

    /// The rank of a text that the needle is in.
    pub(super) fn rank(&self, text: &str) -> Rank {
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
