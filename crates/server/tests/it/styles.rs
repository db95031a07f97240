//! Map styles: those of the map itself, those that the town puts, and what a reader gets of them (OGC API Styles, OGC 20-009, draft).

use std::collections::BTreeMap;

use axum::http::Method;
use model::access::{Class, PropertyRule, Scope, Shown};
use serde_json::{Value as Json, json};
use store::CollectionSettings;

use crate::guarded::{Guarded, Part, person, rules, set_rules};
use crate::town::{Answer, account, collection_of, import, link, token_for};

const STYLE: (&str, &str) = ("content-type", "application/vnd.mapbox.style+json");
const REL_STYLES: &str = "http://www.opengis.net/def/rel/ogc/1.0/styles";

/// Lamps that everybody sees, but for their note, and pipes that only the town sees; a publisher and an editor.
async fn town() -> Guarded {
    let mut town = Guarded::empty().await;
    let (store, folder) = (town.store.clone(), town.folder.path().to_owned());
    for id in ["lamps", "pipes"] {
        let feature = json!({ "type": "Feature", "properties": { "name": "a", "kind": "b", "note": "c" },
            "geometry": { "type": "Point", "coordinates": [24.2, 48.9] } });
        let features = collection_of(&[feature.to_string()]);
        let settings = CollectionSettings {
            label_property: Some("name".to_owned()),
            ..CollectionSettings::default()
        };
        import(&store, &folder, id, &features, None, settings).await;
    }
    let mut access = rules(Class::Public, None);
    let note = PropertyRule {
        from: Class::Staff,
        is_personal: false,
        otherwise: Shown::Not,
    };
    access.properties = BTreeMap::from([("note".to_owned(), note)]);
    set_rules(&store, "lamps", access).await;
    set_rules(&store, "pipes", rules(Class::Staff, None)).await;
    for (who, role) in [("publisher", "data-publisher"), ("editor", "gis-editor")] {
        account(&store, person(who, Some(role), Part::All)).await;
        let token = token_for(&store, who, "test", &Scope::ALL, None).await;
        town.tokens.insert(who.to_owned(), token);
    }
    town.open().await
}

async fn put(town: &Guarded, who: &str, path: &str, style: &Json) -> Answer {
    town.ask(who, Method::PUT, path, &[STYLE], style.to_string())
        .await
}

async fn post(town: &Guarded, who: &str, style: &Json) -> Answer {
    let body = style.to_string();
    town.ask(who, Method::POST, "/styles", &[STYLE], body).await
}

/// A style with a layer of each collection, one that names what the public does not see, and one of another server.
fn style() -> Json {
    let layer = |id: &str, source: &str, of: &str, colour: Json| json!({ "id": id, "type": "circle", "source": source, "source-layer": of, "paint": { "circle-color": colour } });
    json!({
        "version": 8,
        "name": "Evening town",
        "metadata": { "description": "For evenings", "license": "CC0" },
        "glyphs": "http://town.test/fonts/{fontstack}/{range}.pbf",
        "sprite": "http://town.test/sprites/hromada",
        "sources": {
            "town": { "type": "vector", "tiles": ["http://town.test/tiles/lamps,pipes/{z}/{x}/{y}"] },
            "hidden": { "type": "vector", "url": "http://town.test/tiles/pipes" },
            "other": { "type": "vector", "tiles": ["https://other.test/{z}/{x}/{y}"] },
        },
        "layers": [
            layer("lamps", "town", "lamps", json!("#ff0000")),
            layer("lamps by note", "town", "lamps", json!(["match", ["get", "note"], "c", "#00ff00", "#0000ff"])),
            layer("pipes", "town", "pipes", json!("#ff0000")),
            layer("pipes alone", "hidden", "pipes", json!("#ff0000")),
            layer("foreign", "other", "rails", json!("#ff0000")),
        ],
    })
}

