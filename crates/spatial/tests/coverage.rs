//! Gaps and overlaps of a made-up town.

use geo::{Area, BooleanOps, unary_union};
use geo_types::{Coord, Geometry, LineString, Polygon, Rect};
use spatial::validity::{CoverageKind, CoverageOptions, coverage};

/// Parcels of a bent grid of `n` by `n`, about 30 m each, that share all vertices; each side has two more of them.
fn town(n: usize) -> Vec<(i64, Polygon<f64>)> {
    let at = |i: f64, j: f64| {
        let bend = |v: f64| (v * 1.7).sin() * 0.2;
        Coord {
            x: 24.7 + (i + bend(j + 0.3 * i)) * 4e-4,
            y: 48.9 + (j + bend(i - 0.2 * j)) * 2.7e-4,
        }
    };
    let mut parcels = Vec::new();
    for j in 0..n {
        for i in 0..n {
            let corners =
                [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)].map(|(i, j)| (i as f64, j as f64));
            let mut ring = Vec::new();
            for k in 0..4 {
                let (a, b) = (corners[k], corners[(k + 1) % 4]);
                // From the lower end in both directions, so that both sides compute the same vertices.
                let steps: Vec<Coord<f64>> = {
                    let (low, high) = if a < b { (a, b) } else { (b, a) };
                    let point =
                        |t: f64| at(low.0 + (high.0 - low.0) * t, low.1 + (high.1 - low.1) * t);
                    let steps = [point(0.0), point(0.3), point(0.6), point(1.0)];
                    if a < b {
                        steps.into()
                    } else {
                        steps.into_iter().rev().collect()
                    }
                };
                ring.extend_from_slice(&steps[..3]);
            }
            parcels.push(((j * n + i) as i64, Polygon::new(LineString(ring), vec![])));
        }
    }
    parcels
}

fn geometries(parcels: &[(i64, Polygon<f64>)]) -> Vec<(i64, Geometry<f64>)> {
    parcels
        .iter()
        .map(|(fid, p)| (*fid, Geometry::Polygon(p.clone())))
        .collect()
}

/// Square metres, roughly.
fn meters(degrees: f64) -> f64 {
    degrees * 111_250.0 * 111_300.0 * 48.9_f64.to_radians().cos()
}

#[test]
fn a_town_that_shares_its_vertices_has_neither() {
    let found = coverage(geometries(&town(20)), &CoverageOptions::default());
    assert!(
        found.defects.is_empty() && found.skipped == 0,
        "{:?}",
        found.defects
    );
}

#[test]
fn a_moved_vertex_is_an_overlap_on_one_side_and_a_gap_on_the_other() {
    let mut parcels = town(10);
    // The middle of the southern side of parcel 55 goes north: a gap to 45; its eastern side goes east: over 56.
    parcels[55].1.exterior_mut(|ring| {
        ring.0[1].y += 3e-5;
        ring.0[4].x += 4e-5;
    });
    let found = coverage(geometries(&parcels), &CoverageOptions::default()).defects;
    let kinds: Vec<_> = found.iter().map(|d| (d.kind, d.fids.clone())).collect();
    assert_eq!(
        kinds,
        [
            (CoverageKind::Overlap, vec![55, 56]),
            (CoverageKind::Gap, vec![45, 55])
        ]
    );
    let overlap = meters(parcels[55].1.intersection(&parcels[56].1).unsigned_area());
    assert!(
        (found[0].area - overlap).abs() < 0.01 * overlap,
        "{} {overlap}",
        found[0].area
    );
    for defect in &found {
        let inside = Coord {
            x: defect.location[0],
            y: defect.location[1],
        };
        let holders = parcels
            .iter()
            .filter(|(_, p)| geo::Contains::contains(p, &geo_types::Point(inside)))
            .count();
        assert_eq!(
            holders,
            if defect.kind == CoverageKind::Overlap {
                2
            } else {
                0
            }
        );
    }
}

#[test]
fn a_vertex_that_only_one_side_has_is_rounding() {
    let mut parcels = town(10);
    // A vertex on the straight line between two others, off it only by rounding.
    parcels[55].1.exterior_mut(|ring| {
        let (a, b) = (ring.0[1], ring.0[2]);
        ring.0.insert(
            2,
            Coord {
                x: f64::midpoint(a.x, b.x),
                y: f64::midpoint(a.y, b.y),
            },
        );
    });
    assert!(
        coverage(geometries(&parcels), &CoverageOptions::default())
            .defects
            .is_empty()
    );
}

