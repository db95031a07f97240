//! Keys that the processes of one store share.

use crate::session::statement;
use crate::{Error, Store, meta};

/// The key of what is sealed for clients.
const SEAL: &str = "seal_key";

impl Store {
    /// The key by which links are sealed that only this store has to understand again; made when there is none.
    ///
    /// # Errors
    /// When the database can't be read, or can't be written while there is none.
    pub async fn seal_key(&self) -> Result<[u8; 32], Error> {
        let known = self.reading_primary(|session| Box::pin(meta::get(session, SEAL)));
        if let Some(key) = known.await?.and_then(|text| bytes(&text)) {
            return Ok(key);
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        let made: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let stored = self
            .recording("hromada", move |session| {
                Box::pin(async move {
                    let insert = "INSERT INTO hromada_meta (key, value) VALUES (?, ?)
                        ON CONFLICT (key) DO NOTHING";
                    let insert = statement(insert).bind(SEAL).bind(made);
                    session.execute(insert).await?;
                    // Another process may have been faster.
                    meta::get(session, SEAL).await
                })
            })
            .await?;
        Ok(stored.and_then(|text| bytes(&text)).unwrap_or(key))
    }
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(key)
}
