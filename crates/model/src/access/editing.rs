//! How a collection is edited.

/// The rules that hold for everybody who writes a collection's features.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Editing {
    /// Whether a change has to name the state that it is about: then nobody overwrites what they have not seen.
    pub is_strict: bool,
    pub invalid: InvalidRule,
    /// The pattern of ids for features that come without one.
    pub ids: Option<IdPattern>,
    /// The property with the legal area of a parcel.
    pub area: Option<AreaRule>,
}

/// The legal area of parcels, which cadastral operations are held against.
#[derive(Debug, Clone, PartialEq)]
pub struct AreaRule {
    /// In square metres, or in hectares where the schema says so.
    pub property: String,
    /// By how much the area of the geometry may differ, as a part of it.
    pub tolerance: f64,
}

/// What becomes of a geometry that is not valid by OGC Simple Features (OGC 06-103r4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidRule {
    /// It is stored as it is, and the answer says what is wrong.
    #[default]
    Flag,
    /// It is stored as a valid one of the same area, and the answer says so.
    Repair,
    Refuse,
}

impl InvalidRule {
    pub const ALL: [Self; 3] = [Self::Flag, Self::Repair, Self::Refuse];

    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Repair => "repair",
            Self::Refuse => "refuse",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

/// Makes ids: a text in which `{uuid}` stands for a random UUID, or `{n}` or `{n:4}` for a number that was never given before,
/// here with leading zeros to four digits. `{year}` is the year, in which the numbers begin anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPattern {
    text: String,
}

/// What stands for a part of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdPart<'a> {
    Text(&'a str),
    Year,
    Uuid,
    /// With so many digits at least.
    Number(usize),
}

impl IdPattern {
    /// Longest pattern.
    const MAX_LENGTH: usize = 100;

    /// `None` for a text that has not exactly one `{n}` or `{uuid}`, or another thing in braces.
    pub fn parse(text: &str) -> Option<Self> {
        let pattern = Self {
            text: text.to_owned(),
        };
        let parts = read(text)?;
        let unique = parts
            .iter()
            .filter(|part| matches!(part, IdPart::Uuid | IdPart::Number(_)))
            .count();
        let is_plain = !text.chars().any(char::is_control);
        (unique == 1 && is_plain && text.len() <= Self::MAX_LENGTH).then_some(pattern)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it makes plain numbers, which an integer can be.
    pub fn is_number(&self) -> bool {
        matches!(self.parts()[..], [IdPart::Number(1)])
    }

    pub fn parts(&self) -> Vec<IdPart<'_>> {
        read(&self.text).unwrap_or_default()
    }
}

fn read(mut text: &str) -> Option<Vec<IdPart<'_>>> {
    /// Numbers of a cadastre have four digits, those of a journal six.
    const MAX_DIGITS: usize = 12;
    let mut parts = Vec::new();
    while !text.is_empty() {
        let (plain, rest) = text.split_at(text.find('{').unwrap_or(text.len()));
        if plain.contains('}') {
            return None;
        }
        if !plain.is_empty() {
            parts.push(IdPart::Text(plain));
        }
        let Some(rest) = rest.strip_prefix('{') else {
            break;
        };
        let (name, rest) = rest.split_once('}')?;
        parts.push(match name {
            "year" => IdPart::Year,
            "uuid" => IdPart::Uuid,
            "n" => IdPart::Number(1),
            other => {
                let digits: usize = other.strip_prefix("n:")?.parse().ok()?;
                if !(1..=MAX_DIGITS).contains(&digits) {
                    return None;
                }
                IdPart::Number(digits)
            }
        });
        text = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_one_thing_that_makes_ids_differ() {
        let parts = |text| IdPattern::parse(text).map(|p| p.parts().len());
        assert_eq!(parts("2610100000:01:001:{n:4}"), Some(2));
        assert_eq!(parts("З-{year}/{n}"), Some(4));
        assert_eq!(parts("{uuid}"), Some(1));
        let number = |text| IdPattern::parse(text).map(|p| p.is_number());
        assert_eq!(number("{n}"), Some(true));
        for text in ["{n:4}", "{year}{n}", "1{n}", "{uuid}"] {
            assert_eq!(number(text), Some(false), "{text}");
        }
        for bad in [
            "",
            "abc",
            "{n}{n}",
            "{uuid}{n}",
            "{n:0}",
            "{n:13}",
            "{n:x}",
            "{x}",
            "{n",
            "n}",
            "{n}\n",
        ] {
            assert_eq!(parts(bad), None, "{bad:?}");
        }
    }
}
