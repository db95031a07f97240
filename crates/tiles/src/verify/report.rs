//! What was found.

use std::collections::BTreeMap;

use crate::check::Defect;
use crate::{TILE_EXTENT, TileCoord};

/// Examples of each kind of problem; more would not be looked at.
pub const EXAMPLES: usize = 20;

/// Layers that are told apart by name; a hostile archive has as many as it likes. The others are counted together
/// under an empty name.
const MAX_LAYERS: usize = 256;

/// Characters of a layer's name, or of a reason, that are kept.
const MAX_TEXT: usize = 200;

/// Overlaps of less than a square pixel in a layer of a tile are counted, but no example.
const WORTH_SHOWING: f64 = 1.0;

/// Counts over all tiles, and some examples of each problem.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    pub tiles: u64,
    /// Before compression.
    pub bytes: u64,
    /// By name.
    pub layers: BTreeMap<String, LayerCounts>,
    /// Tiles that do not decode (MVT 2.1 §4).
    pub unreadable: u64,
    /// Layers that have the name of an earlier one in their tile (§4.1).
    pub duplicate_layers: u64,
    /// Layers of an extent that is 0 or beyond [`super::MAX_EXTENT`]; nothing else of them is looked at.
    pub extents: u64,
    /// Features without an id.
    pub missing_ids: u64,
    /// Features with the id of an earlier one of their kind (points, lines, polygons) in their layer (§4.2).
    pub repeated_ids: u64,
    /// Features with the id of an earlier one of their zoom and layer, and with other properties.
    pub differing_ids: u64,
    /// Features whose properties were not compared because their zoom has too many ids.
    pub ids_not_compared: u64,
    /// Features with a vertex outside of [-extent, 2 * extent]; nothing else of their geometry is looked at.
    pub outside: u64,
    /// Polygon features whose first ring is a hole (§4.3.4.4). An exterior that runs backwards later on is a hole
    /// out of place, and a hole that does is a polygon in a polygon: those are invalid.
    pub winding: u64,
    /// Polygon features that are invalid on integers, by [`Defect::name`] of the first defect.
    pub invalid: BTreeMap<&'static str, u64>,
    /// Layers in tiles where measuring overlaps would have taken too long; they count nothing in areas.
    pub not_measured: u64,
    pub seams: SeamCounts,
    /// [`EXAMPLES`] of each kind at most: the first ones, but of overlaps the greatest, which come first.
    pub examples: Vec<Example>,
}

/// What a layer has in all tiles.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LayerCounts {
    /// In how many tiles it is.
    pub tiles: u64,
    pub features: u64,
    /// Exterior rings.
    pub polygons: u64,
    /// Of all polygons within their tiles, buffers left out, in pixels of which a tile has 4096 a side.
    pub area: f64,
    /// That two polygons of a tile have in common, summed over all pairs, likewise.
    pub overlap: f64,
}

/// Features that two tiles beside each other should agree about; each counts for each edge between tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeamCounts {
    /// Features that both hold and both know whole in some strip along the edge.
    pub compared: u64,
    /// Of those: features with a vertex or edge within the strip that the other tile does not have.
    pub different: u64,
    /// Of those: features that lie more than a pixel apart somewhere, and not only have a vertex more on the way.
    pub apart: u64,
    /// Features that one tile shows on the other's side of the edge, and that the other does not hold.
    pub lacking: u64,
    /// Features that reach into a tile which is not there.
    pub beside_missing: u64,
    /// Features at the edge without an id, in layers whose extents differ, or cut so close that no strip is left.
    pub not_comparable: u64,
}

/// A problem and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    pub tile: TileCoord,
    /// Empty for a problem of the whole tile.
    pub layer: String,
    pub id: Option<u64>,
    pub problem: Problem,
}

/// Positions are in pixels of the example's tile, x first, y down.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    #[error("the tile cannot be read: {0}")]
    Unreadable(String),
    #[error("another layer of the tile has this name")]
    DuplicateLayer,
    #[error("the layer has an extent of {0}")]
    Extent(u32),
    #[error("a feature has no id")]
    MissingId,
    #[error("another feature of the layer has this id")]
    RepeatedId,
    #[error("the id has other properties elsewhere in this zoom")]
    DifferingId,
    #[error("a vertex lies far outside, at {0:?}")]
    Outside([i32; 2]),
    #[error("the first ring is a hole, at {0:?}")]
    Winding([i32; 2]),
    #[error("{0}")]
    Invalid(Defect),
    #[error("polygons of the layer overlap by {0} square pixels")]
    Overlap(f64),
    #[error("tile {z}/{x}/{y} has the feature otherwise, first at {at:?}", z = neighbour.z(), x = neighbour.x(), y = neighbour.y())]
    Different { neighbour: TileCoord, at: [i32; 2] },
    #[error("tile {z}/{x}/{y} has the feature more than a pixel away, first at {at:?}", z = neighbour.z(), x = neighbour.x(), y = neighbour.y())]
    Apart { neighbour: TileCoord, at: [i32; 2] },
    #[error("tile {z}/{x}/{y} lacks the feature, which reaches into it", z = neighbour.z(), x = neighbour.x(), y = neighbour.y())]
    Lacking { neighbour: TileCoord },
    #[error("tile {z}/{x}/{y} is not there, and the feature reaches into it", z = neighbour.z(), x = neighbour.x(), y = neighbour.y())]
    BesideMissing { neighbour: TileCoord },
}

