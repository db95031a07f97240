//! Making polygons valid on integers.
//!
//! What a ring winds around at all is its area (the non-zero rule), so both lobes of a figure of eight stay and
//! neighbours that were snapped over each other leave no gap: in a gap-free coverage the windings at any place add
//! up to one, whatever the snapping did, and so at least one of them is not zero.

use std::panic::{AssertUnwindSafe, catch_unwind};

use i_overlay::core::fill_rule::FillRule;
use i_overlay::core::overlay::{ContourDirection, IntOverlayOptions, Overlay, ShapeType};
use i_overlay::core::overlay_rule::OverlayRule;
use i_overlay::core::solver::Solver;
use i_overlay::i_float::int::point::IntPoint;

use super::node::{self, TooTangled};
use super::{Part, Parts, Point, area2, unspike};
use crate::check;

/// Overlays in a row that may be tried on one feature. The first one suffices unless its own
/// rounding made new contacts.
const ATTEMPTS: usize = 4;

/// Exterior and interior rings, directed as MVT wants them.
pub(crate) type Polygons = Vec<Vec<Vec<Point>>>;

/// The polygons as valid ones, empty when nothing has an area; `None` when they cannot be made valid.
/// The rings should have been noded before, so that the overlay moves no vertex.
pub(crate) fn repair(coords: &[Point], parts: &[Part]) -> Option<Polygons> {
    let mut polygons = overlay(coords, parts)?;
    for _ in 1..ATTEMPTS {
        if is_valid(&polygons) {
            return Some(polygons);
        }
        let mut again = Parts::default();
        for polygon in &polygons {
            for (at, ring) in polygon.iter().enumerate() {
                again.push(ring.iter().copied(), at > 0);
            }
        }
        let again = noded(&again).ok()?;
        polygons = overlay(&again.coords, &again.parts)?;
    }
    is_valid(&polygons).then_some(polygons)
}

/// Whether the ring winds around anything.
pub(crate) fn covers_anything(ring: &[Point]) -> bool {
    let part = Part {
        start: 0,
        end: super::index(ring.len()),
        interior: false,
    };
    overlay(ring, &[part]).is_none_or(|polygons| !polygons.is_empty())
}

fn is_valid(polygons: &Polygons) -> bool {
    check::polygons(polygons).is_ok()
}

/// The rings with the vertices that [`node::nodes`] asks for.
fn noded(rings: &Parts) -> Result<Parts, TooTangled> {
    let nodes = node::nodes(&rings.coords, &rings.parts)?;
    let mut out = Parts::default();
    for part in &rings.parts {
        let start = out.coords.len();
        insert(part.of(&rings.coords), &nodes, &mut out.coords);
        unspike(&mut out.coords, start);
        if out.coords.len() > start {
            out.close(start, part.interior);
        }
    }
    Ok(out)
}

/// Appends a ring with the vertices that `nodes` (sorted by edge) has for its edges.
pub(crate) fn insert(ring: &[Point], nodes: &[(node::EdgeKey, Point)], out: &mut Vec<Point>) {
    for (&a, &b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        out.push(a);
        let edge = node::key(a, b);
        let first = nodes.partition_point(|(e, _)| *e < edge);
        let from = out.len();
        out.extend(nodes[first..].iter().take_while(|(e, _)| *e == edge).map(|(_, p)| *p));
        node::along(a, b, &mut out[from..]);
    }
}

/// Each exterior without its holes, all of them together.
fn overlay(coords: &[Point], parts: &[Part]) -> Option<Polygons> {
    // A panic in the overlay costs this feature and not the server.
    catch_unwind(AssertUnwindSafe(|| {
        let groups: Vec<&[Part]> = parts.chunk_by(|_, next| next.interior).collect();
        if let [group] = groups[..] {
            return cut_holes(coords, group);
        }
        let all: Polygons = groups.iter().flat_map(|group| cut_holes(coords, group)).collect();
        let mut union = new_overlay(coords.len());
        for ring in all.iter().flatten() {
            union.add_path_iter(ring.iter().map(|&[x, y]| IntPoint::new(x, y)), ShapeType::Subject);
        }
        polygons(union.overlay(OverlayRule::Subject, FillRule::NonZero))
    }))
    .ok()
}

fn cut_holes(coords: &[Point], group: &[Part]) -> Polygons {
    let mut overlay = new_overlay(coords.len());
    let mut rule = OverlayRule::Subject;
    for part in group {
        let kind = if part.interior {
            rule = OverlayRule::Difference;
            ShapeType::Clip
        } else {
            ShapeType::Subject
        };
        overlay.add_path_iter(part.of(coords).iter().map(|&[x, y]| IntPoint::new(x, y)), kind);
    }
    polygons(overlay.overlay(rule, FillRule::NonZero))
}

fn new_overlay(capacity: usize) -> Overlay {
    let options = IntOverlayOptions {
        // Vertices on straight lines stay: a neighbour may have a corner there.
        preserve_input_collinear: true,
        preserve_output_collinear: true,
        output_direction: ContourDirection::CounterClockwise,
        min_output_area: 0,
        ogc: true,
    };
    Overlay::new_custom(capacity, options, Solver::default())
}

fn polygons(shapes: Vec<Vec<Vec<IntPoint>>>) -> Polygons {
    let ring = |contour: Vec<IntPoint>, interior: bool| {
        let mut ring: Vec<Point> = contour.iter().map(|p| [p.x, p.y]).collect();
        unspike(&mut ring, 0);
        let area = area2(&ring);
        if (area < 0) != interior {
            ring.reverse();
        }
        (area != 0).then_some(ring)
    };
    let polygon = |shape: Vec<Vec<IntPoint>>| -> Option<Vec<Vec<Point>>> {
        let mut contours = shape.into_iter();
        let exterior = ring(contours.next()?, false)?;
        let holes = contours.filter_map(|contour| ring(contour, true));
        Some(std::iter::once(exterior).chain(holes).collect())
    };
    shapes.into_iter().filter_map(polygon).collect()
}
