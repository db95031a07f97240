//! Tables of others, served as they are.

use std::time::Duration;

use model::{GeometryType, PropertyType, Value};
use store::{
    Begin, CollectionSettings, Draft, Error, Followed, ItemsQuery, Place, PublishJob, Published,
};

use crate::strangers::until;
use crate::support::{Fixture, key};

fn job(table: &str, collection: &str) -> PublishJob {
    PublishJob {
        table: table.to_owned(),
        collection: model::CollectionId::new(collection).unwrap(),
        key: None,
        geometry: None,
        is_editable: false,
        version: None,
        poll: false,
        settings: CollectionSettings::default(),
    }
}

/// A schema of others beside the store's, with a table of every type.
async fn foreign() -> (Fixture, String) {
    let fixture = Fixture::new().await;
    let place = fixture.store.place().to_string();
    let schema = format!(
        "gis_{}",
        place
            .rsplit_once('_')
            .map(|(a, n)| format!("{}_{n}", a.rsplit('_').next().unwrap()))
            .unwrap()
    );
    fixture.sql(&format!(
        "CREATE SCHEMA {schema};
         CREATE TYPE {schema}.state AS ENUM ('good', 'bad');
         CREATE TABLE {schema}.pipes (gid serial PRIMARY KEY, the_geom geometry(LineString, 6382), \"Назва\" varchar(40),
           diameter real, depth numeric(6,2), laid date, seen timestamp, checked timestamptz, works boolean, rings smallint,
           state {schema}.state, id uuid DEFAULT gen_random_uuid(), photo bytea,
           metres double precision GENERATED ALWAYS AS (ST_Length(the_geom)) STORED);
         COMMENT ON TABLE {schema}.pipes IS 'Водогін';
         COMMENT ON COLUMN {schema}.pipes.diameter IS 'Діаметр';
         INSERT INTO {schema}.pipes (the_geom, \"Назва\", diameter, depth, laid, seen, checked, works, rings, state)
           SELECT ST_SetSRID(ST_MakeLine(ST_MakePoint(300000 + i, 5420000), ST_MakePoint(300010 + i, 5420010)), 6382),
             'труба ' || i, 0.1, 1.25, '2020-02-29', '2024-01-01 10:00', '2024-01-01 10:00+02', true, i, 'good'
           FROM generate_series(1, 5) AS i;
         CREATE VIEW {schema}.good AS SELECT gid, the_geom, \"Назва\" FROM {schema}.pipes WHERE state = 'good';
         CREATE MATERIALIZED VIEW {schema}.sum AS SELECT 1 AS n, ST_Collect(the_geom) AS geom FROM {schema}.pipes"
    ));
    fixture.store.load().await.unwrap();
    (fixture, schema)
}

async fn publish(fixture: &Fixture, job: PublishJob) -> Result<Published, Error> {
    fixture.store.publish(&job, "test").await
}

#[tokio::test]
async fn a_table_is_served_as_it_is_found() {
    let (fixture, schema) = foreign().await;
    let published = publish(&fixture, job(&format!("{schema}.pipes"), "pipes"))
        .await
        .unwrap();
    assert_eq!(
        (
            published.features,
            published.key.as_str(),
            published.geometry.as_str()
        ),
        (5, "gid", "the_geom")
    );
    assert_eq!(published.followed, Followed::ByTriggers);
    assert_eq!(published.notes.len(), 1, "the photo is left out");
    let collection = &published.collection;
    assert_eq!(collection.geometry_type, GeometryType::LineString);
    assert_eq!(collection.storage_crs.code(), 6382);
    assert_eq!(collection.title.uk, "Водогін");
    let kinds: Vec<(&str, PropertyType)> = collection
        .schema
        .properties
        .iter()
        .map(|p| (p.name.as_str(), p.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("Назва", PropertyType::Text),
            ("diameter", PropertyType::Real),
            ("depth", PropertyType::Real),
            ("laid", PropertyType::Date),
            ("seen", PropertyType::DateTime),
            ("checked", PropertyType::DateTime),
            ("works", PropertyType::Boolean),
            ("rings", PropertyType::Integer),
            ("state", PropertyType::Text),
            ("id", PropertyType::Text),
            ("metres", PropertyType::Real),
        ]
    );
    let live = fixture.store.live().get("pipes").unwrap().clone();
    assert_eq!(live.index.len(), 5);
    let item = fixture.store.item(&live, "3").await.unwrap().unwrap();
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(
        item.feature.properties[..9],
        [
            text("труба 3"),
            Value::Real(0.1),
            Value::Real(1.25),
            text("2020-02-29"),
            text("2024-01-01T10:00:00.000Z"),
            text("2024-01-01T08:00:00.000Z"),
            Value::Boolean(true),
            Value::Integer(3),
            text("good"),
        ]
    );
    let page = fixture
        .store
        .items(
            &live,
            &ItemsQuery {
                limit: 2,
                ..ItemsQuery::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(
        (page.features.len(), page.number_matched, page.next),
        (2, 5, Some(Begin::After(2)))
    );
    let report = fixture.store.check(true).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    // Nothing of ours is in the table.
    let columns = fixture.sql(&format!("SELECT count(*) FROM pg_attribute WHERE attrelid = '{schema}.pipes'::regclass AND attnum > 0"));
    assert_eq!(columns.trim(), "14");
}

#[tokio::test]
async fn what_others_write_is_seen_and_what_is_written_here_is_theirs() {
    let (fixture, schema) = foreign().await;
    let table = format!("{schema}.pipes");
    publish(
        &fixture,
        PublishJob {
            is_editable: true,
            ..job(&table, "pipes")
        },
    )
    .await
    .unwrap();
    fixture.sql(&format!(
        "UPDATE {table} SET \"Назва\" = 'нова' WHERE gid = 2; DELETE FROM {table} WHERE gid = 5"
    ));
    fixture.store.catch_up().await.unwrap();
    let live = fixture.store.live().get("pipes").unwrap().clone();
    assert_eq!(live.index.len(), 4);
    let item = fixture.store.item(&live, "2").await.unwrap().unwrap();
    assert_eq!(item.feature.properties[0], Value::Text("нова".into()));
    let mut properties = item.feature.properties.clone();
    properties[8] = Value::Text("bad".into());
    properties[7] = Value::Integer(7);
    let draft = |properties| Draft {
        geometry: item.feature.geometry.clone(),
        crs: model::Crs::CRS84,
        properties,
    };
    let replaced = fixture
        .store
        .replace(
            "pipes",
            "2",
            draft(properties.clone()),
            Some(item.version),
            "t",
        )
        .await
        .unwrap();
    assert_eq!(replaced.feature.properties[8], Value::Text("bad".into()));
    let made = fixture
        .store
        .create("pipes", draft(properties.clone()), "t")
        .await
        .unwrap();
    assert_eq!(made.feature.fid, 6);
    assert_eq!(
        fixture
            .sql(&format!(
                "SELECT gid, state, rings FROM {table} WHERE gid IN (2, 6) ORDER BY gid"
            ))
            .trim(),
        "2|bad|7\n6|bad|7"
    );
    fixture.store.delete("pipes", "6", None, "t").await.unwrap();
    // What the table's own rules refuse is the caller's mistake and not a failure of ours.
    for (at, value, reason) in [
        (7, Value::Integer(1 << 40), "out of range"),
        (8, Value::Text("worst".into()), "enum"),
        (0, Value::Text("довга".repeat(20).into()), "too long"),
    ] {
        let mut wrong = properties.clone();
        wrong[at] = value;
        let error = fixture
            .store
            .replace("pipes", "2", draft(wrong), None, "t")
            .await
            .unwrap_err();
        assert_eq!(key(&error), "store.value-refused", "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert!(fixture.store.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn views_are_compared_with_what_they_were() {
    let (fixture, schema) = foreign().await;
    let view = PublishJob {
        key: Some("gid".to_owned()),
        ..job(&format!("{schema}.good"), "good")
    };
    let published = publish(&fixture, view).await.unwrap();
    assert_eq!(
        (published.features, published.followed),
        (5, Followed::ByPolling)
    );
    let sum = PublishJob {
        key: Some("n".to_owned()),
        ..job(&format!("{schema}.sum"), "sum")
    };
    publish(&fixture, sum).await.unwrap();
    let polled = PublishJob {
        poll: true,
        ..job(&format!("{schema}.pipes"), "pipes")
    };
    publish(&fixture, polled).await.unwrap();
    fixture.sql(&format!("UPDATE {schema}.pipes SET state = 'bad' WHERE gid = 1; DELETE FROM {schema}.pipes WHERE gid = 2;
        UPDATE {schema}.pipes SET \"Назва\" = 'x' WHERE gid = 3; REFRESH MATERIALIZED VIEW {schema}.sum"));
    // Following begins with a comparison of one collection after the other, each a transaction.
    fixture.store.follow();
    let begun = std::time::Instant::now();
    let wanted = "delete good 1, delete good 2, replace good 3, replace pipes 1, delete pipes 2, replace pipes 3, replace sum 1";
    let changes = loop {
        let changes = fixture.sql(
            "SELECT string_agg(operation || ' ' || r.id || ' ' || fid, ', ' ORDER BY r.id, fid) FROM hromada_changes AS c
             JOIN hromada_collections AS r ON r.n = c.collection WHERE actor = 'unknown'",
        );
        if changes.trim() == wanted || begun.elapsed() > Duration::from_secs(10) {
            break changes;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(changes.trim(), wanted);
    fixture.store.catch_up().await.unwrap();
    assert_eq!(fixture.store.live().get("good").unwrap().index.len(), 3);
    let refused = fixture
        .store
        .delete("good", "4", None, "t")
        .await
        .unwrap_err();
    assert_eq!(key(&refused), "store.collection-read-only");
    assert!(fixture.store.check(true).await.unwrap().is_clean());
    fixture
        .store
        .withdraw(&model::CollectionId::new("good").unwrap(), "test")
        .await
        .unwrap();
    assert!(fixture.store.live().get("good").is_none());
    assert_eq!(
        fixture
            .sql(&format!("SELECT count(*) FROM {schema}.good"))
            .trim(),
        "3"
    );
    fixture.store.close().await;
}

#[tokio::test]
async fn what_can_not_be_published_is_told_with_the_remedy() {
    let (fixture, schema) = foreign().await;
    fixture.sql(&format!(
        "CREATE TABLE {schema}.text_key (code text PRIMARY KEY, geom geometry(Point, 4326));
         CREATE TABLE {schema}.no_geometry (id int PRIMARY KEY);
         CREATE TABLE {schema}.two (id int PRIMARY KEY, a geometry(Point, 4326), b geometry(Point, 4326));
         CREATE TABLE {schema}.mixed (id int PRIMARY KEY, geom geometry);
         INSERT INTO {schema}.mixed VALUES (1, ST_Point(1, 1, 4326)), (2, ST_Point(1, 1, 3857));
         CREATE TABLE {schema}.own_crs (id int PRIMARY KEY, geom geometry(Point));
         INSERT INTO {schema}.own_crs VALUES (1, ST_Point(1, 1));
         CREATE TABLE {schema}.twice (id int, geom geometry(Point, 4326));
         INSERT INTO {schema}.twice VALUES (1, NULL), (1, NULL)"
    ));
    for (table, wanted) in [
        ("nowhere.nothing", "store.no-table"),
        ("a.b.c", "store.no-table"),
        ("", "store.no-table"),
        ("pg_catalog.pg_class_oid_index", "store.no-table"),
        ("text_key", "store.key-not-integer"),
        ("no_geometry", "store.no-geometry-column"),
        ("two", "store.several-geometry-columns"),
        ("mixed", "store.srid-unclear"),
        ("own_crs", "store.srid-unknown"),
        ("good", "store.no-key"),
        ("twice", "store.no-key"),
        ("hromada_changes", "store.table-own"),
    ] {
        let is_whole = table.contains('.') || table.is_empty() || table.starts_with("hromada_");
        let full = if is_whole {
            table.to_owned()
        } else {
            format!("{schema}.{table}")
        };
        let refused = publish(&fixture, job(&full, "x")).await.unwrap_err();
        assert_eq!(key(&refused), wanted, "{table}");
    }
    let twice = PublishJob {
        key: Some("id".to_owned()),
        ..job(&format!("{schema}.twice"), "x")
    };
    assert_eq!(
        key(&publish(&fixture, twice).await.unwrap_err()),
        "store.key-not-declared"
    );
    // Unique today.
    let nullable = PublishJob {
        key: Some("rings".to_owned()),
        ..job(&format!("{schema}.pipes"), "x")
    };
    assert_eq!(
        key(&publish(&fixture, nullable).await.unwrap_err()),
        "store.key-not-declared"
    );
    fixture.sql(&format!(
        "CREATE VIEW {schema}.doubled AS SELECT 1 AS id, the_geom FROM {schema}.pipes"
    ));
    let doubled = PublishJob {
        key: Some("id".to_owned()),
        ..job(&format!("{schema}.doubled"), "x")
    };
    assert_eq!(
        key(&publish(&fixture, doubled).await.unwrap_err()),
        "store.key-not-unique"
    );
    let two = PublishJob {
        geometry: Some("b".to_owned()),
        ..job(&format!("{schema}.two"), "two")
    };
    assert_eq!(publish(&fixture, two).await.unwrap().geometry, "b");
    let again = publish(&fixture, job(&format!("{schema}.pipes"), "two"))
        .await
        .unwrap_err();
    assert_eq!(key(&again), "store.collection-exists");
}

/// `ogr2ogr -overwrite` drops a table and makes it anew, and QGIS adds and drops columns.
#[tokio::test]
async fn a_table_that_is_made_anew_is_taken_as_it_is_then() {
    let (fixture, schema) = foreign().await;
    let labelled = PublishJob {
        settings: CollectionSettings {
            label_property: Some("Назва".to_owned()),
            ..CollectionSettings::default()
        },
        is_editable: true,
        ..job(&format!("{schema}.pipes"), "pipes")
    };
    publish(&fixture, labelled).await.unwrap();
    fixture.store.follow();
    let live = || fixture.store.live().get("pipes").unwrap().clone();
    fixture.sql(&format!(
        "ALTER TABLE {schema}.pipes ADD COLUMN owner text DEFAULT 'водоканал'"
    ));
    until("the new column is there", || {
        live().collection.schema.get("owner").is_some()
    })
    .await;
    assert_eq!(live().collection.title.uk, "Водогін");
    let item = fixture.store.item(&live(), "1").await.unwrap().unwrap();
    let last = fixture.sql("SELECT max(seq) FROM hromada_changes");
    assert_eq!(item.feature.properties[11], Value::Text("водоканал".into()));

    fixture.sql(&format!(
        "DROP TABLE {schema}.pipes CASCADE;
         CREATE TABLE {schema}.pipes (gid serial PRIMARY KEY, the_geom geometry(LineString, 6382), material text);
         INSERT INTO {schema}.pipes (gid, the_geom, material)
           SELECT i, ST_SetSRID(ST_MakeLine(ST_MakePoint(300000, 5420000), ST_MakePoint(300010, 5420010 + i)), 6382), 'сталь'
           FROM generate_series(4, 9) AS i"
    ));
    until("the new table is there", || {
        live().collection.schema.get("material").is_some()
    })
    .await;
    assert_eq!(live().index.len(), 6);
    assert_eq!(
        live().collection.label_property,
        None,
        "there is no such column any more"
    );
    let logged = fixture.sql(&format!(
        "SELECT string_agg(operation || fid, ' ' ORDER BY fid) FROM hromada_changes WHERE seq > {} AND actor = 'unknown'",
        last.trim()
    ));
    assert_eq!(
        logged.trim(),
        "delete1 delete2 delete3 replace4 replace5 create6 create7 create8 create9"
    );
    // One that was put aside is no business of the collection's any more.
    fixture.sql(&format!(
        "ALTER TABLE {schema}.pipes RENAME TO pipes_old; CREATE TABLE {schema}.pipes (LIKE {schema}.pipes_old INCLUDING ALL);
         INSERT INTO {schema}.pipes SELECT * FROM {schema}.pipes_old; UPDATE {schema}.pipes_old SET material = 'old';
         DELETE FROM {schema}.pipes_old WHERE gid = 4"
    ));
    let phantoms = fixture.sql("SELECT count(*) FROM hromada_changes WHERE actor = 'hromada'");
    assert_eq!(phantoms.trim(), "0");
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('SCHEMA.pipes') AND NOT tgisinternal";
    let triggers = triggers.replace("SCHEMA", &schema);
    until("the other has triggers", || {
        fixture.sql(&triggers).trim() == "4"
    })
    .await;
    // From here on its triggers tell again, and it takes writes.
    fixture.sql(&format!("DELETE FROM {schema}.pipes WHERE gid = 9"));
    fixture.store.catch_up().await.unwrap();
    assert_eq!(live().index.len(), 5);
    fixture.store.delete("pipes", "8", None, "t").await.unwrap();
    assert_eq!(live().index.len(), 4);
    let report = fixture.store.check(true).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    fixture.store.close().await;
}

#[tokio::test]
async fn a_table_that_is_published_twice_is_followed_twice() {
    let (fixture, schema) = foreign().await;
    let other = Fixture::new().await;
    let table = format!("{schema}.pipes");
    publish(&fixture, job(&table, "one")).await.unwrap();
    publish(&fixture, job(&table, "two")).await.unwrap();
    publish(&other, job(&table, "one")).await.unwrap();
    fixture.sql(&format!("DELETE FROM {table} WHERE gid = 1"));
    let id = |id: &str| model::CollectionId::new(id).unwrap();
    let len = |fixture: &Fixture, id: &str| fixture.store.live().get(id).unwrap().index.len();
    for fixture in [&fixture, &other] {
        fixture.store.catch_up().await.unwrap();
    }
    assert_eq!(
        [
            len(&fixture, "one"),
            len(&fixture, "two"),
            len(&other, "one")
        ],
        [4, 4, 4]
    );
    fixture.store.withdraw(&id("one"), "t").await.unwrap();
    fixture.sql(&format!("DELETE FROM {table} WHERE gid = 2"));
    for fixture in [&fixture, &other] {
        fixture.store.catch_up().await.unwrap();
    }
    assert_eq!([len(&fixture, "two"), len(&other, "one")], [3, 3]);
}

/// A trigger of a partition is not told what is written by way of its parent, and the other way round.
#[tokio::test]
async fn partitions_and_heirs_are_compared() {
    let (fixture, schema) = foreign().await;
    fixture.sql(&format!(
        "CREATE TABLE {schema}.calls (id bigint PRIMARY KEY, geom geometry(Point, 4326)) PARTITION BY RANGE (id);
         CREATE TABLE {schema}.calls_a PARTITION OF {schema}.calls FOR VALUES FROM (0) TO (100);
         CREATE TABLE {schema}.base (id bigint PRIMARY KEY, geom geometry(Point, 4326));
         CREATE TABLE {schema}.heir () INHERITS ({schema}.base)"
    ));
    for table in ["calls", "calls_a", "base"] {
        let published = publish(&fixture, job(&format!("{schema}.{table}"), table))
            .await
            .unwrap();
        assert_eq!(published.followed, Followed::ByPolling, "{table}");
    }
    fixture.sql(&format!(
        "INSERT INTO {schema}.calls VALUES (1, ST_Point(24, 48, 4326)); INSERT INTO {schema}.calls_a VALUES (2, ST_Point(24, 48, 4326));
         INSERT INTO {schema}.heir VALUES (3, ST_Point(24, 48, 4326))"
    ));
    fixture.store.follow();
    for (id, wanted) in [("calls", 2), ("calls_a", 2), ("base", 1)] {
        until(id, || {
            fixture.store.live().get(id).unwrap().index.len() == wanted
        })
        .await;
    }
    fixture.store.close().await;
}

/// Where no trigger tells of changes, whoever writes is still held to the version that there is.
#[tokio::test]
async fn an_edit_of_a_compared_table_is_logged_and_does_not_undo_another_s() {
    let (fixture, schema) = foreign().await;
    let polled = PublishJob {
        poll: true,
        is_editable: true,
        ..job(&format!("{schema}.pipes"), "pipes")
    };
    publish(&fixture, polled).await.unwrap();
    let store = &fixture.store;
    let live = || store.live().get("pipes").unwrap().clone();
    let first = store.item(&live(), "2").await.unwrap().unwrap();
    let mut properties = first.feature.properties.clone();
    properties[0] = Value::Text("наша".into());
    let draft = |properties: &Vec<Value>| Draft {
        geometry: first.feature.geometry.clone(),
        crs: model::Crs::CRS84,
        properties: properties.clone(),
    };
    let second = store
        .replace(
            "pipes",
            "2",
            draft(&properties),
            Some(first.version),
            "clerk",
        )
        .await
        .unwrap();
    assert!(second.version > first.version);
    assert_eq!(
        store.item(&live(), "2").await.unwrap().unwrap().version,
        second.version
    );
    let made = store
        .create("pipes", draft(&properties), "clerk")
        .await
        .unwrap();
    store
        .delete(
            "pipes",
            &made.feature.fid.to_string(),
            Some(made.version),
            "clerk",
        )
        .await
        .unwrap();
    let logged = fixture.sql("SELECT string_agg(operation || fid, ' ' ORDER BY seq) FROM hromada_changes WHERE actor = 'clerk'");
    assert_eq!(logged.trim(), "replace2 create6 delete6");
    // A write that leaves the row as it was is a change too.
    let same = store.item(&live(), "2").await.unwrap().unwrap();
    let given = Draft {
        geometry: same.feature.geometry.clone(),
        crs: model::Crs::CRS84,
        properties: same.feature.properties.clone(),
    };
    let second = store
        .replace("pipes", "2", given, Some(same.version), "idle")
        .await
        .unwrap();
    assert!(second.version > same.version);
    // Another program writes, and nobody has looked yet.
    fixture.sql(&format!(
        "UPDATE {schema}.pipes SET rings = 99 WHERE gid = 2"
    ));
    let refused = store
        .replace(
            "pipes",
            "2",
            draft(&properties),
            Some(second.version),
            "clerk",
        )
        .await
        .unwrap_err();
    assert_eq!(key(&refused), "store.version-changed");
    let third = store.item(&live(), "2").await.unwrap().unwrap();
    assert!(
        third.version > second.version,
        "the next look has the version that there is"
    );
    assert_eq!(third.feature.properties[7], Value::Integer(99));
    store
        .replace(
            "pipes",
            "2",
            draft(&properties),
            Some(third.version),
            "clerk",
        )
        .await
        .unwrap();
    // By what these rows are compared, the row is as it was.
    let by_column = PublishJob {
        poll: true,
        is_editable: true,
        version: Some("rings".to_owned()),
        ..job(&format!("{schema}.pipes"), "by-column")
    };
    publish(&fixture, by_column).await.unwrap();
    let known = store.live().get("by-column").unwrap().clone();
    let before = store.item(&known, "3").await.unwrap().unwrap();
    let mut properties = before.feature.properties.clone();
    properties[0] = Value::Text("інша".into());
    let given = Draft {
        geometry: before.feature.geometry.clone(),
        crs: model::Crs::CRS84,
        properties,
    };
    let after = store
        .replace("by-column", "3", given, Some(before.version), "t")
        .await
        .unwrap();
    assert!(after.version > before.version);
    assert!(store.check(false).await.unwrap().is_clean());
}

#[tokio::test]
async fn columns_of_any_type_can_be_asked_for_by_their_text() {
    let (fixture, schema) = foreign().await;
    publish(&fixture, job(&format!("{schema}.pipes"), "pipes"))
        .await
        .unwrap();
    let live = fixture.store.live().get("pipes").unwrap().clone();
    let item = fixture.store.item(&live, "3").await.unwrap().unwrap();
    for (position, property) in live.collection.schema.properties.iter().enumerate() {
        let value = item.feature.properties[position].clone();
        let query = ItemsQuery {
            equals: vec![(position, value)],
            limit: 10,
            ..ItemsQuery::default()
        };
        let page = fixture.store.items(&live, &query).await.unwrap();
        let found = page.features.iter().any(|f| f.fid == 3);
        assert!(found, "{}", property.name);
    }
}

#[tokio::test]
async fn a_view_whose_keys_are_not_unique_any_more_keeps_nobody_from_starting() {
    let (fixture, schema) = foreign().await;
    fixture.sql(&format!(
        "CREATE VIEW {schema}.v AS SELECT rings::int AS id, the_geom FROM {schema}.pipes"
    ));
    let view = PublishJob {
        key: Some("id".to_owned()),
        ..job(&format!("{schema}.v"), "v")
    };
    publish(&fixture, view).await.unwrap();
    publish(&fixture, job(&format!("{schema}.pipes"), "pipes"))
        .await
        .unwrap();
    fixture.sql(&format!("UPDATE {schema}.pipes SET rings = 1 WHERE gid = 2; UPDATE {schema}.pipes SET rings = NULL WHERE gid = 3"));
    let fixture = fixture.reopened().await;
    assert!(fixture.store.live().get("pipes").is_some());
    let report = fixture.store.check(false).await.unwrap();
    let named = report
        .findings
        .iter()
        .filter(|f| f.text.key() == "store.check-key")
        .count();
    assert_eq!(named, 2, "{:?}", report.findings);
}

#[tokio::test]
async fn geometries_that_no_map_draws_are_refused_and_curves_become_lines() {
    let (fixture, schema) = foreign().await;
    fixture.sql(&format!(
        "CREATE TABLE {schema}.solids (id int PRIMARY KEY, geom geometry(PolyhedralSurfaceZ, 4326));
         CREATE TABLE {schema}.\"Дахи.нові\" (id int PRIMARY KEY, geom geometry(MultiSurface, 4326));
         INSERT INTO {schema}.\"Дахи.нові\" VALUES (1, 'SRID=4326;MULTISURFACE(CURVEPOLYGON(CIRCULARSTRING(24 48, 24.1 48.1, 24.2 48, 24.1 47.9, 24 48)))')"
    ));
    let refused = publish(&fixture, job(&format!("{schema}.solids"), "solids"))
        .await
        .unwrap_err();
    assert_eq!(key(&refused), "store.geometry-kind");
    publish(&fixture, job(&format!("{schema}.\"Дахи.нові\""), "roofs"))
        .await
        .unwrap();
    let live = fixture.store.live().get("roofs").unwrap().clone();
    let item = fixture.store.item(&live, "1").await.unwrap().unwrap();
    let geometry = formats::wkb::check(&item.feature.geometry.unwrap()).unwrap();
    assert_eq!(geometry.geometry_type, GeometryType::MultiPolygon);
    assert!(live.index.get(1).unwrap().envelope().is_some());
}

/// A copy is a store of its own: what was published elsewhere is a collection like any other there.
#[tokio::test]
async fn a_copy_holds_what_was_published() {
    let (fixture, schema) = foreign().await;
    publish(&fixture, job(&format!("{schema}.pipes"), "pipes"))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let beside = crate::support::place(folder.path());
    for place in [beside, Place::Folder(folder.path().to_owned())] {
        let report = store::copy(&fixture.store, place.clone(), &mut |_| {})
            .await
            .unwrap();
        assert!(report.proof.is_same(), "{report:?}");
        let copy = crate::support::open(place).await;
        assert!(copy.check(true).await.unwrap().is_clean());
        let made = copy
            .create(
                "pipes",
                Draft {
                    geometry: None,
                    crs: model::Crs::CRS84,
                    properties: vec![Value::Null; 11],
                },
                "t",
            )
            .await
            .unwrap();
        assert_eq!(made.feature.fid, 6, "it takes writes, and keys go on");
    }
}
