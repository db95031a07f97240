//! Which pages may write through the browser of someone who can reach the server.
//!
//! A browser sends the cookie of a session by itself. A page elsewhere could make use of it in two ways: by a request
//! to our address, which the browser marks with its origin, and by a name of its own that it points at our address
//! (DNS rebinding), which the browser takes for its own origin.

use std::net::IpAddr;

use axum::extract::Request;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, StatusCode};
use model::Message;

use crate::app::App;
use crate::cors;
use crate::identity::{By, Identity};
use crate::problem::{Problem, shown};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Pages of origins that the operator named write when they authenticate by themselves (`cors`).
///
/// # Errors
/// 403 for a write through a name that is not ours, or from a page of another origin.
pub(crate) fn check(app: &App, request: &Request, identity: &Identity) -> Result<(), Problem> {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    let headers = request.headers();
    // No program but a browser says where a page is from, and whoever has a token means what they send.
    let is_browser = headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE);
    let is_program = matches!(identity.by, By::Token(_)) && !is_browser;
    // Who is nobody can do nothing but sign in.
    let signs_in = request.uri().path().starts_with("/account");
    let is_nobody = identity.by == By::Nothing && !signs_in;
    if reads || is_program || is_nobody {
        return Ok(());
    }
    let public = app.options.base_url.as_deref().map(authority);
    let host = text(headers, &HOST);
    // No browser leaves it out.
    if let Some(host) = host.filter(|host| !is_ours(host, public)) {
        return Err(refused(
            Message::new("server.write-host").with("host", shown(host)),
        ));
    }
    if cors::may_write(&app.options.cors_origins, headers) {
        return Ok(());
    }
    let public_scheme = app.options.base_url.as_deref().map(scheme);
    let is_foreign = |origin: &str| {
        let (is_web, name) = (WEB.contains(&scheme(origin)), authority(origin));
        // A page that came without TLS is not that of a server that has it.
        let is_guarded = scheme(origin) == "https" || public_scheme != Some("https");
        let is_public = public.is_some_and(|public| is_same(public, name)) && is_guarded;
        let is_host = public.is_none_or(|public| !is_same(public, name))
            && host.is_some_and(|host| is_same(host, name));
        !(is_web && (is_public || is_host))
    };
    let is_elsewhere = headers
        .get(SEC_FETCH_SITE)
        .is_some_and(|site| site == "cross-site");
    let has_foreign = headers.contains_key(ORIGIN) && text(headers, &ORIGIN).is_none_or(is_foreign);
    if is_elsewhere || has_foreign {
        return Err(refused(Message::new("server.write-origin")));
    }
    Ok(())
}

fn refused(detail: Message) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether nobody else can point the name of a `Host` at this server.
fn is_ours(host: &str, public: Option<&str>) -> bool {
    let name = without_port(host);
    let literal = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || literal.unwrap_or(name).parse::<IpAddr>().is_ok()
        || public.is_some_and(|public| without_port(public).eq_ignore_ascii_case(name))
}

/// What pages come by; others are of programs.
const WEB: [&str; 2] = ["http", "https"];

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// Host and port of a URL or an origin; `null` is none.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

fn is_same(a: &str, b: &str) -> bool {
    let plain = |authority: &'_ str| -> String {
        let default = [":80", ":443"]
            .iter()
            .find_map(|port| authority.strip_suffix(port));
        default.unwrap_or(authority).to_ascii_lowercase()
    };
    plain(a) == plain(b)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_else_can_point_here() {
        let public = Some("gis.example.ua");
        for ours in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:8080",
            "192.168.1.5",
            "[::1]:8080",
            "gis.example.ua",
            "GIS.example.ua:443",
        ] {
            assert!(is_ours(ours, public), "{ours}");
        }
        for foreign in [
            "evil.test",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "",
        ] {
            assert!(!is_ours(foreign, public), "{foreign}");
        }
        assert!(!is_ours("gis.example.ua", None));
    }
}
