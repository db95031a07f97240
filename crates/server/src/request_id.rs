//! Request ids: one for each request, in the answer, in the log and in problems.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::{HeaderMap, HeaderName};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client's id when it is a plain short word, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    const LONGEST: usize = 64;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= LONGEST && id.bytes().all(plain) => id.to_owned(),
        _ => new_id(),
    }
}

/// A UUID of version 4 (RFC 9562 §5.4) from the process's random hash keys: unique, not secret.
fn new_id() -> String {
    static KEYS: OnceLock<[RandomState; 2]> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS
        .get_or_init(|| [RandomState::new(), RandomState::new()])
        .each_ref()
        .map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write_u64(count);
            hasher.finish()
        });
    let bits = (u128::from(high) << 64) | u128::from(low);
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62);
    let mut id = String::with_capacity(36);
    for (place, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            id.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    id
}

/// The occurrence that a problem is about, as a URI reference (RFC 9457 §3.1.5).
pub(crate) fn instance(id: &str) -> String {
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(i, b)| {
            if matches!(i, 8 | 13 | 18 | 23) {
                b == b'-'
            } else {
                b.is_ascii_hexdigit()
            }
        });
    if is_uuid {
        format!("urn:uuid:{id}")
    } else {
        format!("#{id}")
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn new_ids_are_uuids_of_version_4() {
        let (a, b) = (new_id(), new_id());
        assert_ne!(a, b);
        assert!(instance(&a).starts_with("urn:uuid:"), "{a}");
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(matches!(a.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{a}");
    }

    #[test]
    fn ids_of_clients_are_taken_when_they_are_harmless() {
        let id = |value: &str| {
            request_id(&HeaderMap::from_iter([(
                REQUEST_ID,
                HeaderValue::from_str(value).unwrap(),
            )]))
        };
        assert_eq!(id("job-7.1"), "job-7.1");
        assert_ne!(id("a b"), "a b");
        assert_ne!(id(&"x".repeat(65)), "x".repeat(65));
    }
}
