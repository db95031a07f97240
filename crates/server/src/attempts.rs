//! How often somebody may try to say who they are.
//!
//! By network, so that nobody tries many accounts; by account and network, so that nobody tries one account many times; by
//! account from everywhere, generously, so that a botnet gets nowhere and its owner is not locked out for long.

use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::context::Context;
use crate::rate::{Buckets, Rate};

/// Keys that are watched at once.
const MAX_KEYS: usize = 65_536;

/// Of a network at the provider of single sign-on, which guards itself against guessing.
const CALLS: Rate = Rate {
    burst: 60,
    refill: Duration::from_secs(1),
};
const NETWORK: Rate = Rate {
    burst: 30,
    refill: Duration::from_secs(10),
};
const PAIR: Rate = Rate {
    burst: 8,
    refill: Duration::from_secs(30),
};
const ACCOUNT: Rate = Rate {
    burst: 100,
    refill: Duration::from_secs(30),
};

/// Of a session, from everywhere: whoever stole one does not try from many networks either.
const SESSION: Rate = Rate {
    burst: 20,
    refill: Duration::from_secs(60),
};

/// What is guessed at. Each is counted apart: whoever uses up the attempts at somebody's password does not reach the codes
/// of their second factor.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guess<'a> {
    /// Of an account, by its name as it was typed.
    Password(&'a str),
    /// Of an account.
    Code(&'a str),
    /// What is asked for again in a session, by its hash.
    Again(&'a str),
}

/// As a key of a table.
type Guessed = (u8, String);

impl Guess<'_> {
    fn key(self) -> Guessed {
        /// A longer name is no account's.
        const LENGTH: usize = 64;
        let (kind, text) = match self {
            Self::Password(name) => (0, name),
            Self::Code(name) => (1, name),
            Self::Again(session) => (2, session),
        };
        (kind, text.chars().take(LENGTH).collect())
    }
}

pub(crate) struct Attempts {
    networks: Buckets<IpNet>,
    pairs: Buckets<(Guessed, IpNet)>,
    accounts: Buckets<Guessed>,
    sessions: Buckets<Guessed>,
    calls: Buckets<IpNet>,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            networks: Buckets::new(NETWORK, MAX_KEYS),
            pairs: Buckets::new(PAIR, MAX_KEYS),
            accounts: Buckets::new(ACCOUNT, MAX_KEYS),
            sessions: Buckets::new(SESSION, MAX_KEYS),
            calls: Buckets::new(CALLS, MAX_KEYS),
        }
    }

    /// # Errors
    /// How long to wait, when there were too many attempts.
    pub(crate) fn take(&self, context: &Context, guess: Guess<'_>) -> Result<(), Duration> {
        let (now, network, key) = (Instant::now(), context.client.network, guess.key());
        if matches!(guess, Guess::Again(_)) {
            // Strangers are in no session, and colleagues of the same network have their own.
            self.pairs.take((key.clone(), network), 1, now)?;
            return self.sessions.take(key, 1, now);
        }
        self.networks.take(network, 1, now)?;
        self.pairs.take((key.clone(), network), 1, now)?;
        self.accounts.take(key, 1, now)
    }

    /// Whoever was right did not guess: they get all of their own back, and what they took of others one by one, so that the
    /// colleagues behind one address do not keep each other out.
    pub(crate) fn give_back(&self, context: &Context, guess: Guess<'_>) {
        let (network, key) = (context.client.network, guess.key());
        self.pairs.forget(&(key.clone(), network));
        match guess {
            Guess::Again(_) => self.sessions.give_back(&key),
            Guess::Password(_) | Guess::Code(_) => {
                self.networks.give_back(&network);
                self.accounts.give_back(&key);
            }
        }
    }

    /// As [`Attempts::give_back`] for what was for no account.
    pub(crate) fn give_back_any(&self, context: &Context) {
        self.networks.give_back(&context.client.network);
    }

    /// An attempt that is for no account.
    ///
    /// # Errors
    /// As [`Attempts::take`].
    pub(crate) fn take_any(&self, context: &Context) -> Result<(), Duration> {
        self.networks
            .take(context.client.network, 1, Instant::now())
    }

    /// Something that makes us ask the provider of single sign-on.
    ///
    /// # Errors
    /// As [`Attempts::take`].
    pub(crate) fn take_call(&self, context: &Context) -> Result<(), Duration> {
        self.calls.take(context.client.network, 1, Instant::now())
    }
}