fn ids(style: &Json) -> Vec<&str> {
    let layers = style["layers"].as_array().unwrap();
    layers
        .iter()
        .map(|layer| layer["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn conf_core_styles_are_listed_with_a_style_sheet_metadata_and_legend_each() {
    let town = town().await;
    let landing = town.get("", "/?f=json").await.ok().json();
    let href = link(&landing, REL_STYLES, Some("application/json")).unwrap();
    let list = town
        .get("", href.strip_prefix("http://town.test").unwrap())
        .await
        .ok()
        .json();
    let styles = list["styles"].as_array().unwrap();
    assert_eq!(list["default"], styles[0]["id"]);
    let all: Vec<&str> = styles.iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(all, ["light", "dark"]);
    for style in styles {
        assert!(!style["title"].as_str().unwrap().is_empty());
        for (rel, media_type) in [
            ("stylesheet", "application/vnd.mapbox.style+json"),
            ("describedby", "application/json"),
            ("preview", "image/svg+xml"),
        ] {
            let href = link(style, rel, Some(media_type)).unwrap();
            let answer = town
                .get("", href.strip_prefix("http://town.test").unwrap())
                .await
                .ok();
            assert_eq!(answer.header("content-type"), media_type);
        }
        let id = style["id"].as_str().unwrap();
        let metadata = town
            .get("", &format!("/styles/{id}/metadata"))
            .await
            .ok()
            .json();
        assert_eq!(metadata["id"], style["id"]);
        assert_eq!(metadata["scope"], "style");
        assert_eq!(metadata["layers"][0]["id"], "lamps");
        assert_eq!(metadata["layers"][0]["type"], "point");
        assert_eq!(
            metadata["layers"][0]["attributes"]["name"]["type"],
            "string"
        );
    }
    let page = town.get("", "/styles?f=html&lang=uk").await.ok().text();
    assert!(page.contains("/styles/light/legend") && page.contains("Стилі карти"));
}

#[tokio::test]
async fn the_map_s_own_look_is_a_style_of_what_the_reader_sees() {
    let town = town().await;
    let public = town.get("", "/styles/light").await.ok();
    let style = public.json();
    assert_eq!(style["version"], 8);
    assert_eq!(
        style["glyphs"],
        "http://town.test/fonts/{fontstack}/{range}.pbf"
    );
    assert_eq!(
        style["sources"]["hromada"]["tiles"],
        json!(["http://town.test/tiles/lamps/{z}/{x}/{y}"])
    );
    assert!(ids(&style).contains(&"lamps label"), "{:?}", ids(&style));
    let text = public.text();
    // Neither what is not seen nor marks that were not filled.
    assert!(!text.contains("pipes") && !text.contains("__"), "{text}");
    let uk = town.get("", "/styles/light?lang=uk").await.ok().text();
    assert!(uk.contains("name_uk") && !uk.contains("name_en"));
    // Points and a pixel of the tile are there.
    let tile = town.get("", "/tiles/lamps/14/9293/5618").await;
    assert!(tile.status.is_success());
    let staff = town.get("editor", "/styles/light").await.ok();
    assert!(staff.text().contains("/tiles/lamps,pipes/"));
    assert_ne!(public.header("etag"), staff.header("etag"));
}

#[tokio::test]
async fn conf_manage_styles_a_style_is_put_by_who_publishes_and_by_nobody_else() {
    let town = town().await;
    for (who, status) in [("", 401), ("editor", 403)] {
        let answer = put(&town, who, "/styles/evening", &style()).await;
        assert_eq!(answer.status, status, "{who}: {}", answer.text());
        let answer = town
            .ask(who, Method::DELETE, "/styles/light", &[], "")
            .await;
        assert_eq!(answer.status, status, "{who}");
        let answer = post(&town, who, &style()).await;
        assert_eq!(answer.status, status, "{who}");
    }
    let made = put(&town, "publisher", "/styles/evening", &style()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), "http://town.test/styles/evening");
    let again = put(&town, "publisher", "/styles/evening", &style()).await;
    assert_eq!(again.status, 204);
    let list = town.get("", "/styles").await.ok().json();
    assert_eq!(list["styles"][2]["title"], "Evening town");
    let metadata = town.get("", "/styles/evening/metadata").await.ok().json();
    assert_eq!(metadata["description"], "For evenings");
    assert_eq!(metadata["license"], "CC0");
    assert!(metadata["created"].as_str().unwrap() <= metadata["updated"].as_str().unwrap());

    // By its name, once.
    let posted = post(&town, "publisher", &style()).await;
    assert_eq!(
        posted.header("location"),
        "http://town.test/styles/evening-town"
    );
    let posted = post(&town, "publisher", &style()).await;
    assert_eq!(
        (posted.status.as_u16(), posted.key().as_str()),
        (409, "server.style-exists")
    );

    let gone = town
        .ask("publisher", Method::DELETE, "/styles/evening", &[], "")
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(town.get("", "/styles/evening").await.status, 404);
    assert_eq!(town.get("", "/styles/evening/metadata").await.status, 404);
    let again = town
        .ask("publisher", Method::DELETE, "/styles/evening", &[], "")
        .await;
    assert_eq!(again.status, 404);

    // One of ours is taken the place of, and is back.
    assert_eq!(
        put(&town, "publisher", "/styles/light", &style())
            .await
            .status,
        201
    );
    assert_eq!(
        town.get("", "/styles/light").await.json()["name"],
        "Evening town"
    );
    let restored = town
        .ask("publisher", Method::DELETE, "/styles/light", &[], "")
        .await;
    assert_eq!(restored.status, 204);
    assert_ne!(
        town.get("", "/styles/light").await.json()["name"],
        "Evening town"
    );
    let kept = town
        .ask("publisher", Method::DELETE, "/styles/light", &[], "")
        .await;
    assert_eq!(
        (kept.status.as_u16(), kept.key().as_str()),
        (409, "server.style-built-in")
    );
}

#[tokio::test]
async fn a_style_tells_nobody_of_what_they_do_not_see() {
    let town = town().await;
    assert_eq!(
        put(&town, "publisher", "/styles/evening", &style())
            .await
            .status,
        201
    );
    let public = town.get("", "/styles/evening").await.ok().json();
    assert_eq!(ids(&public), ["lamps", "foreign"]);
    assert_eq!(
        public["sources"]["town"]["tiles"],
        json!(["http://town.test/tiles/lamps/{z}/{x}/{y}"])
    );
    assert_eq!(public["sources"].as_object().unwrap().len(), 2);
    let staff = town.get("editor", "/styles/evening").await.ok().json();
    assert_eq!(ids(&staff).len(), 5);
    assert_eq!(staff["sources"], style()["sources"]);
    let metadata = town.get("", "/styles/evening/metadata").await.ok().json();
    assert_eq!(metadata["layers"].as_array().unwrap().len(), 1);
    let legend = |who: &'static str| {
        let town = &town;
        async move { town.get(who, "/styles/evening/legend").await.ok().text() }
    };
    assert!(legend("").await.contains("<svg") && !legend("").await.contains("pipes"));
    assert!(legend("editor").await.contains("pipes"));
}

