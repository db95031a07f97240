//! Figures of the validity checks on a synthetic town: `measure_validity [PARCELS]`.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::Instant;

use geo_types::{Coord, Geometry, LineString, Polygon};
use spatial::validity::{CoverageOptions, check, coverage};

fn main() {
    let n: usize = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(200_000);
    let side = (n as f64).sqrt().ceil() as usize;
    let at = |i: f64, j: f64| {
        let bend = |v: f64| (v * 1.7).sin() * 0.2;
        Coord {
            x: 24.7 + (i + bend(j + 0.3 * i)) * 4e-4,
            y: 48.9 + (j + bend(i - 0.2 * j)) * 2.7e-4,
        }
    };
    // Blocks of ten parcels with streets between them, so that a third of all edges has no partner.
    let parcels: Vec<(i64, Geometry<f64>)> = (0..n)
        .map(|k| {
            let (i, j) = ((k % side) as f64, (k / side) as f64);
            let (i, j) = (i + (i / 5.0).floor() * 0.5, j + (j / 2.0).floor() * 0.5);
            let steps = |a: (f64, f64), b: (f64, f64)| {
                let (low, high) = if a < b { (a, b) } else { (b, a) };
                let point =
                    move |t: f64| at(low.0 + (high.0 - low.0) * t, low.1 + (high.1 - low.1) * t);
                if a < b {
                    [point(0.0), point(0.3), point(0.6)]
                } else {
                    [point(1.0), point(0.6), point(0.3)]
                }
            };
            let corners = [(i, j), (i + 1.0, j), (i + 1.0, j + 1.0), (i, j + 1.0)];
            let ring = (0..4)
                .flat_map(|c| steps(corners[c], corners[(c + 1) % 4]))
                .collect();
            (
                k as i64,
                Geometry::Polygon(Polygon::new(LineString(ring), vec![])),
            )
        })
        .collect();
    let start = Instant::now();
    let bad = parcels.iter().filter(|(_, g)| !check(g).is_empty()).count();
    let took = start.elapsed();
    println!(
        "check: {n} rings of 13 vertices in {took:.2?}, {:.2?} each, {bad} invalid",
        took / n as u32
    );
    let start = Instant::now();
    let found = coverage(parcels, &CoverageOptions::default());
    println!(
        "coverage: {:.2?}, {} defects",
        start.elapsed(),
        found.defects.len()
    );
}
