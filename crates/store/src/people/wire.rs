//! People, units and rules as JSON, the form in which they are stored.

use std::collections::BTreeMap;

use model::Message;
use model::access::{
    Access, Area, AreaRule, Assignment, Class, Deputy, Directory, Editing, IdPattern, InvalidRule,
    Person, PersonKind, PropertyRule, Retention, Role, RowRule, Shown, TownStyle, Twin, Unit,
};
use serde_json::{Map, Value as Json, json};

use crate::Error;

/// Adds a stored record; `None` when it can't be read.
pub(super) fn add(directory: &mut Directory, kind: &str, id: &str, body: &str) -> Option<()> {
    let json: Json = serde_json::from_str(body).ok()?;
    match kind {
        "person" => {
            directory
                .people
                .insert(id.to_owned(), read_person(id, &json)?);
        }
        "unit" => {
            let unit = Unit {
                id: id.to_owned(),
                title: string(&json["title"])?,
                parent: string(&json["parent"]),
            };
            directory.units.insert(id.to_owned(), unit);
        }
        "access" => {
            directory
                .access
                .insert(id.to_owned(), access_from_json(&json)?);
        }
        "style" => {
            let style = TownStyle {
                title: string(&json["title"])?,
                document: json["document"].as_str()?.into(),
                created: string(&json["created"])?,
                updated: string(&json["updated"])?,
            };
            directory.styles.insert(id.to_owned(), style);
        }
        _ => return None,
    }
    Some(())
}

