//! What somebody may not see has no influence on what they get: two stores that differ in nothing but that answer every
//! request alike, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use geo_types::{Geometry, LineString};
use model::access::{Assignment, Class, PropertyRule, Role, RowRule, Scope, Shown, Twin};
use model::world::project;
use model::{Text, TileSettings, Value};
use serde_json::{Value as Json, json};
use store::{Access, CollectionSettings, Draft, Place, Store};
use tiles::TileCoord;

use crate::crawl::{escaped, is_of_cursor, without_cursors, without_time};
use crate::guarded::{Guarded, Part, options, person, rules, set_rules};
use crate::town::{self, Answer, account, collection_of, import, place, token_for};

const GEOJSON: (&str, &str) = ("content-type", "application/geo+json");

/// Those from whom the difference is hidden.
/// Stands for a cursor that a side gave out, by its number: the other side has another seal.
const CURSOR: &str = "~";

const LOWER: [&str; 4] = ["nobody", "citizen", "inspector", "executor"];

/// Requests of each.
const REQUESTS: usize = 2_500;
/// After an edit that they see.
const AFTER: usize = 600;

/// `SplitMix64`: the same numbers in each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// Between 0 and 1.
    fn part(&mut self) -> f64 {
        self.below(1 << 20) as f64 / f64::from(1 << 20)
    }
}

/// Where the n-th parcel is: every fourth is hidden, some of these far away.
fn spot(n: usize) -> [f64; 2] {
    if n % 28 == 3 {
        return [24.05 + n as f64 * 0.003, 48.1];
    }
    [24.3 + (n % 20) as f64 * 0.02, 48.8 + (n / 20) as f64 * 0.01]
}

fn is_hidden(n: usize) -> bool {
    n % 4 == 3
}

fn feature(properties: Json, geometry: Json) -> String {
    json!({ "type": "Feature", "properties": properties, "geometry": geometry }).to_string()
}

fn square([x, y]: [f64; 2]) -> Json {
    let (e, n) = (x + 0.004, y + 0.004);
    json!({ "type": "Polygon", "coordinates": [[[x, y], [e, y], [e, n], [x, n], [x, y]]] })
}

fn settings(label: &str, searchable: &[&str], time: Option<&str>) -> CollectionSettings {
    CollectionSettings {
        title: Some(Text {
            uk: "Назва".to_owned(),
            en: "Title".to_owned(),
        }),
        label_property: Some(label.to_owned()),
        time_property: time.map(str::to_owned),
        searchable: Some(searchable.iter().map(|s| (*s).to_owned()).collect()),
        tiles: Some(TileSettings {
            min_zoom: 0,
            max_zoom: 18,
            properties: None,
            low_zooms: None,
        }),
        ..CollectionSettings::default()
    }
}

fn rule(from: Class, otherwise: Shown) -> PropertyRule {
    PropertyRule {
        from,
        is_personal: false,
        otherwise,
    }
}

