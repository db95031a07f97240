//! One cell of a table: text that may mean a number, a date or a truth value.

use model::{PropertyType, Value, is_date, is_date_time};

use crate::infer::Kind;

/// What makes a spreadsheet take a cell for a formula when it begins with it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Whether a text gets an apostrophe when it is written: a spreadsheet would take it for a formula, and a citizen's
/// complaint must not run in a clerk's office. Apostrophes that are there already count as the text's own, so that
/// [`unguarded`] gives each text back.
pub(super) fn needs_guard(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// A text without the apostrophe that writing puts before what looks like a formula.
pub(super) fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if needs_guard(rest) => rest,
        _ => text,
    }
}

/// How numbers are written in this table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Spreadsheets that put `;` between cells put a comma into numbers.
    pub(super) decimal_comma: bool,
}

impl Style {
    /// What a cell could be. `007`, `+5` and `12E4` are codes, not numbers: as numbers they would lose their form.
    pub(super) fn kind(self, text: &str) -> Kind {
        if text.is_empty() {
            return Kind::Null;
        }
        if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
            return Kind::Boolean;
        }
        if let Some(number) = self.number(text) {
            return Kind::of_number(&number).unwrap_or(Kind::Text);
        }
        Kind::of_text(text)
    }

    /// The value of a cell in a column of that type; `None` when it does not fit.
    pub(super) fn value(self, kind: PropertyType, text: &str) -> Option<Value> {
        if text.is_empty() {
            return Some(Value::Null);
        }
        match kind {
            PropertyType::Text => Some(Value::Text(unguarded(text).into())),
            PropertyType::Boolean => match text {
                t if t.eq_ignore_ascii_case("true") => Some(Value::Boolean(true)),
                t if t.eq_ignore_ascii_case("false") => Some(Value::Boolean(false)),
                _ => None,
            },
            PropertyType::Integer => text.parse().ok().map(Value::Integer),
            PropertyType::Real => {
                let value: f64 = self.number(text)?.parse().ok()?;
                value.is_finite().then_some(Value::Real(value))
            }
            PropertyType::Date => is_date(text).then(|| Value::Text(text.into())),
            PropertyType::DateTime => is_date_time(text).then(|| Value::Text(text.into())),
        }
    }

    /// A coordinate: any plain number, white space around it allowed.
    pub(super) fn coordinate(self, text: &str) -> Option<f64> {
        let text = text.trim();
        let value: f64 = if self.decimal_comma {
            text.replacen(',', ".", 1).parse().ok()?
        } else {
            text.parse().ok()?
        };
        value.is_finite().then_some(value)
    }

    /// The number with a point, when the text is one that keeps its form.
    fn number(self, text: &str) -> Option<String> {
        let first = *text.as_bytes().first()?;
        if !first.is_ascii_digit() && first != b'-' {
            return None;
        }
        let text = match (self.decimal_comma, text.contains('.')) {
            (true, false) => text.replacen(',', ".", 1),
            _ => text.to_owned(),
        };
        let unsigned = text.strip_prefix('-').unwrap_or(&text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let exponent_fits = exponent.is_none_or(|e| {
            let signed = e.strip_prefix(['-', '+']);
            digits(signed.unwrap_or(e)) && (signed.is_some() || fraction.is_some())
        });
        let fits = digits(whole) && !leading_zero && fraction.is_none_or(digits) && exponent_fits;
        fits.then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_form_and_numbers_are_numbers() {
        let point = Style {
            decimal_comma: false,
        };
        let comma = Style {
            decimal_comma: true,
        };
        for (text, expected) in [
            ("", Kind::Null),
            ("7", Kind::Integer),
            ("-7", Kind::Integer),
            ("0", Kind::Integer),
            ("007", Kind::Text),
            ("+7", Kind::Text),
            ("9007199254740993", Kind::LongInteger),
            ("99999999999999999999", Kind::HugeInteger),
            ("1.50", Kind::Real),
            ("0.5", Kind::Real),
            ("1.2e-05", Kind::Real),
            ("12E4", Kind::Text),
            ("1,5", Kind::Text),
            ("NaN", Kind::Text),
            ("2610100000:01:001:0001", Kind::Text),
            ("2024-02-29", Kind::Date),
            ("2023-02-29", Kind::Text),
            ("2024-02-29T10:00:00Z", Kind::DateTime),
            ("TRUE", Kind::Boolean),
        ] {
            assert_eq!(point.kind(text), expected, "{text}");
        }
        assert_eq!(comma.kind("1,5"), Kind::Real);
        assert_eq!(
            comma.value(PropertyType::Real, "1,5"),
            Some(Value::Real(1.5))
        );
        assert_eq!(comma.kind("1,5,5"), Kind::Text);
        assert_eq!(comma.coordinate(" 24,7101 "), Some(24.7101));
        assert_eq!(point.coordinate("inf"), None);
    }
}
