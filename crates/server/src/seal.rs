//! What only this store can read, in links and in events: numbers that would tell of what a reader does not see, or that a client
//! could make up.

use base64ct::{Base64UrlUnpadded, Encoding};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::app::App;
use crate::problem::Problem;

/// The seal of a store.
pub(crate) struct Seal {
    key: LessSafeKey,
}

impl Seal {
    fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the length");
        Self {
            key: LessSafeKey::new(key),
        }
    }
}

/// Why a text can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It is none of ours.
    Unreadable,
    /// It is of another store, or about something else.
    Other,
}

impl App {
    async fn key(&self) -> Result<&Seal, Problem> {
        let seal = self.seal.get_or_try_init(|| async {
            let key = self.store.seal_key().await?;
            Ok::<_, store::Error>(Seal::new(&key))
        });
        Ok(seal.await?)
    }

    /// The bytes as a text that is another each time, and holds for `about` alone.
    ///
    /// # Errors
    /// 503 when the key of the store can't be had.
    pub(crate) async fn sealed(&self, plain: &[u8], about: &str) -> Result<String, Problem> {
        let seal = self.key().await?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(Problem::internal)?;
        let mut bytes = plain.to_vec();
        let sealed = seal.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about.as_bytes()),
            &mut bytes,
        );
        sealed.map_err(Problem::internal)?;
        bytes.splice(0..0, nonce);
        Ok(Base64UrlUnpadded::encode_string(&bytes))
    }

    /// The bytes of a text from [`App::sealed`], or why there are none.
    ///
    /// # Errors
    /// 503 when the key of the store can't be had.
    pub(crate) async fn unsealed<const N: usize>(
        &self,
        text: &str,
        about: &str,
    ) -> Result<Result<[u8; N], Unopened>, Problem> {
        let Ok(mut bytes) = Base64UrlUnpadded::decode_vec(text) else {
            return Ok(Err(Unopened::Unreadable));
        };
        if bytes.len() != NONCE_LEN + N + CHACHA20_POLY1305.tag_len() {
            return Ok(Err(Unopened::Unreadable));
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let Ok(nonce) = Nonce::try_assume_unique_for_key(&bytes) else {
            return Ok(Err(Unopened::Unreadable));
        };
        let aad = Aad::from(about.as_bytes());
        let opened = self.key().await?.key.open_in_place(nonce, aad, &mut sealed);
        let plain = opened
            .ok()
            .and_then(|plain| <[u8; N]>::try_from(&*plain).ok());
        Ok(plain.ok_or(Unopened::Other))
    }
}
