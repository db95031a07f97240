//! The form of a text in which it is searched: what a person may type differently is made equal.

/// Appends the searched form of a text.
///
/// Lower case; apostrophes of any shape and combining accents dropped (`й` and `ї` composed first); each run of
/// other characters than letters and digits is one space. In a word with a Cyrillic letter, Latin letters that
/// look like Cyrillic ones are those. A text of digits and separators alone is its digits, so that a cadastral
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
                close_word(out, word, cyrillic);
                if out.len() > start && !out.ends_with(' ') {
                    out.push(' ');
                }
                (word, cyrillic) = (out.len(), false);
            }
        }
    }
    close_word(out, word, cyrillic);
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

fn close_word(out: &mut String, word: usize, cyrillic: bool) {
    if !cyrillic || out[word..].chars().all(is_cyrillic) {
        return;
    }
    let folded: String = out[word..].chars().map(look_alike).collect();
    out.truncate(word);
    out.push_str(&folded);
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

    fn folded(text: &str) -> String {
        let mut out = String::new();
        fold(text, &mut out);
        out
    }

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
    fn numbers_lose_their_separators_only_when_they_stand_alone() {
        assert_eq!(folded("12/3"), "123");
        assert_eq!(folded("буд. 12/3"), "буд 12 3");
        assert_eq!(fold_spaced("12/3"), "12 3");
    }
}
