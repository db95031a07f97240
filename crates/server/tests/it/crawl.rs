//! Somebody who asks a server for everything that there may be, and keeps account of the canaries that they find.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::body::Body;
use axum::http::Method;
use model::world::project;
use serde_json::Value as Json;
use tiles::TileCoord;

use crate::planted::{Canary, Kind, Planted};
use crate::scan::{Scanner, decoded, without_escapes};
use crate::town::Answer;

/// Answers that links lead to at most; a town has some hundred.
const MAX_FOLLOWED: usize = 4_000;

pub(crate) struct Crawler<'a> {
    planted: &'a Planted,
    scanner: &'a Scanner,
    pub(crate) who: &'static str,
    /// Where each canary was found first.
    pub(crate) found: BTreeMap<usize, String>,
    /// Canaries that the search box gave.
    pub(crate) searched: BTreeSet<usize>,
    pub(crate) leaks: Vec<String>,
    pub(crate) asked: usize,
}

/// A text in a path or a query.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

impl<'a> Crawler<'a> {
    pub(crate) fn new(planted: &'a Planted, scanner: &'a Scanner, who: &'static str) -> Self {
        Self {
            planted,
            scanner,
            who,
            found: BTreeMap::new(),
            searched: BTreeSet::new(),
            leaks: Vec::new(),
            asked: 0,
        }
    }

