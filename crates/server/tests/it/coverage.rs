//! Real parcels through the whole way, file to tile: where neighbours share an edge, the tile has no gap.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use model::CollectionId;
use serde_json::Value as Json;
use server::Options;
use store::{Access, CollectionSettings, ImportJob, ImportMode, Store};
use tiles::decode::{self, Geometry};

use crate::town::{Town, link, place};

/// splitmix64
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

async fn cambridge() -> Town {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(place(folder.path()), Access::Write)
        .await
        .unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-samples");
    let job = ImportJob {
        file: samples.join("cambridge-ma/parcels_fy2014.gpkg"),
        layer: Some("parcels".to_owned()),
        collection: CollectionId::new("parcels").unwrap(),
        mode: ImportMode::Create,
        crs: None,
        id_property: None,
        repair: false,
        strict: false,
        read: formats::ReadOptions::default(),
        settings: CollectionSettings {
            access: Some(model::access::Class::Public),
            ..CollectionSettings::default()
        },
        actor: "test".to_owned(),
    };
    store.import(&job, &mut |_| {}).await.unwrap();
    store.load().await.unwrap();
    let router = server::router(store.clone(), &Options::default());
    Town {
        store,
        router,
        folder,
        editor: String::new(),
    }
}

type Edge = [[f64; 2]; 2];

/// All edges of the source as the features' answers have them, and whether each has one parcel on either side.
async fn edges(town: &Town) -> Vec<(Edge, bool)> {
    let mut sides: HashMap<[[u64; 2]; 2], (Edge, [u32; 2])> = HashMap::new();
    let mut page = town
        .json("/collections/parcels/items?f=json&limit=10000")
        .await;
    loop {
        for feature in page["features"].as_array().unwrap() {
            for polygon in feature["geometry"]["coordinates"].as_array().unwrap() {
                for (i, ring) in polygon.as_array().unwrap().iter().enumerate() {
                    let at = |p: &Json| [p[0].as_f64().unwrap(), p[1].as_f64().unwrap()];
                    let mut ring: Vec<[f64; 2]> = ring.as_array().unwrap().iter().map(at).collect();
                    let [x0, y0] = ring[0];
                    let cross = |p: &[[f64; 2]]| {
                        (p[0][0] - x0) * (p[1][1] - y0) - (p[1][0] - x0) * (p[0][1] - y0)
                    };
                    // The parcel on the left of each edge, whichever way the source goes round.
                    if (ring.windows(2).map(cross).sum::<f64>() > 0.0) != (i == 0) {
                        ring.reverse();
                    }
                    for pair in ring.windows(2) {
                        let key = |p: [f64; 2]| p.map(f64::to_bits);
                        let (a, b) = (pair[0], pair[1]);
                        let forward = key(a) <= key(b);
                        let (a, b) = if forward { (a, b) } else { (b, a) };
                        let edge = sides.entry([key(a), key(b)]).or_insert(([a, b], [0, 0]));
                        edge.1[usize::from(forward)] += 1;
                    }
                }
            }
        }
        let Some(next) = link(&page, "next", None).map(str::to_owned) else {
            break;
        };
        page = town.follow(&next).await.ok().json();
    }
    sides
        .into_values()
        .map(|(edge, n)| (edge, n == [1, 1]))
        .collect()
}

/// Pixels of a tile from longitude and latitude.
fn pixel([lon, lat]: [f64; 2], z: u8, x: u32, y: u32) -> [f64; 2] {
    let size = f64::from(1_u32 << z);
    let sine = lat.to_radians().sin();
    let across = (lon + 180.0) / 360.0;
    let down = 0.5 - ((1.0 + sine) / (1.0 - sine)).ln() / (4.0 * std::f64::consts::PI);
    [
        (across * size - f64::from(x)) * 4096.0,
        (down * size - f64::from(y)) * 4096.0,
    ]
}

/// The pixels within about two of an edge, as far as it is in the tile.
fn mark(marked: &mut HashSet<[i32; 2]>, [a, b]: [[f64; 2]; 2]) {
    let (mut from, mut to) = (0.0_f64, 1.0_f64);
    for axis in 0..2 {
        let (p, d) = (a[axis], b[axis] - a[axis]);
        let bounds = [(-4.0 - p) / d, (4100.0 - p) / d];
        if d == 0.0 {
            if !(-4.0..=4100.0).contains(&p) {
                return;
            }
            continue;
        }
        from = from.max(bounds[0].min(bounds[1]));
        to = to.min(bounds[0].max(bounds[1]));
    }
    if from > to {
        return;
    }
    let length = (b[0] - a[0]).hypot(b[1] - a[1]) * (to - from);
    let steps = (length * 2.0).ceil().max(1.0);
    for step in 0..=steps as u32 {
        let t = from + (to - from) * f64::from(step) / steps;
        let at = [0, 1].map(|i| (a[i] + (b[i] - a[i]) * t).round() as i32);
        for dx in -2..=2 {
            for dy in -2..=2 {
                marked.insert([at[0] + dx, at[1] + dy]);
            }
        }
    }
}

fn area2(ring: &[[i32; 2]]) -> i64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter()
        .zip(next)
        .map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1]))
        .sum()
}

type Step = ([i32; 2], [i32; 2]);

