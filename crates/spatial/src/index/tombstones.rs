//! Which slots of a segment are dead: a bitset whose blocks are shared between snapshots and copied on write.

use std::sync::Arc;

/// Words in a block: 4 KiB, 32,768 slots; a delete copies one block.
const WORDS: usize = 512;
const SLOTS: u32 = 64 * 512;

#[derive(Debug, Clone, Default)]
pub(super) struct Tombstones {
    /// Blocks up to the last slot that died.
    blocks: Vec<Option<Arc<[u64; WORDS]>>>,
    count: usize,
}

impl Tombstones {
    pub(super) fn contains(&self, slot: u32) -> bool {
        let block = self
            .blocks
            .get((slot / SLOTS) as usize)
            .and_then(Option::as_ref);
        block.is_some_and(|words| words[(slot % SLOTS / 64) as usize] >> (slot % 64) & 1 == 1)
    }

    /// Marks a slot that is alive.
    pub(super) fn insert(&mut self, slot: u32) {
        let at = (slot / SLOTS) as usize;
        if self.blocks.len() <= at {
            self.blocks.resize(at + 1, None);
        }
        let words = Arc::make_mut(self.blocks[at].get_or_insert_with(|| Arc::new([0; WORDS])));
        words[(slot % SLOTS / 64) as usize] |= 1 << (slot % 64);
        self.count += 1;
    }

    /// Slots that died since `older` was copied, ascending; `None` when one of its dead lives here, so that it is no
    /// older one. Blocks that are still shared are not looked at.
    pub(super) fn since(&self, older: &Self) -> Option<Vec<u32>> {
        let mut died = Vec::new();
        for at in 0..self.blocks.len().max(older.blocks.len()) {
            let block = |of: &Self| of.blocks.get(at).cloned().flatten();
            let (now, then) = match (block(self), block(older)) {
                (None, None) => continue,
                (None, Some(_)) => return None,
                (Some(now), Some(then)) if Arc::ptr_eq(&now, &then) => continue,
                (Some(now), then) => (now, then.unwrap_or_else(|| Arc::new([0; WORDS]))),
            };
            for (word, (now, then)) in (0_u32..).zip(now.iter().zip(then.iter())) {
                if then & !now != 0 {
                    return None;
                }
                let mut new = now & !then;
                while new != 0 {
                    died.push(at as u32 * SLOTS + word * 64 + new.trailing_zeros());
                    new &= new - 1;
                }
            }
        }
        Some(died)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.iter().flatten().count() * WORDS * 8 + self.blocks.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_copy_does_not_see_a_later_delete() {
        let mut first = Tombstones::default();
        first.insert(5);
        let mut second = first.clone();
        second.insert(6);
        second.insert(SLOTS + 1);
        assert!(first.contains(5) && !first.contains(6) && !first.contains(SLOTS + 1));
        assert!(second.contains(5) && second.contains(6) && second.contains(SLOTS + 1));
        assert_eq!((first.count(), second.count()), (1, 3));
        assert_eq!(second.since(&first), Some(vec![6, SLOTS + 1]));
        assert_eq!(second.since(&second.clone()), Some(vec![]));
        assert_eq!(first.since(&second), None);
        assert_eq!(Tombstones::default().since(&first), None);
    }
}