    fn canaries(&self) -> &'a [Canary] {
        &self.planted.plants.all
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        self.asked += 1;
        self.planted
            .town
            .ask(self.who, method, path, headers, body)
            .await
    }

    /// Notes what is in an answer; `echoed` was in the request.
    fn note(&mut self, path: &str, found: BTreeSet<usize>, echoed: &[usize]) {
        for i in found {
            if echoed.contains(&i) {
                continue;
            }
            let canary = &self.canaries()[i];
            // Who keeps the server and the accounts sees which collections, properties and people there are, and no data.
            let is_kept = match canary.kind {
                Kind::Collection => path.starts_with("/metrics") || path.starts_with("/admin"),
                Kind::PropertyName | Kind::Text => path.starts_with("/admin"),
                _ => false,
            };
            let may = canary.is_for(self.who) || is_kept && self.who == "administrator";
            if !may {
                self.leaks
                    .push(format!("{}: {} in {path}", self.who, canary.what));
            }
            self.found.entry(i).or_insert_with(|| path.to_owned());
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let answer = self.ask(Method::GET, path, &[], Body::empty()).await;
        self.note(path, self.scanner.answer(&answer), &[]);
        assert!(
            !answer.status.is_server_error(),
            "{}: {path}: {}",
            self.who,
            answer.text()
        );
        answer
    }

    /// Asks with canaries and with texts that are nowhere in their place: the answers to somebody who may not see the
    /// canaries differ in nothing else.
    async fn compare(
        &mut self,
        method: Method,
        headers: &[(&str, &str)],
        make: impl Fn(&[String]) -> String,
        canaries: &[usize],
        pairs: &[(String, String)],
    ) {
        let (asked, decoys): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
        let path = make(&asked);
        let answer = self.ask(method.clone(), &path, headers, "{}").await;
        self.note(&path, self.scanner.answer(&answer), canaries);
        let other = self.ask(method, &make(&decoys), headers, "{}").await;
        let hides = |i: &usize| !self.canaries()[*i].is_for(self.who);
        if !canaries.iter().any(hides) {
            return;
        }
        let (a, b) = (comparable(&answer, &asked), comparable(&other, &decoys));
        if a != b {
            let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
            let part = |text: &str| -> String {
                let from = text.floor_char_boundary(at.saturating_sub(60));
                text[from..].chars().take(160).collect()
            };
            self.leaks.push(format!(
                "{}: {path} is told apart from {}:\n  {}\n  {}",
                self.who,
                make(&decoys),
                part(&a),
                part(&b)
            ));
        }
    }

    /// Follows every link from the landing page on.
    pub(crate) async fn follow(&mut self) {
        let mut waiting: VecDeque<String> = ["/", "/?f=html", "/?f=html&lang=uk"]
            .map(str::to_owned)
            .into();
        let mut known: BTreeSet<String> = waiting.iter().cloned().collect();
        while let Some(path) = waiting.pop_front() {
            let answer = self.get(&path).await;
            for link in links(&answer) {
                let is_file = ["/app/", "/fonts/", "/sprites/"]
                    .iter()
                    .any(|folder| link.starts_with(folder));
                if !is_file && known.len() < MAX_FOLLOWED && known.insert(link.clone()) {
                    waiting.push_back(link);
                }
            }
        }
        assert!(
            known.len() > 40 && known.len() < MAX_FOLLOWED,
            "{}",
            known.len()
        );
    }

    /// What stands at fixed addresses, whoever links to it.
    pub(crate) async fn documents(&mut self) {
        for path in [
            "/",
            "/api",
            "/conformance",
            "/collections",
            "/tiles",
            "/tiles/WebMercatorQuad",
            "/tileMatrixSets",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/nothing",
            "/search",
            "/search?q=",
        ] {
            let joint = if path.contains('?') { '&' } else { '?' };
            for query in [
                "",
                "f=json",
                "f=html",
                "lang=uk",
                "f=html&lang=uk",
                "f=no",
                "x=1",
            ] {
                self.get(&format!("{path}{joint}{query}")).await;
            }
            for method in [Method::HEAD, Method::OPTIONS, Method::PATCH, Method::POST] {
                let answer = self.ask(method, path, &[], "{}").await;
                self.note(path, self.scanner.answer(&answer), &[]);
            }
        }
        self.get("/metrics").await;
    }

    /// Collections, those that are seen and those that are not, by their ids.
    pub(crate) async fn collections(&mut self) {
        let hidden = self.planted.plants.of_kind(Kind::Collection);
        for (n, (i, canary)) in hidden.enumerate() {
            let pairs = [(canary.text.clone(), canary.decoy(n))];
            for template in [
                "/collections/{}",
                "/collections/{}?f=html",
                "/collections/{}/schema",
                "/collections/{}/schema/feature",
                "/collections/{}/items",
                "/collections/{}/items?limit=0",
                "/collections/{}/items?name=a",
                "/collections/{}/items?f=html",
                "/collections/{}/items/1",
                "/collections/{}/items/1?f=html",
                "/collections/{}/tiles",
                "/collections/{}/tiles/WebMercatorQuad",
                "/collections/{}/tiles/WebMercatorQuad/0/0/0",
                "/collections/{}/tiles/WebMercatorQuad/99/0/0",
                "/tiles/{}",
                "/tiles/trees,{}",
                "/tiles/{}/0/0/0",
                "/tiles/{}/x/0/0",
                "/tiles/trees,{}/0/0/0.mvt",
                "/tiles/WebMercatorQuad?collections={}",
                "/tiles/WebMercatorQuad/0/0/0?collections={}",
                "/search?q=a&collections={}",
                "/search?q=a&collections=trees,{}",
            ] {
                for method in [
                    Method::GET,
                    Method::OPTIONS,
                    Method::POST,
                    Method::PUT,
                    Method::DELETE,
                ] {
                    // Nothing is written: the body is no feature, the state is one that is not there.
                    let headers = [("content-type", "application/json"), ("if-match", "\"x\"")];
                    self.compare(
                        method,
                        &headers,
                        |with| template.replace("{}", &escaped(&with[0])),
                        &[i],
                        &pairs,
                    )
                    .await;
                }
            }
        }
    }

    /// Features by every parameter, as far as somebody may think of it.
    pub(crate) async fn items(&mut self) {
        let planted = self.planted;
        for (collection, names) in &planted.properties {
            let is_hidden =
                |(_, c): &(usize, &Canary)| c.text == *collection && !c.is_for(self.who);
            if planted
                .plants
                .of_kind(Kind::Collection)
                .any(|c| is_hidden(&c))
            {
                continue;
            }
            let at = format!("/collections/{collection}/items");
            let mut queries: Vec<String> = [
                "limit=1",
                "limit=7",
                "limit=10000",
                "datetime=2030-01-01/2031-12-31",
                "datetime=../2000-01-01",
            ]
            .map(str::to_owned)
            .into();
            queries.extend(
                (0..50)
                    .step_by(3)
                    .map(|key| format!("limit=2&offset={key}")),
            );
            for (_, canary) in planted.plants.of_kind(Kind::Place) {
                let [x, y] = canary.place.map(|d| (d * 100.0).floor() / 100.0);
                queries.push(format!("bbox={x},{y},{},{}", x + 0.02, y + 0.02));
            }
            for query in queries {
                for format in ["json", "html"] {
                    self.get(&format!("{at}?{query}&f={format}")).await;
                }
            }
            for name in names {
                self.filters(&at, collection, name).await;
            }
            for key in 0..52 {
                for format in ["json", "html"] {
                    self.get(&format!("{at}/{key}?f={format}")).await;
                }
            }
        }
        for (n, (i, canary)) in planted.plants.of_kind(Kind::Feature).enumerate() {
            let pairs = [(canary.text.clone(), canary.decoy(n))];
            let path = |with: &[String]| {
                format!(
                    "/collections/{}/items/{}",
                    canary.collection,
                    escaped(&with[0])
                )
            };
            self.compare(Method::GET, &[], path, &[i], &pairs).await;
            self.compare(Method::GET, &[("accept", "text/html")], path, &[i], &pairs)
                .await;
            for method in [Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE] {
                let headers = [("content-type", "application/json"), ("if-match", "\"x\"")];
                self.compare(method, &headers, path, &[i], &pairs).await;
            }
        }
    }

    /// Each property as a filter, with its canaries: somebody who does not see them finds nothing by them, and the
    /// property itself is not there for who does not see it.
    async fn filters(&mut self, at: &str, collection: &str, name: &str) {
        let plants = &self.planted.plants;
        let named = plants
            .of_kind(Kind::PropertyName)
            .find(|(_, c)| c.text == name);
        let values = plants.all.iter().enumerate();
        let values = values.filter(|(_, c)| c.collection == collection && c.property == name);
        for (n, (i, canary)) in values.enumerate() {
            // What is masked is stored with its beginning, which everybody sees.
            let begins = if name == "phone" { "%2B38" } else { "" };
            for query in ["", "&f=html", "&limit=1", "&bbox=20,40,30,60"] {
                let pairs = [(canary.text.clone(), canary.decoy(n))];
                let path =
                    |with: &[String]| format!("{at}?{name}={begins}{}{query}", escaped(&with[0]));
                let mut echoed = vec![i];
                echoed.extend(named.map(|(i, _)| i));
                // The name is asked for in both, and compared below.
                self.compare(Method::GET, &[], path, &echoed, &pairs).await;
                if let Some((of, property)) = named.filter(|(_, c)| !c.is_for(self.who)) {
                    let pairs = [
                        (property.text.clone(), property.decoy(n)),
                        (canary.text.clone(), canary.decoy(n)),
                    ];
                    let path =
                        |with: &[String]| format!("{at}?{}={}{query}", with[0], escaped(&with[1]));
                    self.compare(Method::GET, &[], path, &[i, of], &pairs).await;
                }
            }
        }
    }

    /// Tiles of every zoom over everything, in every coding.
    pub(crate) async fn tiles(&mut self) {
        let planted = self.planted;
        let places: Vec<&Canary> = planted
            .plants
            .of_kind(Kind::Place)
            .map(|(_, c)| c)
            .collect();
        let mut known = BTreeSet::new();
        for place in places {
            for z in 0..=18 {
                let [lon, lat] = place.place;
                let coord = TileCoord::containing(z, project(lon, lat)).unwrap();
                let (x, y) = (coord.x(), coord.y());
                let short = format!("/tiles/{}/{z}/{x}/{y}", place.collection);
                for coding in ["identity", "gzip", "br", "zstd"] {
                    if known.insert((short.clone(), coding)) {
                        self.tile(&short, coding, coord, &place.collection).await;
                    }
                }
                for path in [
                    format!("/tiles/WebMercatorQuad/{z}/{y}/{x}"),
                    format!(
                        "/collections/{}/tiles/WebMercatorQuad/{z}/{y}/{x}",
                        place.collection
                    ),
                ] {
                    if known.insert((path.clone(), "identity")) {
                        self.tile(&path, "identity", coord, &place.collection).await;
                    }
                }
            }
        }
    }

    async fn tile(&mut self, path: &str, coding: &str, at: TileCoord, collection: &str) {
        let headers = [("accept-encoding", coding)];
        let answer = self.ask(Method::GET, path, &headers, Body::empty()).await;
        let found = match answer.status.as_u16() {
            200 => self.scanner.tile(&answer, at),
            204 | 404 => self.scanner.answer(&answer),
            other => panic!("{other}: {path}"),
        };
        // The id of the collection is what was asked for.
        let ids = self.planted.plants.of_kind(Kind::Collection);
        let echoed: Vec<usize> = ids
            .filter(|(_, c)| c.text == collection && path.contains(&c.text))
            .filter(|_| answer.status != 200)
            .map(|(i, _)| i)
            .collect();
        self.note(path, found, &echoed);
    }

    /// Everything in the search box, as it is and as people mistype it.
    pub(crate) async fn search(&mut self) {
        let texts = self.canaries().iter().enumerate();
        for (i, canary) in texts.filter(|(_, c)| c.kind != Kind::Place) {
            let pairs = [(canary.text.clone(), canary.decoy(i % 30))];
            let forms: [fn(&str) -> String; 9] = [
                str::to_owned,
                str::to_uppercase,
                |text| text.chars().take(9).collect(),
                |text| format!("{text} 5"),
                |text| replaced(text, 6, 'ф'),
                |text| {
                    text.chars()
                        .enumerate()
                        .filter(|(i, _)| *i != 8)
                        .map(|(_, c)| c)
                        .collect()
                },
                swapped,
                transliterated,
                other_layout,
            ];
            for form in forms {
                let path = |with: &[String]| format!("/search?q={}", escaped(&form(&with[0])));
                let asked = form(&canary.text);
                let here = path(std::slice::from_ref(&canary.text));
                let answer = self.planted.town.get(self.who, &here).await;
                let mut found = BTreeSet::new();
                // What was asked for is not what was answered.
                let mut body = answer.json();
                body["query"] = Json::Null;
                self.scanner.text(&body.to_string(), &mut found);
                let is_found = found.contains(&i);
                self.note(&here, found, &[]);
                if is_found && asked != canary.text {
                    self.searched.insert(i);
                }
                // The beginning of a text is that of others too.
                if asked.chars().count() < canary.text.chars().count() - 1 {
                    continue;
                }
                let shown: Vec<(String, String)> =
                    pairs.iter().map(|(a, b)| (form(a), form(b))).collect();
                let asked = |with: &[String]| format!("/search?q={}", escaped(&with[0]));
                self.compare(Method::GET, &[], asked, &[i], &shown).await;
            }
        }
    }
}

