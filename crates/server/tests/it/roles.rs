//! Every route, asked by everybody: what is expected stands here in plain tables and is not asked of the policy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use axum::http::Method;
use model::access::{BUILT_IN, Class, Permission, PropertyRule, Scope, Shown};
use model::world::project;
use model::{Lang, TileSettings};
use serde_json::{Value as Json, json};
use server::Guard;
use store::CollectionSettings;
use tiles::TileCoord;

use crate::guarded::{Guarded, Part, add_unit, deputy, person, rules, set_rules};
use crate::town::{account, collection_of, import, token_for};

/// A role by what it lets somebody do, as far as a request can ask for it: `s`, `u` and `r` read collections of the
/// classes staff, unit and restricted, `p` reads personal data, `c`, `x` and `d` create, change and delete, `e` takes a whole collection out, `o` reads
/// the figures of the server.
const ROLES: [(&str, &str); 15] = [
    ("operator", "s"),
    ("dispatcher", "sup"),
    ("executor", "su"),
    ("inspector", "su"),
    ("moderator", "sp"),
    ("registrar", "sp"),
    ("head", "sup"),
    ("controller", "s"),
    ("archivist", "s"),
    ("planner", "sure"),
    ("utility-owner", "sucxde"),
    ("gis-editor", "surcxde"),
    ("data-publisher", "sue"),
    ("auditor", "s"),
    ("administrator", "o"),
];

/// Collections with class and unit. Each has feature 1 in the west and feature 2 in the east.
const COLLECTIONS: [(&str, Class, Option<&str>); 11] = [
    ("all", Class::Public, None),
    ("all-water", Class::Public, Some("water")),
    ("known", Class::Registered, None),
    ("staff", Class::Staff, None),
    ("staff-roads", Class::Staff, Some("roads")),
    ("unit", Class::Unit, None),
    ("unit-water", Class::Unit, Some("water")),
    ("unit-pumps", Class::Unit, Some("pumps")),
    ("unit-roads", Class::Unit, Some("roads")),
    ("secret", Class::Restricted, None),
    ("secret-water", Class::Restricted, Some("water")),
];

const WEST: [f64; 2] = [24.2, 48.9];
const EAST: [f64; 2] = [24.8, 48.9];

struct Asker {
    name: String,
    /// As in [`ROLES`].
    may: &'static str,
    part: Part,
    is_anonymous: bool,
    /// The only collection that their token is for.
    only: Option<&'static str>,
}

/// How much of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Much {
    Nothing,
    InTheWest,
    All,
}

impl Asker {
    fn has(&self, letter: char) -> bool {
        self.may.contains(letter)
    }

    /// Where they may do something of a letter with what belongs to a unit. `pumps` is a part of `water`.
    fn within(&self, letter: char, unit: Option<&str>) -> Much {
        match self.part {
            _ if !self.has(letter) => Much::Nothing,
            Part::All => Much::All,
            Part::West => Much::InTheWest,
            Part::Water if matches!(unit, Some("water" | "pumps")) => Much::All,
            Part::Roads if unit == Some("roads") => Much::All,
            Part::Water | Part::Roads => Much::Nothing,
        }
    }

    fn sees(&self, (id, class, unit): (&str, Class, Option<&str>)) -> Much {
        let is_for_it = self.only.is_none_or(|only| only == id);
        match class {
            Class::Public => Much::All,
            _ if !is_for_it => Much::Nothing,
            Class::Registered if self.is_anonymous => Much::Nothing,
            Class::Registered => Much::All,
            // Whoever works in one unit works for the town.
            Class::Staff if !self.has('s') => Much::Nothing,
            Class::Staff if self.part == Part::West => Much::InTheWest,
            Class::Staff => Much::All,
            Class::Unit => self.within('u', unit),
            Class::Restricted => self.within('r', unit),
        }
    }

    /// The status of a file with a whole collection.
    fn takes(&self, collection: (&str, Class, Option<&str>)) -> u16 {
        match collection.1 {
            Class::Public => 200,
            _ => self.write('e', collection, 200),
        }
    }

