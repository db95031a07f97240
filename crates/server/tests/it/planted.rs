//! A town in which everything that somebody may not see is a canary: a text, number or place that is nowhere else.

use std::collections::BTreeMap;

use model::access::{Class, PropertyRule, RowRule, Scope, Shown, Twin};
use model::{Enumerated, Property, PropertyType, Text, TileSettings};
use serde_json::{Value as Json, json};
use store::CollectionSettings;

use crate::guarded::{Guarded, Part, add_unit, person, rules, set_rules};
use crate::town::{account, collection_of, import, token_for};

/// Who asks. The test's own table of who sees what is in terms of these.
pub(crate) const EVERYBODY: [&str; 10] = [
    "anonymous",
    "citizen",
    "administrator",
    "operator",
    "west",
    "water",
    "roads",
    "dispatcher",
    "planner",
    "editor",
];
const SIGNED_IN: &[&str] = &[
    "citizen",
    "administrator",
    "operator",
    "west",
    "water",
    "roads",
    "dispatcher",
    "planner",
    "editor",
];
const STAFF: &[&str] = &[
    "operator",
    "west",
    "water",
    "roads",
    "dispatcher",
    "planner",
    "editor",
];
/// The operator of the west sees what is in the west.
const STAFF_EAST: &[&str] = &[
    "operator",
    "water",
    "roads",
    "dispatcher",
    "planner",
    "editor",
];
const ALL_BUT_WEST: &[&str] = &[
    "anonymous",
    "citizen",
    "administrator",
    "operator",
    "water",
    "roads",
    "dispatcher",
    "planner",
    "editor",
];
const WATER: &[&str] = &["water", "dispatcher", "planner", "editor"];
const ROADS: &[&str] = &["roads", "dispatcher", "planner", "editor"];
const RESTRICTED: &[&str] = &["planner", "editor"];
const PERSONAL: &[&str] = &["dispatcher"];
const NOBODY: &[&str] = &[];

/// Names of those who ask.
type Names = &'static [&'static str];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value of a property.
    Value,
    /// The same, which the search box looks into.
    Searched,
    /// The name of a property.
    PropertyName,
    /// The id of a collection.
    Collection,
    /// The id of a feature.
    Feature,
    /// Any other text.
    Text,
    Number,
    Place,
}

/// Something that not everybody may see.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    pub(crate) kind: Kind,
    /// Empty for a place.
    pub(crate) text: String,
    pub(crate) place: [f64; 2],
    pub(crate) may: Names,
    /// Whether those who may see it have to find it.
    pub(crate) must: bool,
    /// What it is, for messages.
    pub(crate) what: String,
    /// The collection that it is in.
    pub(crate) collection: String,
    /// The property that it is a value of.
    pub(crate) property: String,
}

#[derive(Default)]
pub(crate) struct Plants {
    pub(crate) all: Vec<Canary>,
    words: usize,
    numbers: i64,
}

/// Every word has this many letters, and begins with [`MARK`] or [`MARK_LATIN`].
pub(crate) const LETTERS: usize = 15;
pub(crate) const MARK: &str = "зупан";
pub(crate) const MARK_LATIN: &str = "zupan";

/// The n-th word: so far from all others that a misspelt one is no other.
pub(crate) fn word(n: usize, is_latin: bool) -> String {
    let (mark, consonants, vowels) = if is_latin {
        (MARK_LATIN, "bvdklmnprs", "auo")
    } else {
        (MARK, "бвдклмнпрс", "ауо")
    };
    let mut out = mark.to_owned();
    // An odd factor scatters the numbers, each to another one.
    let mut rest = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
    for _ in 0..(LETTERS - 5) / 2 {
        out.extend(consonants.chars().nth((rest % 10) as usize));
        out.extend(vowels.chars().nth((rest / 10 % 3) as usize));
        rest /= 30;
    }
    out
}

