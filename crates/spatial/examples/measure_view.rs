//! Figures of a view on a synthetic grid of points: `measure_view [FEATURES]`.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::Instant;

use model::world::{WorldBuf, WorldKind};
use model::{Envelope, Value};
use spatial::index::{Builder, Edit, Guess, Place, Snapshot, ValueRef, View};

fn feature(i: u64) -> (Option<Envelope>, Vec<WorldBuf>, Vec<Value>) {
    let at = [
        24.0 + (i % 2_000) as f64 * 1e-3,
        48.0 + (i / 2_000) as f64 * 1e-3,
    ];
    let mark = i as u32;
    let ring = WorldBuf {
        kind: WorldKind::Polygons,
        coords: (0..13)
            .map(|k| [mark + k % 12, mark + k * k % 12])
            .collect(),
        ends: vec![13],
    };
    let envelope = Envelope {
        min: at,
        max: at.map(|x| x + 5e-4),
    };
    let text = |t: String| Value::Text(t.into());
    let values = vec![
        text(format!("2610100000:{:03}:{:04}", i / 9_000, i % 9_000)),
        text(format!("вул. Тараса Шевченка, {}", i % 50_000)),
        Value::Integer((i % 10) as i64),
    ];
    (Some(envelope), vec![ring], values)
}

fn put(i: u64) -> Edit {
    let (envelope, geometries, values) = feature(i);
    Edit::Put {
        fid: i as i64,
        envelope,
        geometries,
        values,
    }
}

fn timed<T>(name: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = run();
    println!("{name:48} {:>12.2?}", start.elapsed());
    out
}

fn main() {
    let n: u64 = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(200_000);
    let mut builder = Builder::new(3, &[true, true, false]);
    for i in 0..n {
        let (envelope, geometries, values) = feature(i);
        builder
            .push(i as i64, envelope, &geometries, &values)
            .expect("in order");
    }
    let index = builder.finish();
    for tenths in [9, 1] {
        for is_coarse in [false, true] {
            println!(
                "{n} features, {tenths} of 10 seen, places as they are: {}",
                !is_coarse
            );
            let place: Place = Box::new(|hit| {
                let cell = hit.envelope().map(|e| {
                    let at = e.min.map(|x| (x * 100.0).floor() / 100.0);
                    Envelope { min: at, max: at }
                });
                let point = WorldBuf {
                    kind: WorldKind::Points,
                    coords: vec![[0, 0]],
                    ends: vec![],
                };
                (cell, vec![point])
            });
            let view = View::new(
                &[true; 3],
                move |hit| matches!(hit.value(2), ValueRef::Integer(n) if n < tenths),
                is_coarse.then_some(place),
            );
            measure(&index, &view, n);
        }
    }
}

fn measure(index: &Snapshot, view: &View, n: u64) {
    let seen = timed("  first time", || view.of(index));
    timed("  again", || view.of(index));
    let edited = timed("  (edit one feature)", || index.with(&[put(n / 2 + 1)]));
    let edited = edited.expect("a good edit");
    timed("  after one edit", || view.of(&edited));
    let gone = edited
        .with(&[Edit::Remove { fid: 0 }])
        .expect("a good edit");
    let seen_gone = timed("  after a delete at the edge", || view.of(&gone));
    timed("  its extent", || seen_gone.extent());
    for snapshot in [index, &seen] {
        println!("  {} features", snapshot.len());
        for query in ["26101000000120345", "шевченка 4999", "вул", "1", "1"] {
            timed(&format!("    search_text {query}"), || {
                snapshot.search_text(query, &[0, 1], 20).len()
            });
        }
        timed("    guesses шувченка 49", || {
            snapshot
                .guesses("шувченка 49", Guess::Spelling, &[0, 1], &mut 1_000_000)
                .len()
        });
        timed("    nearest 10", || {
            snapshot.nearest([25.0, 48.05], 10).len()
        });
        timed("    first 100 in order", || {
            snapshot.iter().take(100).count()
        });
    }
}
