//! Requirements class "Basic CQL2" (§6).

use super::{NO, UNKNOWN, YES, bound, check, error, holds};

/// /req/basic-cql2/cql2-filter, the truth table of §6.2.
#[test]
fn truth_is_three_valued() {
    let word = |truth| match truth {
        YES => "TRUE",
        NO => "FALSE",
        UNKNOWN => "(nothing = 1)",
    };
    for (a, b, and, or) in [
        (YES, YES, YES, YES),
        (YES, NO, NO, YES),
        (NO, YES, NO, YES),
        (NO, NO, NO, NO),
        (YES, UNKNOWN, UNKNOWN, YES),
        (NO, UNKNOWN, NO, UNKNOWN),
        (UNKNOWN, YES, UNKNOWN, YES),
        (UNKNOWN, NO, NO, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ] {
        let (a_word, b_word) = (word(a), word(b));
        assert_eq!(holds(&format!("{a_word} AND {b_word}")), and, "{a:?} {b:?}");
        assert_eq!(holds(&format!("{a_word} OR {b_word}")), or, "{a:?} {b:?}");
        assert_eq!(holds(&format!("NOT {a_word}")), a.map(|a| !a), "{a:?}");
    }
}

/// /req/basic-cql2/cql2-filter
#[test]
fn and_binds_closer_than_or_and_not_closer_than_both() {
    check(&[
        ("TRUE OR TRUE AND FALSE", YES),
        ("(TRUE OR TRUE) AND FALSE", NO),
        ("NOT FALSE AND FALSE", NO),
        ("NOT (FALSE AND FALSE)", YES),
        ("NOT floors = 4 OR FALSE", YES),
        ("NOT name LIKE 'x%' AND floors > 1", YES),
        ("((floors = 5))", YES),
        ("true", YES),
        ("false", NO),
        (
            "(NOT floors = 5 AND public = true) OR (area > 0 and NOT floors = 1) or not (public AND boolean)",
            YES,
        ),
    ]);
}

/// /req/basic-cql2/binary-comparison-predicate
#[test]
fn values_are_compared() {
    check(&[
        ("name = 'København'", YES),
        ("name <> 'København'", NO),
        ("name != 'København'", NO),
        ("name < 'Kü'", YES),
        ("name < 'Ko'", NO),
        ("floors = 5", YES),
        ("floors = 5.0", YES),
        ("floors >= 5 AND floors <= 5", YES),
        ("floors > 4.999", YES),
        ("area = .5", YES),
        ("area=5e-1", YES),
        ("area > -1", YES),
        ("area > - 1", YES),
        ("area > +1", NO),
        ("floors < 1.", NO),
        ("public = TRUE", YES),
        ("public > FALSE", YES),
        ("public = boolean", NO),
        ("nothing = 1", UNKNOWN),
        ("nothing <> 1", UNKNOWN),
        ("nothing = nothing", UNKNOWN),
    ]);
}

/// /per/basic-cql2/time-instant-comparison
#[test]
fn times_are_compared_with_signs() {
    check(&[
        ("date = DATE('2022-04-16')", YES),
        ("date < date('2022-04-17')", YES),
        ("start = TIMESTAMP('2022-04-16T10:13:19Z')", YES),
        ("start = TIMESTAMP('2022-04-16T12:13:19.000+02:00')", YES),
        ("start < TIMESTAMP('2022-04-16T10:13:19.000001Z')", YES),
        ("start < end", YES),
        // A date is its whole day.
        ("start = DATE('2022-04-16')", YES),
        ("start <> DATE('2022-04-16')", NO),
        ("start < DATE('2022-04-16')", NO),
        ("start <= DATE('2022-04-16')", YES),
        ("start >= DATE('2022-04-17')", NO),
        ("start > DATE('2022-04-15')", YES),
        ("DATE('2022-04-17') > start", YES),
        ("date = start", YES),
        ("date < TIMESTAMP('2022-04-17T00:00:00Z')", YES),
        // Texts that are dates, as GDAL sends them.
        ("date >= '2022-01-01'", YES),
        ("'2022-01-01' >= date", NO),
        ("start >= '2022-04-16T10:13:19Z'", YES),
        ("start < '2022-04-17'", YES),
        ("no_time > '2022-04-17'", UNKNOWN),
        ("start > TIMESTAMP('0000-01-01T00:00:00Z')", YES),
    ]);
    assert_eq!(
        error("date = 'yesterday'"),
        "Filter, character 8: the property “date” is of type date, which “'yesterday'” is not."
    );
}

/// /req/basic-cql2/null-predicate
#[test]
fn anything_may_be_null() {
    check(&[
        ("nothing IS NULL", YES),
        ("nothing is not null", NO),
        ("name IS NULL", NO),
        ("NOT name IS NULL", YES),
        ("floors + nothing IS NULL", YES),
        ("floors + 1 IS NULL", NO),
        ("(floors = nothing) IS NULL", YES),
        ("(floors = 5 AND nothing = 1) IS NOT NULL", NO),
        ("(floors = 4 AND nothing = 1) IS NOT NULL", YES),
        ("CASEI(no_text) IS NULL", YES),
        ("'a' IS NULL", NO),
        ("DATE('2020-01-01') IS NULL", NO),
        ("POINT(1 2) IS NULL", NO),
        ("geom IS NULL", NO),
        ("geom IS NOT NULL", YES),
        ("INTERVAL(start, end) IS NULL", NO),
        ("INTERVAL(start, no_time) IS NULL", YES),
        ("INTERVAL(start, '..') IS NULL", NO),
        ("1 / 0 IS NULL", YES),
    ]);
}

/// /req/basic-cql2/property
#[test]
fn names_may_be_words_of_the_language() {
    check(&[
        ("date IS NOT NULL", YES),
        ("end > start", YES),
        ("boolean = false", YES),
        ("boolean", NO),
        ("NOT boolean AND public", YES),
        ("\"date\" IS NULL", NO),
        ("div div div = 1", YES),
        ("вулиця LIKE 'вул.%'", YES),
        ("area * 2 = 1", YES),
    ]);
    assert_eq!(
        error("Name = 'x'"),
        "Filter, character 1: there is no property “Name” here."
    );
    assert_eq!(
        error("floors = 1 OR eo:cloud_cover < 0.1"),
        "Filter, character 15: there is no property “eo:cloud_cover” here."
    );
}

#[test]
fn what_is_no_condition_is_turned_away() {
    for (text, expected) in [
        (
            "floors",
            "Filter, character 1: expected a condition, found “floors”.",
        ),
        (
            "'a'",
            "Filter, character 1: expected a condition, found “'a'”.",
        ),
        (
            "floors AND TRUE",
            "Filter, character 1: expected a condition, found “floors”.",
        ),
        (
            "TRUE AND floors + 1",
            "Filter, character 17: expected a condition, found “floors + 1”.",
        ),
        (
            "NOT name",
            "Filter, character 5: expected a condition, found “name”.",
        ),
        (
            "geom = 1",
            "Filter, character 1: “geom” is the geometry; it can stand only in S_INTERSECTS and the like, in area and length, and before IS NULL.",
        ),
        (
            "name = POINT(1 2)",
            "Filter, character 8: expected a value or the name of a property, found “POINT(1 2)”.",
        ),
        (
            "name = floors",
            "Filter, character 8: the property “name” is of type text, which “floors” is not.",
        ),
        (
            "floors + 1 = 'a'",
            "Filter, character 14: expected a value of type number, found “'a'”.",
        ),
        (
            "'a' = 1",
            "Filter, character 7: expected a value of type text, found “1”.",
        ),
        (
            "name + 1 = 2",
            "Filter, character 1: expected a value of type number, found “name”.",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn a_filter_tells_what_it_reads() {
    for (text, positions, geometry) in [
        ("TRUE", vec![], false),
        (
            "floors + area > 1 OR CASEI(name) = 'x'",
            vec![0, 1, 2],
            false,
        ),
        (
            "nothing IS NULL AND coalesce(no_text, name) = 'a'",
            vec![0, 8, 9],
            false,
        ),
        ("T_AFTER(INTERVAL(start, end), date)", vec![4, 5, 6], false),
        ("A_CONTAINS((floors, 1), (div))", vec![1, 12], false),
        ("public AND name LIKE 'a'", vec![0, 3], false),
        ("(floors IN (1, div)) = TRUE", vec![1, 12], false),
        ("S_INTERSECTS(geom, POINT(1 2))", vec![], true),
        ("geom IS NULL", vec![], true),
        ("area(geom) > area", vec![2], true),
        ("S_INTERSECTS(POINT(1 2), POINT(1 2))", vec![], false),
    ] {
        let filter = bound(text);
        assert_eq!(filter.properties(), positions, "{text}");
        assert_eq!(filter.uses_geometry(), geometry, "{text}");
    }
}
