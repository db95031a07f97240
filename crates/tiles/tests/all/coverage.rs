//! Neighbours agree: gap-free coverages of parcels stay gap-free in tiles.

use std::collections::HashMap;

use model::world::{WorldBuf, WorldPoint};
use tiles::decode::{Geometry, Layer};
use tiles::{LayerBuilder, TileCoord};

use crate::support::{Random, coord, cut, decoded, polygons};

/// A jittered grid of parcels with extra vertices on their common edges; some have islands. In pixels of a tile
/// times 256, so that vertices fall between pixels.
struct Coverage {
    parcels: Vec<WorldBuf>,
    /// West, north, east, south, pixels: certainly covered.
    covered: [f64; 4],
}

struct Plan {
    tile: TileCoord,
    /// North-western corner in pixels of the tile.
    corner: [f64; 2],
    /// Cell size in pixels.
    cell: f64,
    columns: usize,
    rows: usize,
    /// How far a vertex may be off, in cells.
    wild: f64,
}

fn coverage(plan: &Plan, random: &mut Random) -> Coverage {
    let Plan {
        tile,
        corner,
        cell,
        columns,
        rows,
        wild,
    } = *plan;
    let to_world = |p: [f64; 2]| crate::support::world(tile, p);
    let mut node = |i: usize, j: usize| {
        let jitter = [random.unit() * wild, random.unit() * wild];
        [
            corner[0] + (i as f64 + jitter[0]) * cell,
            corner[1] + (j as f64 + jitter[1]) * cell,
        ]
    };
    let nodes: Vec<Vec<[f64; 2]>> = (0..=rows)
        .map(|j| (0..=columns).map(|i| node(i, j)).collect())
        .collect();
    // Vertices between two nodes, from the one on to the other.
    let mut between = |a: [f64; 2], b: [f64; 2]| -> Vec<WorldPoint> {
        let count = random.below(5);
        let mut line = vec![to_world(a)];
        for k in 1..=count {
            let t = k as f64 / (count + 1) as f64;
            let off = [
                random.unit() * wild * cell * 0.3,
                random.unit() * wild * cell * 0.3,
            ];
            line.push(to_world([
                a[0] + (b[0] - a[0]) * t + off[0],
                a[1] + (b[1] - a[1]) * t + off[1],
            ]));
        }
        line.push(to_world(b));
        line
    };
    let across: Vec<Vec<Vec<WorldPoint>>> = (0..=rows)
        .map(|j| {
            (0..columns)
                .map(|i| between(nodes[j][i], nodes[j][i + 1]))
                .collect()
        })
        .collect();
    let down: Vec<Vec<Vec<WorldPoint>>> = (0..rows)
        .map(|j| {
            (0..=columns)
                .map(|i| between(nodes[j][i], nodes[j + 1][i]))
                .collect()
        })
        .collect();
    let mut parcels = Vec::new();
    for j in 0..rows {
        for i in 0..columns {
            let back = |line: &[WorldPoint]| line.iter().rev().copied().collect::<Vec<_>>();
            let sides = [
                across[j][i].clone(),
                down[j][i + 1].clone(),
                back(&across[j + 1][i]),
                back(&down[j][i]),
            ];
            let mut ring: Vec<WorldPoint> = sides
                .iter()
                .flat_map(|s| s[..s.len() - 1].iter().copied())
                .collect();
            if random.below(2) == 0 {
                ring.reverse();
            }
            let shift = usize::try_from(random.below(ring.len() as u64)).unwrap();
            ring.rotate_left(shift);
            let mut rings = vec![(false, ring)];
            if random.below(8) == 0 {
                let middle = [
                    corner[0] + (i as f64 + 0.5) * cell,
                    corner[1] + (j as f64 + 0.5) * cell,
                ];
                let island: Vec<WorldPoint> = (0..9)
                    .map(|k| {
                        let angle = f64::from(k) / 9.0 * std::f64::consts::TAU;
                        let r = cell * 0.15 * (1.0 + 0.5 * random.unit());
                        to_world([middle[0] + r * angle.cos(), middle[1] + r * angle.sin()])
                    })
                    .collect();
                parcels.push(polygons(&[(false, island.clone())]));
                rings.push((true, island));
            }
            parcels.push(polygons(&rings));
        }
    }
    let margin = cell * (wild * 1.5 + 0.01) + 2.0;
    let far = [
        corner[0] + columns as f64 * cell,
        corner[1] + rows as f64 * cell,
    ];
    let covered = [
        corner[0] + margin,
        corner[1] + margin,
        far[0] - margin,
        far[1] - margin,
    ];
    Coverage { parcels, covered }
}

