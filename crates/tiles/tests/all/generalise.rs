//! Low zooms: what many small shapes look like together.

use std::collections::{BTreeSet, HashMap};

use model::world::{WorldBuf, WorldPoint};
use tiles::decode::Geometry;
use tiles::generalise::{CELLS_BITS, Clusters, Kind, Outline, STEPS, blocks, network};
use tiles::{LayerBuilder, TileCoord, TileValue};

use crate::support::{Random, coord, decoded, lines, polygons, world};

/// Somewhere in a town.
fn tile() -> TileCoord {
    coord(12, 2329, 1407)
}

/// The cells of shapes at a tile's zoom, each in that of its north-western corner.
fn cells(z: u8, kind: Kind, shapes: &[WorldBuf]) -> HashMap<TileCoord, Outline> {
    let mut cells = HashMap::new();
    for shape in shapes {
        let corner = [0, 1].map(|k| shape.coords.iter().map(|p| p[k]).min().unwrap());
        let cell = TileCoord::containing(z + CELLS_BITS, corner).unwrap();
        let outline = cells
            .entry(cell)
            .or_insert_with(|| Outline::new(cell, kind));
        outline.add(shape.view());
    }
    cells.values_mut().for_each(Outline::settle);
    cells
}

/// Those of the zoom before, each from its four quarters.
fn parents(cells: &HashMap<TileCoord, Outline>, kind: Kind) -> HashMap<TileCoord, Outline> {
    let mut parents: HashMap<TileCoord, Outline> = HashMap::new();
    // In no order.
    for (cell, outline) in cells {
        let parent = cell.parent().unwrap();
        let sum = parents
            .entry(parent)
            .or_insert_with(|| Outline::new(parent, kind));
        sum.add_quarter(outline);
    }
    parents.values_mut().for_each(Outline::settle);
    parents
}

/// Of a tile and around it.
fn near(cells: &HashMap<TileCoord, Outline>, tile: TileCoord) -> Vec<&Outline> {
    let across = 1_i64 << CELLS_BITS;
    let is_near = |cell: &TileCoord| {
        let within = |cell: u32, tile: u32| {
            let first = i64::from(tile) * across;
            (first - 1..=first + across).contains(&i64::from(cell))
        };
        within(cell.x(), tile.x()) && within(cell.y(), tile.y())
    };
    let mut found: Vec<&Outline> = cells.values().filter(|c| is_near(&c.cell())).collect();
    found.sort_by_key(|outline| outline.cell());
    found
}

/// A square from one pixel of the tile to another.
fn square(tile: TileCoord, [x, y]: [f64; 2], size: f64) -> WorldBuf {
    let corners = [[x, y], [x + size, y], [x + size, y + size], [x, y + size]];
    polygons(&[(false, corners.map(|p| world(tile, p)).to_vec())])
}

/// Parcels in blocks with streets between them, jittered, neighbours with the same vertices. Pixels of the tile.
fn town(tile: TileCoord, parcel: f64, street: f64, random: &mut Random) -> Vec<WorldBuf> {
    const SIDE: usize = 5;
    let mut all = Vec::new();
    let block = parcel * SIDE as f64 + street;
    let across = (4096.0 / block) as usize + 3;
    for (i, j) in (0..across * across).map(|n| (n / across, n % across)) {
        let mut node = |column: usize, row: usize| {
            let inner = |k: usize| k > 0 && k < SIDE;
            let jitter = [random.unit(), random.unit()].map(|v| v * parcel * 0.2);
            let at = |n: usize, k: usize, jitter: f64| {
                let jitter = if inner(k) { jitter } else { 0.0 };
                (n as f64 - 1.0) * block + k as f64 * parcel + jitter
            };
            world(tile, [at(i, column, jitter[0]), at(j, row, jitter[1])])
        };
        let nodes: Vec<Vec<WorldPoint>> = (0..=SIDE)
            .map(|row| (0..=SIDE).map(|column| node(column, row)).collect())
            .collect();
        for (row, column) in (0..SIDE * SIDE).map(|n| (n / SIDE, n % SIDE)) {
            let ring = vec![
                nodes[row][column],
                nodes[row][column + 1],
                nodes[row + 1][column + 1],
                nodes[row + 1][column],
            ];
            all.push(polygons(&[(false, ring)]));
        }
    }
    all
}

