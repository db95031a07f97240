//! The form of a text in which it is searched: what a person may type differently is made equal.

use std::cmp::Ordering;

/// Street types as people write them, and the one form that they are folded to.
const STREET_TYPES: [(&str, &[&str]); 11] = [
    (
        "вул",
        &["вулиця", "вулиці", "вулицю", "вулицею", "ул", "улица"],
    ),
    ("пл", &["площа", "площі", "площу", "площею", "площадь"]),
    ("просп", &["проспект", "проспекту", "проспекті", "пр"]),
    ("пров", &["провулок", "провулку"]),
    ("наб", &["набережна", "набережної", "набережній"]),
    ("бульв", &["бульвар", "бульвару", "бульварі", "бул"]),
    ("шосе", &["ш"]),
    ("st", &["street"]),
    ("ave", &["avenue", "av"]),
    ("rd", &["road"]),
    ("sq", &["square"]),
];

/// Words that are abbreviated around a hyphen: `пр-т`, `б-р`.
const HYPHENATED: [(&str, &str, &str); 3] = [
    ("просп", "т", "просп"),
    ("просп", "кт", "просп"),
    ("б", "р", "бульв"),
];

/// The folded form of a street type.
pub(super) fn street_type(word: &str) -> Option<&'static str> {
    all_street_types()
        .find(|(long, _)| *long == word)
        .map(|(_, short)| short)
}

/// Spellings of street types with the form that they are folded to.
pub(super) fn all_street_types() -> impl Iterator<Item = (&'static str, &'static str)> {
    STREET_TYPES
        .iter()
        .flat_map(|(short, longs)| longs.iter().map(|long| (*long, *short)))
}

/// The street type that a word is the beginning of.
pub(super) fn street_type_begun(word: &str) -> Option<&'static str> {
    /// Letters that tell the types apart.
    const ENOUGH: usize = 3;
    if word.chars().count() < ENOUGH {
        return None;
    }
    let begun =
        |(long, short): &(&'static str, &'static str)| long.starts_with(word) && *short != word;
    all_street_types().find(begun).map(|(_, short)| short)
}

/// A text in the form that [`natural`] puts into the order of the Ukrainian alphabet (а б в г ґ д е є ж з и і ї й …), whatever
/// its case; apostrophes and stress marks count for nothing. Unicode has ґ, є, і and ї behind я.
pub fn collated(text: &str) -> String {
    /// Behind every letter that may follow the first of a pair.
    const BEHIND: [char; 2] = ['\u{f8fe}', '\u{f8ff}'];
    let mut out = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'ґ' => out.extend(['г', BEHIND[1]]),
            'є' => out.extend(['е', BEHIND[1]]),
            'і' => out.extend(['и', BEHIND[0]]),
            'ї' => out.extend(['и', BEHIND[1]]),
            '\'' | '’' | 'ʼ' | '`' | '\u{301}' => {}
            other => out.push(other),
        }
    }
    out
}

/// Order of folded texts as people count: runs of digits by their value, all else by its letters.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (digits_a, digits_b) = (digits(rest_a), digits(rest_b));
        if !digits_a.is_empty() && !digits_b.is_empty() {
            let (x, y) = (
                digits_a.trim_start_matches('0'),
                digits_b.trim_start_matches('0'),
            );
            let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            if order != Ordering::Equal {
                return order;
            }
            (rest_a, rest_b) = (&rest_a[digits_a.len()..], &rest_b[digits_b.len()..]);
            continue;
        }
        let (mut chars_a, mut chars_b) = (rest_a.chars(), rest_b.chars());
        match (chars_a.next(), chars_b.next()) {
            (Some(x), Some(y)) if x == y => (rest_a, rest_b) = (chars_a.as_str(), chars_b.as_str()),
            // `007` and `7` are counted the same and still two texts.
            (None, None) => return a.cmp(b),
            (x, y) => return x.cmp(&y),
        }
    }
}

