//! Validators and conditional requests (RFC 9110 §8.8 and §13).

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_NONE_MATCH,
};

/// Answers about data may be kept, but are asked for again before each use.
pub(crate) const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Which build made an answer: links to what a page is made with carry it.
pub(crate) const BUILD: &str = env!("HROMADA_BUILD");

/// An entity tag, made from what is answered: it matches exactly as long as that stays the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    weak: bool,
    opaque: String,
}

impl Tag {
    /// Of an answer whose bytes may be coded in several ways.
    pub(crate) fn weak(opaque: String) -> Self {
        Self { weak: true, opaque }
    }

    /// Of a state or of bytes; `If-Match` takes it.
    pub(crate) fn strong(opaque: String) -> Self {
        Self {
            weak: false,
            opaque,
        }
    }

    pub(crate) fn header(&self) -> HeaderValue {
        let weak = if self.weak { "W/" } else { "" };
        HeaderValue::try_from(format!("{weak}\"{}\"", self.opaque))
            .unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// The answer to a client that has this already: 304 with the headers that the 200 would carry
    /// (RFC 9110 §15.4.5); `None` when it has not.
    pub(crate) fn not_modified(&self, request: &HeaderMap) -> Option<Response> {
        self.matching(request).map(not_modified)
    }

    /// The tag as the client has it, with the suffix of its content coding; `None` when it has not.
    pub(crate) fn matching(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let matching = tags(request, &IF_NONE_MATCH)
            .find(|tag| *tag == "*" || self.is_weakly(tag) && is_taken(tag, request))?;
        let given = HeaderValue::from_str(matching).ok();
        let given = given.filter(|_| matching != "*");
        Some(given.unwrap_or_else(|| self.header()))
    }

    /// Whether the conditions of a request allow a write to what has this tag. `If-Match`: it is absent, `*`, or lists
    /// the tag by strong comparison (RFC 9110 §8.8.3.2); `If-None-Match`: it is absent or lists other tags (§13.1.2).
    pub(crate) fn allows_write(&self, request: &HeaderMap) -> bool {
        let matches = |tag: &str| tag == "*" || (!tag.starts_with("W/") && self.is_weakly(tag));
        let excluded = |tag: &str| tag == "*" || self.is_weakly(tag);
        (!has_if_match(request) || tags(request, &IF_MATCH).any(matches))
            && !tags(request, &IF_NONE_MATCH).any(excluded)
    }

    /// Whether a tag that a client gives is this one, by strong comparison.
    pub(crate) fn is_strongly(&self, given: &str) -> bool {
        !given.starts_with("W/") && self.is_weakly(given)
    }

    fn is_weakly(&self, given: &str) -> bool {
        let quoted = given.strip_prefix("W/").unwrap_or(given);
        let opaque = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
        opaque.is_some_and(|opaque| opaque == self.opaque || without_coding(opaque) == self.opaque)
    }
}

/// 304 for a client that has the answer of a tag.
pub(crate) fn not_modified(tag: HeaderValue) -> Response {
    let headers = [(ETAG, tag), (CACHE_CONTROL, REVALIDATE)];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

/// Whether a preference is named (RFC 7240).
pub(crate) fn prefers(headers: &HeaderMap, preference: &str) -> bool {
    let all = headers.get_all(HeaderName::from_static("prefer")).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|one| {
            // RFC 7240 §2 has quotes, and blanks around the equals sign.
            let plain = one.replace(['"', ' ', '\t'], "");
            plain.eq_ignore_ascii_case(preference)
        })
}

/// Whether a request has `If-Match`.
pub(crate) fn has_if_match(request: &HeaderMap) -> bool {
    request.contains_key(IF_MATCH)
}

/// Whether a request has `If-None-Match`.
pub(crate) fn has_if_none_match(request: &HeaderMap) -> bool {
    request.contains_key(IF_NONE_MATCH)
}

/// Whether `If-Match` asks only that there is something, in whatever version.
pub(crate) fn takes_any(request: &HeaderMap) -> bool {
    tags(request, &IF_MATCH).any(|tag| tag == "*")
}

/// A strong tag must differ between content codings (RFC 9110 §8.8.3.3), so the coding is put behind it.
pub(crate) fn mark_coding(headers: &mut HeaderMap) {
    let Some(coding) = headers
        .get(hyper::header::CONTENT_ENCODING)
        .and_then(|v| v.to_str().ok())
    else {
        return;
    };
    let Some(tag) = headers.get(ETAG).and_then(|v| v.to_str().ok()) else {
        return;
    };
    let Some(inner) = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return;
    };
    if without_coding(inner) != inner {
        return;
    }
    if let Ok(marked) = HeaderValue::try_from(format!("\"{inner}-{coding}\"")) {
        headers.insert(ETAG, marked);
    }
}

