//! What other programs may do to the tables, and what must not come of it.

use std::time::{Duration, Instant};

use model::Value;
use store::{Access, Draft, Error, ImportMode, ItemsQuery, Place, Store};

use crate::support::{Fixture, draft, key, open, parcels, psql, schema_of, server};

fn all() -> ItemsQuery {
    ItemsQuery {
        limit: 100,
        ..ItemsQuery::default()
    }
}

/// A fixture with a second collection, `more`.
async fn with_more() -> Fixture {
    let fixture = Fixture::with_parcels().await;
    fixture
        .import(&parcels(), |job| {
            job.collection = model::CollectionId::new("more").unwrap()
        })
        .await
        .unwrap();
    fixture
}

/// Waits for what a running store does by itself.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_column_that_is_gone_keeps_nobody_from_following_the_other_collections() {
    let fixture = with_more().await;
    let other = open(fixture.store.place().clone()).await;
    other.follow();
    fixture.sql("ALTER TABLE parcels DROP COLUMN area");
    fixture.sql("INSERT INTO parcels (name) VALUES ('x'); INSERT INTO more (name) VALUES ('y')");
    for store in [&fixture.store, &other] {
        store.catch_up().await.unwrap();
        assert_eq!(store.live().get("more").unwrap().index.len(), 4);
        store.create("more", draft(24.8, "z"), "t").await.unwrap();
        store
            .delete("more", "5", None, "t")
            .await
            .unwrap_or(model::ChangeSeq(0));
    }
    // One that knew the collection before is told what is wrong, and so is whoever checks.
    let before = Store::open(fixture.store.place().clone(), Access::Read)
        .await
        .unwrap();
    before.load().await.unwrap();
    assert!(before.live().get("parcels").is_none());
    let report = fixture.store.check(false).await.unwrap();
    let found = report.findings.iter().any(|f| {
        f.is_error
            && f.collection.as_deref() == Some("parcels")
            && f.text.key() == "store.check-column-missing"
    });
    assert!(found, "{:?}", report.findings);
    other.close().await;
}

#[tokio::test]
async fn reading_a_table_that_has_changed_says_so() {
    let fixture = Fixture::with_parcels().await;
    let live = fixture.store.live().get("parcels").unwrap().clone();
    fixture.sql("ALTER TABLE parcels RENAME COLUMN area TO size");
    let refused = fixture.store.items(&live, &all()).await.unwrap_err();
    assert_eq!(key(&refused), "store.table-changed");
    assert!(refused.to_string().contains("area"), "{refused}");
    let refused = fixture
        .store
        .create("parcels", draft(24.8, "x"), "t")
        .await
        .unwrap_err();
    assert_eq!(key(&refused), "store.table-changed");
    fixture.sql("ALTER TABLE parcels RENAME COLUMN size TO area");
    assert_eq!(
        fixture
            .store
            .items(&live, &all())
            .await
            .unwrap()
            .features
            .len(),
        3
    );
}

/// Whoever may write a table must not get the rights of its owner by it.
#[tokio::test]
async fn a_temporary_table_does_not_take_the_place_of_ours() {
    let fixture = Fixture::with_parcels().await;
    let schema = schema_of(&fixture.store);
    let role = format!("surveyor_{schema}");
    fixture.sql(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON parcels TO {role}"
    ));
    fixture.sql(&format!(
        "SET SESSION AUTHORIZATION {role};
         CREATE TEMP TABLE hromada_changes (id bigint, seq bigint, at timestamptz, actor text, collection bigint, fid bigint,
           operation text, before_geometry geometry, before_properties json);
         CREATE TEMP TABLE hromada_unnumbered (tx xid8 PRIMARY KEY);
         INSERT INTO parcels (name) VALUES ('surveyed')"
    ));
    let last =
        fixture.sql("SELECT actor, operation, fid FROM hromada_changes ORDER BY seq DESC LIMIT 1");
    assert_eq!(last.trim(), format!("{role}|create|4"));
    fixture.store.catch_up().await.unwrap();
    assert_eq!(fixture.store.live().get("parcels").unwrap().index.len(), 4);
    assert!(fixture.store.check(false).await.unwrap().is_clean());
    fixture.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[tokio::test]