fn digits(text: &str) -> &str {
    let end = text.bytes().position(|b| !b.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

/// The searched form of a text: two texts that a person may mean the same by have the same one.
pub fn folded(text: &str) -> String {
    let mut out = String::new();
    fold(text, &mut out);
    out
}

/// Appends the searched form of a text.
///
/// Lower case; apostrophes of any shape and combining accents dropped (`й` and `ї` composed first); each run of
/// other characters than letters and digits is one space. In a word with a Cyrillic letter, Latin letters that
/// look like Cyrillic ones are those. Street types have one form each. A text of digits and separators alone is its digits, so that a cadastral
/// number is found with and without its colons.
pub(super) fn fold(text: &str, out: &mut String) {
    let start = out.len();
    let mut word = out.len();
    let mut cyrillic = false;
    let mut only_digits = true;
    for c in text.chars() {
        match c {
            '\'' | '`' | '\u{b4}' | '\u{2b9}' | '\u{2bc}' | '\u{2018}' | '\u{2019}'
            | '\u{2032}' | '\u{ff07}' => {}
            '\u{300}'..='\u{36f}' => compose(c, out, start),
            c if c.is_alphanumeric() => {
                only_digits &= c.is_ascii_digit();
                for lower in c.to_lowercase().filter(|l| l.is_alphanumeric()) {
                    cyrillic |= is_cyrillic(lower);
                    out.push(lower);
                }
            }
            _ => {
                close_word(out, start, word, cyrillic);
                if out.len() > start && !out.ends_with(' ') {
                    out.push(' ');
                }
                (word, cyrillic) = (out.len(), false);
            }
        }
    }
    close_word(out, start, word, cyrillic);
    if out.len() > start && out.ends_with(' ') {
        out.pop();
    }
    if only_digits && out[start..].contains(' ') {
        let digits: String = out[start..].chars().filter(char::is_ascii_digit).collect();
        out.truncate(start);
        out.push_str(&digits);
    }
}

/// As [`fold`], but with the separators of a number as spaces.
pub(super) fn fold_spaced(text: &str) -> String {
    // A letter keeps the text from being a number; it is taken off again.
    let mut out = String::new();
    fold(&format!("x {text}"), &mut out);
    out.get(2..).unwrap_or_default().to_owned()
}

fn is_cyrillic(c: char) -> bool {
    ('\u{400}'..='\u{52f}').contains(&c)
}

/// Decomposed letters that are letters of their own.
fn compose(mark: char, out: &mut String, start: usize) {
    let composed = match (out[start..].chars().next_back(), mark) {
        (Some('и'), '\u{306}') => 'й',
        (Some('і' | 'i'), '\u{308}') => 'ї',
        (Some('е'), '\u{308}') => 'ё',
        _ => return,
    };
    out.pop();
    out.push(composed);
}

/// Gives the word at the end of `out` its folded form; the text begins at `start`.
fn close_word(out: &mut String, start: usize, word: usize, cyrillic: bool) {
    if cyrillic && !out[word..].chars().all(is_cyrillic) {
        let folded: String = out[word..].chars().map(look_alike).collect();
        out.truncate(word);
        out.push_str(&folded);
    }
    if let Some(short) = street_type(&out[word..]) {
        out.truncate(word);
        out.push_str(short);
    }
    let before = out[start..word].trim_end_matches(' ');
    let before = &before[before.rfind(' ').map_or(0, |at| at + 1)..];
    let joined = HYPHENATED
        .iter()
        .find(|(first, second, _)| *first == before && *second == &out[word..]);
    if let Some((_, _, short)) = joined {
        let at = start + out[start..word].trim_end_matches(' ').len() - before.len();
        out.truncate(at);
        out.push_str(short);
    }
}

/// The Cyrillic letter that a Latin one is mistaken for, in small or capital form.
fn look_alike(c: char) -> char {
    match c {
        'a' => 'а',
        'b' => 'в',
        'c' => 'с',
        'e' => 'е',
        'h' => 'н',
        'i' => 'і',
        'k' => 'к',
        'm' => 'м',
        'o' => 'о',
        'p' => 'р',
        't' => 'т',
        'x' => 'х',
        'y' => 'у',
        '\u{ef}' => 'ї',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_equal() {
        for (a, b) in [
            ("П'ятихатки", "П’ЯТИХАТКИ"),
            ("Зв`язку", "звʼязку"),
            // Latin i, o and c among Cyrillic letters.
            ("Iвaнo-Фpaнкiвcьк", "Івано-Франківськ"),
            ("вул.  Шевченка,12", "Вул Шевченка 12"),
            // Decomposed й and ї.
            ("Киi\u{308}в", "Київ"),
            ("и\u{306}", "Й"),
            ("Стрі\u{301}лецька", "стрілецька"),
            ("2610100000:01:001:0001", "26101000000100 10001"),
            ("  ", ""),
            ("вулиця Бандери, 5", "ул. Бандери 5"),
            ("площа Ринок", "пл. Ринок"),
            ("пр-т Свободи", "проспект Свободи"),
            ("просп. Свободи", "пр. Свободи"),
            ("б-р Шевченка", "бульвар Шевченка"),
            ("Main Street", "Main St."),
            ("Central Square", "central sq"),
        ] {
            assert_eq!(folded(a), folded(b), "{a} {b}");
        }
    }

    #[test]
    fn latin_words_stay_latin() {
        assert_eq!(folded("Main St. 5-a"), "main st 5 a");
        assert_eq!(folded("Naïve"), "naïve");
        assert_ne!(folded("coca"), folded("соса"));
    }

    #[test]
    fn numbers_are_ordered_by_their_size() {
        let mut all = ["б 10", "б 2", "б 1", "б", "а 3", "б 10 а", "б 007", "б 7"];
        all.sort_by(|a, b| natural(a, b));
        assert_eq!(
            all,
            ["а 3", "б", "б 1", "б 2", "б 007", "б 7", "б 10", "б 10 а"]
        );
    }

    #[test]
    fn numbers_lose_their_separators_only_when_they_stand_alone() {
        assert_eq!(folded("12/3"), "123");
        assert_eq!(folded("буд. 12/3"), "буд 12 3");
        assert_eq!(fold_spaced("12/3"), "12 3");
    }
}
