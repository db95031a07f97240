//! The decision: what somebody may do with a collection, and in what form they see it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, Area, Class, Permission, Principal, PropertyRule, RowRule, Shown, Twin, Who};

/// What a principal may do with a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// In what form they see it; `None`: for them it does not exist.
    pub view: Option<View>,
    pub create: Option<Reach>,
    pub change: Option<Reach>,
    pub delete: Option<Reach>,
    /// Whether they see what its features were.
    pub history: bool,
    /// Whether they may take it out whole, as a file.
    pub export: bool,
    /// Whether they may decide who sees it.
    pub publish: bool,
}

/// Where something is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    Everywhere,
    Within(Vec<Area>),
}

/// The form in which somebody sees a collection. Readers with equal views get equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View {
    /// Properties that do not exist for them.
    pub hidden: BTreeSet<String>,
    /// Properties of which they see the first characters.
    pub masked: BTreeMap<String, u8>,
    /// CQL2 texts that all hold for what they see.
    pub filters: BTreeSet<String>,
    /// Where they see something.
    pub reach: Reach,
    /// Width in metres of the grid that places are rounded to.
    pub grid: Option<u32>,
    /// Properties in it that are about people: reading them is audited, and no tile has them.
    pub personal: BTreeSet<String>,
}

impl View {
    /// Whether it shows everything as it is, and nothing of it is about people.
    pub fn is_whole(&self) -> bool {
        self.hidden.is_empty()
            && self.personal.is_empty()
            && self.masked.is_empty()
            && self.filters.is_empty()
            && self.reach == Reach::Everywhere
            && self.grid.is_none()
    }

    /// Whether it shows all that another shows.
    fn covers(&self, other: &Self) -> bool {
        let is_less_masked = self.masked.iter().all(|(name, keep)| {
            other.hidden.contains(name) || other.masked.get(name).is_some_and(|k| k <= keep)
        });
        self.reach == Reach::Everywhere
            && is_less_masked
            && self.hidden.is_subset(&other.hidden)
            && self.filters.is_subset(&other.filters)
            && (self.grid.is_none() || self.grid == other.grid)
    }
}

/// Decides. `properties` are the names of the collection's properties; the order does not matter.
///
/// One collection is seen in one form: that of the highest class that the principal has for it, within the areas that
/// give that class. A lower one is taken where it shows no less.
pub fn decide<'p>(
    principal: &Principal,
    collection: &str,
    access: &Access,
    properties: impl IntoIterator<Item = &'p str> + Clone,
) -> Decision {
    let asked = Asked {
        principal,
        access,
        is_for_it: match &principal.collections {
            Some(named) => named.contains(collection),
            None => true,
        },
    };
    let mut view: Option<View> = None;
    let mut sees_itself = false;
    for class in Class::ALL.into_iter().rev() {
        let Some(reach) = asked.class(class) else {
            continue;
        };
        let Some(seen) = asked.view(class, reach, properties.clone()) else {
            continue;
        };
        sees_itself |= class >= access.class;
        if view.as_ref().is_none_or(|higher| seen.covers(higher)) {
            view = Some(seen);
        }
    }
    // Through a coarser form nothing can be written, and nothing that one does not see.
    let write = |permission| {
        let may = sees_itself && view.is_some();
        may.then(|| asked.reach(permission)).flatten()
    };
    Decision {
        create: write(Permission::Create),
        change: write(Permission::Change),
        delete: write(Permission::Delete),
        history: sees_itself && view.is_some() && asked.class(access.history).is_some(),
        export: view.is_some()
            && (access.class == Class::Public || asked.reach(Permission::Export).is_some()),
        publish: matches!(asked.reach(Permission::Publish), Some(Reach::Everywhere)),
        view,
    }
}

struct Asked<'a> {
    principal: &'a Principal,
    access: &'a Access,
    /// Whether the principal's token is for the collection.
    is_for_it: bool,
}