/// A plan somewhere in the world whose coverage reaches over the tile's edges or lies within it.
fn plan(random: &mut Random, cell: f64, wild: f64) -> Plan {
    let z = 8 + u8::try_from(random.below(13)).unwrap();
    let size = 1_u64 << z;
    let mut at = || u32::try_from(1 + random.below(size - 2)).unwrap();
    let tile = coord(z, at(), at());
    let (columns, rows) = if cell > 200.0 {
        ((4500.0 / cell) as usize, (4500.0 / cell) as usize)
    } else {
        (40, 30)
    };
    let reach = 4096.0 + 128.0 - columns as f64 * cell;
    let mut start = || {
        if cell > 200.0 {
            -200.0 + random.unit() * 50.0
        } else {
            -64.0 + (random.unit() + 1.0) / 2.0 * reach
        }
    };
    let corner = [start(), start()];
    Plan {
        tile,
        corner,
        cell,
        columns,
        rows,
        wild,
    }
}

fn rings(layer: &Layer) -> impl Iterator<Item = (u64, &[Vec<[i32; 2]>])> {
    layer.features.iter().filter_map(|f| match &f.geometry {
        Geometry::Rings(rings) => Some((f.id.unwrap(), &rings[..])),
        _ => None,
    })
}

/// The widest stretch without any polygon on the lines y = n + 1/2 of the covered part of the tile.
fn widest_gap(layer: &Layer, covered: [f64; 4]) -> f64 {
    let [west, north, east, south] = [
        covered[0].max(0.0),
        covered[1].max(0.0),
        covered[2].min(4096.0),
        covered[3].min(4096.0),
    ];
    let first = north.ceil() as i32;
    let lines = usize::try_from((south.floor() as i32 - first).max(0)).unwrap();
    let mut spans: Vec<Vec<[f64; 2]>> = vec![Vec::new(); lines];
    let mut crossings: Vec<Vec<f64>> = vec![Vec::new(); lines];
    for (_, polygon) in rings(layer) {
        let mut touched = Vec::new();
        for ring in polygon {
            for (&a, &b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
                // The same arithmetic for both directions of an edge.
                let (a, b) = if a <= b { (a, b) } else { (b, a) };
                let (low, high) = (
                    a[1].min(b[1]).max(first),
                    a[1].max(b[1]).min(first + lines as i32),
                );
                for y in low..high {
                    let t = (f64::from(y) + 0.5 - f64::from(a[1])) / f64::from(b[1] - a[1]);
                    let line = (y - first) as usize;
                    crossings[line].push(f64::from(a[0]) + t * f64::from(b[0] - a[0]));
                    touched.push(line);
                }
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for line in touched {
            crossings[line].sort_by(f64::total_cmp);
            spans[line].extend(crossings[line].chunks_exact(2).map(|c| [c[0], c[1]]));
            crossings[line].clear();
        }
    }
    let mut widest = 0.0_f64;
    for line in &mut spans {
        line.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let mut reached = west;
        for [from, to] in line.iter() {
            widest = widest.max(from.min(east) - reached);
            reached = reached.max(*to);
        }
        widest = widest.max(east - reached);
    }
    widest
}

#[test]
fn no_gap_opens_in_200_random_tiles() {
    let mut random = Random(11);
    let (mut repaired, mut total) = (0, 0);
    for round in 0..200 {
        // From parcels of less than two pixels to some as large as a quarter of the tile.
        let cell = 1.5 * (1.033_f64).powi(round);
        let plan = plan(&mut random, cell, 0.42);
        let coverage = coverage(&plan, &mut random);
        let mut builder = LayerBuilder::new(plan.tile, "test", &[]);
        for (id, parcel) in (1..).zip(&coverage.parcels) {
            builder.add(id, parcel.view(), []);
        }
        assert_eq!(builder.dropped(), 0);
        let layer = decoded(builder).unwrap().layers.remove(0);
        total += layer.features.len();
        repaired += rings(&layer)
            .filter(|(_, r)| r.iter().filter(|r| area2(r) > 0).count() > 1)
            .count();
        let gap = widest_gap(&layer, coverage.covered);
        assert!(
            gap < 1e-6,
            "round {round}, {:?}, cell {cell:.1}: a gap of {gap} pixels",
            plan.tile
        );
    }
    println!("{total} features, {repaired} of them in several parts");
    assert!(
        repaired > 100,
        "the coverages are too tame: {repaired} of {total}"
    );
}

fn area2(ring: &[[i32; 2]]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1]))
        .sum()
}