/// Twice the area, holes taken off.
fn area2(polygons: &[Vec<Vec<[i32; 2]>>]) -> i64 {
    let ring = |ring: &Vec<[i32; 2]>| -> i64 {
        let next = ring.iter().skip(1).chain(ring.first());
        let each = ring.iter().zip(next);
        each.map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1]))
            .sum()
    };
    polygons.iter().flatten().map(ring).sum()
}

fn drawn(tile: TileCoord, cells: &HashMap<TileCoord, Outline>) -> Option<tiles::decode::Tile> {
    let mut builder = LayerBuilder::generalised(tile, "test", &[]);
    builder.add_blocks(&blocks(tile, near(cells, tile)));
    decoded(builder)
}

#[test]
fn a_zoom_that_is_made_of_the_next_one_is_the_same_as_from_the_world_at_once() {
    let mut random = Random(1);
    let shapes = town(tile(), 40.0, 20.0, &mut random);
    let mut cells_of = cells(12, Kind::Polygons, &shapes);
    for z in (6..12).rev() {
        cells_of = parents(&cells_of, Kind::Polygons);
        // A shape's corner may be in the next cell, but all of them together come to the same picture.
        let at_once = cells(z, Kind::Polygons, &shapes);
        let shift = 12 - z;
        let tile = coord(z, tile().x() >> shift, tile().y() >> shift);
        let (made, direct) = (near(&cells_of, tile), near(&at_once, tile));
        assert!(!made.is_empty());
        assert_eq!(blocks(tile, made), blocks(tile, direct), "zoom {z}");
    }
}

#[test]
fn parcels_become_blocks_and_streets_between_them_stay_open() {
    let mut random = Random(2);
    // Streets of three screen pixels, parcels of five.
    let shapes = town(tile(), 40.0, 24.0, &mut random);
    let cells = cells(12, Kind::Polygons, &shapes);
    let blocks = blocks(tile(), near(&cells, tile()));
    let across = (4096.0 / 224.0) as usize;
    assert!(blocks.len() >= across * across, "{}", blocks.len());
    for block in &blocks {
        assert_eq!(block.len(), 1, "no holes");
        let size = area2(std::slice::from_ref(block)) / 2;
        // 200 pixels across, half a step more or less on each side; those at the frame are cut.
        let (least, most) = (196 * 196, 204 * 204);
        let inside = block[0]
            .iter()
            .all(|p| p.iter().all(|v| (-200..4296).contains(v)));
        assert!(!inside || (least..=most).contains(&size), "{size}");
        assert!(!inside || block[0].len() == 4, "straight sides: {block:?}");
    }
    drawn(tile(), &cells).unwrap();
}

#[test]
fn a_coverage_without_gaps_is_one_block_whatever_the_steps() {
    let mut random = Random(3);
    for parcel in [9.0, 17.3, 40.0] {
        let shapes = town(tile(), parcel, 0.0, &mut random);
        let mut cells = cells(12, Kind::Polygons, &shapes);
        for z in (8..=12).rev() {
            let at = coord(z, tile().x() >> (12 - z), tile().y() >> (12 - z));
            let blocks = blocks(at, near(&cells, at));
            assert_eq!(blocks.len(), 1, "{parcel} at {z}");
            assert_eq!(blocks[0].len(), 1, "no holes at {z}");
            cells = parents(&cells, Kind::Polygons);
        }
    }
}

#[test]
fn shapes_smaller_than_a_pixel_add_up_to_what_they_cover() {
    let mut random = Random(4);
    // Huts of half a screen pixel: 10,000 of 16 square pixels, 4 % of the tile.
    let mut shapes = Vec::new();
    for _ in 0..10_000 {
        let at = [0; 2].map(|_: u8| (random.unit() + 1.0) * 2044.0);
        shapes.push(square(tile(), at, 4.0));
    }
    let covered = 10_000.0 * 16.0;
    let cells = cells(12, Kind::Polygons, &shapes);
    let drawn = area2(&blocks(tile(), near(&cells, tile()))) as f64 / 2.0;
    assert!(
        (0.85..1.15).contains(&(drawn / covered)),
        "{drawn} of {covered}"
    );
    // Each is less than a pixel, so nothing that is drawn is smaller than one.
    for block in blocks(tile(), near(&cells, tile())) {
        assert!(area2(&[block]) >= 2 * 64);
    }
}

