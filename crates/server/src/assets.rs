//! Files that are built into the binary: the web app, fonts, sprites.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::response::{IntoResponse, Redirect, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue};
use model::Message;

use crate::conditional::{REVALIDATE, Tag};
use crate::context::Context;
use crate::negotiate::Encoding;
use crate::pack::{Effort, pack};
use crate::problem::{Problem, shown};
use crate::segments::Segments;

mod files {
    include!(concat!(env!("OUT_DIR"), "/files.rs"));
}

/// The style sheet of the pages.
const PAGES_CSS: &str = include_str!("../templates/pages.css");

/// The font stack that stands in for those that we do not have.
const FALLBACK_STACK: &str = "Noto Sans Regular";

/// Files whose name carries a hash of their content never change.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A file with its compressed forms, each made at its first use.
struct File {
    bytes: &'static [u8],
    tag: String,
    media_type: &'static str,
    is_hashed: bool,
    compressed: [OnceLock<Option<Bytes>>; 3],
}

struct Folder {
    files: HashMap<&'static str, File>,
}

impl Folder {
    fn new(table: &[(&'static str, &'static [u8])]) -> Self {
        Self {
            files: table
                .iter()
                .map(|(path, bytes)| (*path, File::new(path, bytes)))
                .collect(),
        }
    }

    fn answer(&self, path: &str, context: &Context) -> Option<Response> {
        Some(self.files.get(path)?.answer(context))
    }
}

fn app_files() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(|| Folder::new(files::APP))
}

fn fonts() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(|| Folder::new(files::FONTS))
}

fn sprites() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(|| Folder::new(files::SPRITES))
}

fn missing(path: &str) -> Problem {
    Problem::not_found(Message::new("server.no-file").with("path", shown(path)))
}

/// A file of the web app as it was built.
pub(crate) fn app_file(path: &str) -> Option<&'static [u8]> {
    let found = files::APP.iter().find(|(known, _)| *known == path);
    found.map(|(_, bytes)| *bytes)
}

/// `GET /app`
pub(crate) async fn to_app(context: Context) -> Redirect {
    Redirect::permanent(&format!("{}/app/", context.root))
}

/// `GET /app/`
pub(crate) async fn app_index(context: Context) -> Result<Response, Problem> {
    app_files()
        .answer("index.html", &context)
        .ok_or_else(|| missing("index.html"))
}

/// `GET /app/{path}`
pub(crate) async fn app(
    context: Context,
    Segments(path): Segments<String>,
) -> Result<Response, Problem> {
    app_files()
        .answer(&path, &context)
        .ok_or_else(|| missing(&path))
}

/// `GET /fonts/{stack}/{range}.pbf`. An unknown stack gets ours; a range that ours does not have is an empty set of
/// glyphs, so that a map with one rare letter still draws the others.
pub(crate) async fn font(
    context: Context,
    Segments([stack, file]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    let range = file.strip_suffix(".pbf").and_then(|r| r.split_once('-'));
    let numbers = range
        .and_then(|(first, last)| Some((first.parse::<u32>().ok()?, last.parse::<u32>().ok()?)));
    let (first, last) = numbers
        .filter(|(first, last)| first % 256 == 0 && first.checked_add(255) == Some(*last))
        .ok_or_else(|| missing(&file))?;
    // A stack may list several fonts; the first that is here decides.
    let known = stack.split(',').map(str::trim).find(|name| {
        files::FONTS
            .iter()
            .any(|(path, _)| path.starts_with(&format!("{name}/")))
    });
    let name = known.unwrap_or(FALLBACK_STACK);
    if let Some(response) = fonts().answer(&format!("{name}/{first}-{last}.pbf"), &context) {
        return Ok(response);
    }
    Ok((
        [(CONTENT_TYPE, PBF)],
        no_glyphs(name, &format!("{first}-{last}")),
    )
        .into_response())
}

const PBF: &str = "application/x-protobuf";

/// A glyph message with a name and a range and no glyph: field 1 holds the stack, whose fields 1 and 2 they are.
fn no_glyphs(name: &str, range: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap_or(0)];
        out.extend_from_slice(bytes);
        out
    };
    field(
        1,
        &[field(1, name.as_bytes()), field(2, range.as_bytes())].concat(),
    )
}

/// `GET /sprites/{file}`
pub(crate) async fn sprite(
    context: Context,
    Segments(file): Segments<String>,
) -> Result<Response, Problem> {
    sprites()
        .answer(&file, &context)
        .ok_or_else(|| missing(&file))
}

