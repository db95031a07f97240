//! Addresses of tiles and the part of the world that each one shows.

use model::world::{WorldPoint, unproject};
use model::{Envelope, MAX_ZOOM};

use crate::{Error, LINE_BUFFER, TILE_EXTENT};

/// Zoom levels between a tile and its pixels: 4096 = 2^12.
const EXTENT_BITS: u32 = TILE_EXTENT.trailing_zeros();

/// Width of the world in world units.
pub(crate) const WORLD: i64 = 1 << 32;

/// A tile of `WebMercatorQuad` (OGC 17-083r4 Annex D.1): row 0 is the northernmost, column 0 begins
/// at the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileCoord {
    z: u8,
    x: u32,
    y: u32,
}

impl TileCoord {
    /// # Errors
    /// [`Error::Zoom`] past [`MAX_ZOOM`], [`Error::OutOfRange`] for a column or row that the zoom does
    /// not have.
    pub fn new(z: u8, x: u32, y: u32) -> Result<Self, Error> {
        if z > MAX_ZOOM {
            return Err(Error::Zoom(z));
        }
        let size = 1_u64 << z;
        if u64::from(x) >= size || u64::from(y) >= size {
            return Err(Error::OutOfRange { z, x, y });
        }
        Ok(Self { z, x, y })
    }

    /// In the order of OGC API Tiles (OGC 20-057 §7.1): tile matrix, tile row, tile column.
    ///
    /// # Errors
    /// As [`TileCoord::new`].
    pub fn from_matrix_row_col(matrix: u8, row: u32, col: u32) -> Result<Self, Error> {
        Self::new(matrix, col, row)
    }

    pub fn z(self) -> u8 {
        self.z
    }

    pub fn x(self) -> u32 {
        self.x
    }

    pub fn y(self) -> u32 {
        self.y
    }

    /// The tile of a zoom that holds a world point; its western and northern edges belong to it.
    ///
    /// # Errors
    /// [`Error::Zoom`] past [`MAX_ZOOM`].
    pub fn containing(z: u8, [x, y]: WorldPoint) -> Result<Self, Error> {
        if z > MAX_ZOOM {
            return Err(Error::Zoom(z));
        }
        let tile = |v: u32| u32::try_from(u64::from(v) >> (32 - u32::from(z))).unwrap_or(u32::MAX);
        Self::new(z, tile(x), tile(y))
    }

    /// The tile one zoom up that holds this one; `None` at zoom 0.
    pub fn parent(self) -> Option<Self> {
        let z = self.z.checked_sub(1)?;
        Some(Self {
            z,
            x: self.x / 2,
            y: self.y / 2,
        })
    }

    /// The four tiles of the next zoom, in the order north-west, north-east, south-west, south-east;
    /// `None` at the deepest.
    pub fn children(self) -> Option<[Self; 4]> {
        if self.z >= MAX_ZOOM {
            return None;
        }
        let child = |dx, dy| Self {
            z: self.z + 1,
            x: self.x * 2 + dx,
            y: self.y * 2 + dy,
        };
        Some([child(0, 0), child(1, 0), child(0, 1), child(1, 1)])
    }

    /// What the tile shows, without buffer: longitude and latitude in degrees.
    pub fn bounds(self) -> Envelope {
        let [west, north, east, south] = self.square(0);
        envelope(west, north, east, south)
    }

    /// The boxes (longitude/latitude in degrees) in which features must be looked for, so that nothing
    /// is missing from the buffered tile: one, or two where the buffer goes over the antimeridian.
    ///
    /// They are a pixel wider than the buffer of lines, because what lies beyond may be rounded into it; the
    /// outermost rows reach to the poles, because what lies beyond 85.0511° is drawn on the edge.
    pub fn query_envelopes(self) -> impl Iterator<Item = Envelope> {
        let [west, north, east, south] = self.square(i64::from(LINE_BUFFER) + 1);
        let wide = east - west >= WORLD;
        let (inner_west, inner_east) = if wide {
            (0, WORLD)
        } else {
            (west.max(0), east.min(WORLD))
        };
        let inner = envelope(inner_west, north, inner_east, south);
        let over_west = (!wide && west < 0).then(|| envelope(west + WORLD, north, WORLD, south));
        let over_east = (!wide && east > WORLD).then(|| envelope(0, north, east - WORLD, south));
        [Some(inner), over_west, over_east].into_iter().flatten()
    }

    /// West, north, east, south in world units, grown by `pixels` on each side; may leave the world.
    fn square(self, pixels: i64) -> [i64; 4] {
        let size = WORLD >> self.z;
        let grow = pixels << self.shift();
        let (west, north) = self.origin();
        [
            west - grow,
            north - grow,
            west + size + grow,
            north + size + grow,
        ]
    }

    /// North-western corner in world units.
    pub(crate) fn origin(self) -> (i64, i64) {
        let size = WORLD >> self.z;
        (i64::from(self.x) * size, i64::from(self.y) * size)
    }

    /// A pixel is 2^shift world units.
    pub(crate) fn shift(self) -> u32 {
        32 - EXTENT_BITS - u32::from(self.z)
    }
}

fn envelope(west: i64, north: i64, east: i64, south: i64) -> Envelope {
    let corner = |x: i64, y: i64| {
        let clamp = |v: i64| u32::try_from(v.clamp(0, WORLD - 1)).unwrap_or(u32::MAX);
        unproject([clamp(x), clamp(y)])
    };
    let [min_lon, max_lat] = corner(west, north);
    let [max_lon, min_lat] = corner(east, south);
    Envelope {
        min: [
            if west <= 0 { -180.0 } else { min_lon },
            if south >= WORLD { -90.0 } else { min_lat },
        ],
        max: [
            if east >= WORLD { 180.0 } else { max_lon },
            if north <= 0 { 90.0 } else { max_lat },
        ],
    }
}
