//! Requirements class "Array Functions" (§7.9).

use super::{NO, UNKNOWN, YES, check, error, parsed};

/// /req/array-functions/array-predicates
#[test]
fn arrays_are_sets() {
    check(&[
        ("A_EQUALS((1, 2), (2, 1))", YES),
        ("A_EQUALS((1, 2), (2, 1, 1))", YES),
        ("A_EQUALS((1, 2), (1))", NO),
        ("A_EQUALS((1), (1.0))", YES),
        ("A_EQUALS((1), ('1'))", NO),
        ("A_EQUALS((), ())", YES),
        ("A_CONTAINS((1, 2, 3), (2))", YES),
        ("A_CONTAINS((1, 2, 3), (2, 4))", NO),
        ("A_CONTAINS((1), ())", YES),
        ("A_CONTAINEDBY((2), (1, 2, 3))", YES),
        ("A_CONTAINEDBY((2, 4), (1, 2, 3))", NO),
        ("A_OVERLAPS((1, 2), (2, 3))", YES),
        ("A_OVERLAPS((1, 2), (3, 4))", NO),
        ("A_OVERLAPS((1, 2), ())", NO),
        (
            "A_CONTAINS(('а', TRUE, 1.0, 8, DATE('2010-02-10')), (DATE('2010-02-10'), 'а'))",
            YES,
        ),
        ("A_CONTAINS((floors, div), (5, 3 + 4))", YES),
        ("A_CONTAINS((name, 'x'), ('København'))", YES),
        ("A_CONTAINS((nothing, 1), (1))", YES),
        ("A_CONTAINS((nothing, 1), (2))", UNKNOWN),
        ("A_CONTAINS((1), (2, nothing))", NO),
        ("A_OVERLAPS((nothing), (1))", UNKNOWN),
        ("A_OVERLAPS((nothing, 1), (1))", YES),
        ("A_EQUALS((floors = 5, FALSE), (TRUE, FALSE))", YES),
    ]);
}

#[test]
fn parentheses_around_one_value_are_an_array_where_one_may_stand() {
    for text in [
        "A_EQUALS(('a'), ())",
        "A_EQUALS((('a'), ((1)), (1, 2), ()), (('a'), 'b'))",
        "A_EQUALS(((1 + 2) * 3, (a = 1) = TRUE), x)",
        "A_EQUALS(f((1)), x)",
    ] {
        let tree = parsed(text);
        assert_eq!(parsed(&tree.to_text()), tree, "{text} {}", tree.to_text());
    }
    assert_eq!(
        parsed("A_EQUALS((('a'), (('b')), (1 + 2) * 3), x)").to_json(),
        serde_json::json!({"op": "a_equals", "args": [
            [["a"], [["b"]], {"op": "*", "args": [{"op": "+", "args": [1, 2]}, 3]}],
            {"property": "x"}
        ]})
    );
}

/// No property of a collection is an array.
#[test]
fn a_property_is_no_array() {
    assert_eq!(
        error("A_CONTAINS(name, ('a'))"),
        "Filter, character 12: expected an array of values such as ('a', 'b'), found “name”."
    );
    assert_eq!(
        error("A_CONTAINS(tags, ('a'))"),
        "Filter, character 12: there is no property “tags” here."
    );
    assert_eq!(
        error("A_CONTAINS((1, POINT(1 2)), (1))"),
        "Filter, character 16: expected a value or the name of a property, found “POINT(1 2)”."
    );
}
