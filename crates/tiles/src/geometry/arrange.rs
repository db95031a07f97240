//! From noded edges to valid polygons: winding numbers by a sweep, then the walks around what is inside.
//!
//! Exact on integers. Edges must meet only at their ends ([`super::node`] sees to it).

use hashbrown::HashMap;

use super::node::{EdgeKey, key};
use super::{Point, area2, cross};

/// How often an edge is walked from its lesser to its greater end, less the other way: by exteriors, by holes.
pub(crate) type Steps = [i32; 2];

/// An edge with the inside on its right (y down: exteriors come out with a positive area).
type Directed = [Point; 2];

/// The steps of rings along edges.
#[derive(Debug, Default)]
pub(crate) struct Edges(Vec<(EdgeKey, Steps)>);

impl Edges {
    pub(crate) fn walk(&mut self, ring: &[Point], interior: bool) {
        let next = ring.iter().skip(1).chain(ring.first());
        for (&a, &b) in ring.iter().zip(next) {
            self.step(a, b, interior);
        }
    }

    pub(crate) fn step(&mut self, a: Point, b: Point, interior: bool) {
        if a != b {
            let mut steps = [0; 2];
            steps[usize::from(interior)] = if a < b { 1 } else { -1 };
            self.0.push((key(a, b), steps));
        }
    }

    /// An edge that is walked so often from its lesser to its greater end, less the other way.
    pub(crate) fn count(&mut self, edge: EdgeKey, count: i32) {
        self.0.push((edge, [count, 0]));
    }

    /// Each edge once, by the western end; those from one point from north to south. Edges that are walked
    /// equally often both ways separate nothing and are left out.
    fn merged(mut self) -> Vec<(EdgeKey, Steps)> {
        self.0.sort_unstable_by(|([a, b], _), ([c, d], _)| {
            a.cmp(c)
                .then_with(|| 0.cmp(&cross(*a, *b, *d)))
                .then_with(|| b.cmp(d))
        });
        self.0.dedup_by(|(edge, steps), (kept, sum)| {
            let same = edge == kept;
            if same {
                *sum = [sum[0] + steps[0], sum[1] + steps[1]];
            }
            same
        });
        self.0.retain(|(_, steps)| *steps != [0, 0]);
        self.0
    }

    /// The edges between inside and outside, sorted.
    pub(crate) fn boundary(self, is_inside: impl Fn(Steps) -> bool) -> Vec<Directed> {
        let edges = self.merged();
        let mut points: Vec<Point> = edges.iter().flat_map(|(edge, _)| *edge).collect();
        points.sort_unstable();
        points.dedup();
        let mut boundary = Vec::new();
        // From north to south, with the winding south of each.
        let mut active: Vec<(EdgeKey, Steps)> = Vec::new();
        let mut begun: Vec<(EdgeKey, Steps)> = Vec::new();
        let mut rest = &edges[..];
        for point in points {
            let from = active.partition_point(|([a, b], _)| cross(*a, *b, point) > 0);
            let ending = active[from..]
                .iter()
                .take_while(|([_, b], _)| *b == point)
                .count();
            let starting = rest.iter().take_while(|([a, _], _)| *a == point).count();
            let (now, later) = rest.split_at(starting);
            rest = later;
            let mut north = from.checked_sub(1).map_or([0, 0], |i| active[i].1);
            begun.extend(now.iter().map(|&([a, b], steps)| {
                let south = [north[0] + steps[0], north[1] + steps[1]];
                match (is_inside(north), is_inside(south)) {
                    (false, true) => boundary.push([a, b]),
                    (true, false) => boundary.push([b, a]),
                    _ => {}
                }
                north = south;
                ([a, b], south)
            }));
            active.splice(from..from + ending, begun.drain(..));
        }
        boundary.sort_unstable();
        boundary
    }
}

/// Polygons (exterior first, then holes) around the inside that the edges bound. Rings touch themselves
/// nowhere; each other at single points.
pub(crate) fn polygons(boundary: &[Directed]) -> Vec<Vec<Vec<Point>>> {
    polygons_with(boundary, |_| true)
}

/// As [`polygons`], with those holes alone that are `wanted`.
pub(crate) fn polygons_with(
    boundary: &[Directed],
    wanted: impl Fn(&[Point]) -> bool,
) -> Vec<Vec<Vec<Point>>> {
    let mut polygons: Vec<Vec<Vec<Point>>> = Vec::new();
    let mut loose = Vec::new();
    for walk in walks(boundary) {
        let rings = split(walk);
        let (shells, mut holes): (Vec<_>, Vec<_>) = rings.into_iter().partition(|r| area2(r) > 0);
        holes.retain(|hole| wanted(hole));
        if shells.is_empty() && holes.is_empty() {
            continue;
        }
        if shells.is_empty() {
            loose.push(holes);
        } else {
            polygons.push(shells.into_iter().chain(holes).collect());
        }
    }
    let shells: Vec<(i64, [Point; 2])> = polygons
        .iter()
        .map(|p| (area2(&p[0]), bounds(&p[0])))
        .collect();
    for holes in loose {
        // Larger than all holes of the walk together: what lies in one of them, and may touch it, is smaller.
        let area: i64 = holes.iter().map(|h| -area2(h)).sum();
        let p = holes[0][0];
        let home = shells
            .iter()
            .enumerate()
            .filter(|(_, (size, [low, high]))| {
                *size > area && (0..2).all(|k| low[k] <= p[k] && p[k] <= high[k])
            })
            .filter(|&(i, _)| contains(&polygons[i][0], p))
            .min_by_key(|(_, (size, _))| *size);
        if let Some((home, _)) = home {
            polygons[home].extend(holes);
        }
    }
    polygons
}