async fn a_write_that_the_database_leaves_out_is_not_said_to_be_made() {
    let fixture = Fixture::with_parcels().await;
    fixture.sql(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER nothing BEFORE INSERT OR UPDATE OR DELETE ON parcels FOR EACH ROW EXECUTE FUNCTION nothing()",
    );
    let store = &fixture.store;
    let refused = [
        store.create("parcels", draft(24.8, "x"), "t").await.err(),
        store
            .replace("parcels", "1", draft(24.8, "x"), None, "t")
            .await
            .err(),
        store.delete("parcels", "1", None, "t").await.err(),
    ];
    for error in refused {
        let error = error.expect("nothing was written");
        assert_eq!(key(&error), "store.write-ignored");
        assert!(matches!(error, Error::Denied(_)));
    }
    fixture.sql("DROP TRIGGER nothing ON parcels");
    fixture.sql(
        "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'ділянку заарештовано'; END$$;
         CREATE TRIGGER refuses BEFORE UPDATE ON parcels FOR EACH ROW EXECUTE FUNCTION refuses()",
    );
    let error = store
        .replace("parcels", "1", draft(24.8, "x"), None, "t")
        .await
        .unwrap_err();
    assert_eq!(key(&error), "store.value-refused");
    assert!(
        error.to_string().contains("ділянку заарештовано"),
        "{error}"
    );
}

#[tokio::test]
async fn a_table_that_is_replaced_keeps_the_rights_of_others_and_what_is_built_on_it() {
    let fixture = Fixture::with_parcels().await;
    let role = format!("reader_{}", schema_of(&fixture.store));
    fixture.sql(&format!(
        "CREATE ROLE {role}; GRANT SELECT ON parcels TO {role} WITH GRANT OPTION; GRANT UPDATE ON parcels TO PUBLIC"
    ));
    let rights = "SELECT string_agg(grantee || ' ' || privilege_type || ' ' || is_grantable, ', ' ORDER BY 1)
       FROM information_schema.table_privileges WHERE table_schema = current_schema() AND table_name = 'parcels' AND grantee <> 'hromada'";
    let before = fixture.sql(rights);
    assert!(before.contains("PUBLIC UPDATE NO"), "{before}");
    fixture
        .import(&parcels(), |job| job.mode = ImportMode::Replace)
        .await
        .unwrap();
    assert_eq!(fixture.sql(rights), before);
    fixture.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));

    fixture.sql("CREATE VIEW large AS SELECT * FROM parcels; CREATE TABLE leases (parcel bigint REFERENCES parcels)");
    let refused = fixture
        .import(&parcels(), |job| job.mode = ImportMode::Replace)
        .await
        .unwrap_err();
    assert_eq!(key(&refused), "store.table-needed");
    let text = refused.to_string();
    assert!(text.contains("large") && text.contains("leases"), "{text}");
    fixture
        .import(&parcels(), |job| job.mode = ImportMode::Append)
        .await
        .unwrap();
}

#[tokio::test]
async fn triggers_that_somebody_takes_away_come_back_with_what_went_by_unseen() {
    let fixture = Fixture::with_parcels().await;
    fixture.sql(
        "DO $$ DECLARE t record; BEGIN
           FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'parcels'::regclass AND NOT tgisinternal
           LOOP EXECUTE format('DROP TRIGGER %I ON parcels', t.tgname); END LOOP; END $$;
         DELETE FROM parcels WHERE fid = 1; UPDATE parcels SET name = 'unseen' WHERE fid = 2; INSERT INTO parcels (name) VALUES ('more')",
    );
    let lacking = fixture.store.check(false).await.unwrap();
    assert!(
        lacking
            .findings
            .iter()
            .any(|f| f.text.key() == "store.check-triggers")
    );
    fixture.store.follow();
    let logged = "SELECT string_agg(operation || fid, ' ' ORDER BY seq) FROM hromada_changes WHERE actor = 'unknown'";
    until("the log has what went by", || {
        fixture.sql(logged).trim() == "delete1 replace2 replace3 create4"
    })
    .await;
    fixture.sql("UPDATE parcels SET name = 'seen' WHERE fid = 3");
    fixture.store.catch_up().await.unwrap();
    let report = fixture.store.check(false).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    fixture.store.close().await;
}

#[tokio::test]
async fn keys_that_no_program_could_write_exactly_are_refused_by_the_table() {
    let fixture = Fixture::with_parcels().await;
    let refused = fixture.sql(
        "DO $$ BEGIN INSERT INTO parcels (fid) VALUES (9223372036854775807); EXCEPTION WHEN check_violation THEN
           CREATE TABLE was_refused (); END $$; SELECT to_regclass('was_refused')",
    );
    assert_eq!(refused.trim(), "was_refused");
    let made = fixture
        .store
        .create("parcels", draft(24.8, "x"), "t")
        .await
        .unwrap();
    assert_eq!(made.feature.fid, 4);
}

#[tokio::test]
async fn a_geometry_column_in_another_crs_is_found() {
    let fixture = Fixture::with_parcels().await;
    assert!(fixture.store.check(false).await.unwrap().is_clean());
    fixture.sql("ALTER TABLE parcels ALTER COLUMN geom TYPE geometry(Polygon, 3857) USING ST_Transform(geom, 3857)");
    let report = fixture.store.check(false).await.unwrap();
    let found = report
        .findings
        .iter()
        .any(|f| f.text.key() == "store.check-column-type");
    assert!(found, "{:?}", report.findings);
}

