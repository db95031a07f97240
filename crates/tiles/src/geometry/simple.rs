//! The quick question: are these rings certainly valid as they are?
//!
//! Yes means valid by OGC 06-103r4 §6.1.11 with rings that do not even touch each other. No means
//! "look closer": the repair leaves alone what is valid after all.

use super::buckets::Buckets;
use super::{Part, Point, area2, cross};

/// Up to this many edges those beside each other along one axis are compared, which needs no memory; above it only those
/// near each other.
const PAIRWISE: usize = 64;

/// Whether the rings form valid polygons without any contact between rings. Winding does not matter; repeated
/// vertices are gone already ([`super::unspike`]).
pub(crate) fn certainly_valid(coords: &[Point], parts: &[Part]) -> bool {
    match parts {
        [part] => {
            let ring = part.of(coords);
            ring.len() >= 3 && (is_star(ring) || is_convex(ring) || is_simple(ring))
        }
        _ => Crowd::new(coords, parts).is_valid(),
    }
}

fn is_simple(ring: &[Point]) -> bool {
    if ring.len() > PAIRWISE {
        let whole = Part {
            start: 0,
            end: super::index(ring.len()),
            interior: false,
        };
        return Crowd::new(ring, &[whole]).is_valid();
    }
    let n = ring.len();
    let edge = |i: usize| (ring[i], ring[if i + 1 == n { 0 } else { i + 1 }]);
    // Along the longer way few edges are beside each other.
    let extent = |k: usize| {
        let (low, high) = ring.iter().fold((i32::MAX, i32::MIN), |(low, high), p| {
            (low.min(p[k]), high.max(p[k]))
        });
        i64::from(high) - i64::from(low)
    };
    let along = usize::from(extent(0) < extent(1));
    let mut order = [(0_i32, 0_i32, 0_u8); PAIRWISE];
    let order = &mut order[..n];
    for (i, place) in order.iter_mut().enumerate() {
        let (a, b) = edge(i);
        if folds(a, b, edge((i + 1) % n).1) {
            return false;
        }
        *place = (a[along].min(b[along]), a[along].max(b[along]), i as u8);
    }
    order.sort_unstable();
    for (at, &(_, end, i)) in order.iter().enumerate() {
        let i = usize::from(i);
        let (a, b) = edge(i);
        for &(_, _, j) in order[at + 1..]
            .iter()
            .take_while(|(begin, _, _)| *begin <= end)
        {
            let j = usize::from(j);
            // Neighbours meet at their vertex, which is looked at above.
            if i.abs_diff(j) == 1 || i.abs_diff(j) == n - 1 {
                continue;
            }
            let (c, d) = edge(j);
            if boxes_meet(a, b, c, d) && meet(a, b, c, d) {
                return false;
            }
        }
    }
    true
}

/// Goes once around a place inside, always the same way: certainly simple. Most parcels do, and no pair of edges is compared.
fn is_star(ring: &[Point]) -> bool {
    let Ok(n) = i32::try_from(ring.len()) else {
        return false;
    };
    let (mut low, mut high) = (ring[0], ring[0]);
    let mut sum = [0_i64; 2];
    for p in ring {
        for k in 0..2 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
            sum[k] += i64::from(p[k]);
        }
    }
    // So that products of differences stay within 32 bits.
    if (0..2).any(|k| high[k].saturating_sub(low[k]) > 1 << 14) {
        return false;
    }
    let middle = sum.map(|sum| (sum / i64::from(n)) as i32);
    let from_middle = |p: Point| [p[0] - middle[0], p[1] - middle[1]];
    let is_upper = |[x, y]: Point| y > 0 || (y == 0 && x > 0);
    let mut last = from_middle(ring[ring.len() - 1]);
    let (mut left, mut right, mut rounds) = (false, false, 0);
    for &p in ring {
        let p = from_middle(p);
        let turn = last[0] * p[1] - last[1] * p[0];
        left |= turn <= 0;
        right |= turn >= 0;
        rounds += i32::from(is_upper(last) != is_upper(p));
        last = p;
    }
    // A turn is less than a half one, so each round comes twice over the line through the middle.
    left != right && rounds == 2
}

