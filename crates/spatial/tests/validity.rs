//! Validity by OGC Simple Features: each kind of defect, and agreement of the two ways of looking at a ring.

use geo::Area;
use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};
use spatial::validity::{DefectKind, check, repair};

type Points = Vec<(i32, i32)>;

fn ring(points: &[(i32, i32)]) -> LineString<f64> {
    LineString(
        points
            .iter()
            .map(|(x, y)| Coord {
                x: f64::from(*x),
                y: f64::from(*y),
            })
            .collect(),
    )
}

fn square(x: i32, y: i32, size: i32) -> Vec<(i32, i32)> {
    vec![
        (x, y),
        (x + size, y),
        (x + size, y + size),
        (x, y + size),
        (x, y),
    ]
}

fn polygon(rings: &[Vec<(i32, i32)>]) -> Polygon<f64> {
    Polygon::new(
        ring(&rings[0]),
        rings[1..].iter().map(|r| ring(r)).collect(),
    )
}

fn kinds(geometry: Polygon<f64>) -> Vec<DefectKind> {
    check(&Geometry::Polygon(geometry))
        .iter()
        .map(|d| d.kind)
        .collect()
}

fn multi_kinds(parts: Vec<Polygon<f64>>) -> Vec<DefectKind> {
    check(&Geometry::MultiPolygon(MultiPolygon(parts)))
        .iter()
        .map(|d| d.kind)
        .collect()
}

#[test]
fn each_defect_has_its_kind() {
    use DefectKind::*;
    let shell = square(0, 0, 10);
    let cases: Vec<(Vec<Points>, Vec<DefectKind>)> = vec![
        (vec![shell.clone()], vec![]),
        (vec![vec![]], vec![]),
        // A repeated point is none.
        (
            vec![vec![(0, 0), (0, 0), (9, 0), (9, 9), (9, 9), (0, 0), (0, 0)]],
            vec![],
        ),
        (
            vec![vec![(0, 0), (5, 5), (0, 0), (0, 0)]],
            vec![TooFewPoints],
        ),
        (
            vec![vec![(3, 3), (3, 3), (3, 3), (3, 3)]],
            vec![TooFewPoints],
        ),
        (vec![vec![(0, 0), (5, 5), (9, 9), (0, 0)]], vec![ZeroArea]),
        (
            vec![vec![(0, 0), (9, 9), (9, 0), (0, 9), (0, 0)]],
            vec![SelfIntersection],
        ),
        // A spike, outward and inward.
        (
            vec![vec![
                (0, 0),
                (9, 0),
                (9, 9),
                (9, 12),
                (9, 9),
                (0, 9),
                (0, 0),
            ]],
            vec![SelfIntersection],
        ),
        (
            vec![vec![(0, 0), (9, 0), (4, 0), (4, 9), (0, 0)]],
            vec![SelfIntersection],
        ),
        // Touches itself at a vertex; on an edge.
        (
            vec![vec![(0, 0), (4, 4), (8, 0), (8, 8), (4, 4), (0, 8), (0, 0)]],
            vec![RingSelfTouch],
        ),
        (
            vec![vec![(0, 0), (8, 0), (8, 8), (4, 0), (0, 8), (0, 0)]],
            vec![RingSelfTouch],
        ),
        (vec![shell.clone(), square(2, 2, 3)], vec![]),
        (
            vec![shell.clone(), square(2, 2, 3), square(6, 6, 2)],
            vec![],
        ),
        (
            vec![shell.clone(), square(20, 2, 3)],
            vec![HoleOutsideShell],
        ),
        (vec![square(2, 2, 3), shell.clone()], vec![HoleOutsideShell]),
        (
            vec![shell.clone(), square(1, 1, 7), square(3, 3, 2)],
            vec![NestedHoles],
        ),
        (vec![shell.clone(), square(5, 5, 9)], vec![SelfIntersection]),
        (vec![shell.clone(), shell.clone()], vec![DuplicateRings]),
        (
            vec![shell.clone(), square(3, 3, 2), square(3, 3, 2)],
            vec![DuplicateRings],
        ),
        // A hole along an edge of the shell; touching at one vertex, at two.
        (vec![shell.clone(), square(0, 2, 3)], vec![SelfIntersection]),
        (
            vec![shell.clone(), vec![(0, 5), (5, 3), (5, 7), (0, 5)]],
            vec![],
        ),
        (
            vec![shell.clone(), vec![(0, 5), (5, 3), (10, 5), (5, 7), (0, 5)]],
            vec![DisconnectedInterior],
        ),
        (
            vec![shell.clone(), vec![(0, 0), (5, 3), (3, 5), (0, 0)]],
            vec![],
        ),
        // From outside.
        (
            vec![shell.clone(), vec![(0, 5), (-5, 3), (-5, 7), (0, 5)]],
            vec![HoleOutsideShell],
        ),
        // Two holes that touch once, and twice.
        (
            vec![shell.clone(), square(1, 1, 3), square(4, 4, 3)],
            vec![],
        ),
        (
            vec![
                shell.clone(),
                vec![(2, 2), (5, 3), (8, 2), (5, 1), (2, 2)],
                vec![(2, 2), (5, 5), (8, 2), (5, 8), (2, 2)],
            ],
            vec![DisconnectedInterior],
        ),
        // Three holes that meet in one point cut nothing off.
        (
            vec![
                shell.clone(),
                vec![(5, 5), (8, 4), (8, 6), (5, 5)],
                vec![(5, 5), (2, 4), (2, 6), (5, 5)],
                vec![(5, 5), (4, 8), (6, 8), (5, 5)],
            ],
            vec![],
        ),
        // A ring of holes cuts off what it surrounds.
        (
            vec![
                shell.clone(),
                vec![(2, 2), (5, 1), (8, 2), (2, 2)],
                vec![(8, 2), (9, 5), (8, 8), (8, 2)],
                vec![(8, 8), (5, 9), (2, 8), (8, 8)],
                vec![(2, 8), (1, 5), (2, 2), (2, 8)],
            ],
            vec![DisconnectedInterior],
        ),
    ];
    for (rings, expected) in cases {
        assert_eq!(kinds(polygon(&rings)), expected, "{rings:?}");
        // Looked at from the other end and the other way round it is the same.
        let turned: Vec<Vec<(i32, i32)>> = rings
            .iter()
            .map(|r| r.iter().rev().map(|(x, y)| (-*y, *x)).collect())
            .collect();
        assert_eq!(kinds(polygon(&turned)), expected, "{turned:?}");
    }
}

