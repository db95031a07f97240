//! Everything that decisions depend on: people, units and the rules of collections.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, Assignment, Grant, Person, Principal, TownStyle, Unit, Who};

/// People, units and rules at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directory {
    pub people: BTreeMap<String, Person>,
    pub units: BTreeMap<String, Unit>,
    /// By collection.
    pub access: BTreeMap<String, Access>,
    /// Styles that the town has put beside ours.
    pub styles: BTreeMap<String, TownStyle>,
}

impl Directory {
    /// The rules of a collection; those of [`Access::default`] where none are known.
    pub fn access(&self, collection: &str) -> Access {
        self.access.get(collection).cloned().unwrap_or_default()
    }

    /// What a person may do on a day; `None` for an account that is unknown or switched off.
    pub fn principal(&self, id: &str, day: &str) -> Option<Principal> {
        let person = self.people.get(id).filter(|person| !person.is_disabled)?;
        let deputised = self.people.values().filter(|other| {
            // Who acts for somebody that acts for a third person acts for the second only.
            let for_them = |d: &super::Deputy| d.person == id && d.holds_on(day);
            !other.is_disabled && other.id != id && other.deputies.iter().any(for_them)
        });
        let assignments = std::iter::once(person)
            .chain(deputised)
            .flat_map(|p| &p.assignments);
        let grants = assignments
            .filter(|assignment| assignment.holds_on(day))
            .map(|assignment| self.grant(assignment))
            .collect();
        Some(Principal {
            who: Who::Person {
                id: person.id.clone(),
                name: person.name.clone(),
            },
            grants,
            collections: None,
        })
    }

    fn grant(&self, assignment: &Assignment) -> Grant {
        Grant {
            permissions: assignment.role.permissions.iter().copied().collect(),
            units: assignment.unit.as_ref().map(|unit| self.below(unit)),
            area: assignment.area.clone(),
        }
    }

    /// A unit and all that are part of it.
    fn below(&self, unit: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([unit.to_owned()]);
        loop {
            let before = found.len();
            for other in self.units.values() {
                if other.parent.as_ref().is_some_and(|p| found.contains(p)) {
                    found.insert(other.id.clone());
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}
