//! Requirements class "CQL2 Text" (§8.2), and the tolerances of this reader.

use model::cql2::{
    Expression, Kind, Literal, MAX_DEPTH, MAX_JSON_DEPTH, MAX_LENGTH, MAX_OPERATORS,
};
use model::{Filter, ValueRef};
use serde_json::{Value as Json, json};

use super::{YES, check, error, holds, parsed, schema};

/// /req/cql2-text/escaping
#[test]
fn characters_are_escaped() {
    for (text, expected) in [
        ("''", ""),
        ("'Via dell''Avvento'", "Via dell'Avvento"),
        ("'Via dell\\'Avvento'", "Via dell'Avvento"),
        ("'\\a\\b\\t\\n\\v\\f\\r'", "\u{7}\u{8}\t\n\u{b}\u{c}\r"),
        ("'C:\\\\temp'", "C:\\temp"),
        // Not of the escapes: itself.
        ("'100\\%'", "100\\%"),
        ("'\\_\\x'", "\\_\\x"),
        ("'a\nb'", "a\nb"),
        ("'\"'", "\""),
        ("'їжак 😀'", "їжак 😀"),
    ] {
        let tree = parsed(&format!("x = {text}"));
        let Kind::Compare(_, sides) = &tree.kind else {
            panic!("{text}");
        };
        let literal = Kind::Literal(Literal::Text(expected.into()));
        assert_eq!(sides[1].kind, literal, "{text}");
        assert_eq!(parsed(&tree.to_text()), tree, "{text}");
    }
    assert_eq!(
        error("name = 'a\\'"),
        "Filter, character 12: expected a closing quotation mark ', found the end of the text."
    );
}

#[test]
fn what_is_printed_is_the_standards() {
    for (text, printed) in [
        (
            "a=1 and not(b=2 or c<>3)",
            "a = 1 AND NOT (b = 2 OR c <> 3)",
        ),
        (
            "((a) = (1)) Or ((b = 2) oR c != 3)",
            "a = 1 OR b = 2 OR c <> 3",
        ),
        ("not a is null", "a IS NOT NULL"),
        ("NOT a LIKE 'x'", "a NOT LIKE 'x'"),
        ("not a between 1 and 2", "a NOT BETWEEN 1 AND 2"),
        ("not a in (1)", "a NOT IN (1)"),
        ("a ilike 'X%'", "CASEI(a) LIKE CASEI('X%')"),
        (
            "casei(a) LIKE accenti(casei('x'))",
            "CASEI(a) LIKE ACCENTI(CASEI('x'))",
        ),
        ("x = 1e3", "x = 1000.0"),
        ("x = 1e30", "x = 1e30"),
        ("x = .5", "x = 0.5"),
        ("x = 1.", "x = 1.0"),
        ("x = +1", "x = 1"),
        ("x = -0.0", "x = -0.0"),
        ("x = 12345678901234567890", "x = 1.2345678901234567e19"),
        ("\"x\" = \"a b\"", "x = \"a b\""),
        ("date = \"say \"\"so\"\"\"", "\"date\" = \"say \"\"so\"\"\""),
        ("назва = 'є'", "назва = 'є'"),
        ("t_finishedby(a, b)", "T_FINISHEDBY(a, b)"),
        (
            "x = TIMESTAMP('2012-08-10T05:30:00.000000Z')",
            "x = TIMESTAMP('2012-08-10T05:30:00Z')",
        ),
        (
            "x = timestamp('2012-08-10T05:30:00.25+02:00')",
            "x = TIMESTAMP('2012-08-10T03:30:00.250Z')",
        ),
        (
            "t_after(interval(a, '..'), date('2012-08-10'))",
            "T_AFTER(INTERVAL(a, '..'), DATE('2012-08-10'))",
        ),
        ("Foo(geometry) = TRUE", "Foo(geometry) = TRUE"),
        ("f()", "f()"),
        ("(a = 1) = (b = 2)", "(a = 1) = (b = 2)"),
        ("(a = 1 AND b) IS NULL", "(a = 1 AND b) IS NULL"),
        ("f(a = 1 OR b, (c, d))", "f(a = 1 OR b, (c, d))"),
    ] {
        let tree = parsed(text);
        assert_eq!(tree.to_text(), printed);
        assert_eq!(parsed(printed), tree, "{text}");
    }
}

