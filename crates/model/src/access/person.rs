//! People, machines, the units that they work in, and what they are assigned to.

use crate::{Invalid, Message};

use super::{Area, Role};

/// Longest name of an account or a unit.
pub const MAX_NAME_LENGTH: usize = 63;

/// What logs call those who are nobody; no account has this name.
pub const ANONYMOUS: &str = "anonymous";

/// Whether a text can name an account or a unit: lower-case letters, digits, `.`, `-`, `_` and `@`, starting with a letter
/// or digit. No other letters: two that look alike would be two people.
pub fn is_name(text: &str) -> bool {
    let allowed = |c: char| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@')
    };
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    starts_well && text.len() <= MAX_NAME_LENGTH && text.chars().all(allowed)
}

/// A department, an enterprise of the town, a contractor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub id: String,
    pub title: String,
    /// The unit that this one is part of.
    pub parent: Option<String>,
}

/// Whether an account is a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PersonKind {
    Person,
    /// A program: it has tokens and no password.
    Machine,
}

/// An account. Its id is never given to somebody else, since the logs name people by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub id: String,
    /// As people call them.
    pub name: String,
    pub email: Option<String>,
    pub kind: PersonKind,
    /// An account that is switched off can do nothing, and keeps its name in the logs.
    pub is_disabled: bool,
    /// The PHC string of an argon2id hash; `None`: signs in elsewhere, or not at all.
    pub password: Option<String>,
    /// The shared secret of the second factor (RFC 6238).
    pub second_factor: Option<Vec<u8>>,
    /// The last time step whose code was used; none is taken twice.
    pub last_step: Option<u64>,
    /// Hashes of codes for the day the phone is lost; each is good for one sign-in.
    pub recovery: Vec<String>,
    /// Grows whenever their sessions end at once: what began before is good no more, also what is just about to begin.
    pub generation: u64,
    /// Who they are at the provider of single sign-on: issuer and subject.
    pub external: Option<(String, String)>,
    pub assignments: Vec<Assignment>,
    /// Who acts for them.
    pub deputies: Vec<Deputy>,
}

/// A role that a person has: for all of the town or a unit, an area, a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub role: Role,
    /// `None`: for all units.
    pub unit: Option<String>,
    /// `None`: everywhere.
    pub area: Option<Area>,
    /// First day, as `2026-03-01`.
    pub from: Option<String>,
    /// Last day.
    pub until: Option<String>,
    /// Given by the provider of single sign-on, and taken away by it.
    pub is_external: bool,
}

/// Somebody who has the assignments of another for some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deputy {
    pub person: String,
    pub from: Option<String>,
    pub until: Option<String>,
}

impl Person {
    /// # Errors
    /// When the text can't name an account.
    pub fn new(id: &str, name: &str, kind: PersonKind) -> Result<Self, Invalid> {
        if !is_name(id) || id == ANONYMOUS {
            let shown: String = id.chars().take(MAX_NAME_LENGTH + 1).collect();
            return Err(Invalid(
                Message::new("access.account-name").with("name", shown),
            ));
        }
        Ok(Self {
            id: id.to_owned(),
            name: name.to_owned(),
            email: None,
            kind,
            is_disabled: false,
            password: None,
            second_factor: None,
            last_step: None,
            recovery: Vec::new(),
            generation: 0,
            external: None,
            assignments: Vec::new(),
            deputies: Vec::new(),
        })
    }
}

impl Assignment {
    /// A role without bounds.
    pub fn of(role: Role) -> Self {
        Self {
            role,
            unit: None,
            area: None,
            from: None,
            until: None,
            is_external: false,
        }
    }

    /// Whether it holds on a day, `2026-03-01`.
    pub fn holds_on(&self, day: &str) -> bool {
        is_within(day, &self.from, &self.until)
    }
}

impl Deputy {
    pub fn holds_on(&self, day: &str) -> bool {
        is_within(day, &self.from, &self.until)
    }
}

/// Both ends inclusive; dates of one form compare as texts.
fn is_within(day: &str, from: &Option<String>, until: &Option<String>) -> bool {
    from.as_deref().is_none_or(|from| from <= day)
        && until.as_deref().is_none_or(|until| day <= until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_named_in_letters_that_nobody_can_mistake() {
        for good in ["o.kovalenko", "vodokanal", "qgis-2", "ivan@kalush.gov.ua"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "О.Коваленко", "Ivan", "-a", "a b", "a/b", "а", &long] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn nobody_is_called_what_logs_call_nobody() {
        assert!(Person::new(ANONYMOUS, "А", PersonKind::Person).is_err());
        assert!(Person::new("anonymous-2", "А", PersonKind::Person).is_ok());
    }

    #[test]
    fn an_assignment_holds_from_its_first_to_its_last_day() {
        let mut assignment = Assignment::of(Role::named("planner").unwrap());
        assert!(assignment.holds_on("2026-03-01"));
        assignment.from = Some("2026-03-01".into());
        assignment.until = Some("2026-03-31".into());
        for (day, expect) in [
            ("2026-02-28", false),
            ("2026-03-01", true),
            ("2026-03-31", true),
            ("2026-04-01", false),
        ] {
            assert_eq!(assignment.holds_on(day), expect, "{day}");
        }
    }
}
