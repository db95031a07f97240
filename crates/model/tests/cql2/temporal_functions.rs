//! Requirements class "Temporal Functions" (§7.8).

use model::cql2::TemporalRelation;

use super::{NO, UNKNOWN, YES, check, error, holds};

/// The thirteen positions of two intervals (the figure of §7.8), with all relations that hold in each.
const POSITIONS: [(&str, [u32; 2], &[&str]); 13] = [
    ("before", [1, 2], &["t_before", "t_disjoint"]),
    ("meets", [1, 3], &["t_meets", "t_intersects"]),
    ("overlaps", [2, 4], &["t_overlaps", "t_intersects"]),
    ("starts", [3, 5], &["t_starts", "t_intersects"]),
    ("during", [4, 5], &["t_during", "t_intersects"]),
    ("finishes", [4, 6], &["t_finishes", "t_intersects"]),
    ("equals", [3, 6], &["t_equals", "t_intersects"]),
    ("overlapped by", [4, 8], &["t_overlappedBy", "t_intersects"]),
    ("started by", [3, 8], &["t_startedBy", "t_intersects"]),
    ("contains", [2, 8], &["t_contains", "t_intersects"]),
    ("finished by", [2, 6], &["t_finishedBy", "t_intersects"]),
    ("met by", [6, 8], &["t_metBy", "t_intersects"]),
    ("after", [7, 8], &["t_after", "t_disjoint"]),
];

/// /req/temporal-functions/temporal-functions, all fifteen in all positions, of dates and of times.
#[test]
fn intervals_are_related() {
    let date = |n: u32| format!("'2022-05-0{n}'");
    let time = |n: u32| format!("'2022-05-01T00:00:0{n}Z'");
    for write in [&date as &dyn Fn(u32) -> String, &time] {
        for (name, [from, to], relations) in POSITIONS {
            for (_, relation) in TemporalRelation::ALL {
                let text = format!(
                    "{relation}(INTERVAL({}, {}), INTERVAL({}, {}))",
                    write(from),
                    write(to),
                    write(3),
                    write(6)
                );
                let expected = Some(relations.contains(&relation));
                assert_eq!(holds(&text), expected, "{name}: {text}");
            }
        }
    }
}

/// The five that take instants, of which one is before, within and after.
#[test]
fn instants_are_related() {
    check(&[
        ("T_BEFORE(date, DATE('2022-04-17'))", YES),
        ("T_BEFORE(date, DATE('2022-04-16'))", NO),
        ("T_AFTER(date, DATE('2022-04-15'))", YES),
        ("T_EQUALS(date, DATE('2022-04-16'))", YES),
        ("T_DISJOINT(date, DATE('2022-04-16'))", NO),
        ("T_INTERSECTS(date, DATE('2022-04-16'))", YES),
        (
            "T_INTERSECTS(date, INTERVAL('2022-04-16', '2022-04-18'))",
            YES,
        ),
        ("T_AFTER(date, INTERVAL('2022-04-01', '2022-04-16'))", NO),
        ("T_EQUALS(date, INTERVAL('2022-04-16', '2022-04-16'))", YES),
        ("T_EQUALS(start, TIMESTAMP('2022-04-16T10:13:19Z'))", YES),
        (
            "T_INTERSECTS(start, INTERVAL('2022-04-16T10:13:19Z', '..'))",
            YES,
        ),
        (
            "T_BEFORE(start, INTERVAL('2022-04-16T10:13:19.000001Z', '..'))",
            YES,
        ),
        ("T_INTERSECTS(start, end)", NO),
        ("T_BEFORE(start, end)", YES),
    ]);
}

