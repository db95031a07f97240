//! Whether a decoded tile is what MVT 2.1 allows, exactly: winding, closure, no self-intersection or
//! self-touch, holes inside their exterior, nothing beyond the buffered square.
//!
//! Rings may touch each other at single points as long as the interior stays in one piece
//! (OGC 06-103r4 §6.1.11.1); polygons of one feature may touch at single points.

mod nesting;
mod touch;

use std::collections::HashSet;
use std::ops::RangeInclusive;

use crate::TILE_EXTENT;
use crate::decode::{Feature, Geometry, Layer, Tile};
use crate::geometry::{LINE_MAX, LINE_MIN, MAX, MIN, area2};

type Point = [i32; 2];

/// Vertices of what is looked at lie between this and its negative: then twice a ring's area fits in 64 bits as long
/// as the ring has fewer than 2^25 vertices, which are 64 MB.
const FARTHEST: i32 = 1 << 18;

/// What is wrong, and where in tile pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    #[error("layer version, extent or name is not as MVT 2.1 §4.1 wants it")]
    Layer,
    #[error("two layers have one name (§4.1)")]
    DuplicateLayer,
    #[error("a layer without features")]
    EmptyLayer,
    #[error("a tag does not point to a key or value, or a key comes twice (§4.2)")]
    Tag,
    #[error("two keys or two values are equal (§4.1)")]
    DuplicateEntry,
    #[error("{0:?} lies beyond the buffered square")]
    Beyond(Point),
    #[error("a line or ring has too few vertices (§4.3.4)")]
    TooFewVertices,
    #[error("a vertex is repeated at {0:?} (§4.3.3.2)")]
    Repeated(Point),
    #[error("a ring has no area at {0:?}")]
    ZeroArea(Point),
    #[error("the first ring is a hole, at {0:?} (§4.3.4.4)")]
    Winding(Point),
    #[error("a ring meets itself at {0:?} (§4.3.4.4)")]
    SelfContact(Point),
    #[error("two rings cross or share an edge at {0:?}")]
    Crossing(Point),
    #[error("holes cut the interior in two at {0:?}")]
    Disconnected(Point),
    #[error("a hole outside its exterior or in another hole, at {0:?}")]
    HoleMisplaced(Point),
    #[error("one polygon in another of the same feature, at {0:?}")]
    Overlap(Point),
}

impl Defect {
    /// The kind of defect as a word or two, for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::DuplicateLayer => "duplicate layer",
            Self::EmptyLayer => "empty layer",
            Self::Tag => "tag",
            Self::DuplicateEntry => "duplicate entry",
            Self::Beyond(_) => "beyond",
            Self::TooFewVertices => "too few vertices",
            Self::Repeated(_) => "repeated vertex",
            Self::ZeroArea(_) => "zero area",
            Self::Winding(_) => "winding",
            Self::SelfContact(_) => "self-contact",
            Self::Crossing(_) => "crossing",
            Self::Disconnected(_) => "disconnected",
            Self::HoleMisplaced(_) => "misplaced hole",
            Self::Overlap(_) => "overlap",
        }
    }
}

/// # Errors
/// The first [`Defect`] found.
pub fn tile(tile: &Tile) -> Result<(), Defect> {
    let mut names = HashSet::new();
    for l in &tile.layers {
        if !names.insert(l.name.as_str()) {
            return Err(Defect::DuplicateLayer);
        }
        layer(l)?;
    }
    Ok(())
}

/// # Errors
/// The first [`Defect`] found.
pub fn layer(layer: &Layer) -> Result<(), Defect> {
    if layer.version != 2 || layer.extent != TILE_EXTENT || layer.name.is_empty() {
        return Err(Defect::Layer);
    }
    if layer.features.is_empty() {
        return Err(Defect::EmptyLayer);
    }
    let keys: HashSet<_> = layer.keys.iter().collect();
    let values: HashSet<_> = layer.values.iter().map(|v| format!("{v:?}")).collect();
    if keys.len() != layer.keys.len() || values.len() != layer.values.len() {
        return Err(Defect::DuplicateEntry);
    }
    for f in &layer.features {
        let mut seen = HashSet::new();
        let in_range = |&(key, value): &(u32, u32)| {
            (key as usize) < layer.keys.len() && (value as usize) < layer.values.len()
        };
        if !f.tags.iter().all(|tag| in_range(tag) && seen.insert(tag.0)) {
            return Err(Defect::Tag);
        }
        feature(f)?;
    }
    Ok(())
}