#[test]
fn parts_may_touch_in_points_but_not_share_area() {
    use DefectKind::*;
    let part = |x, y, size| polygon(&[square(x, y, size)]);
    let ring = polygon(&[square(0, 0, 10), square(2, 2, 6)]);
    for (parts, expected) in [
        (vec![part(0, 0, 2), part(5, 5, 2)], vec![]),
        (vec![part(0, 0, 2), part(2, 2, 2)], vec![]),
        (vec![part(0, 0, 5), part(3, 3, 5)], vec![OverlappingParts]),
        (vec![part(0, 0, 9), part(3, 3, 2)], vec![NestedShells]),
        (vec![part(3, 3, 2), part(0, 0, 9)], vec![NestedShells]),
        (vec![part(0, 0, 2), part(2, 0, 2)], vec![SelfIntersection]),
        (vec![part(0, 0, 2), part(0, 0, 2)], vec![DuplicateRings]),
        // In the hole of another part.
        (vec![ring.clone(), part(4, 4, 2)], vec![]),
        (vec![part(4, 4, 2), ring.clone()], vec![]),
        (vec![ring, part(1, 1, 8)], vec![OverlappingParts]),
    ] {
        let kinds = multi_kinds(parts.clone());
        let crossed = [OverlappingParts, HoleOutsideShell, NestedShells];
        match expected.as_slice() {
            [OverlappingParts] => assert!(
                kinds.iter().all(|k| crossed.contains(k)) && !kinds.is_empty(),
                "{kinds:?}"
            ),
            expected => assert_eq!(kinds, expected, "{parts:?}"),
        }
    }
}

