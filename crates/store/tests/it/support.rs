//! A store in a temporary folder, and small sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::access::Editing;
use model::{ChangeSeq, CollectionId, Crs, Value};
use store::{
    Access, Action, Cause, CollectionSettings, Draft, Error, Expected, Failure, ImportJob,
    ImportMode, ImportReport, Patch, Place, Step, Store,
};

pub(crate) struct Fixture {
    /// For sources, and for a store in a folder.
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(place(folder.path())).await;
        Self { folder, store }
    }

    /// What SQL gives, columns with `|` between them, as another program would ask.
    pub(crate) fn sql(&self, sql: &str) -> String {
        match self.store.place() {
            Place::Folder(folder) => sqlite(&folder.join(store::FILE_NAME), sql),
            Place::Postgres(_) => psql(&schema_of(&self.store), sql),
        }
    }

    /// As [`Fixture::sql`], where the databases have different words.
    pub(crate) fn sql_of(&self, sqlite: &str, postgres: &str) -> String {
        match self.store.place() {
            Place::Folder(_) => self.sql(sqlite),
            Place::Postgres(_) => self.sql(postgres),
        }
    }

    /// A fixture with the collection `parcels`: three squares side by side, properties `name` and `area`.
    pub(crate) async fn with_parcels() -> Self {
        let fixture = Self::new().await;
        fixture.import(&parcels(), |_| {}).await.unwrap();
        fixture.store.load().await.unwrap();
        fixture
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) async fn import(
        &self,
        geojson: &str,
        change: impl FnOnce(&mut ImportJob),
    ) -> Result<ImportReport, Error> {
        let file = self.file("source.geojson", geojson);
        let mut job = job(&file, "parcels");
        change(&mut job);
        self.store.import(&job, &mut |_| {}).await
    }

    /// The store as a new process would find it.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await;
        let Self { folder, store } = self;
        let place = store.place().clone();
        drop(store);
        let store = open(place).await;
        Self { folder, store }
    }
}

/// A place of its own for a new store, in the backend of this test program.
pub(crate) fn place(folder: &Path) -> Place {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if !crate::ON_POSTGRES {
        return Place::Folder(folder.to_owned());
    }
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("store_{}_{n}", std::process::id());
    let url = format!("{}?schema={schema}", server());
    Place::parse(&url).unwrap()
}

/// The address of the test server's database.
pub(crate) fn server() -> String {
    std::env::var("HROMADA_TEST_POSTGRES")
        .expect("these tests need a PostgreSQL server: .ci/services cargo test …")
}

pub(crate) fn schema_of(store: &Store) -> String {
    let place = store.place().to_string();
    place.split_once("schema=").unwrap().1.to_owned()
}

pub(crate) fn psql(schema: &str, sql: &str) -> String {
    let output = Command::new("psql")
        .env("PGOPTIONS", format!("-c search_path={schema},public"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(server())
        .output()
        .expect("./test installs psql");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn sqlite(path: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .arg(path)
        .arg(sql)
        .output()
        .expect("./test installs sqlite3");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) async fn open(place: impl Into<Place>) -> Store {
    let store = Store::open(place, Access::Write).await.unwrap();
    store.load().await.unwrap();
    store
}

pub(crate) fn job(file: &Path, collection: &str) -> ImportJob {
    ImportJob {
        file: file.to_owned(),
        layer: None,
        collection: CollectionId::new(collection).unwrap(),
        mode: ImportMode::Create,
        crs: None,
        id_property: None,
        repair: false,
        strict: false,
        read: formats::ReadOptions::default(),
        settings: CollectionSettings::default(),
        actor: "test".to_owned(),
    }
}

pub(crate) fn square(x: f64, y: f64, size: f64) -> String {
    let (e, n) = (x + size, y + size);
    format!(
        r#"{{"type":"Polygon","coordinates":[[[{x},{y}],[{e},{y}],[{e},{n}],[{x},{n}],[{x},{y}]]]}}"#
    )
}

pub(crate) fn feature(geometry: &str, properties: &str) -> String {
    format!(r#"{{"type":"Feature","properties":{{{properties}}},"geometry":{geometry}}}"#)
}

pub(crate) fn collection(features: &[String]) -> String {
    format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        features.join(",")
    )
}

pub(crate) fn parcels() -> String {
    let features: Vec<String> = (0..3)
        .map(|i| {
            feature(
                &square(24.7 + f64::from(i) * 0.001, 48.9, 0.001),
                &format!(r#""name":"parcel {i}","area":{}.5"#, 100 + i),
            )
        })
        .collect();
    collection(&features)
}

pub(crate) fn draft(x: f64, name: &str) -> Draft {
    let mut geometry = Vec::new();
    let ring = [
        (x, 48.9),
        (x + 0.001, 48.9),
        (x + 0.001, 48.901),
        (x, 48.901),
        (x, 48.9),
    ];
    let polygon = geo_types::Polygon::new(ring.to_vec().into(), Vec::new());
    formats::wkb::write(&polygon.into(), &mut geometry);
    Draft {
        geometry: Some(geometry),
        crs: Crs::CRS84,
        properties: vec![Value::Text(name.into()), Value::Real(1.5)],
    }
}

pub(crate) fn key(error: &Error) -> &'static str {
    error.message().map_or("no message", |m| m.key())
}

/// Two squares in EPSG:6382 with heights, property `name`.
pub(crate) fn surveyed() -> String {
    let square = |x: f64, y: f64| {
        let (e, n) = (x + 21.37, y + 33.11);
        format!(
            r#"{{"type":"Polygon","coordinates":[[[{x},{y},310.25],[{e},{y},311.5],[{e},{n},312.75],[{x},{n},313.125],[{x},{y},310.25]]]}}"#
        )
    };
    let features = [
        feature(&square(300_100.123, 5_420_200.457), r#""name":"a""#),
        feature(&square(300_400.981, 5_420_300.003), r#""name":"b""#),
    ];
    collection(&features).replacen(
        '{',
        r#"{"crs":{"type":"name","properties":{"name":"EPSG:6382"}},"#,
        1,
    )
}

/// An action on the parcels.
pub(crate) fn action(step: Step) -> Action {
    Action {
        collection: "parcels".to_owned(),
        by: "iryna".into(),
        step,
        rules: Editing::default(),
    }
}

/// Does a step, and gives its last change.
pub(crate) async fn make(fixture: &Fixture, step: Step) -> ChangeSeq {
    let cause = Cause {
        reason: Some("because".to_owned()),
        ..Cause::default()
    };
    let done = fixture.store.transact(vec![action(step)], cause).await;
    done.map_err(Failure::into_error).unwrap().last
}

pub(crate) fn rename(id: &str, name: &str) -> Step {
    Step::Update {
        id: id.to_owned(),
        patch: Patch {
            geometry: None,
            crs: Crs::CRS84,
            properties: vec![(0, Value::Text(name.into()))],
        },
        expected: Expected::Anything,
    }
}

pub(crate) fn delete(id: &str) -> Step {
    Step::Delete {
        id: id.to_owned(),
        expected: Expected::Anything,
    }
}

/// A generator of numbers that are the same in each run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }

    pub(crate) fn part(&mut self) -> f64 {
        self.below(10_000) as f64 / 10_000.0
    }
}
