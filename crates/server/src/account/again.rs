//! Who one is, shown once more before something is changed that nobody may change who only sits at an open browser.

use std::time::Duration;

use hyper::StatusCode;
use model::Message;
use store::{AuditEntry, KeyHash, KeyKind};

use super::{Form, Passwords, cookie, own, second, throttled};
use crate::app::App;
use crate::attempts::Guess;
use crate::context::Context;
use crate::identity::{self, By};
use crate::problem::Problem;

/// Asks for the password, and for a code of the second factor where there is one (ASVS 5.0 §7.5.1). The browser's session
/// gets another key, as whenever somebody has shown who they are (§7.2.4).
///
/// # Errors
/// 403 for a password or code that is wrong, 429 after some attempts.
pub(super) async fn require(
    app: &App,
    context: &Context,
    id: &str,
    form: &Form,
) -> Result<(), Problem> {
    if own::has_none_here(app, context) {
        return require_elsewhere(app, context, id).await;
    }
    // By the session: strangers who guess at the account are not in one, and keep nobody from their own.
    let session = context.session().map_or("", KeyHash::as_str).to_owned();
    let guess = Guess::Again(&session);
    app.attempts.take(context, guess).map_err(throttled)?;
    let directory = app.store.directory();
    let person = directory.people.get(id);
    let has_second = person.is_some_and(|p| p.second_factor.is_some());
    let wrong = if !Passwords::is_right(app, person, form.exact("password")).await? {
        Some(("password.refused", "server.password-wrong"))
    } else if has_second && !second::is_right(app, id, form.text("current")).await? {
        Some(("second-factor.refused", "server.code-wrong"))
    } else {
        None
    };
    if let Some((action, detail)) = wrong {
        app.store.audit(id, AuditEntry::new(action, id)).await?;
        return Err(Problem::new(StatusCode::FORBIDDEN, Message::new(detail)));
    }
    app.attempts.give_back(context, guess);
    renew(app, context, id).await
}

/// For how long it holds that somebody has shown elsewhere who they are.
const ELSEWHERE: Duration = Duration::from_secs(10 * 60);

/// Whoever signs in elsewhere only shows it there: the session is of somebody who just did.
async fn require_elsewhere(app: &App, context: &Context, id: &str) -> Result<(), Problem> {
    let key = match context.session() {
        Some(hash) => app.store.key(hash).await?,
        None => None,
    };
    let proved = key.and_then(|key| key.proved).unwrap_or_default();
    if proved < identity::before(ELSEWHERE) {
        let detail = Message::new("server.again-elsewhere");
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    renew(app, context, id).await
}

/// Gives the session of this browser another key; the answer brings it, whatever else it is.
async fn renew(app: &App, context: &Context, id: &str) -> Result<(), Problem> {
    let By::Session(old) = &context.by else {
        return Ok(());
    };
    let (secret, hash) = KeyHash::fresh(KeyKind::Session);
    let entry = AuditEntry::new("session.renew", id);
    if app
        .store
        .renew_key(id, old.clone(), hash.clone(), entry)
        .await?
    {
        context.renew(hash, cookie(app, context, &secret));
        return Ok(());
    }
    // Somebody ended it in between.
    Err(Problem::sign_in(Message::new("server.sign-in-needed")))
}
