//! Rings of any number and size: one sweep from left to right, O(n log n).
//!
//! Vertices are visited in order; the status holds the edges that cross the line just left of the next vertex, from
//! below to above. Two edges that cross are neighbours in the status before they do (Shamos and Hoey 1976), so the first
//! crossing is found before the order breaks, and the sweep ends there. What happens at a vertex, where
//! rings may touch, is decided from the directions of all edges that meet in it.

use geo_types::Coord;

use super::rings::Rings;
use super::segment::{Meeting, meet, order, side};
use super::status::Status;
use super::{Defect, DefectKind};

type Point = Coord<f64>;

/// Adds the defects of rings: the first place where edges cross, run along each other or touch in a wrong way, or else
/// whatever is wrong with the nesting.
pub(super) fn check(rings: &Rings, defects: &mut Vec<Defect>) {
    let mut sweep = Sweep {
        rings,
        status: Status::default(),
        counter_clockwise: vec![None; rings.rings.len()],
        container: vec![None; rings.rings.len()],
        joined: (0..rings.rings.len() as u32).collect(),
        cut: None,
    };
    match sweep.run() {
        Err(defect) => defects.push(defect),
        Ok(()) => {
            let before = defects.len();
            sweep.nesting(defects);
            if before == defects.len() {
                defects.extend(sweep.cut);
            }
        }
    }
}

struct Sweep<'a> {
    rings: &'a Rings,
    status: Status,
    counter_clockwise: Vec<Option<bool>>,
    /// The ring that immediately surrounds each ring.
    container: Vec<Option<u32>>,
    /// Rings of one part that hang together by touches: a union-find forest.
    joined: Vec<u32>,
    /// Where touches close a loop and cut off a piece of the inside.
    cut: Option<Defect>,
}

/// A ring's way through a point.
#[derive(Clone, Copy)]
struct Pass {
    ring: u32,
    from: Point,
    to: Point,
}

/// Buffers of one event, kept between events.
#[derive(Default)]
struct Event {
    taken: Vec<u32>,
    /// Edges that lead on to the right, from below to above.
    onward: Vec<u32>,
    passes: Vec<Pass>,
}

