//! What rules and assignments must hold before they are kept.

use std::collections::BTreeSet;

use crate::{Collection, Filter, Invalid, Message, PropertyType, Schema, days_of_date};

use super::{
    Access, Assignment, Class, Deputy, Directory, Permission, Person, Shown, Twin, Unit, is_name,
};

/// Longest name of a person, title of a unit and label of a token, in characters.
pub const MAX_TITLE_LENGTH: usize = 200;

/// Longest address that mail takes (RFC 5321 §4.5.3.1.3).
const MAX_EMAIL_LENGTH: usize = 254;

/// Roles that one account has at most, and people who act for it. Every request of theirs goes through all of them.
const MAX_ASSIGNMENTS: usize = 100;

/// Row rules of a collection at most: each one is asked for every feature.
const MAX_ROWS: usize = 20;

/// The widest grid of a twin, in metres: beyond it a town is one cell.
const MAX_GRID: u32 = 100_000;

impl Access {
    /// Whether the rules fit a collection and the units that there are.
    ///
    /// # Errors
    /// Names what does not fit and what helps: a unit or property that there is not, a filter that can't be read, a rule
    /// without effect.
    pub fn check(&self, collection: &Collection, directory: &Directory) -> Result<(), Invalid> {
        let schema = &collection.schema;
        match &self.unit {
            Some(unit) => unit_exists(unit, directory)?,
            None if self.class == Class::Unit => return Err(invalid("access.unit-needed")),
            None => {}
        }
        for (name, rule) in &self.properties {
            let kind = kind_of(name, schema)?;
            if kind == PropertyType::Integer && collection.id_property.as_ref() == Some(name) {
                // It is the key: a text in its place is left out, and features go by their keys.
                let message = Message::new("access.id-property");
                return Err(Invalid(message.with("property", name)));
            }
            if matches!(rule.otherwise, Shown::Masked { .. }) && kind != PropertyType::Text {
                let message = Message::new("access.mask-of-no-text");
                return Err(Invalid(message.with("property", name)));
            }
        }
        if self.rows.len() > MAX_ROWS {
            let message = Message::new("access.too-many-rows");
            return Err(Invalid(message.with("max", MAX_ROWS)));
        }
        for rule in &self.rows {
            if rule.below == Class::Public {
                return Err(invalid("access.rows-below-public"));
            }
            Filter::parse(&rule.filter, schema)?;
        }
        match &self.twin {
            Some(twin) => self.check_twin(twin, schema),
            None => Ok(()),
        }
    }

    fn check_twin(&self, twin: &Twin, schema: &Schema) -> Result<(), Invalid> {
        if twin.class >= self.class {
            let message = Message::new("access.twin-without-effect")
                .with("twin", twin.class.name())
                .with("class", self.class.name());
            return Err(Invalid(message));
        }
        if twin.grid == 0 || twin.grid > MAX_GRID {
            let message = Message::new("access.twin-grid");
            return Err(Invalid(message.with("max", MAX_GRID)));
        }
        for name in &twin.properties {
            kind_of(name, schema)?;
        }
        if let Some(filter) = &twin.filter {
            Filter::parse(filter, schema)?;
        }
        Ok(())
    }
}

impl Person {
    /// Whether the account can be kept among the others.
    ///
    /// # Errors
    /// Names what is wrong: a name or address that is none, an assignment or a deputy.
    pub fn check(&self, directory: &Directory) -> Result<(), Invalid> {
        check_title(&self.name)?;
        if let Some(email) = &self.email {
            check_email(email)?;
        }
        if self.assignments.len() > MAX_ASSIGNMENTS || self.deputies.len() > MAX_ASSIGNMENTS {
            let message = Message::new("access.too-many-assignments");
            return Err(Invalid(message.with("max", MAX_ASSIGNMENTS)));
        }
        self.assignments
            .iter()
            .try_for_each(|a| a.check(directory))?;
        self.deputies
            .iter()
            .try_for_each(|d| d.check(&self.id, directory))
    }
}

