//! Tile ids: positions on the Hilbert curves of all zooms, one after another ("Entries").

use model::MAX_ZOOM;

use super::Error;
use crate::TileCoord;

/// The id of a tile. Those of a zoom follow its Hilbert curve, so tiles with near ids lie near each other.
pub fn tile_id(tile: TileCoord) -> u64 {
    let (mut x, mut y) = (tile.x(), tile.y());
    let mut along = 0;
    for bit in (0..tile.z()).rev() {
        let side = 1 << bit;
        let [right, below] = [x & side != 0, y & side != 0];
        along = along << 2 | quarter(right, below);
        [x, y] = turn([x & (side - 1), y & (side - 1)], side, right, below);
    }
    first_id(tile.z()) + along
}

/// The tile of an id.
///
/// # Errors
/// [`Error::TooDeep`] past [`MAX_ZOOM`].
pub fn tile_coord(id: u64) -> Result<TileCoord, Error> {
    let z = (0..=MAX_ZOOM)
        .find(|&z| id < first_id(z + 1))
        .ok_or(Error::TooDeep(id))?;
    let mut along = id - first_id(z);
    let [mut x, mut y] = [0, 0];
    for bit in 0..z {
        let side = 1 << bit;
        let right = along & 2 != 0;
        let below = right != (along & 1 != 0);
        [x, y] = turn([x, y], side, right, below);
        x += if right { side } else { 0 };
        y += if below { side } else { 0 };
        along >>= 2;
    }
    TileCoord::new(z, x, y).map_err(|_outside| Error::TooDeep(id))
}

/// How many tiles all zooms above this one have.
fn first_id(z: u8) -> u64 {
    ((1 << (2 * z)) - 1) / 3
}

/// The curve goes through the quarters north-west, south-west, south-east, north-east.
fn quarter(right: bool, below: bool) -> u64 {
    match (right, below) {
        (false, false) => 0,
        (false, true) => 1,
        (true, true) => 2,
        (true, false) => 3,
    }
}

/// A position in a quarter of `side` tiles as the curve in it sees it; the way back is the same.
fn turn([x, y]: [u32; 2], side: u32, right: bool, below: bool) -> [u32; 2] {
    match (right, below) {
        (_, true) => [x, y],
        (false, false) => [y, x],
        (true, false) => [side - 1 - y, side - 1 - x],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_reference_implementation() {
        let known = [
            ([0, 0, 0], 0),
            ([1, 0, 0], 1),
            ([1, 0, 1], 2),
            ([1, 1, 1], 3),
            ([1, 1, 0], 4),
            ([2, 0, 0], 5),
            ([12, 3423, 1763], 19_078_479),
        ];
        for ([z, x, y], id) in known {
            let tile = TileCoord::new(u8::try_from(z).unwrap(), x, y).unwrap();
            assert_eq!(tile_id(tile), id, "{tile:?}");
            assert_eq!(tile_coord(id).unwrap(), tile);
        }
    }

    #[test]
    fn each_id_is_one_tile_and_those_that_follow_are_neighbours() {
        for id in 0..first_id(8) {
            let tile = tile_coord(id).unwrap();
            assert_eq!(tile_id(tile), id);
            let next = tile_coord(id + 1).unwrap();
            if next.z() == tile.z() {
                let apart = tile.x().abs_diff(next.x()) + tile.y().abs_diff(next.y());
                assert_eq!(apart, 1, "{tile:?} {next:?}");
            }
        }
    }

    #[test]
    fn the_deepest_zoom_has_an_end() {
        let last = first_id(MAX_ZOOM + 1) - 1;
        let tile = tile_coord(last).unwrap();
        assert_eq!((tile.z(), tile_id(tile)), (MAX_ZOOM, last));
        assert_eq!((tile.x(), tile.y()), ((1 << MAX_ZOOM) - 1, 0));
        assert!(matches!(tile_coord(last + 1), Err(Error::TooDeep(_))));
        assert!(matches!(tile_coord(u64::MAX), Err(Error::TooDeep(_))));
    }
}
