//! The rings of one or several polygons in flat form.

use geo_types::{Coord, LineString, Polygon};

use super::segment::{order, side};
use super::{Defect, DefectKind};

/// Rings of at least three different points without repeated ones, not closed by a last point. A vertex is an
/// index into `points`; the edge from a vertex to the next one of its ring has the number of the vertex.
pub(super) struct Rings {
    pub(super) points: Vec<Coord<f64>>,
    /// The ring of each vertex.
    pub(super) ring_of: Vec<u32>,
    pub(super) rings: Vec<Ring>,
}

pub(super) struct Ring {
    pub(super) start: u32,
    /// Exclusive.
    pub(super) end: u32,
    /// The part that the ring belongs to.
    pub(super) part: usize,
    /// The ring that is this part's shell, itself for a shell.
    pub(super) shell: u32,
}

impl Rings {
    /// Rings that are none are named in `defects` and left out.
    pub(super) fn new(
        polygons: &[Polygon<f64>],
        first_part: usize,
        defects: &mut Vec<Defect>,
    ) -> Self {
        let mut rings = Self {
            points: Vec::new(),
            ring_of: Vec::new(),
            rings: Vec::new(),
        };
        for (i, polygon) in polygons.iter().enumerate() {
            let part = first_part + i;
            let shell = rings.rings.len() as u32;
            let shell_stands = rings.push(polygon.exterior(), part, shell, defects);
            // Without a shell its holes say nothing more.
            for hole in polygon.interiors().iter().filter(|_| shell_stands) {
                rings.push(hole, part, shell, defects);
            }
        }
        rings
    }

    fn push(
        &mut self,
        ring: &LineString<f64>,
        part: usize,
        shell: u32,
        defects: &mut Vec<Defect>,
    ) -> bool {
        let start = self.points.len();
        for c in &ring.0 {
            if !c.x.is_finite() || !c.y.is_finite() {
                defects.push(Defect {
                    kind: DefectKind::NotFinite,
                    location: [c.x, c.y],
                    part,
                });
                self.points.truncate(start);
                return false;
            }
            if self.points[start..].last() != Some(c) {
                self.points.push(*c);
            }
        }
        while self.points.len() > start + 1
            && self.points[start] == self.points[self.points.len() - 1]
        {
            self.points.pop();
        }
        if self.points.len() < start + 3 {
            if let Some(c) = ring.0.first() {
                defects.push(Defect {
                    kind: DefectKind::TooFewPoints,
                    location: [c.x, c.y],
                    part,
                });
            }
            self.points.truncate(start);
            return false;
        }
        let number = self.rings.len() as u32;
        self.ring_of.resize(self.points.len(), number);
        self.rings.push(Ring {
            start: start as u32,
            end: self.points.len() as u32,
            part,
            shell,
        });
        true
    }

    pub(super) fn ring(&self, edge: u32) -> u32 {
        self.ring_of[edge as usize]
    }

    pub(super) fn point(&self, vertex: u32) -> Coord<f64> {
        self.points[vertex as usize]
    }

    pub(super) fn next(&self, vertex: u32) -> u32 {
        let ring = &self.rings[self.ring(vertex) as usize];
        if vertex + 1 == ring.end {
            ring.start
        } else {
            vertex + 1
        }
    }

    pub(super) fn previous(&self, vertex: u32) -> u32 {
        let ring = &self.rings[self.ring(vertex) as usize];
        if vertex == ring.start {
            ring.end - 1
        } else {
            vertex - 1
        }
    }

    /// The ends of an edge from left to right.
    pub(super) fn edge(&self, edge: u32) -> [Coord<f64>; 2] {
        let (a, b) = (self.point(edge), self.point(self.next(edge)));
        if order(a, b).is_lt() { [a, b] } else { [b, a] }
    }

    /// Whether the ring runs along an edge from left to right.
    pub(super) fn runs_right(&self, edge: u32) -> bool {
        order(self.point(edge), self.point(self.next(edge))).is_lt()
    }

    pub(super) fn of(&self, ring: u32) -> &[Coord<f64>] {
        let ring = &self.rings[ring as usize];
        &self.points[ring.start as usize..ring.end as usize]
    }

    pub(super) fn is_flat(&self, ring: u32) -> bool {
        let points = self.of(ring);
        points
            .iter()
            .all(|p| side(points[0], points[1], *p).is_eq())
    }

    /// Whether two rings have the same points, from any start and in any direction.
    pub(super) fn are_equal(&self, a: u32, b: u32) -> bool {
        let sorted = |ring| {
            let mut points = self.of(ring).to_vec();
            points.sort_unstable_by(|a, b| order(*a, *b));
            points
        };
        self.of(a).len() == self.of(b).len() && sorted(a) == sorted(b)
    }
}
