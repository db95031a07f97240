//! What somebody shows to be taken for a person: sessions, tokens, links that are good once.
//!
//! A key is 256 random bits, so a plain hash of it can't be guessed back, and looking it up by its hash takes the same
//! time whatever part of it is right.

use std::collections::BTreeSet;

use model::Message;
use model::access::Scope;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::audit::{self, AuditEntry};
use super::grow;
use super::wire::{self, hex};
use crate::session::{Row, Session, statement};
use crate::{Error, Store};

/// The SHA-256 of a key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(String);

/// What tokens begin with, so that a scanner of secrets knows one when it leaks.
const TOKEN_PREFIX: &str = "hromada_";

impl KeyHash {
    /// A new key, which is shown once, and its hash.
    pub fn fresh(kind: KeyKind) -> (String, Self) {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the system has random numbers");
        let prefix = match kind {
            KeyKind::Token => TOKEN_PREFIX,
            KeyKind::Session | KeyKind::Link => "",
        };
        let secret = format!("{prefix}{}", hex(&bytes));
        let hash = Self::of(&secret);
        (secret, hash)
    }

    pub fn of(secret: &str) -> Self {
        Self(hex(&Sha256::digest(secret.as_bytes())))
    }

    /// The hash that a text is, as a list shows it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 64 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Of a browser, in a cookie.
    Session,
    /// Of a program, which shows it with each request.
    Token,
    /// To set a password; good once.
    Link,
}

impl KeyKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Token => "token",
            Self::Link => "link",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Session, Self::Token, Self::Link]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A key as it is stored: everything but itself. Times are RFC 3339 in UTC with milliseconds, and compare as texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub kind: KeyKind,
    pub person: String,
    /// What its owner calls it.
    pub label: String,
    /// Of a token.
    pub scopes: BTreeSet<Scope>,
    /// Collections that a token is for; `None`: all.
    pub collections: Option<BTreeSet<String>>,
    /// Of a session that began at the provider of single sign-on: when the person showed there who they are, empty when the
    /// provider does not say.
    pub proved: Option<String>,
    pub created: String,
    pub expires: String,
    /// When it was last shown, to the minute.
    pub seen: String,
}

impl Key {
    fn body(&self) -> Json {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.name()).collect();
        let mut json =
            json!({ "label": self.label, "scopes": scopes, "collections": self.collections });
        if let Some(proved) = &self.proved {
            json["proved"] = proved.as_str().into();
        }
        json
    }

    fn of(row: &Row) -> Result<Option<(KeyHash, Self)>, Error> {
        let body: Json = serde_json::from_str(&row.text(3)?).unwrap_or_default();
        let Some(kind) = KeyKind::from_name(&row.text(1)?) else {
            return Ok(None);
        };
        let names = |json: &Json| -> Option<BTreeSet<String>> {
            let names = json.as_array()?.iter();
            names.map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let scopes = names(&body["scopes"]).unwrap_or_default();
        let key = Self {
            kind,
            person: row.text(2)?,
            label: body["label"].as_str().unwrap_or_default().to_owned(),
            scopes: scopes.iter().filter_map(|s| Scope::from_name(s)).collect(),
            collections: match &body["collections"] {
                Json::Null => None,
                // What can't be read is for nothing, and not for everything.
                json => Some(names(json).unwrap_or_default()),
            },
            proved: body["proved"].as_str().map(str::to_owned),
            created: row.text(4)?,
            expires: row.text(5)?,
            seen: row.text(6)?,
        };
        Ok(Some((KeyHash(row.text(0)?), key)))
    }
}

/// That an account is as it was when its owner showed who they are.
async fn still_theirs(
    session: &mut Session<'_>,
    person: &str,
    generation: u64,
) -> Result<(), Error> {
    let sql = "SELECT body FROM hromada_directory WHERE kind = 'person' AND id = ?";
    let row = session.fetch_optional(statement(sql).bind(person)).await?;
    let body = row.map(|row| row.text(0)).transpose()?;
    let json: Json = serde_json::from_str(body.as_deref().unwrap_or_default()).unwrap_or_default();
    let owner = wire::read_person(person, &json);
    if owner.is_some_and(|owner| !owner.is_disabled && owner.generation == generation) {
        return Ok(());
    }
    Err(Error::Denied(Message::new("access.account-changed")))
}

const COLUMNS: &str = "hash, kind, person, body, created, expires, seen";

