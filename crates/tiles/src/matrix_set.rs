//! `WebMercatorQuad`, the tile matrix set that every client knows (OGC 17-083r4 Annex D.1).
//!
//! Axis order of the corner is that of EPSG:3857: east, north, in metres.

/// Identifier in OGC API paths.
pub const ID: &str = "WebMercatorQuad";

pub const TITLE: &str = "Google Maps Compatible for the World";

/// The registry's entry of this set.
pub const URI: &str = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad";

pub const CRS_URI: &str = "http://www.opengis.net/def/crs/EPSG/0/3857";

pub const WELL_KNOWN_SCALE_SET: &str =
    "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible";

pub const ORDERED_AXES: [&str; 2] = ["X", "Y"];

/// Easting and northing of the north-western corner of every matrix, in metres: half the circumference of
/// the WGS 84 equator.
pub const POINT_OF_ORIGIN: [f64; 2] = [-20_037_508.342_789_2, 20_037_508.342_789_2];

/// Pixels of a tile to which scale denominator and cell size refer. It has nothing to do with
/// [`crate::TILE_EXTENT`].
pub const TILE_SIZE: u32 = 256;

/// Deepest matrix of the definition; tiles are cut to [`model::MAX_ZOOM`].
pub const MAX_MATRIX: u8 = 24;

/// At zoom 0; halves with each zoom.
const SCALE_DENOMINATOR_0: f64 = 559_082_264.028_717_9;
const CELL_SIZE_0: f64 = 156_543.033_928_041;

/// One zoom level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileMatrix {
    /// Identifier: the zoom.
    pub zoom: u8,
    /// For pixels of 0.28 mm.
    pub scale_denominator: f64,
    /// Metres a pixel at the equator.
    pub cell_size: f64,
    /// Columns, and rows.
    pub matrix_size: u64,
}

/// The matrices of zoom 0 to [`MAX_MATRIX`].
pub fn matrices() -> impl Iterator<Item = TileMatrix> {
    (0..=MAX_MATRIX).map(|zoom| {
        let size = 1_u64 << zoom;
        // Exact: 2^24 at most.
        let factor = size as f64;
        TileMatrix {
            zoom,
            scale_denominator: SCALE_DENOMINATOR_0 / factor,
            cell_size: CELL_SIZE_0 / factor,
            matrix_size: size,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrices_are_those_of_the_annex() {
        // Rows of OGC 17-083r4 table D.1.
        let annex = [
            (0, 559_082_264.028_717_9, 156_543.033_928_041, 1),
            (1, 279_541_132.014_358_9, 78_271.516_964_020_4, 2),
            (12, 136_494.693_366_386_2, 38.218_514_142_588_1, 4096),
            (18, 2_132.729_583_849_78, 0.597_164_283_477_939, 262_144),
            (24, 33.323_899_747_652_9, 0.009_330_691_929_342, 16_777_216),
        ];
        let all: Vec<_> = matrices().collect();
        assert_eq!(all.len(), 25);
        for (zoom, scale, cell, size) in annex {
            let matrix = all[zoom];
            assert_eq!((usize::from(matrix.zoom), matrix.matrix_size), (zoom, size));
            assert!(
                (matrix.scale_denominator / scale - 1.0).abs() < 1e-12,
                "{matrix:?}"
            );
            assert!((matrix.cell_size / cell - 1.0).abs() < 1e-12, "{matrix:?}");
        }
    }
}
