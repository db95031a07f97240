//! The first account of a store: without one nobody could sign in to make others.

use model::Message;
use model::access::{Assignment, Person, PersonKind, Role};
use store::{Error, Store};

use super::user::{DAY, url};
use crate::console;
use crate::output::Output;

/// The account that a server makes where there is none.
const ID: &str = "administrator";

/// Makes the first account where there is none, and shows a link to set its password while it has none.
///
/// Whoever has the link becomes the administrator, so it is shown on a terminal only: what goes elsewhere, such as to a
/// service manager, is kept in a log.
pub(super) async fn invite(store: &Store, base: &str, output: &Output) -> Result<(), Error> {
    let directory = store.directory();
    if directory.people.is_empty() {
        match add(store, output).await {
            // Another server on the same database was faster.
            Err(Error::Conflict(_)) => {}
            added => added?,
        }
    }
    let directory = store.directory();
    let is_waiting = |person: &&Person| {
        person.kind == PersonKind::Person
            && !person.is_disabled
            && person.password.is_none()
            && person.external.is_none()
    };
    if directory.people.get(ID).filter(is_waiting).is_none() {
        return Ok(());
    }
    if !output.is_on_terminal() {
        output.say(&Message::new("cli.administrator-waits").with("id", ID));
        return Ok(());
    }
    let (code, _) = store.add_link(&console::actor(), ID, DAY).await?;
    output.say(&Message::new("cli.administrator-link").with("id", ID));
    output.line(&url(base, &code));
    Ok(())
}

async fn add(store: &Store, output: &Output) -> Result<(), Error> {
    let name = output.text(&Message::new("cli.administrator-name"));
    let mut person = Person::new(ID, &name, PersonKind::Person)?;
    person.assignments = Role::named(ID).map(Assignment::of).into_iter().collect();
    store.add_person(&console::actor(), person).await
}