/// A value that can't be served is served as null; whoever gives it back as it came has not taken it away.
#[tokio::test]
async fn what_can_not_be_served_survives_an_edit_of_something_else() {
    let fixture = Fixture::new().await;
    let source = r#"{"type":"FeatureCollection","features":[{"type":"Feature",
      "properties":{"name":"a","built":"1999-01-01","seen":"2024-01-01T10:00:00Z"},"geometry":{"type":"Point","coordinates":[24.7,48.9]}}]}"#;
    fixture.import(source, |_| {}).await.unwrap();
    fixture.store.load().await.unwrap();
    fixture.sql("UPDATE parcels SET built = '0044-03-15 BC', seen = 'infinity'");
    fixture.store.catch_up().await.unwrap();
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let item = fixture.store.item(&live, "1").await.unwrap().unwrap();
    assert_eq!(item.feature.properties[1..], [Value::Null, Value::Null]);
    let mut properties = item.feature.properties.clone();
    properties[0] = Value::Text("b".into());
    let given = Draft {
        geometry: item.feature.geometry.clone(),
        crs: model::Crs::CRS84,
        properties,
    };
    fixture
        .store
        .replace("parcels", "1", given, Some(item.version), "t")
        .await
        .unwrap();
    assert_eq!(
        fixture.sql("SELECT name, built, seen FROM parcels").trim(),
        "b|0044-03-15 BC|infinity"
    );
}