/// The town that both stores begin as.
async fn fill(town: &mut Guarded) {
    let (store, folder) = (town.store.clone(), town.folder.path().to_owned());
    let parcel = |n: usize| {
        let kind = ["дім", "сад", "двір"][n % 3];
        let properties = json!({
            "code": format!("p-{n}"),
            "name": format!("Ділянка {}", n % 17),
            "kind": kind,
            "day": format!("2026-01-{:02}", n % 28 + 1),
            "owner": format!("Власник {n}"),
            "secret": format!("Таємниця {n}"),
            "phone": format!("+38{n:07}"),
            "level": n,
            "state": if is_hidden(n) { "closed" } else { "open" },
        });
        feature(properties, square(spot(n)))
    };
    let parcels: Vec<String> = (0..280).map(parcel).collect();
    let searchable = ["code", "name", "kind", "owner", "secret"];
    let with = settings("name", &searchable, Some("day"));
    import(
        &store,
        &folder,
        "parcels",
        &collection_of(&parcels),
        Some("code"),
        with,
    )
    .await;
    let mut access = rules(Class::Public, None);
    let personal = PropertyRule {
        is_personal: true,
        ..rule(Class::Staff, Shown::Not)
    };
    access.properties = BTreeMap::from([
        ("owner".to_owned(), personal),
        ("secret".to_owned(), rule(Class::Restricted, Shown::Not)),
        ("level".to_owned(), rule(Class::Restricted, Shown::Not)),
        ("state".to_owned(), rule(Class::Restricted, Shown::Not)),
        (
            "phone".to_owned(),
            rule(Class::Restricted, Shown::Masked { keep: 3 }),
        ),
    ]);
    access.rows = vec![RowRule {
        below: Class::Restricted,
        filter: "state = 'open'".to_owned(),
    }];
    set_rules(&store, "parcels", access).await;

    let line = |n: usize| {
        let [x, y] = spot(n);
        let properties = json!({
            "kind": if is_hidden(n) { "spare" } else { "main" },
            "name": format!("Лінія {n}"),
        });
        let ends = json!([[x, y], [x + 0.001, y + 0.001]]);
        feature(
            properties,
            json!({ "type": "LineString", "coordinates": ends }),
        )
    };
    let lines: Vec<String> = (0..120).map(line).collect();
    let with = settings("name", &["name", "kind"], None);
    import(&store, &folder, "lines", &collection_of(&lines), None, with).await;
    let mut access = rules(Class::Restricted, None);
    access.twin = Some(Twin {
        class: Class::Public,
        properties: vec!["kind".to_owned()],
        grid: 2_000,
        filter: Some("kind = 'main'".to_owned()),
    });
    set_rules(&store, "lines", access).await;

    for (id, class, unit) in [
        ("vault", Class::Restricted, None),
        // The inspector of the west sees the west of it.
        ("yards", Class::Unit, Some("roads")),
    ] {
        let yard = |n: usize| {
            let properties = json!({ "name": format!("Подвір’я {}", n % 7), "n": n });
            feature(
                properties,
                json!({ "type": "Point", "coordinates": spot(n) }),
            )
        };
        let yards: Vec<String> = (0..120).map(yard).collect();
        let with = settings("name", &["name"], None);
        import(&store, &folder, id, &collection_of(&yards), None, with).await;
        set_rules(&store, id, rules(class, unit)).await;
    }

    let mut editor = person("editor", Some("gis-editor"), Part::All);
    editor
        .assignments
        .push(Assignment::of(Role::named("dispatcher").unwrap()));
    for somebody in [
        person("citizen", None, Part::All),
        person("inspector", Some("inspector"), Part::West),
        person("executor", Some("executor"), Part::Water),
        editor,
    ] {
        let id = account(&store, somebody).await;
        let token = token_for(&store, &id, "test", &Scope::ALL, None).await;
        town.tokens.insert(id, token);
    }
}