/// Words that are planted nowhere have numbers from here on.
const DECOYS: usize = 600;
const NUMBERS: i64 = 739_100_000;

impl Canary {
    pub(crate) fn is_for(&self, who: &str) -> bool {
        self.may.contains(&who)
    }

    /// A text of the same form that is nowhere.
    pub(crate) fn decoy(&self, n: usize) -> String {
        match self.kind {
            Kind::Number => (NUMBERS + 50_000 + n as i64).to_string(),
            _ => word(DECOYS + n, self.text.starts_with(MARK_LATIN)),
        }
    }
}

impl Plants {
    fn add(
        &mut self,
        kind: Kind,
        may: Names,
        must: bool,
        what: impl Into<String>,
        [collection, property]: [&str; 2],
    ) -> String {
        let n = self.words;
        self.words += 1;
        assert!(n < DECOYS);
        let is_latin = matches!(kind, Kind::PropertyName | Kind::Collection);
        let text = match kind {
            Kind::Number => {
                self.numbers += 1;
                (NUMBERS + self.numbers).to_string()
            }
            _ => word(n, is_latin),
        };
        self.all.push(Canary {
            kind,
            text: text.clone(),
            place: [0.0; 2],
            may,
            must,
            what: what.into(),
            collection: collection.to_owned(),
            property: property.to_owned(),
        });
        text
    }

    fn place(&mut self, may: Names, collection: &str, what: &str, at: [f64; 2]) -> [f64; 2] {
        self.add(Kind::Place, may, true, what, [collection, ""]);
        let last = self.all.last_mut().unwrap();
        last.text.clear();
        last.place = at;
        at
    }

    /// A text that is only in the directory, which nobody reads by HTTP; their own is theirs.
    fn in_directory(&mut self, what: &str, own: Names) -> String {
        self.add(Kind::Text, own, false, what, ["", ""])
    }

    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (usize, &Canary)> {
        self.all
            .iter()
            .enumerate()
            .filter(move |(_, c)| c.kind == kind)
    }
}

pub(crate) struct Planted {
    pub(crate) town: Guarded,
    pub(crate) plants: Plants,
    /// Every property of each collection, by its name.
    pub(crate) properties: BTreeMap<String, Vec<String>>,
}

fn point([x, y]: [f64; 2]) -> Json {
    json!({ "type": "Point", "coordinates": [x, y] })
}

fn feature(properties: Json, geometry: &Json) -> String {
    json!({ "type": "Feature", "properties": properties, "geometry": geometry }).to_string()
}

fn text(uk: String, en: &str) -> Text {
    Text {
        uk,
        en: en.to_owned(),
    }
}

fn rule(from: Class, is_personal: bool, otherwise: Shown) -> PropertyRule {
    PropertyRule {
        from,
        is_personal,
        otherwise,
    }
}

const TILES: TileSettings = TileSettings {
    min_zoom: 0,
    max_zoom: 18,
    properties: None,
    low_zooms: None,
};

pub(crate) async fn planted() -> Planted {
    let town = Guarded::empty().await;
    let mut plants = Plants::default();
    let mut properties = BTreeMap::new();
    trees(&town, &mut plants, &mut properties).await;
    pipes(&town, &mut plants, &mut properties).await;
    for (class, unit, may, at) in [
        (Class::Registered, None, SIGNED_IN, [24.601_739_1, 48.8]),
        (Class::Staff, None, STAFF_EAST, [24.602_739_1, 48.81]),
        (Class::Unit, Some("water"), WATER, [24.603_739_1, 48.82]),
        (Class::Unit, Some("roads"), ROADS, [24.604_739_1, 48.83]),
        (Class::Restricted, None, RESTRICTED, [24.605_739_1, 48.84]),
    ] {
        whole(&town, &mut plants, &mut properties, class, unit, may, at).await;
    }
    let mut planted = Planted {
        town,
        plants,
        properties,
    };
    planted.people().await;
    planted.town = planted.town.open().await;
    planted
}