#[test]
fn duplicates_and_polygons_over_many_others_are_found() {
    let mut parcels = town(10);
    parcels.push((1000, parcels[33].1.clone()));
    let found = coverage(geometries(&parcels), &CoverageOptions::default()).defects;
    assert_eq!(
        found.iter().map(|d| d.fids.clone()).collect::<Vec<_>>(),
        [[33, 1000]]
    );
    // The whole town once more as one polygon lies over each parcel, also over those that share all their edges.
    let mut parcels = town(10);
    let all = unary_union(parcels.iter().map(|(_, p)| p)).0.remove(0);
    parcels.push((1000, all));
    let found = coverage(geometries(&parcels), &CoverageOptions::default()).defects;
    let pairs: Vec<_> = found.iter().map(|d| d.fids.clone()).collect();
    assert_eq!(pairs, (0..100).map(|i| vec![i, 1000]).collect::<Vec<_>>());
    let sum: f64 = found.iter().map(|d| d.area).sum();
    let expected: f64 = parcels[..100]
        .iter()
        .map(|(_, p)| meters(p.unsigned_area()))
        .sum();
    assert!((sum - expected).abs() < 0.01 * expected);
}

#[test]
fn a_missing_parcel_is_a_gap_when_it_is_small_enough() {
    let mut parcels = town(10);
    let area = meters(parcels.remove(44).1.unsigned_area());
    let options = CoverageOptions::default();
    assert!(coverage(geometries(&parcels), &options).defects.is_empty());
    let found = coverage(
        geometries(&parcels),
        &CoverageOptions {
            max_gap_area: 2_000.0,
            ..options
        },
    )
    .defects;
    assert_eq!(found.len(), 1);
    assert!(
        found[0].kind == CoverageKind::Gap && (found[0].area - area).abs() < 0.01 * area,
        "{found:?} {area}"
    );
}

#[test]
fn what_has_no_area_is_counted_and_defects_are_capped() {
    let square = |x: f64| Geometry::Rect(Rect::new((x, 0.0), (x + 1.0, 1.0)));
    let point = Geometry::Point(geo_types::point!(x: 0.0, y: 0.0));
    let bad = Geometry::Polygon(Polygon::new(
        LineString(vec![
            Coord {
                x: f64::NAN,
                y: 0.0
            };
            4
        ]),
        vec![],
    ));
    let Geometry::Rect(rect) = square(0.0) else {
        return;
    };
    let same = Geometry::Polygon(rect.to_polygon());
    let features = vec![
        (1, point),
        (2, bad),
        (3, same.clone()),
        (4, same.clone()),
        (5, same),
    ];
    let found = coverage(
        features,
        &CoverageOptions {
            max_defects: 2,
            ..CoverageOptions::default()
        },
    );
    assert_eq!(
        (found.skipped, found.defects.len(), found.left_out),
        (2, 2, 1)
    );
}

/// Random damage: the overlaps and their sum agree with those of all pairs.
#[test]
fn overlaps_agree_with_trying_all_pairs() {
    let mut state = 5_u64;
    let mut random = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for round in 0..30 {
        let mut parcels = town(8);
        for _ in 0..random(12) {
            let victim = random(64) as usize;
            let vertex = random(12) as usize;
            let (dx, dy) = (
                random(200) as f64 * 1e-6 - 1e-4,
                random(200) as f64 * 1e-6 - 1e-4,
            );
            parcels[victim].1.exterior_mut(|ring| {
                if vertex > 0 {
                    ring.0[vertex].x += dx;
                    ring.0[vertex].y += dy;
                }
            });
        }
        let found = coverage(geometries(&parcels), &CoverageOptions::default()).defects;
        let found: Vec<Vec<i64>> = found
            .into_iter()
            .filter(|d| d.kind == CoverageKind::Overlap)
            .map(|d| d.fids)
            .collect();
        let mut expected = Vec::new();
        for (i, a) in parcels.iter().enumerate() {
            for b in &parcels[i + 1..] {
                if meters(a.1.intersection(&b.1).unsigned_area()) >= 0.01 {
                    expected.push(vec![a.0, b.0]);
                }
            }
        }
        assert_eq!(found, expected, "{round}");
    }
}

#[test]
fn gaps_and_overlaps_add_up() {
    // Covered area + gaps = area of the outline, for damage inside the town.
    let mut parcels = town(12);
    for (victim, vertex) in [(40, 4), (53, 7), (66, 1), (91, 2), (78, 10)] {
        parcels[victim].1.exterior_mut(|ring| {
            ring.0[vertex].x += 2.3e-5;
            ring.0[vertex].y += 1.9e-5;
        });
    }
    let found = coverage(geometries(&parcels), &CoverageOptions::default()).defects;
    let sum = |kind| {
        found
            .iter()
            .filter(|d| d.kind == kind)
            .map(|d| d.area)
            .sum::<f64>()
    };
    let whole = meters(unary_union(town(12).iter().map(|(_, p)| p)).unsigned_area());
    let parts: f64 = parcels.iter().map(|(_, p)| meters(p.unsigned_area())).sum();
    let difference = whole - (parts - sum(CoverageKind::Overlap) + sum(CoverageKind::Gap));
    assert!(
        sum(CoverageKind::Gap) > 1.0 && difference.abs() < 0.5,
        "{difference} {found:?}"
    );
}
