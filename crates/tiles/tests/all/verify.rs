//! Whole sets of tiles: what is sound is not complained of, and each problem is found.

mod hand;
mod seams;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tiles::check::{self, Defect};
use tiles::decode::Value;
use tiles::verify::{EXAMPLES, MAX_BYTES, Problem, Report, Sweep};
use tiles::{LayerBuilder, TileCoord, TileValue};

use crate::support::{Random, coord, polygons, values, world};
use hand::{Hand, shape};

const HERE: (u8, u32, u32) = (14, 100, 200);

fn here() -> TileCoord {
    let (z, x, y) = HERE;
    coord(z, x, y)
}

/// What is found in one tile.
fn alone(bytes: &[u8]) -> Report {
    let mut sweep = Sweep::new();
    sweep.add(here(), bytes);
    sweep.finish()
}

fn sweep(tiles: &[(TileCoord, Vec<u8>)]) -> Report {
    let mut sweep = Sweep::new();
    for (tile, bytes) in tiles {
        sweep.add(*tile, bytes);
    }
    sweep.finish()
}

/// A square of the given side, as an exterior.
fn square(x: i32, y: i32, side: i32) -> Vec<[i32; 2]> {
    vec![[x, y], [x + side, y], [x + side, y + side], [x, y + side]]
}

fn backwards(mut ring: Vec<[i32; 2]>) -> Vec<[i32; 2]> {
    ring.reverse();
    ring
}

/// Parcels with crooked borders that lie over nine tiles, cut by our builder.
fn town() -> Vec<(TileCoord, Vec<u8>)> {
    let (z, x0, y0) = HERE;
    let mut random = Random(3);
    let side = 28;
    let corners: Vec<Vec<_>> = (0..=side)
        .map(|row| {
            (0..=side)
                .map(|column| {
                    let at = |k: i32, off: f64| f64::from(k) * 437.3 + off * 150.0;
                    let place = [at(column, random.unit()), at(row, random.unit())];
                    world(here(), place)
                })
                .collect()
        })
        .collect();
    let mut tiles = Vec::new();
    for (x, y) in (0..3).flat_map(|x| (0..3).map(move |y| (x, y))) {
        let tile = coord(z, x0 + x, y0 + y);
        let mut builder = LayerBuilder::new(tile, "parcels", &["number"]);
        for (row, column) in (0..side).flat_map(|r| (0..side).map(move |c| (r, c))) {
            let [r, c] = [row, column].map(|v| v as usize);
            let ring = vec![
                corners[r][c],
                corners[r][c + 1],
                corners[r + 1][c + 1],
                corners[r + 1][c],
            ];
            let id = u64::try_from(row * side + column).unwrap();
            let number = format!("{id:05}");
            let number = [TileValue::Text(&number)];
            builder.add(id, polygons(&[(false, ring)]).view(), values(&number));
        }
        assert_eq!(builder.dropped(), 0);
        tiles.push((tile, tiles::tile(&[builder.finish().unwrap()]).unwrap()));
    }
    tiles
}

#[test]
fn a_town_that_we_cut_has_nothing_wrong_in_whatever_order_it_comes() {
    let mut tiles = town();
    let report = sweep(&tiles);
    let parcels = report.layers["parcels"];
    assert_eq!((report.tiles, parcels.tiles), (9, 9));
    assert_eq!(
        report.bytes,
        tiles.iter().map(|t| t.1.len() as u64).sum::<u64>()
    );
    assert_eq!(report.features(), parcels.features);
    assert_eq!(report.polygons(), parcels.polygons);
    assert!(parcels.features > 784 && parcels.polygons >= parcels.features);
    let nine = 9.0 * 4096.0 * 4096.0;
    assert!(
        parcels.area > 0.9 * nine && parcels.area < nine,
        "{}",
        parcels.area
    );
    assert_eq!(report.overlap_share(), 0.0);
    assert!(report.seams.compared > 150, "{:?}", report.seams);
    // Only what reaches into tiles that the town does not have.
    let beside = |p: &Problem| matches!(p, Problem::BesideMissing { .. });
    assert!(
        report.examples.iter().all(|e| beside(&e.problem)),
        "{report:#?}"
    );
    assert_eq!((report.seams.different, report.seams.lacking), (0, 0));
    assert_eq!(report.seams.not_comparable, 0);
    assert_eq!(report.invalid_features(), 0);
    let mut random = Random(9);
    for _ in 0..5 {
        for k in (1..tiles.len()).rev() {
            tiles.swap(k, random.below(k as u64 + 1) as usize);
        }
        let again = sweep(&tiles);
        assert_eq!(again.seams, report.seams);
        assert_eq!(again.features(), report.features());
    }
}