/// A public collection with properties and features that not everybody sees, and with places in both parts of the town.
async fn trees(
    town: &Guarded,
    plants: &mut Plants,
    properties: &mut BTreeMap<String, Vec<String>>,
) {
    const ID: &str = "trees";
    let hidden: Vec<String> = [
        ("of staff", STAFF),
        ("of restricted", RESTRICTED),
        ("about a person", PERSONAL),
        ("a number", STAFF),
        ("a day", STAFF),
        ("a state", STAFF),
    ]
    .into_iter()
    .map(|(what, may)| {
        let what = format!("the name of a property {what}");
        plants.add(Kind::PropertyName, may, true, what, [ID, ""])
    })
    .collect();
    let [staff, restricted, personal, number, day, state] =
        [0, 1, 2, 3, 4, 5].map(|i| hidden[i].as_str());
    let mut known = Vec::new();
    for i in 0..2 {
        let title = plants.add(
            Kind::Text,
            STAFF,
            true,
            format!("the title of known value {i}"),
            [ID, ""],
        );
        known.push(Enumerated {
            value: plants.add(
                Kind::Value,
                STAFF,
                true,
                format!("known value {i}"),
                [ID, staff],
            ),
            title: text(title, ""),
        });
    }
    let mut of_staff = Property::new(staff, PropertyType::Text);
    of_staff.values = known.clone();
    of_staff.title = Some(text(
        plants.add(
            Kind::Text,
            STAFF,
            true,
            "the title of a property of staff",
            [ID, ""],
        ),
        "staff",
    ));
    let mut of_restricted = Property::new(restricted, PropertyType::Text);
    of_restricted.title = Some(text(
        plants.add(
            Kind::Text,
            RESTRICTED,
            true,
            "the title of a property of restricted",
            [ID, ""],
        ),
        "restricted",
    ));
    // A value that is known tells what may stand behind a mask.
    let mut phone = Property::new("phone", PropertyType::Text);
    let mut known_phone = |what: &str| {
        let what = format!("{what} of a masked property");
        plants.add(Kind::Text, PERSONAL, true, what, [ID, ""])
    };
    phone.values = vec![Enumerated {
        value: known_phone("a known value"),
        title: text(known_phone("the title of a known value"), ""),
    }];
    let mut features = Vec::new();
    let rows: [(&str, [f64; 2], [Names; 2]); 4] = [
        (
            "open in the west",
            [24.311_739_1, 48.921_739_1],
            [&EVERYBODY, STAFF],
        ),
        (
            "open in the east",
            [24.712_739_1, 48.922_739_1],
            [ALL_BUT_WEST, STAFF_EAST],
        ),
        // At the corners of the extent.
        (
            "closed in the west",
            [24.113_739_1, 48.423_739_1],
            [STAFF, STAFF],
        ),
        (
            "closed in the east",
            [24.994_739_1, 49.524_739_1],
            [STAFF_EAST, STAFF_EAST],
        ),
    ];
    for (i, (what, at, [seen, by_staff])) in rows.into_iter().enumerate() {
        // Who sees a value sees its property and its feature; personal and restricted readers see all features.
        let mut value = |kind, may, property: &str| {
            let what = format!("{property} of the tree {what}");
            plants.add(kind, may, true, what, [ID, property])
        };
        let mut all = json!({
            "number": value(Kind::Feature, seen, "number"),
            "species": value(Kind::Searched, seen, "species"),
            "phone": format!("+38{}", value(Kind::Value, PERSONAL, "phone")),
        });
        all[restricted] = value(Kind::Searched, RESTRICTED, restricted).into();
        // Seen by those who may, but nobody is searched for.
        all[personal] = value(Kind::Value, PERSONAL, personal).into();
        let amount: i64 = value(Kind::Number, by_staff, number).parse().unwrap();
        all[number] = amount.into();
        all[staff] = known[i % 2].value.as_str().into();
        all[day] = format!("203{i}-06-01").into();
        all[state] = if i < 2 { "open" } else { "closed" }.into();
        plants.place(seen, ID, what, at);
        features.push(feature(all, &point(at)));
    }
    // Enough of what everybody sees for pages to have an end.
    for i in 0..40 {
        let mut all =
            json!({ "number": format!("ordinary-{i}"), "species": "дуб", "phone": "+3800" });
        all[state] = "open".into();
        features.push(feature(all, &point([24.2 + f64::from(i) * 0.005, 48.95])));
    }
    let settings = CollectionSettings {
        title: Some(text("Дерева".to_owned(), "Trees")),
        label_property: Some(staff.to_owned()),
        time_property: Some(day.to_owned()),
        searchable: Some(
            ["number", "species", staff, restricted, personal]
                .map(str::to_owned)
                .into(),
        ),
        properties: vec![of_staff, of_restricted, phone],
        tiles: Some(TILES),
        ..CollectionSettings::default()
    };
    let geojson = collection_of(&features);
    import(
        &town.store,
        town.path(),
        ID,
        &geojson,
        Some("number"),
        settings,
    )
    .await;
    let mut access = rules(Class::Public, None);
    let masked = Shown::Masked { keep: 3 };
    access.properties = BTreeMap::from([
        (staff.to_owned(), rule(Class::Staff, false, Shown::Not)),
        (
            restricted.to_owned(),
            rule(Class::Restricted, false, Shown::Not),
        ),
        (personal.to_owned(), rule(Class::Staff, true, Shown::Not)),
        (number.to_owned(), rule(Class::Staff, false, Shown::Not)),
        (day.to_owned(), rule(Class::Staff, false, Shown::Not)),
        (state.to_owned(), rule(Class::Staff, false, Shown::Not)),
        ("phone".to_owned(), rule(Class::Staff, true, masked)),
    ]);
    access.rows = vec![RowRule {
        below: Class::Staff,
        filter: format!("{state} = 'open'"),
    }];
    set_rules(&town.store, ID, access).await;
    let mut names = hidden;
    names.extend(["number", "species", "phone"].map(str::to_owned));
    properties.insert(ID.to_owned(), names);
}

