//! What a query that finds nothing may mean: typed with the other keyboard layout, in Latin letters, or misspelled.

use std::collections::HashMap;

use super::column::{Key, key};
use super::fold::{all_street_types, fold};
use super::part::Part;
use super::snapshot::Snapshot;

/// How the words of a query are held against the words of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// Ukrainian in Latin letters by resolution 55 of the Cabinet of Ministers of 2010, in the simple form that is
    /// used for names: soft signs and apostrophes are left out.
    Transliteration,
    /// One letter is wrong, missing, too much, or two are swapped, in words of at least four letters.
    Spelling,
}

/// Words that are guessed; a query with more is a text, not a name.
const MAX_WORDS: usize = 8;

/// Letters of a word in which one may be wrong: shorter words are near to too many others.
const LEAST_LETTERS: usize = 4;

impl Snapshot {
    /// The folded words that the query may mean, with the number of texts of the columns that hold them all. At most
    /// `budget` texts are looked at, those of the lowest keys first, and it is lessened by their number: O(features) +
    /// O(budget · words of a text).
    pub fn guesses(
        &self,
        query: &str,
        guess: Guess,
        columns: &[usize],
        budget: &mut usize,
    ) -> HashMap<String, usize> {
        let mut found = HashMap::new();
        let mut folded = String::new();
        fold(query, &mut folded);
        let wanted: Vec<Wanted<'_>> = words(&folded, guess);
        if wanted.is_empty() || wanted.len() > MAX_WORDS || wanted.iter().all(|w| w.is_exact) {
            return found;
        }
        let mut look = |text: &str| {
            if let Some(meant) = meant(&wanted, text) {
                *found.entry(meant).or_insert(0) += 1;
            }
        };
        for column in columns.iter().filter(|c| **c < self.columns()) {
            if *budget == 0 {
                break;
            }
            let parts = self.inner.parts.iter();
            let haystacks = parts.filter_map(|part| part.haystack(*column));
            if haystacks.map(|h| h.texts().len()).sum::<usize>() <= *budget {
                self.each_text(*column, |_, text| {
                    *budget -= 1;
                    look(text);
                });
                continue;
            }
            let mut texts = Vec::new();
            self.each_text(*column, |fid, text| texts.push((fid, text)));
            if texts.len() > *budget {
                texts.select_nth_unstable_by_key(*budget, |(fid, _)| *fid);
                texts.truncate(*budget);
            }
            *budget -= texts.len();
            texts.iter().for_each(|(_, text)| look(text));
        }
        found
    }

    /// The folded text, unless it is empty, of each distinct value of a searchable column that a live feature has, with
    /// the lowest key of such features; in no order.
    fn each_text<'a>(&'a self, column: usize, mut f: impl FnMut(i64, &'a str)) {
        let Some(largest) = self.inner.parts.iter().max_by_key(|part| part.slots()) else {
            return;
        };
        // A value may stand in several parts.
        let mut others: HashMap<Key<'_>, (i64, &str)> = HashMap::new();
        for part in &self.inner.parts {
            if !std::ptr::eq(part, largest) {
                part.each_text(column, |value, fid, text| {
                    let first = others.entry(value).or_insert((fid, text));
                    first.0 = first.0.min(fid);
                });
            }
        }
        largest.each_text(column, |value, fid, text| {
            let other = (!others.is_empty())
                .then(|| others.remove(&value))
                .flatten();
            f(other.map_or(fid, |(other, _)| other.min(fid)), text);
        });
        others.into_values().for_each(|(fid, text)| f(fid, text));
    }
}

impl Part {
    fn each_text<'a>(&'a self, column: usize, mut f: impl FnMut(Key<'a>, i64, &'a str)) {
        let Some(haystack) = self.haystack(column) else {
            return;
        };
        let values = &self.segment.columns[column];
        let codes = (0..).zip(haystack.texts()).zip(self.first_slots(column));
        for ((code, text), slot) in codes {
            if let Some(slot) = slot.filter(|_| !text.is_empty()) {
                f(
                    key(values.value(code)),
                    self.segment.fids[slot as usize],
                    text,
                );
            }
        }
    }
}

