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

pub(crate) struct Attempts {
    networks: Buckets<IpNet>,
    pairs: Buckets<(String, IpNet)>,
    accounts: Buckets<String>,
    calls: Buckets<IpNet>,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            networks: Buckets::new(NETWORK, MAX_KEYS),
            pairs: Buckets::new(PAIR, MAX_KEYS),
            accounts: Buckets::new(ACCOUNT, MAX_KEYS),
            calls: Buckets::new(CALLS, MAX_KEYS),
        }
    }

    /// # Errors
    /// How long to wait, when there were too many attempts.
    pub(crate) fn take(&self, context: &Context, account: &str) -> Result<(), Duration> {
        /// A longer name is no account's.
        const LENGTH: usize = 64;
        let (now, network) = (Instant::now(), context.client.network);
        let account: String = account.chars().take(LENGTH).collect();
        self.networks.take(network, 1, now)?;
        self.pairs.take((account.clone(), network), 1, now)?;
        self.accounts.take(account, 1, now)
    }

    /// Whoever was right did not guess: they get all of their own back, and what they took of others one by one, so that the
    /// colleagues behind one address do not keep each other out.
    pub(crate) fn give_back(&self, context: &Context, account: &str) {
        let network = context.client.network;
        self.pairs.forget(&(account.to_owned(), network));
        self.networks.give_back(&network);
        self.accounts.give_back(&account.to_owned());
    }

    /// An attempt to show again who one is, within a session.
    ///
    /// # Errors
    /// As [`Attempts::take`].
    pub(crate) fn take_again(&self, context: &Context, session: &str) -> Result<(), Duration> {
        let pair = (session.to_owned(), context.client.network);
        self.pairs.take(pair, 1, Instant::now())
    }

    pub(crate) fn forget_again(&self, context: &Context, session: &str) {
        let pair = (session.to_owned(), context.client.network);
        self.pairs.forget(&pair);
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