/// How many edges have something on both sides, and those that have it on one.
fn paired(edges: Vec<Step>) -> (usize, Vec<Step>) {
    let mut sides: HashMap<Step, i32> = HashMap::new();
    for (a, b) in edges {
        let (key, side) = if a <= b { ((a, b), 1) } else { ((b, a), -1) };
        *sides.entry(key).or_default() += side;
    }
    let (both, single): (Vec<_>, Vec<_>) = sides.into_iter().partition(|(_, n)| *n == 0);
    let directed = |((a, b), n): (Step, i32)| if n > 0 { (a, b) } else { (b, a) };
    (both.len(), single.into_iter().map(directed).collect())
}

/// How many parcels lie over a place between the pixels.
fn covered(edges: &[Step], [x, y]: [f64; 2]) -> i32 {
    let mut windings = 0;
    for (a, b) in edges {
        let [[ax, ay], [bx, by]] = [a.map(f64::from), b.map(f64::from)];
        if (ay <= y) != (by <= y) && ax + (y - ay) / (by - ay) * (bx - ax) > x {
            windings += if by > ay { 1 } else { -1 };
        }
    }
    windings
}

/// The edges, cut at each other's ends that lie exactly on them.
fn split(edges: &[Step]) -> Vec<Step> {
    let mut out = Vec::new();
    for &(a, b) in edges {
        let along = |p: [i32; 2]| {
            let (d, q) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
            let cross = i64::from(d[0]) * i64::from(q[1]) - i64::from(d[1]) * i64::from(q[0]);
            let dot = i64::from(d[0]) * i64::from(q[0]) + i64::from(d[1]) * i64::from(q[1]);
            let length = i64::from(d[0]).pow(2) + i64::from(d[1]).pow(2);
            (cross == 0 && (1..length).contains(&dot)).then_some(dot)
        };
        let mut stops: Vec<(i64, [i32; 2])> = edges
            .iter()
            .flat_map(|(c, d)| [*c, *d])
            .filter_map(|p| along(p).map(|at| (at, p)))
            .collect();
        stops.sort_unstable();
        stops.dedup();
        let mut from = a;
        for (_, stop) in stops {
            out.push((from, stop));
            from = stop;
        }
        out.push((from, b));
    }
    out
}

/// An edge in a tile that has a parcel on one of its sides only is the edge of a gap or of the town's end: the
/// source must have such an edge at that place. Edges that two source parcels share are two-sided in every tile.
#[tokio::test]
async fn a_shared_edge_of_the_source_has_both_its_parcels_in_200_random_tiles() {
    let town = cambridge().await;
    let edges = edges(&town).await;
    let shared = edges.iter().filter(|(_, shared)| *shared).count();
    assert!(shared > 50_000, "{shared} shared edges");
    let mut random = Random(14);
    let (mut tiles, mut two_sided, mut one_sided, mut lapped) = (0, 0, 0, 0);
    while tiles < 200 {
        // Before, parcels are drawn as blocks.
        let z = 13 + u8::try_from(random.below(6)).unwrap();
        // A place of the town: the end of one of its edges.
        let at = edges[usize::try_from(random.below(edges.len() as u64)).unwrap()].0[0];
        let [px, py] = pixel(at, z, 0, 0);
        let (x, y) = ((px / 4096.0) as u32, (py / 4096.0) as u32);
        let answer = town.get(&format!("/tiles/parcels/{z}/{x}/{y}")).await.ok();
        let layer = decode::tile(&answer.body).unwrap().layers.remove(0);
        tiles += 1;

        let (mut all, mut wide) = (Vec::new(), Vec::new());
        for feature in &layer.features {
            let Geometry::Rings(rings) = &feature.geometry else {
                panic!("not a polygon");
            };
            for ring in rings {
                let ends = ring.iter().copied().cycle().skip(1);
                let steps = ring.iter().copied().zip(ends);
                // A part too small for its zoom is drawn as one pixel, over its neighbours.
                if area2(ring).abs() > 2 {
                    wide.extend(steps.clone());
                }
                all.extend(steps);
            }
        }
        let (both, mut single) = paired(wide);
        // One neighbour may have a vertex where the edge of the other goes straight on.
        single = paired(split(&single)).1;
        let mut open = HashSet::new();
        for (edge, shared) in &edges {
            if !shared {
                mark(&mut open, edge.map(|p| pixel(p, z, x, y)));
            }
        }
        let inside = |p: &[i32; 2]| p.iter().all(|v| (0..=4096).contains(v));
        two_sided += both;
        for (a, b) in single {
            if !inside(&a) || !inside(&b) {
                continue;
            }
            one_sided += 1;
            let middle = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
            if [a, b, middle].iter().all(|p| open.contains(p)) {
                continue;
            }
            // A sliver narrower than a pixel may be drawn over its neighbours: that is no gap.
            lapped += 1;
            let [dx, dy] = [b[0] - a[0], b[1] - a[1]].map(f64::from);
            let off = 1e-3 / dx.hypot(dy);
            let beside = [
                f64::from(a[0] + b[0]) / 2.0 + dy * off,
                f64::from(a[1] + b[1]) / 2.0 - dx * off,
            ];
            assert!(
                covered(&all, beside) > 0,
                "{z}/{x}/{y}: there is nothing beside the edge from {a:?} to {b:?}"
            );
        }
    }
    println!(
        "{tiles} tiles: {two_sided} edges with both sides, {one_sided} with one, {lapped} of them lapped"
    );
    assert!(two_sided > 1_000_000, "{two_sided}");
    assert!(lapped * 1_000 < two_sided, "{lapped} of {two_sided}");
}
