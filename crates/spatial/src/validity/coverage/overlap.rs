//! Pairs of polygons that share area.

use geo::{Area, BooleanOps, InteriorPoint};
use geo_types::Coord;

use super::item::{Item, Plane};
use super::{CoverageDefect, CoverageKind, CoverageOptions, LeftEdge, Tree, guarded, near};
use crate::validity::segment::{Meeting, meet};

/// Every pair that overlaps has one that kept an edge, or overlaps another one of which that holds; so the search
/// spreads from those with an edge left.
pub(super) fn find(
    items: &[Item],
    tree: &Tree,
    left: &[LeftEdge],
    options: &CoverageOptions,
) -> Vec<CoverageDefect> {
    let mut queued = vec![false; items.len()];
    let mut queue = Vec::new();
    for edge in left {
        if !std::mem::replace(&mut queued[edge.item as usize], true) {
            queue.push(edge.item);
        }
    }
    let mut done = vec![false; items.len()];
    let mut found = Vec::new();
    while let Some(i) = queue.pop() {
        done[i as usize] = true;
        let item = &items[i as usize];
        for j in near(tree, &item.aabb()) {
            if done[j as usize] || !share_area(item, &items[j as usize]) {
                continue;
            }
            if !std::mem::replace(&mut queued[j as usize], true) {
                queue.push(j);
            }
            found.extend(measure(item, &items[j as usize], options));
        }
    }
    found
}

/// Whether the insides meet, exactly but for the rounding of the points that are tried.
fn share_area(a: &Item, b: &Item) -> bool {
    let Some(common) = a.common(b) else {
        return false;
    };
    if common.lower()[0] == common.upper()[0] || common.lower()[1] == common.upper()[1] {
        return false;
    }
    let (of_a, of_b) = (a.edges_in(&common), b.edges_in(&common));
    // Where edges only touch, the pieces between the touches lie wholly inside or outside of the other.
    let mut touches: [Vec<(usize, Coord<f64>)>; 2] = [Vec::new(), Vec::new()];
    for (i, one) in of_a.iter().enumerate() {
        let boxes_meet = |other: &[Coord<f64>; 2]| {
            one[0].x.min(one[1].x) <= other[0].x.max(other[1].x)
                && other[0].x.min(other[1].x) <= one[0].x.max(one[1].x)
        };
        for (j, other) in of_b
            .iter()
            .enumerate()
            .filter(|(_, other)| boxes_meet(other))
        {
            match meet(*one, *other) {
                Meeting::Nothing => {}
                Meeting::Crossing(_) => return true,
                Meeting::Touch(at) => {
                    touches[0].push((i, at));
                    touches[1].push((j, at));
                }
                Meeting::Overlap(_) => {
                    let (d, e) = (one[1] - one[0], other[1] - other[0]);
                    if d.x * e.x + d.y * e.y > 0.0 {
                        // Both insides are on the same side.
                        return true;
                    }
                    for end in other {
                        touches[0].push((i, *end));
                    }
                    for end in one {
                        touches[1].push((j, *end));
                    }
                }
            }
        }
    }
    let [on_a, on_b] = touches;
    enters(&of_a, on_a, b) || enters(&of_b, on_b, a)
}

/// Whether a piece of an edge, between the points where it touches the other, lies inside the other.
fn enters(edges: &[[Coord<f64>; 2]], mut touches: Vec<(usize, Coord<f64>)>, other: &Item) -> bool {
    touches.sort_by_key(|(edge, _)| *edge);
    let mut touches = touches.as_slice();
    for (i, [from, to]) in edges.iter().enumerate() {
        let here = touches.iter().take_while(|(edge, _)| *edge == i).count();
        let (own, rest) = touches.split_at(here);
        touches = rest;
        let along =
            |c: &Coord<f64>| (c.x - from.x) * (to.x - from.x) + (c.y - from.y) * (to.y - from.y);
        let full = along(to);
        let inner = own
            .iter()
            .map(|(_, at)| *at)
            .filter(|at| along(at) > 0.0 && along(at) < full);
        let mut stops: Vec<Coord<f64>> = std::iter::once(*from).chain(inner).chain([*to]).collect();
        stops.sort_by(|a, b| along(a).total_cmp(&along(b)));
        let inside = |pair: &[Coord<f64>]| {
            other.surrounds(Coord {
                x: f64::midpoint(pair[0].x, pair[1].x),
                y: f64::midpoint(pair[0].y, pair[1].y),
            })
        };
        if stops.windows(2).any(inside) {
            return true;
        }
    }
    false
}

fn measure(a: &Item, b: &Item, options: &CoverageOptions) -> Option<CoverageDefect> {
    let common = a.common(b)?;
    let plane = Plane::at(Coord {
        x: common.lower()[0],
        y: common.lower()[1],
    });
    let shared = guarded(|| {
        a.plane(&plane, &common)
            .intersection(&b.plane(&plane, &common))
    })?;
    let area = shared.unsigned_area();
    if area < options.min_area {
        return None;
    }
    let inside = guarded(|| shared.interior_point()).flatten()?;
    let mut fids = vec![a.fid, b.fid];
    fids.sort_unstable();
    Some(CoverageDefect {
        kind: CoverageKind::Overlap,
        location: plane.back(inside.0),
        area,
        fids,
    })
}
