//! The edges under a sweep line, from below to above, in blocks: finding takes O(log n), a change O(√n).

use std::cmp::Ordering;

/// Edges in a block at most; two kilobytes to move for a change.
const BLOCK: usize = 512;

#[derive(Default)]
pub(super) struct Status {
    /// None of them empty.
    blocks: Vec<Vec<u32>>,
}

/// A place between two edges.
#[derive(Clone, Copy)]
pub(super) struct Place {
    block: usize,
    at: usize,
}

impl Status {
    /// Takes out all edges on which a point lies, from below to above. `side` tells where the point lies:
    /// greater is above an edge.
    pub(super) fn take(&mut self, side: impl Fn(u32) -> Ordering, taken: &mut Vec<u32>) -> Place {
        let above_all = |block: &Vec<u32>| block.last().is_some_and(|edge| side(*edge).is_gt());
        let block = self.blocks.partition_point(above_all);
        let Some(edges) = self.blocks.get(block) else {
            return Place { block, at: 0 };
        };
        let at = edges.partition_point(|edge| side(*edge).is_gt());
        let mut current = block;
        let mut from = at;
        while let Some(edges) = self.blocks.get_mut(current) {
            let on = edges[from..]
                .iter()
                .take_while(|edge| side(**edge).is_eq())
                .count();
            let to_the_end = from + on == edges.len();
            taken.extend(edges.drain(from..from + on));
            if !to_the_end {
                break;
            }
            (current, from) = (current + 1, 0);
        }
        if self.blocks[block..self.blocks.len().min(current + 1)]
            .iter()
            .any(Vec::is_empty)
        {
            // A block that is taken whole was taken from its start, so that the place moves to the next one's start.
            self.blocks.retain(|edges| !edges.is_empty());
        }
        Place { block, at }
    }

    pub(super) fn below(&self, place: Place) -> Option<u32> {
        if let Some(block) = self.blocks.get(place.block)
            && place.at > 0
        {
            return Some(block[place.at - 1]);
        }
        self.blocks[..place.block.min(self.blocks.len())]
            .last()?
            .last()
            .copied()
    }

    pub(super) fn above(&self, place: Place) -> Option<u32> {
        let block = self.blocks.get(place.block)?;
        let next = || self.blocks.get(place.block + 1)?.first();
        block.get(place.at).or_else(next).copied()
    }

    pub(super) fn insert(&mut self, place: Place, edges: &[u32]) {
        if edges.is_empty() {
            return;
        }
        let Some(block) = self.blocks.get_mut(place.block) else {
            self.blocks.push(edges.to_vec());
            return;
        };
        block.splice(place.at..place.at, edges.iter().copied());
        if block.len() > BLOCK {
            let all = std::mem::take(block);
            let halves = all.chunks(BLOCK / 2).map(<[u32]>::to_vec);
            self.blocks.splice(place.block..=place.block, halves);
        }
    }
}