#[test]
fn tiles_that_do_not_decode_are_named_with_the_reason() {
    let mut sweep = Sweep::new();
    sweep.add(here(), &[0x1a, 5, 0]);
    sweep.add(coord(14, 7, 8), &vec![0; MAX_BYTES + 1]);
    sweep.add_unreadable(coord(14, 9, 9), "no gzip");
    sweep.add(coord(14, 9, 10), &[]);
    let report = sweep.finish();
    assert_eq!((report.tiles, report.unreadable), (4, 3));
    let why: Vec<_> = report
        .examples
        .iter()
        .map(|e| (e.tile, e.problem.to_string()))
        .collect();
    let unreadable = |why: &str| format!("the tile cannot be read: {why}");
    assert_eq!(
        why,
        [
            (here(), unreadable("the bytes end inside a field")),
            (coord(14, 7, 8), unreadable("too large")),
            (coord(14, 9, 9), unreadable("no gzip")),
        ]
    );
}

#[test]
fn polygons_that_are_invalid_on_integers_are_counted_by_reason() {
    let big = square(0, 0, 100);
    let hole = |x, y, side| backwards(square(x, y, side));
    let cases = [
        ("crossing", vec![big.clone(), hole(50, 50, 100)]),
        (
            "self-contact",
            vec![vec![[0, 0], [100, 100], [100, 0], [0, 101]]],
        ),
        (
            "repeated vertex",
            vec![vec![[0, 0], [9, 0], [9, 0], [9, 9]]],
        ),
        ("zero area", vec![vec![[0, 0], [9, 0], [5, 0]]]),
        ("misplaced hole", vec![big.clone(), hole(200, 200, 10)]),
        ("overlap", vec![big.clone(), square(10, 10, 10)]),
        (
            "disconnected",
            vec![
                big.clone(),
                vec![[0, 50], [25, 60], [50, 50], [25, 40]],
                vec![[50, 50], [75, 60], [100, 50], [75, 40]],
            ],
        ),
    ];
    let mut layer = Hand::new("layer");
    for (id, (_, rings)) in (1..).zip(&cases) {
        layer = layer.feature(id, shape(3, rings));
    }
    // Beyond our own buffer, but not too far for others.
    layer = layer.feature(99, shape(3, &[square(-1000, 0, 100)]));
    let report = alone(&layer.tile());
    let expected: Vec<_> = report.invalid.iter().map(|(k, v)| (*k, *v)).collect();
    let mut names: Vec<_> = cases.iter().map(|(name, _)| (*name, 1)).collect();
    names.sort_unstable();
    assert_eq!(expected, names);
    assert_eq!(report.invalid_features(), 7);
    let invalid = |p: &Problem| matches!(p, Problem::Invalid(_));
    let example = report
        .examples
        .iter()
        .find(|e| invalid(&e.problem))
        .unwrap();
    assert_eq!((example.id, example.layer.as_str()), (Some(1), "layer"));
    assert!(matches!(
        example.problem,
        Problem::Invalid(Defect::Crossing(_))
    ));
}

#[test]
fn a_first_ring_that_runs_backwards_is_a_winding_error() {
    let layer = Hand::new("layer")
        .feature(1, shape(3, &[square(0, 0, 10)]))
        .feature(2, shape(3, &[backwards(square(20, 0, 10))]));
    let report = alone(&layer.tile());
    assert_eq!((report.winding, report.invalid_features()), (1, 0));
    assert_eq!(report.polygons(), 2);
    assert_eq!(report.layers["layer"].area, 200.0);
    assert_eq!(report.examples[0].id, Some(2));
}

