//! Requirements class HTML (OGC 17-069r4 §8.2): pages for people, in two languages, safe with any text.

use axum::body::Body;
use axum::http::Method;

use crate::town::{Answer, Town, number};

const BROWSER: (&str, &str) = (
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

/// Elements without an end (HTML §13.1.2).
const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "wbr"];

/// Holds a page against a small part of HTML's grammar: elements nest, attributes are quoted.
#[track_caller]
fn check_page(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    let text = answer.text();
    let mut open: Vec<&str> = Vec::new();
    for tag in text.split('<').skip(1) {
        let (tag, _) = tag
            .split_once('>')
            .unwrap_or_else(|| panic!("an open tag: {tag}"));
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(end) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(end), "{text}");
        } else if !name.starts_with('!') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(text.matches("<h1>").count(), 1);
    assert_eq!(text.matches("<main ").count(), 1);
    assert!(!text.contains("server."), "a text is missing: {text}");
    assert!(
        !text.contains("style=\"") && !text.contains("onclick"),
        "{text}"
    );
    text
}

#[tokio::test]
async fn req_html_content_every_resource_has_a_page() {
    let town = Town::new().await;
    let item = format!("/collections/parcels/items/{}", number(0, 0));
    for path in [
        "/",
        "/conformance",
        "/api",
        "/collections",
        "/collections/parcels",
        "/collections/wells",
        "/collections/parcels/items",
        &item,
        "/collections/wells/items/7",
    ] {
        for lang in ["uk", "en"] {
            let answer = town
                .get_with(path, &[BROWSER, ("accept-language", lang)])
                .await
                .ok();
            assert_eq!(answer.header("content-language"), lang, "{path}");
            let page = check_page(&answer);
            assert!(page.contains(&format!("<html lang=\"{lang}\">")), "{path}");
            assert!(page.contains("aria-current=\"true\">"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_collection_page_has_title_licence_properties_and_map() {
    let town = Town::new().await;
    let page = check_page(
        &town
            .get_with("/collections/parcels?lang=uk", &[BROWSER])
            .await
            .ok(),
    );
    for text in [
        "Земельні ділянки",
        "Ділянки міста.",
        "https://creativecommons.org/licenses/by/4.0/",
        "Площа",
        "м²",
        "area",
    ] {
        assert!(page.contains(text), "{text}");
    }
    for attribute in [
        "id=\"page-map\"",
        "data-collection=\"parcels\"",
        "data-tiles=\"/tiles/parcels\"",
        "data-bbox=\"24.71,48.92,",
    ] {
        assert!(page.contains(attribute), "{attribute}");
    }
    assert!(page.contains("src=\"/app/page-map.js\""));
    assert!(
        page.contains("href=\"/collections/parcels/items?lang=uk\""),
        "links keep the language"
    );
}

#[tokio::test]
async fn an_items_page_leads_to_the_next_and_to_each_feature() {
    let town = Town::new().await;
    let page = check_page(
        &town
            .get_with("/collections/parcels/items?limit=4&floors=1", &[BROWSER])
            .await
            .ok(),
    );
    assert!(page.contains("8 features found"), "{page}");
    assert!(page.contains(&format!(
        "href=\"/collections/parcels/items/{}\"",
        number(0, 1)
    )));
    let next = page
        .split("rel=\"next\"")
        .next()
        .unwrap()
        .rsplit("href=\"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&")
        .replace("&amp;", "&");
    let second = check_page(&town.get_with(&next, &[BROWSER]).await.ok());
    assert!(
        second.contains("rel=\"first\"") && !second.contains("rel=\"next\""),
        "{next}: {second}"
    );
}

#[tokio::test]
async fn texts_of_others_stay_texts() {
    let town = Town::with_edits().await;
    let hostile = "<img src=x onerror=alert(1)>\"'</script>&";
    let body = serde_json::json!({ "type": "Feature", "properties": { "number": hostile, "owner": "javascript:alert(1)" }, "geometry": null });
    let headers = [("content-type", "application/geo+json")];
    let made = town
        .request(
            Method::POST,
            "/collections/parcels/items",
            &headers,
            body.to_string(),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let place = made
        .header("location")
        .strip_prefix("http://town.test")
        .unwrap()
        .to_owned();
    for path in [
        place.as_str(),
        "/collections/parcels/items",
        "/collections/parcels",
        "/collections/%3Cscript%3Ealert(1)%3C/script%3E",
        "/?x=%3Cscript%3E",
        "/tiles/%22%3E%3Cscript%3E",
    ] {
        let page = town.get_with(path, &[BROWSER]).await.text();
        // The one image is the mark beside the name of the server.
        assert_eq!(page.matches("<img").count(), 1, "{path}: {page}");
        assert!(!page.contains("<script>"), "{path}: {page}");
        assert!(!page.contains("href=\"javascript:"), "{path}");
    }
}

#[tokio::test]
async fn an_error_is_a_page_for_browsers_and_a_problem_for_programs() {
    let town = Town::new().await;
    let page = town
        .get_with(
            "/collections/nothing",
            &[BROWSER, ("accept-language", "uk")],
        )
        .await;
    assert_eq!(page.status, 404);
    let text = check_page(&page);
    assert!(
        text.contains("Не знайдено") && text.contains("nothing"),
        "{text}"
    );
    assert!(
        text.contains(page.header("x-request-id")),
        "the page names the request"
    );
    for headers in [
        vec![],
        vec![("accept", "*/*")],
        vec![("accept", "application/json")],
    ] {
        let problem = town.get_with("/collections/nothing", &headers).await;
        assert_eq!(problem.header("content-type"), "application/problem+json");
    }
    let posted = town
        .request(Method::POST, "/collections", &[BROWSER], Body::empty())
        .await;
    assert_eq!(
        (posted.status.as_u16(), posted.header("allow")),
        (405, "GET,HEAD")
    );
}

#[tokio::test]
async fn values_are_written_as_the_language_writes_them() {
    let town = Town::new().await;
    let path = format!("/collections/parcels/items/{}", number(0, 1));
    for (lang, texts) in [
        (
            "uk",
            [
                "101,5&nbsp;<span class=\"unit\">м²</span>",
                "1\u{a0}червня 2001\u{a0}р.",
                "Показати на карті",
            ],
        ),
        (
            "en",
            [
                "101.5&nbsp;<span class=\"unit\">m²</span>",
                "1\u{a0}June 2001",
                "Show on the map",
            ],
        ),
    ] {
        let answer = town
            .get_with(&path, &[BROWSER, ("accept-language", lang)])
            .await
            .ok();
        let page = check_page(&answer);
        for text in texts {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(
            page.contains(
                "/app/#map=17.17/48.920500/24.711500&#38;sel=parcels/2610100000:01:000:0001"
            ),
            "{page}"
        );
    }
}

#[tokio::test]
async fn the_table_of_features_names_each_once_and_pages_above_and_below() {
    let town = Town::new().await;
    let answer = town
        .get_with("/collections/parcels/items?limit=2", &[BROWSER])
        .await
        .ok();
    let page = check_page(&answer);
    let cell = format!(">{}<", number(0, 0));
    assert_eq!(page.matches(&cell).count(), 1, "the id is the label");
    assert_eq!(page.matches("rel=\"next\"").count(), 2);
    assert!(
        page.contains("<td data-name=\"Площа\" class=\"number\">")
            || page.contains("<td data-name=\"Area\" class=\"number\">"),
        "{page}"
    );
    // Wells have no label: the integer id leads to them.
    let answer = town
        .get_with("/collections/wells/items", &[BROWSER])
        .await
        .ok();
    assert!(check_page(&answer).contains("<th scope=\"col\">id</th>"));
}

#[tokio::test]
async fn the_map_of_a_page_draws_as_many_features_as_its_table() {
    let town = Town::new().await;
    for (query, rows) in [("", 30), ("?limit=7", 7)] {
        let path = format!("/collections/parcels/items{query}");
        let page = town
            .get_with(&path, &[("accept", "text/html")])
            .await
            .ok()
            .text();
        let url = page.split("data-geojson-url=\"").nth(1).unwrap();
        let url = url
            .split('"')
            .next()
            .unwrap()
            .replace("&#38;", "&")
            .replace("&amp;", "&");
        let drawn = town.json(&url).await;
        assert_eq!(drawn["numberReturned"], rows, "{url}");
        assert!(url.contains(&format!("limit={rows}")), "{url}");
    }
}

#[tokio::test]
async fn the_overview_of_the_api_has_each_path_once_and_classes_have_names() {
    let town = Town::new().await;
    let page = check_page(&town.get_with("/api?f=html&lang=en", &[BROWSER]).await.ok());
    let items = "/<wbr>collections/<wbr>{collectionId}/<wbr>items<wbr>";
    assert_eq!(page.matches(items).count(), 1, "{page}");
    assert!(!page.contains("parcels"), "{page}");
    let page = check_page(&town.get_with("/conformance?f=html", &[BROWSER]).await.ok());
    assert!(page.contains("OGC API – Features – Part 1: Core") && page.contains("GeoJSON"));
    for class in town.json("/conformance").await["conformsTo"]
        .as_array()
        .unwrap()
    {
        assert!(
            page.contains(class.as_str().unwrap()),
            "{class} is in no group"
        );
    }
}

#[tokio::test]
async fn pages_have_the_font_of_the_app() {
    let town = Town::new().await;
    let css = town.get("/pages.css").await.ok().text();
    // Without a built app there is no font either.
    let Some((_, rest)) = css.split_once("src:url(") else {
        return;
    };
    let path = rest.split(')').next().unwrap();
    let font = town.get(&format!("/{path}")).await.ok();
    assert_eq!(font.header("content-type"), "font/woff2");
}
