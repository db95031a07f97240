//! One form for what both stores hold in forms of their own, to be compared and hashed.

use std::collections::HashMap;

use model::{PropertyType, Value};
use serde_json::Value as Json;

/// A row in the canonical form: each field begins with a byte that tells its kind.
#[derive(Default)]
pub(super) struct Record {
    pub(super) key: i64,
    pub(super) bytes: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
}

/// Kinds of fields.
mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const INTEGER: u8 = 2;
    pub(super) const REAL: u8 = 3;
    pub(super) const DATE: u8 = 4;
    pub(super) const TIME: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    pub(super) const GEOMETRY: u8 = 7;
    /// A geometry that can't be read, as its bytes are.
    pub(super) const DAMAGED: u8 = 8;
    /// Bytes where a value should be.
    pub(super) const BLOB: u8 = 9;
    pub(super) const OBJECT: u8 = 10;
}

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

impl Record {
    pub(super) fn begin(&mut self, key: i64) {
        self.key = key;
        self.bytes.clear();
        self.ends.clear();
        self.bytes.extend_from_slice(&key.to_be_bytes());
    }

    /// The first field in which two records differ.
    pub(super) fn first_difference(&self, other: &Self) -> usize {
        let fields = self.ends.len().max(other.ends.len());
        (0..fields)
            .find(|i| self.field(*i) != other.field(*i))
            .unwrap_or(0)
    }

    fn field(&self, i: usize) -> Option<&[u8]> {
        let start = match i {
            0 => size_of::<i64>(),
            _ => *self.ends.get(i - 1)?,
        };
        self.bytes.get(start..*self.ends.get(i)?)
    }