#[test]
fn two_layers_of_one_name_are_counted() {
    let one = Hand::new("roads")
        .feature(1, shape(1, &[vec![[5, 5]]]))
        .tile();
    let other = Hand::new("water")
        .feature(1, shape(1, &[vec![[5, 5]]]))
        .tile();
    let report = alone(&[one.clone(), other.clone(), one.clone(), one].concat());
    assert_eq!(report.duplicate_layers, 2);
    assert_eq!(report.layers["roads"].features, 3);
    assert_eq!(report.examples[0].layer, "roads");
    let mut none = Sweep::new();
    none.add(here(), &other);
    none.add(coord(14, 1, 1), &other);
    assert_eq!(none.finish().duplicate_layers, 0);
}

#[test]
fn ids_that_are_missing_or_come_twice_in_a_layer_are_counted() {
    let point = || shape(1, &[vec![[5, 5]]]);
    let layer = Hand::new("layer")
        .feature(1, point())
        .feature(1, shape(2, &[vec![[5, 5], [9, 9]]]))
        .feature(1, point())
        .feature(None, point())
        .feature(None, point());
    let other = Hand::new("other").feature(1, point());
    let report = alone(&[layer.tile(), other.tile()].concat());
    assert_eq!((report.missing_ids, report.repeated_ids), (2, 1));
    assert_eq!(report.differing_ids, 0);
}

#[test]
fn vertices_far_outside_are_counted_and_harm_nothing() {
    let most = 1 << 30;
    let far = [[0, 0], [most, 0], [-most, most], [0, -most]];
    let layer = Hand::new("layer")
        .feature(1, shape(1, &[vec![[-4096, 8192]]]))
        .feature(2, shape(1, &[vec![[-4097, 0]]]))
        .feature(3, shape(2, &[vec![[0, 0], [0, 8193]]]))
        .feature(4, shape(3, &[far.to_vec()]))
        .feature(5, shape(3, &[square(0, 0, 10)]));
    let report = alone(&layer.tile());
    assert_eq!(report.outside, 3);
    assert_eq!(report.layers["layer"].area, 100.0);
    assert_eq!((report.winding, report.invalid_features()), (0, 0));
    assert!(matches!(
        report.examples[0].problem,
        Problem::Outside([-4097, 0])
    ));
    // For an extent of 512 it is nearer.
    let small = Hand::new("layer")
        .extent(512)
        .feature(1, shape(1, &[vec![[1025, 0]]]));
    assert_eq!(alone(&small.tile()).outside, 1);
}

#[test]
fn the_checks_of_rings_do_not_overflow() {
    let far = vec![vec![
        [i32::MAX, i32::MIN],
        [i32::MIN, i32::MIN],
        [0, i32::MAX],
    ]];
    assert!(matches!(check::group(&far), Err(Defect::Beyond(_))));
    let far = vec![far];
    assert!(matches!(
        check::polygons_anywhere(&far),
        Err(Defect::Beyond(_))
    ));
    let beyond_ours = vec![vec![square(-1000, 0, 100)]];
    assert_eq!(check::polygons_anywhere(&beyond_ours), Ok(()));
    assert!(matches!(
        check::polygons(&beyond_ours),
        Err(Defect::Beyond(_))
    ));
}

#[test]
fn layers_without_a_usable_extent_are_counted_and_left_alone() {
    let layer = |extent| {
        Hand::new("layer")
            .extent(extent)
            .feature(1, shape(3, &[square(0, 0, 10)]))
            .tile()
    };
    for extent in [0, 65_537, u32::MAX] {
        let report = alone(&layer(extent));
        assert_eq!((report.extents, report.features()), (1, 0));
    }
    assert_eq!(alone(&layer(65_536)).extents, 0);
}

#[test]
fn overlaps_are_measured_in_each_layer_and_the_greatest_shown_first() {
    let mut sweep = Sweep::new();
    for k in 0..30 {
        let layer = Hand::new("parcels")
            .feature(1, shape(3, &[square(0, 0, 100)]))
            .feature(2, shape(3, &[square(99 - k, 0, 100)]));
        let other = Hand::new("zones").feature(1, shape(3, &[square(0, 0, 100)]));
        let tile = coord(14, u32::try_from(k * 7 % 30).unwrap(), 5);
        sweep.add(tile, &[layer.tile(), other.tile()].concat());
    }
    let report = sweep.finish();
    let (parcels, zones) = (report.layers["parcels"], report.layers["zones"]);
    assert_eq!((parcels.area, zones.area), (600_000.0, 300_000.0));
    assert_eq!((parcels.overlap, zones.overlap), (46_500.0, 0.0));
    assert_eq!(report.overlap_share(), 46_500.0 / 900_000.0);
    let shown: Vec<_> = report
        .examples
        .iter()
        .filter_map(|e| match e.problem {
            Problem::Overlap(area) => Some(area),
            _ => None,
        })
        .collect();
    let expected: Vec<_> = (11..=30).rev().map(|k| f64::from(k) * 100.0).collect();
    assert_eq!(shown, expected);
}