/// An answer without what was asked for, and without what is another one each time.
fn comparable(answer: &Answer, asked: &[String]) -> String {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        // A tag is made from the bytes, in which what was asked stands; an age is how long the database has been silent.
        .filter(|(name, _)| *name != "etag" && *name != "age")
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&decoded(answer)).into_owned();
    let mut text = format!("{}\n{body}\n{}", answer.status, headers.join("\n"));
    text = without_escapes(&text);
    for asked in asked {
        text = text.replace(asked, "·");
    }
    without_cursors(&without_time(&text))
}

/// Without the moment of an answer.
pub(crate) fn without_time(text: &str) -> String {
    let Some((before, rest)) = text.split_once("\"timeStamp\":\"") else {
        return text.to_owned();
    };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    format!("{before}\"timeStamp\":\"\"{after}")
}

/// Without the cursors of an answer, whose seal is another one each time.
pub(crate) fn without_cursors(text: &str) -> String {
    let mut parts = text.split("cursor=");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("cursor=");
        out.push_str(part.trim_start_matches(is_of_cursor));
    }
    out
}

pub(crate) fn is_of_cursor(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Everything in an answer that leads somewhere on this server.
fn links(answer: &Answer) -> BTreeSet<String> {
    let text = answer.text();
    let mut found = BTreeSet::new();
    let kind = answer.header("content-type").to_owned();
    if kind.contains("json") {
        if let Ok(json) = serde_json::from_slice(&answer.body) {
            addresses(&json, &mut found);
        }
    } else if kind.contains("html") {
        for name in ["href=\"", "src=\"", "data-geojson-url=\"", "data-tiles=\""] {
            for (at, _) in text.match_indices(name) {
                let rest = &text[at + name.len()..];
                let value = rest.split('"').next().unwrap_or_default();
                found.insert(without_entities(value));
            }
        }
    }
    found
        .into_iter()
        .map(|link| link.split('#').next().unwrap_or_default().to_owned())
        .map(|link| {
            link.strip_prefix("http://town.test")
                .unwrap_or(&link)
                .to_owned()
        })
        .filter(|link| link.starts_with('/') && !link.contains(['{', '}', ' ']))
        .collect()
}

fn without_entities(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}

fn addresses(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::String(text) if text.starts_with("http://town.test/") => {
            found.insert(text.clone());
        }
        Json::Array(all) => all.iter().for_each(|json| addresses(json, found)),
        Json::Object(all) => all.values().for_each(|json| addresses(json, found)),
        _ => {}
    }
}

