//! What is done to accounts, units, keys and rules: each with its checks and its record in the audit log.
//!
//! `actor` is whoever does it, as the audit log names them.

use std::collections::BTreeSet;
use std::time::Duration;

use model::access::{
    Access, Assignment, Class, Deputy, Directory, Permission, Person, PersonKind, Scope, Unit,
    check_title,
};
use model::{Collection, CollectionId, Message};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::audit::{self, AuditEntry};
use super::keys::{Key, KeyHash, KeyKind};
use super::wire::{self, hex};
use super::{Ended, access_json};
use crate::{Error, Store, registry};

/// Days that a token is good for when nothing else is said.
pub const TOKEN_DAYS: u32 = 365;

/// At most: a token that is for ever outlives the program that it was made for.
pub const MAX_TOKEN_DAYS: u32 = 730;

/// The shortest part of a hash that names a token: a shorter one is soon that of two.
const MIN_PREFIX: usize = 8;

/// Characters of a hash by which the log names a token.
const SHOWN_HASH: usize = 12;

const DAY: u64 = 86_400;

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    pub person: String,
    /// What it is for, in the owner's words; may be empty.
    pub label: String,
    pub scopes: BTreeSet<Scope>,
    /// `None`: all.
    pub collections: Option<BTreeSet<String>>,
    pub days: u32,
    /// [`Person::generation`] of the owner when they showed who they are; `None`: it is made for them.
    pub generation: Option<u64>,
}

/// Accounts.
impl Store {
    /// Keeps a new account.
    ///
    /// # Errors
    /// [`Error::Conflict`] for an id that is taken; [`Error::Invalid`] for what [`Person::check`] refuses.
    pub async fn add_person(&self, actor: &str, person: Person) -> Result<(), Error> {
        self.amend(actor, move |directory| {
            if directory.people.contains_key(&person.id) {
                let message = Message::new("access.account-exists");
                return Err(Error::Conflict(message.with("id", &person.id)));
            }
            person.check(directory)?;
            let entry = AuditEntry::new("person.create", &person.id)
                .with("name", person.name.as_str())
                .with("email", person.email.as_deref())
                .with("machine", person.kind == PersonKind::Machine)
                .with("roles", assignments(&person.assignments));
            directory.people.insert(person.id.clone(), person);
            Ok((entry, ()))
        })
        .await
    }

    /// Gives an account another name and address.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for a name or address that is none.
    pub async fn describe_person(
        &self,
        actor: &str,
        id: &str,
        name: String,
        email: Option<String>,
    ) -> Result<(), Error> {
        let told = |p: &Person| json!({ "name": p.name, "email": p.email });
        self.change_person(actor, id, "person.change", told, move |person| {
            person.name = name;
            person.email = email;
            Ok(())
        })
        .await
    }

    /// Switches an account off, and ends all of its sessions, tokens and links.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] for the last one that may manage the others.
    pub async fn disable_person(&self, actor: &str, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        let ended = Ended {
            person: id.clone(),
            kept: None,
            tokens: true,
            spent: None,
        };
        self.amend_with(actor, Some(ended), move |directory| {
            let is_managed = is_managed(directory);
            person_of(directory, &id)?.is_disabled = true;
            still_managed(is_managed, directory, &id)?;
            Ok((vec![AuditEntry::new("person.disable", id)], ()))
        })
        .await?;
        Ok(())
    }

