//! Which account the provider's word is for, and the roles that it gives.

use model::access::{
    ANONYMOUS, Assignment, Directory, MAX_NAME_LENGTH, Person, PersonKind, Role, is_name, is_plain,
};
use store::AuditEntry;

use super::ACTOR;
use crate::app::App;

/// Names of accounts that the logs know as something else.
const RESERVED: [&str; 5] = [ANONYMOUS, "import", "unknown", "administrator", "root"];

/// Longest name of a person and longest address (RFC 5321 §4.5.3.1.3) that are taken over.
const MAX_TEXT: usize = 254;

/// What the provider says of somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) username: Option<String>,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) groups: Vec<String>,
    /// When they showed there who they are.
    pub(super) proved: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    As(String),
    /// An account that is switched off, or is a program's.
    Not(String),
}

/// Finds or makes the account, and sets what its groups give, in one step.
pub(super) async fn enter(
    app: &App,
    claims: Claims,
    roles: &[(String, Role)],
) -> Result<Entered, store::Error> {
    let roles = given(&claims.groups, roles);
    app.store
        .amend_all(ACTOR, move |directory| settle(directory, &claims, &roles))
        .await
}

/// The roles of groups, each once.
fn given(groups: &[String], roles: &[(String, Role)]) -> Vec<Role> {
    let mut out: Vec<Role> = Vec::new();
    for (group, role) in roles {
        if groups.contains(group) && !out.contains(role) {
            out.push(*role);
        }
    }
    out
}

fn settle(
    directory: &mut Directory,
    claims: &Claims,
    roles: &[Role],
) -> Result<(Vec<AuditEntry>, Entered), store::Error> {
    let mut entries = Vec::new();
    // By nothing else: whoever may choose a name or an address at the provider does not get somebody's account with it.
    let pair = Some((claims.issuer.clone(), claims.subject.clone()));
    let known = directory.people.values().find(|p| p.external == pair);
    let id = match known {
        Some(person) if person.is_disabled || person.kind != PersonKind::Person => {
            return Ok((entries, Entered::Not(person.id.clone())));
        }
        Some(person) => person.id.clone(),
        None => {
            let id = free(directory, &wished(claims));
            let name = text(claims.name.as_deref()).unwrap_or_else(|| id.clone());
            let mut person = Person::new(&id, &name, PersonKind::Person)?;
            person.email = text(claims.email.as_deref()).filter(|email| email.contains('@'));
            person.external = pair;
            let entry = AuditEntry::new("person.create", &*id)
                .with("issuer", &*claims.issuer)
                .with("subject", &*claims.subject);
            entries.push(entry);
            directory.people.insert(id.clone(), person);
            id
        }
    };
    if let Some(person) = directory.people.get_mut(&id) {
        entries.extend(assign(person, roles));
    }
    Ok((entries, Entered::As(id)))
}

/// Leaves the provider's roles as they are now; those given by hand stay.
fn assign(person: &mut Person, roles: &[Role]) -> Vec<AuditEntry> {
    let entry = |action, role: &Role| AuditEntry::new(action, &*person.id).with("role", role.id);
    let wanted: Vec<Assignment> = roles
        .iter()
        .map(|role| Assignment {
            is_external: true,
            ..Assignment::of(*role)
        })
        .collect();
    let (kept, taken): (Vec<Assignment>, Vec<Assignment>) = person
        .assignments
        .iter()
        .cloned()
        .partition(|a| !a.is_external || wanted.contains(a));
    let new: Vec<Assignment> = wanted.into_iter().filter(|a| !kept.contains(a)).collect();
    let entries = taken.iter().map(|a| entry("role.take", &a.role));
    let entries = entries.chain(new.iter().map(|a| entry("role.give", &a.role)));
    let entries = entries.collect();
    person.assignments = kept;
    person.assignments.extend(new);
    entries
}