fn string(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

/// All entries, or `None` when one can't be read; a missing list is empty.
fn list<T>(json: &Json, read: impl Fn(&Json) -> Option<T>) -> Option<Vec<T>> {
    match json {
        Json::Null => Some(Vec::new()),
        json => json.as_array()?.iter().map(read).collect(),
    }
}

pub(super) fn style(style: &TownStyle) -> Json {
    json!({
        "title": style.title,
        "document": &*style.document,
        "created": style.created,
        "updated": style.updated,
    })
}

pub(super) fn unit(unit: &Unit) -> Json {
    json!({ "title": unit.title, "parent": unit.parent })
}

pub(super) fn person(person: &Person) -> Json {
    let assignments: Vec<Json> = person.assignments.iter().map(assignment).collect();
    let deputies: Vec<Json> = person.deputies.iter().map(deputy).collect();
    json!({
        "name": person.name,
        "email": person.email,
        "machine": person.kind == PersonKind::Machine,
        "disabled": person.is_disabled,
        "password": person.password,
        "secondFactor": person.second_factor.as_deref().map(hex),
        "lastStep": person.last_step,
        "recovery": person.recovery,
        "generation": person.generation,
        "external": person.external.as_ref().map(|(issuer, subject)| json!([issuer, subject])),
        "assignments": assignments,
        "deputies": deputies,
    })
}

pub(super) fn assignment(assignment: &Assignment) -> Json {
    json!({
        "role": assignment.role.id,
        "unit": assignment.unit,
        "area": assignment.area.as_ref().map(Area::text),
        "from": assignment.from,
        "until": assignment.until,
        "external": assignment.is_external,
    })
}

pub(super) fn deputy(deputy: &Deputy) -> Json {
    json!({ "person": deputy.person, "from": deputy.from, "until": deputy.until })
}

pub(super) fn read_person(id: &str, json: &Json) -> Option<Person> {
    let kind = match json["machine"].as_bool()? {
        true => PersonKind::Machine,
        false => PersonKind::Person,
    };
    let external = match &json["external"] {
        Json::Null => None,
        pair => Some((string(&pair[0])?, string(&pair[1])?)),
    };
    let second_factor = match &json["secondFactor"] {
        Json::Null => None,
        text => Some(unhex(text.as_str()?)?),
    };
    Some(Person {
        email: string(&json["email"]),
        is_disabled: json["disabled"].as_bool()?,
        password: string(&json["password"]),
        second_factor,
        last_step: json["lastStep"].as_u64(),
        recovery: list(&json["recovery"], string)?,
        generation: json["generation"].as_u64().unwrap_or(0),
        external,
        assignments: list(&json["assignments"], read_assignment)?,
        deputies: list(&json["deputies"], read_deputy)?,
        ..Person::new(id, json["name"].as_str()?, kind).ok()?
    })
}

fn read_assignment(json: &Json) -> Option<Assignment> {
    let area = match &json["area"] {
        Json::Null => None,
        text => Some(Area::parse(text.as_str()?).ok()?),
    };
    Some(Assignment {
        role: Role::named(json["role"].as_str()?)?,
        unit: string(&json["unit"]),
        area,
        from: string(&json["from"]),
        until: string(&json["until"]),
        is_external: json["external"].as_bool().unwrap_or(false),
    })
}

fn read_deputy(json: &Json) -> Option<Deputy> {
    Some(Deputy {
        person: string(&json["person"])?,
        from: string(&json["from"]),
        until: string(&json["until"]),
    })
}

/// The rules of a collection as JSON. Members without a meaning for it are left out.
pub fn access_json(access: &Access) -> Json {
    let mut out = Map::new();
    out.insert("class".to_owned(), access.class.name().into());
    if let Some(unit) = &access.unit {
        out.insert("unit".to_owned(), unit.as_str().into());
    }
    if !access.properties.is_empty() {
        let properties = access.properties.iter().map(|(name, rule)| {
            let mut json = json!({ "from": rule.from.name() });
            if rule.is_personal {
                json["personal"] = true.into();
            }
            if let Shown::Masked { keep } = rule.otherwise {
                json["keep"] = keep.into();
            }
            (name.clone(), json)
        });
        out.insert("properties".to_owned(), Json::Object(properties.collect()));
    }
    if !access.rows.is_empty() {
        let rows = access
            .rows
            .iter()
            .map(|rule| json!({ "below": rule.below.name(), "filter": rule.filter }));
        out.insert("rows".to_owned(), rows.collect());
    }
    if let Some(twin) = &access.twin {
        let mut json =
            json!({ "class": twin.class.name(), "properties": twin.properties, "grid": twin.grid });
        if let Some(filter) = &twin.filter {
            json["filter"] = filter.as_str().into();
        }
        out.insert("twin".to_owned(), json);
    }
    if access.history != Class::Staff {
        out.insert("history".to_owned(), access.history.name().into());
    }
    if let Some(retention) = access.retention {
        let rule = json!({ "days": retention.days() });
        out.insert("retention".to_owned(), rule);
    }
    if access.editing != Editing::default() {
        out.insert("editing".to_owned(), editing_json(&access.editing));
    }
    Json::Object(out)
}

fn editing_json(editing: &Editing) -> Json {
    let mut json = json!({});
    if editing.is_strict {
        json["if-match"] = REQUIRED.into();
    }
    if editing.invalid != InvalidRule::default() {
        json["invalid-geometry"] = editing.invalid.name().into();
    }
    if let Some(pattern) = &editing.ids {
        json["ids"] = pattern.as_str().into();
    }
    if let Some(rule) = &editing.area {
        json["area"] = json!({ "property": rule.property, "tolerance": rule.tolerance });
    }
    json
}

/// In a rule of editing: a change without `If-Match` is refused.
const REQUIRED: &str = "required";

/// The rules that [`access_json`] has written; `None` for anything that is not understood whole, since a rule that is
/// skipped shows what it was to hide.
pub fn access_from_json(json: &Json) -> Option<Access> {
    read_access(json).ok()
}

/// The rules that somebody wrote.
///
/// # Errors
/// Names the member that is not understood.
pub fn access_from_text(text: &str) -> Result<Access, Error> {
    let refused = |member: &str| {
        Error::Invalid(Message::new("access.rules-unreadable").with("member", member))
    };
    let json: Json = serde_json::from_str(text).map_err(|error| refused(&error.to_string()))?;
    read_access(&json).map_err(|member| refused(&member))
}

/// The rules, or the member that is not understood.
fn read_access(json: &Json) -> Result<Access, String> {
    let members = known(
        json,
        "",
        &[
            "class",
            "unit",
            "properties",
            "rows",
            "twin",
            "history",
            "retention",
            "editing",
        ],
    )?;
    let mut properties = BTreeMap::new();
    if let Some(rules) = members.get("properties") {
        for (name, rule) in rules.as_object().ok_or("properties")? {
            let rule = read_property(rule, &format!("properties.{name}"))?;
            properties.insert(name.clone(), rule);
        }
    }
    let mut rows = Vec::new();
    if let Some(rules) = members.get("rows") {
        for (i, rule) in rules.as_array().ok_or("rows")?.iter().enumerate() {
            let at = format!("rows[{i}]");
            known(rule, &at, &["below", "filter"])?;
            rows.push(RowRule {
                below: class(&rule["below"], &format!("{at}.below"))?,
                filter: string(&rule["filter"]).ok_or(format!("{at}.filter"))?,
            });
        }
    }
    let twin = members.get("twin").map(read_twin).transpose()?;
    Ok(Access {
        class: class(&json["class"], "class")?,
        unit: optional(members, "unit")?,
        properties,
        rows,
        twin,
        history: match members.get("history") {
            Some(json) => class(json, "history")?,
            None => Class::Staff,
        },
        retention: members.get("retention").map(read_retention).transpose()?,
        editing: match members.get("editing") {
            Some(json) => read_editing(json)?,
            None => Editing::default(),
        },
    })
}

fn read_retention(json: &Json) -> Result<Retention, String> {
    known(json, "retention", &["days"])?;
    let days = json["days"].as_u64().and_then(Retention::of_days);
    days.ok_or_else(|| "retention.days".to_owned())
}

fn read_editing(json: &Json) -> Result<Editing, String> {
    let members = known(
        json,
        "editing",
        &["if-match", "invalid-geometry", "ids", "area"],
    )?;
    let text = |name: &str| {
        let at = format!("editing.{name}");
        optional(members, name)
            .map_err(|_| at.clone())
            .map(|t| (t, at))
    };
    let (if_match, at) = text("if-match")?;
    let is_strict = match if_match.as_deref() {
        None | Some("optional") => false,
        Some(REQUIRED) => true,
        Some(_) => return Err(at),
    };
    let (invalid, at) = text("invalid-geometry")?;
    let invalid = match invalid {
        None => InvalidRule::default(),
        Some(name) => InvalidRule::from_name(&name).ok_or(at)?,
    };
    let (ids, at) = text("ids")?;
    let ids = match ids {
        None => None,
        Some(pattern) => Some(IdPattern::parse(&pattern).ok_or(at)?),
    };
    let area = match members.get("area") {
        None | Some(Json::Null) => None,
        Some(json) => {
            let at = "editing.area";
            known(json, at, &["property", "tolerance"])?;
            let property = string(&json["property"]).ok_or(format!("{at}.property"))?;
            let tolerance = json["tolerance"]
                .as_f64()
                .filter(|t| (0.0..=1.0).contains(t));
            Some(AreaRule {
                property,
                tolerance: tolerance.ok_or(format!("{at}.tolerance"))?,
            })
        }
    };
    Ok(Editing {
        is_strict,
        invalid,
        ids,
        area,
    })
}

/// The members of an object, all of which are known.
fn known<'j>(json: &'j Json, at: &str, names: &[&str]) -> Result<&'j Map<String, Json>, String> {
    let members = json.as_object().ok_or(at)?;
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) if at.is_empty() => Err(name.clone()),
        Some(name) => Err(format!("{at}.{name}")),
        None => Ok(members),
    }
}

