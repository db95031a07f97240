//! The query string, read strictly.

use model::Message;

use crate::limits::MAX_PARAMETERS;
use crate::problem::{Problem, shown};

/// Parameters that every resource takes: the format and the language of the answer.
const COMMON: [&str; 2] = ["f", "lang"];

/// The parameters of a request in their order, decoded.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// # Errors
    /// 400 for more than [`MAX_PARAMETERS`], a broken escape and bytes that are not UTF-8.
    pub(crate) fn parse(query: &str) -> Result<Self, Problem> {
        Self::parse_at_most(query, MAX_PARAMETERS)
    }

    /// As [`Params::parse`], with another number of pairs at most.
    pub(crate) fn parse_at_most(query: &str, max: usize) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        for part in query.split('&').filter(|p| !p.is_empty()) {
            if pairs.len() == max {
                let detail = Message::new("server.too-many-parameters").with("max", max);
                return Err(Problem::bad_request(detail));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let blank = plus(name, value);
            pairs.push((decoded(name, b' ')?, decoded(value, blank)?));
        }
        Ok(Self { pairs })
    }

    /// The last value of a parameter: a client that appends its own to a link overrides the link.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// # Errors
    /// 400 for a parameter that the resource does not define (OGC 17-069r4 /req/core/query-param-unknown), and for
    /// one given twice, where the two could mean different things.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        self.only_where(known, |_| false)
    }

    /// As [`Params::only`], with further names that a rule knows.
    pub(crate) fn only_where(
        &self,
        known: &[&str],
        also: impl Fn(&str) -> bool,
    ) -> Result<(), Problem> {
        for (i, (name, value)) in self.pairs.iter().enumerate() {
            let name = name.as_str();
            if !known.contains(&name) && !COMMON.contains(&name) && !also(name) {
                let mut all: Vec<&str> = known.to_vec();
                all.extend(COMMON);
                let detail = Message::new("server.parameter-unknown")
                    .with("name", shown(name))
                    .with("known", all.join(", "));
                return Err(Problem::bad_request(detail));
            }
            let differs = self.pairs[..i].iter().any(|(n, v)| n == name && v != value);
            if differs && name != "limit" && !COMMON.contains(&name) {
                return Err(Problem::bad_request(
                    Message::new("server.parameter-twice").with("name", shown(name)),
                ));
            }
        }
        Ok(())
    }
}

/// What `+` stands for. In a form it is a blank; but who writes `%20` writes no blank as `+`, as QGIS, which leaves the plus of a sum or of
/// a number such as `2.5e+07` as it is. And no time has a blank.
fn plus(name: &str, value: &str) -> u8 {
    match name == "datetime" || value.contains("%20") {
        true => b'+',
        false => b' ',
    }
}

/// Reads `application/x-www-form-urlencoded` text: `%XX` is a byte of UTF-8, `+` what [`plus`] says.
fn decoded(text: &str, plus: u8) -> Result<String, Problem> {
    let unreadable = || {
        Problem::bad_request(Message::new("server.parameter-encoding").with("value", shown(text)))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => bytes.push(plus),
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2).ok_or_else(unreadable)?;
                let digit = |d: u8| char::from(d).to_digit(16);
                let (Some(high), Some(low)) = (digit(digits[0]), digit(digits[1])) else {
                    return Err(unreadable());
                };
                bytes.push(u8::try_from(high * 16 + low).map_err(|_| unreadable())?);
                rest = tail;
            }
            byte => bytes.push(byte),
        }
    }
    match String::from_utf8(bytes) {
        // A NUL would end a text in programs further down.
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_strictly() {
        let params = Params::parse("q=%D0%B2%D1%83%D0%BB.+1&empty&limit=1&limit=2").unwrap();
        assert_eq!(params.get("q"), Some("вул. 1"));
        assert_eq!(params.get("empty"), Some(""));
        assert_eq!(params.get("limit"), Some("2"));
        let params = Params::parse("filter=a%20%2B%201+1&datetime=2026-03-15T02:00:00+02:00&q=1+1");
        let params = params.unwrap();
        assert_eq!(params.get("filter"), Some("a + 1+1"));
        assert_eq!(params.get("datetime"), Some("2026-03-15T02:00:00+02:00"));
        assert_eq!(params.get("q"), Some("1 1"));
        for bad in ["a=%", "a=%4", "a=%GG", "a=%FF", "%C3=1", "a=%00", "a=%+1"] {
            assert!(Params::parse(bad).is_err(), "{bad}");
        }
        assert!(Params::parse(&"a=1&".repeat(65)).is_err());
    }

    #[test]
    fn a_parameter_given_twice_must_mean_the_same() {
        let check = |query: &str| {
            Params::parse(query)
                .unwrap()
                .only(&["bbox", "limit"])
                .is_ok()
        };
        assert!(check("limit=1&limit=2"));
        assert!(check("bbox=1&bbox=1"));
        assert!(!check("bbox=1&bbox=2"));
        assert!(!check("box=1"));
    }
}
