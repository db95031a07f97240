//! Who is told of changes: addresses that get them as they happen. A copy of a store does not take them along, or all would be
//! told twice.

use std::time::Duration;

use model::{ChangeSeq, Epoch, Message};
use serde_json::{Value as Json, json};

use crate::people::audit::{self, AuditEntry, after_now};
use crate::session::{Row, Session, statement};
use crate::{Error, Store};

/// Each has a task and a place in the memory of a server.
const MAX_WEBHOOKS: i64 = 64;

/// An address that is told of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    /// The account through whose eyes it sees.
    pub person: String,
    /// All that the account sees when `None`.
    pub collections: Option<Vec<String>>,
    /// West, south, east, north in degrees.
    pub bbox: Option<[f64; 4]>,
    /// Whether the address may be in the own network, and without TLS.
    pub is_internal: bool,
}

/// How far an address has been told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// All changes up to this one are told.
    pub epoch: Epoch,
    pub seq: ChangeSeq,
    /// A fingerprint of what was seen then; `None` before the first look.
    pub seen: Option<u64>,
    /// When something was told last; times are RFC 3339 in UTC.
    pub last: Option<String>,
    /// Attempts since then that have failed, the first of them, and when the next one is.
    pub failures: u32,
    pub since: Option<String>,
    pub due: Option<String>,
    /// What the last one failed with.
    pub error: Option<String>,
    /// Nothing is told until somebody says so.
    pub is_off: bool,
}

/// An address as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptWebhook {
    pub webhook: Webhook,
    /// As Standard Webhooks writes them: `whsec_` and base64.
    pub secret: String,
    pub told: Told,
}

impl Store {
    /// Begins to tell an address of what changes from now on. `secret` signs it.
    ///
    /// # Errors
    /// [`Error::Conflict`] for an id that is taken, [`Error::Invalid`] for one that is none, an account that is not there, or one
    /// address too many.
    pub async fn add_webhook(
        &self,
        actor: &str,
        webhook: Webhook,
        secret: String,
    ) -> Result<(), Error> {
        let id = &webhook.id;
        let is_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if id.is_empty() || id.len() > 64 || !id.bytes().all(is_id) {
            return Err(Error::Invalid(
                Message::new("store.webhook-id").with("id", id),
            ));
        }
        if !self.directory().people.contains_key(&webhook.person) {
            let message = Message::new("access.no-account");
            return Err(Error::NotFound(message.with("id", &webhook.person)));
        }
        let by = actor.to_owned();
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                if find(session, &webhook.id).await?.is_some() {
                    let message = Message::new("store.webhook-taken").with("id", &webhook.id);
                    return Err(Error::Conflict(message));
                }
                let count = "SELECT count(*) FROM hromada_webhooks";
                if session.fetch_one(statement(count)).await?.integer(0)? >= MAX_WEBHOOKS {
                    let message = Message::new("store.webhooks-too-many");
                    return Err(Error::Invalid(message.with("limit", MAX_WEBHOOKS)));
                }
                let told = now(session).await?;
                let sql =
                    "INSERT INTO hromada_webhooks (id, body, secret, state) VALUES (?, ?, ?, ?)";
                let insert = statement(sql)
                    .bind(webhook.id.as_str())
                    .bind(body(&webhook).to_string())
                    .bind(secret)
                    .bind(state(&told).to_string());
                session.execute(insert).await?;
                // What follows may have a secret in it.
                let address = webhook.url.split(['?', '#']).next().unwrap_or_default();
                let entry = AuditEntry::new("webhook.add", webhook.id.as_str())
                    .with("url", address)
                    .with("person", webhook.person.as_str())
                    .with("collections", json!(webhook.collections))
                    .with("bbox", json!(webhook.bbox));
                audit::append(session, &by, &entry).await
            })
        })
        .await
    }

    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_webhook(&self, actor: &str, id: &str) -> Result<(), Error> {
        let (by, id) = (actor.to_owned(), id.to_owned());
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                require(session, &id).await?;
                let delete = statement("DELETE FROM hromada_webhooks WHERE id = ?");
                session.execute(delete.bind(id.as_str())).await?;
                audit::append(session, &by, &AuditEntry::new("webhook.remove", id)).await
            })
        })
        .await
    }

    /// Tries again at once what is not told, also where it was given up.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn retry_webhook(&self, actor: &str, id: &str) -> Result<(), Error> {
        let (by, id) = (actor.to_owned(), id.to_owned());
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                let mut told = require(session, &id).await?.told;
                (told.failures, told.since, told.due, told.is_off) = (0, None, None, false);
                put(session, &id, &told).await?;
                audit::append(session, &by, &AuditEntry::new("webhook.retry", id)).await
            })
        })
        .await
    }

    /// All of them, by id.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn webhooks(&self) -> Result<Vec<KeptWebhook>, Error> {
        self.reading_newest(|session| {
            Box::pin(async move {
                let sql = "SELECT id, body, secret, state FROM hromada_webhooks ORDER BY id";
                let rows = session.fetch_all(statement(sql)).await?;
                Ok(rows
                    .iter()
                    .filter_map(|row| kept(row).transpose())
                    .collect())
            })
        })
        .await?
    }

    /// Takes it upon this process, of several on one database, to tell an address for a while; false when another does.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn hold_webhook(
        &self,
        id: &str,
        holder: &str,
        time: Duration,
    ) -> Result<bool, Error> {
        let (id, holder) = (id.to_owned(), holder.to_owned());
        self.recording("webhooks", move |session| {
            Box::pin(async move {
                let sql = "UPDATE hromada_webhooks SET holder = ?, held_until = ?
                   WHERE id = ? AND (holder IS NULL OR holder = ? OR held_until < ?)";
                let hold = statement(sql)
                    .bind(holder.as_str())
                    .bind(after_now(time))
                    .bind(id)
                    .bind(holder.as_str())
                    .bind(audit::now());
                Ok(session.execute(hold).await? > 0)
            })
        })
        .await
    }

    /// Leaves all that a process has taken upon itself to others.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn release_webhooks(&self, holder: &str) -> Result<(), Error> {
        let holder = holder.to_owned();
        self.recording("webhooks", move |session| {
            Box::pin(async move {
                let sql = "UPDATE hromada_webhooks SET holder = NULL WHERE holder = ?";
                session.execute(statement(sql).bind(holder)).await?;
                Ok(())
            })
        })
        .await
    }

    /// Keeps how far an address has been told; false when another process tells it by now, or nobody.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn note_told(&self, id: &str, holder: &str, told: Told) -> Result<bool, Error> {
        let (id, holder) = (id.to_owned(), holder.to_owned());
        self.recording("webhooks", move |session| {
            Box::pin(async move {
                let sql = "UPDATE hromada_webhooks SET state = ? WHERE id = ? AND holder = ?";
                let note = statement(sql)
                    .bind(state(&told).to_string())
                    .bind(id)
                    .bind(holder);
                Ok(session.execute(note).await? > 0)
            })
        })
        .await
    }
}

