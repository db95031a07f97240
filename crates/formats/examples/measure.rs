//! Processor time of reading a file (both passes) or, without one, of encoding and checking one parcel.
//!
//! `cargo run --release -p formats --example measure [FILE]`
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench")]

use std::path::Path;

use formats::{ReadOptions, Record, geojson, wkb};
use model::{FeatureId, Property, PropertyType, Schema, Value};

fn main() {
    match std::env::args().nth(1) {
        Some(path) => read(Path::new(&path)),
        None => encode(),
    }
}

/// Seconds of processor time of this process, in the kernel's ticks of 10 ms.
fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = |i: usize| fields[i].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn read(path: &Path) {
    let mut reader = formats::open(path, &ReadOptions::default()).unwrap();
    let opened = seconds();
    let (mut features, mut rejected) = (0, 0);
    for record in reader.by_ref() {
        match record.unwrap() {
            Record::Feature(_) => features += 1,
            Record::Rejected(_) => rejected += 1,
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    println!(
        "{features} features, {rejected} rejected; open {opened:.2} s, all {:.2} s; {peak}",
        seconds()
    );
}

fn encode() {
    let schema = Schema {
        properties: (0..17)
            .map(|i| Property::new(format!("property_{i}"), PropertyType::Text))
            .collect(),
    };
    let value = |i: i32| match i % 4 {
        0 => Value::Text("2610100000:01:001:0001".into()),
        1 => Value::Integer(i64::from(i) * 12_345),
        2 => Value::Real(123.4 * f64::from(i)),
        _ => Value::Text("Земельна ділянка".into()),
    };
    let values: Vec<Value> = (0..17).map(value).collect();
    let point = |i: i32| {
        let i = f64::from(i % 12);
        format!(
            "[{:.7},{:.7}]",
            24.710_123_4 + i * 0.000_171_3,
            48.920_123_4 + i * 0.000_091_7
        )
    };
    let ring: Vec<String> = (0..13).map(point).collect();
    let body = format!(
        r#"{{"type":"Feature","properties":{{}},"geometry":{{"type":"Polygon","coordinates":[[{}]]}}}}"#,
        ring.join(",")
    );
    let geometry = geojson::parse_feature(body.as_bytes())
        .unwrap()
        .geometry
        .unwrap();
    let mut out = Vec::new();
    let rounds = 500_000;
    let mut time = |name: &str, work: &mut dyn FnMut(&mut Vec<u8>)| {
        let start = seconds();
        for _ in 0..rounds {
            out.clear();
            work(&mut out);
        }
        println!(
            "{name}: {:.2} µs",
            (seconds() - start) * 1e6 / f64::from(rounds)
        );
    };
    time("feature", &mut |out| {
        geojson::write_feature(
            out,
            &FeatureId::Integer(7),
            Some(&geometry),
            &schema,
            &values,
        )
        .unwrap();
    });
    time("geometry", &mut |out| {
        geojson::write_geometry(out, &geometry).unwrap()
    });
    time("check", &mut |_| {
        std::hint::black_box(wkb::check(&geometry).unwrap());
    });
    time("parse", &mut |_| {
        drop(std::hint::black_box(
            geojson::parse_feature(body.as_bytes()).unwrap(),
        ))
    });
}