fn class(json: &Json, at: &str) -> Result<Class, String> {
    let found = json.as_str().and_then(Class::from_name);
    found.ok_or_else(|| at.to_owned())
}

fn optional(members: &Map<String, Json>, name: &str) -> Result<Option<String>, String> {
    match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(json) => string(json).map(Some).ok_or_else(|| name.to_owned()),
    }
}

fn read_property(json: &Json, at: &str) -> Result<PropertyRule, String> {
    known(json, at, &["from", "personal", "keep"])?;
    let otherwise = match &json["keep"] {
        Json::Null => Shown::Not,
        keep => {
            let keep = keep.as_u64().and_then(|keep| u8::try_from(keep).ok());
            Shown::Masked {
                keep: keep.ok_or(format!("{at}.keep"))?,
            }
        }
    };
    let is_personal = match &json["personal"] {
        Json::Null => false,
        json => json.as_bool().ok_or(format!("{at}.personal"))?,
    };
    Ok(PropertyRule {
        from: class(&json["from"], &format!("{at}.from"))?,
        is_personal,
        otherwise,
    })
}

fn read_twin(json: &Json) -> Result<Twin, String> {
    let members = known(json, "twin", &["class", "properties", "grid", "filter"])?;
    let grid = json["grid"].as_u64().and_then(|g| u32::try_from(g).ok());
    Ok(Twin {
        class: class(&json["class"], "twin.class")?,
        properties: list(&json["properties"], string).ok_or("twin.properties")?,
        grid: grid.filter(|g| *g > 0).ok_or("twin.grid")?,
        filter: optional(members, "filter").map_err(|name| format!("twin.{name}"))?,
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok();
    text.len()
        .is_multiple_of(2)
        .then(|| (0..text.len()).step_by(2).map(pair).collect())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was() {
        let area = r#"{"type":"Polygon","coordinates":[[[24,49],[25,49],[25,50],[24,49]]]}"#;
        let mut directory = Directory::default();
        let mut someone = Person::new("o.koval", "Оксана Коваль", PersonKind::Person).unwrap();
        someone.second_factor = Some(vec![0, 1, 255]);
        someone.last_step = Some(7);
        someone.recovery = vec!["h".into()];
        someone.external = Some(("https://id".into(), "42".into()));
        someone.email = Some("o@kalush.test".into());
        someone.assignments.push(Assignment {
            unit: Some("water".into()),
            area: Some(Area::parse(area).unwrap()),
            from: Some("2026-01-01".into()),
            is_external: true,
            ..Assignment::of(Role::named("planner").unwrap())
        });
        someone.deputies.push(Deputy {
            person: "p".into(),
            from: None,
            until: Some("2026-02-01".into()),
        });
        add(
            &mut directory,
            "person",
            "o.koval",
            &person(&someone).to_string(),
        )
        .unwrap();
        assert_eq!(directory.people["o.koval"], someone);
        let rules = Access {
            unit: Some("water".into()),
            properties: BTreeMap::from([(
                "phone".into(),
                PropertyRule {
                    from: Class::Staff,
                    is_personal: true,
                    otherwise: Shown::Masked { keep: 3 },
                },
            )]),
            rows: vec![RowRule {
                below: Class::Staff,
                filter: "a = 1".into(),
            }],
            twin: Some(Twin {
                class: Class::Public,
                properties: vec!["kind".into()],
                grid: 100,
                filter: Some("b = 2".into()),
            }),
            history: Class::Public,
            retention: Retention::of_days(3650),
            editing: Editing {
                is_strict: true,
                invalid: InvalidRule::Refuse,
                ids: IdPattern::parse("2610100000:01:001:{n:4}"),
                area: Some(AreaRule {
                    property: "area".into(),
                    tolerance: 0.02,
                }),
            },
            ..Access::of(Class::Restricted)
        };
        assert_eq!(access_from_json(&access_json(&rules)), Some(rules));
    }

    #[test]
    fn rules_that_are_not_understood_whole_are_no_rules() {
        for bad in [
            r#"{}"#,
            r#"{"class":"open"}"#,
            r#"{"class":"public","row":[]}"#,
            r#"{"class":"public","properties":{"a":{"from":"staff","mask":2}}}"#,
            r#"{"class":"public","properties":{"a":{"keep":2}}}"#,
            r#"{"class":"public","rows":[{"below":"staff"}]}"#,
            r#"{"class":"staff","twin":{"class":"public","properties":[],"grid":0}}"#,
            r#"{"class":"staff","unit":7}"#,
            r#"{"class":"staff","editing":{"if-match":true}}"#,
            r#"{"class":"staff","editing":{"invalid-geometry":"ignore"}}"#,
            r#"{"class":"staff","editing":{"ids":"none"}}"#,
            r#"{"class":"staff","retention":{}}"#,
            r#"{"class":"staff","retention":{"days":7}}"#,
            r#"{"class":"staff","retention":{"days":"3650"}}"#,
            r#"{"class":"staff","retention":{"days":3650,"rows":1}}"#,
            r#"{"class":"public","rows":[{"below":"staff","filter":"a = 1","from":"unit"}]}"#,
            r#"{"class":"staff","twin":{"class":"public","properties":[],"grid":9,"rows":[]}}"#,
            r#"[]"#,
        ] {
            assert_eq!(
                access_from_json(&serde_json::from_str(bad).unwrap()),
                None,
                "{bad}"
            );
        }
    }

    #[test]
    fn the_member_that_is_not_understood_is_named() {
        let member = |text: &str| access_from_text(text).unwrap_err().to_string();
        for (text, expect) in [
            (r#"{"class":"open"}"#, "\"class\""),
            (r#"{"class":"staff","rules":[]}"#, "\"rules\""),
            (
                r#"{"class":"staff","properties":{"phone":{"from":"staff","keep":-1}}}"#,
                "\"properties.phone.keep\"",
            ),
            (
                r#"{"class":"staff","rows":[{"below":"unit"}]}"#,
                "\"rows[0].filter\"",
            ),
            (
                r#"{"class":"staff","twin":{"class":"public","grid":0}}"#,
                "\"twin.grid\"",
            ),
            ("{", "line 1"),
        ] {
            assert!(member(text).contains(expect), "{}", member(text));
        }
    }
}