impl Sweep<'_> {
    fn run(&mut self) -> Result<(), Defect> {
        let rings = self.rings;
        let mut vertices: Vec<u32> = (0..rings.points.len() as u32).collect();
        vertices.sort_unstable_by(|a, b| order(rings.point(*a), rings.point(*b)).then(a.cmp(b)));
        let mut event = Event::default();
        let mut rest = vertices.as_slice();
        while let Some(first) = rest.first() {
            let here = rings.point(*first);
            let together = rest.iter().take_while(|v| rings.point(**v) == here).count();
            let (group, later) = rest.split_at(together);
            self.visit(here, group, &mut event)?;
            rest = later;
        }
        Ok(())
    }

    fn visit(&mut self, here: Point, group: &[u32], event: &mut Event) -> Result<(), Defect> {
        let rings = self.rings;
        let Event {
            taken,
            onward,
            passes,
        } = event;
        taken.clear();
        onward.clear();
        passes.clear();
        let place = self.status.take(
            |edge| {
                let [left, right] = rings.edge(edge);
                side(left, right, here)
            },
            taken,
        );
        for vertex in group {
            let (previous, next) = (rings.previous(*vertex), rings.next(*vertex));
            let (from, to) = (rings.point(previous), rings.point(next));
            passes.push(Pass {
                ring: rings.ring(*vertex),
                from,
                to,
            });
            onward.extend(order(from, here).is_gt().then_some(previous));
            onward.extend(order(to, here).is_gt().then_some(*vertex));
        }
        for edge in taken.iter().filter(|edge| rings.edge(**edge)[1] != here) {
            // The point lies inside this edge.
            let (from, to) = (rings.point(*edge), rings.point(rings.next(*edge)));
            passes.push(Pass {
                ring: rings.ring(*edge),
                from,
                to,
            });
            onward.push(*edge);
        }
        if onward.len() > 1 {
            // All start here or pass through here, so the higher end is on the left of the lower edge.
            onward.sort_unstable_by(|a, b| side(here, rings.edge(*b)[1], rings.edge(*a)[1]));
        }
        if passes.len() > 1 || onward.len() == 2 {
            self.node(here, passes)?;
        }
        self.begin_rings(here, group, onward, self.status.below(place));
        let (below, above) = (self.status.below(place), self.status.above(place));
        match (onward.first(), onward.last()) {
            (Some(lowest), Some(highest)) => {
                self.neighbours(below, Some(*lowest))?;
                self.neighbours(Some(*highest), above)?;
            }
            _ => self.neighbours(below, above)?,
        }
        self.status.insert(place, onward);
        Ok(())
    }

    /// # Errors
    /// When two edges that have become neighbours cross.
    fn neighbours(&self, a: Option<u32>, b: Option<u32>) -> Result<(), Defect> {
        let (Some(a), Some(b)) = (a, b) else {
            return Ok(());
        };
        let edges = [self.rings.edge(a), self.rings.edge(b)];
        match meet(edges[0], edges[1]) {
            Meeting::Crossing(at) => Err(self.crossed(self.rings.ring(a), self.rings.ring(b), at)),
            // Touches and overlaps begin at a vertex, where they are seen.
            _ => Ok(()),
        }
    }

    /// Ways of several rings, or of one ring several times, through one point.
    ///
    /// # Errors
    /// When they run along each other, cross, or are of the same ring.
    fn node(&mut self, here: Point, passes: &[Pass]) -> Result<(), Defect> {
        let mut ends: Vec<(Point, usize)> = passes
            .iter()
            .enumerate()
            .flat_map(|(i, pass)| [(pass.from, i), (pass.to, i)])
            .collect();
        // Around the point, from straight below: first what lies to its right, from below to above, then the left.
        let around = |a: Point, b: Point| {
            let is_left = |p: Point| order(p, here).is_lt();
            is_left(a).cmp(&is_left(b)).then_with(|| side(here, b, a))
        };
        ends.sort_unstable_by(|a, b| around(a.0, b.0));
        if let Some(pair) = ends
            .windows(2)
            .find(|pair| around(pair[0].0, pair[1].0).is_eq())
        {
            return Err(self.overlapped(passes[pair[0].1].ring, passes[pair[1].1].ring, here));
        }
        let mut rings: Vec<u32> = passes.iter().map(|pass| pass.ring).collect();
        rings.sort_unstable();
        if let Some(twice) = rings.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(self.defect(DefectKind::RingSelfTouch, here, twice[0]));
        }
        // Ways do not cross when their ends, taken around the point, close like brackets.
        let mut open: Vec<usize> = Vec::new();
        for (_, pass) in ends {
            if open.last() == Some(&pass) {
                open.pop();
            } else {
                open.push(pass);
            }
        }
        if let [.., a, b] = open.as_slice() {
            return Err(self.crossed(passes[*a].ring, passes[*b].ring, here));
        }
        self.join(here, &rings);
        Ok(())
    }

    /// Joins rings of the same part that touch in a point. When two of them hang together already, a loop is closed.
    fn join(&mut self, here: Point, touching: &[u32]) {
        // Rings of one part have neighbouring numbers, and `touching` ascends.
        for pair in touching.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            if self.rings.rings[a as usize].part != self.rings.rings[b as usize].part {
                continue;
            }
            let (a_root, b_root) = (self.root(a), self.root(b));
            if a_root == b_root {
                let cut = self.defect(DefectKind::DisconnectedInterior, here, a);
                self.cut.get_or_insert(cut);
            } else {
                self.joined[b_root as usize] = a_root;
            }
        }
    }

    fn root(&mut self, ring: u32) -> u32 {
        let mut ring = ring;
        while self.joined[ring as usize] != ring {
            let parent = self.joined[ring as usize];
            self.joined[ring as usize] = self.joined[parent as usize];
            ring = parent;
        }
        ring
    }

    /// Learns the direction and the container of the rings whose first vertex is here.
    fn begin_rings(&mut self, here: Point, group: &[u32], onward: &[u32], below: Option<u32>) {
        let rings = self.rings;
        let is_new =
            |sweep: &Self, edge: u32| sweep.counter_clockwise[rings.ring(edge) as usize].is_none();
        if !group.iter().any(|vertex| is_new(self, *vertex)) {
            return;
        }
        for (i, edge) in onward.iter().enumerate() {
            let ring = rings.ring(*edge);
            if rings.edge(*edge)[0] != here || !is_new(self, *edge) {
                continue;
            }
            // The lower of its two edges, since the upper one comes later: the inside lies above it.
            self.counter_clockwise[ring as usize] = Some(rings.runs_right(*edge));
            let under = if i > 0 { Some(onward[i - 1]) } else { below };
            self.container[ring as usize] = under.and_then(|edge| {
                let of = rings.ring(edge);
                let inside_above =
                    self.counter_clockwise[of as usize] == Some(rings.runs_right(edge));
                if inside_above {
                    Some(of)
                } else {
                    self.container[of as usize]
                }
            });
        }
    }

    /// Whether holes lie immediately in their shells, and shells in nothing or in a hole.
    fn nesting(&self, defects: &mut Vec<Defect>) {
        for (number, ring) in self.rings.rings.iter().enumerate() {
            let number = number as u32;
            let container = self.container[number as usize];
            let is_hole = |ring: u32| self.rings.rings[ring as usize].shell != ring;
            let same_part = |other: u32| self.rings.rings[other as usize].part == ring.part;
            let kind = match (is_hole(number), container) {
                (true, Some(c)) if c == ring.shell => continue,
                (true, Some(c)) if is_hole(c) && same_part(c) => DefectKind::NestedHoles,
                (true, _) => DefectKind::HoleOutsideShell,
                (false, None) => continue,
                (false, Some(c)) if is_hole(c) => continue,
                (false, Some(_)) => DefectKind::NestedShells,
            };
            defects.push(self.defect(kind, self.rings.point(ring.start), number));
        }
    }

    fn defect(&self, kind: DefectKind, at: Point, ring: u32) -> Defect {
        Defect {
            kind,
            location: [at.x, at.y],
            part: self.rings.rings[ring as usize].part,
        }
    }

    fn crossed(&self, a: u32, b: u32, at: Point) -> Defect {
        let same_part = self.rings.rings[a as usize].part == self.rings.rings[b as usize].part;
        let kind = if same_part {
            DefectKind::SelfIntersection
        } else {
            DefectKind::OverlappingParts
        };
        self.defect(kind, at, a.max(b))
    }

    fn overlapped(&self, a: u32, b: u32, at: Point) -> Defect {
        let kind = if a == b && self.rings.is_flat(a) {
            DefectKind::ZeroArea
        } else if a != b && self.rings.are_equal(a, b) {
            DefectKind::DuplicateRings
        } else {
            DefectKind::SelfIntersection
        };
        self.defect(kind, at, a.max(b))
    }
}
