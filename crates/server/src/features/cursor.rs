//! Where a page begins, and which moment it shows, as a link tells it.
//!
//! A cursor is sealed. The number of the last change would tell of writes to what the reader may not see, and a count or a
//! place that a client makes up would have to be checked.

use base64ct::{Base64UrlUnpadded, Encoding};
use hyper::StatusCode;
use model::{ChangeSeq, Message};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use store::{Begin, LiveCollection, Walk};

use super::query::OF_ONE;
use crate::app::App;
use crate::context::Context;
use crate::problem::{Problem, shown};

/// Parameters that say nothing about which features there are, and in which order; nor do those of the answer ([`OF_ONE`]).
const FREE: [&str; 5] = ["cursor", "limit", "f", "lang", "offset"];

/// Collection, change, count, kind of place, place.
const PLAIN: usize = 8 * 4 + 1;

/// The seal of all cursors of a store.
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

impl App {
    async fn seal(&self) -> Result<&Seal, Problem> {
        let seal = self.seal.get_or_try_init(|| async {
            let key = self.store.seal_key().await?;
            Ok::<_, store::Error>(Seal::new(&key))
        });
        Ok(seal.await?)
    }

    /// The cursor of a page.
    ///
    /// # Errors
    /// 503 when the key of the store can't be had.
    pub(super) async fn cursor(
        &self,
        context: &Context,
        live: &LiveCollection,
        walk: &Walk,
        begin: Begin,
    ) -> Result<String, Problem> {
        let seal = self.seal().await?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(Problem::internal)?;
        let (kind, place) = match begin {
            Begin::Start => (0, 0),
            Begin::After(key) => (1, key),
            Begin::Offset(n) => (2, i64::try_from(n).unwrap_or(i64::MAX)),
        };
        let mut bytes = Vec::with_capacity(NONCE_LEN + PLAIN + CHACHA20_POLY1305.tag_len());
        for number in [walk.collection, walk.seq.0, walk.matched.cast_signed()] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.push(kind);
        bytes.extend_from_slice(&place.to_be_bytes());
        let about = self.about(context, live);
        let sealed = seal.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about.as_bytes()),
            &mut bytes,
        );
        sealed.map_err(Problem::internal)?;
        bytes.splice(0..0, nonce);
        Ok(Base64UrlUnpadded::encode_string(&bytes))
    }

    /// # Errors
    /// 400 for what is no cursor, 410 for one of another collection, another question or another life of the store.
    pub(super) async fn opened(
        &self,
        context: &Context,
        live: &LiveCollection,
        text: &str,
    ) -> Result<(Walk, Begin), Problem> {
        let unreadable = || {
            Problem::bad_request(Message::new("server.cursor-invalid").with("value", shown(text)))
        };
        let mut bytes = Base64UrlUnpadded::decode_vec(text).map_err(|_| unreadable())?;
        if bytes.len() != NONCE_LEN + PLAIN + CHACHA20_POLY1305.tag_len() {
            return Err(unreadable());
        }
        let seal = self.seal().await?;
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| unreadable())?;
        let about = self.about(context, live);
        let plain = seal
            .key
            .open_in_place(nonce, Aad::from(about.as_bytes()), &mut sealed)
            .map_err(|_| Problem::new(StatusCode::GONE, Message::new("server.cursor-epoch")))?;
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&plain[at..at + 8]);
            i64::from_be_bytes(eight)
        };
        let walk = Walk {
            collection: number(0),
            seq: ChangeSeq(number(8)),
            matched: number(16).cast_unsigned(),
        };
        let place = number(25);
        let begin = match plain[24] {
            0 => Begin::Start,
            1 => Begin::After(place),
            _ => Begin::Offset(place.unsigned_abs()),
        };
        Ok((walk, begin))
    }

    /// What a cursor holds for and for nothing else: a store, a collection, and what is asked of it. How many features there
    /// are on a page, and how they are written, may change on the way.
    fn about(&self, context: &Context, live: &LiveCollection) -> String {
        let pairs = context.params.pairs();
        let is_free = |name: &str| FREE.contains(&name) || OF_ONE.contains(&name);
        let mut asked: Vec<(&str, &str)> = pairs.filter(|(name, _)| !is_free(name)).collect();
        asked.sort_unstable();
        asked.dedup();
        format!("{}/{}/{asked:?}", self.store.epoch().0, live.collection.id)
    }
}
