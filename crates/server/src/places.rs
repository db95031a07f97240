//! Places for connections, so that one network can not take all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

/// How many connections each network has open. Bounded by all that are open.
pub(crate) struct Connections {
    most: u32,
    open: Mutex<HashMap<IpNet, u32>>,
}

impl Connections {
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// A place for one more connection of a network until it is dropped; `None` when it has as many as it may.
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
    all: Arc<Connections>,
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
        let connections = Connections::new(2);
        let [a, b, same] = ["2001:db8::1", "2001:db8:0:1::1", "2001:db8::ffff"]
            .map(|address| network_of(address.parse().unwrap()));
        let first = connections.enter(a);
        let second = connections.enter(same);
        assert!(first.is_some() && second.is_some());
        assert!(connections.enter(a).is_none());
        assert!(connections.enter(b).is_some());
        drop(first);
        let third = connections.enter(a);
        assert!(third.is_some() && connections.enter(a).is_none());
        drop((second, third));
        assert!(connections.open.lock().unwrap().is_empty());
    }
}
