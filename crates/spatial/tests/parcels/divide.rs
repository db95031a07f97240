//! Splitting.

use geo::{Area, Winding};
use geo_types::{Geometry, Polygon};
use spatial::parcels::{Error, Parcel, Split, split, topology};
use spatial::validity::check;

use super::common::{TOLERANCE, line, multi, parcel, polygon, rings, square, with_holes};

fn cut(parcel: &Parcel, points: &[(f64, f64)], neighbours: &[Parcel]) -> Result<Split, Error> {
    split(parcel, &line(points), neighbours, TOLERANCE)
}

fn areas(pieces: &[Polygon<f64>]) -> Vec<f64> {
    let mut areas: Vec<f64> = pieces.iter().map(Area::unsigned_area).collect();
    areas.sort_by(f64::total_cmp);
    areas
}

#[test]
fn a_line_from_border_to_border_makes_two_pieces_and_gives_its_ends_to_the_neighbours() {
    let own = parcel(1, &square(0.0, 0.0, 10.0));
    let right = parcel(2, &square(10.0, 0.0, 10.0));
    let far = parcel(3, &square(20.0, 0.0, 10.0));
    let found = cut(&own, &[(-5.0, 3.0), (15.0, 3.0)], &[right, far]).unwrap();
    assert_eq!(
        found.pieces,
        [
            polygon(&[&[(0.0, 0.0), (10.0, 0.0), (10.0, 3.0), (0.0, 3.0)]]),
            polygon(&[&[(10.0, 3.0), (10.0, 10.0), (0.0, 10.0), (0.0, 3.0)]]),
        ]
    );
    assert!(found.rest.is_empty());
    let neighbour = parcel(
        2,
        &[
            (10.0, 0.0),
            (20.0, 0.0),
            (20.0, 10.0),
            (10.0, 10.0),
            (10.0, 3.0),
        ],
    );
    assert_eq!(found.neighbours, [neighbour]);
}

#[test]
fn a_point_that_is_no_double_of_the_edge_is_the_same_on_both_sides() {
    let own = parcel(1, &[(0.1, 0.2), (7.3, 1.1), (8.9, 9.7), (-0.7, 8.3)]);
    let right = parcel(2, &[(7.3, 1.1), (15.0, 0.0), (16.0, 9.0), (8.9, 9.7)]);
    let found = cut(
        &own,
        &[(-3.0, 4.1), (12.0, 4.7)],
        std::slice::from_ref(&right),
    )
    .unwrap();
    let ring = &rings(&found.neighbours[0].geometry)[0];
    let new = ring.0[4];
    assert_eq!(ring.0.len(), 6);
    for piece in &found.pieces {
        assert!(piece.exterior().0.contains(&new));
    }
}

#[test]
fn the_line_keeps_its_own_vertices_and_goes_through_vertices_near_it() {
    let own = parcel(1, &square(0.0, 0.0, 10.0));
    let near = TOLERANCE / 2.0;
    let points = [(-near, near), (4.0, 5.0), (16.0, 15.0 - near)];
    let found = cut(&own, &points, &[]).unwrap();
    assert_eq!(
        found.pieces[0],
        polygon(&[&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (4.0, 5.0)]])
    );
    let beyond = cut(&own, &[(0.0, 0.5), (5.0, 5.0), (10.0, 9.5)], &[]).unwrap();
    assert_eq!(beyond.pieces[0].exterior().0.len(), 6);
}

#[test]
fn a_closed_line_cuts_out_an_island() {
    let own = parcel(1, &square(0.0, 0.0, 10.0));
    let mut island = square(2.0, 2.0, 3.0);
    let ring = island.clone();
    island.push(island[0]);
    let found = cut(&own, &island, &[]).unwrap();
    assert_eq!(areas(&found.pieces), [9.0, 91.0]);
    let around = &found.pieces[0];
    assert_eq!(around.exterior(), &rings(&own.geometry)[0]);
    assert!(around.interiors()[0].is_cw());
    assert_eq!(around.interiors()[0].0.len(), 5);
    assert_eq!(found.pieces[1], polygon(&[&ring]));
}

#[test]
fn a_closed_line_across_the_border_cuts_off_what_is_within() {
    let own = parcel(1, &square(0.0, 0.0, 10.0));
    let mut ring = square(8.0, 2.0, 4.0);
    ring.push(ring[0]);
    assert_eq!(areas(&cut(&own, &ring, &[]).unwrap().pieces), [8.0, 92.0]);
}

