//! The town as a whole: read back from its bytes, as an importer would.

use std::collections::{HashMap, HashSet};
use std::io;

use super::ground::{Vertex, double_area};
use super::output::Layer;
use super::{MAX_PARCELS, Options, town, write};

type Ring = Vec<Vertex>;

/// The lines of each collection.
fn lines(parcels: u64, seed: u64) -> HashMap<Layer, Vec<String>> {
    let mut files: HashMap<Layer, Vec<String>> = HashMap::new();
    let mut sink = |layer: Layer, line: &[u8]| {
        let text = String::from_utf8(line.to_vec()).map_err(io::Error::other)?;
        assert!(
            text.ends_with('\n') && text.matches('\n').count() == 1,
            "a feature is one line"
        );
        files.entry(layer).or_default().push(text);
        Ok(())
    };
    town::build(parcels, seed, &mut sink, &mut |_| ()).unwrap();
    files
}

/// All positions of a feature's geometry, in order.
fn positions(line: &str) -> Ring {
    let (_, coordinates) = line.split_once("\"coordinates\":").unwrap();
    let digits = |text: &str| -> i32 {
        let (whole, rest) = text.split_once('.').unwrap();
        assert_eq!(rest.len(), 7, "{text}");
        format!("{whole}{rest}").parse().unwrap()
    };
    coordinates
        .split('[')
        .filter_map(|part| {
            let (lon, lat) = part.split_once(']')?.0.split_once(',')?;
            Some(Vertex {
                lon: digits(lon),
                lat: digits(lat),
            })
        })
        .collect()
}

/// The ring of a polygon without its closing vertex, checked to be closed.
fn ring(line: &str) -> Ring {
    let mut ring = positions(line);
    assert!(
        ring.len() >= 4 && ring.first() == ring.last(),
        "closed: {line}"
    );
    ring.pop();
    ring
}

fn text<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line
        .split_once(&format!("\"{name}\":\""))
        .unwrap_or_else(|| panic!("{name} in {line}"));
    rest.split('"').next().unwrap()
}

/// Which side of the line a-b the vertex c lies on.
fn side(a: Vertex, b: Vertex, c: Vertex) -> i64 {
    let at = |v: Vertex| (i64::from(v.lon - a.lon), i64::from(v.lat - a.lat));
    let ((bx, by), (cx, cy)) = (at(b), at(c));
    (bx * cy - by * cx).signum()
}

/// Whether two segments meet anywhere; ends count.
fn meet(a: Vertex, b: Vertex, c: Vertex, d: Vertex) -> bool {
    let between = |a: Vertex, b: Vertex, p: Vertex| {
        p.lon >= a.lon.min(b.lon)
            && p.lon <= a.lon.max(b.lon)
            && p.lat >= a.lat.min(b.lat)
            && p.lat <= a.lat.max(b.lat)
    };
    let (s1, s2, s3, s4) = (side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b));
    (s1 * s2 < 0 && s3 * s4 < 0)
        || (s1 == 0 && between(a, b, c))
        || (s2 == 0 && between(a, b, d))
        || (s3 == 0 && between(c, d, a))
        || (s4 == 0 && between(c, d, b))
}

fn assert_simple(ring: &Ring, what: &str) {
    let n = ring.len();
    assert_eq!(
        ring.iter().collect::<HashSet<_>>().len(),
        n,
        "a vertex twice in {what}"
    );
    let edge = |i: usize| (ring[i], ring[(i + 1) % n]);
    for i in 0..n {
        for j in i + 2..n {
            if i == 0 && j == n - 1 {
                continue;
            }
            let ((a, b), (c, d)) = (edge(i), edge(j));
            assert!(!meet(a, b, c, d), "edges {i} and {j} of {what} meet");
        }
    }
    assert!(double_area(ring) > 0, "clockwise: {what}");
}

/// Whether the vertex lies strictly inside.
fn inside(ring: &Ring, p: Vertex) -> bool {
    let mut inside = false;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        if (a.lat > p.lat) != (b.lat > p.lat) && (side(*a, *b, p) > 0) == (b.lat > a.lat) {
            inside = !inside;
        }
    }
    inside
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let one = lines(3_000, 11);
    assert!(one == lines(3_000, 11));
    assert_ne!(one[&Layer::Parcels], lines(3_000, 12)[&Layer::Parcels]);
}

