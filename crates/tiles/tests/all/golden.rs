//! Small tiles compared as text.

use model::world::WorldPoint;
use tiles::{LayerBuilder, TileCoord, TileValue};

use crate::support::{coord, decoded, lines, points, polygons, text, values, world};

fn tile() -> TileCoord {
    coord(14, 9316, 5651)
}

fn at(pixels: &[[f64; 2]]) -> Vec<WorldPoint> {
    pixels.iter().map(|&p| world(tile(), p)).collect()
}

fn ring(pixels: &[[f64; 2]]) -> (bool, Vec<WorldPoint>) {
    (false, at(pixels))
}

fn hole(pixels: &[[f64; 2]]) -> (bool, Vec<WorldPoint>) {
    (true, at(pixels))
}

#[test]
fn rings_are_directed_whatever_the_source_does() {
    let shell = [[10., 10.], [10., 50.], [50., 50.], [50., 10.]];
    let inner = [[20., 20.], [20., 30.], [30., 30.]];
    let (mut back, mut inner_back) = (shell, inner);
    back.reverse();
    inner_back.reverse();
    let features = [
        polygons(&[ring(&shell), hole(&inner)]),
        polygons(&[ring(&back), hole(&inner_back)]),
    ];
    assert_eq!(
        text(tile(), &features),
        "layer test v2 extent 4096\n  \
         1: rings (50 10, 50 50, 10 50, 10 10) (20 20, 20 30, 30 30)\n  \
         2: rings (50 10, 50 50, 10 50, 10 10) (20 20, 20 30, 30 30)\n"
    );
}

#[test]
fn a_polygon_over_the_whole_tile_is_the_buffered_square() {
    let far = [
        [-9000., -9000.],
        [20000., -9000.],
        [20000., 20000.],
        [-9000., 20000.],
    ];
    // One that wanders around outside, and one that goes around twice.
    let wander = [
        [-9000., -9000.],
        [2000., -300.],
        [2000., -9000.],
        [9000., -9000.],
        [9000., 9000.],
        [-100., 9000.],
        [-9000., 100.],
        [-100., 90.],
        [-9000., 80.],
    ];
    let twice: Vec<_> = far.iter().chain(&far).copied().collect();
    let features = [&far[..], &wander, &twice].map(|r| polygons(&[ring(r)]));
    let text = text(tile(), &features);
    let mut lines = text.lines().skip(1);
    for id in 1..=3 {
        let line = lines.next().unwrap();
        let mut corners: Vec<_> = line.split(['(', ')', ',']).skip(1).map(str::trim).collect();
        // Any corner may come first.
        corners.sort_unstable();
        assert_eq!(
            corners,
            ["", "-64 -64", "-64 4160", "4160 -64", "4160 4160"],
            "{id}: {line}"
        );
    }
}

#[test]
fn a_comb_is_cut_into_its_teeth() {
    let comb = [
        [5000., 0.],
        [4000., 0.],
        [4000., 100.],
        [4900., 100.],
        [4900., 200.],
        [4000., 200.],
        [4000., 300.],
        [4900., 300.],
        [4900., 400.],
        [4000., 400.],
        [4000., 500.],
        [5000., 500.],
    ];
    // Without bridges along the side of the square.
    assert_eq!(
        text(tile(), &[polygons(&[ring(&comb)])]),
        "layer test v2 extent 4096\n  \
         1: rings (4000 0, 4160 0, 4160 100, 4000 100) (4000 200, 4160 200, 4160 300, 4000 300) (4000 400, 4160 400, 4160 500, 4000 500)\n"
    );
}

#[test]
fn a_figure_of_eight_keeps_both_lobes() {
    let eight = polygons(&[ring(&[[0., 0.], [100., 100.], [100., 0.], [0., 100.]])]);
    assert_eq!(
        text(tile(), &[eight]),
        "layer test v2 extent 4096\n  1: rings (0 0, 50 50, 0 100) (50 50, 100 0, 100 100)\n"
    );
}

#[test]
fn a_hole_along_the_edge_is_cut_out() {
    let shell = [[0., 0.], [100., 0.], [100., 100.], [0., 100.]];
    let notch = [[0., 20.], [0., 40.], [30., 40.], [30., 20.]];
    assert_eq!(
        text(tile(), &[polygons(&[ring(&shell), hole(&notch)])]),
        "layer test v2 extent 4096\n  \
         1: rings (0 0, 100 0, 100 100, 0 100, 0 40, 30 40, 30 20, 0 20)\n"
    );
}

#[test]
fn collapsed_exteriors_take_their_holes_with_them() {
    let thin = polygons(&[
        ring(&[[10., 10.], [500., 10.2], [500., 10.3]]),
        hole(&[[20., 10.], [30., 10.], [30., 20.], [20., 20.]]),
    ]);
    let collapsed_hole = polygons(&[
        ring(&[[0., 0.], [9., 0.], [9., 9.], [0., 9.]]),
        hole(&[[4., 4.], [4.2, 4.], [4.2, 4.2]]),
    ]);
    assert_eq!(
        text(tile(), &[thin, collapsed_hole]),
        "layer test v2 extent 4096\n  2: rings (0 0, 9 0, 9 9, 0 9)\n"
    );
}

