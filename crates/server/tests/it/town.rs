//! A small town in a temporary store, and requests to it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use model::access::{Assignment, Class, Person, PersonKind, Role, Scope};
use model::{CollectionId, Text, Theme, TileSettings};
use serde_json::Value as Json;
use server::Options;
use store::{
    Access, AuditEntry, CollectionSettings, ImportJob, ImportMode, Key, KeyHash, KeyKind, Place,
    Store,
};
use tower::ServiceExt;

/// Parcels of the grid: rows and columns.
pub(crate) const GRID: (i32, i32) = (6, 5);

/// South-western corner of the grid, and the side of a parcel, in degrees.
pub(crate) const CORNER: [f64; 2] = [24.71, 48.92];
pub(crate) const SIDE: f64 = 0.001;

pub(crate) struct Town {
    pub(crate) store: Store,
    pub(crate) router: Router,
    pub(crate) folder: tempfile::TempDir,
    /// A token of somebody who may edit, and look after the server.
    pub(crate) editor: String,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Of a stream that does not end, what comes first.
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, mut body) = response.into_parts();
        let media_type = parts.headers.get("content-type");
        let is_endless = media_type.is_some_and(|given| given == "text/event-stream");
        let body = match is_endless {
            true => match body.frame().await {
                Some(frame) => frame.unwrap().into_data().unwrap(),
                None => Bytes::new(),
            },
            false => body.collect().await.unwrap().to_bytes(),
        };
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
        }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self
    }

    /// The key of a problem.
    pub(crate) fn key(&self) -> String {
        self.json()["key"].as_str().unwrap_or_default().to_owned()
    }
}

/// A place of its own for a new store, in the backend of this test program.
pub(crate) fn place(folder: &Path) -> Place {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if !crate::ON_POSTGRES {
        return Place::Folder(folder.to_owned());
    }
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let url = format!("{}?schema=town_{}_{n}", server(), std::process::id());
    Place::parse(&url).unwrap()
}

/// The address of the test server's database.
pub(crate) fn server() -> String {
    std::env::var("HROMADA_TEST_POSTGRES")
        .expect("these tests need a PostgreSQL server: .ci/services cargo test …")
}

/// What a statement of another program gives.
pub(crate) fn psql(sql: &str) -> String {
    let output = Command::new("psql")
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(server())
        .output()
        .expect("./test installs psql");
    let problems = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{problems}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a statement on a store by another program gives.
pub(crate) fn sql(store: &Store, sql: &str) -> String {
    let mut command = match store.place() {
        Place::Folder(_) => {
            let mut command = Command::new("sqlite3");
            command.arg(store.file().unwrap());
            command
        }
        Place::Postgres(_) => {
            let mut command = holder(store).0;
            command.arg("-c");
            command
        }
    };
    let output = command.arg(sql).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A database program on a store, and the statement that keeps others from writing to its wells.
pub(crate) fn holder(store: &Store) -> (Command, &'static str) {
    match store.place() {
        Place::Folder(_) => {
            let mut command = Command::new("sqlite3");
            command.arg(store.file().unwrap());
            (command, "BEGIN IMMEDIATE; SELECT 'held';")
        }
        Place::Postgres(place) => {
            let place = place.to_string();
            let schema = place.split_once("schema=").unwrap().1.to_owned();
            let mut command = Command::new("psql");
            command.args(["-X", "-q", "-A", "-t"]).arg(server());
            command.env("PGOPTIONS", format!("-c search_path={schema},public"));
            (
                command,
                "BEGIN; LOCK TABLE wells IN SHARE MODE; SELECT 'held';",
            )
        }
    }
}

impl Town {
    /// Parcels (text ids, every property type), wells (integer ids, one without geometry, some at the edges
    /// of the world), roads.
    pub(crate) async fn new() -> Self {
        Self::with(&Options::default()).await
    }

    pub(crate) async fn with_edits() -> Self {
        Self::with(&Options {
            // The name that requests go to: writes are taken at no other one.
            base_url: Some("http://town.test".to_owned()),
            ..Options::default()
        })
        .await
    }

    pub(crate) async fn with(options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(place(folder.path()), Access::Write)
            .await
            .unwrap();
        import(
            &store,
            folder.path(),
            "parcels",
            &parcels(),
            Some("number"),
            parcel_settings(),
        )
        .await;
        import(
            &store,
            folder.path(),
            "wells",
            &wells(),
            None,
            CollectionSettings::default(),
        )
        .await;
        import(
            &store,
            folder.path(),
            "roads",
            &roads(),
            None,
            CollectionSettings::default(),
        )
        .await;
        store.load().await.unwrap();
        let editor = token(&store, "editor", &["gis-editor", "administrator"]).await;
        let router = server::router(store.clone(), options);
        Self {
            store,
            router,
            folder,
            editor,
        }
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let host = [("host", "town.test")];
        let editor = format!("Bearer {}", self.editor);
        let by = [("authorization", editor.as_str())];
        // Whoever writes has to be somebody; reading needs nobody, but for what only the server's keepers read.
        let signs = !method.is_safe() || path == "/metrics";
        let by: &[(&str, &str)] = if signs { &by } else { &[] };
        self.raw(method, path, &[&host, by, headers].concat(), body)
            .await
    }

    pub(crate) async fn get_without_host(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.raw(Method::GET, path, headers, Body::empty()).await
    }

    /// As [`Town::request`], by nobody who is not named.
    pub(crate) async fn bare(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let host = [("host", "town.test")];
        self.raw(method, path, &[&host, headers].concat(), body)
            .await
    }

    async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(body.into()).unwrap())
            .await
            .unwrap();
        Answer::of(response).await
    }

    /// The cookie of a browser in which the editor has signed in.
    pub(crate) async fn session(&self) -> String {
        let (secret, hash) = KeyHash::fresh(KeyKind::Session);
        let key = Key {
            kind: KeyKind::Session,
            seen: "2999-01-01T00:00:00.000Z".to_owned(),
            ..key("editor")
        };
        let entry = AuditEntry::new("sign-in", "editor");
        self.store
            .add_key("test", hash, key, None, entry)
            .await
            .unwrap();
        format!("hromada-session={secret}")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::GET, path, headers, Body::empty())
            .await
    }

    pub(crate) async fn json(&self, path: &str) -> Json {
        self.get(path).await.ok().json()
    }

    /// Follows a link of an answer.
    pub(crate) async fn follow(&self, href: &str) -> Answer {
        let path = href
            .strip_prefix("http://town.test")
            .unwrap_or_else(|| panic!("not absolute: {href}"));
        self.get(path).await
    }
}

