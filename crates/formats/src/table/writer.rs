//! Writing delimited text (RFC 4180): a header, one row a feature, geometry as WKT in the last column.

use model::{Feature, FeatureId, Schema, Value};

use super::cell::needs_guard;
use super::write_wkt;
use crate::Error;

/// Appends the header line. The geometry column is `wkt`, or the first of `wkt_2`, `wkt_3`, … that is free.
pub(crate) fn write_header(out: &mut Vec<u8>, schema: &Schema, id_column: Option<&str>) {
    let names = schema.properties.iter().map(|p| p.name.as_str());
    for name in id_column.into_iter().chain(names.clone()) {
        put_text(out, name);
        out.push(b',');
    }
    let mut wkt = "wkt".to_owned();
    let mut number = 2;
    while id_column
        .into_iter()
        .chain(names.clone())
        .any(|n| n.eq_ignore_ascii_case(&wkt))
    {
        wkt = format!("wkt_{number}");
        number += 1;
    }
    out.extend_from_slice(wkt.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a row.
///
/// # Errors
/// When the geometry is damaged.
pub(crate) fn write_row(
    out: &mut Vec<u8>,
    schema: &Schema,
    id: Option<&FeatureId>,
    feature: &Feature,
) -> Result<(), Error> {
    match id {
        Some(FeatureId::Integer(i)) => {
            out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes());
            out.push(b',');
        }
        Some(FeatureId::Text(text)) => {
            put_text(out, text);
            out.push(b',');
        }
        None => {}
    }
    for i in 0..schema.properties.len() {
        match feature.properties.get(i) {
            None | Some(Value::Null) => {}
            Some(Value::Boolean(b)) => out.extend_from_slice(b.to_string().as_bytes()),
            Some(Value::Integer(i)) => {
                out.extend_from_slice(itoa::Buffer::new().format(*i).as_bytes());
            }
            Some(Value::Real(x)) if !x.is_finite() => {}
            Some(Value::Real(x)) => {
                out.extend_from_slice(zmij::Buffer::new().format_finite(*x).as_bytes());
            }
            Some(Value::Text(text)) => put_text(out, text),
        }
        out.push(b',');
    }
    if let Some(wkb) = &feature.geometry {
        out.push(b'"');
        write_wkt(wkb, out)?;
        out.push(b'"');
    } else if id.is_none() && schema.properties.is_empty() {
        // An empty line is no row.
        out.extend_from_slice(b"\"\"");
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// A text cell. Quoted where RFC 4180 §2 asks, and when empty, so that it is not a null.
///
/// A text that looks like a formula gets an apostrophe before it (see [`needs_guard`]), which reading takes away.
/// Numbers are not texts and stay.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let formula = needs_guard(text);
    let quoted = text.is_empty()
        || text.contains([',', '"', '\n', '\r'])
        || text.starts_with(' ')
        || text.ends_with(' ');
    if quoted {
        out.push(b'"');
    }
    if formula {
        out.push(b'\'');
    }
    for &byte in text.as_bytes() {
        out.push(byte);
        if byte == b'"' {
            out.push(b'"');
        }
    }
    if quoted {
        out.push(b'"');
    }
}
