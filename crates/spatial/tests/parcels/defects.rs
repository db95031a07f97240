//! The check for new gaps and overlaps.

use spatial::parcels::{Defect, Parcel, topology};
use spatial::validity::CoverageKind::{Gap, Overlap};

use super::common::{parcel, square, with_holes};

fn pair(left: &[(f64, f64)], right: &[(f64, f64)]) -> Vec<Parcel> {
    vec![parcel(1, left), parcel(2, right)]
}

fn squares() -> Vec<Parcel> {
    pair(&square(0.0, 0.0, 4.0), &square(4.0, 0.0, 4.0))
}

/// The left square, its right border at `x` in the middle.
fn left(x: f64) -> Vec<(f64, f64)> {
    vec![(0.0, 0.0), (4.0, 0.0), (x, 2.0), (4.0, 4.0), (0.0, 4.0)]
}

fn right(x: f64) -> Vec<(f64, f64)> {
    vec![(4.0, 0.0), (8.0, 0.0), (8.0, 4.0), (4.0, 4.0), (x, 2.0)]
}

fn only(defects: Vec<Defect>) -> Defect {
    assert_eq!(defects.len(), 1, "{defects:?}");
    defects.into_iter().next().expect("there is one")
}

#[test]
fn a_vertex_off_by_one_double_is_a_gap_or_an_overlap() {
    let next = 4.0_f64.next_up();
    let gap = only(topology(&squares(), &pair(&left(4.0), &right(next))));
    assert_eq!((gap.kind, gap.keys), (Gap, vec![1, 2]));
    let overlap = only(topology(&squares(), &pair(&left(next), &right(4.0))));
    assert_eq!((overlap.kind, overlap.keys), (Overlap, vec![1, 2]));
    assert_eq!(topology(&squares(), &pair(&left(next), &right(next))), []);
    // A vertex that only one has, exactly on the edge.
    assert_eq!(
        topology(&squares(), &pair(&left(4.0), &square(4.0, 0.0, 4.0))),
        []
    );
}

#[test]
fn borders_that_part_or_cross_between_their_ends_are_found() {
    let gap = only(topology(&squares(), &pair(&left(3.0), &right(5.0))));
    assert_eq!((gap.kind, gap.area, gap.keys), (Gap, 4.0, vec![1, 2]));
    let overlap = only(topology(&squares(), &pair(&left(5.0), &right(3.0))));
    assert_eq!((overlap.kind, overlap.keys), (Overlap, vec![1, 2]));
}

#[test]
fn new_parcels_must_not_overlap_on_empty_land_either() {
    let mut after = squares();
    after.push(parcel(3, &square(20.0, 0.0, 4.0)));
    after.push(parcel(4, &square(22.0, 1.0, 4.0)));
    let found = only(topology(&squares(), &after));
    assert_eq!((found.kind, found.keys), (Overlap, vec![3, 4]));
}

#[test]
fn place_and_area_are_told() {
    let gap = only(topology(
        &squares(),
        &pair(&left(3.0), &square(4.0, 0.0, 4.0)),
    ));
    assert_eq!((gap.kind, gap.area), (Gap, 2.0));
    assert!(gap.place[0] >= 3.0 && gap.place[0] <= 4.0);
    let overlap = only(topology(
        &squares(),
        &pair(&left(5.0), &square(4.0, 0.0, 4.0)),
    ));
    assert_eq!(overlap.kind, Overlap);
    assert!((overlap.area - 2.0).abs() < 1e-6);
}

#[test]
fn a_wedge_and_a_strip_between_two_parcels_are_gaps() {
    let wedge = [(0.0, 0.0), (4.0, 0.0), (3.0, 4.0), (0.0, 4.0)];
    let found = only(topology(&squares(), &pair(&wedge, &square(4.0, 0.0, 4.0))));
    assert_eq!((found.kind, found.area), (Gap, 2.0));
    let shrunk = [(0.0, 0.0), (3.0, 0.0), (3.0, 4.0), (0.0, 4.0)];
    let other = [(5.0, 0.0), (8.0, 0.0), (8.0, 4.0), (5.0, 4.0)];
    assert_eq!(only(topology(&squares(), &pair(&shrunk, &other))).kind, Gap);
}

#[test]
fn a_parcel_that_is_gone_leaves_a_gap_at_its_neighbours() {
    let before = squares();
    assert_eq!(only(topology(&before, &before[..1])).kind, Gap);
    assert_eq!(topology(&before[..1], &before), []);
    assert_eq!(topology(&before, &before), []);
}

#[test]
fn an_outer_border_may_move_over_empty_land_alone() {
    let out = [(4.0, 0.0), (9.0, 0.0), (7.0, 4.0), (4.0, 4.0)];
    assert_eq!(
        topology(&squares(), &pair(&square(0.0, 0.0, 4.0), &out)),
        []
    );
    let stood = parcel(3, &square(8.5, -1.0, 0.75));
    let [mut before, mut after] = [squares(), pair(&square(0.0, 0.0, 4.0), &out)];
    assert_eq!(topology(&before, &after), []);
    before.push(stood.clone());
    after.push(stood);
    assert_eq!(topology(&before, &after), []);
    let within = parcel(3, &square(8.25, 0.0, 0.25));
    before[2] = within.clone();
    after[2] = within;
    let found = only(topology(&before, &after));
    assert_eq!((found.kind, found.keys), (Overlap, vec![2, 3]));
}

#[test]
fn what_overlapped_before_is_not_told_of_again() {
    let over = pair(&left(5.0), &square(4.0, 0.0, 4.0));
    let mut after = over.clone();
    // Elsewhere.
    after[0] = parcel(
        1,
        &[(-1.0, 0.0), (4.0, 0.0), (5.0, 2.0), (4.0, 4.0), (0.0, 4.0)],
    );
    assert_eq!(topology(&over, &after), []);
    // Smaller, and gone.
    after[0] = parcel(1, &left(4.5));
    assert_eq!(topology(&over, &after), []);
    after[0] = parcel(1, &left(4.0));
    assert_eq!(topology(&over, &after), []);
    // Larger.
    after[0] = parcel(1, &left(5.5));
    assert_eq!(only(topology(&over, &after)).kind, Overlap);
}

#[test]
fn a_courtyard_may_change_but_not_come_up() {
    let whole = [parcel(1, &square(0.0, 0.0, 9.0))];
    let with_court = |x: f64| {
        [with_holes(
            1,
            &[&square(0.0, 0.0, 9.0), &square(x, 3.0, 2.0)],
        )]
    };
    assert_eq!(only(topology(&whole, &with_court(3.0))).kind, Gap);
    assert_eq!(topology(&with_court(3.0), &with_court(4.0)), []);
    assert_eq!(topology(&with_court(3.0), &whole), []);
    assert_eq!(only(topology(&with_court(1.0), &with_court(6.0))).kind, Gap);
}