/// Makes an account with some roles; a token of its own for everything that they give.
pub(crate) async fn token(store: &Store, id: &str, roles: &[&str]) -> String {
    let mut person = Person::new(id, id, PersonKind::Person).unwrap();
    person.assignments = roles
        .iter()
        .map(|role| Assignment::of(Role::named(role).unwrap()))
        .collect();
    token_of(store, person).await
}

/// Keeps an account; a token of its own for everything that its roles give.
pub(crate) async fn token_of(store: &Store, person: Person) -> String {
    let owner = account(store, person).await;
    token_for(store, &owner, "test", &Scope::ALL, None).await
}

/// Keeps an account; its name.
pub(crate) async fn account(store: &Store, person: Person) -> String {
    let id = person.id.clone();
    let owner = id.clone();
    let entry = AuditEntry::new("person.create", id);
    store
        .amend("test", move |directory| {
            directory.people.insert(person.id.clone(), person);
            Ok((entry, ()))
        })
        .await
        .unwrap();
    owner
}

/// A token of an account for some scopes and, where they are named, some collections.
pub(crate) async fn token_for(
    store: &Store,
    owner: &str,
    label: &str,
    scopes: &[Scope],
    collections: Option<&[&str]>,
) -> String {
    let (secret, hash) = KeyHash::fresh(KeyKind::Token);
    let entry = AuditEntry::new("token.create", "test");
    let key = Key {
        label: label.to_owned(),
        scopes: scopes.iter().copied().collect(),
        collections: collections.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()),
        ..key(owner)
    };
    store.add_key("test", hash, key, None, entry).await.unwrap();
    secret
}

/// A token for everything.
fn key(owner: &str) -> Key {
    Key {
        kind: KeyKind::Token,
        person: owner.to_owned(),
        label: "test".to_owned(),
        scopes: Scope::ALL.into(),
        collections: None,
        proved: None,
        created: "2026-01-01T00:00:00.000Z".to_owned(),
        expires: "2999-01-01T00:00:00.000Z".to_owned(),
        seen: "2026-01-01T00:00:00.000Z".to_owned(),
    }
}

/// The link of a relation, and of a media type where one is given.
pub(crate) fn link<'a>(document: &'a Json, rel: &str, media_type: Option<&str>) -> Option<&'a str> {
    let links = document["links"].as_array()?;
    let fits = |l: &&Json| l["rel"] == rel && media_type.is_none_or(|t| l["type"] == t);
    links.iter().find(fits)?["href"].as_str()
}

pub(crate) async fn import(
    store: &Store,
    folder: &Path,
    id: &str,
    geojson: &str,
    id_property: Option<&str>,
    settings: CollectionSettings,
) {
    let mode = ImportMode::Create;
    import_as(mode, store, folder, id, geojson, id_property, settings).await;
}