    /// Switches an account on again. Its sessions and tokens do not come back.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn enable_person(&self, actor: &str, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.amend(actor, move |directory| {
            person_of(directory, &id)?.is_disabled = false;
            Ok((AuditEntry::new("person.enable", id), ()))
        })
        .await
    }

    /// Gives a role.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that there is not; [`Error::Conflict`] when it has just this already;
    /// [`Error::Invalid`] for what [`Assignment::check`] refuses.
    pub async fn give_role(
        &self,
        actor: &str,
        id: &str,
        assignment: Assignment,
    ) -> Result<(), Error> {
        self.change_person(actor, id, "role.give", roles, move |person| {
            if person.assignments.contains(&assignment) {
                let message = Message::new("access.role-given")
                    .with("id", &person.id)
                    .with("role", assignment.role.id);
                return Err(Error::Conflict(message));
            }
            person.assignments.push(assignment);
            Ok(())
        })
        .await
    }

    /// Takes the assignments away that `which` chooses; how many there were. Those that single sign-on gave stay: it would
    /// give them again.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that there is not, or when none is chosen; [`Error::Refused`] when all of them are
    /// given by single sign-on, and when nobody would be left who may manage accounts.
    pub async fn take_role(
        &self,
        actor: &str,
        id: &str,
        which: impl Fn(&Assignment) -> bool + Send + 'static,
    ) -> Result<usize, Error> {
        self.change_person(actor, id, "role.take", roles, move |person| {
            let before = person.assignments.len();
            let is_external = person.assignments.iter().any(|a| a.is_external && which(a));
            person.assignments.retain(|a| a.is_external || !which(a));
            match before - person.assignments.len() {
                0 if is_external => {
                    let message = Message::new("access.role-external");
                    Err(Error::Refused(message.with("id", &person.id)))
                }
                0 => {
                    let message = Message::new("access.role-not-given");
                    Err(Error::NotFound(message.with("id", &person.id)))
                }
                taken => Ok(taken),
            }
        })
        .await
    }

    /// Lets somebody act for another. One who does so already gets the new days.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that there is not; [`Error::Invalid`] for a deputy or days that can't be.
    pub async fn set_deputy(&self, actor: &str, id: &str, deputy: Deputy) -> Result<(), Error> {
        self.change_person(actor, id, "deputy.give", deputies, move |person| {
            person.deputies.retain(|d| d.person != deputy.person);
            person.deputies.push(deputy);
            Ok(())
        })
        .await
    }

    /// # Errors
    /// [`Error::NotFound`] for an account that there is not, or whose deputy the other is not.
    pub async fn remove_deputy(&self, actor: &str, id: &str, deputy: &str) -> Result<(), Error> {
        let deputy = deputy.to_owned();
        self.change_person(actor, id, "deputy.take", deputies, move |person| {
            let before = person.deputies.len();
            person.deputies.retain(|d| d.person != deputy);
            if person.deputies.len() == before {
                let message = Message::new("access.no-deputy")
                    .with("id", &person.id)
                    .with("deputy", deputy);
                return Err(Error::NotFound(message));
            }
            Ok(())
        })
        .await
    }

    /// Changes an account, checks what it has become, and logs what `told` says of it before and after.
    async fn change_person<T: Send + 'static>(
        &self,
        actor: &str,
        id: &str,
        action: &'static str,
        told: fn(&Person) -> Json,
        change: impl FnOnce(&mut Person) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let id = id.to_owned();
        self.amend(actor, move |directory| {
            let was_managed = is_managed(directory);
            let person = person_of(directory, &id)?;
            let before = told(person);
            let done = change(person)?;
            let entry = AuditEntry::new(action, &id)
                .with("before", before)
                .with("after", told(person));
            directory.people[&id].check(directory)?;
            still_managed(was_managed, directory, &id)?;
            Ok((entry, done))
        })
        .await
    }
}

/// Units.
impl Store {
    /// Keeps a new unit.
    ///
    /// # Errors
    /// [`Error::Conflict`] for an id that is taken; [`Error::Invalid`] for what [`Unit::check`] refuses.
    pub async fn add_unit(&self, actor: &str, unit: Unit) -> Result<(), Error> {
        self.amend(actor, move |directory| {
            if directory.units.contains_key(&unit.id) {
                let message = Message::new("access.unit-exists");
                return Err(Error::Conflict(message.with("unit", &unit.id)));
            }
            unit.check(directory)?;
            let entry = AuditEntry::new("unit.create", &unit.id).with("after", wire::unit(&unit));
            directory.units.insert(unit.id.clone(), unit);
            Ok((entry, ()))
        })
        .await
    }

    /// Gives a unit another title or another unit above it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for what [`Unit::check`] refuses.
    pub async fn change_unit(&self, actor: &str, unit: Unit) -> Result<(), Error> {
        self.amend(actor, move |directory| {
            let before = directory
                .units
                .get(&unit.id)
                .ok_or_else(|| no_unit(&unit.id))?;
            unit.check(directory)?;
            let entry = AuditEntry::new("unit.change", &unit.id)
                .with("before", wire::unit(before))
                .with("after", wire::unit(&unit));
            directory.units.insert(unit.id.clone(), unit);
            Ok((entry, ()))
        })
        .await
    }

    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] while a role, a collection or another unit names it, and tells which.
    pub async fn remove_unit(&self, actor: &str, id: &str) -> Result<(), Error> {
        let id = id.to_owned();
        self.amend(actor, move |directory| {
            if let Some(message) = unit_users(directory, &id) {
                return Err(Error::Refused(message));
            }
            let unit = directory.units.remove(&id).ok_or_else(|| no_unit(&id))?;
            let entry = AuditEntry::new("unit.remove", id).with("before", wire::unit(&unit));
            Ok((entry, ()))
        })
        .await
    }
}

/// Rules of collections.
impl Store {
    /// Gives a collection other rules.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a collection that there is not; [`Error::Invalid`] for rules that do not fit it
    /// ([`Access::check`]).
    pub async fn set_access(
        &self,
        actor: &str,
        collection: &CollectionId,
        access: Access,
    ) -> Result<(), Error> {
        self.change_access(actor, collection, move |_| access).await
    }

