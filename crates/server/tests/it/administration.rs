//! The pages of administration.

use model::access::{Class, InvalidRule, PropertyRule, Shown};
use store::AuditFilter;

use crate::accounts::PARCELS;
use crate::browser::{PASSWORD, add, cookie, encoded, hidden, page, send, sign_in, town_with};
use crate::guarded::{rules, set_rules};

#[tokio::test]
async fn an_administrator_makes_accounts_and_gives_roles() {
    let town = town_with("chief", &["administrator"]).await;
    let own = cookie(&sign_in(&town, "chief", PASSWORD).await);
    let fields = [("id", "ivan"), ("name", "Іван"), ("kind", "person")];
    let made = send(&town, "/admin/people", &own, &fields).await;
    assert_eq!(
        made.header("location"),
        "/admin/people/ivan",
        "{}",
        made.text()
    );
    let again = send(&town, "/admin/people", &own, &fields).await;
    assert_eq!(
        again.status, 422,
        "an account is never given to somebody else"
    );
    let act = async |fields: &[(&str, &str)]| send(&town, "/admin/people/ivan", &own, fields).await;
    let given = act(&[("do", "give"), ("role", "planner"), ("until", "2999-01-01")]).await;
    assert_eq!(given.status, 303, "{}", given.text());
    assert_eq!(
        act(&[("do", "give"), ("role", "emperor")]).await.status,
        422
    );
    let link = act(&[("do", "link")]).await.ok().text();
    let code = link.split("/account/link?code=").nth(1).unwrap();
    let code = code.split('<').next().unwrap();
    let fields = [("code", code), ("new", PASSWORD)];
    let inside = cookie(&send(&town, "/account/link", "", &fields).await);
    assert_eq!(
        page(&town, "/account/me", &inside).await.json()["id"],
        "ivan"
    );
    for path in [
        "/admin",
        "/admin/people",
        "/admin/units",
        "/admin/access",
        "/admin/audit",
    ] {
        assert_eq!(page(&town, path, &inside).await.status, 403, "{path}");
        assert_eq!(page(&town, path, "").await.status, 401, "{path}");
    }
    assert_eq!(
        act(&[
            ("do", "take"),
            ("place", "0"),
            ("what", "Planner, …2999-01-01")
        ])
        .await
        .status,
        303
    );
    assert!(town.store.directory().people["ivan"].assignments.is_empty());
    assert_eq!(act(&[("do", "disable")]).await.status, 303);
    assert!(page(&town, "/account/me", &inside).await.json()["id"].is_null());
    for path in [
        "/admin",
        "/admin/people",
        "/admin/people/ivan",
        "/admin/units",
        "/admin/roles",
        "/admin/access",
    ] {
        page(&town, path, &own).await.ok();
    }
    assert_eq!(
        page(&town, "/admin/audit", &own).await.status,
        403,
        "who keeps the accounts does not read the log"
    );
}

#[tokio::test]
async fn reading_about_people_is_audited_and_nobody_keeps_the_answer() {
    let town = town_with("chief", &["administrator"]).await;
    let owner = PropertyRule {
        from: Class::Staff,
        otherwise: Shown::Not,
        is_personal: true,
    };
    let mut rules = rules(Class::Public, None);
    rules.properties.insert("owner".to_owned(), owner);
    set_rules(&town.store, "parcels", rules).await;
    for (id, roles) in [("olha", ["operator"]), ("petro", ["registrar"])] {
        add(&town, id, &roles).await;
    }
    let read = async |id: &str| {
        let filter = AuditFilter {
            actor: Some(id.to_owned()),
            action: Some("personal.read".to_owned()),
            limit: 10,
            ..AuditFilter::default()
        };
        town.store.audited(&filter).await.unwrap()
    };
    let olha = cookie(&sign_in(&town, "olha", PASSWORD).await);
    let answer = page(&town, PARCELS, &olha).await.ok();
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert!(
        read("olha").await.is_empty(),
        "there was nothing about people"
    );
    let petro = cookie(&sign_in(&town, "petro", PASSWORD).await);
    let list = format!("{PARCELS}&owner=nobody");
    let answer = page(&town, &list, &petro).await.ok();
    assert_eq!(answer.header("cache-control"), "no-store");
    let one = page(&town, "/collections/parcels/items?limit=1", &petro).await;
    let id = one.ok().json()["features"][0]["id"].clone();
    let id = id.as_str().unwrap();
    let path = format!("/collections/parcels/items/{}", encoded(id));
    page(&town, &path, &petro).await.ok();
    let records = read("petro").await;
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|r| r.subject == "parcels" && r.detail.contains("owner"))
    );
    assert!(records[0].detail.contains(id), "{}", records[0].detail);
    let asked = &records[2].detail;
    assert!(
        !asked.contains("nobody"),
        "a filter may be about somebody: {asked}"
    );
}