/// Nothing is told yet, and what was until now never is.
async fn now(session: &mut Session<'_>) -> Result<Told, Error> {
    let sql = "SELECT (SELECT value FROM hromada_meta WHERE key = 'epoch'),
       (SELECT coalesce(max(seq), 0) FROM hromada_changes)";
    let row = session.fetch_one(statement(sql)).await?;
    Ok(Told {
        epoch: Epoch(row.text(0)?.into()),
        seq: ChangeSeq(row.integer(1)?),
        seen: None,
        last: None,
        failures: 0,
        since: None,
        due: None,
        error: None,
        is_off: false,
    })
}

async fn put(session: &mut Session<'_>, id: &str, told: &Told) -> Result<(), Error> {
    let sql = "UPDATE hromada_webhooks SET state = ? WHERE id = ?";
    let update = statement(sql).bind(state(told).to_string()).bind(id);
    session.execute(update).await?;
    Ok(())
}

async fn find(session: &mut Session<'_>, id: &str) -> Result<Option<KeptWebhook>, Error> {
    let sql = "SELECT id, body, secret, state FROM hromada_webhooks WHERE id = ?";
    let row = session.fetch_optional(statement(sql).bind(id)).await?;
    row.map_or(Ok(None), |row| kept(&row))
}

async fn require(session: &mut Session<'_>, id: &str) -> Result<KeptWebhook, Error> {
    find(session, id)
        .await?
        .ok_or_else(|| Error::NotFound(Message::new("store.no-webhook").with("id", id)))
}

fn body(webhook: &Webhook) -> Json {
    json!({
        "url": webhook.url, "person": webhook.person, "collections": webhook.collections,
        "bbox": webhook.bbox, "internal": webhook.is_internal,
    })
}

fn state(told: &Told) -> Json {
    json!({
        "epoch": &*told.epoch.0, "seq": told.seq.0, "seen": told.seen, "last": told.last, "failures": told.failures,
        "since": told.since, "due": told.due, "error": told.error, "off": told.is_off,
    })
}

/// `None` for a row that somebody else has written.
fn kept(row: &Row) -> Result<Option<KeptWebhook>, Error> {
    let [body, state] = [row.text(1)?, row.text(3)?]
        .map(|text| serde_json::from_str::<Json>(&text).unwrap_or_default());
    let text = |json: &Json| json.as_str().map(str::to_owned);
    let texts =
        |json: &Json| -> Option<Vec<String>> { json.as_array()?.iter().map(text).collect() };
    let numbers = |json: &Json| -> Option<[f64; 4]> {
        let all: Option<Vec<f64>> = json.as_array()?.iter().map(Json::as_f64).collect();
        all?.try_into().ok()
    };
    let (Some(url), Some(person), Some(epoch), Some(seq)) = (
        text(&body["url"]),
        text(&body["person"]),
        text(&state["epoch"]),
        state["seq"].as_i64(),
    ) else {
        return Ok(None);
    };
    let failures = state["failures"].as_u64().unwrap_or_default();
    Ok(Some(KeptWebhook {
        webhook: Webhook {
            id: row.text(0)?,
            url,
            person,
            collections: texts(&body["collections"]),
            bbox: numbers(&body["bbox"]),
            is_internal: body["internal"] == true,
        },
        secret: row.text(2)?,
        told: Told {
            epoch: Epoch(epoch.into()),
            seq: ChangeSeq(seq),
            seen: state["seen"].as_u64(),
            last: text(&state["last"]),
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            since: text(&state["since"]),
            due: text(&state["due"]),
            error: text(&state["error"]),
            is_off: state["off"] == true,
        },
    }))
}
