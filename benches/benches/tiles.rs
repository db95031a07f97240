//! Snap, clip, make valid and encode one tile, from world geometry to bytes.

use std::hint::black_box;

use benches::{KEYS, Parcel, parcels};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tiles::{LayerBuilder, TileCoord, TileValue};

fn build(tile: TileCoord, parcels: &[Parcel]) -> Option<Vec<u8>> {
    let mut layer = LayerBuilder::new(tile, "parcels", &KEYS);
    for (id, parcel) in (1..).zip(parcels) {
        let values = parcel.values.iter().map(TileValue::from).enumerate();
        layer.add(id, parcel.geometry.view(), values);
    }
    layer.finish()
}

/// Geometry alone.
fn build_without_values(tile: TileCoord, parcels: &[Parcel]) -> Option<Vec<u8>> {
    let mut layer = LayerBuilder::new(tile, "parcels", &[]);
    for (id, parcel) in (1..).zip(parcels) {
        layer.add(id, parcel.geometry.view(), []);
    }
    layer.finish()
}

fn tiles(c: &mut Criterion) {
    // A town at 24.71 E 48.92 N: 13,924 parcels of 36 pixels, 1,681 of 103, 144 of 352.
    for (z, side) in [(12, 118), (14, 41), (16, 12)] {
        let at =
            TileCoord::containing(z, model::world::project(24.71, 48.92)).expect("a known tile");
        let parcels = parcels(at, side);
        let mut group = c.benchmark_group(format!("tile z{z}"));
        group.throughput(Throughput::Elements(parcels.len() as u64));
        group.bench_function("five properties", |b| {
            b.iter(|| build(at, black_box(&parcels)))
        });
        group.bench_function("no properties", |b| {
            b.iter(|| build_without_values(at, black_box(&parcels)))
        });
        group.finish();
    }
}

criterion_group!(benches, tiles);
criterion_main!(benches);
