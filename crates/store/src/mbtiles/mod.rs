//! A whole tile set as a file of SQLite: `MBTiles` 1.3 (mapbox/mbtiles-spec, 1.3/spec.md).

mod reader;
mod writer;

pub use reader::{MAX_MBTILES_TILE, MbtilesReader, MbtilesTile};
pub use writer::MbtilesWriter;

/// Row of the tile in a tile set that counts from the south (TMS), or back; `None` for a zoom or row that there is not.
fn flipped(zoom: u8, row: u32) -> Option<u32> {
    let rows = 1_u64.checked_shl(zoom.into())?;
    let from_the_other_side = rows.checked_sub(1)?.checked_sub(row.into())?;
    u32::try_from(from_the_other_side).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_from_the_other_side_and_those_beyond_are_none() {
        assert_eq!(flipped(0, 0), Some(0));
        assert_eq!(flipped(3, 1), Some(6));
        assert_eq!(flipped(3, 8), None);
        assert_eq!(flipped(200, 0), None);
    }
}