#[test]
fn lines_points_and_numbers_that_are_none() {
    let line = |points: &[(i32, i32)]| Geometry::LineString(ring(points));
    assert!(check(&line(&[(0, 0), (1, 1), (0, 0)])).is_empty());
    assert!(check(&line(&[])).is_empty());
    assert_eq!(
        check(&line(&[(1, 1), (1, 1)]))[0].kind,
        DefectKind::TooFewPoints
    );
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for i in 0..5 {
            let mut points = ring(&square(0, 0, 5));
            points.0[i].y = bad;
            let geometry = Geometry::Polygon(Polygon::new(points, vec![]));
            assert_eq!(check(&geometry)[0].kind, DefectKind::NotFinite, "{bad} {i}");
            assert_eq!(repair(&geometry), None);
        }
        let point = Geometry::Point(geo_types::point!(x: bad, y: 0.0));
        assert_eq!(check(&point)[0].kind, DefectKind::NotFinite);
    }
}

#[test]
fn the_place_and_the_part_are_named() {
    let good = polygon(&[square(100, 100, 2)]);
    let bow_tie = polygon(&[vec![(0, 0), (4, 4), (4, 0), (0, 4), (0, 0)]]);
    let defects = check(&Geometry::MultiPolygon(MultiPolygon(vec![good, bow_tie])));
    assert_eq!((defects[0].location, defects[0].part), ([2.0, 2.0], 1));
}

/// `splitmix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    /// On a small grid, so that touches, overlaps and repeated points are frequent.
    fn ring(&mut self, grid: u64) -> Vec<(i32, i32)> {
        let n = 3 + self.below(7);
        (0..n)
            .map(|_| (self.below(grid) as i32, self.below(grid) as i32))
            .collect()
    }
}

/// Looked at as it is, a small ring is tried pair by pair; with a far second part it is swept.
#[test]
fn trying_all_pairs_and_sweeping_agree() {
    let mut random = Random(11);
    let far = polygon(&[square(1000, 1000, 1)]);
    let (mut valid, mut invalid) = (0, 0);
    for round in 0..200_000 {
        let one = polygon(&[random.ring(4 + round % 6)]);
        let alone = kinds(one.clone());
        let swept = multi_kinds(vec![one.clone(), far.clone()]);
        assert_eq!(
            alone.is_empty(),
            swept.is_empty(),
            "{one:?} {alone:?} {swept:?}"
        );
        *if alone.is_empty() {
            &mut valid
        } else {
            &mut invalid
        } += 1;
    }
    assert!(valid > 5_000 && invalid > 5_000, "{valid} {invalid}");
}

#[test]
fn what_is_repaired_is_valid_and_keeps_the_area() {
    let mut random = Random(12);
    for _ in 0..20_000 {
        let given = polygon(&[random.ring(12)]);
        let Some(repaired) = repair(&Geometry::Polygon(given.clone())) else {
            continue;
        };
        assert!(check(&repaired).is_empty(), "{given:?}");
    }
    let bow_tie = Geometry::Polygon(polygon(&[vec![(0, 0), (4, 4), (4, 0), (0, 4), (0, 0)]]));
    let repaired = repair(&bow_tie).unwrap();
    assert_eq!(repaired.unsigned_area(), 8.0);
    let Geometry::MultiPolygon(parts) = &repaired else {
        panic!("{repaired:?}")
    };
    assert_eq!(parts.0.len(), 2);
    // An hourglass whose waist is a vertex.
    let touching = Geometry::Polygon(polygon(&[vec![
        (0, 0),
        (4, 4),
        (8, 0),
        (8, 8),
        (4, 4),
        (0, 8),
        (0, 0),
    ]]));
    assert_eq!(repair(&touching).unwrap().unsigned_area(), 32.0);
    let overlapping = vec![polygon(&[square(0, 0, 4)]), polygon(&[square(2, 2, 4)])];
    assert_eq!(
        repair(&Geometry::MultiPolygon(MultiPolygon(overlapping)))
            .unwrap()
            .unsigned_area(),
        28.0
    );
    let hole_outside = Geometry::Polygon(polygon(&[square(0, 0, 4), square(9, 9, 2)]));
    assert_eq!(repair(&hole_outside).unwrap().unsigned_area(), 16.0);
    let flat = Geometry::Polygon(polygon(&[vec![(0, 0), (5, 5), (9, 9), (0, 0)]]));
    assert_eq!(repair(&flat), None);
}