/// A restricted collection with a coarser form for everybody.
async fn pipes(
    town: &Guarded,
    plants: &mut Plants,
    properties: &mut BTreeMap<String, Vec<String>>,
) {
    const ID: &str = "pipes";
    let name = plants.add(
        Kind::PropertyName,
        RESTRICTED,
        true,
        "a property that the twin lacks",
        [ID, ""],
    );
    let mut features = Vec::new();
    for (kind, from, to) in [
        (
            "main",
            [24.621_739_2, 48.851_739_2],
            [24.623_739_3, 48.853_739_3],
        ),
        (
            "spare",
            [24.981_739_4, 48.461_739_4],
            [24.983_739_5, 48.463_739_5],
        ),
    ] {
        let mut all = json!({ "kind": kind });
        let what = format!("the name of a {kind} pipe");
        all[&name] = plants
            .add(Kind::Searched, RESTRICTED, true, what, [ID, &name])
            .into();
        let what = format!("the place of a {kind} pipe");
        let line = [from, to].map(|at| plants.place(RESTRICTED, ID, &what, at));
        features.push(feature(
            all,
            &json!({ "type": "LineString", "coordinates": line }),
        ));
    }
    let settings = CollectionSettings {
        title: Some(text("Труби".to_owned(), "Pipes")),
        label_property: Some(name.clone()),
        searchable: Some(vec![name.clone()]),
        tiles: Some(TILES),
        ..CollectionSettings::default()
    };
    let geojson = collection_of(&features);
    import(&town.store, town.path(), ID, &geojson, None, settings).await;
    let mut access = rules(Class::Restricted, None);
    access.twin = Some(Twin {
        class: Class::Public,
        properties: vec!["kind".to_owned()],
        grid: 1_000,
        filter: Some("kind = 'main'".to_owned()),
    });
    set_rules(&town.store, ID, access).await;
    properties.insert(ID.to_owned(), vec![name, "kind".to_owned()]);
}