#[tokio::test]
async fn two_who_change_a_style_do_not_overwrite_each_other() {
    let town = town().await;
    put(&town, "publisher", "/styles/evening", &style()).await;
    let tag = town
        .get("publisher", "/styles/evening")
        .await
        .ok()
        .header("etag")
        .to_owned();
    let mut other = style();
    other["name"] = "Night".into();
    let with = |tag: String, style: Json| {
        let town = &town;
        async move {
            let headers = [STYLE, ("if-match", tag.as_str())];
            town.ask(
                "publisher",
                Method::PUT,
                "/styles/evening",
                &headers,
                style.to_string(),
            )
            .await
        }
    };
    assert_eq!(with(tag.clone(), other).await.status, 204);
    let late = with(tag.clone(), style()).await;
    assert_eq!(
        (late.status.as_u16(), late.key().as_str()),
        (412, "store.style-changed")
    );
    let headers = [("if-match", tag.as_str())];
    let late = town
        .ask("publisher", Method::DELETE, "/styles/evening", &headers, "")
        .await;
    assert_eq!(late.status, 412);
    assert_eq!(
        town.get("", "/styles/evening").await.json()["name"],
        "Night"
    );
    let new = town.ask(
        "publisher",
        Method::PUT,
        "/styles/none",
        &[STYLE, ("if-match", "*")],
        style().to_string(),
    );
    assert_eq!(new.await.status, 412);
    let once = [STYLE, ("if-none-match", "*")];
    let there = town.ask(
        "publisher",
        Method::PUT,
        "/styles/evening",
        &once,
        style().to_string(),
    );
    assert_eq!(there.await.status, 412);
}