/// A tile's drawing: each polygon by itself, without what lies beyond `frame` pixels of the tile's square.
fn within(tile: TileCoord, cells: &HashMap<TileCoord, Outline>) -> BTreeSet<Vec<[i64; 2]>> {
    let blocks = blocks(tile, near(cells, tile));
    let offset = [tile.x(), tile.y()].map(|v| i64::from(v) * 4096);
    let is_near = |ring: &Vec<[i32; 2]>| {
        ring.iter()
            .all(|p| p.iter().all(|v| (-64..=4160).contains(v)))
    };
    let rings = blocks.into_iter().flatten().filter(is_near);
    rings
        .map(|ring| {
            let mut ring: Vec<[i64; 2]> = ring
                .iter()
                .map(|p| [i64::from(p[0]) + offset[0], i64::from(p[1]) + offset[1]])
                .collect();
            let first = (0..ring.len()).min_by_key(|i| ring[*i]).unwrap();
            ring.rotate_left(first);
            ring
        })
        .collect()
}

#[test]
fn tiles_that_meet_draw_the_same_along_their_edge() {
    let mut random = Random(5);
    let mut shapes = Vec::new();
    for _ in 0..6_000 {
        let at = [0; 2].map(|_: u8| (random.unit() + 1.0) * 2500.0 - 200.0);
        shapes.push(square(tile(), at, 3.0 + 9.0 * (random.unit() + 1.0)));
    }
    let cells = cells(12, Kind::Polygons, &shapes);
    let east = coord(12, tile().x() + 1, tile().y());
    let (here, there) = (within(tile(), &cells), within(east, &cells));
    let edge = i64::from(east.x()) * 4096;
    // What lies in both buffers must be whole in both.
    let is_shared = |ring: &&Vec<[i64; 2]>| {
        ring.iter().all(|p| (edge - 60..=edge + 60).contains(&p[0]))
            && ring
                .iter()
                .all(|p| (0..4096).contains(&(p[1] - i64::from(tile().y()) * 4096)))
    };
    let [here, there]: [BTreeSet<_>; 2] =
        [&here, &there].map(|all| all.iter().filter(is_shared).collect());
    assert!(here.len() > 20, "{}", here.len());
    assert_eq!(here, there);
}

#[test]
fn blocks_of_wild_shapes_are_valid() {
    let mut random = Random(6);
    for round in 0..60 {
        let mut shapes = Vec::new();
        for _ in 0..300 {
            let at = [0; 2].map(|_: u8| (random.unit() + 1.0) * 600.0 - 80.0);
            let reach = 10.0 + random.unit().abs() * 150.0;
            let count = 3 + random.below(6);
            let ring = |random: &mut Random| {
                (0..count)
                    .map(|_| world(tile(), [0, 1].map(|k| at[k] + random.unit() * reach)))
                    .collect::<Vec<_>>()
            };
            let mut rings = vec![(false, ring(&mut random))];
            if random.below(3) == 0 {
                rings.push((true, ring(&mut random)));
            }
            shapes.push(polygons(&rings));
        }
        // `decoded` asks for the validity of each.
        let drawn = drawn(tile(), &cells(12, Kind::Polygons, &shapes));
        assert!(drawn.is_some(), "round {round}");
    }
}

