//! Neighbours that should show the same.

use tiles::TileCoord;
use tiles::verify::{Problem, Report, SeamCounts};

use super::hand::{Hand, shape};
use super::{HERE, square, sweep};
use crate::support::coord;

type Ring = Vec<[i32; 2]>;

/// The tile and its eastern neighbour.
fn pair() -> [TileCoord; 2] {
    let (z, x, y) = HERE;
    [coord(z, x, y), coord(z, x + 1, y)]
}

/// As the eastern neighbour sees a ring of the western tile.
fn east(ring: &Ring) -> Ring {
    ring.iter().map(|[x, y]| [x - 4096, *y]).collect()
}

/// A parcel that lies over the edge between the tiles, well within both buffers.
fn over() -> Ring {
    vec![[4080, 500], [4120, 510], [4110, 600], [4070, 590]]
}

/// A layer with a parcel that both tiles were cut at, so that their buffers are known to be 64.
fn layer(cut: Ring) -> Hand {
    Hand::new("parcels").feature(1, shape(3, &[cut]))
}

fn west_layer() -> Hand {
    layer(vec![[3000, 0], [4160, 0], [4160, 100], [3000, 100]])
}

fn east_layer() -> Hand {
    layer(vec![[-64, 0], [1000, 0], [1000, 100], [-64, 100]])
}

fn met(west: &Hand, east: &Hand) -> Report {
    let [a, b] = pair();
    let report = sweep(&[(a, west.tile()), (b, east.tile())]);
    let back = sweep(&[(b, east.tile()), (a, west.tile())]);
    assert_eq!(report.seams, back.seams, "the order matters");
    report
}

/// The parcel as the western tile and as the eastern tile have it, in the western one's pixels.
fn seen(west: &Ring, other: &Ring) -> SeamCounts {
    let west = west_layer().feature(2, shape(3, std::slice::from_ref(west)));
    let east = east_layer().feature(2, shape(3, &[east(other)]));
    met(&west, &east).seams
}

fn counts(compared: u64, different: u64, apart: u64) -> SeamCounts {
    SeamCounts {
        compared,
        different,
        apart,
        ..SeamCounts::default()
    }
}

#[test]
fn what_both_tiles_have_alike_is_compared_and_agrees() {
    assert_eq!(seen(&over(), &over()), counts(2, 0, 0));
    let mut from_another_corner = over();
    from_another_corner.rotate_left(2);
    assert_eq!(seen(&over(), &from_another_corner), counts(2, 0, 0));
}

#[test]
fn a_vertex_elsewhere_is_a_difference_and_more_than_a_pixel_is_apart() {
    let moved = |by: i32| {
        let mut ring = over();
        ring[1][0] += by;
        ring
    };
    assert_eq!(seen(&over(), &moved(1)), counts(2, 1, 0));
    assert_eq!(seen(&over(), &moved(9)), counts(2, 1, 1));
    assert_eq!(seen(&moved(9), &over()), counts(2, 1, 1));
}

#[test]
fn a_vertex_more_on_the_way_is_a_difference() {
    let mut more = over();
    more.insert(1, [4100, 505]);
    assert_eq!(seen(&over(), &more), counts(2, 1, 0));
    assert_eq!(seen(&more, &over()), counts(2, 1, 0));
}

#[test]
fn the_same_vertices_joined_otherwise_are_a_difference() {
    // An arrow whose notch is on the east or on the north.
    let notch = vec![
        [4080, 500],
        [4120, 500],
        [4100, 510],
        [4120, 560],
        [4080, 560],
    ];
    let other = vec![
        [4080, 500],
        [4100, 510],
        [4120, 500],
        [4120, 560],
        [4080, 560],
    ];
    assert_eq!(seen(&notch, &other), counts(2, 1, 1));
}

#[test]
fn a_part_that_one_tile_has_more_is_a_difference() {
    let one = || west_layer().feature(2, shape(3, &[over()]));
    let other = |ring: Ring| {
        let rings = [east(&over()), east(&ring)];
        east_layer().feature(2, shape(3, &rings))
    };
    let more = square(4080, 700, 10);
    assert_eq!(met(&one(), &other(more.clone())).seams, counts(2, 1, 1));
    let two = west_layer().feature(2, shape(3, &[over(), more]));
    let one = east_layer().feature(2, shape(3, &[east(&over())]));
    assert_eq!(met(&two, &one).seams, counts(2, 1, 1));
}

