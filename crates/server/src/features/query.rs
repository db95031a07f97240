//! What a request for items asks for (OGC 17-069r4 §7.15.2 to §7.15.6).

use model::{Bbox, Epoch, Interval, Message, Property, PropertyType, Value};
use store::{ItemsQuery, LiveCollection, MAX_LIMIT};

use crate::limits::DEFAULT_LIMIT;
use crate::params::Params;
use crate::problem::{Problem, shown};

/// Parameters with a meaning of their own; a property of such a name can't be filtered by.
pub(crate) const RESERVED: [&str; 6] = ["f", "lang", "limit", "bbox", "datetime", "cursor"];

/// Reads the parameters of an items request.
///
/// # Errors
/// 400 with the parameter, what it holds and what it takes.
pub(crate) fn parse(
    params: &Params,
    live: &LiveCollection,
    epoch: &Epoch,
) -> Result<ItemsQuery, Problem> {
    let schema = &live.collection.schema;
    let position = |name: &str| schema.position(name).filter(|p| live.is_queryable(*p));
    params.only_where(&RESERVED[2..], |name| position(name).is_some())?;
    let mut query = ItemsQuery {
        limit: DEFAULT_LIMIT,
        ..ItemsQuery::default()
    };
    if let Some(text) = params.get("limit") {
        query.limit = limit(text)?;
    }
    if let Some(text) = params.get("bbox") {
        query.bbox = Some(bbox(text)?);
    }
    if let Some(text) = params.get("datetime") {
        query.datetime = Some(Interval::parse(text)?);
    }
    if let Some(text) = params.get("cursor") {
        query.after = Some(cursor(text, epoch)?);
    }
    for (name, text) in params.pairs().filter(|(name, _)| !RESERVED.contains(name)) {
        if let Some(position) = position(name) {
            query
                .equals
                .push((position, filter_value(&schema.properties[position], text)?));
        }
    }
    Ok(query)
}

/// A limit above the maximum is the maximum (OGC 17-069r4 /req/core/fc-limit-response-1).
fn limit(text: &str) -> Result<u32, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if is_number {
        text.parse::<u64>().unwrap_or(u64::MAX)
    } else {
        0
    };
    if number == 0 {
        let detail = Message::new("server.limit-invalid")
            .with("value", shown(text))
            .with("max", MAX_LIMIT);
        return Err(Problem::bad_request(detail));
    }
    Ok(u32::try_from(number).unwrap_or(MAX_LIMIT).min(MAX_LIMIT))
}

pub(crate) fn bbox(text: &str) -> Result<Bbox, Problem> {
    let mut numbers = Vec::new();
    // One more than the most that a box has, so that the count is told as wrong.
    for part in text.split(',').take(7) {
        let number: f64 = part.trim().parse().map_err(|_| {
            Problem::bad_request(Message::new("server.bbox-not-number").with("value", shown(part)))
        })?;
        numbers.push(number);
    }
    Ok(Bbox::new(&numbers)?)
}

/// The place after which the next page starts: `{epoch}.{key}`.
fn cursor(text: &str, epoch: &Epoch) -> Result<i64, Problem> {
    let unreadable =
        || Problem::bad_request(Message::new("server.cursor-invalid").with("value", shown(text)));
    let (life, key) = text.rsplit_once('.').ok_or_else(unreadable)?;
    let key = key.parse().map_err(|_| unreadable())?;
    if life != &*epoch.0 {
        return Err(Problem::bad_request(Message::new("server.cursor-epoch")));
    }
    Ok(key)
}

pub(crate) fn cursor_text(epoch: &Epoch, key: i64) -> String {
    format!("{}.{key}", epoch.0)
}

/// The value that a property must equal, by the property's type.
fn filter_value(property: &Property, text: &str) -> Result<Value, Problem> {
    let value = match property.kind {
        PropertyType::Boolean => text.parse().ok().map(Value::Boolean),
        PropertyType::Integer => text.parse().ok().map(Value::Integer),
        PropertyType::Real => text
            .parse()
            .ok()
            .filter(|x: &f64| x.is_finite())
            .map(Value::Real),
        PropertyType::Text => Some(Value::Text(text.into())),
        PropertyType::Date => model::is_date(text).then(|| Value::Text(text.into())),
        // Stored in the fixed form where the source has milliseconds at most, else as text.
        PropertyType::DateTime => {
            let fixed = model::normalise_date_time(text)
                .or_else(|| model::is_date_time(text).then(|| text.to_owned()));
            fixed.map(|t| Value::Text(t.into()))
        }
    };
    value.ok_or_else(|| {
        let detail = Message::new("server.filter-type")
            .with("name", &property.name)
            .with("type", property.kind.name())
            .with("value", shown(text));
        Problem::bad_request(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_cut_to_the_maximum_and_nonsense_is_refused() {
        assert_eq!(limit("1").unwrap(), 1);
        assert_eq!(limit("10001").unwrap(), MAX_LIMIT);
        assert_eq!(limit("1000000000").unwrap(), MAX_LIMIT);
        assert_eq!(limit("99999999999999999999999999").unwrap(), MAX_LIMIT);
        for bad in ["0", "-1", "", "unlimited", "1.5", "+5", "1e3", " 1"] {
            assert!(limit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cursor_of_another_life_of_the_store_is_refused() {
        let epoch = Epoch("abc.d".into());
        assert_eq!(cursor(&cursor_text(&epoch, -7), &epoch).unwrap(), -7);
        let key = |text: &str| cursor(text, &epoch).unwrap_err().detail.key();
        assert_eq!(key("other.7"), "server.cursor-epoch");
        assert_eq!(key("7"), "server.cursor-invalid");
        assert_eq!(key("abc.d.x"), "server.cursor-invalid");
    }
}
