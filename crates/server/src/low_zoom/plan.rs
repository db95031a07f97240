//! Which features a zoom draws by themselves, and which together: decided from the data.

use std::collections::{HashMap, HashSet};

use model::world::{WorldKind, WorldPoint};
use model::{GeometryType, LowZooms, TileSettings};
use spatial::index::{Hit, Snapshot};
use tiles::generalise::{MAX_SMALL, STEPS};

/// The deepest zoom at which anything is drawn together: below, a screen pixel is less than two metres.
pub(crate) const DEEPEST: u8 = 15;

/// Steps across the middle one of all shapes, below which a zoom draws them together: three screen pixels, of which a
/// reader sees no form. A town's parcels are smaller up to zoom 11 or 12, its buildings up to 13.
const SMALL: u32 = 6;

/// How often as large those are that such a zoom draws by themselves.
const STANDING_OUT: u32 = 2;

/// Steps across a shape where only what is less than a pixel is drawn together.
const DUST: u32 = 2;

/// Larger ones for zooms whose fullest tile would be too heavy.
const LARGER: [u32; 6] = [2, 8, 12, 16, 24, MAX_SMALL];

/// Bytes that the features of a tile are guessed to take, above which the zoom draws fewer of them by themselves. Below the
/// budget of a tile, since it is a guess.
const FULL: u64 = 400_000;

/// Steps across the square in which points are one cluster, as a power of two: 32 screen pixels, and 4 for heat.
const CLUSTER: u8 = 6;
const HEAT: u8 = 3;
/// One pixel, where points are only to be thinned.
const PIXEL: u8 = 1;

/// How a collection is drawn, zoom by zoom of the usual tile matrix set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// For each zoom the side in world units below which features are drawn together; 0 from where all are drawn by themselves.
    small: [u32; DEEPEST as usize + 1],
    /// The first zoom at which points are drawn by themselves.
    apart: u8,
    /// Steps across the square of a cluster, as a power of two.
    square: u8,
    /// Whether points stand for features of every kind.
    points_only: bool,
    /// Whether there are features of points alone.
    has_points: bool,
    /// Whether all are drawn by themselves whatever that weighs, since somebody said so.
    is_fixed: bool,
    /// Features that there were.
    pub(super) len: usize,
}

/// A feature as far as it matters here.
struct Shape {
    corner: WorldPoint,
    side: u32,
    weight: u64,
}

impl Plan {
    /// Everything by itself.
    fn keep(len: usize) -> Self {
        Self {
            small: [0; DEEPEST as usize + 1],
            apart: 0,
            square: CLUSTER,
            points_only: false,
            has_points: false,
            is_fixed: false,
            len,
        }
    }

    /// O(features times low zooms).
    pub(super) fn of(index: &Snapshot, kind: GeometryType, tiles: &TileSettings) -> Self {
        let mut plan = Self::keep(index.len());
        let is_points = matches!(kind, GeometryType::Point | GeometryType::MultiPoint);
        let way = tiles.low_zooms.unwrap_or(match is_points {
            true => LowZooms::Cluster,
            false => LowZooms::Merge,
        });
        let (mut shapes, mut points) = (Vec::new(), Vec::new());
        plan.square = match way {
            LowZooms::Keep => {
                plan.is_fixed = true;
                return plan;
            }
            LowZooms::Heat => HEAT,
            LowZooms::Dust => PIXEL,
            LowZooms::Cluster | LowZooms::Merge => CLUSTER,
        };
        plan.points_only = matches!(way, LowZooms::Cluster | LowZooms::Heat);
        for hit in index.iter() {
            let Some(span) = hit.span() else { continue };
            let shape = Shape {
                corner: span.corner,
                side: span.side,
                weight: weight(&hit),
            };
            let has_area = |g: model::world::WorldGeometry<'_>| g.kind != WorldKind::Points;
            match plan.points_only || !hit.geometries().any(has_area) {
                true => points.push(shape),
                false => shapes.push(shape),
            }
        }
        plan.has_points = !points.is_empty();
        plan.apart = apart(&points, plan.square);
        plan.small = match way {
            LowZooms::Dust => small(&mut shapes, DUST),
            _ => small(&mut shapes, SMALL * STANDING_OUT),
        };
        plan
    }

    /// The side in world units below which features are drawn together at a zoom; 0 where none is.
    pub(super) fn small(&self, zoom: u8) -> u32 {
        self.small.get(usize::from(zoom)).copied().unwrap_or(0)
    }