/// Turns one way only, and once around: certainly simple. Collinear vertices are let through.
fn is_convex(ring: &[Point]) -> bool {
    let n = ring.len();
    let (mut left, mut right) = (false, false);
    let mut x_turns = 0;
    let mut x_way = 0;
    let (mut a, mut b) = (ring[n - 2], ring[n - 1]);
    let mut first_way = 0;
    for &c in ring {
        let turn = cross(a, b, c);
        left |= turn < 0;
        right |= turn > 0;
        if (left && right) || (turn == 0 && folds(a, b, c)) {
            return false;
        }
        let way = (c[0] - b[0]).signum();
        if way != 0 {
            if x_way != 0 && way != x_way {
                x_turns += 1;
            }
            if first_way == 0 {
                first_way = way;
            }
            x_way = way;
        }
        (a, b) = (b, c);
    }
    if x_way != first_way {
        x_turns += 1;
    }
    (left || right) && x_turns == 2
}

/// Whether the edge `b`-`c` goes back over the edge `a`-`b`.
fn folds(a: Point, b: Point, c: Point) -> bool {
    let dot = i64::from(b[0] - a[0]) * i64::from(c[0] - b[0])
        + i64::from(b[1] - a[1]) * i64::from(c[1] - b[1]);
    dot < 0 && cross(a, b, c) == 0
}

fn boxes_meet(a: Point, b: Point, c: Point, d: Point) -> bool {
    (0..2).all(|k| a[k].max(b[k]) >= c[k].min(d[k]) && c[k].max(d[k]) >= a[k].min(b[k]))
}

/// Whether two segments whose boxes meet have a point in common.
fn meet(a: Point, b: Point, c: Point, d: Point) -> bool {
    let apart = |p: i64, q: i64| (p > 0 && q > 0) || (p < 0 && q < 0);
    !apart(cross(a, b, c), cross(a, b, d)) && !apart(cross(c, d, a), cross(c, d, b))
}

/// Many edges, by place.
struct Crowd<'a> {
    coords: &'a [Point],
    parts: &'a [Part],
    edges: Vec<[Point; 2]>,
    /// The ring of each edge, and the position of its first vertex in `coords`.
    owners: Vec<(u32, u32)>,
    buckets: Buckets,
}

impl<'a> Crowd<'a> {
    fn new(coords: &'a [Point], parts: &'a [Part]) -> Self {
        let (mut edges, mut owners) = (Vec::new(), Vec::new());
        for (number, part) in (0..).zip(parts) {
            let ring = part.of(coords);
            let next = ring.iter().skip(1).chain(ring.first());
            edges.extend(ring.iter().zip(next).map(|(&a, &b)| [a, b]));
            owners.extend((part.start..part.end).map(|at| (number, at)));
        }
        let buckets = Buckets::new(&edges);
        Self {
            coords,
            parts,
            edges,
            owners,
            buckets,
        }
    }

    fn is_valid(&self) -> bool {
        if self.parts.iter().any(|p| p.end - p.start < 3) {
            return false;
        }
        let clash = |cell: &[u32]| {
            let mut pairs = cell
                .iter()
                .enumerate()
                .flat_map(|(i, &e)| cell[..i].iter().map(move |&f| (e, f)));
            pairs.any(|(e, f)| self.clash(e as usize, f as usize))
        };
        if self.buckets.cells().any(clash) {
            return false;
        }
        if self.parts.len() == 1 {
            return true;
        }
        let weight = |part: &Part| {
            if (area2(part.of(self.coords)) > 0) == part.interior {
                -1
            } else {
                1
            }
        };
        let weights: Vec<i32> = self.parts.iter().map(weight).collect();
        (0..self.parts.len()).all(|ring| self.placed_well(ring, &weights))
    }

    fn clash(&self, e: usize, f: usize) -> bool {
        let ([a, b], [c, d]) = (self.edges[e], self.edges[f]);
        if !boxes_meet(a, b, c, d) {
            return false;
        }
        let ((e_ring, e_at), (f_ring, f_at)) = (self.owners[e], self.owners[f]);
        if e_ring == f_ring {
            let part = self.parts[e_ring as usize];
            let after = |at: u32| {
                if at + 1 == part.end {
                    part.start
                } else {
                    at + 1
                }
            };
            if after(e_at) == f_at {
                return folds(a, b, d);
            }
            if after(f_at) == e_at {
                return folds(c, d, b);
            }
        }
        meet(a, b, c, d)
    }