impl Assignment {
    /// # Errors
    /// For a unit that there is not, days that are none or in the wrong order, and bounds of a role that has none: accounts
    /// and logs are of the whole town.
    pub fn check(&self, directory: &Directory) -> Result<(), Invalid> {
        let of_the_whole = [
            Permission::ManagePeople,
            Permission::ReadAudit,
            Permission::Operate,
        ];
        let is_bounded = self.unit.is_some() || self.area.is_some();
        // Rules are for all of a collection, wherever its features lie.
        let publishes_within = self.area.is_some() && self.role.has(Permission::Publish);
        if publishes_within || is_bounded && of_the_whole.iter().any(|p| self.role.has(*p)) {
            let message = Message::new("access.role-unbounded");
            return Err(Invalid(message.with("role", self.role.id)));
        }
        if let Some(unit) = &self.unit {
            unit_exists(unit, directory)?;
        }
        check_days(&self.from, &self.until)
    }
}

impl Deputy {
    fn check(&self, person: &str, directory: &Directory) -> Result<(), Invalid> {
        if self.person == person {
            return Err(invalid("access.own-deputy"));
        }
        if !directory.people.contains_key(&self.person) {
            let message = Message::new("access.no-account");
            return Err(Invalid(message.with("id", &self.person)));
        }
        check_days(&self.from, &self.until)
    }
}

impl Unit {
    /// Whether the unit can be kept among the others, in the place of an older one of its id.
    ///
    /// # Errors
    /// For an id or title that is none, a unit above it that there is not, and one that would be above itself.
    pub fn check(&self, directory: &Directory) -> Result<(), Invalid> {
        if !is_name(&self.id) {
            let shown: String = self.id.chars().take(super::MAX_NAME_LENGTH + 1).collect();
            return Err(Invalid(
                Message::new("access.unit-name").with("name", shown),
            ));
        }
        check_title(&self.title)?;
        let mut passed = BTreeSet::from([self.id.as_str()]);
        let mut above = self.parent.as_deref();
        while let Some(id) = above {
            let Some(unit) = directory.units.get(id).or((id == self.id).then_some(self)) else {
                return Err(Invalid(Message::new("access.no-unit").with("unit", id)));
            };
            if !passed.insert(&unit.id) {
                let message = Message::new("access.unit-in-itself");
                return Err(Invalid(message.with("unit", &self.id)));
            }
            above = unit.parent.as_deref();
        }
        Ok(())
    }
}

/// Whether a text can stand as a name or title: not empty, on one line, not too long.
///
/// # Errors
/// When it can't.
pub fn check_title(text: &str) -> Result<(), Invalid> {
    let is_good = !text.trim().is_empty()
        && text.chars().count() <= MAX_TITLE_LENGTH
        && text.chars().all(is_plain);
    if is_good {
        return Ok(());
    }
    let message = Message::new("access.title-invalid");
    Err(Invalid(message.with("max", MAX_TITLE_LENGTH)))
}

/// Whether a character shows itself: no control, nothing that turns the direction of others (Unicode 16 §23.2), has no
/// width, or ends a line.
pub fn is_plain(c: char) -> bool {
    let is_unseen = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !is_unseen
}

/// Enough to catch what was mistyped; whether mail arrives, only mail can tell.
fn check_email(text: &str) -> Result<(), Invalid> {
    let is_good = text.len() <= MAX_EMAIL_LENGTH
        && text.chars().all(|c| is_plain(c) && !c.is_whitespace())
        && text
            .rsplit_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if is_good {
        return Ok(());
    }
    Err(invalid("access.email-invalid"))
}

fn check_days(from: &Option<String>, until: &Option<String>) -> Result<(), Invalid> {
    for day in [from, until].into_iter().flatten() {
        if days_of_date(day).is_none() {
            return Err(Invalid(Message::new("access.no-day").with("day", day)));
        }
    }
    match (from, until) {
        (Some(from), Some(until)) if from > until => Err(Invalid(
            Message::new("access.days-reversed")
                .with("from", from)
                .with("until", until),
        )),
        _ => Ok(()),
    }
}

fn unit_exists(unit: &str, directory: &Directory) -> Result<(), Invalid> {
    if directory.units.contains_key(unit) {
        return Ok(());
    }
    Err(Invalid(Message::new("access.no-unit").with("unit", unit)))
}

