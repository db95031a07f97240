//! Edges of low zooms, packed: what is sorted and summed by the hundred thousand.

/// A vertex in steps from the north-western corner of its cell or tile.
pub(super) type Step = [i16; 2];

/// An edge between two vertices, the lesser one first, and how often it is walked that way, less the other way.
///
/// The order is that of the edges; 11 bits for each coordinate, 20 for the count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge(u64);

const BITS: u32 = 11;
const COUNT_BITS: u32 = 20;
/// Added to coordinates: cells reach from -128 to 384, tiles from -64 to 1088.
const BIAS: i16 = 512;
const COUNT_BIAS: i32 = 1 << (COUNT_BITS - 1);
const MAX_COUNT: i32 = COUNT_BIAS - 1;

fn packed([x, y]: Step) -> u64 {
    let [x, y] = [x, y].map(|v| u64::from((v + BIAS).cast_unsigned()));
    x << BITS | y
}

fn unpacked(packed: u64) -> Step {
    let mask = (1 << BITS) - 1;
    [packed >> BITS & mask, packed & mask].map(|v| v as i16 - BIAS)
}

impl Edge {
    /// Walked from `a` to `b` so often; `None` for two equal vertices.
    pub(super) fn new(a: Step, b: Step, count: i32) -> Option<Self> {
        let (a, b) = (packed(a), packed(b));
        let (low, high, count) = match a.cmp(&b) {
            std::cmp::Ordering::Less => (a, b, count),
            std::cmp::Ordering::Greater => (b, a, -count),
            std::cmp::Ordering::Equal => return None,
        };
        Some(Self::of(low << (2 * BITS) | high, count))
    }

    fn of(ends: u64, count: i32) -> Self {
        // So many shapes over each other are drawn as one in any case.
        let count = count.clamp(-MAX_COUNT, MAX_COUNT) + COUNT_BIAS;
        Self(ends << COUNT_BITS | u64::from(count.cast_unsigned()))
    }

    /// Both vertices, packed: the same for edges between the same ones.
    fn between(self) -> u64 {
        self.0 >> COUNT_BITS
    }

    pub(super) fn ends(self) -> [Step; 2] {
        let both = self.between();
        [both >> (2 * BITS), both & ((1 << (2 * BITS)) - 1)].map(unpacked)
    }

    pub(super) fn count(self) -> i32 {
        (self.0 & ((1 << COUNT_BITS) - 1)) as i32 - COUNT_BIAS
    }
}

/// Each edge once, ascending, without those that come to nothing.
pub(super) fn sum(edges: &mut Vec<Edge>) {
    edges.sort_unstable();
    edges.dedup_by(|next, kept| {
        let same = next.between() == kept.between();
        if same {
            *kept = Edge::of(kept.between(), kept.count() + next.count());
        }
        same
    });
    edges.retain(|edge| edge.count() != 0);
}

/// Each edge once, ascending, whichever way it is walked.
pub(super) fn unite(edges: &mut Vec<Edge>) {
    edges.iter_mut().for_each(|e| *e = Edge::of(e.between(), 1));
    edges.sort_unstable();
    edges.dedup();
}