#[tokio::test]
async fn conf_style_validation_what_is_no_style_is_refused_with_every_place() {
    let town = town().await;
    let mut faulty = style();
    faulty["layers"][0]["type"] = "circles".into();
    faulty["layers"][1]["paint"]["circle-radius"] = "wide".into();
    let refused = put(&town, "publisher", "/styles/evening", &faulty).await;
    assert_eq!(
        (refused.status.as_u16(), refused.key().as_str()),
        (400, "server.style-faulty")
    );
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("/layers/0/type") && detail.contains("/layers/1/paint/circle-radius"),
        "{detail}"
    );
    // Looked at and not kept.
    for parameter in ["dry-run", "validate"] {
        let trial = put(
            &town,
            "publisher",
            &format!("/styles/evening?{parameter}=true"),
            &style(),
        )
        .await;
        assert_eq!(trial.status, 204, "{}", trial.text());
        let trial = put(
            &town,
            "publisher",
            &format!("/styles/evening?{parameter}=true"),
            &faulty,
        )
        .await;
        assert_eq!(trial.status, 400);
    }
    assert_eq!(town.get("", "/styles/evening").await.status, 404);
    // What MapLibre may learn to read is kept by who says so, but no style without layers.
    let lenient = [STYLE, ("prefer", "handling=lenient")];
    let kept = town
        .ask(
            "publisher",
            Method::PUT,
            "/styles/evening",
            &lenient,
            faulty.to_string(),
        )
        .await;
    assert_eq!(kept.status, 201);
    for (body, status, key) in [
        ("{", 400, "server.style-not-json"),
        ("[]", 400, "server.style-faulty"),
        (r#"{"version":8}"#, 400, "server.style-faulty"),
    ] {
        let answer = town
            .ask("publisher", Method::PUT, "/styles/evening", &lenient, body)
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.key().as_str()),
            (status, key),
            "{body}"
        );
    }
    let typed = [("content-type", "text/plain")];
    let answer = town
        .ask(
            "publisher",
            Method::PUT,
            "/styles/a",
            &typed,
            style().to_string(),
        )
        .await;
    assert_eq!(answer.status, 415);
    let answer = put(&town, "publisher", "/styles/Evening", &style()).await;
    assert_eq!(answer.key(), "access.style-id-invalid");
    let mut long = style();
    long["metadata"]["text"] = "x".repeat(600 << 10).into();
    let answer = put(&town, "publisher", "/styles/long", &long).await;
    assert_eq!(answer.key(), "store.style-too-long");
    let mut unnamed = style();
    unnamed["name"] = "Вечір".into();
    let answer = post(&town, "publisher", &unnamed).await;
    assert_eq!(answer.key(), "server.style-nameless");
}

#[tokio::test]
async fn there_are_as_many_styles_as_are_kept_in_memory() {
    let town = town().await;
    let small = json!({ "version": 8, "sources": {}, "layers": [] });
    for n in 0..64 {
        let made = put(&town, "publisher", &format!("/styles/s{n}"), &small).await;
        assert_eq!(made.status, 201, "{n}: {}", made.text());
    }
    let more = put(&town, "publisher", "/styles/more", &small).await;
    assert_eq!(more.key(), "store.styles-too-many");
    assert_eq!(town.get("", "/styles/more").await.status, 404);
    // Those that are there can still be changed, and what another process has put is seen.
    let changed = put(&town, "publisher", "/styles/s1", &style()).await;
    assert_eq!(changed.status, 204);
    town.store.refresh_directory().await.unwrap();
    let list = town.get("", "/styles").await.ok().json();
    assert_eq!(list["styles"].as_array().unwrap().len(), 66);
}