/// A collection that is seen whole or not at all. It lies in the east.
async fn whole(
    town: &Guarded,
    plants: &mut Plants,
    properties: &mut BTreeMap<String, Vec<String>>,
    class: Class,
    unit: Option<&str>,
    may: Names,
    at: [f64; 2],
) {
    let of = format!(
        "a collection of {} {}",
        class.name(),
        unit.unwrap_or_default()
    );
    // The operator of the west sees it without its features.
    let defined = if class == Class::Staff { STAFF } else { may };
    let id = plants.add(
        Kind::Collection,
        defined,
        true,
        format!("the id of {of}"),
        ["", ""],
    );
    let mut add = |kind, may, what: &str, property: &str| {
        plants.add(kind, may, true, format!("{what} of {of}"), [&id, property])
    };
    let mut note = Property::new("note", PropertyType::Text);
    note.title = Some(text(
        add(Kind::Text, defined, "the title of a property", ""),
        "",
    ));
    let settings = CollectionSettings {
        title: Some(text(add(Kind::Text, defined, "the title", ""), "")),
        description: text(add(Kind::Text, defined, "the description", ""), ""),
        attribution: Some(add(Kind::Text, defined, "the attribution", "")),
        licence: Some(add(Kind::Text, defined, "the licence", "")),
        label_property: Some("name".to_owned()),
        searchable: Some(vec!["name".to_owned()]),
        properties: vec![note],
        tiles: Some(TILES),
        ..CollectionSettings::default()
    };
    let all = json!({
        "name": add(Kind::Searched, may, "a name", "name"),
        "note": add(Kind::Value, may, "a note", "note"),
        "amount": add(Kind::Number, may, "an amount", "amount").parse::<i64>().unwrap(),
    });
    plants.place(may, &id, &format!("a place of {of}"), at);
    let geojson = collection_of(&[feature(all, &point(at))]);
    import(&town.store, town.path(), &id, &geojson, None, settings).await;
    set_rules(&town.store, &id, rules(class, unit)).await;
    properties.insert(id, ["name", "note", "amount"].map(str::to_owned).into());
}

impl Planted {
    /// Accounts, units and tokens, all of which are canaries too.
    async fn people(&mut self) {
        let store = &self.town.store;
        let plants = &mut self.plants;
        for id in ["water", "roads"] {
            let title = plants.in_directory("the title of a unit", NOBODY);
            add_unit(store, id, &title, None).await;
        }
        let id = word(DECOYS - 1, true);
        add_unit(store, &id, "", None).await;
        for (who, role, part) in [
            ("citizen", None, Part::All),
            ("administrator", Some("administrator"), Part::All),
            ("operator", Some("operator"), Part::All),
            ("west", Some("operator"), Part::West),
            ("water", Some("executor"), Part::Water),
            ("roads", Some("executor"), Part::Roads),
            ("dispatcher", Some("dispatcher"), Part::All),
            ("planner", Some("planner"), Part::All),
            ("editor", Some("gis-editor"), Part::All),
        ] {
            let own: Names = match EVERYBODY.iter().position(|e| *e == who) {
                Some(at) => &EVERYBODY[at..=at],
                None => NOBODY,
            };
            let mut somebody = person(who, role, part);
            somebody.name = plants.in_directory(&format!("the name of {who}"), own);
            let email = plants.in_directory(&format!("the address of {who}"), own);
            somebody.email = Some(format!("{email}@town.test"));
            let label = plants.in_directory(&format!("the label of {who}'s token"), own);
            account(store, somebody).await;
            let token = token_for(store, who, &label, &Scope::ALL, None).await;
            self.town.tokens.insert(who.to_owned(), token);
        }
    }
}