/// Whoever holds a row keeps its own editors waiting, and nobody else.
#[tokio::test]
async fn many_who_wait_for_one_row_do_not_make_the_database_look_away() {
    let fixture = Fixture::with_parcels().await;
    fixture.store.follow();
    let schema = schema_of(&fixture.store);
    let holder = std::thread::spawn(move || {
        psql(
            &schema,
            "BEGIN; SELECT 1 FROM parcels WHERE fid = 1 FOR UPDATE; SELECT pg_sleep(4); COMMIT",
        )
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut waiting = tokio::task::JoinSet::new();
    for i in 0..24 {
        let store = fixture.store.clone();
        waiting.spawn(async move {
            store
                .replace("parcels", "1", draft(24.8, &i.to_string()), None, "t")
                .await
                .map(|_| ())
        });
    }
    let live = fixture.store.live().get("parcels").unwrap().clone();
    while !holder.is_finished() {
        let page = fixture.store.items(&live, &all()).await.unwrap();
        assert_eq!(page.features.len(), 3);
        assert!(!fixture.store.lag().unwrap().is_away);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut written = 0;
    while let Some(done) = waiting.join_next().await {
        match done.unwrap() {
            Ok(()) => written += 1,
            Err(error) => assert_eq!(key(&error), "store.busy"),
        }
    }
    assert!(written > 0);
    fixture.store.close().await;
}

#[tokio::test]
async fn a_table_that_somebody_locks_keeps_only_its_own_readers_waiting() {
    let fixture = with_more().await;
    fixture.store.follow();
    let schema = schema_of(&fixture.store);
    let holder = std::thread::spawn(move || {
        psql(
            &schema,
            "BEGIN; LOCK TABLE more; SELECT pg_sleep(3); COMMIT",
        )
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut written = 3;
    while !holder.is_finished() {
        fixture
            .store
            .create("parcels", draft(24.8, "x"), "t")
            .await
            .unwrap();
        written += 1;
        assert_eq!(
            fixture.store.live().get("parcels").unwrap().index.len(),
            written
        );
    }
    fixture.store.close().await;
}

/// A change that waits behind a lock keeps no other collection waiting, and the server stays ready.
#[tokio::test]
async fn a_change_of_a_table_that_somebody_holds_is_followed_later() {
    let fixture = with_more().await;
    let other = open(fixture.store.place().clone()).await;
    let schema = schema_of(&fixture.store);
    // The lock is asked for while the change is not committed yet, and given with its commit.
    let (held, changed) = (schema.clone(), schema);
    let change = std::thread::spawn(move || {
        psql(
            &changed,
            "BEGIN; UPDATE more SET name = 'changed'; INSERT INTO more (name) VALUES ('made'); SELECT pg_sleep(1); COMMIT",
        )
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let holder = std::thread::spawn(move || {
        psql(&held, "BEGIN; LOCK TABLE more; SELECT pg_sleep(14); COMMIT")
    });
    change.join().unwrap();
    other.follow();
    fixture.store.follow();
    let mut made = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        let at = fixture
            .store
            .create("parcels", draft(24.8, "x"), "t")
            .await
            .unwrap()
            .version;
        made += 1;
        other.catch_up().await.unwrap();
        // Nobody is told that a collection has what it has not.
        assert!(!other.reached(at, Duration::from_millis(10)).await);
        assert_eq!(other.live().get("parcels").unwrap().index.len(), 3 + made);
        assert!(other.lag().unwrap().since_current < Duration::from_secs(5));
        assert!(other.live().get("more").is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    holder.join().unwrap();
    // A new change of it is not waited for until the next attempt.
    fixture.sql("UPDATE more SET name = 'free' WHERE fid = 1");
    let last = fixture.sql("SELECT max(seq) FROM hromada_changes");
    other.catch_up().await.unwrap();
    assert!(
        other
            .reached(
                model::ChangeSeq(last.trim().parse().unwrap()),
                Duration::from_secs(1)
            )
            .await
    );
    for store in [&fixture.store, &other] {
        until("the change is followed", || {
            store.live().get("more").unwrap().index.len() == 4
        })
        .await;
        assert!(store.check(false).await.unwrap().is_clean());
    }
    other.close().await;
    fixture.store.close().await;
}

#[tokio::test]
async fn a_schema_that_was_renamed_is_refused_with_the_way_back() {
    let fixture = Fixture::with_parcels().await;
    let schema = schema_of(&fixture.store);
    fixture.store.close().await;
    psql(
        "public",
        &format!("ALTER SCHEMA {schema} RENAME TO {schema}_old"),
    );
    let place = Place::parse(&format!("{}?schema={schema}_old", server())).unwrap();
    let refused = Store::open(place, Access::Write).await.err().unwrap();
    assert_eq!(key(&refused), "store.schema-renamed");
    let remedy = format!("ALTER SCHEMA {schema}_old RENAME TO {schema};");
    assert!(refused.to_string().contains(&remedy), "{refused}");
    psql("public", &remedy);
    Store::open(fixture.store.place().clone(), Access::Write)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_table_that_is_locked_when_a_server_starts_comes_when_it_is_free() {
    let fixture = with_more().await;
    let schema = schema_of(&fixture.store);
    let holder = std::thread::spawn(move || {
        psql(
            &schema,
            "BEGIN; LOCK TABLE more; SELECT pg_sleep(8); COMMIT",
        )
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let store = open(fixture.store.place().clone()).await;
    store.follow();
    assert_eq!(store.live().get("parcels").unwrap().index.len(), 3);
    store
        .create("parcels", draft(24.8, "x"), "t")
        .await
        .unwrap();
    assert_eq!(store.live().get("parcels").unwrap().index.len(), 4);
    assert!(!holder.is_finished());
    until("the collection comes", || {
        store.live().get("more").is_some()
    })
    .await;
    assert_eq!(store.live().get("more").unwrap().index.len(), 3);
    store.close().await;
}

/// A right to a trigger's function would let others put it on tables of their own and write what they like into the log.
#[tokio::test]
async fn nobody_else_may_call_what_writes_the_log() {
    let fixture = Fixture::with_parcels().await;
    let schema = schema_of(&fixture.store);
    let role = format!("forger_{schema}");
    fixture.sql(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}"
    ));
    let callable = fixture.sql(&format!(
        "SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = '{schema}'::regnamespace AND has_function_privilege('{role}', oid, 'EXECUTE')"
    ));
    assert_eq!(callable.trim(), "");
    fixture.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// Whoever alters a table writes to it too, and must not be hindered by our log.
#[tokio::test]
async fn a_write_goes_well_whatever_was_done_to_the_columns_before_it() {
    let fixture = Fixture::with_parcels().await;
    fixture.store.follow();
    fixture.sql(
        "BEGIN; ALTER TABLE parcels RENAME COLUMN area TO size; UPDATE parcels SET size = 1 WHERE fid = 1;
         DELETE FROM parcels WHERE fid = 2; COMMIT; INSERT INTO parcels (name) VALUES ('more')",
    );
    let logged = fixture.sql("SELECT string_agg(operation || fid, ' ' ORDER BY seq) FROM hromada_changes WHERE actor = 'hromada'");
    assert_eq!(logged.trim(), "replace1 delete2 create4");
    // Left out while the column is away, and back with it, though nobody tells.
    until("it is left out", || {
        fixture.store.live().get("parcels").is_none()
    })
    .await;
    fixture.sql("ALTER TABLE parcels RENAME COLUMN size TO area");
    until("it is back", || {
        fixture.store.live().get("parcels").is_some()
    })
    .await;
    assert_eq!(fixture.store.live().get("parcels").unwrap().index.len(), 3);
    let report = fixture.store.check(false).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    // Even when the log can't name the features any more.
    fixture.sql("BEGIN; ALTER TABLE parcels RENAME COLUMN fid TO id; UPDATE parcels SET name = 'x'; COMMIT; ALTER TABLE parcels RENAME COLUMN id TO fid");
    fixture.store.close().await;
}