pub(crate) async fn import_as(
    mode: ImportMode,
    store: &Store,
    folder: &Path,
    id: &str,
    geojson: &str,
    id_property: Option<&str>,
    settings: CollectionSettings,
) {
    let file = folder.join(format!("{id}.geojson"));
    std::fs::write(&file, geojson).unwrap();
    let job = ImportJob {
        file,
        layer: None,
        collection: CollectionId::new(id).unwrap(),
        mode,
        crs: None,
        id_property: id_property.map(str::to_owned),
        repair: false,
        strict: false,
        read: formats::ReadOptions::default(),
        settings: CollectionSettings {
            access: settings.access.or(Some(Class::Public)),
            ..settings
        },
        actor: "test".to_owned(),
    };
    let report = store.import(&job, &mut |_| {}).await.unwrap();
    assert_eq!(report.rejected, 0, "{:?}", report.rejections);
}

pub(crate) fn collection_of(features: &[String]) -> String {
    format!(
        "{{\"type\":\"FeatureCollection\",\"features\":[{}]}}",
        features.join(",\n")
    )
}

/// The south-western corner of the parcel in a row and column.
pub(crate) fn corner(row: i32, column: i32) -> [f64; 2] {
    [
        CORNER[0] + f64::from(column) * SIDE,
        CORNER[1] + f64::from(row) * SIDE,
    ]
}

pub(crate) fn square([x, y]: [f64; 2], side: f64) -> String {
    let (e, n) = (x + side, y + side);
    format!(
        "{{\"type\":\"Polygon\",\"coordinates\":[[[{x},{y}],[{e},{y}],[{e},{n}],[{x},{n}],[{x},{y}]]]}}"
    )
}

pub(crate) fn number(row: i32, column: i32) -> String {
    format!("2610100000:01:{row:03}:{column:04}")
}

fn parcels() -> String {
    let mut features = Vec::new();
    for row in 0..GRID.0 {
        for column in 0..GRID.1 {
            let n = row * GRID.1 + column;
            let day = n % 28 + 1;
            let checked = if n % 3 == 0 {
                "null".to_owned()
            } else {
                format!("\"2026-01-{day:02}T10:00:00.000Z\"")
            };
            let mut properties = String::new();
            write!(
                properties,
                "\"number\":\"{}\",\"owner\":\"Власник {n}\",\"area\":{}.5,\"floors\":{},\"built\":\"20{:02}-06-01\",\"checked\":{checked},\"used\":{}",
                number(row, column),
                100 + n,
                n % 4,
                n % 20,
                n % 2 == 0,
            )
            .unwrap();
            let geometry = square(corner(row, column), SIDE);
            features.push(format!(
                "{{\"type\":\"Feature\",\"properties\":{{{properties}}},\"geometry\":{geometry}}}"
            ));
        }
    }
    collection_of(&features)
}

fn parcel_settings() -> CollectionSettings {
    let text = |uk: &str, en: &str| Text {
        uk: uk.to_owned(),
        en: en.to_owned(),
    };
    let mut area = model::Property::new("area", model::PropertyType::Real);
    area.title = Some(text("Площа", "Area"));
    area.unit = Some("m2".to_owned());
    CollectionSettings {
        access: None,
        title: Some(text("Земельні ділянки", "Parcels")),
        description: text("Ділянки міста.", "Parcels of the town."),
        theme: Some(Theme::Cadastre),
        licence: Some("https://creativecommons.org/licenses/by/4.0/".to_owned()),
        attribution: Some("© Громада <script>".to_owned()),
        label_property: Some("number".to_owned()),
        time_property: Some("checked".to_owned()),
        searchable: Some(vec!["number".to_owned(), "owner".to_owned()]),
        properties: vec![area],
        tiles: Some(TileSettings {
            min_zoom: 5,
            max_zoom: 16,
            properties: Some(vec!["number".to_owned(), "floors".to_owned()]),
            low_zooms: Some(model::LowZooms::Keep),
        }),
    }
}

/// Longitude and latitude of each well; `None` has no geometry.
pub(crate) const WELLS: [Option<[f64; 2]>; 8] = [
    Some([24.7105, 48.9205]),
    Some([24.72, 48.93]),
    Some([179.9, 66.0]),
    Some([-179.9, 66.0]),
    Some([0.0, 89.0]),
    Some([0.0, -89.0]),
    None,
    Some([-180.0, 0.0]),
];

fn wells() -> String {
    let well = |(i, at): (usize, &Option<[f64; 2]>)| {
        let geometry = at.map_or("null".to_owned(), |[x, y]| {
            format!("{{\"type\":\"Point\",\"coordinates\":[{x},{y}]}}")
        });
        format!("{{\"type\":\"Feature\",\"properties\":{{\"depth\":{i}}},\"geometry\":{geometry}}}")
    };
    collection_of(&WELLS.iter().enumerate().map(well).collect::<Vec<_>>())
}

fn roads() -> String {
    let [x, y] = CORNER;
    let diagonal = format!("[[{x},{y}],[{},{}]]", x + 0.005, y + 0.006);
    collection_of(&[format!(
        "{{\"type\":\"Feature\",\"properties\":{{\"name\":\"вул. Шевченка\"}},\"geometry\":{{\"type\":\"LineString\",\"coordinates\":{diagonal}}}}}"
    )])
}