/// Where dates and times meet, a date is its whole day.
#[test]
fn a_date_is_its_day() {
    check(&[
        ("T_INTERSECTS(start, DATE('2022-04-16'))", YES),
        ("T_EQUALS(start, DATE('2022-04-16'))", NO),
        ("T_BEFORE(start, DATE('2022-04-16'))", NO),
        ("T_BEFORE(start, DATE('2022-04-17'))", YES),
        ("T_AFTER(DATE('2022-04-17'), start)", YES),
        (
            "T_INTERSECTS(start, INTERVAL('2022-04-01', '2022-04-16'))",
            YES,
        ),
        (
            "T_DURING(INTERVAL(start, end), INTERVAL('2022-04-16', '2022-04-16'))",
            YES,
        ),
        (
            "T_FINISHES(INTERVAL(start, '2022-04-16T23:59:59.999999Z'), INTERVAL('2022-04-01', '2022-04-16'))",
            YES,
        ),
        (
            "T_STARTS(INTERVAL('2022-04-16T00:00:00Z', end), INTERVAL('2022-04-16', '2022-04-17'))",
            YES,
        ),
        // Among dates alone a day is a point.
        (
            "T_MEETS(INTERVAL('2005-01-10', '2010-02-10'), INTERVAL('2010-02-10', '2011-01-01'))",
            YES,
        ),
        (
            "T_MEETS(INTERVAL('2005-01-10', '2010-02-10'), INTERVAL('2010-02-10T00:00:00Z', '..'))",
            NO,
        ),
        (
            "T_OVERLAPS(INTERVAL('2005-01-10', '2010-02-10'), INTERVAL('2010-02-10T00:00:00Z', '..'))",
            YES,
        ),
    ]);
}

#[test]
fn open_ends_are_endless() {
    check(&[
        ("T_INTERSECTS(date, INTERVAL('..', '..'))", YES),
        ("T_AFTER(date, INTERVAL('..', '2022-04-15'))", YES),
        ("T_BEFORE(date, INTERVAL('2022-04-17', '..'))", YES),
        ("T_DURING(INTERVAL(start, end), INTERVAL('..', '..'))", YES),
        (
            "T_DURING(INTERVAL(start, '..'), INTERVAL('2022-01-01', '..'))",
            NO,
        ),
        (
            "T_FINISHES(INTERVAL(start, '..'), INTERVAL('2022-01-01', '..'))",
            YES,
        ),
        ("T_EQUALS(INTERVAL('..', end), INTERVAL('..', end))", YES),
        (
            "T_CONTAINS(INTERVAL('..', '..'), INTERVAL('0000-01-01', '9999-12-31'))",
            YES,
        ),
    ]);
}

/// /req/temporal-functions/temporal-predicates C
#[test]
fn null_is_unknown() {
    check(&[
        ("T_AFTER(no_time, date)", UNKNOWN),
        ("T_INTERSECTS(INTERVAL(start, no_time), date)", UNKNOWN),
        ("NOT T_DISJOINT(INTERVAL(no_time, '..'), date)", UNKNOWN),
        ("coalesce(T_AFTER(no_time, date), TRUE)", YES),
    ]);
}

/// "Using these functions with instants will result in a client error."
#[test]
fn ten_are_of_intervals_only() {
    for (_, relation) in TemporalRelation::ALL {
        let takes_instants = [
            "t_after",
            "t_before",
            "t_disjoint",
            "t_equals",
            "t_intersects",
        ]
        .contains(&relation);
        let text = format!("{relation}(start, INTERVAL('2022-01-01', '..'))");
        if takes_instants {
            assert!(holds(&text).is_some(), "{text}");
            continue;
        }
        let at = relation.len() + 2;
        let expected =
            format!("Filter, character {at}: expected an interval INTERVAL(…), found “start”.");
        assert_eq!(error(&text), expected);
    }
}

#[test]
fn a_wrong_time_says_what_is_wrong() {
    for (text, expected) in [
        (
            "T_AFTER(name, DATE('2022-01-01'))",
            "Filter, character 9: expected a date, a time or an interval INTERVAL(…), found “name”.",
        ),
        (
            "T_AFTER(date, DATE('2022-02-30'))",
            "Filter, character 20: expected a value of type date, found “'2022-02-30'”.",
        ),
        (
            "T_AFTER(date, INTERVAL('2022-01-01'))",
            "Filter, character 36: expected a comma, found “)”.",
        ),
        (
            "T_AFTER(date, INTERVAL('2022-01-01', 'x'))",
            "Filter, character 38: expected a date, a time, '..' or the name of a property, found “'x'”.",
        ),
        (
            "T_AFTER(date, INTERVAL(floors, '..'))",
            "Filter, character 24: expected a date, a time or an interval INTERVAL(…), found “floors”.",
        ),
        (
            "T_AFTER(date)",
            "Filter, character 13: expected a comma, found “)”.",
        ),
        (
            "date = INTERVAL('2022-01-01', '..')",
            "Filter, character 8: expected a value or the name of a property, found “INTERVAL('2022-01-01', '..')”.",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}