/// A store, and a second one with the same rows, ids and epoch.
async fn doubled(town: Guarded) -> [Guarded; 2] {
    let Guarded {
        store,
        folder,
        tokens,
        ..
    } = town;
    let other = tempfile::tempdir().unwrap();
    let (here, there) = (store.place().clone(), place(other.path()));
    let epoch = store.epoch().0.clone();
    let first = match (&here, &there) {
        (Place::Folder(from), Place::Folder(to)) => {
            store.close().await;
            drop(store);
            copy_folder(from, to);
            Store::open(here, Access::Write).await.unwrap()
        }
        _ => {
            store::copy(&store, there.clone(), &mut |_| {})
                .await
                .unwrap();
            let text = there.to_string();
            let schema = text.split_once("schema=").unwrap().1;
            town::psql(&format!(
                "UPDATE {schema}.hromada_meta SET value = '{epoch}' WHERE key = 'epoch'"
            ));
            store
        }
    };
    let second = Store::open(there, Access::Write).await.unwrap();
    let both = [(first, folder), (second, other)];
    both.map(|(store, folder)| {
        assert_eq!(store.epoch().0, epoch, "cursors and tags hold it");
        Guarded {
            store,
            router: axum::Router::new(),
            folder,
            tokens: tokens.clone(),
        }
    })
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let is_lock = entry.file_name() == "hromada.lock";
        if entry.file_type().unwrap().is_file() && !is_lock {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Changes a stored feature, if it is there.
async fn change(
    store: &Store,
    collection: &str,
    id: &str,
    with: impl Fn(&str, &mut Value),
    geometry: Option<Geometry>,
) {
    let live = store.live();
    let live = live.get(collection).unwrap();
    let Some(item) = store.item(live, id).await.unwrap() else {
        return;
    };
    let mut properties = item.feature.properties;
    for (property, value) in live
        .collection
        .schema
        .properties
        .iter()
        .zip(&mut properties)
    {
        with(&property.name, value);
    }
    let geometry = match geometry {
        Some(geometry) => {
            let mut wkb = Vec::new();
            formats::wkb::write(&geometry, &mut wkb);
            Some(wkb)
        }
        None => item.feature.geometry,
    };
    let draft = Draft {
        geometry,
        crs: model::Crs::CRS84,
        properties,
    };
    store
        .replace(collection, id, draft, None, "test")
        .await
        .unwrap();
}

/// Changes what none of the four may see, and nothing else.
async fn change_hidden(town: &Guarded, round: usize) {
    let store = &town.store;
    let text = |text: String| Value::Text(text.into());
    for n in (round..280).step_by(3) {
        let id = format!("p-{n}");
        let with = |name: &str, value: &mut Value| match name {
            "secret" => *value = text(format!("Скарб {} {round}", n % 40)),
            "owner" => *value = text(format!("Пан {n} {round}")),
            "level" => *value = Value::Integer(n as i64 * 1_000),
            "phone" => *value = text(format!("+38{:09}", n * 7 + round)),
            "name" if is_hidden(n) => *value = text(format!("Схованка {n}")),
            "day" if is_hidden(n) => *value = text("1999-01-01".to_owned()),
            _ => {}
        };
        let moved = is_hidden(n).then(|| {
            let [x, y] = spot(n + 5);
            let ring = vec![(x, y), (x + 0.01, y), (x, y + 0.01), (x, y)];
            Geometry::Polygon(geo_types::Polygon::new(LineString::from(ring), Vec::new()))
        });
        change(store, "parcels", &id, with, moved).await;
    }
    // Features of the twin move within their cells, and get many vertices.
    for n in (round..120).step_by(2) {
        let [x, y] = spot(n);
        let exact = |d: f64| {
            Geometry::LineString(
                (0..=60)
                    .map(|i| {
                        let t = f64::from(i) / 60.0;
                        // The same middle of another box.
                        let reach = 0.000_5 * d;
                        (
                            x + 0.000_5 + (2.0 * t - 1.0) * reach,
                            y + 0.000_5 + (2.0 * t - 1.0) * reach,
                        )
                    })
                    .collect(),
            )
        };
        let with = |name: &str, value: &mut Value| {
            if name == "name" {
                *value = text(format!("Траса {n} {round}"));
            }
        };
        change(
            store,
            "lines",
            &(n + 1).to_string(),
            with,
            Some(exact(0.5 + 0.1 * round as f64)),
        )
        .await;
    }
    // Yards of the east, where the inspector sees none.
    for n in (0..120).filter(|n| spot(*n)[0] > 24.55) {
        let with = |name: &str, value: &mut Value| {
            if name == "name" {
                *value = text(format!("Схід {n} {round}"));
            }
        };
        change(store, "yards", &(n + 1).to_string(), with, None).await;
    }
}

/// Adds and takes out what none of the four may see.
async fn add_and_remove_hidden(town: &Guarded) {
    let store = &town.store;
    // Among them those at the edge of the extent.
    for n in (0..280).filter(|n| n % 28 == 3 || n % 40 == 7) {
        store
            .delete("parcels", &format!("p-{n}"), None, "test")
            .await
            .unwrap();
    }
    for n in (0..120).filter(|n| n % 8 == 3) {
        store
            .delete("lines", &(n + 1).to_string(), None, "test")
            .await
            .unwrap();
    }
    for n in (0..120).filter(|n| n % 5 == 0 && spot(*n)[0] > 24.55) {
        let id = (n + 1).to_string();
        store.delete("yards", &id, None, "test").await.unwrap();
    }
    let live = store.live();
    let schema = &live.get("parcels").unwrap().collection.schema;
    for n in 0..40 {
        let value = |name: &str| match name {
            "code" => format!("q-{n}"),
            "state" => "closed".to_owned(),
            _ => format!("Новий {n}"),
        };
        let properties = schema.properties.iter().map(|p| match p.kind {
            model::PropertyType::Integer => Value::Integer(n),
            model::PropertyType::Date => Value::Text("2026-01-05".into()),
            _ => Value::Text(value(&p.name).into()),
        });
        let mut wkb = Vec::new();
        let [x, y] = [24.9 + n as f64 * 0.01, 49.9];
        let ring = vec![(x, y), (x + 0.01, y), (x, y + 0.01), (x, y)];
        let polygon = geo_types::Polygon::new(LineString::from(ring), Vec::new());
        formats::wkb::write(&Geometry::Polygon(polygon), &mut wkb);
        let draft = Draft {
            geometry: Some(wkb),
            crs: model::Crs::CRS84,
            properties: properties.collect(),
        };
        store.create("parcels", draft, "test").await.unwrap();
    }
    let more: Vec<String> = (0..30)
        .map(|n| {
            let properties = json!({ "name": format!("Ділянка {n}"), "gold": n });
            feature(
                properties,
                json!({ "type": "Point", "coordinates": [23.0 + f64::from(n), 47.0] }),
            )
        })
        .collect();
    let with = settings("name", &["name"], None);
    import(
        store,
        town.path(),
        "vault2",
        &collection_of(&more),
        None,
        with,
    )
    .await;
    set_rules(store, "vault2", rules(Class::Restricted, None)).await;
    account(store, person("spy", Some("planner"), Part::All)).await;
}

/// Somebody's requests to both.
struct Pair<'a> {
    one: &'a Guarded,
    other: &'a Guarded,
    who: &'static str,
    dice: Dice,
    tags: Vec<String>,
    /// What was asked for last, and the tag that it had.
    last: Option<(String, String)>,
    /// Of each side its own.
    cursors: Vec<[String; 2]>,
    statuses: BTreeMap<u16, usize>,
}

const COLLECTIONS: [&str; 7] = [
    "parcels", "parcels", "lines", "yards", "vault", "vault2", "none",
];
const PROPERTIES: [&str; 11] = [
    "code", "name", "kind", "day", "owner", "secret", "phone", "level", "state", "n", "gold",
];

impl Pair<'_> {
    fn value(&mut self) -> String {
        let n = self.dice.below(300);
        match self.dice.below(16) {
            0 => format!("p-{n}"),
            1 => format!("q-{}", n % 45),
            2 => format!("Ділянка {}", n % 20),
            3 => self
                .dice
                .one(&["дім", "сад", "двір", "main", "spare", "open", "closed"])
                .to_owned(),
            4 => format!("Власник {n}"),
            5 => format!("Таємниця {n}"),
            6 => format!("Скарб {} {}", n % 40, n % 3),
            7 => format!("Пан {n} {}", n % 3),
            8 => format!("+38{n:07}"),
            9 => "+38***".to_owned(),
            10 => format!("2026-01-{:02}", n % 28 + 1),
            11 => n.to_string(),
            12 => format!("Траса {n} 1"),
            13 => format!("Схованка {n}"),
            14 => format!("Подвір’я {}", n % 9),
            _ => format!("Схід {n} 0"),
        }
    }

    fn bbox(&mut self) -> String {
        let [x, y] = spot(self.dice.below(300));
        let size = [0.0, 0.000_5, 0.003, 0.02, 0.3, 5.0][self.dice.below(6)];
        let (dx, dy) = (self.dice.part() * 0.01, self.dice.part() * 0.01);
        format!(
            "{},{},{},{}",
            x + dx - size,
            y + dy - size,
            x + dx + size,
            y + dy + size
        )
    }

    fn query(&mut self) -> String {
        let mut parts = Vec::new();
        for _ in 0..self.dice.below(4) {
            let part = match self.dice.below(8) {
                0 => format!(
                    "limit={}",
                    [1, 2, 7, 50, 100, 10_000, 0][self.dice.below(7)]
                ),
                1 | 2 => format!("bbox={}", self.bbox()),
                3 => {
                    let (a, b) = (self.dice.below(28) + 1, self.dice.below(28) + 1);
                    format!("datetime=2026-01-{:02}/2026-01-{:02}", a.min(b), a.max(b))
                }
                4 | 5 => {
                    let name = self.dice.one(&PROPERTIES);
                    format!("{name}={}", escaped(&self.value()))
                }
                6 if !self.cursors.is_empty() => {
                    let n = self.dice.below(self.cursors.len());
                    format!("cursor={CURSOR}{n}")
                }
                _ => {
                    let name = self.dice.one(&PROPERTIES);
                    let minus = self.dice.one(&["", "-", "%2B"]);
                    format!("offset={}&sortby={minus}{name}", self.dice.below(340))
                }
            };
            parts.push(part);
        }
        match self.dice.below(5) {
            0 => parts.push("f=html".to_owned()),
            1 => parts.push("lang=uk".to_owned()),
            _ => {}
        }
        parts.join("&")
    }

    fn path(&mut self) -> String {
        let collection = self.dice.one(&COLLECTIONS);
        match self.dice.below(20) {
            0..=5 => format!("/collections/{collection}/items?{}", self.query()),
            6 | 7 => {
                let id = match self.dice.below(3) {
                    0 => self.dice.below(330).to_string(),
                    1 => format!("p-{}", self.dice.below(300)),
                    _ => escaped(&self.value()),
                };
                let f = self.dice.one(&["", "?f=html", "?lang=uk", "?x=1"]);
                format!("/collections/{collection}/items/{id}{f}")
            }
            8..=12 => {
                let z = self.dice.below(19) as u8;
                let [x, y] = spot(self.dice.below(300));
                let at = TileCoord::containing(z, project(x + 0.002, y + 0.002)).unwrap();
                let (x, y) = (at.x(), at.y());
                match self.dice.below(5) {
                    0 => format!("/collections/{collection}/tiles/WebMercatorQuad/{z}/{y}/{x}"),
                    1 => format!("/tiles/WebMercatorQuad/{z}/{y}/{x}"),
                    2 => format!("/tiles/parcels,{collection}/{z}/{x}/{y}"),
                    _ => format!("/tiles/{collection}/{z}/{x}/{y}"),
                }
            }
            13..=15 => {
                let mut text = self.value();
                // As people mistype.
                match self.dice.below(5) {
                    0 => text = text.chars().skip(1).collect(),
                    1 => text = text.chars().take(5).collect(),
                    2 => text = text.replace('а', "о"),
                    3 => text = text.to_uppercase(),
                    _ => {}
                }
                let text = if text.is_empty() { "п" } else { &text };
                let limit = self.dice.one(&[
                    "",
                    "&limit=1",
                    "&limit=100",
                    "&collections=parcels",
                    "&collections=lines,yards",
                ]);
                format!("/search?q={}{limit}", escaped(text))
            }
            16 | 17 => {
                let rest = self.dice.one(&[
                    "",
                    "/schema",
                    "/schema/feature",
                    "/tiles",
                    "/tiles/WebMercatorQuad",
                    "?f=html",
                    "?f=no",
                ]);
                format!("/collections/{collection}{rest}")
            }
            18 => format!("/tiles/{collection}"),
            _ => {
                let of_town = [
                    "/",
                    "/?f=html",
                    "/api",
                    "/api?f=html&lang=uk",
                    "/collections",
                    "/collections?f=html",
                    "/tiles",
                    "/tiles/WebMercatorQuad",
                    "/health/ready",
                    "/metrics",
                    "/nothing",
                ];
                self.dice.one(&of_town).to_owned()
            }
        }
    }

    async fn ask(&mut self) {
        let mut headers: Vec<(&str, String)> = Vec::new();
        let path = match &self.last {
            Some((path, tag)) if self.dice.below(3) == 0 => {
                headers.push(("if-none-match", tag.clone()));
                path.clone()
            }
            _ => self.path(),
        };
        if self.dice.below(3) == 0 {
            let coding = self.dice.one(&["gzip", "br", "zstd", "gzip, br;q=0.5"]);
            headers.push(("accept-encoding", coding.to_owned()));
        }
        if self.dice.below(6) == 0 && !self.tags.is_empty() {
            let n = self.dice.below(self.tags.len());
            headers.push(("if-none-match", self.tags[n].clone()));
        }
        let method = match self.dice.below(12) {
            0 => Method::HEAD,
            1 => {
                // Nobody of them may write; what they get back must not tell why.
                headers.push((GEOJSON.0, GEOJSON.1.to_owned()));
                if self.dice.below(2) == 0 {
                    headers.push(("if-match", "*".to_owned()));
                }
                let n = self.dice.below(5);
                [
                    Method::PUT,
                    Method::DELETE,
                    Method::POST,
                    Method::OPTIONS,
                    Method::PATCH,
                ][n]
                    .clone()
            }
            _ => Method::GET,
        };
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let [own, theirs] = [0, 1].map(|side| {
            let Some((before, rest)) = path.split_once(CURSOR) else {
                return path.clone();
            };
            let (n, after) = rest.split_at(rest.find('&').unwrap_or(rest.len()));
            format!(
                "{before}{}{after}",
                self.cursors[n.parse::<usize>().unwrap()][side]
            )
        });
        let (a, b) = tokio::join!(
            self.one.ask(self.who, method.clone(), &own, &headers, "{}"),
            self.other
                .ask(self.who, method.clone(), &theirs, &headers, "{}"),
        );
        *self.statuses.entry(a.status.as_u16()).or_insert(0) += 1;
        assert_ne!(a.status.as_u16() / 100, 5, "{method} {path}: {}", a.text());
        // How far a server is behind its database is another number each time.
        if !(crate::ON_POSTGRES && path == "/health/ready") {
            let (first, second) = (bytes(&a), bytes(&b));
            assert!(
                first == second,
                "{} {method} {path} {headers:?}:\n{}",
                self.who,
                difference(&first, &second)
            );
        }
        let tag = a.header("etag").to_owned();
        self.last = (!tag.is_empty()).then(|| (path, tag.clone()));
        if self.dice.below(4) == 0 && !tag.is_empty() {
            self.tags.push(tag);
        }
        let cursor = |answer: &Answer| -> Option<String> {
            let text = answer.text();
            let (_, rest) = text.rsplit_once("cursor=")?;
            Some(rest.chars().take_while(|c| is_of_cursor(*c)).collect())
        };
        if let (Some(a), Some(b)) = (cursor(&a), cursor(&b)) {
            self.cursors.push([a, b]);
        }
    }
}

