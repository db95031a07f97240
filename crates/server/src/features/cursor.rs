//! Where a page begins, and which moment it shows, as a link tells it.
//!
//! A cursor is sealed. The number of the last change would tell of writes to what the reader may not see, and a count or a
//! place that a client makes up would have to be checked.

use hyper::StatusCode;
use model::{ChangeSeq, Message};
use store::{Begin, LiveCollection, Walk};

use super::query::OF_ONE;
use crate::app::App;
use crate::context::Context;
use crate::problem::{Problem, shown};
use crate::seal::Unopened;

/// Parameters that say nothing about which features there are, and in which order; nor do those of the answer ([`OF_ONE`]).
const FREE: [&str; 5] = ["cursor", "limit", "f", "lang", "offset"];

/// Collection, change, count, kind of place, place.
const PLAIN: usize = 8 * 4 + 1;

impl App {
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
        let (kind, place) = match begin {
            Begin::Start => (0, 0),
            Begin::After(key) => (1, key),
            Begin::Offset(n) => (2, i64::try_from(n).unwrap_or(i64::MAX)),
        };
        let mut bytes = Vec::with_capacity(PLAIN);
        for number in [walk.collection, walk.seq.0, walk.matched.cast_signed()] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.push(kind);
        bytes.extend_from_slice(&place.to_be_bytes());
        self.sealed(&bytes, &self.about(context, live)).await
    }

    /// # Errors
    /// 400 for what is no cursor, 410 for one of another collection, another question or another life of the store.
    pub(super) async fn opened(
        &self,
        context: &Context,
        live: &LiveCollection,
        text: &str,
    ) -> Result<(Walk, Begin), Problem> {
        let about = self.about(context, live);
        let plain = match self.unsealed::<PLAIN>(text, &about).await? {
            Ok(plain) => plain,
            Err(Unopened::Unreadable) => {
                let detail = Message::new("server.cursor-invalid").with("value", shown(text));
                return Err(Problem::bad_request(detail));
            }
            Err(Unopened::Other) => {
                let detail = Message::new("server.cursor-epoch");
                return Err(Problem::new(StatusCode::GONE, detail));
            }
        };
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
