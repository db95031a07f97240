//! Requirements class "Arithmetic Expressions" (§7.12).

use super::{NO, UNKNOWN, YES, bound, check, error, parsed};

/// /req/arithmetic/arithmetic
#[test]
fn operators_bind_as_in_the_grammar() {
    for (text, printed) in [
        ("1 + 2 * 3 = 7", "1 + 2 * 3 = 7"),
        ("(1 + 2) * 3 = 9", "(1 + 2) * 3 = 9"),
        ("10 - 3 - 2 = 5", "10 - 3 - 2 = 5"),
        ("10 - (3 - 2) = 9", "10 - (3 - 2) = 9"),
        ("2 * 3 ^ 2 = 18", "2 * 3 ^ 2 = 18"),
        ("(2 * 3) ^ 2 = 36", "(2 * 3) ^ 2 = 36"),
        ("2 ^ 3 ^ 2 = 512", "2 ^ 3 ^ 2 = 512"),
        ("(2 ^ 3) ^ 2 = 64", "(2 ^ 3) ^ 2 = 64"),
        ("-2 ^ 2 = 4", "-2 ^ 2 = 4"),
        ("-floors ^ 2 = 25", "(-1 * floors) ^ 2 = 25"),
        ("20 / 2 * 5 = 50", "20 / 2 * 5 = 50"),
        ("20 / (2 * 5) = 2", "20 / (2 * 5) = 2"),
        ("7 div 2 * 2 = 6", "7 div 2 * 2 = 6"),
        ("7 % 4 + 1 = 4", "7 % 4 + 1 = 4"),
        ("1--1 = 2", "1 - -1 = 2"),
        ("floors-1=4", "floors - 1 = 4"),
        ("3+-floors=-2", "3 + -1 * floors = -2"),
        ("1 + 2 > 2 AND 1 < 2 * 3", "1 + 2 > 2 AND 1 < 2 * 3"),
    ] {
        let expression = parsed(text);
        assert_eq!(expression.to_text(), printed);
        assert_eq!(parsed(printed), expression, "{text}");
        assert_eq!(super::holds(text), YES, "{text}");
    }
}

/// In the grammar the sign is the operand's.
#[test]
fn a_sign_binds_closest() {
    check(&[
        ("-floors ^ 2 = 25", YES),
        ("-2 ^ 2 = 4", YES),
        ("0 - floors ^ 2 = -25", YES),
    ]);
}

#[test]
fn numbers_are_exact_while_they_fit() {
    check(&[
        ("floors + 9007199254740993 = 9007199254740998", YES),
        ("floors + 9007199254740993 = 9007199254740999", NO),
        ("9223372036854775807 + 1 = 9223372036854775808", YES),
        ("9223372036854775807 * 4 > 9223372036854775807", YES),
        ("-9223372036854775808 - 1 < 0", YES),
        ("-9223372036854775808 = -9223372036854775808", YES),
        ("5 / 2 = 2.5", YES),
        ("6 / 2 = 3", YES),
        ("5 div 2 = 2", YES),
        ("-5 div 2 = -2", YES),
        ("5.5 div 2 = 2", YES),
        ("-5 % 3 = -2", YES),
        ("5.5 % 2 = 1.5", YES),
        ("2 ^ 62 = 4611686018427387904", YES),
        ("2 ^ 64 > 1", YES),
        ("2 ^ -1 = 0.5", YES),
        ("4 ^ 0.5 = 2", YES),
        ("floors * area = 2.5", YES),
    ]);
}

/// /req/arithmetic/arithmetic B
#[test]
fn what_has_no_value_is_unknown() {
    check(&[
        ("floors / 0 = 1", UNKNOWN),
        ("floors div 0 = 1", UNKNOWN),
        ("floors % 0 = 1", UNKNOWN),
        ("area / 0.0 > 1", UNKNOWN),
        ("0 ^ -1 = 1", UNKNOWN),
        ("(-8) ^ 0.5 = 1", UNKNOWN),
        ("1e308 * 10 > 1", UNKNOWN),
        ("floors + nothing = 5", UNKNOWN),
        ("nothing * 0 = 0", UNKNOWN),
        ("floors = 5 OR 1 / 0 = 1", YES),
    ]);
}

/// Annex A, table of predicates of the class.
#[test]
fn the_standards_predicates() {
    for (text, least) in [
        ("floors=1038280+8", 1_038_288),
        ("floors>=1038290-2*2^0", 1_038_288),
        ("floors>1038290-20/10", 1_038_289),
        ("floors>1038290-21 div 10", 1_038_289),
        ("floors>1038290-5%2", 1_038_290),
    ] {
        let filter = bound(text);
        let with = |n: i64| filter.holds(&|_| model::ValueRef::Integer(n));
        assert_eq!((with(least - 1), with(least)), (NO, YES), "{text}");
    }
}

#[test]
fn only_numbers_are_calculated_with() {
    assert_eq!(
        error("1 + name = 2"),
        "Filter, character 5: expected a value of type number, found “name”."
    );
    assert_eq!(
        error("1 + = 2"),
        "Filter, character 5: expected a value or the name of a property, found “=”."
    );
    assert_eq!(
        error("floors - = 2"),
        "Filter, character 10: expected a value or the name of a property, found “=”."
    );
}
