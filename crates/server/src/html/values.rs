//! Values as people read them, the same as on the map.

use model::{Lang, Property, PropertyType, Value, unit_name};

use super::grouped;
use crate::schema::MONEY;
use crate::search::plain;

const MONTHS_UK: [&str; 12] = [
    "січня",
    "лютого",
    "березня",
    "квітня",
    "травня",
    "червня",
    "липня",
    "серпня",
    "вересня",
    "жовтня",
    "листопада",
    "грудня",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Milliseconds since 1970: how one widespread system exports dates.
const MILLISECONDS: &str = "ms";

/// A value of a property without its unit, and the unit.
pub(super) fn text_and_unit(value: &Value, property: &Property, lang: Lang) -> (String, String) {
    let unit = property.unit.as_deref();
    match value {
        Value::Integer(ms) if unit == Some(MILLISECONDS) => (day_of(*ms, lang), String::new()),
        Value::Integer(i) => (
            number(*i as f64, Some(*i), unit, lang),
            unit_text(unit, lang),
        ),
        Value::Real(x) => (number(*x, None, unit, lang), unit_text(unit, lang)),
        Value::Text(t) if property.kind == PropertyType::Date => (date(t, lang), String::new()),
        Value::Text(t) if property.kind == PropertyType::DateTime => (date(t, lang), String::new()),
        Value::Null => (String::new(), String::new()),
        other => (plain(other), unit_text(unit, lang)),
    }
}

/// A unit as people write it.
pub(super) fn unit_text(unit: Option<&str>, lang: Lang) -> String {
    let unit = unit.unwrap_or_default();
    unit_name(unit, lang).unwrap_or(unit).to_owned()
}

/// A quantity has its thousands apart and only digits that mean something; a number without a unit may be a year or
/// a code and keeps all of its digits.
fn number(value: f64, exact: Option<i64>, unit: Option<&str>, lang: Lang) -> String {
    /// Below it a number without a unit is written as it is.
    const LONG: f64 = 100_000.0;
    let has_groups = unit.is_some() || value.abs() >= LONG;
    if let Some(i) = exact {
        let digits = i.unsigned_abs();
        let text = if has_groups {
            grouped_all(digits, lang)
        } else {
            digits.to_string()
        };
        return signed(text, i < 0);
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let decimals = match unit {
        Some(unit) if MONEY.contains(&unit) => 2,
        Some(_) if value.abs() >= 100.0 => 1,
        Some(_) => 4,
        None => 6,
    };
    let fixed = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let is_money = unit.is_some_and(|unit| MONEY.contains(&unit)) && fraction != "00";
    let fraction = if is_money {
        fraction
    } else {
        fraction.trim_end_matches('0')
    };
    let mut text = match whole.parse() {
        Ok(whole) if has_groups => grouped_all(whole, lang),
        _ => whole.to_owned(),
    };
    if !fraction.is_empty() {
        text.push(if lang == Lang::Uk { ',' } else { '.' });
        text.push_str(fraction);
    }
    let is_negative = value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    signed(text, is_negative)
}

fn signed(text: String, is_negative: bool) -> String {
    if is_negative {
        format!("−{text}")
    } else {
        text
    }
}

/// As [`grouped`], with four digits apart too: a quantity stands beside others in a column.
fn grouped_all(n: u64, lang: Lang) -> String {
    if lang == Lang::Uk && (1_000..10_000).contains(&n) {
        return format!("{}\u{a0}{:03}", n / 1_000, n % 1_000);
    }
    grouped(n, lang)
}

/// A date, or a date with a time, as the language writes it; other text as it is.
fn date(text: &str, lang: Lang) -> String {
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut parts = day.split('-').map(str::parse::<usize>);
    let (Some(Ok(year)), Some(Ok(month @ 1..=12)), Some(Ok(day @ 1..=31)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return text.to_owned();
    };
    let written = day_text(year as i64, month, day, lang);
    match time.and_then(|t| t.get(..5)) {
        // Stored times are in UTC where they have a `Z`; the clock of the reader is not known here.
        Some(clock) => {
            let zone = if text.ends_with('Z') { " UTC" } else { "" };
            format!("{written}, {clock}{zone}")
        }
        None => written,
    }
}

fn day_text(year: i64, month: usize, day: usize, lang: Lang) -> String {
    match lang {
        Lang::Uk => format!("{day}\u{a0}{} {year}\u{a0}р.", MONTHS_UK[month - 1]),
        Lang::En => format!("{day}\u{a0}{} {year}", MONTHS_EN[month - 1]),
    }
}

/// The day of a moment, by the calendar's 400-year cycle (Howard Hinnant, `civil_from_days`).
fn day_of(milliseconds: i64, lang: Lang) -> String {
    const DAY: i64 = 86_400_000;
    let days = milliseconds.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    day_text(year, month as usize, day as usize, lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Value, kind: PropertyType, unit: Option<&str>, uk: &str, en: &str) {
        let mut property = Property::new("p", kind);
        property.unit = unit.map(str::to_owned);
        for (lang, expected) in [(Lang::Uk, uk), (Lang::En, en)] {
            let (text, unit) = text_and_unit(&value, &property, lang);
            let shown = format!("{text} {unit}").replace('\u{a0}', " ");
            assert_eq!(shown.trim(), expected);
        }
    }

    #[test]
    fn numbers_units_and_dates_of_both_languages() {
        use PropertyType::{Date, DateTime, Integer, Real};
        let text = |t: &str| Value::Text(t.into());
        check(
            Value::Real(1420.8),
            Real,
            Some("m2"),
            "1 420,8 м²",
            "1,420.8 m²",
        );
        check(
            Value::Real(548_385.2),
            Real,
            Some("UAH"),
            "548 385,20 грн",
            "548,385.20 UAH",
        );
        check(Value::Integer(5), Integer, Some("m"), "5 м", "5 m");
        check(
            Value::Real(0.0625),
            Real,
            Some("har"),
            "0,0625 га",
            "0.0625 ha",
        );
        check(Value::Real(-0.000_01), Real, Some("m"), "0 м", "0 m");
        check(Value::Real(-2.5), Real, Some("m"), "−2,5 м", "−2.5 m");
        check(Value::Integer(1998), Integer, None, "1998", "1998");
        check(
            text("1998-07-01"),
            Date,
            None,
            "1 липня 1998 р.",
            "1 July 1998",
        );
        check(
            text("2026-01-05T10:00:00.000Z"),
            DateTime,
            None,
            "5 січня 2026 р., 10:00 UTC",
            "5 January 2026, 10:00 UTC",
        );
        check(
            text("близько 1990"),
            Date,
            None,
            "близько 1990",
            "близько 1990",
        );
        check(
            Value::Integer(951_782_400_000),
            Integer,
            Some("ms"),
            "29 лютого 2000 р.",
            "29 February 2000",
        );
        check(Value::Null, Real, Some("m2"), "", "");
    }
}