impl Report {
    pub fn features(&self) -> u64 {
        self.layers.values().map(|l| l.features).sum()
    }

    pub fn polygons(&self) -> u64 {
        self.layers.values().map(|l| l.polygons).sum()
    }

    /// Polygon features that are invalid, for whatever reason.
    pub fn invalid_features(&self) -> u64 {
        self.invalid.values().sum()
    }

    /// Which part of the polygons' area is overlap, over all layers: 0 without any area.
    pub fn overlap_share(&self) -> f64 {
        let area: f64 = self.layers.values().map(|l| l.area).sum();
        let overlap: f64 = self.layers.values().map(|l| l.overlap).sum();
        if area > 0.0 { overlap / area } else { 0.0 }
    }

    /// Counts a problem, and keeps it as an example if there is room.
    pub(super) fn note(&mut self, tile: TileCoord, layer: &str, id: Option<u64>, problem: Problem) {
        match &problem {
            Problem::Unreadable(_) => self.unreadable += 1,
            Problem::DuplicateLayer => self.duplicate_layers += 1,
            Problem::Extent(_) => self.extents += 1,
            Problem::MissingId => self.missing_ids += 1,
            Problem::RepeatedId => self.repeated_ids += 1,
            Problem::DifferingId => self.differing_ids += 1,
            Problem::Outside(_) => self.outside += 1,
            Problem::Winding(_) => self.winding += 1,
            Problem::Invalid(defect) => *self.invalid.entry(defect.name()).or_default() += 1,
            // Counted by their area.
            Problem::Overlap(_) => {}
            Problem::Different { .. } => self.seams.different += 1,
            Problem::Apart { .. } => {
                self.seams.different += 1;
                self.seams.apart += 1;
            }
            Problem::Lacking { .. } => self.seams.lacking += 1,
            Problem::BesideMissing { .. } => self.seams.beside_missing += 1,
        }
        if self.of_kind(&problem).count() < EXAMPLES {
            self.examples.push(example(tile, layer, id, problem));
        }
    }

    /// Keeps an overlap as an example if it is one of the greatest.
    pub(super) fn overlap(&mut self, tile: TileCoord, layer: &str, area: f64) {
        if area < WORTH_SHOWING {
            return;
        }
        let greater = |e: &Example| matches!(e.problem, Problem::Overlap(other) if other >= area);
        let at = self.examples.iter().filter(|e| greater(e)).count();
        let problem = Problem::Overlap(area);
        self.examples
            .insert(at, example(tile, layer, None, problem.clone()));
        // Overlaps come first in the list, the greatest first of all.
        if self.of_kind(&problem).count() > EXAMPLES {
            self.examples.remove(EXAMPLES);
        }
    }

    pub(super) fn count(&mut self, layer: &str, counts: LayerCounts) {
        let name = shortened(layer);
        let known = self.layers.contains_key(&name) || self.layers.len() < MAX_LAYERS;
        let name = if known { name } else { String::new() };
        self.layers.entry(name).or_default().add(counts);
    }

    fn of_kind(&self, problem: &Problem) -> impl Iterator<Item = &Example> {
        let kind = std::mem::discriminant(problem);
        self.examples
            .iter()
            .filter(move |e| std::mem::discriminant(&e.problem) == kind)
    }
}

impl LayerCounts {
    fn add(&mut self, other: Self) {
        self.tiles += other.tiles;
        self.features += other.features;
        self.polygons += other.polygons;
        self.area += other.area;
        self.overlap += other.overlap;
    }
}

/// How many of our square pixels one of another extent is.
pub(super) fn square_pixel(extent: i32) -> f64 {
    let side = f64::from(TILE_EXTENT) / f64::from(extent);
    side * side
}

fn example(tile: TileCoord, layer: &str, id: Option<u64>, problem: Problem) -> Example {
    let problem = match problem {
        Problem::Unreadable(why) => Problem::Unreadable(shortened(&why)),
        other => other,
    };
    Example {
        tile,
        layer: shortened(layer),
        id,
        problem,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
