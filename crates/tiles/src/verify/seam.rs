//! Whether two tiles beside each other show the same.
//!
//! Both hold what lies near their common edge, each as far as its buffer goes. How far that is is not written
//! anywhere, so it is taken from the tile: as far as its features of a kind reach beyond the edge it was surely not
//! cut. Positions along a seam are `[across, along]`: `across` is 0 on the edge, negative in the western or northern
//! tile, which is called the first here.

mod compare;

use std::collections::BTreeMap;

use super::kind;
use super::report::{Problem, Report};
use crate::TileCoord;
use crate::decode::{Feature, Geometry, Layer};
use compare::Finding;

/// `[across, along]`.
type Place = [i32; 2];

/// What lies within this part of a tile's width on either side of the edge is compared: a sixteenth, as wide as the
/// widest buffers are.
const STRIP_PART: i32 = 16;

/// Pixels at either end of a strip, and at a tile's corners, that are left out of comparisons: producers that simplify or
/// snap after cutting move what is near the cut.
const MARGIN: i32 = 8;

/// Pixels that a feature has to reach into a tile to be missed there: what is snapped to a neighbour's edge reaches one.
const VISIBLE: i32 = 2;

/// The seams of a zoom of which one tile has come.
#[derive(Debug, Default)]
pub(super) struct Seams(BTreeMap<Seam, Half>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seam {
    first: TileCoord,
    second: TileCoord,
}

impl Seam {
    /// The tile that is or is not the first, and its neighbour.
    fn from(self, is_first: bool) -> (TileCoord, TileCoord) {
        match is_first {
            true => (self.first, self.second),
            false => (self.second, self.first),
        }
    }
}

#[derive(Debug)]
struct Half {
    is_first: bool,
    /// None of a tile that cannot be read.
    strip: Option<Strip>,
}

/// What a tile has near one of its edges, by the layers' names.
type Strip = BTreeMap<String, Band>;

#[derive(Debug)]
struct Band {
    extent: i32,
    /// How far points, lines and polygons reach beyond the edge.
    reach: [i32; 3],
    /// By id and kind.
    shapes: BTreeMap<(u64, usize), Shape>,
    /// Features at the edge without an id.
    nameless: u64,
}

/// The edges of a feature near the seam, sorted, the lesser end first; points are edges without length.
type Shape = Vec<[Place; 2]>;

impl Seams {
    /// A tile has come, without layers when it cannot be read.
    pub(super) fn add(&mut self, tile: TileCoord, layers: Option<&[&Layer]>, report: &mut Report) {
        for side in SIDES {
            let Some(seam) = side.seam(tile) else {
                continue;
            };
            let half = Half {
                is_first: side.is_first(),
                strip: layers.map(|layers| strip(layers, side)),
            };
            match self.0.remove(&seam) {
                // A tile that comes twice stands for itself.
                Some(other) if other.is_first != half.is_first => {
                    let (first, second) = match half.is_first {
                        true => (&half, &other),
                        false => (&other, &half),
                    };
                    if let (Some(first), Some(second)) = (&first.strip, &second.strip) {
                        meet(seam, side.is_across_x(), first, second, report);
                    }
                }
                _ => {
                    self.0.insert(seam, half);
                }
            }
        }
    }

    /// Ends a zoom: the other tiles will not come.
    pub(super) fn leave(&mut self, report: &mut Report) {
        for (seam, half) in std::mem::take(&mut self.0) {
            let (tile, neighbour) = seam.from(half.is_first);
            for (name, band) in half.strip.iter().flatten() {
                for (&(id, _), shape) in &band.shapes {
                    if band.shows_beyond(shape, half.is_first) {
                        let problem = Problem::BesideMissing { neighbour };
                        report.note(tile, name, Some(id), problem);
                    }
                }
            }
        }
    }
}

/// Compares what two tiles have along their seam.
fn meet(seam: Seam, across_x: bool, first: &Strip, second: &Strip, report: &mut Report) {
    let (tile, neighbour) = (seam.first, seam.second);
    for (is_first, own, other) in [(true, first, second), (false, second, first)] {
        let (tile, neighbour) = seam.from(is_first);
        for (name, band) in own {
            report.seams.not_comparable += band.nameless;
            let held = other.get(name);
            for (key, shape) in &band.shapes {
                let lacks = held.is_none_or(|held| !held.shapes.contains_key(key));
                if lacks && band.shows_beyond(shape, is_first) {
                    let problem = Problem::Lacking { neighbour };
                    report.note(tile, name, Some(key.0), problem);
                }
            }
        }
    }
    for (name, band) in first {
        let Some(other) = second.get(name) else {
            continue;
        };
        for (key, shape) in &band.shapes {
            let Some(other_shape) = other.shapes.get(key) else {
                continue;
            };
            let at = |[across, along]: Place| match across_x {
                true => [across + band.extent, along],
                false => [along, across + band.extent],
            };
            let problem = match compare::shapes([band, other], key.1, [shape, other_shape]) {
                Finding::NotComparable => {
                    report.seams.not_comparable += 1;
                    continue;
                }
                Finding::Elsewhere => continue,
                Finding::Same => None,
                Finding::Different(place) => Some(Problem::Different {
                    neighbour,
                    at: at(place),
                }),
                Finding::Apart(place) => Some(Problem::Apart {
                    neighbour,
                    at: at(place),
                }),
            };
            report.seams.compared += 1;
            if let Some(problem) = problem {
                report.note(tile, name, Some(key.0), problem);
            }
        }
    }
}

impl Band {
    /// Whether a shape comes into the other tile, and not only into its buffer.
    fn shows_beyond(&self, shape: &Shape, is_first: bool) -> bool {
        let beyond = |across: f64| if is_first { across } else { -across };
        let (low, high) = (f64::from(VISIBLE), f64::from(self.extent - VISIBLE));
        shape.iter().any(|edge| {
            compare::between(*edge, low, high).is_some_and(|part| {
                part.iter()
                    .any(|[across, _]| beyond(*across) >= f64::from(VISIBLE))
            })
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    West,
    North,
    East,
    South,
}

const SIDES: [Side; 4] = [Side::West, Side::North, Side::East, Side::South];

impl Side {
    /// Whether the tile is the western or northern one of the seam on this side.
    fn is_first(self) -> bool {
        matches!(self, Self::East | Self::South)
    }

    fn is_across_x(self) -> bool {
        matches!(self, Self::West | Self::East)
    }

    /// None at the edge of the world.
    fn seam(self, tile: TileCoord) -> Option<Seam> {
        let (x, y) = (tile.x(), tile.y());
        let (x, y) = match self {
            Self::West => (x.checked_sub(1)?, y),
            Self::North => (x, y.checked_sub(1)?),
            Self::East => (x + 1, y),
            Self::South => (x, y + 1),
        };
        let neighbour = TileCoord::new(tile.z(), x, y).ok()?;
        let (first, second) = match self.is_first() {
            true => (tile, neighbour),
            false => (neighbour, tile),
        };
        Some(Seam { first, second })
    }

    fn place(self, [x, y]: [i32; 2], extent: i32) -> Place {
        match self {
            Self::West => [x, y],
            Self::North => [y, x],
            Self::East => [x - extent, y],
            Self::South => [y - extent, x],
        }
    }
}

/// What lies near one side of a tile.
fn strip(layers: &[&Layer], side: Side) -> Strip {
    let mut strip = Strip::new();
    for layer in layers {
        // `MAX_EXTENT` is far below 2^31.
        let Ok(extent) = i32::try_from(layer.extent) else {
            continue;
        };
        let mut band = Band {
            extent,
            reach: [0; 3],
            shapes: BTreeMap::new(),
            nameless: 0,
        };
        for feature in &layer.features {
            band.add(feature, side);
        }
        for shape in band.shapes.values_mut() {
            shape.sort_unstable();
            shape.dedup();
        }
        strip.insert(layer.name.clone(), band);
    }
    strip
}

impl Band {
    /// Half the width of what is compared.
    fn width(&self) -> i32 {
        (self.extent / STRIP_PART).max(1)
    }

    fn add(&mut self, feature: &Feature, side: Side) {
        let (extent, width) = (self.extent, self.width());
        // What lies too far outside is a problem of its own, and is not looked at here.
        let usual = |p: &[i32; 2]| p.iter().all(|v| (-extent..=2 * extent).contains(v));
        let paths = match &feature.geometry {
            Geometry::Points(points) => std::slice::from_ref(points),
            Geometry::Lines(paths) | Geometry::Rings(paths) => paths,
        };
        if !paths.iter().flatten().all(usual) {
            return;
        }
        let beyond = |across: i32| if side.is_first() { across } else { -across };
        let all = paths.iter().flatten();
        let Some(farthest) = all.map(|&p| beyond(side.place(p, extent)[0])).max() else {
            return;
        };
        let kind = kind(feature);
        self.reach[kind] = self.reach[kind].max(farthest.min(width));
        if farthest < -width {
            return;
        }
        let Some(id) = feature.id else {
            self.nameless += u64::from(farthest >= 0);
            return;
        };
        let shape = self.shapes.entry((id, kind)).or_default();
        let mut push = |a: &[i32; 2], b: &[i32; 2]| {
            let (a, b) = (side.place(*a, extent), side.place(*b, extent));
            if beyond(a[0]).max(beyond(b[0])) >= -width {
                shape.push([a.min(b), a.max(b)]);
            }
        };
        for path in paths {
            match &feature.geometry {
                Geometry::Points(_) => path.iter().for_each(|p| push(p, p)),
                Geometry::Lines(_) => path.windows(2).for_each(|w| push(&w[0], &w[1])),
                Geometry::Rings(_) => {
                    let next = path.iter().skip(1).chain(path.first());
                    path.iter().zip(next).for_each(|(a, b)| push(a, b));
                }
            }
        }
    }
}