#[tokio::test]
async fn rules_of_the_form_hold_at_once_and_are_audited() {
    let town = town_with("chief", &["administrator"]).await;
    add(&town, "olena", &["auditor"]).await;
    let own = cookie(&sign_in(&town, "chief", PASSWORD).await);
    let form = page(&town, "/admin/access/parcels", &own).await.ok().text();
    assert!(form.contains("from:owner"));
    let fields = [
        ("class", "public"),
        ("history", "unit"),
        ("invalid", "refuse"),
        ("ids", "2610100000:01:001:{n:4}"),
        ("from:owner", "staff"),
        ("personal:owner", "yes"),
        ("below", "staff"),
        ("filter", "floors > 0"),
    ];
    let before = town.json("/collections/parcels/items?limit=1000").await;
    let save = async |fields: &[(&str, &str)]| {
        let form = page(&town, "/admin/access/parcels", &own).await.ok().text();
        let state = hidden(&form, "state");
        let all = [&[("state", state.as_str())], fields].concat();
        send(&town, "/admin/access/parcels", &own, &all).await
    };
    let stale = send(&town, "/admin/access/parcels", &own, &fields).await;
    assert_eq!(
        stale.status, 409,
        "a form of an earlier state would drop rules"
    );
    let saved = save(&fields).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    let after = town.json("/collections/parcels/items?limit=1000").await;
    assert!(before["features"][0]["properties"]["owner"].is_string());
    assert!(after["features"][0]["properties"].get("owner").is_none());
    assert!(after["numberMatched"].as_i64() < before["numberMatched"].as_i64());
    assert_eq!(
        town.get("/collections/parcels/items?owner=x").await.status,
        400
    );
    let rules = town.store.directory().access("parcels");
    assert_eq!(rules.history, Class::Unit);
    assert_eq!(rules.editing.invalid, InvalidRule::Refuse);
    assert!(rules.editing.ids.is_some() && !rules.editing.is_strict);
    let bad = [
        ("class", "public"),
        ("history", "unit"),
        ("invalid", "refuse"),
        ("below", "staff"),
        ("filter", "nonsense = 1"),
    ];
    let refused = save(&bad).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("nonsense"));
    let auditor = cookie(&sign_in(&town, "olena", PASSWORD).await);
    let log = page(&town, "/admin/audit?action=access&verify=1", &auditor)
        .await
        .ok()
        .text();
    assert!(
        log.contains("access.change") && log.contains("floors &#62; 0")
            || log.contains("floors &gt; 0"),
        "{log}"
    );
    // A closed collection is as one that is not there.
    let closed = save(&[
        ("class", "restricted"),
        ("history", "staff"),
        ("invalid", "flag"),
    ])
    .await;
    assert_eq!(closed.status, 303);
    let gone = town.get("/collections/parcels").await;
    let never = town.get("/collections/never").await;
    assert_eq!(
        (
            gone.status.as_u16(),
            gone.text().replace("parcels", "never").len()
        ),
        (404, never.text().len())
    );
}
