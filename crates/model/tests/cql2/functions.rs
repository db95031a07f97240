//! Requirements class "Functions" (§7.11).

use std::collections::BTreeSet;

use super::{NO, UNKNOWN, YES, bound, check, error};
use model::{Lang, ValueType, functions};

/// /req/functions/functions
#[test]
fn functions_give_values() {
    check(&[
        ("upper(name) = 'KØBENHAVN'", YES),
        ("lower('ЇЖА') = 'їжа'", YES),
        ("UPPER('a') = 'A'", YES),
        ("trim('  а ') = 'а'", YES),
        ("char_length(name) = 9", YES),
        ("char_length('') = 0", YES),
        (
            "concat(name, ', ', вулиця) = 'København, вул. Їжакевича, 7'",
            YES,
        ),
        ("concat(name) = name", YES),
        ("concat(name, no_text) = name", UNKNOWN),
        ("substr(name, 1, 4) = 'Købe'", YES),
        ("substr(name, 6) = 'havn'", YES),
        ("substr(name, 0, 2) = 'K'", YES),
        ("substr(name, 20) = ''", YES),
        ("abs(-5) = floors", YES),
        ("abs(-9223372036854775808) = 9223372036854775808", YES),
        ("floor(area) = 0", YES),
        ("ceil(area) = 1", YES),
        ("round(area) = 1", YES),
        ("round(-2.5) = -3", YES),
        ("floor(floors) = 5", YES),
        ("sqrt(floors + 4) = 3", YES),
        ("sqrt(-1) = 1", UNKNOWN),
        ("min(floors, area, 3) = 0.5", YES),
        ("max(floors, 9007199254740993) = 9007199254740993", YES),
        ("min(floors, nothing) = 1", UNKNOWN),
        (
            "year(date) = 2022 AND month(date) = 4 AND day(date) = 16",
            YES,
        ),
        ("year(start) = 2022", YES),
        ("year(TIMESTAMP('2022-01-01T00:30:00+02:00')) = 2021", YES),
        ("year(no_time) = 2022", UNKNOWN),
        ("area(geom) = 600", YES),
        ("length(geom) > area(geom)", NO),
        ("coalesce(nothing, floors) = 5", YES),
        ("coalesce(no_text, 'x') = 'x'", YES),
        ("coalesce(nothing, nothing) = 5", UNKNOWN),
        ("coalesce(nothing = 1, TRUE)", YES),
        ("coalesce(public)", YES),
        ("NOT coalesce(boolean)", YES),
        ("coalesce(no_time, start) = end", NO),
        ("\"upper\"('a') = 'A'", YES),
    ]);
}

#[test]
fn a_wrong_call_says_what_is_wrong() {
    for (text, expected) in [
        (
            "avg(floors) = 1",
            "Filter, character 1: there is no function “avg”.",
        ),
        (
            "floors = now()",
            "Filter, character 10: there is no function “now”.",
        ),
        (
            "upper() = 'a'",
            "Filter, character 1: the function upper takes 1 argument.",
        ),
        (
            "upper('a', 'b') = 'a'",
            "Filter, character 1: the function upper takes 1 argument.",
        ),
        (
            "substr('a') = 'a'",
            "Filter, character 1: the function substr takes 2 to 3 arguments.",
        ),
        (
            "concat() = 'a'",
            "Filter, character 1: the function concat takes at least this many arguments: 1.",
        ),
        (
            "upper(floors) = 'a'",
            "Filter, character 7: expected a value of type text, found “floors”.",
        ),
        (
            "year(name) = 1",
            "Filter, character 6: expected a value of type date, found “name”.",
        ),
        (
            "coalesce(floors, 'a') = 1",
            "Filter, character 18: expected a value of type number, found “'a'”.",
        ),
        (
            "area(name) = 1",
            "Filter, character 6: expected the geometry “geom”, found “name”.",
        ),
        (
            "area(POINT(1 2)) = 1",
            "Filter, character 6: expected the geometry “geom”, found “POINT(1 2)”.",
        ),
        (
            "upper('a')",
            "Filter, character 1: expected a condition, found “upper('a')”.",
        ),
        (
            "S_WITHIN(geom, buffer(geom, 10, 'm'))",
            "Filter, character 16: there is no function “buffer”.",
        ),
        (
            "upper('a' = 'a'",
            "Filter, character 16: expected a comma or a closing parenthesis “)”, found the end of the text.",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn all_functions_can_be_published() {
    let names: BTreeSet<&str> = functions().iter().map(|f| f.name).collect();
    assert_eq!(names.len(), functions().len());
    for function in functions() {
        assert!(!function.arguments.is_empty() && !function.results.is_empty());
        for lang in [Lang::Uk, Lang::En] {
            let text = function.description().text(lang);
            assert!(!text.starts_with("model."), "{text}");
        }
        // Each can be called with the first of its types.
        let arguments: Vec<&str> = function
            .arguments
            .iter()
            .map(|argument| match argument.types[0] {
                ValueType::Boolean => "public",
                ValueType::Number => "floors",
                ValueType::Text => "name",
                ValueType::Date => "date",
                ValueType::DateTime => "start",
                ValueType::Geometry => "geom",
            })
            .collect();
        bound(&format!(
            "{}({}) IS NULL",
            function.name,
            arguments.join(", ")
        ));
    }
}

/// What reads no row is calculated once: so it costs nothing for each row, and a look-up can use it.
#[test]
fn constants_are_calculated_once() {
    let filter = bound("floors = 2 + abs(-3) AND CASEI(name) = CASEI('X')");
    assert_eq!(
        filter.necessary_equals(),
        [(1, vec![model::cql2::Literal::Integer(5)])]
    );
}