    /// The status of the history of a feature in the west, and of one in the east: it is for those who work for the town.
    fn history(&self, collection: (&str, Class, Option<&str>)) -> [u16; 2] {
        let is_for_it = self.only.is_none_or(|only| only == collection.0);
        match self.sees(collection) {
            Much::Nothing => [404; 2],
            _ if self.is_anonymous => [401; 2],
            _ if !self.has('s') || !is_for_it => [403; 2],
            Much::InTheWest => [200, 404],
            Much::All => [200; 2],
        }
    }

    /// The status of a write that gets as far as it may, and is refused for what it brings.
    fn write(&self, letter: char, collection: (&str, Class, Option<&str>), done: u16) -> u16 {
        if self.sees(collection) == Much::Nothing {
            404
        } else if self.is_anonymous {
            401
        } else if self.only.is_some_and(|only| only != collection.0)
            || self.within(letter, collection.2) == Much::Nothing
        {
            403
        } else {
            done
        }
    }
}

/// Every role for all of the town, for one unit and for a part of the town; those without a role; tokens and deputies.
fn askers() -> Vec<Asker> {
    let mut all = Vec::new();
    for (role, may) in ROLES {
        for (part, name) in [
            (Part::All, "all"),
            (Part::Water, "water"),
            (Part::West, "west"),
        ] {
            all.push(Asker {
                name: format!("{role}.{name}"),
                may,
                part,
                is_anonymous: false,
                only: None,
            });
        }
    }
    for (name, may, part, only) in [
        ("citizen", "", Part::All, None),
        // A token of an editor that is for reading.
        ("reader", "sure", Part::All, None),
        // A token of an editor that is for one collection.
        ("one-of", "surcxde", Part::All, Some("unit-water")),
        // Acts for the editor of the unit `water`.
        ("deputy", "surcxde", Part::Water, None),
        // An account that acts for an editor who is switched off.
        ("deputy-of-nobody", "", Part::All, None),
    ] {
        all.push(Asker {
            name: name.to_owned(),
            may,
            part,
            is_anonymous: false,
            only,
        });
    }
    all.push(Asker {
        name: "anonymous".to_owned(),
        may: "",
        part: Part::All,
        is_anonymous: true,
        only: None,
    });
    all
}

async fn town() -> Guarded {
    let mut town = Guarded::empty().await;
    let feature = |at: [f64; 2]| {
        json!({ "type": "Feature", "properties": { "name": "a" }, "geometry": { "type": "Point", "coordinates": at } })
            .to_string()
    };
    for (id, class, unit) in COLLECTIONS {
        let settings = CollectionSettings {
            tiles: Some(TileSettings {
                min_zoom: 0,
                max_zoom: 18,
                properties: None,
                low_zooms: None,
            }),
            ..CollectionSettings::default()
        };
        let geojson = collection_of(&[feature(WEST), feature(EAST)]);
        import(&town.store, town.path(), id, &geojson, None, settings).await;
        set_rules(&town.store, id, rules(class, unit)).await;
    }
    add_unit(&town.store, "water", "Water", None).await;
    add_unit(&town.store, "pumps", "Pumps", Some("water")).await;
    add_unit(&town.store, "roads", "Roads", None).await;
    for asker in askers().iter().filter(|asker| !asker.is_anonymous) {
        let name = asker.name.as_str();
        let (somebody, scopes): (_, &[Scope]) = match name {
            "citizen" | "deputy" | "deputy-of-nobody" => {
                (person(name, None, Part::All), &Scope::ALL)
            }
            "reader" => (person(name, Some("gis-editor"), Part::All), &[Scope::Read]),
            "one-of" => (person(name, Some("gis-editor"), Part::All), &Scope::ALL),
            name => {
                let role = name.split('.').next();
                (person(name, role, asker.part), &Scope::ALL)
            }
        };
        account(&town.store, somebody).await;
        let only = asker.only.map(|only| vec![only]);
        let token = token_for(&town.store, name, "test", scopes, only.as_deref()).await;
        town.tokens.insert(name.to_owned(), token);
    }
    let away = deputy(person("away", Some("gis-editor"), Part::Water), "deputy");
    account(&town.store, away).await;
    let mut gone = deputy(
        person("gone", Some("gis-editor"), Part::All),
        "deputy-of-nobody",
    );
    gone.is_disabled = true;
    account(&town.store, gone).await;
    town.open().await
}

/// A request and the status that it has to have.
struct Expected {
    method: Method,
    path: String,
    status: u16,
}