#[test]
fn holes_are_crossed_or_stay_where_they_are() {
    let mut hole = square(6.0, 6.0, 2.0);
    hole.reverse();
    let own = with_holes(1, &[&square(0.0, 0.0, 10.0), &square(4.0, 2.0, 2.0), &hole]);
    let found = cut(&own, &[(-1.0, 3.0), (11.0, 3.0)], &[]).unwrap();
    assert_eq!(areas(&found.pieces), [28.0, 64.0]);
    // The untouched one as it was written.
    let upper = found.pieces.iter().find(|p| !p.interiors().is_empty());
    assert_eq!(
        upper.unwrap().interiors(),
        [rings(&own.geometry)[2].clone()]
    );
    // Its island gets the points too.
    let island = parcel(2, &square(4.0, 2.0, 2.0));
    let found = cut(
        &own,
        &[(-1.0, 3.0), (4.5, 3.0), (5.5, 3.0), (11.0, 3.0)],
        &[island],
    );
    assert_eq!(rings(&found.unwrap().neighbours[0].geometry)[0].0.len(), 7);
}

#[test]
fn parts_that_the_line_misses_are_given_back_as_they_were() {
    let own = multi(
        1,
        &[
            &square(0.0, 0.0, 2.0),
            &square(5.0, 0.0, 2.0),
            &square(0.0, 9.0, 2.0),
        ],
    );
    let found = cut(&own, &[(-1.0, 1.0), (8.0, 1.0)], &[]).unwrap();
    assert_eq!(areas(&found.pieces), [2.0; 4]);
    assert_eq!(found.rest, [polygon(&[&square(0.0, 9.0, 2.0)])]);
}

#[test]
fn rings_keep_their_direction_and_their_first_vertex() {
    let mut points = square(0.0, 0.0, 10.0);
    points.reverse();
    let own = parcel(1, &points);
    let found = cut(&own, &[(3.0, -1.0), (3.0, 11.0)], &[]).unwrap();
    assert!(found.pieces.iter().all(|p| p.exterior().is_cw()));
    assert!(found.pieces[0].exterior().0[0] == line(&points).0[0]);
}

#[test]
fn borders_divided_otherwise_get_each_others_vertices() {
    // One long edge against two, and against a longer one; slightly beside a straight line.
    let off = TOLERANCE / 4.0;
    let own = parcel(1, &square(0.0, 0.0, 10.0));
    let lower = parcel(
        2,
        &[(10.0, 0.0), (15.0, 0.0), (15.0, 6.0), (10.0 + off, 6.0)],
    );
    let upper = parcel(
        3,
        &[(10.0 + off, 6.0), (15.0, 6.0), (15.0, 10.0), (10.0, 10.0)],
    );
    let long = parcel(4, &[(-4.0, -3.0), (0.0, -3.0), (0.0, 13.0), (-4.0, 13.0)]);
    let neighbours = [lower, upper, long];
    let found = cut(&own, &[(-1.0, 3.0), (11.0, 3.0)], &neighbours).unwrap();
    assert_eq!(found.neighbours.len(), 2);
    let long = &rings(&found.neighbours[1].geometry)[0];
    let ends = line(&[(0.0, 0.0), (0.0, 3.0), (0.0, 10.0)]);
    assert!(ends.0.iter().all(|p| long.0.contains(p)));
    let shared = line(&[(10.0 + off, 6.0)]).0[0];
    let count = found
        .pieces
        .iter()
        .filter(|p| p.exterior().0.contains(&shared));
    assert_eq!(count.count(), 1);
    let mut after: Vec<Parcel> = found.neighbours.clone();
    after.push(neighbours[1].clone());
    after.extend(found.pieces.iter().map(|p| Parcel {
        key: 1,
        geometry: Geometry::Polygon(p.clone()),
    }));
    assert!(after.iter().all(|p| check(&p.geometry).is_empty()));
    let mut before = neighbours.to_vec();
    before.push(own);
    assert_eq!(topology(&before, &after), []);
}

