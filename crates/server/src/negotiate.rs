//! Which format, language and encoding a client wants (RFC 9110 §12).

use hyper::StatusCode;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, HeaderMap, HeaderName};
use model::{Lang, Message};

use crate::link::{HTML, JSON};
use crate::problem::{Problem, shown};

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Json,
    Html,
}

impl Format {
    /// The value of `f` that asks for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Json => Self::Html,
            Self::Html => Self::Json,
        }
    }
}

/// What a client says about formats: `f` decides, else `Accept`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    f: Option<String>,
    accept: String,
}

impl Wanted {
    pub(crate) fn new(f: Option<&str>, headers: &HeaderMap) -> Self {
        Self {
            f: f.map(str::to_owned),
            accept: list(headers, &ACCEPT),
        }
    }

    /// Chooses for a resource that has JSON of a media type, and HTML.
    ///
    /// # Errors
    /// 400 for an unknown `f`, 406 when `Accept` leaves nothing.
    pub(crate) fn json_or_html(&self, json: &str) -> Result<Format, Problem> {
        self.choose(&[
            (Format::Json, json),
            (Format::Json, JSON),
            (Format::Html, HTML),
        ])
    }

    /// For a resource that has JSON of a media type only.
    ///
    /// # Errors
    /// As [`Wanted::json_or_html`].
    pub(crate) fn json(&self, json: &str) -> Result<(), Problem> {
        self.choose(&[(Format::Json, json), (Format::Json, JSON)])
            .map(|_| ())
    }

    fn choose(&self, offered: &[(Format, &str)]) -> Result<Format, Problem> {
        let named: Vec<(Format, &str, &str)> = offered
            .iter()
            .map(|(format, media_type)| (*format, format.name(), *media_type))
            .collect();
        self.pick(&named)
    }

    /// Chooses among formats with the value of `f` and the media type of each; the first is that of who does not care.
    ///
    /// # Errors
    /// 400 for an unknown `f`, 406 when `Accept` leaves nothing.
    pub(crate) fn pick<T: Copy>(&self, offered: &[(T, &str, &str)]) -> Result<T, Problem> {
        if let Some(f) = &self.f {
            let found = offered.iter().find(|(_, name, _)| name == f);
            return found.map(|(format, ..)| *format).ok_or_else(|| {
                let mut names: Vec<&str> = offered.iter().map(|(_, name, _)| *name).collect();
                names.dedup();
                Problem::bad_request(
                    Message::new("server.format-unknown")
                        .with("value", shown(f))
                        .with("known", names.join(", ")),
                )
            });
        }
        if self.accept.is_empty() {
            return Ok(offered[0].0);
        }
        let mut best = (0.0, None);
        for (format, _, media_type) in offered {
            let q = quality(&self.accept, media_type);
            if q > best.0 {
                best = (q, Some(*format));
            }
        }
        best.1.ok_or_else(|| {
            let mut types: Vec<&str> = offered.iter().map(|(.., t)| *t).collect();
            types.dedup();
            Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                Message::new("server.not-acceptable").with("types", types.join(", ")),
            )
        })
    }

    /// Whether an error is better shown as a page: the client is a browser following a link.
    pub(crate) fn is_page(&self) -> bool {
        match self.f.as_deref() {
            Some("html") => true,
            Some(_) => false,
            None => quality(&self.accept, HTML) > quality(&self.accept, JSON),
        }
    }
}

/// The quality that an `Accept` list gives to a media type; the most specific range decides (RFC 9110 §12.5.1).
fn quality(accept: &str, media_type: &str) -> f32 {
    let essence = media_type.split(';').next().unwrap_or_default();
    let kind = essence.split('/').next().unwrap_or_default();
    let mut best = (0, 0.0);
    for (range, q) in ranges(accept) {
        let specific = match range.strip_suffix("/*") {
            _ if range.eq_ignore_ascii_case(essence) => 3,
            Some("*") => 1,
            Some(prefix) if prefix.eq_ignore_ascii_case(kind) => 2,
            _ => continue,
        };
        if specific > best.0 {
            best = (specific, q);
        }
    }
    best.1
}

/// The entries of a list header with their `q`, 1 when there is none, 0 when it is unreadable.
fn ranges(header: &str) -> impl Iterator<Item = (&str, f32)> {
    header
        .split(',')
        .filter(|e| !e.trim().is_empty())
        .map(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default();
            let q = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
            (range, q.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
        })
}

