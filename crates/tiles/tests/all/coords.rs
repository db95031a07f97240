use model::Envelope;
use model::world::{project, unproject};
use tiles::{Error, TileCoord};

use crate::support::coord;

#[test]
fn columns_and_rows_beyond_the_zoom_are_refused() {
    assert_eq!(
        TileCoord::new(0, 1, 0),
        Err(Error::OutOfRange { z: 0, x: 1, y: 0 })
    );
    assert_eq!(
        TileCoord::new(3, 7, 8),
        Err(Error::OutOfRange { z: 3, x: 7, y: 8 })
    );
    assert_eq!(TileCoord::new(21, 0, 0), Err(Error::Zoom(21)));
    assert_eq!(
        TileCoord::new(255, u32::MAX, u32::MAX),
        Err(Error::Zoom(255))
    );
    let last = (1 << 20) - 1;
    assert!(TileCoord::new(20, last, last).is_ok());
    assert!(TileCoord::new(20, last + 1, 0).is_err());
}

#[test]
fn ogc_paths_name_the_row_before_the_column() {
    let tile = TileCoord::from_matrix_row_col(5, 2, 19).unwrap();
    assert_eq!((tile.z(), tile.x(), tile.y()), (5, 19, 2));
}

#[test]
fn children_are_in_their_parent() {
    let tile = coord(7, 100, 3);
    for child in tile.children().unwrap() {
        assert_eq!(child.parent(), Some(tile));
    }
    assert_eq!(coord(0, 0, 0).parent(), None);
    assert_eq!(coord(20, 5, 5).children(), None);
    assert_eq!(tile.children().unwrap()[1], coord(8, 201, 6));
}

#[test]
fn the_tile_of_a_place_has_it_in_its_bounds() {
    for (lon, lat) in [
        (24.71, 48.92),
        (-179.99, 84.9),
        (179.99, -84.9),
        (0.001, -0.001),
    ] {
        for z in 0..=18 {
            let tile = TileCoord::containing(z, project(lon, lat)).unwrap();
            let Envelope { min, max } = tile.bounds();
            let inside = min[0] <= lon && lon <= max[0] && min[1] <= lat && lat <= max[1];
            assert!(inside, "{tile:?} {:?}", tile.bounds());
        }
    }
}

/// Known from any slippy map.
#[test]
fn bounds_of_a_known_tile() {
    let Envelope { min, max } = coord(14, 9316, 5651).bounds();
    let near = |a: [f64; 2], b: [f64; 2]| (0..2).all(|k| (a[k] - b[k]).abs() < 1e-6);
    // lon = x / 2^z * 360 - 180; lat = atan(sinh(pi * (1 - 2 y / 2^z))).
    let lat = |y: f64| {
        (std::f64::consts::PI * (1.0 - 2.0 * y / 16384.0))
            .sinh()
            .atan()
            .to_degrees()
    };
    assert!(
        near(min, [9316.0 / 16384.0 * 360.0 - 180.0, lat(5652.0)]),
        "{min:?}"
    );
    assert!(
        near(max, [9317.0 / 16384.0 * 360.0 - 180.0, lat(5651.0)]),
        "{max:?}"
    );
}

#[test]
fn the_query_box_of_an_edge_tile_goes_over_the_antimeridian() {
    let boxes: Vec<_> = coord(4, 0, 5).query_envelopes().collect();
    let pixel = 360.0 / 16.0 / 4096.0;
    assert_eq!(boxes.len(), 2);
    assert_eq!(boxes[0].min[0], -180.0);
    assert_eq!(boxes[1].max[0], 180.0);
    let beyond = (180.0 - boxes[1].min[0]) / pixel;
    assert!((beyond - 257.0).abs() < 0.01, "{beyond}");
    let boxes: Vec<_> = coord(4, 15, 5).query_envelopes().collect();
    assert_eq!((boxes[0].max[0], boxes[1].min[0]), (180.0, -180.0));
    assert_eq!(coord(4, 7, 5).query_envelopes().count(), 1);
}

#[test]
fn the_whole_world_is_one_box_up_to_the_poles() {
    let boxes: Vec<_> = coord(0, 0, 0).query_envelopes().collect();
    assert_eq!(
        boxes,
        [Envelope {
            min: [-180.0, -90.0],
            max: [180.0, 90.0]
        }]
    );
    let boxes: Vec<_> = coord(1, 0, 0).query_envelopes().collect();
    assert_eq!(boxes.len(), 2);
    assert_eq!((boxes[0].max[1], boxes[0].min[0]), (90.0, -180.0));
}

/// Whatever rounds into the buffered square is in a query box.
#[test]
fn the_query_box_holds_all_that_is_drawn() {
    for tile in [
        coord(20, 596_000, 361_000),
        coord(16, 37_267, 22_600),
        coord(3, 0, 7),
    ] {
        let boxes: Vec<_> = tile.query_envelopes().collect();
        let pixel = 1_i64 << (20 - tile.z());
        for px in [-256, 0, 4096, 4352] {
            for py in [-256, 4352] {
                // The far ends of the pixel: half a pixel on either side of its middle.
                for half in [-pixel / 2, (pixel - 1) / 2] {
                    let x = (i64::from(tile.x()) * 4096 + px) * pixel + half;
                    let y = (i64::from(tile.y()) * 4096 + py) * pixel + half;
                    let x = u32::try_from(x.rem_euclid(1 << 32)).unwrap();
                    let Ok(y) = u32::try_from(y) else { continue };
                    let p = unproject([x, y]);
                    let held = boxes
                        .iter()
                        .any(|b| (0..2).all(|k| b.min[k] <= p[k] && p[k] <= b.max[k]));
                    assert!(held, "{tile:?} {p:?} {boxes:?}");
                }
            }
        }
    }
}