#[test]
fn a_border_that_is_made_to_fit_fits_as_a_whole() {
    // Three parcels along one edge, all a hair beside it; the first is divided.
    let (a, b) = ((TOLERANCE / 3.0, 10.0), (-TOLERANCE / 4.0, 20.0));
    let long = parcel(1, &[(0.0, 0.0), (0.0, 30.0), (-4.0, 30.0), (-4.0, 0.0)]);
    let first = parcel(2, &[(0.0, 0.0), (9.0, 0.0), (9.0, 10.0), a]);
    let second = parcel(3, &[a, (9.0, 10.0), (9.0, 20.0), b]);
    let third = parcel(4, &[b, (9.0, 20.0), (9.0, 30.0), (0.0, 30.0)]);
    let found = cut(&first, &[(-1.0, 5.0), (10.0, 5.0)], &[long, second, third]).unwrap();
    assert_eq!(found.neighbours.len(), 1);
    let ring = &rings(&found.neighbours[0].geometry)[0];
    assert_eq!(ring.0.len(), 8);
    assert!(line(&[a, b]).0.iter().all(|p| ring.0.contains(p)));
}

#[test]
fn parcels_that_overlap_already_can_be_divided_there() {
    // The border lies inside the other parcel, so rounding of the new point alone would make the overlap grow.
    let own = parcel(
        1,
        &[(0.0, 0.0), (4.0, 0.0), (5.3, 2.1), (4.0, 4.0), (0.0, 4.0)],
    );
    let other = [parcel(2, &square(4.0, 0.0, 4.0))];
    for i in 1..40 {
        let y = f64::from(i) / 10.3;
        let found = cut(&own, &[(-1.0, y), (9.0, y + 0.01)], &other);
        assert!(found.is_ok(), "{y}: {found:?}");
    }
}

#[test]
fn a_neighbour_that_would_be_run_over_is_named() {
    // A wedge of the neighbour stands in the parcel where the line's own end moves the border over it.
    let own = parcel(1, &square(0.0, 0.0, 10.0));
    let lower = parcel(2, &[(11.0, 2.0), (10.0 + 1e-9, 3.0), (11.0, 4.0)]);
    let line = [(-1.0, 3.0), (10.0 + TOLERANCE / 2.0, 3.0)];
    match cut(&own, &line, &[lower]) {
        Err(Error::Topology(defect)) => assert_eq!(defect.keys, [1, 2]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_unusable_line_is_refused_by_its_own_reason() {
    let own = with_holes(1, &[&square(0.0, 0.0, 10.0), &square(4.0, 4.0, 2.0)]);
    let refused = |points: &[(f64, f64)]| cut(&own, points, &[]).unwrap_err();
    let at = |x: f64, y: f64| [x, y];
    assert_eq!(
        refused(&[(-5.0, 12.0), (15.0, 12.0)]),
        Error::LineDoesNotCut {
            place: at(-5.0, 12.0)
        }
    );
    // To a hole and no farther.
    assert!(matches!(
        refused(&[(-1.0, 5.0), (5.0, 5.0)]),
        Error::LineDoesNotCut { .. }
    ));
    assert_eq!(
        refused(&[(-1.0, 2.0), (5.0, 2.0)]),
        Error::LineEndsInside {
            place: at(5.0, 2.0)
        }
    );
    assert_eq!(
        refused(&[(5.0, 2.0), (5.0, -2.0)]),
        Error::LineEndsInside {
            place: at(5.0, 2.0)
        }
    );
    assert_eq!(
        refused(&[
            (-1.0, 1.0),
            (11.0, 1.0),
            (11.0, 3.0),
            (5.0, 3.0),
            (5.0, -1.0)
        ]),
        Error::LineCrossesItself {
            place: at(5.0, 1.0)
        }
    );
    assert_eq!(
        refused(&[(0.0, 2.0), (0.0, 5.0), (4.0, 5.0)]),
        Error::LineRunsAlongBorder {
            place: at(0.0, 2.0)
        }
    );
    assert!(matches!(
        refused(&[(0.0, 1.5e-6), (10.0, 0.0)]),
        Error::PieceTooSmall { .. }
    ));
    assert!(matches!(refused(&[(1.0, 1.0)]), Error::InvalidInput { .. }));
    assert!(matches!(
        refused(&[(1.0, f64::NAN), (2.0, 2.0)]),
        Error::InvalidInput { .. }
    ));
    let bow = parcel(7, &[(0.0, 0.0), (9.0, 9.0), (9.0, 0.0), (0.0, 9.0)]);
    assert!(matches!(
        cut(&bow, &[(-1.0, 3.0), (11.0, 3.0)], &[]),
        Err(Error::InvalidParcel { key: 7, .. })
    ));
    let point = Parcel {
        key: 8,
        geometry: geo_types::Point::new(0.0, 0.0).into(),
    };
    assert_eq!(
        cut(&point, &[(-1.0, 3.0), (11.0, 3.0)], &[]),
        Err(Error::NotPolygon { key: 8 })
    );
}