    /// Gives a collection another class, and a unit where one is named; its other rules stay.
    ///
    /// # Errors
    /// As [`Store::set_access`].
    pub async fn set_class(
        &self,
        actor: &str,
        collection: &CollectionId,
        class: Class,
        unit: Option<String>,
    ) -> Result<(), Error> {
        self.change_access(actor, collection, move |before| Access {
            class,
            unit: unit.or_else(|| before.unit.clone()),
            ..before.clone()
        })
        .await
    }

    async fn change_access(
        &self,
        actor: &str,
        id: &CollectionId,
        change: impl FnOnce(&Access) -> Access + Send + 'static,
    ) -> Result<(), Error> {
        let collection = self.definition(id).await?;
        self.amend(actor, move |directory| {
            let id = collection.id.as_str();
            let before = directory.access(id);
            let after = change(&before);
            after.check(&collection, directory)?;
            let entry = AuditEntry::new("access.change", id)
                .with("before", access_json(&before))
                .with("after", access_json(&after));
            directory.access.insert(id.to_owned(), after);
            Ok((entry, ()))
        })
        .await
    }

    /// A collection as it is registered now.
    async fn definition(&self, id: &CollectionId) -> Result<Collection, Error> {
        let wanted = id.clone();
        let found = self
            .reading_once(move |session| {
                Box::pin(async move { registry::find(session, &wanted).await })
            })
            .await?;
        let message = Message::new("store.no-collection").with("id", id);
        found
            .map(|registered| registered.collection)
            .ok_or(Error::NotFound(message))
    }
}

/// Keys.
impl Store {
    /// Makes a token, and gives it: it is stored as its hash, so nobody can show it again.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account or collection that there is not; [`Error::Refused`] for an account that is
    /// switched off; [`Error::Invalid`] for a label, number of days or no scope.
    pub async fn add_token(&self, actor: &str, token: NewToken) -> Result<(String, Key), Error> {
        let owner = self.active(&token.person).await?;
        if !token.label.is_empty() {
            check_title(&token.label)?;
        }
        if !(1..=MAX_TOKEN_DAYS).contains(&token.days) {
            let message = Message::new("access.token-days").with("max", MAX_TOKEN_DAYS);
            return Err(Error::Invalid(message));
        }
        if token.scopes.is_empty() {
            return Err(Error::Invalid(Message::new("access.token-scopes")));
        }
        for name in token.collections.iter().flatten() {
            self.definition(&CollectionId::new(name)?).await?;
        }
        let (secret, hash) = KeyHash::fresh(KeyKind::Token);
        let now = audit::now();
        let key = Key {
            kind: KeyKind::Token,
            person: token.person,
            label: token.label,
            scopes: token.scopes,
            collections: token.collections,
            proved: None,
            expires: audit::after_now(Duration::from_secs(u64::from(token.days) * DAY)),
            created: now.clone(),
            seen: now,
        };
        let entry = token_entry("token.create", &hash, &key).with("expires", key.expires.as_str());
        let generation = token.generation.unwrap_or(owner.generation);
        self.add_key(actor, hash, key.clone(), Some(generation), entry)
            .await?;
        Ok((secret, key))
    }

    /// Makes the code of a link by which a person sets a password, and gives it. Older links of theirs are good no more.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that there is not; [`Error::Refused`] for one that is switched off or a machine's.
    pub async fn add_link(
        &self,
        actor: &str,
        id: &str,
        good_for: Duration,
    ) -> Result<(String, Key), Error> {
        if self.active(id).await?.kind == PersonKind::Machine {
            let message = Message::new("access.link-for-machine");
            return Err(Error::Refused(message.with("id", id)));
        }
        let (secret, hash) = KeyHash::fresh(KeyKind::Link);
        let now = audit::now();
        let key = Key {
            kind: KeyKind::Link,
            person: id.to_owned(),
            label: String::new(),
            scopes: BTreeSet::new(),
            collections: None,
            proved: None,
            expires: audit::after_now(good_for),
            created: now.clone(),
            seen: now,
        };
        let entry = AuditEntry::new("link.create", id).with("expires", key.expires.as_str());
        self.add_key(actor, hash, key.clone(), None, entry).await?;
        Ok((secret, key))
    }

