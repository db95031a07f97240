//! Merging.

use geo_types::{Geometry, MultiPolygon};
use spatial::parcels::{Error, MergeOptions, Parcel, PartsOfMerged, merge};

use super::common::{TOLERANCE, line, multi, parcel, polygon, rings, square, with_holes};

const OPTIONS: MergeOptions = MergeOptions {
    tolerance: TOLERANCE,
    max_gap_width: 0.5,
    parts: PartsOfMerged::One,
};

fn merged(parcels: &[Parcel]) -> Result<Geometry<f64>, Error> {
    merge(parcels, &[], &OPTIONS).map(|m| m.geometry)
}

#[test]
fn the_common_border_goes_and_all_other_vertices_stay() {
    let left = parcel(
        1,
        &[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (2.0, 4.0), (0.0, 4.0)],
    );
    let right = parcel(2, &square(4.0, 0.0, 4.0));
    let expected = polygon(&[&[
        (0.0, 0.0),
        (4.0, 0.0),
        (8.0, 0.0),
        (8.0, 4.0),
        (4.0, 4.0),
        (2.0, 4.0),
        (0.0, 4.0),
    ]]);
    assert_eq!(merged(&[left, right]), Ok(Geometry::Polygon(expected)));
}

#[test]
fn what_is_enclosed_becomes_a_hole_and_holes_stay_as_written() {
    let mut hole = square(1.0, 1.0, 1.0);
    hole.rotate_left(2);
    let frame = [
        (0.0, 0.0),
        (9.0, 0.0),
        (9.0, 3.0),
        (3.0, 3.0),
        (3.0, 6.0),
        (9.0, 6.0),
        (9.0, 9.0),
        (0.0, 9.0),
    ];
    let frame = with_holes(1, &[&frame, &hole]);
    let lid = [(9.0, 3.0), (9.0, 6.0), (7.0, 6.0), (7.0, 3.0)];
    // Its corners lie on edges of the frame.
    let lid = parcel(2, &lid);
    let whole = merged(&[frame.clone(), lid]).unwrap();
    let found = rings(&whole);
    assert_eq!(found.len(), 3);
    assert!(found.contains(&rings(&frame.geometry)[1]));
    let court = found
        .iter()
        .find(|r| r.0.len() == 5 && r.0.iter().any(|p| p.x == 7.0));
    assert!(court.is_some());
}

#[test]
fn parcels_that_meet_at_a_point_or_not_at_all_are_not_contiguous() {
    let a = parcel(1, &square(0.0, 0.0, 4.0));
    for b in [square(4.0, 4.0, 4.0), square(9.0, 0.0, 4.0)] {
        let b = parcel(2, &b);
        assert!(matches!(
            merged(&[a.clone(), b.clone()]),
            Err(Error::NotContiguous { keys, .. }) if keys == [1, 2]
        ));
        let options = MergeOptions {
            parts: PartsOfMerged::Several,
            ..OPTIONS
        };
        let both = merge(&[a.clone(), b.clone()], &[], &options).unwrap();
        let [Geometry::Polygon(a), Geometry::Polygon(b)] = [&a.geometry, &b.geometry] else {
            panic!()
        };
        let expected = MultiPolygon(vec![a.clone(), b.clone()]);
        assert_eq!(both.geometry, Geometry::MultiPolygon(expected));
    }
}

#[test]
fn parts_of_multi_polygons_are_joined() {
    let a = multi(1, &[&square(0.0, 0.0, 4.0), &square(8.0, 0.0, 4.0)]);
    let b = parcel(2, &square(4.0, 0.0, 4.0));
    let Geometry::Polygon(whole) = merged(&[a, b]).unwrap() else {
        panic!()
    };
    assert_eq!(whole.exterior().0.len(), 9);
}

#[test]
fn borders_divided_otherwise_are_joined_and_neighbours_get_the_vertices() {
    let off = TOLERANCE / 3.0;
    let a = parcel(1, &square(0.0, 0.0, 4.0));
    let b = parcel(2, &[(4.0, 0.0), (8.0, 0.0), (8.0, 2.0), (4.0 - off, 2.0)]);
    // Runs along the whole of the left one's edge; so does the outer one, on the other side.
    let long = parcel(3, &[(0.0, -2.0), (8.0, -2.0), (8.0, 0.0), (0.0, 0.0)]);
    let found = merge(&[a.clone(), b.clone()], &[], &OPTIONS).unwrap();
    assert_eq!(rings(&found.geometry)[0].0.len(), 8);
    let found = merge(&[a, long], std::slice::from_ref(&b), &OPTIONS).unwrap();
    assert_eq!(found.neighbours, []);
    // The long one's edge got a vertex, which the right one has already.
    let ring = &rings(&found.geometry)[0];
    assert!(ring.0.contains(&rings(&b.geometry)[0].0[0]));
}