    /// Whether the ring lies where a ring of its kind may: an exterior in no other polygon, a hole in its
    /// own exterior and in no other hole. Rings have no contact, so any vertex answers, by a ray to the
    /// north. `weights`: what an eastward edge of each ring adds to the count of polygons south of it.
    fn placed_well(&self, ring: usize, weights: &[i32]) -> bool {
        let part = self.parts[ring];
        let start = self.coords[part.start as usize];
        let shell = self.parts[..ring]
            .iter()
            .rposition(|p| !p.interior)
            .filter(|_| part.interior);
        let (mut depth, mut in_shell) = (0, false);
        for edge in self.buckets.north_of(start) {
            let owner = self.owners[edge as usize].0 as usize;
            let [a, b] = self.edges[edge as usize];
            let eastward = a[0] < b[0];
            let (w, e) = if eastward { (a, b) } else { (b, a) };
            let over = w[0] <= start[0] && start[0] < e[0];
            if owner == ring || !over || cross(w, e, start) <= 0 {
                continue;
            }
            in_shell ^= Some(owner) == shell;
            depth += if eastward {
                weights[owner]
            } else {
                -weights[owner]
            };
        }
        in_shell == part.interior && depth == i32::from(part.interior)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::geometry::{Parts, unspike};

    fn valid(rings: &[(bool, &[Point])]) -> bool {
        let mut parts = Parts::default();
        for (interior, ring) in rings {
            parts.push(ring.iter().copied(), *interior);
        }
        certainly_valid(&parts.coords, &parts.parts)
    }

    fn square(x: i32, y: i32, size: i32) -> [Point; 4] {
        [[x, y], [x + size, y], [x + size, y + size], [x, y + size]]
    }

    #[test]
    fn simple_rings_of_any_direction_are_valid() {
        assert!(valid(&[(false, &[[0, 0], [5, 0], [0, 5]])]));
        assert!(valid(&[(false, &[[0, 0], [0, 5], [5, 0]])]));
        // Collinear vertex; concave; a vertical first edge.
        assert!(valid(&[(false, &[[0, 0], [3, 0], [5, 0], [5, 5], [0, 5]])]));
        assert!(valid(&[(false, &[[0, 0], [9, 0], [9, 9], [5, 2], [0, 9]])]));
    }

    #[test]
    fn rings_that_meet_themselves_are_not() {
        let bad: [&[Point]; 6] = [
            &[[0, 0], [5, 5], [5, 0], [0, 5]],
            &[[0, 0], [5, 0], [9, 0]],
            &[[0, 0], [9, 0], [5, 0], [5, 5]],
            // Touches itself at a vertex, at an edge; winds around twice.
            &[[0, 0], [4, 0], [2, 2], [4, 4], [0, 4], [2, 2]],
            &[[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]],
            &[
                [0, 0],
                [4, 0],
                [4, 4],
                [0, 4],
                [0, 0],
                [4, 0],
                [4, 4],
                [0, 4],
            ],
        ];
        for ring in bad {
            assert!(!valid(&[(false, ring)]), "{ring:?}");
        }
    }

    #[test]
    fn holes_lie_in_their_own_exterior() {
        let (shell, hole) = (square(0, 0, 20), square(5, 5, 5));
        assert!(valid(&[(false, &shell), (true, &hole)]));
        assert!(valid(&[
            (false, &shell),
            (true, &hole),
            (false, &square(6, 6, 2))
        ]));
        assert!(!valid(&[(false, &shell), (true, &square(30, 5, 5))]));
        assert!(!valid(&[
            (false, &shell),
            (true, &hole),
            (true, &square(6, 6, 2))
        ]));
        assert!(!valid(&[(false, &shell), (true, &square(0, 5, 5))]));
        let (other, away) = (square(30, 0, 20), square(35, 5, 5));
        assert!(valid(&[(false, &shell), (false, &other), (true, &away)]));
        assert!(!valid(&[(false, &shell), (true, &away), (false, &other)]));
    }

    #[test]
    fn exteriors_do_not_lie_in_each_other() {
        let shell = square(0, 0, 20);
        assert!(!valid(&[(false, &shell), (false, &square(5, 5, 5))]));
        assert!(!valid(&[(false, &square(5, 5, 5)), (false, &shell)]));
        assert!(!valid(&[(false, &shell), (false, &square(20, 0, 5))]));
        assert!(valid(&[(false, &shell), (false, &square(21, 0, 5))]));
    }

    fn random(seed: &mut u64, n: i32) -> i32 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i32::try_from((*seed >> 33) % u64::try_from(n).unwrap()).unwrap()
    }