impl Asked<'_> {
    /// Where the principal has a class for the collection.
    fn class(&self, class: Class) -> Option<Reach> {
        if matches!(self.principal.who, Who::Console(_)) || class == Class::Public {
            return Some(Reach::Everywhere);
        }
        if !self.is_for_it {
            return None;
        }
        match class {
            Class::Public => Some(Reach::Everywhere),
            Class::Registered => (!self.principal.is_anonymous()).then_some(Reach::Everywhere),
            // Whoever works in one unit works for the town.
            Class::Staff => self.reached(Permission::ReadStaff, |_| true),
            Class::Unit => self.reach(Permission::ReadUnit),
            Class::Restricted => self.reach(Permission::ReadRestricted),
        }
    }

    /// Where the principal has a permission for what belongs to the collection's unit.
    fn reach(&self, permission: Permission) -> Option<Reach> {
        self.reached(permission, |units| {
            let own = self.access.unit.as_ref();
            own.is_some_and(|own| units.contains(own))
        })
    }

    fn reached(
        &self,
        permission: Permission,
        is_of: impl Fn(&BTreeSet<String>) -> bool,
    ) -> Option<Reach> {
        if matches!(self.principal.who, Who::Console(_)) {
            return Some(Reach::Everywhere);
        }
        let grants = self.principal.grants.iter().filter(|grant| {
            self.is_for_it
                && grant.permissions.contains(&permission)
                && grant.units.as_ref().is_none_or(&is_of)
        });
        let mut areas = Vec::new();
        let mut has_any = false;
        for grant in grants {
            has_any = true;
            let Some(area) = &grant.area else {
                return Some(Reach::Everywhere);
            };
            if !areas.contains(area) {
                areas.push(area.clone());
            }
        }
        areas.sort_by(|a, b| a.text().cmp(b.text()));
        has_any.then_some(Reach::Within(areas))
    }

    /// The form in which a class sees the collection; `None` when it does not.
    fn view<'p>(
        &self,
        class: Class,
        reach: Reach,
        properties: impl IntoIterator<Item = &'p str>,
    ) -> Option<View> {
        let twin = if class >= self.access.class {
            None
        } else {
            Some(
                self.access
                    .twin
                    .as_ref()
                    .filter(|twin| class >= twin.class)?,
            )
        };
        let mut view = View {
            hidden: BTreeSet::new(),
            masked: BTreeMap::new(),
            filters: self.filters(class, twin),
            grid: twin.map(|twin| twin.grid),
            personal: BTreeSet::new(),
            reach,
        };
        for name in properties {
            let rule = self.access.properties.get(name);
            let is_left_out = twin.is_some_and(|twin| !twin.properties.iter().any(|p| p == name));
            match self.shown(class, rule, &view.reach) {
                _ if is_left_out => {
                    view.hidden.insert(name.to_owned());
                }
                Some(Shown::Not) => {
                    view.hidden.insert(name.to_owned());
                }
                Some(Shown::Masked { keep }) => {
                    view.masked.insert(name.to_owned(), keep);
                }
                None if rule.is_some_and(|rule| rule.is_personal) => {
                    view.personal.insert(name.to_owned());
                }
                None => {}
            }
        }
        Some(view)
    }

    fn filters(&self, class: Class, twin: Option<&Twin>) -> BTreeSet<String> {
        let of_rows = |rule: &&RowRule| class < rule.below;
        let rows = self.access.rows.iter().filter(of_rows);
        let rows = rows.map(|rule| rule.filter.clone());
        rows.chain(twin.and_then(|twin| twin.filter.clone()))
            .collect()
    }

    /// In what form a class sees a property; `None`: as it is.
    fn shown(&self, class: Class, rule: Option<&PropertyRule>, reach: &Reach) -> Option<Shown> {
        let rule = rule?;
        let sees = class >= rule.from && (!rule.is_personal || self.sees_people(reach));
        (!sees).then_some(rule.otherwise)
    }

    /// Whether personal data is seen wherever the collection is.
    fn sees_people(&self, reach: &Reach) -> bool {
        match (self.reach_of_people(), reach) {
            (Some(Reach::Everywhere), _) => true,
            (Some(Reach::Within(people)), Reach::Within(seen)) => {
                seen.iter().all(|area| people.contains(area))
            }
            _ => false,
        }
    }

    fn reach_of_people(&self) -> Option<Reach> {
        self.reach(Permission::ReadPersonal)
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