#[test]
fn the_ring_begins_where_that_of_the_first_did() {
    let left = parcel(1, &square(0.0, 0.0, 4.0));
    let right = parcel(2, &[(4.0, 4.0), (4.0, 0.0), (8.0, 0.0), (8.0, 4.0)]);
    let Geometry::Polygon(whole) = merged(&[right, left]).unwrap() else {
        panic!()
    };
    assert_eq!(
        (whole.exterior().0[0].x, whole.exterior().0[0].y),
        (4.0, 4.0)
    );
}

#[test]
fn where_an_edge_gets_a_vertex_its_neighbours_are_made_to_fit() {
    let off = TOLERANCE / 3.0;
    let long = parcel(1, &square(0.0, 0.0, 10.0));
    let t = (10.0 + off, 4.0);
    let lower = parcel(2, &[(10.0, 0.0), (15.0, 0.0), (15.0, 4.0), t]);
    let n = (10.0 - off, 7.0);
    let upper = parcel(3, &[t, (15.0, 4.0), (15.0, 10.0), (10.0, 10.0), n]);
    let found = merge(&[long, lower], &[upper], &OPTIONS).unwrap();
    let ring = &rings(&found.geometry)[0];
    let shared = line(&[t, n]);
    assert!(shared.0.iter().all(|p| ring.0.contains(p)));
    assert_eq!(found.neighbours, []);
}

#[test]
fn real_gaps_and_overlaps_between_them_are_refused() {
    let a = parcel(1, &square(0.0, 0.0, 4.0));
    let over = parcel(
        2,
        &[(4.0, 0.0), (8.0, 0.0), (8.0, 4.0), (4.0, 4.0), (3.9, 2.0)],
    );
    assert!(matches!(
        merged(&[a.clone(), over]),
        Err(Error::OverlapBetween { keys, .. }) if keys == [1, 2]
    ));
    let lens = [
        (4.0, 0.0),
        (8.0, 0.0),
        (8.0, 4.0),
        (4.0, 4.0),
        (4.0, 3.0),
        (4.1, 2.0),
        (4.0, 1.0),
    ];
    let apart = parcel(2, &lens);
    match merged(&[a.clone(), apart.clone()]) {
        Err(Error::GapBetween { area, keys, .. }) => {
            assert!((area - 0.1).abs() < 1e-9);
            assert_eq!(keys, [1, 2]);
        }
        other => panic!("{other:?}"),
    }
    // It is none when a parcel is in it.
    let within = parcel(3, &[(4.0, 1.0), (4.1, 2.0), (4.0, 3.0)]);
    let found = merge(&[a, apart], &[within], &OPTIONS).unwrap();
    assert_eq!(rings(&found.geometry).len(), 2);
}

#[test]
fn one_parcel_and_invalid_ones_are_refused() {
    let a = parcel(1, &square(0.0, 0.0, 4.0));
    let bow = parcel(2, &[(4.0, 0.0), (9.0, 9.0), (9.0, 0.0), (4.0, 4.0)]);
    assert!(matches!(
        merged(std::slice::from_ref(&a)),
        Err(Error::InvalidInput { .. })
    ));
    assert!(matches!(
        merged(&[a, bow]),
        Err(Error::InvalidParcel { key: 2, .. })
    ));
}

/// Its long sides are nearer to each other than the tolerance, and one of them is the border.
#[test]
fn a_sliver_is_joined_to_its_neighbour() {
    let sliver = [
        (24.71246904126096, 48.9199437253856),
        (24.712436004798647, 48.91994869459784),
        (24.712411660734094, 48.91995079389055),
        (24.71242076119826, 48.91995000911864),
    ];
    let beside = [
        (24.71246904126096, 48.9199437253856),
        (24.71242076119826, 48.91995000911864),
        (24.712411660734094, 48.91995079389055),
        (24.7124, 48.9198),
        (24.7125, 48.9198),
    ];
    let options = MergeOptions {
        tolerance: 1e-8,
        max_gap_width: 5e-6,
        ..OPTIONS
    };
    let whole = merge(&[parcel(1, &sliver), parcel(2, &beside)], &[], &options).unwrap();
    let found = rings(&whole.geometry);
    assert_eq!(found.len(), 1);
    // All but the point between the ends of the border.
    assert_eq!(found[0].0.len(), 6);
}