#[test]
fn lines_are_clipped_into_pieces() {
    let pieces = lines(&[
        at(&[[0., 0.], [5000., 0.], [5000., 10.], [0., 10.]]),
        at(&[[7., 7.], [7.2, 7.2]]),
        at(&[[1., 1.], [1., 1.], [2., 2.], [2.3, 2.3], [3., 9.]]),
        // Along the very edge of the square, past its corner, and touching it with one vertex.
        at(&[[4352., 5.], [4352., 50.]]),
        at(&[[4800., 0.], [4000., -500.]]),
        at(&[[4352., 60.], [4400., 60.]]),
    ]);
    assert_eq!(
        text(tile(), &[pieces]),
        "layer test v2 extent 4096\n  \
         1: lines (0 0, 4352 0) (4352 10, 0 10) (1 1, 2 2, 3 9) (4352 5, 4352 50)\n"
    );
}

#[test]
fn points_beyond_the_buffer_go_one_by_one() {
    let all = points(&at(&[
        [-64., 0.],
        [-65., 0.],
        [0., 0.],
        [4160., 4160.],
        [4161., 0.],
        [7.4, 7.5],
    ]));
    let beyond = points(&at(&[[-66., 0.]]));
    assert_eq!(
        text(tile(), &[beyond, all]),
        "layer test v2 extent 4096\n  2: points (-64 0, 0 0, 4160 4160, 7 8)\n"
    );
}

#[test]
fn a_point_on_the_edge_is_in_both_tiles() {
    let on_edge = points(&at(&[[4096., 10.]]));
    assert_eq!(
        text(tile(), std::slice::from_ref(&on_edge)),
        "layer test v2 extent 4096\n  1: points (4096 10)\n"
    );
    assert_eq!(
        text(coord(14, 9317, 5651), &[on_edge]),
        "layer test v2 extent 4096\n  1: points (0 10)\n"
    );
}

#[test]
fn the_buffer_goes_over_the_antimeridian() {
    let last = coord(3, 7, 2);
    let line = lines(&[vec![
        world(coord(3, 0, 2), [10., 5.]),
        world(coord(3, 0, 2), [500., 5.]),
    ]]);
    assert_eq!(
        text(last, std::slice::from_ref(&line)),
        "layer test v2 extent 4096\n  1: lines (4106 5, 4352 5)\n"
    );
    let point = points(&[world(last, [4090., 7.])]);
    assert_eq!(
        text(coord(3, 0, 2), &[point]),
        "layer test v2 extent 4096\n  1: points (-6 7)\n"
    );
    assert_eq!(text(coord(3, 1, 2), &[line]), "");
}

#[test]
fn a_polygon_around_the_world_is_one_piece_at_zoom_0() {
    let all = polygons(&[(
        false,
        vec![
            [0, 1 << 30],
            [u32::MAX, 1 << 30],
            [u32::MAX, 3 << 30],
            [0, 3 << 30],
        ],
    )]);
    assert_eq!(
        text(coord(0, 0, 0), &[all]),
        "layer test v2 extent 4096\n  \
         1: rings (-64 1024, 0 1024, 4096 1024, 4160 1024, 4160 3072, 4096 3072, 0 3072, -64 3072)\n"
    );
}

#[test]
fn properties_keep_type_and_bits() {
    let mut builder = LayerBuilder::new(tile(), "types", &["b", "i", "r", "t", "i"]);
    let here = points(&at(&[[1., 1.]]));
    use TileValue::{Boolean, Integer, Null, Real, Text};
    let rows: [&[TileValue<'_>]; 6] = [
        &[Boolean(true), Integer(1), Real(1.0), Text("1")],
        &[Null, Integer(-1), Real(-0.0), Text("")],
        &[
            Boolean(false),
            Integer(i64::MIN),
            Real(f64::NAN),
            Text("Ґалаґан"),
        ],
        &[
            Null,
            Integer((1 << 53) + 1),
            Real(f64::NEG_INFINITY),
            Null,
            Integer(7),
        ],
        // The second "i" counts when the first has no value; a seventh key does not exist.
        &[Null, Null, Real(0.0), Null, Integer(i64::MAX), Integer(3)],
        &[],
    ];
    for (id, row) in (u64::MAX - 5..=u64::MAX).zip(rows) {
        builder.add(id, here.view(), values(row));
    }
    let text = decoded(builder).unwrap().to_string();
    assert_eq!(
        text,
        "layer types v2 extent 4096\n  \
         18446744073709551610 b=true i=1 r=1.0 t=\"1\": points (1 1)\n  \
         18446744073709551611 i=-1 r=0.0 t=\"\": points (1 1)\n  \
         18446744073709551612 b=false i=-9223372036854775808 t=\"Ґалаґан\": points (1 1)\n  \
         18446744073709551613 i=9007199254740993: points (1 1)\n  \
         18446744073709551614 r=0.0 i=9223372036854775807: points (1 1)\n  \
         18446744073709551615: points (1 1)\n"
    );
}

#[test]
fn nothing_gives_no_layer() {
    assert!(
        LayerBuilder::new(tile(), "empty", &["a"])
            .finish()
            .is_none()
    );
    assert_eq!(text(tile(), &[points(&[]), lines(&[]), polygons(&[])]), "");
}
