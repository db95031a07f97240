//! Gaps and overlaps between the polygons of a collection, such as parcels that should share their edges.
//!
//! Where neighbours share their vertices, each inner edge is there twice, once in each direction, and cancels out; sorting
//! finds that without geometry. Only what is left over goes to geometry: polygons with an edge left are
//! compared with their neighbours, and left edges that close a small or narrow ring are gaps.

mod gap;
mod item;
mod overlap;

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use geo_types::{Coord, Geometry};
use rstar::{AABB, RTree};

use super::segment::order;
use item::{Entry, Item};

/// What counts as a gap or an overlap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoverageOptions {
    /// Square metres below which a piece is rounding.
    pub min_area: f64,
    /// Enclosed pieces up to this many square metres are gaps; larger ones are land without a polygon...
    pub max_gap_area: f64,
    /// ...unless they are no wider than this many metres on average.
    pub max_gap_width: f64,
    /// Defects that are kept; the others are counted.
    pub max_defects: usize,
}

impl Default for CoverageOptions {
    fn default() -> Self {
        Self {
            min_area: 0.01,
            max_gap_area: 100.0,
            max_gap_width: 1.0,
            max_defects: 10_000,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoverageKind {
    Gap,
    Overlap,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CoverageDefect {
    pub kind: CoverageKind,
    /// A point inside: longitude, latitude.
    pub location: [f64; 2],
    /// Square metres.
    pub area: f64,
    /// The two that overlap; around a gap at most [`MAX_NAMED`] of its neighbours. Ascending.
    pub fids: Vec<i64>,
}

/// Neighbours of a gap that are named: a sliver along a street has hundreds.
pub const MAX_NAMED: usize = 8;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coverage {
    /// Overlaps, then gaps, each by the keys of their features.
    pub defects: Vec<CoverageDefect>,
    /// Defects beyond [`CoverageOptions::max_defects`].
    pub left_out: usize,
    /// Features that are no polygons, are empty, or have coordinates that are not finite.
    pub skipped: usize,
}

/// Compares the polygons (key, longitude/latitude geometry) of a collection. Areas are measured on the tangent plane
/// of the place, good to a fraction of a percent for pieces of some kilometres. Gaps that lie against an
/// overlap may be missed until the overlap is mended.
pub fn coverage(
    polygons: impl IntoIterator<Item = (i64, Geometry<f64>)>,
    options: &CoverageOptions,
) -> Coverage {
    let mut found = Coverage::default();
    let mut items = Vec::new();
    for (fid, geometry) in polygons {
        match Item::new(fid, &geometry) {
            Some(item) => items.push(item),
            None => found.skipped += 1,
        }
    }
    let left = left_edges(&items);
    let entries = items
        .iter()
        .enumerate()
        .map(|(i, item)| Entry {
            aabb: item.aabb(),
            item: i as u32,
        })
        .collect();
    let tree = RTree::bulk_load(entries);
    let mut overlaps = overlap::find(&items, &tree, &left, options);
    let mut gaps = gap::find(&items, &tree, &left, options);
    overlaps.sort_by(by_features);
    gaps.sort_by(by_features);
    found.defects = overlaps;
    found.defects.append(&mut gaps);
    found.left_out = found.defects.len().saturating_sub(options.max_defects);
    found.defects.truncate(options.max_defects);
    found
}

fn by_features(a: &CoverageDefect, b: &CoverageDefect) -> Ordering {
    a.fids
        .cmp(&b.fids)
        .then(a.location[0].total_cmp(&b.location[0]))
        .then(a.location[1].total_cmp(&b.location[1]))
}

/// An edge that no other polygon has in the opposite direction; the inside of its polygon is on its left.
#[derive(Debug, Clone, Copy)]
struct LeftEdge {
    from: Coord<f64>,
    to: Coord<f64>,
    item: u32,
}

/// Edges that do not cancel out. When an edge is there more often in one direction than in the other, all that have
/// it in the more frequent direction are named, since any of them may be the one too many.
fn left_edges(items: &[Item]) -> Vec<LeftEdge> {
    // Lower end first; whether the polygon has it the other way round.
    let mut edges: Vec<([Coord<f64>; 2], bool, u32)> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        for [from, to] in item.edges() {
            let turned = order(*from, *to).is_gt();
            edges.push((
                if turned { [*to, *from] } else { [*from, *to] },
                turned,
                i as u32,
            ));
        }
    }
    edges.sort_unstable_by(|a, b| {
        order(a.0[0], b.0[0])
            .then_with(|| order(a.0[1], b.0[1]))
            .then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
    });
    let mut left = Vec::new();
    for group in edges.chunk_by(|a, b| a.0 == b.0) {
        let turned = group.iter().filter(|e| e.1).count();
        let more = match (2 * turned).cmp(&group.len()) {
            Ordering::Equal => continue,
            Ordering::Greater => true,
            Ordering::Less => false,
        };
        for (ends, _, item) in group.iter().filter(|e| e.1 == more) {
            let [from, to] = if more { [ends[1], ends[0]] } else { *ends };
            left.push(LeftEdge {
                from,
                to,
                item: *item,
            });
        }
    }
    left
}

type Tree = RTree<Entry>;

/// Items whose boxes meet a box.
fn near<'a>(tree: &'a Tree, aabb: &AABB<[f64; 2]>) -> impl Iterator<Item = u32> + use<'a> {
    tree.locate_in_envelope_intersecting(aabb)
        .map(|entry| entry.item)
}

/// The overlay's answer, or none where it fails.
fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