/// A word of the query.
struct Wanted<'a> {
    word: &'a str,
    guess: Guess,
    /// Whether it must stand in the text as it is.
    is_exact: bool,
    /// The street type that it may be, if it is one.
    street_type: Option<&'static str>,
    /// Whether it may be still being typed.
    is_last: bool,
}

fn words(folded: &str, guess: Guess) -> Vec<Wanted<'_>> {
    let mut wanted: Vec<Wanted<'_>> = folded
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let has_digit = word.bytes().any(|b| b.is_ascii_digit());
            let is_exact = match guess {
                Guess::Transliteration => !word.bytes().any(|b| b.is_ascii_alphabetic()),
                Guess::Spelling => has_digit || word.chars().count() < LEAST_LETTERS,
            };
            let kind = all_street_types().find(|(long, _)| match guess {
                Guess::Transliteration => romanised_begins(long, word) == Some(true),
                Guess::Spelling => !is_exact && is_near(word, long, false),
            });
            Wanted {
                word,
                guess,
                is_exact,
                street_type: kind
                    .map(|(_, short)| short)
                    .or_else(|| translated(word, guess)),
                is_last: false,
            }
        })
        .collect();
    if let Some(last) = wanted.last_mut() {
        last.is_last = true;
    }
    wanted
}

/// English street types in a Ukrainian address.
fn translated(word: &str, guess: Guess) -> Option<&'static str> {
    let pairs = [("st", "вул"), ("sq", "пл"), ("ave", "просп")];
    let known = pairs.into_iter().find(|(english, _)| *english == word);
    known
        .filter(|_| guess == Guess::Transliteration)
        .map(|(_, short)| short)
}

/// The words of a text that the wanted ones mean; `None` when it lacks one.
fn meant(wanted: &[Wanted<'_>], text: &str) -> Option<String> {
    let mut out = String::new();
    for word in wanted {
        let found = text.split(' ').find_map(|t| word.meant(t))?;
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(found);
    }
    Some(out)
}

impl<'a> Wanted<'a> {
    /// What is meant when the word of a text is this one.
    fn meant<'t>(&self, text: &'t str) -> Option<&'t str>
    where
        'a: 't,
    {
        if self.street_type == Some(text) {
            return Some(text);
        }
        if self.is_exact {
            // The beginning only: of `5` not `5а`.
            return text.starts_with(self.word).then_some(self.word);
        }
        let fits = match self.guess {
            Guess::Transliteration => {
                romanised_begins(text, self.word).is_some_and(|is_whole| is_whole || self.is_last)
            }
            Guess::Spelling => text == self.word || is_near(self.word, text, self.is_last),
        };
        fits.then_some(text)
    }
}

/// Whether a word differs by one letter, or by two neighbours swapped; from the beginning of the other one when the
/// word `may_go_on`.
fn is_near(word: &str, other: &str, may_go_on: bool) -> bool {
    let common = word.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let common: usize = common.map(|(a, _)| a.len_utf8()).sum();
    let (mut a, mut b) = (word[common..].chars(), other[common..].chars());
    let (rest_a, rest_b) = (a.as_str(), b.as_str());
    let (first_a, first_b) = (a.next(), b.next());
    let fits = |typed: &str, text: &str| {
        if may_go_on {
            text.starts_with(typed)
        } else {
            text == typed
        }
    };
    let swapped = || {
        let (mut a, mut b) = (a.clone(), b.clone());
        first_a.is_some()
            && a.next() == first_b
            && b.next() == first_a
            && fits(a.as_str(), b.as_str())
    };
    fits(a.as_str(), b.as_str())
        || fits(a.as_str(), rest_b)
        || fits(rest_a, b.as_str())
        || swapped()
}

/// Whether a Ukrainian word in Latin letters begins with these: `Some(true)` when it is these.
fn romanised_begins(word: &str, latin: &str) -> Option<bool> {
    let mut rest = latin;
    let mut chars = word.chars().peekable();
    let mut is_first = true;
    while let Some(c) = chars.next() {
        if rest.is_empty() {
            return (!is_first).then_some(false);
        }
        let piece = if c == 'з' && chars.peek() == Some(&'г') {
            chars.next();
            "zgh"
        } else {
            romanised(c, is_first)?
        };
        // The last letters may still be being typed.
        if piece.starts_with(rest) && piece != rest {
            return (!is_first).then_some(false);
        }
        rest = rest.strip_prefix(piece)?;
        is_first = false;
    }
    (rest.is_empty() && !is_first).then_some(true)
}