    /// Whether points are drawn together at a zoom, in squares of which size.
    pub(super) fn clusters(&self, zoom: u8) -> Option<u8> {
        (zoom < self.apart).then_some(self.square)
    }

    /// Whether the plans are the same but for how many features there were.
    pub(super) fn draws_as(&self, other: &Self) -> bool {
        let len = self.len;
        *self
            == Self {
                len,
                ..other.clone()
            }
    }

    /// Whether points stand for features of every kind.
    pub(super) fn points_only(&self) -> bool {
        self.points_only
    }

    pub(super) fn has_points(&self) -> bool {
        self.has_points
    }

    pub(super) fn square(&self) -> u8 {
        self.square
    }

    /// Whether a zoom draws anything together.
    pub(super) fn is_low(&self, zoom: u8) -> bool {
        self.small(zoom) > 0 || zoom < self.apart
    }

    /// The same with fewer features by themselves at a zoom, and at all before it; `None` when that can't be.
    pub(super) fn coarser(&self, zoom: u8) -> Option<Self> {
        if zoom > DEEPEST || self.is_fixed {
            return None;
        }
        let mut next = self.clone();
        if self.has_points && zoom >= self.apart {
            next.apart = zoom + 1;
            return Some(next);
        }
        let steps = self.small(zoom) / step(zoom);
        let more = LARGER.into_iter().skip(1).find(|more| *more > steps)?;
        next.small[usize::from(zoom)] = more * step(zoom);
        next.rise();
        Some(next)
    }

    /// What is small at a zoom is so at all before it.
    fn rise(&mut self) {
        for zoom in (0..usize::from(DEEPEST)).rev() {
            self.small[zoom] = self.small[zoom].max(self.small[zoom + 1]);
        }
        for zoom in 0..=DEEPEST {
            let most = MAX_SMALL.saturating_mul(step(zoom));
            let at = &mut self.small[usize::from(zoom)];
            *at = (*at).min(most);
        }
    }
}

/// A step of a zoom in world units.
fn step(zoom: u8) -> u32 {
    1 << (32 - STEPS.trailing_zeros() - u32::from(zoom))
}

/// Bytes of a tile that a feature is guessed to take.
fn weight(hit: &Hit<'_>) -> u64 {
    let vertices: usize = hit.geometries().map(|g| g.coords.len()).sum();
    // Measured on 200,000 parcels with five properties: 35 to 43 bytes each with 13 vertices, packed.
    20 + vertices as u64 * 3 / 2
}

fn tile_of([x, y]: WorldPoint, zoom: u8) -> [u32; 2] {
    [x, y].map(|v| (u64::from(v) >> (32 - u32::from(zoom))) as u32)
}

/// Points in a tile that can be told apart well enough wherever they are.
const FEW: u64 = 200;

/// The first zoom at which no tile is too heavy, and either fewer than half of the points share a square or there are
/// few in each tile.
fn apart(points: &[Shape], square: u8) -> u8 {
    if points.is_empty() {
        return 0;
    }
    let is_crowded = |zoom: &u8| {
        let shift = 32 - STEPS.trailing_zeros() - u32::from(*zoom) + u32::from(square);
        let mut squares = HashSet::new();
        let mut tiles: HashMap<[u32; 2], [u64; 2]> = HashMap::new();
        for point in points {
            squares.insert(point.corner.map(|v| u64::from(v) >> shift));
            let [count, weight] = tiles.entry(tile_of(point.corner, *zoom)).or_default();
            *count += 1;
            *weight += point.weight;
        }
        let is_dense = squares.len() * 2 < points.len() && tiles.values().any(|[n, _]| *n > FEW);
        is_dense || tiles.values().any(|[_, weight]| *weight > FULL)
    };
    (0..=DEEPEST)
        .rev()
        .find(is_crowded)
        .map_or(0, |zoom| zoom + 1)
}

