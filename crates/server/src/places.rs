//! Places for connections and requests, so that one network can not take all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

/// How many places each network has. Bounded by all that are taken.
pub(crate) struct Places {
    most: u32,
    open: Mutex<HashMap<IpNet, u32>>,
}

impl Places {
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// One more place of a network until it is dropped; `None` when it has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, network: IpNet) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place {
            all: Arc::clone(self),
            network,
        })
    }
}

pub(crate) struct Place {
    all: Arc<Places>,
    network: IpNet,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::network_of;

    #[test]
    fn a_network_has_its_own_places_and_gives_them_back() {
        let places = Places::new(2);
        let [a, b, same] = ["2001:db8::1", "2001:db8:0:1::1", "2001:db8::ffff"]
            .map(|address| network_of(address.parse().unwrap()));
        let first = places.enter(a);
        let second = places.enter(same);
        assert!(first.is_some() && second.is_some());
        assert!(places.enter(a).is_none());
        assert!(places.enter(b).is_some());
        drop(first);
        let third = places.enter(a);
        assert!(third.is_some() && places.enter(a).is_none());
        drop((second, third));
        assert!(places.open.lock().unwrap().is_empty());
    }
}
