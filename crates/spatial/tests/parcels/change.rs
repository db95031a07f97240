//! Moving border points and correcting borders.

use spatial::parcels::{Error, Parcel, correct, move_points};

use super::common::{TOLERANCE, line, multi, parcel, square, with_holes};

fn moved(moves: &[([f64; 2], [f64; 2])], parcels: &[Parcel]) -> Result<Vec<Parcel>, Error> {
    move_points(moves, parcels, TOLERANCE)
}

fn corrected(
    from: &[(f64, f64)],
    to: &[(f64, f64)],
    parcels: &[Parcel],
) -> Result<Vec<Parcel>, Error> {
    correct(&line(from), &line(to), parcels, TOLERANCE)
}

/// Left, right, and one above both.
fn three() -> [Parcel; 3] {
    [
        parcel(1, &square(0.0, 0.0, 4.0)),
        parcel(2, &square(4.0, 0.0, 4.0)),
        parcel(
            3,
            &[(0.0, 4.0), (4.0, 4.0), (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)],
        ),
    ]
}

#[test]
fn a_vertex_moves_in_every_parcel_that_has_it() {
    let found = moved(&[([4.0, 4.0], [4.5, 4.25])], &three()).unwrap();
    let at = (4.5, 4.25);
    let expected = [
        parcel(1, &[(0.0, 0.0), (4.0, 0.0), at, (0.0, 4.0)]),
        parcel(2, &[(4.0, 0.0), (8.0, 0.0), (8.0, 4.0), at]),
        parcel(3, &[(0.0, 4.0), at, (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_closing_vertex_and_vertices_of_the_outer_border_move() {
    let found = moved(
        &[([0.0, 0.0], [-1.0, 0.5]), ([4.0, 0.0], [4.0, 1.0])],
        &three(),
    )
    .unwrap();
    let expected = [
        parcel(1, &[(-1.0, 0.5), (4.0, 1.0), (4.0, 4.0), (0.0, 4.0)]),
        parcel(2, &[(4.0, 1.0), (8.0, 0.0), (8.0, 4.0), (4.0, 4.0)]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn all_vertices_of_a_courtyard_may_move() {
    let court = square(3.0, 3.0, 2.0);
    let own = with_holes(1, &[&square(0.0, 0.0, 10.0), &court]);
    let moves: Vec<_> = court
        .iter()
        .map(|(x, y)| ([*x, *y], [x + 1.0, y + 1.0]))
        .collect();
    let found = moved(&moves, &[own]).unwrap();
    let expected = with_holes(1, &[&square(0.0, 0.0, 10.0), &square(4.0, 4.0, 2.0)]);
    assert_eq!(found, [expected]);
}

#[test]
fn an_edge_that_runs_along_without_the_vertex_gets_it_first() {
    let [left, right, _] = three();
    let above = parcel(3, &[(0.0, 4.0), (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)]);
    let found = moved(&[([4.0, 4.0], [4.0, 5.0])], &[left, right, above]).unwrap();
    let expected = parcel(
        3,
        &[(0.0, 4.0), (4.0, 5.0), (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)],
    );
    assert_eq!(found[2], expected);
    // And the other way about: the long edge's end moves, the vertex on it stays.
    let [left, right, _] = three();
    let above = parcel(3, &[(0.0, 4.0), (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)]);
    let found = moved(&[([8.0, 4.0], [8.0, 5.0])], &[left, right, above]).unwrap();
    let expected = parcel(
        3,
        &[(0.0, 4.0), (4.0, 4.0), (8.0, 5.0), (8.0, 8.0), (0.0, 8.0)],
    );
    assert_eq!(found[1], expected);
}

#[test]
fn moves_that_spoil_something_are_refused() {
    let parcels = three();
    assert_eq!(
        moved(&[([1.0, 4.0], [1.0, 5.0])], &parcels),
        Err(Error::NoSuchVertex { place: [1.0, 4.0] })
    );
    // Across its own opposite edge.
    assert!(matches!(
        moved(&[([4.0, 4.0], [-1.0, 2.0])], &parcels),
        Err(Error::InvalidResult { .. })
    ));
    // Over another parcel that does not share the vertex.
    let island = parcel(4, &square(9.0, 0.0, 4.0));
    let both = [parcels[1].clone(), island];
    match moved(&[([8.0, 4.0], [9.5, 3.0])], &both) {
        Err(Error::Topology(defect)) => assert_eq!(defect.keys, [2, 4]),
        other => panic!("{other:?}"),
    }
    // A triangle turned over is valid, but lies on the other side.
    let triangle = parcel(5, &[(0.0, 0.0), (4.0, 0.0), (2.0, 3.0)]);
    assert!(matches!(
        moved(&[([2.0, 3.0], [2.0, -3.0])], &[triangle]),
        Err(Error::InvalidResult { key: 5, .. })
    ));
    assert!(matches!(
        moved(&[([4.0, 4.0], [f64::INFINITY, 0.0])], &parcels),
        Err(Error::InvalidInput { .. })
    ));
    assert!(matches!(
        moved(
            &[([4.0, 4.0], [4.1, 4.0]), ([4.0, 4.0], [4.2, 4.0])],
            &parcels
        ),
        Err(Error::InvalidInput { .. })
    ));
}

#[test]
fn a_vertex_moved_onto_the_next_becomes_one_with_it() {
    let own = parcel(1, &[(0.0, 0.0), (2.0, 0.0), (4.0, 0.0), (4.0, 4.0)]);
    let found = moved(&[([2.0, 0.0], [4.0, 0.0])], &[own]).unwrap();
    assert_eq!(found, [parcel(1, &[(0.0, 0.0), (4.0, 0.0), (4.0, 4.0)])]);
    // The first vertex of the ring, too.
    let own = parcel(1, &[(0.0, 0.0), (2.0, 0.0), (4.0, 0.0), (4.0, 4.0)]);
    let found = moved(&[([0.0, 0.0], [4.0, 4.0])], &[own]);
    assert_eq!(
        found,
        Ok(vec![parcel(1, &[(4.0, 4.0), (2.0, 0.0), (4.0, 0.0)])])
    );
}

#[test]
fn a_run_is_replaced_in_both_directions_wherever_the_ring_begins() {
    let way = [(4.0, 0.0), (4.0, 2.0), (4.0, 4.0)];
    let to = [(4.0, 0.0), (3.0, 1.0), (5.0, 3.0), (4.0, 4.0)];
    let left = parcel(
        1,
        &[(0.0, 0.0), (4.0, 0.0), (4.0, 2.0), (4.0, 4.0), (0.0, 4.0)],
    );
    // Begins inside the run.
    let right = parcel(
        2,
        &[(4.0, 2.0), (4.0, 0.0), (8.0, 0.0), (8.0, 4.0), (4.0, 4.0)],
    );
    let found = corrected(&way, &to, &[left, right]).unwrap();
    let expected = [
        parcel(1, &[(0.0, 0.0), to[0], to[1], to[2], to[3], (0.0, 4.0)]),
        parcel(2, &[to[3], to[2], to[1], to[0], (8.0, 0.0), (8.0, 4.0)]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_outer_border_may_be_corrected_in_a_part_of_a_multi_polygon() {
    let own = multi(1, &[&square(0.0, 0.0, 4.0), &square(9.0, 0.0, 4.0)]);
    let to = [(0.0, 4.0), (0.5, 2.0), (0.0, 0.0)];
    let found = corrected(&[(0.0, 4.0), (0.0, 0.0)], &to, &[own]).unwrap();
    let mut points = square(0.0, 0.0, 4.0);
    points.push((0.5, 2.0));
    assert_eq!(found, [multi(1, &[&points, &square(9.0, 0.0, 4.0)])]);
}

#[test]
fn a_longer_edge_beside_the_run_gets_its_ends() {
    let [left, right, _] = three();
    let above = parcel(3, &[(0.0, 4.0), (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)]);
    let run = [(4.0, 4.0), (0.0, 4.0)];
    let to = [(4.0, 4.0), (2.0, 3.0), (0.0, 4.0)];
    let found = corrected(&run, &to, &[left, right, above]).unwrap();
    let points = [
        (0.0, 4.0),
        (2.0, 3.0),
        (4.0, 4.0),
        (8.0, 4.0),
        (8.0, 8.0),
        (0.0, 8.0),
    ];
    assert_eq!(found[1], parcel(3, &points));
}

#[test]
fn corrections_that_spoil_something_are_refused() {
    let parcels = three();
    let run = [(0.0, 4.0), (4.0, 4.0), (8.0, 4.0)];
    // Left and right meet at its middle.
    assert_eq!(
        corrected(&run, &[run[0], (4.0, 4.5), run[2]], &parcels),
        Err(Error::JunctionInside {
            place: [4.0, 4.0],
            key: 1
        })
    );
    // The same where the upper parcel has no vertex there.
    let above = parcel(3, &[(0.0, 4.0), (8.0, 4.0), (8.0, 8.0), (0.0, 8.0)]);
    let long = [parcels[0].clone(), parcels[1].clone(), above];
    assert_eq!(
        corrected(&[run[0], run[2]], &[run[0], (4.0, 4.5), run[2]], &long),
        Err(Error::JunctionInside {
            place: [4.0, 4.0],
            key: 1
        })
    );
    assert_eq!(
        corrected(&[run[0], run[2]], &[run[0], (4.0, 4.5), run[2]], &parcels),
        Err(Error::NoSuchRun { place: [0.0, 4.0] })
    );
    assert_eq!(
        corrected(&run[..2], &[run[0], (4.0, 4.5)], &parcels),
        Err(Error::EndsDiffer { place: [4.0, 4.5] })
    );
    assert!(matches!(
        corrected(&run[..1], &run[..1], &parcels),
        Err(Error::InvalidInput { .. })
    ));
    assert!(matches!(
        corrected(&run[..2], &[run[0], (2.0, 9.0), run[1]], &parcels),
        Err(Error::InvalidResult { .. })
    ));
    // Over a parcel that stands beside.
    let island = parcel(4, &square(9.0, 0.0, 4.0));
    let both = [parcels[1].clone(), island];
    let to = [(8.0, 0.0), (9.5, 2.0), (8.0, 4.0)];
    match corrected(&[to[0], to[2]], &to, &both) {
        Err(Error::Topology(defect)) => assert_eq!(defect.keys, [2, 4]),
        other => panic!("{other:?}"),
    }
}