/// As a tile of one point with properties.
fn tagged(id: u64, tags: &[(&str, Value)]) -> Vec<u8> {
    Hand::new("layer")
        .tagged(id, tags, shape(1, &[vec![[2000, 2000]]]))
        .tile()
}

#[test]
fn an_id_has_the_same_properties_in_all_tiles_of_a_zoom() {
    let text = |s: &str| Value::Text(s.to_owned());
    let base = [("name", text("Mill")), ("floors", Value::Int(3))];
    let swapped = [("floors", Value::Uint(3)), ("name", text("Mill"))];
    let count = |z: u8, id: u64, tags: &[(&str, Value)]| {
        sweep(&[
            (coord(14, 1, 1), tagged(7, &base)),
            (coord(z, 9, 9), tagged(id, tags)),
        ])
        .differing_ids
    };
    assert_eq!(count(14, 7, &base), 0);
    assert_eq!(count(14, 7, &swapped), 0);
    let others = [
        vec![("name", text("Mill"))],
        vec![("name", text("Mill")), ("floors", Value::Int(4))],
        vec![("name", text("Mill")), ("levels", Value::Int(3))],
        vec![("name", Value::Int(3)), ("floors", text("Mill"))],
        vec![("name", text("Mill")), ("floors", text("3"))],
        vec![],
    ];
    let one = tagged(7, &base);
    let named = Hand::new("other").tagged(7, &[], shape(1, &[vec![[2000, 2000]]]));
    let report = sweep(&[(here(), one), (coord(14, 1, 1), named.tile())]);
    assert_eq!(report.differing_ids, 0, "another layer");
    for other in &others {
        assert_eq!(count(14, 7, other), 1, "{other:?}");
        assert_eq!(count(14, 8, other), 0, "another id");
        assert_eq!(count(13, 7, other), 0, "another zoom");
    }
}

#[test]
fn of_each_kind_of_problem_there_are_some_examples() {
    let mut sweep = Sweep::new();
    for x in 0..100 {
        let layer =
            Hand::new(&"long".repeat(1000)).feature(None, shape(3, &[backwards(square(0, 0, 10))]));
        sweep.add(coord(14, x, 0), &layer.tile());
        sweep.add(coord(14, x, 5), &[7]);
    }
    let report = sweep.finish();
    assert_eq!(
        (report.missing_ids, report.winding, report.unreadable),
        (100, 100, 100)
    );
    assert_eq!(report.examples.len(), 3 * EXAMPLES);
    assert!(report.examples.iter().all(|e| e.layer.len() <= 200));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(4), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_do_harm(flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let layer = Hand::new("layer")
            .feature(1, shape(3, &[square(-70, 10, 300), backwards(square(0, 20, 30))]))
            .feature(2, shape(3, &[square(4000, 4000, 170)]))
            .feature(3, shape(2, &[vec![[4000, 0], [4200, 90], [5, 7]]]))
            .feature(4, shape(1, &[vec![[4100, 50], [-9, 4104]]]));
        let mut bytes = layer.tile();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let tiles = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| (coord(14, x, y), bytes.clone()));
        prop_assert_eq!(sweep(&tiles).tiles, 4);
    }

    /// Vertices anywhere near: what crosses and overlaps is measured without a panic, and never negative.
    #[test]
    fn garbage_is_measured(rings in vec(vec((-20..40_i32, -20..40_i32), 3..12), 1..12)) {
        let mut layer = Hand::new("layer");
        for (id, ring) in (0..).zip(&rings) {
            let ring: Vec<_> = ring.iter().map(|&(x, y)| [x, y]).collect();
            layer = layer.feature(id, shape(3, &[ring]));
        }
        let report = alone(&layer.tile());
        let counts = report.layers["layer"];
        prop_assert!(counts.area >= -1e-6 && counts.overlap >= -1e-6, "{:?}", counts);
        prop_assert!(counts.area <= 1600.0 * rings.len() as f64);
    }
}