/// The language of an answer: `lang`, else the best of `Accept-Language`, else English.
///
/// # Errors
/// 400 for a `lang` that the catalogue does not have.
pub(crate) fn language(lang: Option<&str>, headers: &HeaderMap) -> Result<Lang, Problem> {
    if let Some(tag) = lang {
        let known = Lang::from_tag(tag);
        return known.ok_or_else(|| {
            Problem::bad_request(
                Message::new("server.lang-unknown")
                    .with("value", shown(tag))
                    .with("known", "uk, en"),
            )
        });
    }
    Ok(accepted_language(headers))
}

pub(crate) fn accepted_language(headers: &HeaderMap) -> Lang {
    let accept = list(headers, &ACCEPT_LANGUAGE);
    let mut best = (0.0, Lang::default());
    for (tag, q) in ranges(&accept) {
        if let Some(lang) = Lang::from_tag(tag)
            && q > best.0
        {
            best = (q, lang);
        }
    }
    best.1
}

/// A content coding (RFC 9110 §8.4.1) that tiles are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    Zstd,
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// In the order of preference among equals: what is smallest for the time it takes.
    pub(crate) const ALL: [Self; 4] = [Self::Zstd, Self::Brotli, Self::Gzip, Self::Identity];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// Whether a client takes this one.
    pub(crate) fn takes(headers: &HeaderMap, encoding: Self) -> bool {
        let accept = list(headers, &ACCEPT_ENCODING);
        let named = |name: &str| ranges(&accept).find(|(n, _)| n.eq_ignore_ascii_case(name));
        let found = named(encoding.name()).or_else(|| named("*"));
        found.map_or(encoding == Self::Identity, |(_, q)| q > 0.0)
    }

    /// Chooses by `Accept-Encoding` (RFC 9110 §12.5.3). Without the header, or when nothing is acceptable, the bytes
    /// go as they are.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let accept = list(headers, &ACCEPT_ENCODING);
        let mut best = (0.0, Self::Identity);
        for encoding in Self::ALL {
            let named = ranges(&accept).find(|(name, _)| {
                name.eq_ignore_ascii_case(encoding.name())
                    || (encoding == Self::Gzip && name.eq_ignore_ascii_case("x-gzip"))
            });
            let q = match named.or_else(|| ranges(&accept).find(|(name, _)| *name == "*")) {
                Some((_, q)) => q,
                // Not named, so acceptable, but less so than anything that is.
                None if encoding == Self::Identity => 0.000_1,
                None => 0.0,
            };
            if q > best.0 {
                best = (q, encoding);
            }
        }
        best.1
    }
}

/// All lines of a list header as one.
fn list(headers: &HeaderMap, name: &HeaderName) -> String {
    let mut lines = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    let mut all = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        all.push(',');
        all.push_str(line);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::GEOJSON;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn check_format(accept: &str, expect: Option<Format>) {
        let wanted = Wanted::new(None, &headers(ACCEPT, accept));
        assert_eq!(wanted.json_or_html(GEOJSON).ok(), expect, "{accept}");
    }

    #[test]
    fn formats_by_accept() {
        check_format(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Some(Format::Html),
        );
        check_format("*/*", Some(Format::Json));
        check_format("application/geo+json", Some(Format::Json));
        check_format("application/json", Some(Format::Json));
        check_format("text/*;q=0.5, application/json;q=0.4", Some(Format::Html));
        check_format("text/html;q=0, */*", Some(Format::Json));
        check_format("application/*;q=0, text/html;q=0.1", Some(Format::Html));
        check_format("image/png", None);
        check_format("application/xml", None);
    }

    #[test]
    fn encodings_by_quality() {
        let check = |accept: &str, expect: Encoding| {
            assert_eq!(
                Encoding::accepted(&headers(ACCEPT_ENCODING, accept)),
                expect,
                "{accept}"
            );
        };
        check("gzip, deflate, br, zstd", Encoding::Zstd);
        check("gzip, br;q=0.9", Encoding::Gzip);
        check("gzip;q=0", Encoding::Identity);
        check("*", Encoding::Zstd);
        check("*;q=0.5, gzip", Encoding::Gzip);
        check("identity;q=1, gzip;q=0.5", Encoding::Identity);
        check("", Encoding::Identity);
        check("deflate", Encoding::Identity);
        assert_eq!(Encoding::accepted(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn languages_by_quality() {
        let check = |accept: &str, expect: Lang| {
            assert_eq!(
                accepted_language(&headers(ACCEPT_LANGUAGE, accept)),
                expect,
                "{accept}"
            )
        };
        check("uk-UA,uk;q=0.9,en;q=0.8", Lang::Uk);
        check("en-US,uk;q=0.9", Lang::En);
        check("pl, de;q=0.9", Lang::En);
        check("pl, uk;q=0.1", Lang::Uk);
        check("uk;q=0, en;q=0.1", Lang::En);
    }
}
