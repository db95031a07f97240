//! Instants and intervals of the `datetime` parameter.

use crate::{Invalid, Message};

/// A closed or half-open span of time; both ends inclusive; at least one end given unless it is everything.
///
/// Ends are RFC 3339 texts in UTC of one fixed form (`2026-11-23T10:00:00.000Z`), so they compare as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    pub start: Option<String>,
    pub end: Option<String>,
}

impl Interval {
    /// Reads `instant`, `start/end`, `../end`, `start/..`, `/end`, `start/`
    /// (OGC 17-069r4 §7.15.4, /req/core/fc-time-definition). A date means its whole day.
    ///
    /// # Errors
    /// When a part is neither a date, a date-time nor open, or the start is after the end.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let unreadable = || {
            let shown: String = text.chars().take(80).collect();
            Invalid(Message::new("server.datetime-unreadable").with("value", shown))
        };
        let side = |part: &str, last: bool| -> Result<Option<String>, Invalid> {
            if part.is_empty() || part == ".." {
                return Ok(None);
            }
            normalise(part, last).map(Some).ok_or_else(unreadable)
        };
        let interval = match text.split_once('/') {
            None if text == ".." || text.is_empty() => return Err(unreadable()),
            None => Self {
                start: side(text, false)?,
                end: side(text, true)?,
            },
            Some((start, end)) => Self {
                start: side(start, false)?,
                end: side(end, true)?,
            },
        };
        if let (Some(start), Some(end)) = (&interval.start, &interval.end)
            && start > end
        {
            return Err(Invalid(Message::new("server.datetime-reversed")));
        }
        Ok(interval)
    }
}

/// Whether a text is an RFC 3339 full-date of the Gregorian calendar.
pub fn is_date(text: &str) -> bool {
    parse_date(text.as_bytes()).is_some()
}

/// Whether a text is an RFC 3339 date-time, with offset.
pub fn is_date_time(text: &str) -> bool {
    normalise_date_time(text).is_some()
}

/// An RFC 3339 date-time as UTC in the fixed form `2026-11-23T10:00:00.000Z`, which compares as text to the millisecond;
/// `None` for other texts. Up to three digits more tell microseconds; finer ones are cut off, since PostgreSQL has no place
/// for them.
pub fn normalise_date_time(text: &str) -> Option<String> {
    let (days, micros) = microseconds_of_date_time(text)?;
    date_time_of(days, micros)
}

/// Days since 1970-01-01 of an RFC 3339 full-date.
pub fn days_of_date(text: &str) -> Option<i64> {
    let (y, m, d) = parse_date(text.as_bytes())?;
    Some(days_from_civil(y, m, d))
}

/// Days since 1970-01-01 and microseconds of the day, in UTC, of an RFC 3339 date-time.
pub fn microseconds_of_date_time(text: &str) -> Option<(i64, i64)> {
    let (days, millis) = parse_date_time(text)?;
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let mut finer = fraction.bytes().take_while(u8::is_ascii_digit).skip(3);
    let micros = (0..3).fold(0, |n, _| {
        n * 10 + finer.next().map_or(0, |d| i64::from(d - b'0'))
    });
    // A leap second counts as the last millisecond before it.
    let is_leap = text.as_bytes().get(17..19) == Some(b"60");
    Some((days, millis * 1000 + if is_leap { 0 } else { micros }))
}

/// The RFC 3339 full-date of a day since 1970-01-01; `None` outside of the years 0 to 9999.
pub fn date_of_days(days: i64) -> Option<String> {
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return None;
    }
    let (y, m, d) = civil(days);
    Some(format!("{y:04}-{m:02}-{d:02}"))
}

/// The fixed form of a time; `None` outside of the years 0 to 9999.
pub fn date_time_of(days: i64, micros: i64) -> Option<String> {
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return None;
    }
    let mut fixed = date_time(days, micros / 1000);
    let finer = micros % 1000;
    if finer > 0 {
        fixed.truncate(fixed.len() - 1);
        fixed.push_str(format!("{finer:03}").trim_end_matches('0'));
        fixed.push('Z');
    }
    Some(fixed)
}

/// 0000-01-01 and 9999-12-31.
const FIRST_DAY: i64 = -719_528;
const LAST_DAY: i64 = 2_932_896;

/// A date or date-time as UTC in the fixed form; `last` takes the end of a day.
fn normalise(text: &str, last: bool) -> Option<String> {
    if let Some((y, m, d)) = parse_date(text.as_bytes()) {
        let time = if last { "23:59:59.999" } else { "00:00:00.000" };
        return Some(format!("{y:04}-{m:02}-{d:02}T{time}Z"));
    }
    let (days, millis) = parse_date_time(text)?;
    Some(date_time(days, millis))
}

fn date_time(days: i64, millis: i64) -> String {
    let (y, m, d) = civil(days);
    let (h, rest) = (millis / 3_600_000, millis % 3_600_000);
    let (minute, rest) = (rest / 60_000, rest % 60_000);
    format!(
        "{y:04}-{m:02}-{d:02}T{h:02}:{minute:02}:{:02}.{:03}Z",
        rest / 1000,
        rest % 1000
    )
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |n, b| {
        b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'))
    })
}