/// Whether a request takes the coding that a tag names: without it a cache would hand out bytes that nobody can read.
fn is_taken(tag: &str, request: &HeaderMap) -> bool {
    let opaque = tag.trim_start_matches("W/").trim_matches('"');
    let Some(coding) = opaque
        .strip_prefix(without_coding(opaque))
        .filter(|c| !c.is_empty())
    else {
        return true;
    };
    let lines = request.get_all(ACCEPT_ENCODING).iter();
    let taken = lines
        .filter_map(|v| v.to_str().ok())
        .flat_map(|line| line.split(','));
    taken.filter_map(|part| part.split(';').next()).any(|part| {
        let name = part.trim();
        name == "*" || name.eq_ignore_ascii_case(&coding[1..])
    })
}

fn without_coding(opaque: &str) -> &str {
    ["-gzip", "-br", "-zstd"]
        .iter()
        .find_map(|s| opaque.strip_suffix(s))
        .unwrap_or(opaque)
}

/// The entity tags of a list header; no tag of ours has a comma inside.
fn tags<'a>(request: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = request.get_all(name).iter().filter_map(|v| v.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_weak_tag_never_allows_a_write() {
        let tag = Tag::strong("e1-7".into());
        let check = |value: &str, expect: bool| {
            assert_eq!(
                tag.allows_write(&request(IF_MATCH, value)),
                expect,
                "{value}"
            )
        };
        check("\"e1-7\"", true);
        check("\"x\", \"e1-7-gzip\"", true);
        check("*", true);
        check("W/\"e1-7\"", false);
        check("\"e2-7\"", false);
        check("\"e1-70\"", false);
        check("", false);
        assert!(tag.allows_write(&HeaderMap::new()));
        let check_none = |value: &str, expect: bool| {
            let request = request(IF_NONE_MATCH, value);
            assert_eq!(tag.allows_write(&request), expect, "{value}");
        };
        check_none("*", false);
        check_none("\"x\", W/\"e1-7\"", false);
        check_none("\"e1-8\"", true);
    }

    #[test]
    fn not_modified_repeats_the_tag_that_the_client_has() {
        let tag = Tag::strong("e1-7".into());
        let mut with = request(IF_NONE_MATCH, "\"a\", W/\"e1-7-br\"");
        assert!(tag.not_modified(&with).is_none(), "br is not taken");
        with.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br;q=0.9"));
        let answer = tag.not_modified(&with).unwrap();
        assert_eq!(answer.headers()[ETAG], "W/\"e1-7-br\"");
        assert!(
            tag.not_modified(&request(IF_NONE_MATCH, "\"e1-8\""))
                .is_none()
        );
        assert!(tag.not_modified(&HeaderMap::new()).is_none());
    }

    #[test]
    fn preferences_are_read_however_they_are_written() {
        let with = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(text));
            prefers(&headers, "handling=lenient")
        };
        assert!(with("handling=lenient") && with("respond-async, handling=\"lenient\""));
        assert!(!with("handling=strict"));
    }
}
