//! Map styles that the town puts beside ours. What they have to be is the server's business: here they are kept.

use std::sync::Arc;

use model::Message;
use model::access::{Directory, TownStyle, check_style_id};

use super::audit::{self, AuditEntry};
use crate::{Error, Store};

/// Styles of a town: all of them are in memory, and written with each change of the directory.
const MAX_STYLES: usize = 64;

/// Bytes of a style.
const MAX_STYLE: usize = 512 << 10;

impl Store {
    /// Keeps a style, and says whether there was none of this id. `seen` is what must still be there, where the caller has
    /// looked at it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an id that is none, a document that is too long, or one style too many;
    /// [`Error::PreconditionFailed`] when it has changed since it was seen.
    pub async fn put_style(
        &self,
        actor: &str,
        id: &str,
        title: String,
        document: Arc<str>,
        seen: Option<Arc<str>>,
    ) -> Result<bool, Error> {
        check_style_id(id).map_err(|e| Error::Invalid(e.0))?;
        if document.len() > MAX_STYLE {
            let message = Message::new("store.style-too-long").with("limit", MAX_STYLE >> 10);
            return Err(Error::Invalid(message));
        }
        let id = id.to_owned();
        self.amend(actor, move |directory| {
            require(directory, &id, seen.as_deref())?;
            let before = directory.styles.get(&id);
            let is_new = before.is_none();
            if is_new && directory.styles.len() >= MAX_STYLES {
                let message = Message::new("store.styles-too-many").with("limit", MAX_STYLES);
                return Err(Error::Invalid(message));
            }
            let now = audit::now();
            let entry = AuditEntry::new("style.put", &*id).with("bytes", document.len());
            let style = TownStyle {
                title,
                document,
                created: before.map_or_else(|| now.clone(), |style| style.created.clone()),
                updated: now,
            };
            directory.styles.insert(id, style);
            Ok((entry, is_new))
        })
        .await
    }

    /// Forgets a style.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`Store::put_style`].
    pub async fn delete_style(
        &self,
        actor: &str,
        id: &str,
        seen: Option<Arc<str>>,
    ) -> Result<(), Error> {
        let id = id.to_owned();
        self.amend(actor, move |directory| {
            require(directory, &id, seen.as_deref())?;
            if directory.styles.remove(&id).is_none() {
                let message = Message::new("store.no-style").with("id", id);
                return Err(Error::NotFound(message));
            }
            Ok((AuditEntry::new("style.delete", &*id), ()))
        })
        .await
    }
}

fn require(directory: &Directory, id: &str, seen: Option<&str>) -> Result<(), Error> {
    let there = directory.styles.get(id).map(|style| &*style.document);
    if seen.is_some() && there != seen {
        let message = Message::new("store.style-changed").with("id", id);
        return Err(Error::PreconditionFailed(message));
    }
    Ok(())
}