    /// The whole number in a field.
    pub(super) fn integer(&self, i: usize) -> Option<i64> {
        let (tag, bytes) = self.field(i)?.split_first()?;
        let bytes = bytes.try_into().ok().filter(|_| *tag == tag::INTEGER)?;
        Some(i64::from_be_bytes(bytes))
    }

    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(bytes);
    }

    fn sized(&mut self, tag: u8, bytes: &[u8]) {
        self.tagged(tag, &(bytes.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    /// A geometry as little-endian ISO WKB, whatever its bytes are.
    pub(super) fn geometry(&mut self, wkb: Option<&[u8]>) {
        self.put_geometry(wkb);
        self.end();
    }

    /// As [`Record::geometry`], with the number of its CRS.
    pub(super) fn geometry_in(&mut self, wkb: Option<&[u8]>, crs: i64) {
        self.put_geometry(wkb);
        self.bytes.extend_from_slice(&crs.to_be_bytes());
        self.end();
    }

    fn put_geometry(&mut self, wkb: Option<&[u8]>) {
        match wkb {
            None => self.tagged(tag::NULL, &[]),
            Some(wkb) => {
                let mut iso = Vec::with_capacity(wkb.len());
                match formats::wkb::to_iso(wkb, &mut iso) {
                    Ok(()) => self.sized(tag::GEOMETRY, &iso),
                    Err(_) => self.sized(tag::DAMAGED, wkb),
                }
            }
        }
    }

    /// A geometry that can't be taken out of what holds it.
    pub(super) fn damaged(&mut self) {
        self.tagged(tag::DAMAGED, &[]);
        self.end();
    }

    /// Bytes where a property should be.
    pub(super) fn blob(&mut self) {
        self.tagged(tag::BLOB, &[]);
        self.end();
    }

    pub(super) fn value(&mut self, kind: PropertyType, value: &Value) {
        self.put(kind, value);
        self.end();
    }

    /// A time to the millisecond, as SQLite's change log has it.
    pub(super) fn millisecond(&mut self, value: &Value) {
        let text = match value {
            Value::Text(text) => text,
            other => return self.value(PropertyType::DateTime, other),
        };
        match model::microseconds_of_date_time(text) {
            Some((days, micros)) => {
                let micros = days * MICROSECONDS_A_DAY + micros - micros % 1000;
                self.tagged(tag::TIME, &micros.to_be_bytes());
            }
            None => self.sized(tag::TEXT, text.as_bytes()),
        }
        self.end();
    }

    fn put(&mut self, kind: PropertyType, value: &Value) {
        match value {
            Value::Null => self.tagged(tag::NULL, &[]),
            Value::Boolean(b) => self.tagged(tag::BOOLEAN, &[u8::from(*b)]),
            Value::Integer(i) => self.tagged(tag::INTEGER, &i.to_be_bytes()),
            // SQLite has no -0.
            Value::Real(x) => self.tagged(tag::REAL, &(x + 0.0).to_bits().to_be_bytes()),
            Value::Text(text) => self.text(kind, text),
        }
    }

    fn text(&mut self, kind: PropertyType, text: &str) {
        let number = match kind {
            PropertyType::Date => model::days_of_date(text).map(|days| (tag::DATE, days)),
            PropertyType::DateTime => model::microseconds_of_date_time(text)
                .map(|(days, micros)| (tag::TIME, days * MICROSECONDS_A_DAY + micros)),
            _ => None,
        };
        match number {
            Some((tag, number)) => self.tagged(tag, &number.to_be_bytes()),
            None => self.sized(tag::TEXT, text.as_bytes()),
        }
    }

    /// The properties of a logged state, in the order of their names. SQLite writes booleans as 0 and 1, and each
    /// database has forms of its own for numbers and times, so the kind of each is asked for; a property that the
    /// collection has no more is compared as JSON.
    pub(super) fn properties(
        &mut self,
        kinds: Option<&HashMap<String, PropertyType>>,
        value: &Value,
    ) {
        let Value::Text(text) = value else {
            return self.value(PropertyType::Text, value);
        };
        match serde_json::from_str(text) {
            Ok(Json::Object(object)) => {
                let mut pairs: Vec<_> = object.iter().collect();
                pairs.sort_by_key(|(name, _)| *name);
                self.tagged(tag::OBJECT, &(pairs.len() as u64).to_be_bytes());
                for (name, value) in pairs {
                    self.sized(tag::TEXT, name.as_bytes());
                    let kind = kinds.and_then(|kinds| kinds.get(name)).copied();
                    self.json(kind, value);
                }
            }
            _ => self.sized(tag::TEXT, text.as_bytes()),
        }
        self.end();
    }

    fn json(&mut self, kind: Option<PropertyType>, value: &Json) {
        match (kind, value) {
            (_, Json::Null) => self.tagged(tag::NULL, &[]),
            (_, Json::Bool(b)) => self.tagged(tag::BOOLEAN, &[u8::from(*b)]),
            (Some(PropertyType::Boolean), Json::Number(n)) => {
                self.tagged(tag::BOOLEAN, &[u8::from(n.as_f64() != Some(0.0))]);
            }
            (Some(PropertyType::Integer), Json::Number(n)) if n.is_i64() => {
                self.tagged(tag::INTEGER, &n.as_i64().unwrap_or(0).to_be_bytes());
            }
            // Beyond this a double is not exact.
            (None, Json::Number(n)) if n.as_i64().is_some_and(|i| i.unsigned_abs() > 1 << 53) => {
                self.tagged(tag::INTEGER, &n.as_i64().unwrap_or(0).to_be_bytes());
            }
            (_, Json::Number(n)) => {
                let x = n.as_f64().unwrap_or(0.0) + 0.0;
                self.tagged(tag::REAL, &x.to_bits().to_be_bytes());
            }
            (_, Json::String(text)) => self.text(kind.unwrap_or(PropertyType::Text), text),
            (_, other) => self.sized(tag::TEXT, other.to_string().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(put: impl FnOnce(&mut Record)) -> Vec<u8> {
        let mut record = Record::default();
        record.begin(1);
        put(&mut record);
        record.bytes
    }

    #[test]
    fn the_forms_of_both_databases_are_one() {
        let kinds = HashMap::from([
            ("b".to_owned(), PropertyType::Boolean),
            ("r".to_owned(), PropertyType::Real),
            ("t".to_owned(), PropertyType::DateTime),
        ]);
        let properties = |text: &str| {
            let value = Value::Text(text.into());
            of(|r| r.properties(Some(&kinds), &value))
        };
        let sqlite = properties(r#"{"t":"2026-11-23T10:00:00.000Z","b":1,"r":2.0,"x":1}"#);
        let postgres = properties(
            r#"{ "b" : true, "r" : 2, "t" : "2026-11-23T10:00:00.000000Z", "x" : 1.0 }"#,
        );
        assert_eq!(sqlite, postgres);
        for other in [
            r#"{"t":"2026-11-23T10:00:00.001Z","b":1,"r":2.0,"x":1}"#,
            r#"{"t":"2026-11-23T10:00:00.000Z","b":0,"r":2.0,"x":1}"#,
            r#"{"t":"2026-11-23T10:00:00.000Z","b":1,"r":2.0000000000000004,"x":1}"#,
            r#"{"t":"2026-11-23T10:00:00.000Z","b":1,"r":2.0,"x":"1"}"#,
            r#"{"t":"2026-11-23T10:00:00.000Z","b":1,"r":2.0,"x":null}"#,
            r#"{"t":"2026-11-23T10:00:00.000Z","b":1,"r":2.0}"#,
        ] {
            assert_ne!(properties(other), sqlite, "{other}");
        }
    }

    #[test]
    fn values_are_told_apart_by_type_and_bit() {
        let value = |kind, value: Value| of(|r| r.value(kind, &value));
        let real = |x| value(PropertyType::Real, Value::Real(x));
        assert_ne!(real(0.1 + 0.2), real(0.3));
        assert_eq!(real(-0.0), real(0.0));
        let time = |t: &str| value(PropertyType::DateTime, Value::Text(t.into()));
        assert_eq!(
            time("2026-11-23T10:00:00Z"),
            time("2026-11-23T12:00:00+02:00")
        );
        let text = |t: &str| value(PropertyType::Text, Value::Text(t.into()));
        assert_ne!(
            text("2026-11-23T10:00:00Z"),
            text("2026-11-23T12:00:00+02:00")
        );
        assert_ne!(text(""), value(PropertyType::Text, Value::Null));
        assert_ne!(text("1"), value(PropertyType::Text, Value::Integer(1)));
    }

    #[test]
    fn a_logged_time_counts_to_the_millisecond() {
        let at = |t: &str| of(|r| r.millisecond(&Value::Text(t.into())));
        assert_eq!(
            at("2026-11-23T10:00:00.123456Z"),
            at("2026-11-23T10:00:00.123Z")
        );
        assert_ne!(
            at("2026-11-23T10:00:00.124Z"),
            at("2026-11-23T10:00:00.123Z")
        );
    }

    #[test]
    fn the_first_field_that_differs_is_named() {
        let record = |second: i64| {
            let mut record = Record::default();
            record.begin(1);
            record.geometry(None);
            record.value(PropertyType::Integer, &Value::Integer(second));
            record.value(PropertyType::Text, &Value::Text("x".into()));
            record
        };
        assert_eq!(record(1).first_difference(&record(2)), 1);
    }

    #[test]
    fn a_big_endian_geometry_is_the_little_endian_one() {
        let mut little = vec![1, 1, 0, 0, 0];
        let mut big = vec![0, 0, 0, 0, 1];
        for x in [24.5_f64, 48.25] {
            little.extend_from_slice(&x.to_le_bytes());
            big.extend_from_slice(&x.to_be_bytes());
        }
        assert_eq!(
            of(|r| r.geometry(Some(&little))),
            of(|r| r.geometry(Some(&big)))
        );
    }
}