/// A text without characters that are not seen, cut to a length; `None` when nothing is left.
fn text(given: Option<&str>) -> Option<String> {
    let shown = given?.chars().filter(|c| is_plain(*c)).take(MAX_TEXT);
    let shown: String = shown.collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// The name that somebody's account would have if nobody else had it.
fn wished(claims: &Claims) -> String {
    let address = claims
        .email
        .as_deref()
        .and_then(|email| email.split('@').next());
    let names = [claims.username.as_deref(), address];
    let mut fitting = names.into_iter().flatten().filter_map(fit);
    fitting.next().unwrap_or_else(|| "person".to_owned())
}

/// A name in the letters that accounts have; `None` when nothing of it is.
fn fit(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.trim().chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_@".contains(c) {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let at_ends = |c: char| !c.is_ascii_alphanumeric();
    let mut out = out.trim_matches(at_ends).to_owned();
    out.truncate(MAX_NAME_LENGTH);
    is_name(&out).then_some(out)
}

/// The name, with a number behind it when it is taken.
fn free(directory: &Directory, name: &str) -> String {
    let is_taken = |id: &str| directory.people.contains_key(id) || RESERVED.contains(&id);
    let numbered = |n: u64| {
        let number = format!("-{n}");
        let room = name.len().min(MAX_NAME_LENGTH - number.len());
        format!("{}{number}", &name[..room])
    };
    let names = std::iter::once(name.to_owned()).chain((2..).map(numbered));
    let mut free = names.skip_while(|id| is_taken(id));
    free.next().unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(subject: &str, username: &str) -> Claims {
        Claims {
            issuer: "https://id.test".into(),
            subject: subject.into(),
            username: Some(username.into()),
            ..Claims::default()
        }
    }

    fn actions(entries: &[AuditEntry]) -> Vec<&'static str> {
        entries.iter().map(|e| e.action).collect()
    }

    #[test]
    fn a_name_is_made_to_fit() {
        let long = "x".repeat(80);
        for (given, expect) in [
            ("o.koval", Some("o.koval")),
            ("Ivan@Kalush.gov.ua", Some("ivan@kalush.gov.ua")),
            ("KALUSH\\Olha Koval", Some("kalush-olha-koval")),
            ("--a--", Some("a")),
            ("Оксана", None),
            ("../../etc", Some("etc")),
            ("", None),
            (&long, Some(&long[..63])),
        ] {
            assert_eq!(fit(given).as_deref(), expect, "{given}");
        }
    }

    #[test]
    fn an_account_of_somebody_else_is_never_taken_over() {
        let mut directory = Directory::default();
        let mut other = Person::new("ivan", "Іван", PersonKind::Person).unwrap();
        other.email = Some("ivan@kalush.test".into());
        directory.people.insert("ivan".into(), other.clone());
        let mut claims = somebody("1", "ivan");
        claims.email = Some("ivan@kalush.test".into());
        let (entries, entered) = settle(&mut directory, &claims, &[]).unwrap();
        assert_eq!(entered, Entered::As("ivan-2".into()));
        assert_eq!(actions(&entries), ["person.create"]);
        let (_, entered) = settle(&mut directory, &somebody("2", "ivan"), &[]).unwrap();
        assert_eq!(entered, Entered::As("ivan-3".into()));
        // The same once more is the same account, whatever they call themselves now.
        let (entries, entered) = settle(&mut directory, &somebody("1", "admin"), &[]).unwrap();
        assert_eq!((entries.len(), entered), (0, Entered::As("ivan-2".into())));
        // The same subject elsewhere is somebody else.
        let mut elsewhere = somebody("1", "ivan");
        elsewhere.issuer = "https://other.test".into();
        let (_, entered) = settle(&mut directory, &elsewhere, &[]).unwrap();
        assert_eq!(entered, Entered::As("ivan-4".into()));
        assert_eq!(directory.people["ivan"], other);
    }

    #[test]
    fn names_that_logs_use_are_nobodys() {
        let mut directory = Directory::default();
        for (i, name) in RESERVED.into_iter().enumerate() {
            let claims = somebody(&i.to_string(), name);
            let (_, entered) = settle(&mut directory, &claims, &[]).unwrap();
            assert_eq!(entered, Entered::As(format!("{name}-2")));
        }
    }

    #[test]
    fn a_number_fits_behind_the_longest_name() {
        let mut directory = Directory::default();
        let name = "y".repeat(63);
        for subject in ["1", "2"] {
            settle(&mut directory, &somebody(subject, &name), &[]).unwrap();
        }
        let second = format!("{}-2", "y".repeat(61));
        assert!(directory.people.contains_key(&second));
    }

    #[test]
    fn roles_of_groups_come_and_go_and_those_given_by_hand_stay() {
        let role = |id| Role::named(id).unwrap();
        let mapping = [
            ("planners".to_owned(), role("planner")),
            ("plan".to_owned(), role("planner")),
            ("heads".to_owned(), role("head")),
        ];
        let groups = |names: &[&str]| -> Vec<Role> {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            given(&names, &mapping)
        };
        let mut directory = Directory::default();
        let claims = somebody("1", "o");
        let both = groups(&["planners", "plan", "others"]);
        let (entries, _) = settle(&mut directory, &claims, &both).unwrap();
        assert_eq!(actions(&entries), ["person.create", "role.give"]);
        let by_hand = Assignment {
            unit: Some("water".into()),
            ..Assignment::of(role("planner"))
        };
        let person = directory.people.get_mut("o").unwrap();
        person.assignments.push(by_hand.clone());
        let (entries, _) = settle(&mut directory, &claims, &both).unwrap();
        assert!(entries.is_empty());
        let (entries, _) = settle(&mut directory, &claims, &groups(&["heads"])).unwrap();
        assert_eq!(actions(&entries), ["role.take", "role.give"]);
        let (entries, _) = settle(&mut directory, &claims, &[]).unwrap();
        assert_eq!(actions(&entries), ["role.take"]);
        assert_eq!(directory.people["o"].assignments, [by_hand]);
    }

    #[test]
    fn an_account_that_is_switched_off_stays_out() {
        let mut directory = Directory::default();
        let claims = somebody("1", "o");
        settle(&mut directory, &claims, &[]).unwrap();
        directory.people.get_mut("o").unwrap().is_disabled = true;
        let before = directory.clone();
        let planner = [Role::named("planner").unwrap()];
        let (entries, entered) = settle(&mut directory, &claims, &planner).unwrap();
        assert_eq!((entries.len(), entered), (0, Entered::Not("o".into())));
        assert_eq!(directory, before);
    }
}