#[test]
fn an_error_says_where_and_what() {
    for (text, expected) in [
        (
            "",
            "Filter, character 1: expected a condition, found the end of the text.",
        ),
        (
            "floors 5",
            "Filter, character 8: expected an operator (=, <>, <, >, <=, >=, IS, IN, BETWEEN, LIKE, or NOT before one), found “5”.",
        ),
        (
            "floors = 5 5",
            "Filter, character 12: expected AND, OR or the end of the text, found “5”.",
        ),
        (
            "floors = 5 AND",
            "Filter, character 15: expected a condition, found the end of the text.",
        ),
        (
            "floors = ",
            "Filter, character 10: expected a value or the name of a property, found the end of the text.",
        ),
        (
            "floors NOT = 5",
            "Filter, character 12: expected IN, BETWEEN or LIKE, found “=”.",
        ),
        (
            "NOT NOT TRUE",
            "Filter, character 5: expected a condition, found “NOT”.",
        ),
        (
            "floors = 5 = 5",
            "Filter, character 12: expected AND, OR or the end of the text, found “=”.",
        ),
        (
            "floors IS 5",
            "Filter, character 11: expected NULL or NOT NULL, found “5”.",
        ),
        (
            "floors IN 5",
            "Filter, character 11: expected an opening parenthesis “(”, found “5”.",
        ),
        (
            "floors IN ()",
            "Filter, character 12: expected a value or the name of a property, found “)”.",
        ),
        (
            "floors IN (1 2)",
            "Filter, character 14: expected a comma or a closing parenthesis “)”, found “2”.",
        ),
        (
            "floors BETWEEN 1 OR 2",
            "Filter, character 18: expected AND, found “OR”.",
        ),
        (
            "(floors = 5",
            "Filter, character 12: expected a closing parenthesis “)”, found the end of the text.",
        ),
        (
            "floors = 5)",
            "Filter, character 11: expected AND, OR or the end of the text, found “)”.",
        ),
        (
            "floors = 1e999",
            "Filter, character 10: expected a number that fits in 64 bits, found “1e999”.",
        ),
        (
            "name = 'а' AND ; DROP",
            "Filter, character 16: “;” can't stand here.",
        ),
        (
            "вулиця = 'є' AND вулця = 1",
            "Filter, character 18: there is no property “вулця” here.",
        ),
        (
            "name = \"a",
            "Filter, character 10: expected a closing quotation mark \", found the end of the text.",
        ),
        (
            "name = CASEI(",
            "Filter, character 14: expected a value or the name of a property, found the end of the text.",
        ),
        (
            "name LIKE CASEI(name)",
            "Filter, character 17: expected a value of type text, found “name”.",
        ),
        (
            "name LIKE 'a' LIKE 'b'",
            "Filter, character 15: expected AND, OR or the end of the text, found “LIKE”.",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

/// What QGIS and GDAL send.
#[test]
fn clients_are_understood() {
    check(&[
        // QGIS: parentheses around each operation, names bare, times in UTC with milliseconds.
        ("(((floors = 5) OR (floors = 6)) OR (floors = 7))", YES),
        (
            "((end > TIMESTAMP('2022-01-01T00:00:00.000Z')) AND (date = DATE('2022-04-16')))",
            YES,
        ),
        ("(CASEI(name) LIKE CASEI('kø%'))", YES),
        ("(floors IN (5,6)) AND (floors BETWEEN 1 AND 9)", YES),
        ("((floors % 2) = 1) AND ((floors ^ 2) = 25)", YES),
        (
            "S_INTERSECTS(geom,BBOX(29,49,31,51)) AND (boolean = false)",
            YES,
        ),
        // GDAL.
        ("(name LIKE 'K%') AND (NOT (floors = 4))", YES),
        ("name ILIKE 'kø%' AND date >= '2020-01-01'", YES),
        ("\"name\" <> 'x' AND \"floors\" IS NOT NULL", YES),
    ]);
}

#[test]
fn limits_hold() {
    let long = format!("name = '{}'", "а".repeat(MAX_LENGTH / 2));
    assert_eq!(error(&long), "The filter is too long: at most 65536 bytes.");
    let nested = |n: usize| format!("{}floors = 5{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(holds(&nested(MAX_DEPTH)), YES);
    assert_eq!(
        error(&nested(MAX_DEPTH + 1)),
        "Filter, character 129: at most 128 parentheses may stand in one another."
    );
    let chain = |n: usize| format!("floors < 9{}", "+1".repeat(n));
    assert_eq!(holds(&chain(MAX_OPERATORS)), YES);
    assert_eq!(
        error(&chain(MAX_OPERATORS + 1)),
        "Filter, character 267: at most 128 arithmetic operators are allowed."
    );
    // Long chains of conditions and lists are flat.
    let ors = vec!["floors=4"; 5_000].join(" OR ");
    assert_eq!(holds(&format!("{ors} OR floors=5")), YES);
    let list: Vec<String> = (6..10_000).map(|n| n.to_string()).collect();
    assert_eq!(holds(&format!("floors NOT IN ({})", list.join(","))), YES);
    // Names of the language that are only names.
    let words = [
        "date", "interval", "casei", "point", "s_within", "t_after", "a_equals", "bbox",
    ];
    for word in words {
        assert!(
            Expression::from_text(&format!("{word} = 1")).is_ok(),
            "{word}"
        );
    }
}

/// The deepest that is read fits a small stack, in reading, binding, asking, printing and dropping.
#[test]
fn no_depth_breaks_the_stack() {
    let body = || {
        let texts = [
            "(".repeat(60_000),
            format!("{}TRUE", "NOT (".repeat(10_000)),
            format!("{}floors", "-".repeat(60_000)),
            format!("x = {}", "- (".repeat(10_000)),
            format!("x = 1{}", "^1".repeat(30_000)),
            format!("x = 1{}", "+1".repeat(30_000)),
            "f(".repeat(30_000),
            "CASEI(".repeat(10_000),
            format!("x LIKE {}", "CASEI(".repeat(10_000)),
            "A_EQUALS((".repeat(6_000),
            format!("A_EQUALS({}", "(".repeat(60_000)),
            "GEOMETRYCOLLECTION(".repeat(3_000),
            "INTERVAL(f(".repeat(6_000),
            "S_WITHIN(".repeat(6_000),
            "x IN (f(".repeat(6_000),
        ];
        for text in texts {
            assert!(Expression::from_text(&text).is_err());
        }
        let deep = format!(
            "{}floors{} = 1",
            "(1 + ".repeat(MAX_DEPTH),
            ")".repeat(MAX_DEPTH)
        );
        assert!(holds(&deep).is_some());
        let deep = format!(
            "{}TRUE{}",
            "(TRUE AND NOT (FALSE OR ".repeat(MAX_DEPTH / 2),
            "))".repeat(MAX_DEPTH / 2)
        );
        let tree = parsed(&deep);
        assert_eq!(parsed(&tree.to_text()), tree);
        // Deeper than JSON may be, and said so.
        assert!(Expression::from_json(&tree.to_json()).is_err());
        assert!(holds(&deep).is_some());
        let deep = format!(
            "{}TRUE{}",
            "coalesce(TRUE OR floors = 1 AND NOT coalesce(TRUE OR floors = 2 AND FALSE = "
                .repeat(MAX_DEPTH / 2),
            "))".repeat(MAX_DEPTH / 2)
        );
        assert_eq!(holds(&deep), YES);
        let wraps: [fn(Json) -> Json; 3] = [
            |inside| json!({"op": "not", "args": [inside]}),
            |inside| json!({"op": "isNull", "args": [inside]}),
            |inside| json!({"op": "=", "args": [inside, true]}),
        ];
        for wrap in wraps {
            let deep = (0..MAX_JSON_DEPTH).fold(json!(true), |inside, _| wrap(inside));
            let tree = Expression::from_json(&deep).unwrap();
            assert_eq!(tree.to_json(), deep);
            assert_eq!(parsed(&tree.to_text()), tree);
            let filter = Filter::bind(&tree, &schema()).unwrap();
            let value = |_: usize| ValueRef::Null;
            assert!(filter.holds(&value).is_some());
            assert!(filter.clone().properties().is_empty());
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(body).unwrap().join().unwrap();
}