    /// As the cutter hands it on; empty when nothing is left.
    fn directed(mut ring: Vec<Point>, interior: bool) -> Vec<Point> {
        unspike(&mut ring, 0);
        if (area2(&ring) < 0) != interior {
            ring.reverse();
        }
        ring
    }

    /// The checker finds the same rings valid, by other means.
    #[test]
    fn the_checker_agrees_on_single_rings() {
        let (mut seed, mut good) = (3, 0);
        for round in 0..400_000 {
            // Few vertices on a small lattice, and more in a circle with a wobble, above and below PAIRWISE.
            let ring: Vec<Point> = if round % 4 > 0 {
                let n = 3 + random(&mut seed, 5);
                (0..n)
                    .map(|_| [random(&mut seed, 6), random(&mut seed, 6)])
                    .collect()
            } else {
                let n = 5 + random(&mut seed, 40);
                let spot = |k: i32| {
                    let angle = f64::from(k) / f64::from(n) * std::f64::consts::TAU;
                    let r = 6.0 + f64::from(random(&mut seed, 30)) / 3.0;
                    [(r * angle.cos()) as i32, (r * angle.sin()) as i32]
                };
                (0..n).map(spot).collect()
            };
            let ring = directed(ring, false);
            let quick = valid(&[(false, &ring)]);
            let slow = check::polygons(&[vec![ring.clone()]]).is_ok();
            assert_eq!(quick, slow, "{ring:?}");
            good += usize::from(quick);
        }
        assert!(good > 10_000, "{good}");
    }

    /// With several rings it may say no where rings only touch, and never yes to what is not valid.
    #[test]
    fn the_checker_accepts_what_is_certainly_valid() {
        let (mut seed, mut good, mut touching) = (4, [0; 2], 0);
        for _ in 0..300_000 {
            let mut ring = |interior: bool, reach: i32| {
                let at = [random(&mut seed, reach), random(&mut seed, reach)];
                let spread = 1 + random(&mut seed, reach);
                let p = |seed: &mut u64| {
                    [
                        at[0] + random(seed, spread + 1),
                        at[1] + random(seed, spread + 1),
                    ]
                };
                directed(
                    (0..3 + random(&mut seed, 2))
                        .map(|_| p(&mut seed))
                        .collect(),
                    interior,
                )
            };
            let (shell, other) = (ring(false, 12), ring(false, 12));
            let (hole, second) = (ring(true, 12), ring(true, 6));
            if [&shell, &other, &hole, &second]
                .iter()
                .any(|r| r.is_empty())
            {
                continue;
            }
            // A wide shell with both holes, the second moved away or not, and another polygon beside it or in it.
            let wide = [[-2, -2], [40, -2], [40, 40], [-2, 40]];
            let moved = |ring: &[Point], by: i32| {
                ring.iter().map(|p| [p[0] + by, p[1]]).collect::<Vec<_>>()
            };
            let (away, beside) = (random(&mut seed, 2) * 15, random(&mut seed, 2) * 50);
            let (second, other_moved) = (moved(&second, away), moved(&other, beside));
            let all: [Vec<(bool, &[Point])>; 3] = [
                vec![(false, &shell), (true, &hole)],
                vec![(false, &shell), (false, &other)],
                vec![
                    (false, &wide),
                    (true, &hole),
                    (true, &second),
                    (false, &other_moved),
                ],
            ];
            for rings in &all {
                let quick = valid(rings);
                let mut polygons: Vec<Vec<Vec<Point>>> = Vec::new();
                for (interior, ring) in rings {
                    if *interior {
                        polygons.last_mut().unwrap().push(ring.to_vec());
                    } else {
                        polygons.push(vec![ring.to_vec()]);
                    }
                }
                let slow = check::polygons(&polygons);
                assert!(!quick || slow.is_ok(), "{slow:?} {polygons:?}");
                good[usize::from(rings.len() > 2)] += usize::from(quick);
                touching += usize::from(!quick && slow.is_ok());
            }
        }
        assert!(
            good[0] > 10_000 && good[1] > 10_000 && touching > 1000,
            "{good:?} {touching}"
        );
    }
}