/// With parcels of 40 pixels and more nothing needs repair, and each edge that shows is in exactly two parcels.
#[test]
fn each_shared_edge_is_in_both_neighbours() {
    let mut random = Random(12);
    let mut compared = 0;
    for round in 0..200 {
        let cell = 40.0 * 1.02_f64.powi(round);
        let plan = plan(&mut random, cell, 0.12);
        let coverage = coverage(&plan, &mut random);
        let layer = cut(plan.tile, &coverage.parcels).unwrap();
        let mut edges: HashMap<[[i32; 2]; 2], u32> = HashMap::new();
        for (_, polygon) in rings(&layer) {
            for ring in polygon {
                for (&a, &b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
                    *edges
                        .entry(if a <= b { [a, b] } else { [b, a] })
                        .or_default() += 1;
                }
            }
        }
        let [west, north, east, south] = coverage.covered;
        for (edge, count) in edges {
            let shows = edge.iter().any(|p| {
                let [x, y] = p.map(f64::from);
                west.max(0.0) < x
                    && x < east.min(4096.0)
                    && north.max(0.0) < y
                    && y < south.min(4096.0)
            });
            if shows {
                assert_eq!(count, 2, "round {round}, {:?}: {edge:?}", plan.tile);
                compared += 1;
            }
        }
    }
    assert!(compared > 100_000, "{compared}");
}

/// Both tiles at a seam hold the same vertices in the strip that both show.
#[test]
fn tiles_agree_across_their_seam() {
    let mut random = Random(13);
    let mut compared = 0;
    for round in 0..60 {
        let cell = 30.0 + f64::from(round) * 5.0;
        let mut plan = plan(&mut random, cell, 0.12);
        let size = 20.0 * cell;
        plan.corner = [4096.0 - size / 2.0, 300.0];
        (plan.columns, plan.rows) = (20, 10);
        let coverage = coverage(&plan, &mut random);
        let east = coord(plan.tile.z(), plan.tile.x() + 1, plan.tile.y());
        let vertices = |tile: TileCoord, moved: i32| {
            let layer = cut(tile, &coverage.parcels).unwrap();
            let mut all: Vec<(u64, [i32; 2])> = Vec::new();
            for (id, polygon) in rings(&layer) {
                all.extend(polygon.iter().flatten().map(|p| (id, [p[0] + moved, p[1]])));
            }
            // Clipping makes vertices on the sides of either square.
            all.retain(|(_, p)| {
                (4096 - 63..4096 + 64).contains(&p[0]) && (0..=4096).contains(&p[1])
            });
            all.sort_unstable();
            all
        };
        let (here, there) = (vertices(plan.tile, 0), vertices(east, 4096));
        assert_eq!(here, there, "round {round}");
        compared += here.len();
    }
    assert!(compared > 2_000, "{compared}");
}