fn parse_date(b: &[u8]) -> Option<(i64, i64, i64)> {
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    let (y, m, d) = (digits(&b[..4])?, digits(&b[5..7])?, digits(&b[8..])?);
    let leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    let days = match m {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&d).then_some((y, m, d))
}

/// Days since 1970-01-01 and milliseconds of the day, in UTC.
fn parse_date_time(text: &str) -> Option<(i64, i64)> {
    let b = text.as_bytes();
    if b.len() < 20 || !matches!(b[10], b'T' | b't' | b' ') || b[13] != b':' || b[16] != b':' {
        return None;
    }
    let (y, m, d) = parse_date(&b[..10])?;
    let (h, minute, second) = (
        digits(&b[11..13])?,
        digits(&b[14..16])?,
        digits(&b[17..19])?,
    );
    if h > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &b[19..];
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        let kept = length.min(3);
        millis = digits(&fraction[..kept])? * 10_i64.pow(3 - u32::try_from(kept).ok()?);
        rest = &fraction[length..];
    }
    let offset_minutes = match rest {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (oh, om) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if oh > 23 || om > 59 {
                return None;
            }
            (oh * 60 + om) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    // A leap second counts as the last millisecond before it.
    let second_millis = if second == 60 {
        59_999
    } else {
        second * 1000 + millis
    };
    let total = ((h * 60 + minute) - offset_minutes) * 60_000 + second_millis;
    Some((
        days_from_civil(y, m, d) + total.div_euclid(86_400_000),
        total.rem_euclid(86_400_000),
    ))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (d, m) = (
        day_of_year - (153 * shifted + 2) / 5 + 1,
        (shifted + 2) % 12 + 1,
    );
    (year_of_era + era * 400 + i64::from(m <= 2), m, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: Option<(&str, &str)>) {
        let shown = Interval::parse(input).ok().map(|i| {
            (
                i.start.unwrap_or_else(|| "..".to_owned()),
                i.end.unwrap_or_else(|| "..".to_owned()),
            )
        });
        assert_eq!(
            shown,
            expect.map(|(a, b)| (a.to_owned(), b.to_owned())),
            "{input}"
        );
    }

    #[test]
    fn intervals_of_every_allowed_form() {
        let day = ("2024-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z");
        check("2024-02-29", Some(day));
        check(
            "2024-02-29T10:00:00Z",
            Some(("2024-02-29T10:00:00.000Z", "2024-02-29T10:00:00.000Z")),
        );
        check("../2024-02-29", Some(("..", day.1)));
        check("2024-02-29/..", Some((day.0, "..")));
        check("/2024-02-29", Some(("..", day.1)));
        check("2024-02-29/", Some((day.0, "..")));
        check("../..", Some(("..", "..")));
        check(
            "0000-01-01T00:00:00Z/9999-12-31T00:00:00Z",
            Some(("0000-01-01T00:00:00.000Z", "9999-12-31T00:00:00.000Z")),
        );
        check(
            "2024-03-01T01:30:00.5+02:00",
            Some(("2024-02-29T23:30:00.500Z", "2024-02-29T23:30:00.500Z")),
        );
    }

    #[test]
    fn times_of_any_offset_and_precision_compare_as_texts() {
        for (given, fixed) in [
            ("2020-01-01T12:00:00+02:00", "2020-01-01T10:00:00.000Z"),
            ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z"),
            (
                "2022-01-01T12:00:00.1234+02:00",
                "2022-01-01T10:00:00.1234Z",
            ),
            ("2022-01-01 12:00:00.5z", "2022-01-01T12:00:00.500Z"),
            ("2022-01-01T12:00:00.1230Z", "2022-01-01T12:00:00.123Z"),
            (
                "2022-01-01T12:00:00.123456789Z",
                "2022-01-01T12:00:00.123456Z",
            ),
            ("2016-12-31T23:59:60.9999Z", "2016-12-31T23:59:59.999Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(normalise_date_time(given).as_deref(), Some(fixed));
        }
        assert_eq!(normalise_date_time("2022-01-01"), None);
        // In UTC they are in years that the form can't write.
        assert_eq!(normalise_date_time("9999-12-31T23:59:59-01:00"), None);
        assert_eq!(normalise_date_time("0000-01-01T00:00:00+01:00"), None);
    }

    #[test]
    fn texts_that_are_no_time_are_turned_away() {
        for bad in [
            "",
            "..",
            "2023-02-29",
            "2024-13-01",
            "2024-1-1",
            "yesterday",
            "2024-01-01T10:00",
            "2024-01-01T25:00:00Z",
            "2024-06-01/2024-01-01",
            "2024-01-01/P2D",
            "2024-01-01/2024-01-02/2024-01-03",
        ] {
            check(bad, None);
        }
    }
}
