//! How often somebody may do something: token buckets in a table of bounded size.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How fast a bucket drains and fills.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Tokens of a full bucket: what may be taken at once.
    pub(crate) burst: u32,
    /// The time in which one token comes back.
    pub(crate) refill: Duration,
}

/// One bucket for each key, full at first.
///
/// Never more than a fixed number of them: when there is no place for a new one, full buckets go, which say nothing,
/// and then the fullest eighth, so that filling the table with new keys does not free a key that is throttled.
pub(crate) struct Buckets<K> {
    rate: Rate,
    most: usize,
    /// When each bucket will be full again: all that has to be known of it (generic cell rate algorithm).
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// At most `most` buckets, one at least.
    pub(crate) fn new(rate: Rate, most: usize) -> Self {
        Self {
            rate,
            most: most.max(1),
            full_at: Mutex::default(),
        }
    }

    /// Gives a key all of its burst again.
    pub(crate) fn forget(&self, key: &K) {
        self.full_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    /// Gives one token back to a key.
    pub(crate) fn give_back(&self, key: &K) {
        let mut table = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = table.get_mut(key) {
            // A time before now is one of a full bucket.
            *full_at = full_at.checked_sub(self.rate.refill).unwrap_or(*full_at);
        }
    }

    /// Takes `cost` tokens from the bucket of `key`, or none. Constant time, but for one sweep of the table in at least
    /// an eighth of its size of new keys.
    ///
    /// # Errors
    /// The time after which so many tokens will be there. A cost above the burst is refused always.
    pub(crate) fn take(&self, key: K, cost: u32, now: Instant) -> Result<(), Duration> {
        let room = self.rate.refill.saturating_mul(self.rate.burst);
        let cost = self.rate.refill.saturating_mul(cost);
        let mut table = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let known = table.get(&key).copied();
        let lacking = known.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let after = lacking.saturating_add(cost);
        if after > room {
            return Err(after - room);
        }
        let Some(full_at) = now.checked_add(after) else {
            return Err(after);
        };
        if known.is_none() && table.len() >= self.most {
            make_room(&mut table, now);
        }
        table.insert(key, full_at);
        Ok(())
    }
}

/// Frees an eighth of the table at least.
fn make_room<K: Eq + Hash>(table: &mut HashMap<K, Instant>, now: Instant) {
    let wanted = table.len() - table.len().div_ceil(8);
    table.retain(|_, full_at| *full_at > now);
    if table.len() > wanted {
        let mut times: Vec<Instant> = table.values().copied().collect();
        let last = times.len() - wanted - 1;
        let (_, latest, _) = times.select_nth_unstable(last);
        let latest = *latest;
        table.retain(|_, full_at| *full_at > latest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        refill: Duration::from_secs(10),
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let (buckets, start) = (Buckets::new(RATE, 10), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.take("a", 1, start), Ok(()));
        }
        assert_eq!(buckets.take("a", 1, start), Err(seconds(10)));
        // A refusal costs nothing.
        assert_eq!(buckets.take("a", 1, start + seconds(4)), Err(seconds(6)));
        assert_eq!(buckets.take("b", 3, start), Ok(()), "others have their own");
        assert_eq!(buckets.take("a", 1, start + seconds(10)), Ok(()));
        assert_eq!(buckets.take("a", 1, start + seconds(10)), Err(seconds(10)));
        // However long it was idle, a full bucket holds a burst.
        let later = start + seconds(100_000);
        assert_eq!(buckets.take("a", 4, later), Err(seconds(10)));
        assert_eq!(buckets.take("a", 3, later), Ok(()));
        assert_eq!(buckets.take("a", 2, later), Err(seconds(20)));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let (buckets, start) = (Buckets::new(RATE, 10), Instant::now() + seconds(100));
        buckets.give_back(&"a");
        assert_eq!(buckets.take("a", 3, start), Ok(()));
        buckets.give_back(&"a");
        assert_eq!(buckets.take("a", 1, start), Ok(()));
        assert_eq!(buckets.take("a", 1, start), Err(seconds(10)));
        for _ in 0..9 {
            buckets.give_back(&"a");
        }
        assert_eq!(buckets.take("a", 4, start), Err(seconds(10)));
        assert_eq!(buckets.take("a", 3, start), Ok(()));
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_nothing() {
        let (buckets, start) = (Buckets::new(RATE, 10), Instant::now() + seconds(100));
        assert_eq!(buckets.take("a", 3, start), Ok(()));
        assert_eq!(
            buckets.take("a", 1, start - seconds(50)),
            Err(seconds(60)),
            "times of two threads may come in either order"
        );
    }

    #[test]
    fn extreme_numbers_are_refused_and_do_not_overflow() {
        let rate = Rate {
            burst: u32::MAX,
            refill: Duration::MAX,
        };
        let buckets = Buckets::new(rate, 1);
        assert!(buckets.take("a", u32::MAX, Instant::now()).is_err());
    }

    #[test]
    fn the_table_never_grows_and_keeps_those_that_are_throttled() {
        const MOST: u32 = 64;
        let (buckets, start) = (Buckets::new(RATE, 64), Instant::now());
        assert_eq!(buckets.take(0, 3, start), Ok(()));
        for key in 1..100_u32 * MOST {
            // All within a time in which no bucket gets full again.
            let now = start + Duration::from_micros(u64::from(key));
            assert_eq!(buckets.take(key, 1, now), Ok(()));
            let table = buckets.full_at.lock().unwrap();
            assert!(table.len() <= 64, "{}", table.len());
            assert!(table.capacity() <= 256, "{}", table.capacity());
        }
        let now = start + seconds(1);
        assert!(buckets.take(0, 1, now).is_err(), "it was forgotten");
    }

    #[test]
    fn full_buckets_go_first() {
        let (buckets, start) = (Buckets::new(RATE, 64), Instant::now());
        for key in 0..60 {
            buckets.take(key, 1, start).unwrap();
        }
        let later = start + seconds(10);
        for key in 100..104 {
            buckets.take(key, 1, later).unwrap();
        }
        buckets.take(200, 1, later).unwrap();
        let table = buckets.full_at.lock().unwrap();
        let mut kept: Vec<i32> = table.keys().copied().collect();
        kept.sort_unstable();
        assert_eq!(kept, [100, 101, 102, 103, 200]);
    }
}
