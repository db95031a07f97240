//! The character encoding of a `.dbf`.

use encoding_rs::{
    Encoding, IBM866, MACINTOSH, UTF_8, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253,
    WINDOWS_1254, WINDOWS_1257,
};

/// By the text of a `.cpg`: `UTF-8`, `1251`, `CP1251`, `ANSI 1251`, `windows-1251`, `OEM 866`, `88591`.
pub(super) fn from_cpg(text: &str) -> Option<&'static Encoding> {
    let line = text.trim_start_matches('\u{FEFF}').lines().next()?.trim();
    if let Some(found) = Encoding::for_label(line.as_bytes()) {
        return Some(found).filter(|e| e.is_ascii_compatible());
    }
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    let label = match digits.as_str() {
        "65001" | "8" => "utf-8".to_owned(),
        "866" => "ibm866".to_owned(),
        d if d.len() == 4 && d.starts_with("125") => format!("windows-{d}"),
        d if d.len() >= 5 && d.starts_with("8859") => format!("iso-8859-{}", &d[4..]),
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}

/// By the language driver of the table's header (dBASE, `FoxPro` and Esri use the same list). 0x57 ("ANSI") says only
/// that the writer used its own Windows code page, so it says nothing.
pub(super) fn from_language_driver(id: u8) -> Option<&'static Encoding> {
    Some(match id {
        0x03 | 0x58 | 0x59 => WINDOWS_1252,
        0x04 => MACINTOSH,
        0x26 | 0x65 => IBM866,
        0xC8 => WINDOWS_1250,
        0xC9 => WINDOWS_1251,
        0xCA => WINDOWS_1254,
        0xCB => WINDOWS_1253,
        0xCC => WINDOWS_1257,
        _ => return None,
    })
}

/// The text of a field's bytes; `None` when they are not in the encoding. Without one they must be UTF-8.
pub(super) fn decode(bytes: &[u8], encoding: Option<&'static Encoding>) -> Option<Box<str>> {
    if let Some(encoding) = encoding.filter(|e| *e != UTF_8) {
        return Some(encoding.decode_without_bom_handling(bytes).0.into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.into()),
        // A field has a fixed width, and writers cut the last character in two.
        Err(e) if e.error_len().is_none() && encoding.is_some() => {
            let whole = &bytes[..e.valid_up_to()];
            std::str::from_utf8(whole).ok().map(Into::into)
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::KOI8_U;

    use super::*;

    #[test]
    fn every_spelling_of_a_code_page_is_known() {
        for (text, expected) in [
            ("UTF-8", UTF_8),
            ("utf8\r\n", UTF_8),
            ("65001", UTF_8),
            ("1251", WINDOWS_1251),
            ("CP1251", WINDOWS_1251),
            ("ANSI 1251", WINDOWS_1251),
            ("windows-1251", WINDOWS_1251),
            ("OEM 866", IBM866),
            ("KOI8-U", KOI8_U),
            ("ISO 88591", WINDOWS_1252),
        ] {
            assert_eq!(from_cpg(text), Some(expected), "{text}");
        }
        for text in ["", "UTF-16", "what"] {
            assert_eq!(from_cpg(text), None, "{text}");
        }
    }

    #[test]
    fn a_character_cut_at_the_end_of_a_field_is_left_out() {
        let cut = &"Київ".as_bytes()[..7];
        assert_eq!(decode(cut, Some(UTF_8)).as_deref(), Some("Киї"));
        assert_eq!(
            decode(b"\xCA\xE8\xBF\xE2", Some(WINDOWS_1251)).as_deref(),
            Some("Київ")
        );
        assert_eq!(decode(b"\xCA\xE8\xBF\xE2", None), None);
    }
}
