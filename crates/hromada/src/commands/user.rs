//! `hromada user`.

use std::time::Duration;

use clap::ArgMatches;
use model::Message;
use model::access::{Assignment, Deputy, Directory, Person, PersonKind, Role};
use serde_json::{Value as Json, json};
use store::{Key, KeyHash, KeyKind, Store};

use super::{administering, reading, text, texts};
use crate::output::Output;
use crate::{Outcome, Told, console, role_bounds};

/// Days that a link to set a password is good for: over a weekend and some.
const LINK_DAYS: u64 = 7;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Where a server listens when nothing else is said.
const BASE_URL: &str = "http://127.0.0.1:8080";

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("add", args)) => add(args, output).await?,
        Some(("list", args)) => list(&reading(args).await?, output),
        Some(("show", args)) => show(args, output).await?,
        Some(("disable", args)) => switch_off(args, output).await?,
        Some(("enable", args)) => switch_on(args, output).await?,
        Some(("link", args)) => {
            let store = administering(args).await?;
            link(&store, args, output, json!({})).await?;
            store.close().await;
        }
        Some(("deputy", args)) => deputy(args, output).await?,
        _ => unreachable!("the command line requires a known command"),
    }
    Ok(Outcome::Done)
}

fn id(args: &ArgMatches) -> &str {
    text(args, "id").unwrap_or_default()
}

async fn add(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let is_machine = args.get_flag("machine");
    let kind = match is_machine {
        true => PersonKind::Machine,
        false => PersonKind::Person,
    };
    let name = text(args, "name").unwrap_or_default();
    let mut person = Person::new(id(args), name, kind).map_err(|e| Told(e.0))?;
    person.email = text(args, "email").map(str::to_owned);
    let roles = texts(args, "role");
    let bounds = role_bounds::of(args)?;
    if roles.is_empty() && bounds.are_any() {
        return Err(Told(Message::new("cli.user-bounds-without-role")).into());
    }
    let roles = roles.iter().filter_map(|role| Role::named(role));
    person.assignments = roles.map(|role| bounds.assignment(role)).collect();
    let store = administering(args).await?;
    store.add_person(&console::actor(), person).await?;
    output.say(&Message::new("cli.user-added").with("id", id(args)));
    let told = json!({ "id": id(args) });
    match is_machine {
        false => link(&store, args, output, told).await?,
        true if output.json => output.result(&told),
        true => output.say(&Message::new("cli.user-added-machine").with("id", id(args))),
    }
    store.close().await;
    Ok(())
}

/// Makes a link and shows it, once.
async fn link(
    store: &Store,
    args: &ArgMatches,
    output: &Output,
    mut told: Json,
) -> anyhow::Result<()> {
    let days = u32::try_from(LINK_DAYS)?;
    let (code, key) = store
        .add_link(&console::actor(), id(args), DAY * days)
        .await?;
    let url = url(text(args, "base-url").unwrap_or(BASE_URL), &code);
    if output.json {
        told["link"] = url.into();
        told["expires"] = key.expires.into();
        output.result(&told);
        return Ok(());
    }
    let message = Message::new("cli.user-link-made").with("id", id(args));
    output.say(&message.with("expires", shown(&key.expires)));
    output.line(&url);
    Ok(())
}

/// Where a code is taken for a password.
pub(crate) fn url(base: &str, code: &str) -> String {
    format!("{}/account/link?code={code}", base.trim_end_matches('/'))
}

/// A time of the store to the minute, as people read it.
pub(super) fn shown(time: &str) -> String {
    let minute = time.get(..16).unwrap_or(time);
    format!("{} UTC", minute.replace('T', " "))
}

fn list(store: &Store, output: &Output) {
    let directory = store.directory();
    if output.json {
        let people: Vec<Json> = directory.people.values().map(person_json).collect();
        output.result(&json!({ "people": people }));
        return;
    }
    let width = directory.people.keys().map(String::len).max().unwrap_or(0);
    for person in directory.people.values() {
        let roles: Vec<&str> = person.assignments.iter().map(|a| a.role.id).collect();
        let mark = match (person.is_disabled, person.kind) {
            (true, _) => output.text(&Message::new("cli.user-is-off")),
            (false, PersonKind::Machine) => output.text(&Message::new("cli.user-is-machine")),
            (false, PersonKind::Person) => String::new(),
        };
        let mark = format!("{mark:10}");
        output.line(&format!(
            "{:width$}  {mark}  {}  {}",
            person.id,
            person.name,
            roles.join(", ")
        ));
    }
    if directory.people.is_empty() {
        output.say(&Message::new("cli.user-none"));
    }
}

