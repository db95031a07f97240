//! The live index: bulk load, search, one edit.

use std::hint::black_box;

use benches::{Parcel, parcels};
use criterion::{Criterion, criterion_group, criterion_main};
use model::world::{project, unproject};
use spatial::index::{Builder, Edit, Snapshot};
use tiles::TileCoord;

fn load(parcels: &[Parcel]) -> Snapshot {
    let mut builder = Builder::new(5, &[true, false, false, false, true]);
    for (fid, parcel) in (1..).zip(parcels) {
        let geometry = std::slice::from_ref(&parcel.geometry);
        builder
            .push(fid, Some(parcel.envelope), geometry, &parcel.values)
            .expect("finite envelopes");
    }
    builder.finish()
}

fn index(c: &mut Criterion) {
    let tile = TileCoord::containing(10, project(24.71, 48.92)).expect("a known tile");
    let parcels = parcels(tile, 447);
    let mut group = c.benchmark_group("index of 199,809 parcels");
    group.sample_size(10);
    group.bench_function("bulk load", |b| b.iter(|| load(black_box(&parcels))));
    let snapshot = load(&parcels);
    group.sample_size(100);
    let z14 = TileCoord::containing(14, project(24.71, 48.92)).expect("a known tile");
    for (name, tile) in [
        ("search a z14 tile", z14),
        (
            "search a z12 tile",
            z14.parent().and_then(TileCoord::parent).unwrap_or(z14),
        ),
    ] {
        let boxes: Vec<_> = tile.query_envelopes().collect();
        let found: usize = boxes.iter().map(|b| snapshot.count(b)).sum();
        group.bench_function(format!("{name}, {found} hits"), |b| {
            b.iter(|| {
                boxes
                    .iter()
                    .map(|b| snapshot.search(b).map(|hit| hit.fid()).sum::<i64>())
                    .sum::<i64>()
            });
        });
    }
    let middle = &parcels[100_000];
    group.bench_function("the five nearest", |b| {
        let at = unproject(middle.geometry.coords[0]);
        b.iter(|| snapshot.nearest(black_box(at), 5).len());
    });
    group.bench_function("put one", |b| {
        let edit = Edit::Put {
            fid: 100_001,
            envelope: Some(middle.envelope),
            geometries: vec![middle.geometry.clone()],
            values: middle.values.to_vec(),
        };
        b.iter(|| snapshot.with(std::slice::from_ref(&edit)).map(|s| s.len()));
    });
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);