/// As [`Plan::small`], zoom by zoom: shapes of less than `least` steps are drawn together where the middle one has less than
/// [`SMALL`], and larger ones where a tile would be too heavy.
fn small(shapes: &mut [Shape], least: u32) -> [u32; DEEPEST as usize + 1] {
    let mut plan = Plan::keep(0);
    if shapes.is_empty() {
        return plan.small;
    }
    let half = shapes.len() / 2;
    let (_, median, _) = shapes.select_nth_unstable_by_key(half, |shape| shape.side);
    let median = u64::from(median.side);
    for zoom in 0..=DEEPEST {
        let is_low = median < u64::from(SMALL * step(zoom));
        // By tile and by the first of the larger sizes that a shape does not reach.
        let mut tiles: HashMap<[u32; 2], [u64; LARGER.len() + 1]> = HashMap::new();
        for shape in &*shapes {
            let size = LARGER
                .iter()
                .position(|steps| shape.side < steps * step(zoom));
            let weights = tiles.entry(tile_of(shape.corner, zoom)).or_default();
            weights[size.unwrap_or(LARGER.len())] += shape.weight;
        }
        let fullest = |from: usize| {
            tiles
                .values()
                .map(|all| all[from..].iter().sum::<u64>())
                .max()
        };
        let is_light = |from: &usize| fullest(*from) <= Some(FULL);
        if !is_low && is_light(&0) {
            // And so are all that are deeper.
            break;
        }
        let from = LARGER.iter().position(|steps| *steps >= least).unwrap_or(0);
        let enough = (from..LARGER.len()).find(|at| is_light(&(at + 1)));
        let steps = enough.map_or(MAX_SMALL, |at| LARGER[at]);
        plan.small[usize::from(zoom)] = steps * step(zoom);
    }
    plan.rise();
    plan.small
}

#[cfg(test)]
mod tests {
    use model::world::{WorldBuf, project, unproject};
    use spatial::index::Builder;

    use super::*;

    /// Squares beside each other, so many each way, of so many steps of zoom 12.
    fn squares(side: u32, steps: u32) -> Snapshot {
        let size = steps * step(12);
        let [x0, y0] = project(24.71, 48.92);
        let mut builder = Builder::new(0, &[]);
        for n in 0..side * side {
            let [x, y] = [x0 + n % side * size, y0 + n / side * size];
            let corners = [
                [x, y],
                [x + size, y],
                [x + size, y + size],
                [x, y + size],
                [x, y],
            ];
            let geometry = WorldBuf {
                kind: WorldKind::Polygons,
                coords: corners.to_vec(),
                ends: vec![5],
            };
            let envelope = model::Envelope::of(corners.map(unproject));
            let fid = i64::from(n) + 1;
            builder.push(fid, envelope, &[geometry], &[]).unwrap();
        }
        builder.finish()
    }

    fn plan(index: &Snapshot, way: Option<LowZooms>) -> Plan {
        let tiles = TileSettings {
            low_zooms: way,
            ..TileSettings::default()
        };
        Plan::of(index, GeometryType::Polygon, &tiles)
    }

    #[test]
    fn a_zoom_is_low_where_the_middle_shape_is_less_than_three_pixels() {
        // Four steps at zoom 12 are two pixels, and four at 13.
        let plan = plan(&squares(20, 4), None);
        assert!(plan.is_low(12) && plan.is_low(3));
        assert!(!plan.is_low(13));
        assert_eq!(plan.small(12), SMALL * STANDING_OUT * step(12));
    }

    #[test]
    fn a_zoom_with_a_tile_that_is_too_full_draws_more_together_and_so_do_all_before_it() {
        // Four pixels at zoom 12, which is not low; but a tile has 16,384 of them.
        let plan = plan(&squares(300, 8), None);
        assert!(
            plan.small(12) > 8 * step(12),
            "{}",
            plan.small(12) / step(12)
        );
        assert!(!plan.is_low(14));
        for zoom in 1..=DEEPEST {
            assert!(plan.small(zoom - 1) >= plan.small(zoom), "zoom {zoom}");
        }
    }

    #[test]
    fn each_time_that_a_tile_is_too_heavy_the_zoom_draws_fewer_by_themselves_until_no_more_can_be_done()
     {
        let mut plan = plan(&squares(20, 4), None);
        let mut times = 0;
        while let Some(coarser) = plan.coarser(12) {
            assert!(coarser.small(12) > plan.small(12));
            assert!(coarser.small(11) >= coarser.small(12));
            assert_eq!(coarser.small(13), plan.small(13));
            plan = coarser;
            times += 1;
        }
        assert!((1..LARGER.len()).contains(&times), "{times}");
        assert_eq!(plan.small(12), MAX_SMALL * step(12));
    }

    #[test]
    fn what_is_to_be_kept_is_kept_whatever_it_weighs() {
        let plan = plan(&squares(150, 2), Some(LowZooms::Keep));
        assert!((0..=DEEPEST).all(|zoom| !plan.is_low(zoom)));
        assert_eq!(plan.coarser(8), None);
    }
}
