//! Figures of the index on a synthetic grid of parcels: `measure_index [FEATURES]`.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::Instant;

use geo_types::{Coord, Geometry, LineString, Polygon};
use model::world::from_geometry;
use model::{Envelope, Value};
use spatial::index::{Builder, Edit, Guess, Snapshot};

const COLUMNS: usize = 17;

fn parcel(i: u64, side: u64) -> (Envelope, Geometry<f64>) {
    let (x, y) = (
        (i % side) as f64 * 3e-4 + 24.7,
        (i / side) as f64 * 2e-4 + 48.9,
    );
    let corner = |t: f64| Coord {
        x: x + 1.4e-4 * t.cos(),
        y: y + 0.9e-4 * t.sin(),
    };
    let mut ring: Vec<Coord<f64>> = (0..12)
        .map(|k| corner(f64::from(k) * std::f64::consts::TAU / 12.0))
        .collect();
    ring.push(ring[0]);
    let geometry = Geometry::Polygon(Polygon::new(LineString(ring), vec![]));
    (spatial::envelope(&geometry).expect("13 vertices"), geometry)
}

fn values(i: u64) -> Vec<Value> {
    let text = |t: String| Value::Text(t.into());
    let mut values = vec![
        text(format!(
            "2610100000:{:02}:{:03}:{:04}",
            i / 9_000_000 + 1,
            i / 9_000 % 1_000,
            i % 9_000
        )),
        text(format!("вул. Тараса Шевченка, {}", i % 50_000)),
        text(format!("02.{:02}", i % 20)),
        Value::Real((i * 7919 % 100_000) as f64 / 10.0),
        Value::Integer((i % 3 * 100) as i64),
    ];
    values.extend((5..COLUMNS as u64).map(|c| text(format!("{}", i * c % 300))));
    values
}

fn timed<T>(name: &str, n: usize, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = run();
    let took = start.elapsed();
    println!("{name:44} {took:>12.2?}  {:>12.2?} each", took / n as u32);
    out
}

fn main() {
    let n: u64 = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(200_000);
    let side = (n as f64).sqrt().ceil() as u64;
    let searchable: Vec<bool> = (0..COLUMNS).map(|c| c < 2).collect();
    let mut builder = Builder::new(COLUMNS, &searchable);
    let made: Vec<_> = (0..n.min(200_000))
        .map(|i| (parcel(i, side), values(i)))
        .collect();
    timed("push", made.len(), || {
        for (i, ((envelope, geometry), values)) in made.iter().enumerate() {
            builder
                .push(i as i64, Some(*envelope), &from_geometry(geometry), values)
                .expect("in order");
        }
    });
    drop(made);
    for i in 200_000..n {
        let (envelope, geometry) = parcel(i, side);
        builder
            .push(
                i as i64,
                Some(envelope),
                &from_geometry(&geometry),
                &values(i),
            )
            .expect("in order");
    }
    let mut index = timed("finish (tree, search text)", n as usize, || {
        builder.finish()
    });
    let bytes = index.memory_bytes();
    println!(
        "{:44} {:>12} {:>8} a feature; process {}",
        "memory",
        bytes,
        bytes as u64 / n,
        rss()
    );
    measure_reads(&index);
    let edits: Vec<Edit> = (0..20_000_u64)
        .map(|k| {
            let i = k * 7919 % n;
            let ((envelope, geometry), values) = (parcel(i, side), values(i));
            Edit::Put {
                fid: i as i64,
                envelope: Some(envelope),
                geometries: from_geometry(&geometry),
                values,
            }
        })
        .collect();
    let mut worst = std::time::Duration::ZERO;
    timed("put, one at a time", edits.len(), || {
        for edit in &edits {
            let start = Instant::now();
            index = index.with(std::slice::from_ref(edit)).expect("a good edit");
            worst = worst.max(start.elapsed());
        }
    });
    println!("{:44} {worst:>12.2?}", "worst put");
    let removes: Vec<Edit> = (0..20_000_u64)
        .map(|k| Edit::Remove {
            fid: (k * 104_729 % n) as i64,
        })
        .collect();
    timed("remove, one at a time", removes.len(), || {
        for edit in &removes {
            index = index.with(std::slice::from_ref(edit)).expect("a good edit");
        }
    });
    println!("after the edits:");
    measure_reads(&index);
    let gathered = timed("gathered", index.len(), || index.gathered());
    measure_reads(&gathered.expect("the same features"));
}

fn measure_reads(index: &Snapshot) {
    let hits = std::cell::Cell::new(0);
    let extent = index.extent().expect("parcels");
    let boxes: Vec<Envelope> = (0..10_000_u64)
        .map(|k| {
            let part = |size: f64, k: u64| size * (k * 7919 % 10_000) as f64 / 10_000.0;
            let x = extent.min[0] + part(extent.max[0] - extent.min[0] - 3e-3, k);
            let y = extent.min[1] + part(extent.max[1] - extent.min[1] - 2e-3, k * 31);
            Envelope {
                min: [x, y],
                max: [x + 2.8e-3, y + 1.9e-3],
            }
        })
        .collect();
    timed("search of about 100 hits", boxes.len(), || {
        boxes
            .iter()
            .for_each(|b| hits.set(hits.get() + index.search(b).filter(|h| h.fid() >= 0).count()));
    });
    println!("{:44} {:>12}", "hits a search", hits.get() / boxes.len());
    timed("nearest 10", 10_000, || {
        boxes
            .iter()
            .for_each(|b| assert_eq!(index.nearest(b.min, 10).len(), 10))
    });
    timed("get", 10_000, || {
        assert!((0..10_000).filter_map(|i| index.get(i)).count() > 7_000)
    });
    timed("walk over all, in order", index.len(), || {
        assert_eq!(index.iter().count(), index.len())
    });
    timed("extent", 1, || index.extent());
    for query in [
        "2610100000:01:012:0345",
        "0120345",
        "шевченка 4999",
        "вул",
        "вулиця шевченка 499",
        "499 шевч",
        "нема такого",
        "1",
    ] {
        let found = timed(&format!("search_text {query}"), 1, || {
            index.search_text(query, &[0, 1], 20)
        });
        println!("{:44} {:>12}", "", found.len());
    }
    for (query, guess) in [
        ("шувченка 49", Guess::Spelling),
        ("shevchenka 49", Guess::Transliteration),
    ] {
        timed(&format!("guesses {query}"), 1, || {
            index.guesses(query, guess, &[0, 1], &mut 1_000_000).len()
        });
    }
}

fn rss() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find(|l| l.starts_with("VmRSS"))
        .unwrap_or_default()
        .to_owned()
}