fn kind_of(name: &str, schema: &Schema) -> Result<PropertyType, Invalid> {
    let position = schema.position(name).ok_or_else(|| {
        let known: Vec<&str> = schema.properties.iter().map(|p| p.name.as_str()).collect();
        Invalid(
            Message::new("access.no-property")
                .with("property", name)
                .with("known", known.join(", ")),
        )
    })?;
    Ok(schema.properties[position].kind)
}

fn invalid(key: &'static str) -> Invalid {
    Invalid(Message::new(key))
}

#[cfg(test)]
mod tests {
    use super::super::{Area, PersonKind, PropertyRule, Role, RowRule};
    use super::*;
    use crate::{CollectionId, Crs, GeometryType, Property, Text, Theme, TileSettings};

    fn pipes() -> Collection {
        let properties = vec![
            Property::new("kind", PropertyType::Text),
            Property::new("depth", PropertyType::Real),
            Property::new("number", PropertyType::Integer),
        ];
        Collection {
            id: CollectionId::new("pipes").unwrap(),
            title: Text::default(),
            description: Text::default(),
            geometry_type: GeometryType::LineString,
            has_z: false,
            has_m: false,
            storage_crs: Crs::CRS84,
            schema: Schema { properties },
            id_property: Some("number".into()),
            label_property: None,
            time_property: None,
            theme: Theme::Networks,
            licence: None,
            attribution: None,
            tiles: TileSettings::default(),
        }
    }

    fn town() -> Directory {
        let unit = |id: &str, parent: Option<&str>| Unit {
            id: id.into(),
            title: id.into(),
            parent: parent.map(Into::into),
        };
        let mut town = Directory::default();
        for unit in [unit("works", None), unit("water", Some("works"))] {
            town.units.insert(unit.id.clone(), unit);
        }
        let clerk = Person::new("clerk", "Clerk", PersonKind::Person).unwrap();
        town.people.insert("clerk".into(), clerk);
        town
    }