#[test]
fn each_tile_is_compared_as_far_as_its_own_buffer_goes() {
    // The eastern tile is cut at 20 pixels, so it does not know of a vertex at 30.
    let whole = vec![
        [4050, 500],
        [4066, 490],
        [4130, 500],
        [4130, 600],
        [4050, 600],
    ];
    let cut = vec![[4076, 492], [4130, 500], [4130, 600], [4076, 600]];
    let west = Hand::new("parcels").feature(2, shape(3, &[whole]));
    let west = west.feature(1, shape(3, &[square(4120, 0, 40)]));
    let eastern = Hand::new("parcels").feature(2, shape(3, &[east(&cut)]));
    let eastern = eastern.feature(1, shape(3, &[square(24, 0, 40)]));
    assert_eq!(met(&west, &eastern).seams, counts(2, 0, 0));
}

#[test]
fn what_lies_at_the_cut_is_not_compared() {
    // Vertices 4 pixels before the western tile's cut, and 4 after the eastern one's.
    let near = |x| vec![[4090, 500], [x, 510], [4090, 600]];
    assert_eq!(seen(&near(4156), &near(4158)), counts(2, 0, 0));
    assert_eq!(seen(&near(4036), &near(4034)), counts(2, 0, 0));
    assert_eq!(seen(&near(4140), &near(4141)), counts(2, 1, 0));
    assert_eq!(seen(&near(4046), &near(4050)), counts(2, 1, 1));
}

#[test]
fn what_one_tile_shows_on_the_other_s_side_the_other_must_hold() {
    let [a, b] = pair();
    let lacking = |ring: Ring| {
        let to_west = met(
            &west_layer(),
            &east_layer().feature(2, shape(3, &[east(&ring)])),
        );
        let to_east = met(&west_layer().feature(2, shape(3, &[ring])), &east_layer());
        [to_west, to_east].map(|r| {
            let lacking = |p: &Problem| matches!(p, Problem::Lacking { .. });
            let example = r.examples.iter().find(|e| lacking(&e.problem));
            let example = example.map(|e| (e.id, e.tile, e.problem.clone()));
            (r.seams.lacking, example)
        })
    };
    let example = |tile, neighbour| (1, Some((Some(2), tile, Problem::Lacking { neighbour })));
    assert_eq!(lacking(over()), [example(b, a), example(a, b)]);
    // On the own side alone it may be that the neighbour's buffer is narrow.
    assert_eq!(lacking(square(4060, 500, 20)), [example(b, a), (0, None)]);
    assert_eq!(lacking(square(4110, 500, 20)), [(0, None), example(a, b)]);
    // A pixel beyond the edge is what snapping does.
    assert_eq!(lacking(square(4077, 500, 20))[1], (0, None));
    assert_eq!(lacking(square(4078, 500, 20))[1], example(a, b));
    // Where the tile beside is another one.
    assert_eq!(lacking(square(4080, 4110, 30)), [(0, None), (0, None)]);
    let corner = vec![[4060, 10], [4050, -60], [4130, -60]];
    assert_eq!(lacking(corner)[1], (0, None));
}

#[test]
fn a_layer_that_the_neighbour_does_not_have_is_lacking() {
    let roads = Hand::new("roads").feature(5, shape(3, &[over()]));
    let report = met(&roads, &east_layer());
    assert_eq!(report.seams.lacking, 2);
}

#[test]
fn a_neighbour_that_is_not_there_or_cannot_be_read_is_no_difference() {
    let [a, b] = pair();
    let west = west_layer().feature(2, shape(3, &[over()])).tile();
    let report = sweep(&[(a, west.clone())]);
    let expected = SeamCounts {
        beside_missing: 2,
        ..SeamCounts::default()
    };
    assert_eq!(report.seams, expected);
    assert!(
        matches!(report.examples[0].problem, Problem::BesideMissing { neighbour } if neighbour == b)
    );
    let unreadable = sweep(&[(a, west), (b, vec![7])]);
    assert_eq!(unreadable.seams, SeamCounts::default());
}