    /// Takes the token away whose hash begins with a text.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that is too short or of several tokens; [`Error::NotFound`].
    pub async fn revoke_token(&self, actor: &str, prefix: &str) -> Result<Key, Error> {
        let prefix = prefix.to_ascii_lowercase();
        if prefix.len() < MIN_PREFIX {
            let message = Message::new("access.token-prefix-short").with("min", MIN_PREFIX);
            return Err(Error::Invalid(message));
        }
        let keys = self.keys(None).await?;
        let mut found = keys
            .into_iter()
            .filter(|(hash, key)| key.kind == KeyKind::Token && hash.as_str().starts_with(&prefix));
        let none = || {
            let shown: String = prefix.chars().take(64).collect();
            Error::NotFound(Message::new("access.no-token").with("prefix", shown))
        };
        let (hash, key) = found.next().ok_or_else(none)?;
        if found.next().is_some() {
            let message = Message::new("access.token-prefix-ambiguous");
            return Err(Error::Invalid(message.with("prefix", &prefix)));
        }
        let entry = token_entry("token.revoke", &hash, &key);
        match self.drop_keys(actor, vec![hash], entry).await? {
            0 => Err(none()),
            _ => Ok(key),
        }
    }

    /// An account that is there and not switched off.
    async fn active(&self, id: &str) -> Result<Person, Error> {
        self.refresh_directory().await?;
        let directory = self.directory();
        let person = directory.people.get(id).ok_or_else(|| no_account(id))?;
        if person.is_disabled {
            let message = Message::new("access.account-disabled");
            return Err(Error::Refused(message.with("id", id)));
        }
        Ok(person.clone())
    }
}

fn person_of<'d>(directory: &'d mut Directory, id: &str) -> Result<&'d mut Person, Error> {
    directory.people.get_mut(id).ok_or_else(|| no_account(id))
}

/// Whether a person may manage accounts today.
fn is_managed(directory: &Directory) -> bool {
    let today = &audit::now()[..10];
    let manages = |a: &Assignment| {
        a.role.has(Permission::ManagePeople)
            && a.from.as_deref().is_none_or(|day| day <= today)
            && a.until.as_deref().is_none_or(|day| day >= today)
    };
    let people = directory.people.values();
    let mut active = people.filter(|p| !p.is_disabled && p.kind == PersonKind::Person);
    active.any(|person| person.assignments.iter().any(manages))
}

/// That somebody is left who may: without, only the terminal of the machine gives the town its server back.
fn still_managed(was: bool, directory: &Directory, id: &str) -> Result<(), Error> {
    if !was || is_managed(directory) {
        return Ok(());
    }
    let message = Message::new("access.last-administrator");
    Err(Error::Refused(message.with("id", id)))
}

fn no_account(id: &str) -> Error {
    let shown: String = id.chars().take(model::access::MAX_NAME_LENGTH).collect();
    Error::NotFound(Message::new("access.no-account").with("id", shown))
}

fn no_unit(id: &str) -> Error {
    let shown: String = id.chars().take(model::access::MAX_NAME_LENGTH).collect();
    Error::NotFound(Message::new("access.no-unit").with("unit", shown))
}

/// What names a unit, if anything does.
fn unit_users(directory: &Directory, id: &str) -> Option<Message> {
    let people: Vec<&str> = directory
        .people
        .values()
        .filter(|p| p.assignments.iter().any(|a| a.unit.as_deref() == Some(id)))
        .map(|p| p.id.as_str())
        .collect();
    let collections: Vec<&str> = directory
        .access
        .iter()
        .filter(|(_, access)| access.unit.as_deref() == Some(id))
        .map(|(collection, _)| collection.as_str())
        .collect();
    let parts: Vec<&str> = directory
        .units
        .values()
        .filter(|unit| unit.parent.as_deref() == Some(id))
        .map(|unit| unit.id.as_str())
        .collect();
    let (key, users) = [
        ("access.unit-has-people", people),
        ("access.unit-has-collections", collections),
        ("access.unit-has-parts", parts),
    ]
    .into_iter()
    .find(|(_, users)| !users.is_empty())?;
    let message = Message::new(key).with("unit", id);
    Some(message.with("users", users.join(", ")))
}

fn roles(person: &Person) -> Json {
    assignments(&person.assignments)
}

/// Assignments as the log tells them: of an area, which may be long, its SHA-256.
fn assignments(assignments: &[Assignment]) -> Json {
    let told = assignments.iter().map(|assignment| {
        let area = assignment.area.as_ref();
        let mut json = wire::assignment(assignment);
        json["area"] = area
            .map(|area| hex(&Sha256::digest(area.text().as_bytes())))
            .into();
        json
    });
    told.collect()
}

fn deputies(person: &Person) -> Json {
    let told = person.deputies.iter().map(wire::deputy);
    told.collect()
}

fn token_entry(action: &'static str, hash: &KeyHash, key: &Key) -> AuditEntry {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    AuditEntry::new(action, &key.person)
        .with("token", &hash.as_str()[..SHOWN_HASH])
        .with("label", key.label.as_str())
        .with("scopes", scopes)
        .with("collections", json!(key.collections))
}
