//! CASEI and ACCENTI (OGC 21-065r2 §7.3, §7.4).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// What differences of texts are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Of case, by full case folding: `ß` is `ss`, `ς` is `σ`, `Ґ` is `ґ`. The dotless `ı` stays a letter of its own.
    Case,
    /// Of accents: marks above, below and through Latin and Greek letters, and stress marks on Cyrillic vowels. Й, Ї, Ґ, Ё
    /// and Ў are letters and not accented ones, so `ACCENTI('Київ')` is not `ACCENTI('Киів')`.
    Accent,
}

impl Fold {
    /// In the normal form C, so that `_` of a pattern is one letter.
    pub(super) fn of(self, text: Cow<'_, str>) -> Cow<'_, str> {
        match self {
            Self::Case => folded(text),
            Self::Accent => without_accents(text),
        }
    }
}

fn folded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => text,
        };
    }
    // Of lower, upper and lower case comes what Unicode's full case folding (CaseFolding.txt, C and F) says, and `char` knows
    // no folding: lower first for the capital `ẞ`, upper for `ß`, `ς` and `ſ`. Compared with the table for all characters.
    let folded = text.nfc().flat_map(|c| {
        let keep = (c == 'ı').then_some(c);
        let fold = keep.is_none().then(|| c.to_lowercase());
        let fold = fold.into_iter().flatten();
        let fold = fold.flat_map(char::to_uppercase);
        keep.into_iter().chain(fold.flat_map(char::to_lowercase))
    });
    Cow::Owned(folded.nfc().collect())
}

fn without_accents(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut base = ' ';
    for c in text.nfd() {
        if !is_mark(c) {
            base = c;
        }
        match plain(c) {
            Some(plain) => out.push_str(plain),
            None if is_mark(c) && !is_letters_own(base, c) => {}
            None => out.push(c),
        }
    }
    Cow::Owned(out.nfc().collect())
}

/// Marks of the blocks that hold accents. Vowel signs of Indic scripts and Japanese sound marks are not among them
/// (/rec/accent-insensitive-comparison/special-japanese-non-spacing-marks).
fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

/// Whether a mark makes another letter of a Cyrillic one: all but the stress on a vowel do (й, ї, ё, ў; ѓ and ќ).
fn is_letters_own(base: char, mark: char) -> bool {
    let is_cyrillic = matches!(base, '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}');
    let is_stress = matches!(mark, '\u{300}' | '\u{301}');
    is_cyrillic && !(is_stress && "АЕЄИІЇОУЮЯЫЭЁаеєиіїоуюяыэё".contains(base))
}

/// Letters with strokes and ligatures, which have no decomposition: the standard's abstract tests want `ø` to be `o`.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'Ø' => "O",
        'ø' => "o",
        'Đ' | 'Ð' => "D",
        'đ' | 'ð' => "d",
        'Ł' => "L",
        'ł' => "l",
        'Ħ' => "H",
        'ħ' => "h",
        'Ŧ' => "T",
        'ŧ' => "t",
        'ı' => "i",
        'Æ' => "AE",
        'æ' => "ae",
        'Œ' => "OE",
        'œ' => "oe",
        'Þ' => "TH",
        'þ' => "th",
        'ß' => "ss",
        'ẞ' => "SS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(fold: Fold, text: &str) -> String {
        fold.of(text.into()).into_owned()
    }

    #[test]
    fn case_is_folded_in_full() {
        for (a, b) in [
            ("Straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("ΟΔΟΣ", "οδος"),
            ("Οδος", "οδοσ"),
            ("ҐАНОК ЇЖАКА Є", "ґанок їжака є"),
            ("Київ", "КИ\u{407}В"),
            ("киї\u{432}", "КИІ\u{308}В"),
            ("ŉ", "ʼN"),
            ("K", "k"),
            ("ﬃ", "FFI"),
            ("abc", "ABC"),
        ] {
            assert_eq!(fold(Fold::Case, a), fold(Fold::Case, b), "{a} {b}");
        }
        assert_ne!(fold(Fold::Case, "ı"), fold(Fold::Case, "i"));
        assert_ne!(fold(Fold::Case, "г"), fold(Fold::Case, "ґ"));
    }

    #[test]
    fn accents_go_and_cyrillic_letters_stay() {
        for (a, b) in [
            ("débárquér", "debarquer"),
            ("København", "Kobenhavn"),
            ("Chi\u{219}inău", "Chisinau"),
            ("Chi\u{15f}inău", "Chisinau"),
            ("Łódź", "Lodz"),
            ("Ἀθῆναι", "Αθηναι"),
            ("за́мок", "замок"),
            ("Ї\u{301}хати", "Їхати"),
            ("е\u{301}й", "ей"),
        ] {
            assert_eq!(fold(Fold::Accent, a), fold(Fold::Accent, b), "{a} {b}");
        }
        for (letter, other) in [("й", "и"), ("ї", "і"), ("ґ", "г"), ("ё", "е"), ("ѓ", "г")]
        {
            assert_ne!(fold(Fold::Accent, letter), fold(Fold::Accent, other));
        }
        assert_eq!(fold(Fold::Accent, "и\u{306}"), "й");
        assert_eq!(fold(Fold::Accent, "が"), "が");
        assert_eq!(fold(Fold::Accent, "한글"), "한글");
    }

    #[test]
    fn folding_twice_is_folding_once() {
        for c in (0..0x2_0000).filter_map(char::from_u32) {
            for kind in [Fold::Case, Fold::Accent] {
                let once = fold(kind, &c.to_string());
                assert_eq!(fold(kind, &once), once, "{c} {kind:?}");
            }
        }
    }
}