/// A letter by the table of the resolution.
fn romanised(c: char, is_first: bool) -> Option<&'static str> {
    Some(match c {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' => "h",
        'ґ' => "g",
        'д' => "d",
        'е' => "e",
        'є' => {
            if is_first {
                "ye"
            } else {
                "ie"
            }
        }
        'ж' => "zh",
        'з' => "z",
        'и' => "y",
        'і' => "i",
        'ї' => {
            if is_first {
                "yi"
            } else {
                "i"
            }
        }
        'й' => {
            if is_first {
                "y"
            } else {
                "i"
            }
        }
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ь' => "",
        'ю' => {
            if is_first {
                "yu"
            } else {
                "iu"
            }
        }
        'я' => {
            if is_first {
                "ya"
            } else {
                "ia"
            }
        }
        _ => return None,
    })
}

/// The keys of the English layout, and what the Ukrainian one has on them.
const ENGLISH: &str = "qwertyuiop[]asdfghjkl;'zxcvbnm,./`\\QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>?~|";
const UKRAINIAN: &str = "йцукенгшщзхїфівапролджєячсмитьбю.'ґЙЦУКЕНГШЩЗХЇФІВАПРОЛДЖЄЯЧСМИТЬБЮ,'Ґ";

/// What the keys of a query give in the other keyboard layout: in the Ukrainian one when it has Latin letters, in
/// the English one when it has Cyrillic ones.
pub fn other_layouts(query: &str) -> Vec<String> {
    let swapped = |from: &str, to: &str| -> String {
        let key = |c: char| {
            let at = from.chars().position(|k| k == c);
            at.and_then(|at| to.chars().nth(at)).unwrap_or(c)
        };
        query.chars().map(key).collect()
    };
    let mut out = Vec::new();
    if query.bytes().any(|b| b.is_ascii_alphabetic()) {
        out.push(swapped(ENGLISH, UKRAINIAN));
    }
    if query
        .chars()
        .any(|c| UKRAINIAN.contains(c) && c.is_alphabetic())
    {
        out.push(swapped(UKRAINIAN, ENGLISH));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_other_layout() {
        assert_eq!(ENGLISH.chars().count(), UKRAINIAN.chars().count());
        assert_eq!(other_layouts(",fylthb 5"), ["бандери 5"]);
        assert_eq!(other_layouts("Ьфіі Фму"), ["Mass Ave"]);
        assert_eq!(other_layouts("5/12"), Vec::<String>::new());
    }

    #[test]
    fn names_in_latin_letters() {
        // Examples of the resolution.
        for (word, latin) in [
            ("згорани", "zghorany"),
            ("єнакієве", "yenakiieve"),
            ("їжакевич", "yizhakevych"),
            ("йосипівка", "yosypivka"),
            ("щербухи", "shcherbukhy"),
            ("юрій", "yurii"),
            ("яготин", "yahotyn"),
            ("львів", "lviv"),
        ] {
            assert_eq!(romanised_begins(word, latin), Some(true), "{word}");
        }
        assert_eq!(romanised_begins("бандери", "band"), Some(false));
        assert_eq!(romanised_begins("хата", "k"), None);
        assert_eq!(romanised_begins("бандери", "bandura"), None);
    }

    #[test]
    fn one_letter_off() {
        for near in [
            "бондери",
            "бандеры",
            "банери",
            "баандери",
            "бандер",
            "абндери",
            "бандериу",
        ] {
            assert!(is_near(near, "бандери", false), "{near}");
        }
        for far in ["бонддри", "бан", "ндериба", "дбнаери"] {
            assert!(!is_near(far, "бандери", false), "{far}");
        }
        assert!(is_near("бонд", "бандери", true) && !is_near("бонд", "бандери", false));
    }
}
