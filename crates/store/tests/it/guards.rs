//! Opening: what is refused, and with which words.

use store::{Access, Store};

use crate::support::{Fixture, key, sqlite};

async fn refusal(folder: &std::path::Path) -> &'static str {
    match Store::open(folder, Access::Write).await {
        Ok(_) => "opened",
        Err(error) => key(&error),
    }
}

#[tokio::test]
async fn a_new_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let store = Store::open(&*folder, Access::Write).await.unwrap();
    let mode = |path: &std::path::Path| {
        let found = std::fs::metadata(path).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(mode(&folder), 0o700);
    // With what SQLite puts beside it while it is open.
    let beside = ["", "-wal", "-shm"].map(|end| format!("{}{end}", store::FILE_NAME));
    for name in beside {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
    drop(store);
}

#[tokio::test]
async fn a_text_file_in_the_stores_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join(store::FILE_NAME),
        "this is no database, it is a text file",
    )
    .unwrap();
    assert_eq!(refusal(folder.path()).await, "store.foreign-file");
}

#[tokio::test]
async fn a_foreign_geopackage_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data-samples/ukraine/ivano_frankivsk_admin.gpkg"
    );
    let path = folder.path().join(store::FILE_NAME);
    std::fs::copy(sample, &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert_eq!(refusal(folder.path()).await, "store.foreign-file");
    assert!(
        std::fs::read(&path).unwrap() == before,
        "a refused file must not be touched"
    );
}

#[tokio::test]
async fn a_store_of_a_newer_schema_is_refused() {
    let fixture = Fixture::new().await;
    fixture.store.close().await;
    let path = fixture.store.file().unwrap();
    let folder = fixture.folder;
    drop(fixture.store);
    sqlite(
        &path,
        "UPDATE hromada_meta SET value = '99' WHERE key = 'schema_version'",
    );
    assert_eq!(refusal(folder.path()).await, "store.newer");
}

#[tokio::test]
async fn a_store_of_no_known_schema_is_refused() {
    let fixture = Fixture::new().await;
    fixture.store.close().await;
    let path = fixture.store.file().unwrap();
    let folder = fixture.folder;
    drop(fixture.store);
    sqlite(
        &path,
        "UPDATE hromada_meta SET value = '0' WHERE key = 'schema_version'",
    );
    assert_eq!(refusal(folder.path()).await, "store.foreign-file");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_called_damaged() {
    let fixture = Fixture::with_parcels().await;
    fixture.store.close().await;
    let whole = std::fs::read(fixture.store.file().unwrap()).unwrap();
    for access in [Access::Read, Access::Write] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(store::FILE_NAME);
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let error = Store::open(folder.path(), access).await.err().unwrap();
        assert_eq!(key(&error), "store.damaged", "{access:?}: {error}");
    }
}

#[tokio::test]
async fn a_database_from_elsewhere_begins_a_new_epoch() {
    let fixture = Fixture::with_parcels().await;
    let epoch = (*fixture.store.epoch()).clone();
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join(store::FILE_NAME);
    sqlite(
        &fixture.store.file().unwrap(),
        &format!("VACUUM INTO '{}'", path.display()),
    );
    let restored = crate::support::open(other.path()).await;
    let second = (*restored.epoch()).clone();
    assert_ne!(second, epoch);
    restored.close().await;
    drop(restored);
    let again = crate::support::open(other.path()).await;
    assert_eq!(*again.epoch(), second, "and keeps it");
    let reader = Store::open(other.path(), Access::Read).await.unwrap();
    assert_eq!(*reader.epoch(), second);
}

#[tokio::test]
async fn a_second_writer_is_refused_while_readers_may_come() {
    let fixture = Fixture::with_parcels().await;
    assert_eq!(refusal(fixture.folder.path()).await, "store.locked");
    let reader = Store::open(fixture.folder.path(), Access::Read)
        .await
        .unwrap();
    assert_eq!(
        reader.summaries().await.unwrap()[0]
            .counted
            .clone()
            .unwrap()
            .0,
        3
    );
    let refused = reader
        .delete("parcels", "1", None, "test")
        .await
        .unwrap_err();
    assert_eq!(key(&refused), "store.read-only");
}

#[tokio::test]
async fn a_copy_in_another_journal_mode_can_be_read() {
    let fixture = Fixture::with_parcels().await;
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join(store::FILE_NAME);
    sqlite(
        &fixture.store.file().unwrap(),
        &format!("VACUUM INTO '{}'", path.display()),
    );
    let reader = Store::open(copy.path(), Access::Read).await.unwrap();
    assert_eq!(
        reader.summaries().await.unwrap()[0]
            .counted
            .clone()
            .unwrap()
            .0,
        3
    );
    assert!(reader.check(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn reading_where_there_is_no_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open(folder.path(), Access::Read)
        .await
        .err()
        .unwrap();
    assert_eq!(key(&error), "store.missing");
    assert!(
        std::fs::read_dir(folder.path()).unwrap().next().is_none(),
        "reading must create nothing"
    );
}

#[tokio::test]
async fn the_epoch_stays_and_differs_between_stores() {
    let one = Fixture::new().await;
    let other = Fixture::new().await;
    assert_ne!(one.store.epoch(), other.store.epoch());
    let epoch = (*one.store.epoch()).clone();
    assert_eq!(*one.reopened().await.store.epoch(), epoch);
}

#[test]
fn the_linked_sqlite_has_the_wal_fix() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Opening asserts it; the constant itself must not be lowered.
    assert!(store::MINIMUM_SQLITE >= (3, 51, 3));
    runtime.block_on(Fixture::new());
}
