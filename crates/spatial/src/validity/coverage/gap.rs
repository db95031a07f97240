//! Small or narrow pieces of land between polygons.

use geo::{Area, BooleanOps, InteriorPoint};
use geo_types::{Coord, LineString, MultiPolygon, Polygon};
use rstar::AABB;

use super::item::{Item, Plane, cross};
use super::{
    CoverageDefect, CoverageKind, CoverageOptions, LeftEdge, MAX_NAMED, Tree, guarded, near,
};
use crate::validity::segment::order;

/// Follows the edges that are left, against their direction, around the land that they leave free.
pub(super) fn find(
    items: &[Item],
    tree: &Tree,
    left: &[LeftEdge],
    options: &CoverageOptions,
) -> Vec<CoverageDefect> {
    let mut edges: Vec<LeftEdge> = left
        .iter()
        .map(|e| LeftEdge {
            from: e.to,
            to: e.from,
            item: e.item,
        })
        .collect();
    edges.sort_unstable_by(|a, b| order(a.from, b.from).then_with(|| order(a.to, b.to)));
    let mut used = vec![false; edges.len()];
    let mut found = Vec::new();
    for start in 0..edges.len() {
        if used[start] {
            continue;
        }
        let ring = follow(&edges, &mut used, start);
        if ring.len() > 2 {
            found.extend(measure(items, tree, &edges, &ring, options));
        }
    }
    found
}

/// Edges from one to where it began, the free land on the left; ends early where edges do not continue.
fn follow(edges: &[LeftEdge], used: &mut [bool], start: usize) -> Vec<usize> {
    let mut ring = Vec::new();
    let mut current = start;
    loop {
        used[current] = true;
        ring.push(current);
        let LeftEdge { from, to, .. } = edges[current];
        if to == edges[start].from {
            return ring;
        }
        let first = edges.partition_point(|e| order(e.from, to).is_lt());
        let onward = edges[first..].iter().take_while(|e| e.from == to).count();
        // The first way clockwise from the one just come keeps to the same piece of land.
        let back = angle(to, from);
        let turn = |i: &usize| (back - angle(to, edges[*i].to)).rem_euclid(std::f64::consts::TAU);
        let next = (first..first + onward).filter(|i| !used[*i] && edges[*i].to != from);
        match next.min_by(|a, b| turn(a).total_cmp(&turn(b))) {
            Some(next) => current = next,
            None => return Vec::new(),
        }
    }
}

fn angle(from: Coord<f64>, to: Coord<f64>) -> f64 {
    (to.y - from.y).atan2(to.x - from.x)
}

fn measure(
    items: &[Item],
    tree: &Tree,
    edges: &[LeftEdge],
    ring: &[usize],
    options: &CoverageOptions,
) -> Vec<CoverageDefect> {
    let mut around: Vec<u32> = ring.iter().map(|i| edges[*i].item).collect();
    around.sort_unstable();
    around.dedup();
    let plane = Plane::at(edges[ring[0]].from);
    let points: Vec<Coord<f64>> = ring.iter().map(|i| plane.to(edges[*i].from)).collect();
    let pairs = || points.iter().zip(points.iter().cycle().skip(1));
    let area = pairs().map(|(a, b)| cross(*a, *b, points[0])).sum::<f64>() / 2.0;
    // No lobe of the ring, whichever way it turns, is larger than this.
    let bound = pairs()
        .map(|(a, b)| cross(*a, *b, points[0]).abs())
        .sum::<f64>()
        / 2.0;
    let length: f64 = pairs().map(|(a, b)| (b.x - a.x).hypot(b.y - a.y)).sum();
    // An outer boundary, with nothing free inside.
    let is_outline = area < 0.0 && around.len() == 1;
    let narrow = 2.0 * area.abs() / length <= options.max_gap_width;
    if is_outline || bound < options.min_area || area.abs() > options.max_gap_area && !narrow {
        return Vec::new();
    }
    let corners = ring.iter().map(|i| edges[*i].from);
    let (min, max) = corners.fold(
        ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]),
        |(min, max), c| {
            (
                [min[0].min(c.x), min[1].min(c.y)],
                [max[0].max(c.x), max[1].max(c.y)],
            )
        },
    );
    let gap = Polygon::new(LineString(points), Vec::new());
    let free = guarded(|| {
        let mut free = gap.union(&MultiPolygon::<f64>(Vec::new()));
        let around = AABB::from_corners(min, max);
        for item in near(tree, &around) {
            if free.0.is_empty() {
                break;
            }
            free = free.difference(&items[item as usize].plane(&plane, &around));
        }
        free
    });
    let mut fids: Vec<i64> = around
        .iter()
        .take(MAX_NAMED)
        .map(|i| items[*i as usize].fid)
        .collect();
    fids.sort_unstable();
    let pieces = free
        .into_iter()
        .flat_map(|free| free.0)
        .filter(|piece| piece.unsigned_area() >= options.min_area);
    pieces
        .filter_map(|piece| {
            let inside = guarded(|| piece.interior_point()).flatten()?;
            let location = plane.back(inside.0);
            Some(CoverageDefect {
                kind: CoverageKind::Gap,
                location,
                area: piece.unsigned_area(),
                fids: fids.clone(),
            })
        })
        .collect()
}