#[test]
fn vertices_of_a_repaired_ring_are_the_given_ones() {
    let given: Vec<Coord<f64>> = [
        (24.710_000_1, 48.920_000_3),
        (24.711, 48.921),
        (24.711_3, 48.920_1),
        (24.710_2, 48.921_7),
    ]
    .map(|(x, y)| Coord { x, y })
    .into();
    let repaired = repair(&Geometry::Polygon(Polygon::new(
        LineString(given.clone()),
        vec![],
    )))
    .unwrap();
    let Geometry::MultiPolygon(parts) = repaired else {
        panic!("two lobes")
    };
    let vertices: Vec<Coord<f64>> = parts
        .0
        .iter()
        .flat_map(|p| p.exterior().0.clone())
        .collect();
    assert!(given.iter().all(|g| vertices.contains(g)), "{vertices:?}");
}

#[test]
fn a_million_vertices_are_looked_at_in_seconds() {
    use std::time::{Duration, Instant};
    let n = 500_000;
    // Long thin teeth on a slant: the box of each one meets the boxes of all others.
    let mut teeth: Vec<Coord<f64>> = Vec::new();
    for i in 0..n {
        let x = f64::from(i) * 1e-6;
        teeth.push(Coord { x, y: -x });
        teeth.push(Coord {
            x: x + 50.0,
            y: 50.0 - x + 0.4e-6,
        });
    }
    teeth.push(Coord { x: 60.0, y: -60.0 });
    teeth.push(Coord { x: -60.0, y: -60.0 });
    let circle = (0..2 * n).map(|i| {
        let t = f64::from(i) / f64::from(2 * n) * std::f64::consts::TAU;
        Coord {
            x: t.cos(),
            y: t.sin(),
        }
    });
    for (name, points) in [("circle", circle.collect::<Vec<_>>()), ("teeth", teeth)] {
        let start = Instant::now();
        let defects = check(&Geometry::Polygon(Polygon::new(LineString(points), vec![])));
        let took = start.elapsed();
        println!("{name}: {took:?} {defects:?}");
        // Trying all pairs takes hours.
        assert!(took < Duration::from_secs(20), "{name} {took:?}");
    }
}

/// Whatever numbers come in, there is an answer.
#[test]
fn no_coordinates_make_it_panic() {
    let mut random = Random(13);
    let odd = [
        0.0,
        -0.0,
        1e-320,
        f64::MIN_POSITIVE,
        1e300,
        -1e300,
        f64::MAX,
        f64::MIN,
        1.0,
        1.0 + f64::EPSILON,
        1e-9,
    ];
    for round in 0..20_000 {
        let coordinate = |random: &mut Random| match random.below(3) {
            0 => random.below(5) as f64,
            _ => odd[random.below(odd.len() as u64) as usize],
        };
        let mut ring = |n: u64| {
            let n = random.below(n);
            LineString(
                (0..n)
                    .map(|_| Coord {
                        x: coordinate(&mut random),
                        y: coordinate(&mut random),
                    })
                    .collect::<Vec<_>>(),
            )
        };
        let parts = (0..1 + round % 3).map(|_| {
            Polygon::new(
                ring(if round % 50 == 0 { 200 } else { 9 }),
                vec![ring(6), ring(4)],
            )
        });
        let geometry = Geometry::MultiPolygon(MultiPolygon(parts.collect()));
        check(&geometry);
        if let Some(repaired) = repair(&geometry) {
            assert!(check(&repaired).is_empty(), "{geometry:?}");
        }
        let bbox = model::Bbox::new(&[-1.0, -1.0, 2.0, 2.0]).unwrap();
        spatial::intersects(&geometry, &bbox);
        let features = vec![(1, geometry.clone()), (2, geometry)];
        spatial::validity::coverage(features, &spatial::validity::CoverageOptions::default());
    }
}