fn replaced(text: &str, at: usize, by: char) -> String {
    let letters = text.chars().enumerate();
    letters.map(|(i, c)| if i == at { by } else { c }).collect()
}

fn swapped(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() > 8 {
        letters.swap(6, 7);
    }
    letters.into_iter().collect()
}

/// In Latin letters, for the letters that canaries have.
fn transliterated(text: &str) -> String {
    let latin = |c: char| match c {
        'з' => 'z',
        'у' => 'u',
        'п' => 'p',
        'а' => 'a',
        'н' => 'n',
        'б' => 'b',
        'в' => 'v',
        'д' => 'd',
        'к' => 'k',
        'л' => 'l',
        'м' => 'm',
        'р' => 'r',
        'с' => 's',
        'о' => 'o',
        other => other,
    };
    text.chars().map(latin).collect()
}

/// The keys of the Ukrainian layout in the English one.
fn other_layout(text: &str) -> String {
    const UKRAINIAN: &str = "йцукенгшщзхїфівапролджєячсмитьбю";
    const ENGLISH: &str = "qwertyuiop[]asdfghjkl;'zxcvbnm,.";
    let key = |c: char| {
        let at = UKRAINIAN.chars().position(|k| k == c);
        at.and_then(|at| ENGLISH.chars().nth(at)).unwrap_or(c)
    };
    text.chars().map(key).collect()
}