impl Store {
    /// Keeps a key, and says so in the audit log. Keys that have expired go; a link takes the place of older ones of its
    /// owner that are for the same.
    ///
    /// `generation` is that of the owner when they showed who they are ([`model::access::Person::generation`]).
    ///
    /// # Errors
    /// [`Error::Denied`] when the account was switched off or its sessions were ended since then; when the database can't be
    /// written.
    pub async fn add_key(
        &self,
        actor: &str,
        hash: KeyHash,
        key: Key,
        generation: Option<u64>,
        entry: AuditEntry,
    ) -> Result<(), Error> {
        let by = actor.to_owned();
        self.recording(actor, move |session| {
            Box::pin(async move {
                audit::lock(session).await?;
                let sql = "DELETE FROM hromada_keys WHERE expires < ?";
                session
                    .execute(statement(sql).bind(key.created.as_str()))
                    .await?;
                if let Some(generation) = generation {
                    still_theirs(session, &key.person, generation).await?;
                }
                let body = key.body().to_string();
                if key.kind == KeyKind::Link {
                    let sql =
                        "DELETE FROM hromada_keys WHERE kind = 'link' AND person = ? AND body = ?";
                    let older = statement(sql).bind(key.person.as_str());
                    session.execute(older.bind(body.as_str())).await?;
                }
                let sql =
                    format!("INSERT INTO hromada_keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)");
                let insert = statement(sql)
                    .bind(hash.0)
                    .bind(key.kind.name())
                    .bind(key.person.as_str())
                    .bind(body)
                    .bind(key.created)
                    .bind(key.expires)
                    .bind(key.seen);
                session.execute(insert).await?;
                audit::append(session, &by, &entry).await
            })
        })
        .await
    }

    /// The key of a hash, expired or not.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn key(&self, hash: &KeyHash) -> Result<Option<Key>, Error> {
        let hash = hash.clone();
        let sql = format!("SELECT {COLUMNS} FROM hromada_keys WHERE hash = ?");
        self.reading_primary(move |session| {
            Box::pin(async move {
                let found = session.fetch_optional(statement(sql).bind(hash.0)).await?;
                let found = found.map(|row| Key::of(&row)).transpose()?.flatten();
                Ok(found.map(|(_, key)| key))
            })
        })
        .await
    }

    /// All keys of a person, the newest first; of everybody for `None`.
    ///
    /// # Errors
    /// When the database can't be read.
    pub async fn keys(&self, person: Option<&str>) -> Result<Vec<(KeyHash, Key)>, Error> {
        let whose = if person.is_some() {
            "WHERE person = ?"
        } else {
            ""
        };
        let sql = format!("SELECT {COLUMNS} FROM hromada_keys {whose} ORDER BY created DESC, hash");
        let select = statement(sql).bind_all(person.map(crate::session::Parameter::from));
        self.reading_primary(move |session| {
            Box::pin(async move {
                let rows = session.fetch_all(select).await?;
                let keys: Result<Vec<_>, Error> = rows.iter().map(Key::of).collect();
                Ok(keys?.into_iter().flatten().collect())
            })
        })
        .await
    }

    /// Notes that a key was shown.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn key_seen(&self, hash: &KeyHash, now: &str) -> Result<(), Error> {
        let (hash, now) = (hash.clone(), now.to_owned());
        self.recording("", move |session| {
            Box::pin(async move {
                let sql = "UPDATE hromada_keys SET seen = ? WHERE hash = ?";
                session
                    .execute(statement(sql).bind(now).bind(hash.0))
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Puts another key in the place of one, with all that it was; whether the old one was still there.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn renew_key(
        &self,
        actor: &str,
        old: KeyHash,
        new: KeyHash,
        entry: AuditEntry,
    ) -> Result<bool, Error> {
        let by = actor.to_owned();
        let is_renewed = self
            .recording(actor, move |session| {
                Box::pin(async move {
                    audit::lock(session).await?;
                    let sql = "UPDATE hromada_keys SET hash = ? WHERE hash = ?";
                    let renew = statement(sql).bind(new.0).bind(old.0);
                    let is_renewed = session.execute(renew).await? > 0;
                    if is_renewed {
                        audit::append(session, &by, &entry).await?;
                        // So that no server takes the old one any longer.
                        grow(session).await?;
                    }
                    Ok(is_renewed)
                })
            })
            .await?;
        if is_renewed {
            self.refresh_directory().await?;
        }
        Ok(is_renewed)
    }

    /// Takes keys away, and says so in the audit log; how many there were. Of a link that two take at once, one gets it.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn drop_keys(
        &self,
        actor: &str,
        hashes: Vec<KeyHash>,
        entry: AuditEntry,
    ) -> Result<u64, Error> {
        let by = actor.to_owned();
        let (dropped, version) = self
            .recording(actor, move |session| {
                Box::pin(async move {
                    audit::lock(session).await?;
                    let mut dropped = 0;
                    for hash in hashes {
                        let sql = "DELETE FROM hromada_keys WHERE hash = ?";
                        dropped += session.execute(statement(sql).bind(hash.0)).await?;
                    }
                    let mut version = None;
                    if dropped > 0 {
                        audit::append(session, &by, &entry).await?;
                        version = Some(grow(session).await?);
                    }
                    Ok((dropped, version))
                })
            })
            .await?;
        if version.is_some() {
            self.refresh_directory().await?;
        }
        Ok(dropped)
    }
}