#[test]
fn without_ids_buffers_or_one_extent_nothing_can_be_compared() {
    let not_comparable = |n| SeamCounts {
        not_comparable: n,
        ..SeamCounts::default()
    };
    let parcels = |ring: &Ring, id: Option<u64>| {
        Hand::new("parcels").feature(id, shape(3, std::slice::from_ref(ring)))
    };
    let (ring, inner) = (over(), square(3900, 500, 50));
    let nameless = met(&parcels(&ring, None), &parcels(&east(&ring), None));
    assert_eq!(nameless.seams, not_comparable(2));
    let far = met(
        &parcels(&inner, None),
        &parcels(&square(150, 500, 50), None),
    );
    assert_eq!(far.seams, not_comparable(0));
    let cut = (square(4086, 500, 10), square(0, 500, 10));
    let narrow = met(&parcels(&cut.0, Some(2)), &parcels(&cut.1, Some(2)));
    assert_eq!(narrow.seams, not_comparable(1));
    let fine = parcels(&vec![[-80, 1000], [48, 1000], [28, 1200]], Some(2)).extent(8192);
    let extents = met(&parcels(&ring, Some(2)), &fine);
    assert_eq!(extents.seams, not_comparable(1));
}

#[test]
fn lines_and_points_are_compared_by_their_own_buffers() {
    let lines = |at: [i32; 2], to: i32| {
        let line = vec![[at[0], 100], [at[1], 200], [to, 250]];
        Hand::new("roads").feature(1, shape(2, &[line]))
    };
    // Cut at 256, with a vertex at 4200, and at 4220 in the other.
    let west = lines([3000, 4200], 4352);
    let same = met(&west, &lines([-256, 104], 900));
    assert_eq!(same.seams, counts(1, 0, 0));
    let apart = met(&west, &lines([-256, 124], 900));
    assert_eq!(apart.seams, counts(1, 1, 1));
    let points = |x: i32| {
        Hand::new("trees").feature(1, shape(1, &[vec![[x - 60, 50], [x, 50], [x + 60, 50]]]))
    };
    assert_eq!(met(&points(4096), &points(0)).seams, counts(1, 0, 0));
    assert_eq!(met(&points(4096), &points(1)).seams, counts(1, 1, 0));
    assert_eq!(met(&points(4096), &points(3)).seams, counts(1, 1, 1));
}

#[test]
fn seams_between_rows_are_looked_at_as_those_between_columns() {
    let (z, x, y) = HERE;
    let turned = |ring: &Ring| ring.iter().map(|[x, y]| [*y, *x]).rev().collect::<Ring>();
    let hand = |cut: Ring, ring: Option<Ring>| {
        let hand = layer(turned(&cut));
        match ring {
            Some(ring) => hand.feature(2, shape(3, &[turned(&ring)])),
            None => hand,
        }
        .tile()
    };
    let north = vec![[3000, 0], [4160, 0], [4160, 100], [3000, 100]];
    let south = vec![[-64, 0], [1000, 0], [1000, 100], [-64, 100]];
    let seen = |a: Option<Ring>, b: Option<Ring>| {
        let south = hand(south.clone(), b.map(|ring| east(&ring)));
        sweep(&[
            (coord(z, x, y), hand(north.clone(), a)),
            (coord(z, x, y + 1), south),
        ])
    };
    let mut moved = over();
    moved[1][0] += 9;
    assert_eq!(seen(Some(over()), Some(over())).seams, counts(2, 0, 0));
    let apart = seen(Some(over()), Some(moved));
    assert_eq!(apart.seams, counts(2, 1, 1));
    // The vertex, in pixels of the northern tile.
    let at = [510, 4120];
    assert!(matches!(apart.examples[0].problem, Problem::Apart { at: a, .. } if a == at));
    assert_eq!(seen(Some(over()), None).seams.lacking, 1);
    assert_eq!(seen(None, Some(over())).seams.lacking, 1);
}

#[test]
fn tiles_of_different_zooms_are_not_neighbours() {
    let [a, _] = pair();
    let other = coord(a.z() - 1, a.x() + 1, a.y());
    let west = west_layer().feature(2, shape(3, &[over()])).tile();
    let report = sweep(&[(a, west), (other, east_layer().tile())]);
    assert_eq!((report.seams.compared, report.seams.lacking), (0, 0));
}