/// Bytes of a known town: another machine, compiler or release must not change towns that benches were measured on.
#[test]
fn bytes_are_the_same_on_every_machine() {
    let town = lines(2_000, 1);
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a
    for layer in Layer::ALL {
        for byte in town
            .get(&layer)
            .into_iter()
            .flatten()
            .flat_map(|l| l.bytes())
        {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    assert_eq!(hash, 0x8f2c_58fa_5b83_3939, "{hash:#x}");
}

#[test]
fn towns_of_every_small_size_have_the_parcels_asked_for_and_partition_the_town() {
    for n in (1..60).chain([120, 333, 1_499, 1_500, 2_500]) {
        assert_partition(n, n * 7);
    }
}

#[test]
fn a_town_with_a_river_is_partitioned() {
    assert_partition(12_000, 42);
}

/// Every edge of a parcel is met once in the other direction, by its neighbour or else by the town's boundary; areas add up exactly.
fn assert_partition(n: u64, seed: u64) {
    let town = lines(n, seed);
    let rings: Vec<Ring> = town[&Layer::Parcels].iter().map(|l| ring(l)).collect();
    assert_eq!(rings.len() as u64, n);
    let mut edges: HashSet<(Vertex, Vertex)> = HashSet::new();
    for (number, r) in rings.iter().enumerate() {
        assert_simple(r, &format!("parcel {number} of {n}, seed {seed}"));
        for (a, b) in r.iter().zip(r.iter().cycle().skip(1)) {
            assert!(
                edges.insert((*a, *b)),
                "an edge twice in one direction: an overlap"
            );
        }
    }
    let boundary = ring(&town[&Layer::CityBoundary][0]);
    assert_simple(&boundary, "the boundary");
    let outer: HashSet<_> = boundary
        .iter()
        .copied()
        .zip(boundary.iter().copied().cycle().skip(1))
        .collect();
    for (a, b) in &edges {
        assert!(
            edges.contains(&(*b, *a)) != outer.contains(&(*a, *b)),
            "{a:?} - {b:?} of {n}, seed {seed}"
        );
    }
    assert!(outer.iter().all(|e| edges.contains(e)));
    assert_eq!(
        rings.iter().map(|r| double_area(r)).sum::<i128>(),
        double_area(&boundary)
    );
    // Quarters and zones partition it too, and each parcel lies in the quarter that its number names.
    for layer in [Layer::Quarters, Layer::Zones] {
        let key = if layer == Layer::Quarters {
            "quarter"
        } else {
            "zone"
        };
        let mut sums: HashMap<&str, i128> = HashMap::new();
        for (line, r) in town[&Layer::Parcels].iter().zip(&rings) {
            *sums
                .entry(&text(line, "cadnum")[..text(&town[&layer][0], key).len()])
                .or_default() += double_area(r);
        }
        assert_eq!(
            sums.len(),
            town[&layer].len(),
            "each {key} has parcels and an outline"
        );
        for line in &town[&layer] {
            let outline = ring(line);
            assert_simple(&outline, text(line, key));
            assert_eq!(
                double_area(&outline),
                sums[text(line, key)],
                "{} of {n}, seed {seed}",
                text(line, key)
            );
        }
    }
}

#[test]
fn cadastral_numbers_are_well_formed_and_unique() {
    let town = lines(20_000, 2);
    let mut seen = HashSet::new();
    for line in &town[&Layer::Parcels] {
        let number = text(line, "cadnum");
        let lengths: Vec<usize> = number.split(':').map(str::len).collect();
        assert_eq!(lengths, [10, 2, 3, 4], "{number}");
        assert!(
            number.starts_with("2610100000:")
                && number.chars().all(|c| c == ':' || c.is_ascii_digit())
        );
        assert!(
            number
                .split(':')
                .skip(1)
                .all(|part| part.parse::<u32>().unwrap() > 0),
            "{number}"
        );
        assert!(seen.insert(number), "{number} twice");
    }
}

#[test]
fn links_of_networks_end_at_their_nodes_and_join_all_of_them() {
    let town = lines(20_000, 3);
    for (links, nodes) in [
        (Layer::Water, Layer::WaterNodes),
        (Layer::Sewer, Layer::SewerNodes),
        (Layer::Gas, Layer::GasNodes),
        (Layer::Power, Layer::PowerNodes),
    ] {
        let places: HashMap<&str, Vertex> = town[&nodes]
            .iter()
            .map(|l| (text(l, "node_id"), positions(l)[0]))
            .collect();
        assert_eq!(places.len(), town[&nodes].len(), "node ids are unique");
        let mut next: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut ids = HashSet::new();
        for line in &town[&links] {
            let (from, to, path) = (
                text(line, "from_node"),
                text(line, "to_node"),
                positions(line),
            );
            assert_eq!(
                (path[0], path[path.len() - 1]),
                (places[from], places[to]),
                "{line}"
            );
            assert!(ids.insert(text(line, "link_id")));
            next.entry(from).or_default().push(to);
            next.entry(to).or_default().push(from);
        }
        let mut reached = HashSet::new();
        let mut todo = vec!["W0-0", "S0-0", "G0-0", "P0-0"];
        todo.retain(|id| places.contains_key(id));
        while let Some(id) = todo.pop() {
            if reached.insert(id) {
                todo.extend(&next[id]);
            }
        }
        assert_eq!(reached.len(), places.len(), "{links:?} falls apart");
    }
}

#[test]
fn buildings_and_addresses_lie_inside_their_parcels() {
    for seed in 1..12 {
        assert_built_inside(&lines(4_000, seed));
    }
}

fn assert_built_inside(town: &HashMap<Layer, Vec<String>>) {
    let parcels: HashMap<&str, Ring> = town[&Layer::Parcels]
        .iter()
        .map(|l| (text(l, "cadnum"), ring(l)))
        .collect();
    for line in &town[&Layer::Buildings] {
        let building = ring(line);
        assert_simple(&building, line);
        let parcel = &parcels[text(line, "cadnum")];
        assert!(building.iter().all(|v| inside(parcel, *v)), "{line}");
    }
    let mut seen = HashSet::new();
    for line in &town[&Layer::Addresses] {
        let parcel = &parcels[text(line, "cadnum")];
        assert!(inside(parcel, positions(line)[0]), "{line}");
        assert!(seen.insert(text(line, "address")), "{line}");
    }
    assert!(town[&Layer::Addresses].len() > 2_000);
}

#[test]
fn a_town_mixes_uses_owners_and_streets() {
    let town = lines(20_000, 5);
    let distinct = |layer: Layer, name: &str| {
        town[&layer]
            .iter()
            .map(|l| text(l, name))
            .collect::<HashSet<_>>()
            .len()
    };
    assert!(distinct(Layer::Parcels, "purpose") >= 14);
    assert_eq!(distinct(Layer::Parcels, "owner_type"), 3);
    assert!(distinct(Layer::Streets, "name") > 100);
    assert!(distinct(Layer::Zoning, "zone") >= 7);
    assert!(
        town[&Layer::Streets]
            .iter()
            .any(|l| text(l, "structure") == "bridge")
    );
}

#[test]
fn the_manifest_names_every_property_and_every_known_value() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        parcels: 5_000,
        seed: 6,
        out: folder.path().to_owned(),
    };
    let mut last = 0;
    let summary = write(&options, &mut |done| last = done).unwrap();
    assert_eq!(last, 5_000);
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let manifest = json(&std::fs::read_to_string(&summary.manifest).unwrap());
    let entries = manifest["collections"].as_array().unwrap();
    assert_eq!(entries.len(), summary.collections.len());
    for (entry, (id, count)) in entries.iter().zip(&summary.collections) {
        assert_eq!(entry["collection"], id.as_str());
        let file =
            std::fs::read_to_string(folder.path().join(entry["file"].as_str().unwrap())).unwrap();
        assert_eq!(file.lines().count() as u64, *count);
        for feature in file.lines().map(json) {
            let properties = feature["properties"].as_object().unwrap();
            let titles = entry["titles"].as_object().unwrap();
            assert!(properties.keys().eq(titles.keys()), "{id}");
            for (name, known) in entry["enumerations"].as_object().unwrap() {
                let known = known.as_array().unwrap();
                assert!(
                    known.iter().any(|v| v["value"] == properties[name]),
                    "{name}: {}",
                    properties[name]
                );
            }
        }
    }
}

#[test]
fn a_town_out_of_range_is_refused() {
    for parcels in [0, MAX_PARCELS + 1] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            parcels,
            seed: 1,
            out: folder.path().join("town"),
        };
        let error = write(&options, &mut |_| ()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(!options.out.exists());
    }
}