/// `GET /pages.css`
pub(crate) async fn pages_css(context: Context) -> Response {
    static CSS: OnceLock<String> = OnceLock::new();
    static FILE: OnceLock<File> = OnceLock::new();
    let css = CSS.get_or_init(|| font_faces() + PAGES_CSS);
    FILE.get_or_init(|| File::new("pages.css", css.as_bytes()))
        .answer(&context)
}

/// The font of the app by the alphabets of its files, as in the app's `fonts.css`.
const ALPHABETS: [(&str, &str); 3] = [
    (
        "inter-cyrillic-ext-",
        "U+0460-052F,U+1C80-1C8A,U+20B4,U+2DE0-2DFF,U+A640-A69F,U+FE2E-FE2F",
    ),
    (
        "inter-cyrillic-wght-",
        "U+0301,U+0400-045F,U+0490-0491,U+04B0-04B1,U+2116",
    ),
    (
        "inter-latin-wght-",
        "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+2000-206F,U+20AC,U+2122,\
         U+2190-2193,U+2212,U+2215,U+FEFF,U+FFFD",
    ),
];

/// The app's font for the pages; nothing when the app was not built, and the system's font is taken.
fn font_faces() -> String {
    let mut out = String::new();
    for (name, range) in ALPHABETS {
        let is =
            |path: &&str| path.starts_with(&format!("assets/{name}")) && path.ends_with(".woff2");
        if let Some(path) = files::APP.iter().map(|(path, _)| *path).find(is) {
            // Relative to `pages.css`, so that it holds below a path too.
            out += &format!(
                "@font-face{{font-family:\"Inter Variable\";font-display:swap;font-weight:100 900;\
                 src:url(app/{path}) format(\"woff2\");unicode-range:{range}}}\n"
            );
        }
    }
    out
}

impl File {
    fn new(path: &str, bytes: &'static [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Self {
            bytes,
            tag: format!("{:016x}", hasher.finish()),
            media_type: media_type(path),
            is_hashed: is_hashed(path),
            compressed: Default::default(),
        }
    }

    fn answer(&self, context: &Context) -> Response {
        let tag = Tag::strong(self.tag.clone());
        let cache = if self.is_hashed {
            IMMUTABLE
        } else {
            REVALIDATE
        };
        if let Some(mut unchanged) = tag.not_modified(&context.headers) {
            // A 304 replaces the headers that the client has kept (RFC 9111 §3.2).
            unchanged.headers_mut().insert(CACHE_CONTROL, cache);
            return unchanged;
        }
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (ETAG, tag.header()),
            (CACHE_CONTROL, cache),
        ];
        let (body, encoding) = self.encoded(Encoding::accepted(&context.headers));
        let mut response = (headers, body).into_response();
        if encoding != Encoding::Identity {
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        response
    }

    fn encoded(&self, encoding: Encoding) -> (Bytes, Encoding) {
        let whole = (Bytes::from_static(self.bytes), Encoding::Identity);
        let is_packed =
            self.media_type.starts_with("image/p") || self.media_type.starts_with("font/");
        let slot = match encoding {
            Encoding::Zstd => &self.compressed[0],
            Encoding::Brotli => &self.compressed[1],
            Encoding::Gzip => &self.compressed[2],
            Encoding::Identity => return whole,
        };
        if is_packed {
            return whole;
        }
        let packed =
            slot.get_or_init(|| pack(self.bytes, encoding, Effort::Thorough).map(Bytes::from));
        // What does not get smaller goes as it is.
        packed
            .clone()
            .filter(|p| p.len() < self.bytes.len())
            .map_or(whole, |p| (p, encoding))
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "pbf" => PBF,
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Names of the form `assets/name-XXXXXXXX.ext`, as the web build writes them.
fn is_hashed(path: &str) -> bool {
    let Some(name) = path.strip_prefix("assets/") else {
        return false;
    };
    let Some((stem, _)) = name.rsplit_once('.') else {
        return false;
    };
    let hash = stem
        .len()
        .checked_sub(8)
        .and_then(|at| stem.split_at_checked(at));
    hash.is_some_and(|(before, hash)| {
        before.ends_with('-')
            && hash
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        assert!(is_hashed("assets/index-B1a_2-c4.js"));
        assert!(!is_hashed("assets/index.js"));
        assert!(!is_hashed("page-map.js"));
        assert!(!is_hashed("index-B1a2c3d4.js"));
    }

    #[test]
    fn an_empty_set_of_glyphs_is_a_valid_message() {
        assert_eq!(no_glyphs("A", "0-255"), b"\x0a\x0a\x0a\x01A\x12\x050-255");
    }
}
