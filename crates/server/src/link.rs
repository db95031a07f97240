//! Links and the texts within URLs.

use model::Message;
use serde_json::{Map, Value as Json};

/// Relation types by OGC's register.
pub(crate) const REL_SCHEMA: &str = "http://www.opengis.net/def/rel/ogc/1.0/schema";
pub(crate) const REL_QUERYABLES: &str = "http://www.opengis.net/def/rel/ogc/1.0/queryables";
pub(crate) const REL_SORTABLES: &str = "http://www.opengis.net/def/rel/ogc/1.0/sortables";
pub(crate) const REL_STYLES: &str = "http://www.opengis.net/def/rel/ogc/1.0/styles";
pub(crate) const REL_TILESETS_VECTOR: &str =
    "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector";
pub(crate) const REL_TILING_SCHEME: &str = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme";
pub(crate) const REL_TILING_SCHEMES: &str = "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes";

pub(crate) const JSON: &str = "application/json";
/// A change of a feature (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
/// A transaction (OGC 26-018, draft).
pub(crate) const TRANSACTION: &str = "application/ogc-tx+json";
pub(crate) const GEOJSON: &str = "application/geo+json";
pub(crate) const HTML: &str = "text/html";
pub(crate) const SCHEMA_JSON: &str = "application/schema+json";
pub(crate) const MVT: &str = "application/vnd.mapbox-vector-tile";
pub(crate) const STYLE: &str = "application/vnd.mapbox.style+json";
pub(crate) const SVG: &str = "image/svg+xml";
pub(crate) const OPENAPI: &str = "application/vnd.oai.openapi+json;version=3.0";

/// A link object (OGC 17-069r4 §7.1.2): `href`, `rel`, `type`, `title`.
pub(crate) fn link(
    href: impl Into<String>,
    rel: &str,
    media_type: &str,
    title: impl Into<String>,
) -> Json {
    let mut link = Map::new();
    link.insert("href".to_owned(), Json::String(href.into()));
    link.insert("rel".to_owned(), rel.into());
    link.insert("type".to_owned(), media_type.into());
    link.insert("title".to_owned(), Json::String(title.into()));
    Json::Object(link)
}

/// A text as one segment of a path: all but unreserved characters and `:` escaped (RFC 3986 §3.3).
pub(crate) fn segment(text: &str) -> String {
    escaped(text, b"-._~:")
}

/// A text as a name or value in a query.
pub(crate) fn query_text(text: &str) -> String {
    escaped(text, b"-._~:,/")
}

fn escaped(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out
}

/// Whether a `Host` is one: a name or address with an optional port, and nothing that could leave the authority.
pub(crate) fn is_host(host: &str) -> bool {
    // The longest DNS name and a port.
    const LONGEST: usize = 253 + 6;
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !host.is_empty() && host.len() <= LONGEST && host.bytes().all(allowed)
}

/// A public URL that was given by the operator, without the slash at its end.
///
/// # Errors
/// When it is not an `http` or `https` URL with a host, or has a query or fragment.
pub(crate) fn base_url(text: &str) -> Result<String, Message> {
    let trimmed = text.trim_end_matches('/');
    let rest = trimmed
        .strip_prefix("https://")
        .or_else(|| trimmed.strip_prefix("http://"));
    let host = rest.map(|r| r.split('/').next().unwrap_or_default());
    let plain = trimmed.bytes().all(|b| {
        b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'@')
    });
    match host {
        Some(host) if is_host(host) && plain => Ok(trimmed.to_owned()),
        _ => Err(Message::new("server.base-url").with("url", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_in_paths() {
        assert_eq!(segment("2610100000:01:001:0001"), "2610100000:01:001:0001");
        assert_eq!(segment("a/b ?ї"), "a%2Fb%20%3F%D1%97");
    }

    #[test]
    fn hosts_and_public_urls() {
        assert!(is_host("localhost:8080") && is_host("[::1]:80"));
        assert!(!is_host("") && !is_host("a/b") && !is_host("a\"b") && !is_host("u@h"));
        assert_eq!(
            base_url("https://gis.example.ua/").unwrap(),
            "https://gis.example.ua"
        );
        assert_eq!(
            base_url("https://example.ua/gis").unwrap(),
            "https://example.ua/gis"
        );
        for bad in [
            "gis.example.ua",
            "ftp://x",
            "https://",
            "https://x?y",
            "https://u@x",
            "javascript:1",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