    fn key(result: Result<(), Invalid>) -> &'static str {
        result.err().map_or("", |invalid| invalid.0.key())
    }

    fn rule(otherwise: Shown) -> PropertyRule {
        PropertyRule {
            from: Class::Staff,
            is_personal: false,
            otherwise,
        }
    }

    fn twin() -> Twin {
        Twin {
            class: Class::Public,
            properties: vec!["kind".into()],
            grid: 100,
            filter: None,
        }
    }

    #[test]
    fn rules_are_held_against_the_collection_and_the_units() {
        let check = |change: &dyn Fn(&mut Access)| {
            let mut access = Access::of(Class::Staff);
            change(&mut access);
            key(access.check(&pipes(), &town()))
        };
        let property = |name: &str, shown| {
            let name = name.to_owned();
            move |a: &mut Access| {
                a.properties.insert(name.clone(), rule(shown));
            }
        };
        let row = |below, filter: &str| {
            let filter = filter.to_owned();
            move |a: &mut Access| {
                a.rows.push(RowRule {
                    below,
                    filter: filter.clone(),
                });
            }
        };
        let with_twin = |change: fn(&mut Twin)| {
            move |a: &mut Access| {
                let mut twin = twin();
                change(&mut twin);
                a.twin = Some(twin);
            }
        };
        assert_eq!(check(&|_| {}), "");
        assert_eq!(check(&|a| a.unit = Some("water".into())), "");
        assert_eq!(check(&|a| a.unit = Some("gas".into())), "access.no-unit");
        assert_eq!(check(&|a| a.class = Class::Unit), "access.unit-needed");
        assert_eq!(check(&property("kind", Shown::Masked { keep: 2 })), "");
        assert_eq!(check(&property("owner", Shown::Not)), "access.no-property");
        assert_eq!(
            check(&property("depth", Shown::Masked { keep: 2 })),
            "access.mask-of-no-text"
        );
        assert_eq!(check(&property("number", Shown::Not)), "access.id-property");
        assert_eq!(check(&row(Class::Staff, "depth > 2")), "");
        assert_eq!(
            check(&row(Class::Staff, "width > 2")),
            "model.filter-property-unknown"
        );
        assert_eq!(
            check(&row(Class::Public, "depth > 2")),
            "access.rows-below-public"
        );
        assert_eq!(check(&with_twin(|_| {})), "");
        assert_eq!(
            check(&with_twin(|t| t.class = Class::Staff)),
            "access.twin-without-effect"
        );
        assert_eq!(check(&with_twin(|t| t.grid = 0)), "access.twin-grid");
        assert_eq!(
            check(&with_twin(|t| t.properties.push("owner".into()))),
            "access.no-property"
        );
        assert_eq!(
            check(&with_twin(|t| t.filter = Some("depth >".into()))),
            "model.filter-expected"
        );
    }

    #[test]
    fn accounts_are_held_against_the_directory() {
        let check = |change: &dyn Fn(&mut Person)| {
            let mut person = Person::new("boss", "Boss", PersonKind::Person).unwrap();
            change(&mut person);
            key(person.check(&town()))
        };
        let assigned = |change: fn(&mut Assignment)| {
            move |p: &mut Person| {
                let mut assignment = Assignment::of(Role::named("planner").unwrap());
                change(&mut assignment);
                p.assignments.push(assignment);
            }
        };
        let deputy = |who: &str| {
            let person = who.to_owned();
            move |p: &mut Person| {
                p.deputies.push(Deputy {
                    person: person.clone(),
                    from: None,
                    until: None,
                });
            }
        };
        assert_eq!(check(&|_| {}), "");
        assert_eq!(check(&|p| p.name = " ".into()), "access.title-invalid");
        assert_eq!(check(&|p| p.email = Some("b@town.test".into())), "");
        for bad in ["town.test", "@town.test", "b@", "b c@town.test"] {
            let found = check(&|p| p.email = Some(bad.into()));
            assert_eq!(found, "access.email-invalid", "{bad}");
        }
        assert_eq!(check(&assigned(|a| a.unit = Some("water".into()))), "");
        assert_eq!(
            check(&assigned(|a| a.unit = Some("gas".into()))),
            "access.no-unit"
        );
        assert_eq!(
            check(&assigned(|a| a.until = Some("2026-02-30".into()))),
            "access.no-day"
        );
        assert_eq!(
            check(&assigned(|a| {
                a.from = Some("2026-02-02".into());
                a.until = Some("2026-02-01".into());
            })),
            "access.days-reversed"
        );
        let with_unit = |role: &'static str| {
            check(&|p| {
                let mut assignment = Assignment::of(Role::named(role).unwrap());
                assignment.unit = Some("water".into());
                p.assignments.push(assignment);
            })
        };
        for of_the_whole in ["administrator", "auditor"] {
            assert_eq!(with_unit(of_the_whole), "access.role-unbounded");
        }
        // Rules are for a whole collection, also for what lies outside of an area.
        let area = r#"{"type":"Polygon","coordinates":[[[24,49],[25,49],[25,50],[24,49]]]}"#;
        let within = |role: &'static str| {
            check(&|p| {
                let mut assignment = Assignment::of(Role::named(role).unwrap());
                assignment.area = Some(Area::parse(area).unwrap());
                p.assignments.push(assignment);
            })
        };
        assert_eq!(within("data-publisher"), "access.role-unbounded");
        assert_eq!((within("planner"), with_unit("data-publisher")), ("", ""));
        // Letters that turn the direction of others, or are not seen.
        for unseen in ["a\u{202e}b", "a\u{200b}b", "a\u{2028}b", "a\nb"] {
            assert_eq!(check(&|p| p.name = unseen.into()), "access.title-invalid");
        }
        assert_eq!(check(&deputy("clerk")), "");
        assert_eq!(check(&deputy("boss")), "access.own-deputy");
        assert_eq!(check(&deputy("nobody")), "access.no-account");
    }

    #[test]
    fn units_are_a_tree() {
        let check = |id: &str, parent: Option<&str>| {
            let unit = Unit {
                id: id.into(),
                title: "Unit".into(),
                parent: parent.map(Into::into),
            };
            key(unit.check(&town()))
        };
        assert_eq!(check("gas", None), "");
        assert_eq!(check("gas", Some("water")), "");
        assert_eq!(check("Gas", None), "access.unit-name");
        assert_eq!(check("gas", Some("roads")), "access.no-unit");
        assert_eq!(check("gas", Some("gas")), "access.unit-in-itself");
        assert_eq!(check("works", Some("water")), "access.unit-in-itself");
    }
}