/// Everything of an answer but the moment that it was made.
fn bytes(answer: &Answer) -> Vec<u8> {
    let mut out = format!("{}\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        if !["date", "age"].contains(&name.as_str()) {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
    }
    match std::str::from_utf8(&answer.body) {
        Ok(text) => out.extend_from_slice(without_cursors(&without_time(text)).as_bytes()),
        // A compressed page has its moment inside.
        Err(_) => {
            let body = crate::scan::decoded(answer);
            match std::str::from_utf8(&body) {
                Ok(text) if text.contains("\"timeStamp\"") || text.contains("cursor=") => {
                    out.extend_from_slice(without_cursors(&without_time(text)).as_bytes());
                }
                _ => out.extend_from_slice(&answer.body),
            }
        }
    }
    out
}

fn difference(a: &[u8], b: &[u8]) -> String {
    let at = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let part = |bytes: &[u8]| {
        let end = bytes.len().min(at + 200);
        String::from_utf8_lossy(&bytes[at.saturating_sub(200)..end]).into_owned()
    };
    format!("{}\n--- and ---\n{}", part(a), part(b))
}

async fn alike(one: &Guarded, other: &Guarded, seed: u64, count: usize) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for (n, who) in LOWER.into_iter().enumerate() {
        let mut pair = Pair {
            one,
            other,
            who,
            dice: Dice(seed * 1_000 + n as u64),
            tags: Vec::new(),
            last: None,
            cursors: Vec::new(),
            statuses: BTreeMap::new(),
        };
        for _ in 0..count {
            pair.ask().await;
        }
        for (status, count) in pair.statuses {
            *statuses.entry(status).or_insert(0) += count;
        }
    }
    statuses
}