#[test]
fn short_lines_become_a_network_that_meets_where_they_meet() {
    // A grid of pipes in pieces of two screen pixels, each drawn twice.
    let mut shapes = Vec::new();
    for line in 0..9 {
        for piece in 0..128 {
            let [from, to] = [piece, piece + 1].map(|at| f64::from(at) * 16.0);
            let at = f64::from(line) * 256.0;
            for way in [[[from, at], [to, at]], [[at, from], [at, to]]] {
                let way = way.map(|p| world(tile(), p)).to_vec();
                shapes.push(lines(std::slice::from_ref(&way)));
                shapes.push(lines(&[way.into_iter().rev().collect()]));
            }
        }
    }
    let cells = cells(12, Kind::Lines, &shapes);
    let ways = network(tile(), near(&cells, tile()));
    // Nine lines each way, cut where they meet: from crossing to crossing, and corners passed.
    assert_eq!(ways.len(), 2 * 9 * 8 - 4, "{ways:?}");
    let length: i32 = ways
        .iter()
        .flat_map(|way| way.windows(2))
        .map(|w| (w[0][0] - w[1][0]).abs() + (w[0][1] - w[1][1]).abs())
        .sum();
    assert_eq!(length, 2 * 9 * 2048);
    let mut builder = LayerBuilder::generalised(tile(), "test", &[]);
    builder.add_network(&ways);
    assert_eq!(
        decoded(builder).unwrap().layers[0].features.len(),
        ways.len()
    );
}

#[test]
fn near_points_become_one_in_their_middle_with_a_count() {
    let mut random = Random(7);
    let points: Vec<WorldPoint> = (0..5_000)
        .map(|_| world(tile(), [0; 2].map(|_: u8| (random.unit() + 1.0) * 2047.0)))
        .collect();
    let clusters = |z: u8| {
        let mut cells: HashMap<TileCoord, Clusters> = HashMap::new();
        for (fid, point) in (1..).zip(&points) {
            let cell = TileCoord::containing(z + CELLS_BITS, *point).unwrap();
            let clusters = cells.entry(cell).or_insert_with(|| Clusters::new(cell, 6));
            clusters.add(*point, fid);
        }
        cells.values_mut().for_each(Clusters::settle);
        cells
    };
    let all = |cells: &HashMap<TileCoord, Clusters>| {
        let mut all: Vec<_> = cells
            .values()
            .flat_map(|c| c.iter().copied().collect::<Vec<_>>())
            .collect();
        all.sort_by_key(|cluster| cluster.fid);
        all
    };
    let mut cells = clusters(12);
    for z in (9..12).rev() {
        let mut sums: HashMap<TileCoord, Clusters> = HashMap::new();
        for (cell, clusters) in &cells {
            let parent = cell.parent().unwrap();
            let sum = sums
                .entry(parent)
                .or_insert_with(|| Clusters::new(parent, 6));
            sum.add_quarter(clusters);
        }
        sums.values_mut().for_each(Clusters::settle);
        cells = sums;
        assert_eq!(all(&cells), all(&clusters(z)), "zoom {z}");
    }
    let found = all(&clusters(12));
    assert_eq!(found.iter().map(|c| c.count).sum::<u64>(), 5_000);
    // Squares of 64 steps: 16 across a tile.
    assert_eq!(found.len(), 256);
    let shift = 32 - 12 - STEPS.trailing_zeros() + 6;
    for cluster in found {
        let middle = cluster.middle();
        let own = points
            .iter()
            .filter(|p| (0..2).all(|k| p[k] >> shift == middle[k] >> shift));
        let own: Vec<&WorldPoint> = own.collect();
        assert_eq!(own.len() as u64, cluster.count);
        for k in 0..2 {
            let mean = own.iter().map(|p| u64::from(p[k])).sum::<u64>() / cluster.count;
            assert_eq!(u64::from(middle[k]), mean);
        }
    }
}

#[test]
fn what_stands_for_several_has_no_id_and_a_cluster_its_count() {
    let mut builder = LayerBuilder::generalised(tile(), "test", &["_count"]);
    builder.add_cluster(
        world(tile(), [1001.0, 2002.0]),
        [(0, TileValue::Integer(12))],
    );
    builder.add_blocks(&[vec![vec![[2, 2], [402, 2], [402, 402], [2, 402]]]]);
    let tile = decoded(builder).unwrap();
    let features = &tile.layers[0].features;
    assert_eq!(features.len(), 2);
    assert!(features.iter().all(|feature| feature.id.is_none()));
    // In the middle of its step.
    assert_eq!(features[0].geometry, Geometry::Points(vec![[1002, 2002]]));
    assert_eq!(
        tile.layers[0].property(&features[0], "_count"),
        Some(&tiles::decode::Value::Int(12))
    );
}