/// Each walk stays along one connected piece of the inside, so that pieces which only touch come apart.
fn walks(boundary: &[Directed]) -> Vec<Vec<Point>> {
    let mut used = vec![false; boundary.len()];
    let mut walks = Vec::new();
    for start in 0..boundary.len() {
        if used[start] {
            continue;
        }
        let mut walk = Vec::new();
        let mut at = start;
        while !std::mem::replace(&mut used[at], true) {
            let [a, b] = boundary[at];
            walk.push(a);
            let first = boundary.partition_point(|e| e[0] < b);
            let count = boundary[first..].iter().take_while(|e| e[0] == b).count();
            // Of several, the one that bounds the same wedge of the inside: the first to the left.
            let next = (first..first + count).min_by(|&e, &f| {
                let to = |i: usize| boundary[i][1];
                turn(b, a, to(e))
                    .cmp(&turn(b, a, to(f)))
                    .then_with(|| cross(b, to(e), to(f)).cmp(&0))
            });
            match next {
                Some(next) => at = next,
                // As many edges leave a point as come to it.
                None => break,
            }
        }
        walks.push(walk);
    }
    walks
}

/// How far one turns at `p` from looking at `from` to the left until one looks at `to`: less than a half
/// turn, a half turn, more.
fn turn(p: Point, from: Point, to: Point) -> u8 {
    match cross(p, from, to) {
        ..0 => 0,
        0 => 1,
        1.. => 2,
    }
}

/// Cuts a closed walk where it comes by the same point again.
fn split(walk: Vec<Point>) -> Vec<Vec<Point>> {
    let mut sorted = walk.clone();
    sorted.sort_unstable();
    if sorted.windows(2).all(|w| w[0] != w[1]) {
        return vec![walk];
    }
    let mut rings = Vec::new();
    let mut open: Vec<Point> = Vec::with_capacity(walk.len());
    let mut place: HashMap<Point, usize> = HashMap::with_capacity(walk.len());
    for p in walk {
        if let Some(&from) = place.get(&p) {
            let ring: Vec<Point> = open.drain(from..).collect();
            for q in &ring {
                place.remove(q);
            }
            rings.push(ring);
        }
        place.insert(p, open.len());
        open.push(p);
    }
    rings.push(open);
    rings
}

fn contains(ring: &[Point], p: Point) -> bool {
    let mut inside = false;
    for (&a, &b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let (w, e) = if a[0] < b[0] { (a, b) } else { (b, a) };
        inside ^= w[0] <= p[0] && p[0] < e[0] && cross(w, e, p) > 0;
    }
    inside
}

fn bounds(ring: &[Point]) -> [Point; 2] {
    let fold = |f: fn(i32, i32) -> i32| {
        let all = |k: usize| ring.iter().map(|p| p[k]).reduce(f).unwrap_or_default();
        [all(0), all(1)]
    };
    [fold(i32::min), fold(i32::max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(rings: &[(bool, &[Point])]) -> Vec<Vec<Vec<Point>>> {
        let mut edges = Edges::default();
        rings
            .iter()
            .for_each(|(interior, ring)| edges.walk(ring, *interior));
        polygons(&edges.boundary(|[shell, hole]| shell != 0 && hole == 0))
    }

    #[test]
    fn a_hole_that_touches_the_exterior_stays_a_hole() {
        let shell = [[0, 0], [4, 0], [8, 0], [8, 8], [0, 8]];
        let hole = [[4, 0], [6, 4], [2, 4]];
        assert_eq!(
            arranged(&[(false, &shell), (true, &hole)]),
            [[
                vec![[0, 0], [4, 0], [8, 0], [8, 8], [0, 8]],
                vec![[4, 0], [2, 4], [6, 4]],
            ]]
        );
    }

    #[test]
    fn lobes_that_touch_are_two_polygons() {
        let eight = [[0, 0], [5, 5], [10, 0], [10, 10], [5, 5], [0, 10]];
        let all = arranged(&[(false, &eight)]);
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|p| p.len() == 1 && area2(&p[0]) == 50));
    }

    #[test]
    fn a_hole_goes_to_the_innermost_exterior_around_it() {
        let square = |at: i32, size: i32| {
            [
                [at, at],
                [at + size, at],
                [at + size, at + size],
                [at, at + size],
            ]
        };
        let (a, b, c, d) = (square(0, 40), square(5, 30), square(10, 20), square(15, 10));
        let all = arranged(&[(false, &a), (true, &b)]);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
        let mut edges = Edges::default();
        for (ring, interior) in [(&a, false), (&b, true), (&c, false), (&d, true)] {
            edges.walk(ring, interior);
        }
        // Alternating: inside where the count of rings around is odd.
        let all = polygons(&edges.boundary(|[shell, hole]| (shell + hole) % 2 != 0));
        let areas: Vec<Vec<i64>> = all
            .iter()
            .map(|p| p.iter().map(|r| area2(r)).collect())
            .collect();
        assert_eq!(areas, [[3200, -1800], [800, -200]]);
    }
}
