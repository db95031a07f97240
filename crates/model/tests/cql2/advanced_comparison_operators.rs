//! Requirements class "Advanced Comparison Operators" (§7.2).

use super::{NO, UNKNOWN, YES, check, error};

/// /req/advanced-comparison-operators/like-predicate
#[test]
fn like_takes_wildcards() {
    check(&[
        ("name LIKE 'K_benhavn'", YES),
        ("name LIKE 'K%'", YES),
        ("name LIKE 'k%'", NO),
        ("name NOT LIKE 'B_r%'", YES),
        ("name LIKE '%'", YES),
        ("name like '%%'", YES),
        ("name like '_%'", YES),
        ("name like ''", NO),
        ("no_text LIKE '%'", UNKNOWN),
        ("no_text NOT LIKE '%'", UNKNOWN),
        ("'100%' LIKE '100\\%'", YES),
        ("'1000' LIKE '100\\%'", NO),
        ("'a_b' LIKE 'a\\_b'", YES),
        // As QGIS writes it: the backslash escaped once more.
        ("'100%' LIKE '100\\\\%'", YES),
        ("'1000' LIKE '100\\\\%'", NO),
        // Four are a backslash.
        ("'a\\\\b' LIKE 'a\\\\\\\\b'", YES),
        ("'København' LIKE 'K_benhavn'", YES),
        ("upper(name) LIKE 'K%N'", YES),
    ]);
    assert_eq!(
        error("floors LIKE '5'"),
        "Filter, character 8: the property “floors” is of type whole number, which “LIKE” is not."
    );
    assert_eq!(
        error("name LIKE name"),
        "Filter, character 11: expected a value of type text, found “name”."
    );
}

/// GDAL's dialect.
#[test]
fn ilike_takes_no_case() {
    check(&[
        ("name ILIKE 'KØ%'", YES),
        ("name NOT ILIKE 'kø%'", NO),
        ("вулиця ILIKE '%їжакЕВИЧА%'", YES),
    ]);
}

/// /req/advanced-comparison-operators/between-predicate
#[test]
fn between_has_its_ends() {
    check(&[
        ("floors BETWEEN 5 AND 7", YES),
        ("floors between 1 and 5", YES),
        ("floors BETWEEN 100 AND 1", NO),
        ("floors NOT BETWEEN 100.0 AND 1.0", YES),
        ("floors BETWEEN 6 AND nothing", NO),
        ("floors BETWEEN 5 AND nothing", UNKNOWN),
        ("floors BETWEEN 20/4 and (3*(1+1)) AND public", YES),
        ("name BETWEEN 'A' AND 'Z'", YES),
        ("date BETWEEN '2022-01-01' AND DATE('2022-12-31')", YES),
        (
            "start BETWEEN DATE('2022-04-16') AND DATE('2022-04-16')",
            YES,
        ),
        ("6 BETWEEN floors AND div", YES),
    ]);
    assert_eq!(
        error("floors BETWEEN 1 AND 'a'"),
        "Filter, character 22: the property “floors” is of type whole number, which “'a'” is not."
    );
}

/// /req/advanced-comparison-operators/in-predicate
#[test]
fn a_list_has_its_values() {
    check(&[
        ("name IN ('Kiev','København')", YES),
        ("name NOT IN ('Kiev','kobenhavn')", YES),
        ("floors IN (1, 2+3)", YES),
        ("floors in (1.0, 5.0)", YES),
        ("floors IN (1, div - 2)", YES),
        ("floors IN (1, nothing)", UNKNOWN),
        ("floors IN (5, nothing)", YES),
        ("floors NOT IN (1, nothing)", UNKNOWN),
        ("nothing IN (1)", UNKNOWN),
        ("date IN (DATE('2021-04-16'), DATE('2022-04-16'))", YES),
        ("date IN ('2022-04-14', '2022-04-16')", YES),
        (
            "start IN ('2022-04-14T14:52:56Z', '2022-04-16T10:13:19Z')",
            YES,
        ),
        ("boolean in (true)", NO),
        ("boolean not in (false)", NO),
        ("'a' IN ('a')", YES),
    ]);
    assert_eq!(
        error("floors IN (1, 'a')"),
        "Filter, character 15: the property “floors” is of type whole number, which “'a'” is not."
    );
}