/// A change that all of them see, by somebody who sees everything.
async fn edit(town: &Guarded, id: &str, set: &[(&str, Json)], at: Option<[f64; 2]>) {
    let path = format!("/collections/parcels/items/{id}");
    let mut feature = town.get("editor", &path).await.ok().json();
    for (name, value) in set {
        feature["properties"][*name] = value.clone();
    }
    if let Some(at) = at {
        feature["geometry"] = square(at);
    }
    let done = town
        .ask(
            "editor",
            Method::PUT,
            &path,
            &[GEOJSON],
            feature.to_string(),
        )
        .await;
    done.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_has_no_influence() {
    let mut first = Guarded::empty().await;
    fill(&mut first).await;
    let [one, mut other] = doubled(first).await;
    let one = one.open().await;
    other.store.load().await.unwrap();
    change_hidden(&other, 0).await;
    add_and_remove_hidden(&other).await;
    other.router = server::router(other.store.clone(), &options());

    let statuses = alike(&one, &other, 1, REQUESTS).await;
    // The requests are worth something: they find, find nothing, find it unchanged, and are refused.
    for status in [200, 204, 304, 400, 401, 403, 404, 405] {
        assert!(
            statuses.get(&status).is_some_and(|n| *n >= 5),
            "{status}: {statuses:?}"
        );
    }

    for (round, id) in ["p-40", "p-41", "p-100"].into_iter().enumerate() {
        change_hidden(&other, round + 1).await;
        for town in [&one, &other] {
            let name = json!(format!("Перейменована {round}"));
            edit(
                town,
                id,
                &[("name", name), ("kind", json!("ліс"))],
                Some([24.41, 48.86]),
            )
            .await;
        }
        change_hidden(&other, round).await;
    }
    for town in [&one, &other] {
        // One goes out of sight, one comes into it: in both from different values.
        edit(town, "p-44", &[("state", json!("closed"))], None).await;
        let shown = [
            ("state", json!("open")),
            ("name", json!("Показана")),
            ("day", json!("2026-01-09")),
            ("phone", json!("+3811")),
        ];
        edit(town, "p-15", &shown, Some([24.55, 48.77])).await;
    }
    alike(&one, &other, 2, AFTER).await;
}