async fn show(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = reading(args).await?;
    let directory = store.directory();
    let person = directory.people.get(id(args)).ok_or_else(|| {
        store::Error::NotFound(Message::new("access.no-account").with("id", id(args)))
    })?;
    let keys = store.keys(Some(&person.id)).await?;
    let count = |kind| keys.iter().filter(|(_, key)| key.kind == kind).count();
    if output.json {
        let mut json = person_json(person);
        json["sessions"] = count(KeyKind::Session).into();
        json["tokens"] = count(KeyKind::Token).into();
        json["actsFor"] = acts_for(&directory, person).into();
        output.result(&json);
        return Ok(());
    }
    let word = |key| output.text(&Message::new(key));
    output.line(&format!("{}  {}", person.id, person.name));
    if let Some(email) = &person.email {
        output.line(&format!("  {email}"));
    }
    let states = [
        (person.is_disabled, "cli.user-is-off"),
        (person.kind == PersonKind::Machine, "cli.user-is-machine"),
        (person.password.is_some(), "cli.user-has-password"),
        (person.second_factor.is_some(), "cli.user-has-second"),
        (person.external.is_some(), "cli.user-has-external"),
    ];
    for (_, key) in states.into_iter().filter(|(holds, _)| *holds) {
        output.line(&format!("  {}", word(key)));
    }
    for assignment in &person.assignments {
        let bounds = bounds(assignment, output);
        output.line(&format!("  {} {bounds}", assignment.role.id));
    }
    for deputy in &person.deputies {
        let days = days(&deputy.from, &deputy.until);
        let message = Message::new("cli.user-is-deputised").with("id", &deputy.person);
        output.line(&format!("  {} {days}", output.text(&message)));
    }
    for other in acts_for(&directory, person) {
        let message = Message::new("cli.user-acts-for").with("id", other);
        output.line(&format!("  {}", output.text(&message)));
    }
    let keys = Message::new("cli.user-keys")
        .with("sessions", count(KeyKind::Session))
        .with("tokens", count(KeyKind::Token));
    output.line(&format!("  {}", output.text(&keys)));
    Ok(())
}

/// Whose deputy somebody is, on whatever days.
fn acts_for(directory: &Directory, person: &Person) -> Vec<String> {
    let others = directory.people.values();
    let deputised = others.filter(|o| o.deputies.iter().any(|d| d.person == person.id));
    deputised.map(|other| other.id.clone()).collect()
}

fn bounds(assignment: &Assignment, output: &Output) -> String {
    let mut parts: Vec<String> = assignment.unit.iter().cloned().collect();
    if assignment.area.is_some() {
        parts.push(output.text(&Message::new("cli.role-in-area")));
    }
    if assignment.is_external {
        parts.push(output.text(&Message::new("cli.role-external")));
    }
    let days = days(&assignment.from, &assignment.until);
    parts.extend((!days.is_empty()).then_some(days));
    parts.join(", ")
}

fn days(from: &Option<String>, until: &Option<String>) -> String {
    if from.is_none() && until.is_none() {
        return String::new();
    }
    let day = |day: &Option<String>| day.clone().unwrap_or_default();
    format!("{}…{}", day(from), day(until))
}

/// An account as programs read it, without secrets.
fn person_json(person: &Person) -> Json {
    let roles: Vec<Json> = person
        .assignments
        .iter()
        .map(|a| {
            let area: Option<Json> = a
                .area
                .as_ref()
                .and_then(|area| serde_json::from_str(area.text()).ok());
            json!({
                "role": a.role.id, "unit": a.unit, "area": area, "from": a.from, "until": a.until,
                "external": a.is_external,
            })
        })
        .collect();
    let deputies: Vec<Json> = person
        .deputies
        .iter()
        .map(|d| json!({ "person": d.person, "from": d.from, "until": d.until }))
        .collect();
    json!({
        "id": person.id, "name": person.name, "email": person.email,
        "machine": person.kind == PersonKind::Machine, "disabled": person.is_disabled,
        "password": person.password.is_some(), "secondFactor": person.second_factor.is_some(),
        "external": person.external.is_some(), "roles": roles, "deputies": deputies,
    })
}

/// A token as programs read it.
pub(super) fn token_json(hash: &KeyHash, key: &Key) -> Json {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    json!({
        "hash": hash.as_str(), "person": key.person, "label": key.label, "scopes": scopes,
        "collections": key.collections, "created": key.created, "expires": key.expires, "seen": key.seen,
    })
}

async fn switch_off(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = administering(args).await?;
    store.disable_person(&console::actor(), id(args)).await?;
    store.close().await;
    done(output, Message::new("cli.user-disabled"), id(args));
    Ok(())
}

async fn switch_on(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let store = administering(args).await?;
    store.enable_person(&console::actor(), id(args)).await?;
    store.close().await;
    done(output, Message::new("cli.user-enabled"), id(args));
    Ok(())
}

async fn deputy(args: &ArgMatches, output: &Output) -> anyhow::Result<()> {
    let other = text(args, "person").unwrap_or_default();
    let store = administering(args).await?;
    let actor = console::actor();
    let message = if args.get_flag("remove") {
        store.remove_deputy(&actor, id(args), other).await?;
        Message::new("cli.user-deputy-removed")
    } else {
        let deputy = Deputy {
            person: other.to_owned(),
            from: text(args, "from").map(str::to_owned),
            until: text(args, "until").map(str::to_owned),
        };
        store.set_deputy(&actor, id(args), deputy).await?;
        Message::new("cli.user-deputy-set")
    };
    store.close().await;
    done(output, message.with("deputy", other), id(args));
    Ok(())
}

/// Tells that something was done to an account.
pub(super) fn done(output: &Output, message: Message, id: &str) {
    if output.json {
        output.result(&json!({ "id": id }));
    } else {
        output.say(&message.with("id", id));
    }
}
