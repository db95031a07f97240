//! Files that are built in: the web app, fonts, sprites.

use crate::town::Town;

#[tokio::test]
async fn the_app_is_at_its_folder() {
    let town = Town::new().await;
    let index = town.get("/app/").await.ok();
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(index.header("cache-control"), "no-cache");
    let moved = town.get("/app").await;
    assert_eq!(
        (moved.status.as_u16(), moved.header("location")),
        (308, "/app/")
    );
}

#[tokio::test]
async fn glyphs_of_any_stack_and_range() {
    let town = Town::new().await;
    let ours = town
        .get("/fonts/Noto%20Sans%20Regular/1024-1279.pbf")
        .await
        .ok();
    assert_eq!(ours.header("content-type"), "application/x-protobuf");
    assert!(ours.body.len() > 1000);
    assert_eq!(
        town.get("/fonts/No%20Such%20Font,Other/1024-1279.pbf")
            .await
            .ok()
            .body,
        ours.body
    );
    let bold = town
        .get("/fonts/Other,Noto%20Sans%20Bold/1024-1279.pbf")
        .await
        .ok();
    assert_ne!(bold.body, ours.body);
    let rare = town
        .get("/fonts/Noto%20Sans%20Regular/19968-20223.pbf")
        .await
        .ok();
    assert!(
        rare.body.starts_with(&[0x0a]) && rare.body.len() < 60,
        "a stack without glyphs"
    );
}

#[tokio::test]
async fn sprites_in_both_densities() {
    let town = Town::new().await;
    for (file, media_type) in [
        ("hromada.json", "application/json"),
        ("hromada@2x.json", "application/json"),
        ("hromada.png", "image/png"),
        ("hromada@2x.png", "image/png"),
    ] {
        let answer = town.get(&format!("/sprites/{file}")).await.ok();
        assert_eq!(answer.header("content-type"), media_type, "{file}");
    }
}

#[tokio::test]
async fn a_file_with_a_hash_stays_immutable_when_it_is_asked_for_again() {
    let town = Town::new().await;
    let index = town.get("/app/").await.ok().text();
    let Some(at) = index.find("/app/assets/") else {
        // The app was not built into this binary.
        return;
    };
    let path = index[at..].split('"').next().unwrap();
    let first = town.get(path).await.ok();
    let again = town
        .get_with(path, &[("if-none-match", first.header("etag"))])
        .await;
    assert_eq!(again.status, 304);
    assert_eq!(again.header("cache-control"), first.header("cache-control"));
    assert!(again.header("cache-control").contains("immutable"));
}