/// # Errors
/// The first [`Defect`] found.
pub fn feature(feature: &Feature) -> Result<(), Defect> {
    match &feature.geometry {
        Geometry::Points(points) if points.is_empty() => Err(Defect::TooFewVertices),
        Geometry::Points(points) => within(points, MIN..=MAX),
        Geometry::Lines(lines) if lines.is_empty() => Err(Defect::TooFewVertices),
        Geometry::Lines(lines) => lines.iter().try_for_each(|line| {
            within(line, LINE_MIN..=LINE_MAX)?;
            if line.len() < 2 {
                return Err(Defect::TooFewVertices);
            }
            match line.windows(2).find(|w| w[0] == w[1]) {
                Some(w) => Err(Defect::Repeated(w[0])),
                None => Ok(()),
            }
        }),
        Geometry::Rings(rings) => polygons(&group(rings)?),
    }
}

/// Rings as polygons: each exterior (positive area) with the holes that follow it (§4.3.4.4).
///
/// # Errors
/// [`Defect::Winding`] when the first ring is a hole, [`Defect::TooFewVertices`] without any, [`Defect::Beyond`]
/// for vertices so far away that areas would not fit in 64 bits.
pub fn group(rings: &[Vec<Point>]) -> Result<Vec<Vec<Vec<Point>>>, Defect> {
    let mut polygons: Vec<Vec<Vec<Point>>> = Vec::new();
    for ring in rings {
        within(ring, -FARTHEST..=FARTHEST)?;
        if area2(ring) >= 0 {
            polygons.push(vec![ring.clone()]);
        } else {
            let shell = polygons.last_mut().ok_or(Defect::Winding(ring[0]))?;
            shell.push(ring.clone());
        }
    }
    if polygons.is_empty() {
        return Err(Defect::TooFewVertices);
    }
    Ok(polygons)
}

/// Whether polygons (each an exterior ring and its holes; rings open) are valid together.
///
/// # Errors
/// The first [`Defect`] found.
pub fn polygons(polygons: &[Vec<Vec<Point>>]) -> Result<(), Defect> {
    framed(polygons, MIN..=MAX)
}

/// The same for tiles with another extent or buffer than ours.
///
/// # Errors
/// The first [`Defect`] found; [`Defect::Beyond`] only 2^18 pixels from the tile's corner.
pub fn polygons_anywhere(polygons: &[Vec<Vec<Point>>]) -> Result<(), Defect> {
    framed(polygons, -FARTHEST..=FARTHEST)
}

fn framed(polygons: &[Vec<Vec<Point>>], frame: RangeInclusive<i32>) -> Result<(), Defect> {
    let mut rings = Vec::new();
    for (number, polygon) in polygons.iter().enumerate() {
        for (at, ring) in polygon.iter().enumerate() {
            one_ring(ring, at > 0, frame.clone())?;
            rings.push(Ring {
                points: ring,
                polygon: number,
                interior: at > 0,
            });
        }
    }
    let touches = touch::touches(&rings)?;
    nesting::connected(&rings, &touches)?;
    nesting::nested(&rings, &touches)
}

pub(crate) struct Ring<'a> {
    points: &'a [Point],
    polygon: usize,
    interior: bool,
}

fn one_ring(ring: &[Point], interior: bool, frame: RangeInclusive<i32>) -> Result<(), Defect> {
    if ring.len() < 3 {
        return Err(Defect::TooFewVertices);
    }
    within(ring, frame)?;
    let next = ring.iter().cycle().skip(1);
    if let Some((p, _)) = ring.iter().zip(next).find(|(a, b)| a == b) {
        return Err(Defect::Repeated(*p));
    }
    match area2(ring) {
        0 => Err(Defect::ZeroArea(ring[0])),
        area if (area < 0) != interior => Err(Defect::Winding(ring[0])),
        _ => Ok(()),
    }
}

fn within(points: &[Point], square: RangeInclusive<i32>) -> Result<(), Defect> {
    let out = |p: &&Point| p.iter().any(|v| !square.contains(v));
    points
        .iter()
        .find(out)
        .map_or(Ok(()), |p| Err(Defect::Beyond(*p)))
}