fn get(path: impl Into<String>, status: u16) -> Expected {
    Expected {
        method: Method::GET,
        path: path.into(),
        status,
    }
}

fn post(path: impl Into<String>, status: u16) -> Expected {
    Expected {
        method: Method::POST,
        path: path.into(),
        status,
    }
}

/// What is expected for one of [`COLLECTIONS`].
type Make<'a> = dyn Fn((&str, Class, Option<&str>)) -> Vec<Expected> + 'a;

/// What somebody gets from a route; `None` for one that this table does not know.
fn expected(route: &str, asker: &Asker) -> Option<Vec<Expected>> {
    let at = |[lon, lat]: [f64; 2]| {
        let tile = TileCoord::containing(15, project(lon, lat)).unwrap();
        (tile.x(), tile.y())
    };
    let ((x, y), (far_x, far_y)) = (at(WEST), at(EAST));
    let seen = |much: Much| if much == Much::Nothing { 404 } else { 200 };
    let of_each = |make: &Make<'_>| COLLECTIONS.into_iter().flat_map(make).collect::<Vec<_>>();
    let simple = |suffix: &str| {
        of_each(&|of| {
            vec![get(
                format!("/collections/{}{suffix}", of.0),
                seen(asker.sees(of)),
            )]
        })
    };
    let refused = if asker.is_anonymous { 401 } else { 403 };
    let only_for = |may: bool| if may { 200 } else { refused };
    // What is for the whole town is nobody's who has the role for a part of it.
    let for_all = |role: &str| asker.name == format!("{role}.all");
    let operate = only_for(asker.has('o') && asker.part == Part::All);
    let keeps_people = for_all("administrator");
    let publishes = ["administrator", "data-publisher"]
        .iter()
        .any(|role| asker.name.starts_with(role));
    let manages = keeps_people || publishes || for_all("auditor");
    // They are everybody's, so they are for who publishes everywhere. What they put here is no style.
    let for_whole = publishes && asker.part == Part::All && asker.only.is_none();
    let (styles, no_style) = if for_whole {
        (400, 409)
    } else {
        (refused, refused)
    };
    // A token is for data: what changes an account is done in a browser.
    let in_browser = |path: &str| vec![post(path, refused)];
    Some(match route {
        "/" | "/conformance" | "/api" | "/collections" | "/tiles" | "/functions"
        | "/tileMatrixSets" | "/health/live" | "/health/ready" | "/app/" | "/pages.css" => {
            vec![get(route, 200)]
        }
        // The town of these tests has no system of its own.
        "/crs/{code}" => vec![get("/crs/990001", 404)],
        "/tileMatrixSets/{set}" => vec![get("/tileMatrixSets/WorldCRS84Quad", 200)],
        "/app" => vec![get(route, 308)],
        "/app/{*path}" => vec![get("/app/icon.svg", 200)],
        "/fonts/{stack}/{file}" => vec![get("/fonts/Noto%20Sans%20Regular/0-255.pbf", 200)],
        "/sprites/{file}" => vec![get("/sprites/hromada.json", 200)],
        "/styles" => vec![get(route, 200), post(route, styles)],
        "/styles/{style}" => vec![
            get("/styles/light", 200),
            Expected {
                method: Method::PUT,
                path: "/styles/evening".to_owned(),
                status: styles,
            },
            // One of ours, which stays.
            Expected {
                method: Method::DELETE,
                path: "/styles/light".to_owned(),
                status: no_style,
            },
        ],
        "/styles/{style}/metadata" => vec![get("/styles/light/metadata", 200)],
        "/styles/{style}/legend" => vec![get("/styles/light/legend", 200)],
        // A stream that begins is read in `live`.
        "/changes" => vec![get("/changes?since=none", 400)],
        "/archives/{file}" => vec![get("/archives/none.pmtiles", 404)],
        "/metrics" => vec![get(route, operate)],
        "/account" | "/account/me" => vec![get(route, 200)],
        "/account/sign-in" | "/account/second-step" | "/account/link" => vec![post(route, 415)],
        "/account/sign-out" => vec![post(route, 303)],
        "/account/password"
        | "/account/second-factor"
        | "/account/second-factor/confirm"
        | "/account/second-factor/remove"
        | "/account/sessions/end"
        | "/account/tokens"
        | "/account/tokens/revoke" => in_browser(route),
        // There is no provider here.
        "/account/single" | "/account/single/callback" => vec![get(route, 404)],
        "/admin" | "/admin/roles" => vec![get(route, only_for(manages))],
        "/admin/people" | "/admin/units" => {
            vec![get(route, only_for(keeps_people)), post(route, refused)]
        }
        "/admin/people/{person}" => {
            let path = "/admin/people/citizen";
            vec![get(path, only_for(keeps_people)), post(path, refused)]
        }
        "/admin/access" => vec![get(route, only_for(publishes))],
        "/admin/access/{collection}" => of_each(&|of| {
            let is_theirs = match asker.part {
                Part::All => true,
                // Rules are for a whole collection.
                Part::West => false,
                Part::Water => matches!(of.2, Some("water" | "pumps")),
                Part::Roads => of.2 == Some("roads"),
            };
            let path = format!("/admin/access/{}", of.0);
            let status = if publishes && !is_theirs {
                404
            } else {
                only_for(publishes)
            };
            let posted = if status == 200 { refused } else { status };
            vec![get(path.clone(), status), post(path, posted)]
        }),
        "/admin/audit" => vec![get(route, only_for(for_all("auditor")))],
        "/search" => of_each(&|of| {
            vec![get(
                format!("/search?q=a&collections={}", of.0),
                seen(asker.sees(of)),
            )]
        }),
        "/collections/{collection}" => simple(""),
        "/collections/{collection}/schema" => simple("/schema"),
        "/collections/{collection}/schema/feature" => simple("/schema/feature"),
        "/collections/{collection}/tiles" => simple("/tiles"),
        "/collections/{collection}/files/{file}" => of_each(&|of| {
            let path = format!("/collections/{0}/files/{0}.csv", of.0);
            vec![get(path, asker.takes(of))]
        }),
        "/collections/{collection}/queryables" => simple("/queryables"),
        "/collections/{collection}/sortables" => simple("/sortables"),
        "/collections/{collection}/tiles/{set}" => simple("/tiles/WebMercatorQuad"),
        "/collections/{collection}/items" => {
            let mut all = simple("/items");
            all.extend(of_each(&|of| {
                vec![Expected {
                    method: Method::POST,
                    path: format!("/collections/{}/items", of.0),
                    status: asker.write('c', of, 400),
                }]
            }));
            all
        }
        "/collections/{collection}/items/{feature}" => of_each(&|of| {
            let much = asker.sees(of);
            let east = if much == Much::All { 200 } else { 404 };
            let path = |n| format!("/collections/{}/items/{n}", of.0);
            let mut all = vec![
                get(path(1), seen(much)),
                get(path(2), east),
                get(path(3), 404),
            ];
            // What they bring is no feature, no change, and about another state.
            for (method, letter, done) in [
                (Method::PUT, 'x', 400),
                (Method::PATCH, 'x', 415),
                (Method::DELETE, 'd', 412),
            ] {
                all.push(Expected {
                    method,
                    path: path(1),
                    status: asker.write(letter, of, done),
                });
            }
            all
        }),
        "/collections/{collection}/items/{feature}/versions"
        | "/collections/{collection}/items/{feature}/lineage"
        | "/collections/{collection}/items/{feature}/versions/{version}"
        | "/collections/{collection}/items/{feature}/versions/{version}/restore" => {
            let suffix = route.split("{feature}").nth(1).unwrap_or_default();
            let suffix = suffix.replace("{version}", "1");
            of_each(&|of| {
                let path = |n| format!("/collections/{}/items/{n}{suffix}", of.0);
                let mut history = asker.history(of);
                // A lineage names parcels that those who see a part of them do not see.
                if suffix.ends_with("lineage") && asker.sees(of) != Much::All {
                    history = history.map(|status| if status == 200 { 403 } else { status });
                }
                let [west, east] = history;
                if suffix.ends_with("restore") {
                    let status = match west {
                        200 => asker.write('x', of, 412),
                        other => other,
                    };
                    return vec![post(path(1), status)];
                }
                vec![get(path(1), west), get(path(2), east)]
            })
        }
        // What they bring is no operation.
        "/collections/{collection}/operations" => of_each(&|of| {
            let path = format!("/collections/{}/operations", of.0);
            vec![post(path, asker.write('x', of, 400))]
        }),
        // What they bring is no transaction.
        "/transactions" => {
            let may_write = COLLECTIONS.iter().any(|of| {
                let mut letters = ['c', 'x', 'd'].into_iter();
                letters.any(|letter| asker.write(letter, *of, 200) == 200)
            });
            vec![post(route, if may_write { 400 } else { refused })]
        }
        "/collections/{collection}/tiles/{set}/{matrix}/{row}/{col}" => of_each(&|of| {
            let much = asker.sees(of);
            let path = |x, y| format!("/collections/{}/tiles/WebMercatorQuad/15/{y}/{x}", of.0);
            // Beyond the limits of what is seen there is nothing.
            let east = if much == Much::All { 200 } else { 404 };
            vec![get(path(x, y), seen(much)), get(path(far_x, far_y), east)]
        }),
        "/tiles/{collections}" => of_each(&|of| {
            let status = seen(asker.sees(of));
            vec![
                get(format!("/tiles/{}", of.0), status),
                get(format!("/tiles/all,{}", of.0), status),
                get(
                    format!("/tiles/WebMercatorQuad?collections={}", of.0),
                    status,
                ),
            ]
        }),
        "/tiles/{collections}/{z}/{x}/{y}" => of_each(&|of| {
            let east = match asker.sees(of) {
                Much::Nothing => 404,
                Much::InTheWest => 204,
                Much::All => 200,
            };
            vec![
                get(format!("/tiles/{}/15/{x}/{y}", of.0), seen(asker.sees(of))),
                get(format!("/tiles/{}/15/{far_x}/{far_y}", of.0), east),
                get(
                    format!("/tiles/WebMercatorQuad/15/{y}/{x}?collections={}", of.0),
                    seen(asker.sees(of)),
                ),
            ]
        }),
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_from_each_route_what_the_table_says() {
    let town = town().await;
    let mut wrong = Vec::new();
    let mut count = 0;
    for asker in askers() {
        for (route, _) in server::guards() {
            let Some(expected) = expected(route, &asker) else {
                panic!("the tests do not know who gets what from {route}: say so in `expected`");
            };
            let mut methods: BTreeSet<String> =
                ["GET", "HEAD", "OPTIONS"].map(str::to_owned).into();
            for request in &expected {
                methods.insert(request.method.to_string());
                let headers = [
                    ("content-type", "application/json"),
                    ("if-match", "\"other\""),
                ];
                let answer = |method| town.ask(&asker.name, method, &request.path, &headers, "no");
                let status = answer(request.method.clone()).await.status.as_u16();
                count += 1;
                if status != request.status {
                    wrong.push(format!(
                        "{} {} {}: {status} and not {}",
                        asker.name, request.method, request.path, request.status
                    ));
                }
                if request.method == Method::GET {
                    let head = answer(Method::HEAD).await;
                    assert_eq!((head.status.as_u16(), head.body.len()), (status, 0));
                }
            }
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                if methods.contains(method) {
                    continue;
                }
                let path = &expected[0].path;
                let method: Method = method.parse().unwrap();
                let status = town
                    .ask(&asker.name, method.clone(), path, &[], "no")
                    .await
                    .status;
                count += 1;
                if status != 405 {
                    wrong.push(format!("{} {method} {path}: {status}", asker.name));
                }
            }
        }
    }
    let total = wrong.len();
    wrong.truncate(40);
    assert!(
        wrong.is_empty(),
        "{total} of {count}:\n{}",
        wrong.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_counts_hold_what_somebody_sees() {
    let town = town().await;
    for asker in askers() {
        let listed = town.get(&asker.name, "/collections").await.ok().json();
        let listed: BTreeSet<String> = listed["collections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| format!("{}: {}", c["id"].as_str().unwrap(), c["itemCount"]))
            .collect();
        let count = |much| match much {
            Much::Nothing => None,
            Much::InTheWest => Some(1),
            Much::All => Some(2),
        };
        let mut expected = BTreeSet::new();
        let mut sum = 0;
        for of in COLLECTIONS {
            let Some(count) = count(asker.sees(of)) else {
                continue;
            };
            sum += count;
            expected.insert(format!("{}: {count}", of.0));
            let path = format!("/collections/{}/items", of.0);
            let items = town.get(&asker.name, &path).await.ok().json();
            assert_eq!(items["numberMatched"], count, "{} {path}", asker.name);
        }
        assert_eq!(listed, expected, "{}", asker.name);
        let ready = town.get(&asker.name, "/health/ready").await.ok().json();
        assert_eq!(
            (&ready["collections"], &ready["features"]),
            (&json!(expected.len()), &json!(sum)),
            "{}",
            asker.name
        );
        let definition = town.get(&asker.name, "/api").await.ok().json();
        for of in COLLECTIONS {
            let path = |rest: &str| &definition["paths"][format!("/collections/{}{rest}", of.0)];
            assert_eq!(path("").is_null(), asker.sees(of) == Much::Nothing);
            for (rest, method, letter) in [
                ("/items", "post", 'c'),
                ("/items/{featureId}", "put", 'x'),
                ("/items/{featureId}", "delete", 'd'),
            ] {
                let is_there = !path(rest)[method].is_null();
                let may = asker.write(letter, of, 200) == 200;
                assert_eq!(is_there, may, "{} {method} {}", asker.name, of.0);
            }
        }
    }
}

#[tokio::test]
async fn a_definition_that_was_made_for_one_is_not_given_to_another() {
    let mut town = Guarded::empty().await;
    let feature = json!({ "type": "Feature", "properties": { "phone": "+380" }, "geometry": null });
    let settings = CollectionSettings {
        searchable: Some(Vec::new()),
        ..CollectionSettings::default()
    };
    let geojson = collection_of(&[feature.to_string()]);
    import(&town.store, town.path(), "people", &geojson, None, settings).await;
    let mut access = rules(Class::Public, None);
    let masked = PropertyRule {
        from: Class::Staff,
        is_personal: false,
        otherwise: Shown::Masked { keep: 2 },
    };
    access.properties.insert("phone".to_owned(), masked);
    set_rules(&town.store, "people", access).await;
    account(&town.store, person("operator", Some("operator"), Part::All)).await;
    let token = token_for(&town.store, "operator", "test", &Scope::ALL, None).await;
    town.tokens.insert("operator".to_owned(), token);
    let town = town.open().await;
    for (who, can_filter) in [("operator", true), ("anonymous", false), ("operator", true)] {
        let definition = town.get(who, "/api").await.ok().json();
        let parameters = &definition["paths"]["/collections/people/items"]["get"]["parameters"];
        let named = |p: &Json| p["name"] == "phone";
        let found = parameters.as_array().unwrap().iter().any(named);
        assert_eq!(found, can_filter, "{who}");
    }
}

#[test]
fn the_roles_of_the_program_are_those_of_the_table() {
    let letters = [
        ('s', Permission::ReadStaff),
        ('u', Permission::ReadUnit),
        ('r', Permission::ReadRestricted),
        ('p', Permission::ReadPersonal),
        ('c', Permission::Create),
        ('x', Permission::Change),
        ('d', Permission::Delete),
        ('e', Permission::Export),
        ('o', Permission::Operate),
    ];
    assert_eq!(BUILT_IN.len(), ROLES.len());
    for (role, (id, may)) in BUILT_IN.iter().zip(ROLES) {
        let has: String = letters
            .iter()
            .filter(|(_, permission)| role.has(*permission))
            .map(|(letter, _)| *letter)
            .collect();
        assert_eq!((role.id, has.as_str()), (id, may));
    }
}

/// How the handbook's page of a language is made again.
const RENEW: &str = "HROMADA_RENEW_DOCS";

fn page_path(lang: Lang) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/src")
        .join(lang.tag())
        .join("roles.md")
}

/// The handbook's page of roles.
fn page(lang: Lang) -> String {
    let t = |uk: &'static str, en: &'static str| match lang {
        Lang::Uk => uk,
        Lang::En => en,
    };
    let mut out = format!(
        "# {}\n\n{}\n\n## {}\n\n",
        t("Ролі", "Roles"),
        t(
            "Хто що бачить і робить. Таблиці складено з того самого, з чим тести порівнюють кожну відповідь сервера.",
            "Who sees and does what. The tables are made of what the tests hold every answer of the server against.",
        ),
        t("Що дає роль", "What a role gives"),
    );
    let _ = writeln!(
        out,
        "{}\n| --- | --- | --- | --- | --- | --- | --- |",
        t(
            "| роль | дані працівників | дані підрозділу | обмежені дані | особисті дані | зміни | ще |",
            "| role | staff data | unit data | restricted data | personal data | changes | more |",
        )
    );
    for (role, (id, may)) in BUILT_IN.iter().zip(ROLES) {
        let mark = |letter| if may.contains(letter) { "✓" } else { "" };
        let other = |p: &&Permission| {
            !matches!(
                p,
                Permission::ReadStaff
                    | Permission::ReadUnit
                    | Permission::ReadRestricted
                    | Permission::ReadPersonal
                    | Permission::Create
                    | Permission::Change
                    | Permission::Delete
            )
        };
        let more: Vec<String> = role
            .permissions
            .iter()
            .filter(other)
            .map(|p| format!("`{}`", p.name()))
            .collect();
        let _ = writeln!(
            out,
            "| `{id}` | {} | {} | {} | {} | {} | {} |",
            mark('s'),
            mark('u'),
            mark('r'),
            mark('p'),
            mark('c'),
            more.join(", ")
        );
    }
    let _ = write!(
        out,
        "\n{}\n\n## {}\n\n{}\n| --- | --- | --- | --- | --- | --- |\n",
        t(
            "Роль можна дати для підрозділу, для території, на строк. Хто має роль для підрозділу, має її й для тих, що входять до нього. Змінювати можна лише те, що видно, і лише там, де дано роль.",
            "A role can be given for a unit, for an area, for a time. Whoever has it for a unit has it for those that are part of the unit. Only what is seen can be changed, and only where the role was given.",
        ),
        t("Хто бачить колекцію", "Who sees a collection"),
        t(
            "| хто | `public` | `registered` | `staff` | `unit` | `restricted` |",
            "| who | `public` | `registered` | `staff` | `unit` | `restricted` |",
        ),
    );
    let seen = |asker: &Asker, class| {
        let own = asker.sees(("", class, Some("water")));
        let other = asker.sees(("", class, Some("roads")));
        match (own, other) {
            (Much::All, Much::All) => t("усі", "all"),
            (Much::All, _) => t("свого підрозділу", "of their unit"),
            (Much::InTheWest, _) => t("на своїй території", "in their area"),
            (Much::Nothing, _) => "",
        }
    };
    for asker in askers() {
        let (name, part) = asker.name.split_once('.').unwrap_or((&asker.name, ""));
        let who = match (name, part) {
            ("anonymous", _) => t("будь-хто", "anybody").to_owned(),
            ("citizen", _) => t("хто має обліковий запис", "whoever has an account").to_owned(),
            (role, "all") => format!("`{role}`"),
            (role, "water") => format!("`{role}` {}", t("для підрозділу", "for a unit")),
            (role, "west") => format!("`{role}` {}", t("для території", "for an area")),
            _ => continue,
        };
        let cells = Class::ALL.map(|class| seen(&asker, class));
        let _ = writeln!(out, "| {who} | {} |", cells.join(" | "));
    }
    let _ = write!(
        out,
        "\n## {}\n\n{}\n| --- | --- |\n",
        t(
            "Що вирішує за кожною адресою",
            "What decides at each address"
        ),
        t(
            "| адреса | хто отримує відповідь |",
            "| address | who gets an answer |"
        ),
    );
    for (route, guard) in server::guards() {
        let decides = match guard {
            Guard::Open => t(
                "кожен: даних громади там немає",
                "everybody: no data of the town is there",
            )
            .to_owned(),
            Guard::Seen => t(
                "кожен, і лише з тим, що він бачить",
                "everybody, with what they see and nothing else",
            )
            .to_owned(),
            Guard::Permission(permission) => {
                format!(
                    "{} `{}`",
                    t("хто має дозвіл", "whoever has the permission"),
                    permission.name()
                )
            }
            Guard::Own => t(
                "хто ввійшов, про себе",
                "whoever is signed in, about themselves",
            )
            .to_owned(),
        };
        let _ = writeln!(out, "| `{route}` | {decides} |");
    }
    out
}

#[test]
fn the_handbook_shows_the_roles_as_they_are() {
    for lang in [Lang::Uk, Lang::En] {
        let (path, page) = (page_path(lang), page(lang));
        if std::env::var_os(RENEW).is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "{} is not what it would be: {RENEW}=1 cargo test --test it the_handbook_shows writes it anew",
            path.display()
        );
    }
}