/// Edges in one line that alone meet at a vertex are made one; in no order.
pub(super) fn straightened(edges: &[Edge]) -> Vec<Edge> {
    const NUMBER_BITS: u32 = 64 - 2 * BITS;
    let mut ends_of: Vec<u64> = Vec::with_capacity(edges.len() * 2);
    for (number, edge) in (0_u64..).zip(edges) {
        let end = |packed: u64| packed << NUMBER_BITS | number;
        let both = edge.between();
        ends_of.extend([end(both >> (2 * BITS)), end(both & ((1 << (2 * BITS)) - 1))]);
    }
    ends_of.sort_unstable();
    let mut edges = edges.to_vec();
    // Where an edge went that was joined to another.
    let mut joined: Vec<usize> = (0..edges.len()).collect();
    for meeting in ends_of.chunk_by(|a, b| a >> NUMBER_BITS == b >> NUMBER_BITS) {
        let &[a, b] = meeting else { continue };
        let number = |end: u64| (end & ((1 << NUMBER_BITS) - 1)) as usize;
        let [a, b] = [a, b].map(|end| resolved(&mut joined, number(end)));
        let v = unpacked(meeting[0] >> NUMBER_BITS);
        // The lesser end of one is the greater end of the other, or the line turns back.
        let (first, second) = match (edges[a].ends(), edges[b].ends()) {
            ([_, q], [r, _]) if q == v && r == v => (a, b),
            ([q, _], [_, r]) if q == v && r == v => (b, a),
            _ => continue,
        };
        let ([p, q], [_, r]) = (edges[first].ends(), edges[second].ends());
        let count = edges[first].count();
        if count == edges[second].count() && is_straight(p, q, r) {
            edges[first] = Edge::of(packed(p) << (2 * BITS) | packed(r), count);
            joined[second] = first;
        }
    }
    let mut number = 0;
    edges.retain(|_| {
        number += 1;
        joined[number - 1] == number - 1
    });
    edges
}

fn resolved(joined: &mut [usize], mut at: usize) -> usize {
    while joined[at] != at {
        joined[at] = joined[joined[at]];
        at = joined[at];
    }
    at
}

fn is_straight(p: Step, q: Step, r: Step) -> bool {
    let way = |from: Step, to: Step| [0, 1].map(|k| i32::from(to[k]) - i32::from(from[k]));
    let ([ax, ay], [bx, by]) = (way(p, q), way(q, r));
    ax * by == ay * bx
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(a: Step, b: Step) -> Edge {
        Edge::new(a, b, 1).unwrap()
    }

    #[test]
    fn an_edge_keeps_its_ends_and_counts_the_way_back_down() {
        for (a, b) in [
            ([-128, 384], [384, -128]),
            ([-64, 0], [1088, 0]),
            ([3, 4], [3, 5]),
        ] {
            let (there, back) = (edge(a, b), edge(b, a));
            assert_eq!((there.ends(), there.count()), ([a, b], 1));
            assert_eq!((back.ends(), back.count()), ([a, b], -1));
            let mut both = vec![there, back];
            sum(&mut both);
            assert!(both.is_empty());
        }
        assert_eq!(Edge::new([7, 7], [7, 7], 1), None);
    }

    #[test]
    fn the_same_edge_again_is_counted_and_of_a_network_it_is_not() {
        let mut edges = vec![
            edge([0, 0], [1, 1]),
            edge([0, 0], [1, 1]),
            edge([0, 0], [0, 1]),
        ];
        let mut network = edges.clone();
        sum(&mut edges);
        assert_eq!(edges.iter().map(|e| e.count()).collect::<Vec<_>>(), [1, 2]);
        network.push(edge([0, 1], [0, 0]));
        unite(&mut network);
        assert_eq!(
            network.iter().map(|e| e.count()).collect::<Vec<_>>(),
            [1, 1]
        );
    }

    #[test]
    fn a_straight_way_becomes_one_edge_and_ends_where_others_meet() {
        let way = [[0, 0], [2, 1], [4, 2], [6, 3], [6, 4]];
        let mut edges: Vec<Edge> = way.windows(2).map(|w| edge(w[0], w[1])).collect();
        let mut all = straightened(&edges);
        all.sort_unstable();
        assert_eq!(all, [edge([0, 0], [6, 3]), edge([6, 3], [6, 4])]);
        // Another edge that comes to (2, 1) keeps the vertex.
        edges.push(edge([2, 1], [2, 9]));
        assert_eq!(straightened(&edges).len(), 4);
        // One that is walked twice is not one with one that is walked once.
        let twice = Edge::new([4, 2], [6, 3], 2).unwrap();
        assert_eq!(straightened(&[edge([2, 1], [4, 2]), twice]).len(), 2);
    }
}
