//! How a feature of the index lies to a query box, as far as the index can tell.
//!
//! The index holds vertices to the unit of [`model::world`], and edges that are straight in longitude/latitude are bent a
//! little on its map. Both are bounded, so what is farther from the edge of the box than the bound is decided here, without
//! the stored geometry: nearly all of it.

use model::world::{WorldGeometry, WorldKind, WorldPoint};
use model::{Bbox, Envelope};

use crate::index::Hit;

/// Of one world unit in both directions: half for the rounding of a vertex, the rest for that of computing.
const ROUNDING: f64 = 2.0;

const WORLD: f64 = 4_294_967_296.0;

/// Beyond it, and beyond the antimeridian, the index has no map.
const MAX_LATITUDE: f64 = 85.0;

/// Whether a feature and a query box have a point in common, ends inclusive; `None` where only the stored geometry can tell.
/// A feature without geometry has none.
pub fn meets(hit: &Hit<'_>, bbox: &Bbox) -> Option<bool> {
    let Some(own) = hit.envelope() else {
        return Some(false);
    };
    let mut whole = Some(false);
    for part in bbox.envelopes() {
        match meets_part(hit, &own, &part) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => whole = None,
        }
    }
    whole
}

fn meets_part(hit: &Hit<'_>, own: &Envelope, part: &Envelope) -> Option<bool> {
    if !own.intersects(part) {
        return Some(false);
    }
    // A point's envelope is the point.
    if own.min == own.max || part.contains(own) {
        return Some(true);
    }
    let is_mapped = own.min[0] >= -180.0
        && own.max[0] <= 180.0
        && own.min[1] >= -MAX_LATITUDE
        && own.max[1] <= MAX_LATITUDE;
    if !is_mapped {
        return None;
    }
    let margin = margin(own);
    let around = Window::new(part);
    let (inner, outer) = (around.grown(-margin), around.grown(margin));
    let mut whole = Some(false);
    for geometry in hit.geometries() {
        match judge(&geometry, &inner, &outer) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => whole = None,
        }
    }
    whole
}

/// How far an edge of a feature may be from where the index has it, in world units.
///
/// An edge that is straight in longitude/latitude leaves its chord on the map by h²/8 · max |y″| at most, h being its height;
/// of the Mercator projection y″ is sec φ · tan φ.
fn margin(own: &Envelope) -> f64 {
    let height = (own.max[1] - own.min[1]).to_radians();
    let latitude = own.min[1].abs().max(own.max[1].abs()).to_radians();
    let bend = latitude.tan() / latitude.cos();
    ROUNDING + height * height / 8.0 * bend * WORLD / std::f64::consts::TAU
}

/// A box in world units, y down.
#[derive(Debug, Clone, Copy)]
struct Window {
    min: [f64; 2],
    max: [f64; 2],
}

impl Window {
    fn new(part: &Envelope) -> Self {
        let x = |lon: f64| (lon / 360.0 + 0.5) * WORLD;
        let y = |lat: f64| {
            let lat = lat.clamp(-89.9, 89.9).to_radians();
            (0.5 - lat.tan().asinh() / std::f64::consts::TAU) * WORLD
        };
        Self {
            min: [x(part.min[0]), y(part.max[1])],
            max: [x(part.max[0]), y(part.min[1])],
        }
    }

    fn grown(self, by: f64) -> Self {
        Self {
            min: self.min.map(|v| v - by),
            max: self.max.map(|v| v + by),
        }
    }

    fn center(&self) -> [f64; 2] {
        [0, 1].map(|i| f64::midpoint(self.min[i], self.max[i]))
    }

    fn has(&self, [x, y]: [f64; 2]) -> bool {
        (self.min[0]..=self.max[0]).contains(&x) && (self.min[1]..=self.max[1]).contains(&y)
    }

    /// Whether an edge enters the box (Liang and Barsky, 1984); a reversed box is entered by none.
    fn is_entered(&self, a: [f64; 2], b: [f64; 2]) -> bool {
        let (mut from, mut to) = (0.0_f64, 1.0_f64);
        for i in 0..2 {
            if self.min[i] > self.max[i] {
                return false;
            }
            let step = b[i] - a[i];
            if step == 0.0 {
                if a[i] < self.min[i] || a[i] > self.max[i] {
                    return false;
                }
                continue;
            }
            let (near, far) = ((self.min[i] - a[i]) / step, (self.max[i] - a[i]) / step);
            from = from.max(near.min(far));
            to = to.min(near.max(far));
        }
        from <= to
    }
}

fn float([x, y]: WorldPoint) -> [f64; 2] {
    [f64::from(x), f64::from(y)]
}

fn judge(geometry: &WorldGeometry<'_>, inner: &Window, outer: &Window) -> Option<bool> {
    let mut is_near = false;
    if geometry.kind == WorldKind::Points {
        for point in geometry.coords {
            if inner.has(float(*point)) {
                return Some(true);
            }
            is_near |= outer.has(float(*point));
        }
        return (!is_near).then_some(false);
    }
    for (is_hole, part) in geometry.parts() {
        // A part of one vertex has no edge.
        let single = (part.len() == 1).then(|| [part[0], part[0]]);
        let edges = part.windows(2).map(|w| [w[0], w[1]]).chain(single);
        for [a, b] in edges {
            let (a, b) = (float(a), float(b));
            // The edge of a hole that reaches out of its polygon belongs to nothing.
            if !is_hole && inner.is_entered(a, b) {
                return Some(true);
            }
            is_near |= outer.is_entered(a, b);
        }
    }
    if is_near {
        return None;
    }
    // No edge comes near, so the box is inside a polygon whole, or outside whole.
    Some(geometry.kind == WorldKind::Polygons && is_inside(geometry, outer.center()))
}

/// Whether a point, to which no edge is near, is in a polygon and in none of its holes. It is in a ring where a ray from it
/// crosses the ring an odd number of times.
fn is_inside(geometry: &WorldGeometry<'_>, [x, y]: [f64; 2]) -> bool {
    let (mut any, mut inside) = (false, false);
    for (is_hole, ring) in geometry.parts() {
        let crossed = ring.windows(2).filter(|edge| {
            let ([ax, ay], [bx, by]) = (float(edge[0]), float(edge[1]));
            (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
        });
        let is_odd = crossed.count() % 2 == 1;
        if is_hole {
            inside &= !is_odd;
        } else {
            any |= inside;
            inside = is_odd;
        }
    }
    any | inside
}
