//! Patterns of LIKE.

/// A text with wildcards: `%` is any characters or none, `_` one character; a backslash before one of these or before
/// a backslash takes it as it is. Case counts.
/// OGC 21-065r2, /req/advanced-comparison-operators/like-predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<[Piece]>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Character(char),
    One,
    Any,
}

impl Pattern {
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            pieces.push(match c {
                '%' => Piece::Any,
                '_' => Piece::One,
                '\\' => Piece::Character(chars.next_if(|c| "%_\\".contains(*c)).unwrap_or('\\')),
                other => Piece::Character(other),
            });
        }
        Self(pieces.into())
    }

    /// Whether the whole text fits: O(characters of the text · pieces).
    pub fn matches(&self, text: &str) -> bool {
        let mut pieces = self.0.as_ref();
        let mut rest = text.chars();
        // Behind the last `%`: the pieces, and where the text that they are held against begins.
        let mut again: Option<(&[Piece], std::str::Chars<'_>)> = None;
        loop {
            let mut next = rest.clone();
            let fits = match (pieces.first(), next.next()) {
                (Some(Piece::Any), _) => {
                    pieces = &pieces[1..];
                    again = Some((pieces, rest.clone()));
                    continue;
                }
                (None, None) => return true,
                (Some(Piece::One), Some(_)) => true,
                (Some(Piece::Character(piece)), Some(c)) => *piece == c,
                _ => false,
            };
            if fits {
                (pieces, rest) = (&pieces[1..], next);
                continue;
            }
            // `%` takes one character more.
            let Some((behind, from)) = &mut again else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            (pieces, rest) = (*behind, from.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_characters() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "а", false),
            ("%", "", true),
            ("_", "", false),
            ("_", "ї", true),
            ("вул.%", "вул. Бандери", true),
            ("%анд%ри", "вул. Бандери", true),
            ("%анд%рі", "вул. Бандери", false),
            ("а%б%а%б", "абабаб", true),
            ("%%б_", "абв", true),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("a\\_b", "a_b", true),
            ("a\\\\%", "a\\b", true),
            ("C:\\temp\\", "C:\\temp\\", true),
            ("А", "а", false),
            ("%a%a%a%a%a%a%a%a%b", &"a".repeat(1_000), false),
        ] {
            assert_eq!(
                Pattern::new(pattern).matches(text),
                fits,
                "{pattern} {text}"
            );
        }
    }
}
