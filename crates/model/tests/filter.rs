//! Row filters in CQL2 text (OGC 21-065r2): what they mean, and what is said of those that mean nothing.

use model::{Filter, Lang, MAX_FILTER_LENGTH, Property, PropertyType, Schema, Value, ValueRef};

fn schema() -> Schema {
    let properties = [
        ("owner", PropertyType::Text),
        ("area", PropertyType::Real),
        ("floors", PropertyType::Integer),
        ("public", PropertyType::Boolean),
        ("built", PropertyType::Date),
        ("changed", PropertyType::DateTime),
        ("вид права", PropertyType::Text),
        ("назва_обʼєкта", PropertyType::Text),
        ("date", PropertyType::Date),
        ("and", PropertyType::Integer),
        ("say \"so\"", PropertyType::Integer),
        ("other", PropertyType::Integer),
    ];
    Schema {
        properties: properties
            .map(|(name, kind)| Property::new(name, kind))
            .into(),
    }
}

fn row() -> Vec<Value> {
    let text = |t: &str| Value::Text(t.into());
    vec![
        text("О'Коннор"),
        Value::Real(0.5),
        Value::Integer(9_007_199_254_740_993),
        Value::Boolean(true),
        text("2026-01-31"),
        text("2026-01-31T10:00:00.25+02:00"),
        text("Комунальна 100%"),
        Value::Null,
        text("1999-12-31"),
        Value::Integer(-5),
        Value::Integer(7),
        Value::Null,
    ]
}

fn holds(text: &str, row: &[Value]) -> Option<bool> {
    let filter = Filter::parse(text, &schema()).unwrap_or_else(|e| panic!("{text}: {e}"));
    filter.holds(&|position| ValueRef::from(&row[position]))
}

#[test]
fn filters_hold_or_not_or_are_unknown() {
    let (yes, no, unknown) = (Some(true), Some(false), None);
    let row = row();
    for (text, expected) in [
        // Comparisons.
        ("owner = 'О''Коннор'", yes),
        ("owner <> 'О''Коннор'", no),
        ("owner < 'П'", yes),
        ("owner = 'о''коннор'", no),
        ("owner > 'A' AND owner > 'Z'", yes),
        ("area = 0.5", yes),
        ("area=.5", yes),
        ("area = 5e-1", yes),
        ("area = 5.E-1", yes),
        ("area < 1", yes),
        ("area > -1", yes),
        ("area >= +1", no),
        ("0.4 < area", yes),
        ("0.4 > area", no),
        ("1 >= area", yes),
        ("1<>area", yes),
        ("floors = 9007199254740993", yes),
        ("floors = 9007199254740992", no),
        ("floors > 9007199254740992", yes),
        ("floors > 9007199254740992.0", yes),
        ("floors < 9223372036854775807", yes),
        ("floors < 9223372036854775808", yes),
        ("floors > -1e300", yes),
        ("floors > 0.5", yes),
        ("floors > area", yes),
        ("area < floors", yes),
        ("area = area", yes),
        ("public = TRUE", yes),
        ("public <> true", no),
        ("false = public", no),
        ("built = DATE('2026-01-31')", yes),
        ("built < date('2026-02-01')", yes),
        ("date < built", yes),
        ("date = DATE('1999-12-31')", yes),
        ("changed = TIMESTAMP('2026-01-31T08:00:00.25Z')", yes),
        ("changed = Timestamp('2026-01-31T08:00:00.250Z')", yes),
        ("changed > TIMESTAMP('2026-01-31T08:00:00.249999Z')", yes),
        ("changed >= TIMESTAMP('2026-01-31T08:00:01Z')", no),
        ("changed < TIMESTAMP('2026-01-31T10:00:00Z')", yes),
        ("\"вид права\" = 'Комунальна 100%'", yes),
        ("\"owner\" = 'О''Коннор'", yes),
        ("\"and\" = -5", yes),
        ("\"say \"\"so\"\"\" = 7", yes),
        ("other = 1", unknown),
        ("other <> 1", unknown),
        ("other = other", unknown),
        ("floors = other", unknown),
        ("1 = other", unknown),
        // Null.
        ("назва_обʼєкта IS NULL", yes),
        ("назва_обʼєкта is not null", no),
        ("owner IS NULL", no),
        ("owner IS NOT NULL", yes),
        // IN.
        ("owner IN ('а', 'О''Коннор')", yes),
        ("owner NOT IN ('а', 'О''Коннор')", no),
        ("area in (1, 0.5, 2)", yes),
        ("area in (1)", no),
        ("built IN (DATE('2020-01-01'), DATE('2026-01-31'))", yes),
        ("public IN (FALSE)", no),
        ("other IN (1, 2)", unknown),
        ("other NOT IN (1, 2)", unknown),
        // BETWEEN.
        ("area BETWEEN 0.5 AND 1", yes),
        ("area BETWEEN 0 AND 0.5", yes),
        ("area BETWEEN 1 AND 0", no),
        ("area NOT BETWEEN 1 AND 2", yes),
        ("area between 0 and 1 and public = true", yes),
        ("area BETWEEN 0 AND other", unknown),
        ("area BETWEEN 1 AND other", no),
        ("area BETWEEN other AND 0", no),
        ("other BETWEEN 0 AND 1", unknown),
        (
            "built BETWEEN DATE('2026-01-01') AND DATE('2026-12-31')",
            yes,
        ),
        // LIKE.
        ("owner LIKE 'О%'", yes),
        ("owner LIKE 'о%'", no),
        ("owner LIKE '_''Коннор'", yes),
        ("owner NOT LIKE '%ннор'", no),
        ("\"вид права\" LIKE '%100\\%'", yes),
        ("owner LIKE '%100\\%'", no),
        ("назва_обʼєкта LIKE '%'", unknown),
        ("назва_обʼєкта NOT LIKE '%'", unknown),
        // Logic.
        ("TRUE", yes),
        ("NOT FALSE", yes),
        ("public = TRUE AND other = 1", unknown),
        ("public = FALSE AND other = 1", no),
        ("other = 1 AND public = FALSE", no),
        ("public = TRUE OR other = 1", yes),
        ("other = 1 OR public = TRUE", yes),
        ("public = FALSE OR other = 1", unknown),
        ("NOT other = 1", unknown),
        ("NOT (public = TRUE AND area = 0.5)", no),
        ("TRUE OR TRUE AND FALSE", yes),
        ("(TRUE OR TRUE) AND FALSE", no),
        ("NOT FALSE AND FALSE", no),
        ("NOT (FALSE AND FALSE)", yes),
        ("((((public = TRUE))))", yes),
        ("  public\t=\nTRUE\u{a0}", yes),
        ("other IS NULL OR other = 1", yes),
    ] {
        assert_eq!(holds(text, &row), expected, "{text}");
    }
}

#[test]
fn a_value_that_is_not_of_its_type_is_unknown_and_not_null() {
    let mut row = row();
    row[0] = Value::Integer(1);
    row[4] = Value::Text("yesterday".into());
    assert_eq!(holds("owner = '1'", &row), None);
    assert_eq!(holds("owner LIKE '%'", &row), None);
    assert_eq!(holds("built > DATE('2000-01-01')", &row), None);
    assert_eq!(holds("built IS NULL", &row), Some(false));
}

#[test]
fn the_properties_that_are_read_come_ascending_and_once() {
    for (text, expected) in [
        ("TRUE", vec![]),
        (
            "\"and\" = 1 OR NOT (area BETWEEN floors AND other AND owner LIKE 'а') AND area = 1",
            vec![0, 1, 2, 9, 11],
        ),
        (
            "built IS NULL AND public IN (TRUE) AND area < floors",
            vec![1, 2, 3, 4],
        ),
    ] {
        let filter = Filter::parse(text, &schema()).unwrap();
        assert_eq!(filter.properties(), expected, "{text}");
    }
}

#[test]
fn an_error_says_where_and_what() {
    let long = format!("owner = '{}'", "a".repeat(MAX_FILTER_LENGTH));
    let deep = format!("{}TRUE{}", "(".repeat(33), ")".repeat(33));
    for (text, expected) in [
        (
            "",
            "Filter, character 1: expected a condition, found the end of the text.",
        ),
        (
            "  ",
            "Filter, character 3: expected a condition, found the end of the text.",
        ),
        (
            "назва = 1",
            "Filter, character 1: there is no property “назва” here.",
        ),
        (
            "area = 1 AND \"x\" = 1",
            "Filter, character 14: there is no property “x” here.",
        ),
        (
            "OWNER = 'а'",
            "Filter, character 1: there is no property “OWNER” here.",
        ),
        (
            "area 1",
            "Filter, character 6: expected an operator (=, <>, <, >, <=, >=, IS, IN, BETWEEN, LIKE, or NOT before one), found “1”.",
        ),
        (
            "area NOT = 1",
            "Filter, character 10: expected IN, BETWEEN or LIKE, found “=”.",
        ),
        (
            "area =",
            "Filter, character 7: expected a value or the name of a property, found the end of the text.",
        ),
        (
            "area = and",
            "Filter, character 8: expected a value or the name of a property, found “and”.",
        ),
        (
            "area = '1'",
            "Filter, character 8: the property “area” is of type number, which “'1'” is not.",
        ),
        (
            "owner = 1",
            "Filter, character 9: the property “owner” is of type text, which “1” is not.",
        ),
        (
            "1 = owner",
            "Filter, character 1: the property “owner” is of type text, which “1” is not.",
        ),
        (
            "owner = area",
            "Filter, character 9: the property “owner” is of type text, which “area” is not.",
        ),
        (
            "built = '2026-01-31'",
            "Filter, character 9: the property “built” is of type date, which “'2026-01-31'” is not.",
        ),
        (
            "built = TIMESTAMP('2026-01-31T00:00:00Z')",
            "Filter, character 9: the property “built” is of type date, which “TIMESTAMP('2026-01-31T00:00:00Z')” is not.",
        ),
        (
            "built < changed",
            "Filter, character 9: the property “built” is of type date, which “changed” is not.",
        ),
        (
            "built = DATE('2026-02-30')",
            "Filter, character 14: expected a value of type date, found “'2026-02-30'”.",
        ),
        (
            "built = DATE(2026)",
            "Filter, character 14: expected a value of type date, found “2026”.",
        ),
        (
            "built = DATE('2026-01-31'",
            "Filter, character 26: expected a closing parenthesis “)”, found the end of the text.",
        ),
        (
            "changed = TIMESTAMP('2026-01-31')",
            "Filter, character 21: expected a value of type date and time, found “'2026-01-31'”.",
        ),
        (
            "public = 1",
            "Filter, character 10: the property “public” is of type yes or no, which “1” is not.",
        ),
        (
            "public",
            "Filter, character 7: expected an operator (=, <>, <, >, <=, >=, IS, IN, BETWEEN, LIKE, or NOT before one), found the end of the text.",
        ),
        (
            "1 = 1",
            "Filter, character 5: expected the name of a property, found “1”.",
        ),
        (
            "1 IN (1)",
            "Filter, character 3: expected a comparison sign (=, <>, <, >, <=, >=), found “IN”.",
        ),
        (
            "area = 1e999",
            "Filter, character 8: expected a number that fits in 64 bits, found “1e999”.",
        ),
        (
            "area = 1 area = 2",
            "Filter, character 10: expected AND, OR or the end of the text, found “area”.",
        ),
        (
            "TRUE)",
            "Filter, character 5: expected AND, OR or the end of the text, found “)”.",
        ),
        (
            "(TRUE",
            "Filter, character 6: expected a closing parenthesis “)”, found the end of the text.",
        ),
        (
            "area IN ()",
            "Filter, character 10: expected a value or the name of a property, found “)”.",
        ),
        (
            "area IN 1",
            "Filter, character 9: expected an opening parenthesis “(”, found “1”.",
        ),
        (
            "area IN (1 2)",
            "Filter, character 12: expected a comma or a closing parenthesis “)”, found “2”.",
        ),
        (
            "area IN (floors)",
            "Filter, character 10: expected a value of type number, found “floors”.",
        ),
        (
            "area BETWEEN 1 OR 2",
            "Filter, character 16: expected AND, found “OR”.",
        ),
        (
            "area LIKE '1'",
            "Filter, character 6: the property “area” is of type number, which “LIKE” is not.",
        ),
        (
            "owner LIKE area",
            "Filter, character 12: expected a value of type text, found “area”.",
        ),
        (
            "owner IS 'а'",
            "Filter, character 10: expected NULL or NOT NULL, found “'а'”.",
        ),
        (
            "owner = 'а",
            "Filter, character 11: expected a closing quotation mark ', found the end of the text.",
        ),
        (
            "\"owner = 'а'",
            "Filter, character 13: expected a closing quotation mark \", found the end of the text.",
        ),
        (
            "area = 1; DROP",
            "Filter, character 9: “;” can't stand here.",
        ),
        (
            "area = 1 -- x",
            "Filter, character 10: “-” can't stand here.",
        ),
        (
            "NOT NOT TRUE",
            "Filter, character 5: expected a condition, found “NOT”.",
        ),
        (&long, "The filter is too long: at most 8192 bytes."),
        (
            &deep,
            "Filter, character 33: at most 32 parentheses may stand in one another.",
        ),
    ] {
        let error = Filter::parse(text, &schema()).expect_err(text);
        assert_eq!(error.0.text(Lang::En), expected, "{text}");
        let uk = error.0.text(Lang::Uk);
        assert!(!uk.contains(['{', '}']) && uk.contains("ільтр"), "{uk}");
    }
}

#[test]
fn long_chains_and_deep_parentheses_are_read() {
    let chain = vec!["area=1"; 800].join(" OR ");
    assert_eq!(holds(&chain, &row()), Some(false));
    let deep = format!("{}area = 0.5{}", "NOT (".repeat(32), ")".repeat(32));
    assert_eq!(holds(&deep, &row()), Some(true));
    let open = "(".repeat(MAX_FILTER_LENGTH);
    assert!(Filter::parse(&open, &schema()).is_err());
}

#[test]
fn no_text_breaks_the_reader() {
    let words = [
        "owner",
        "area",
        "floors",
        "public",
        "built",
        "changed",
        "\"вид права\"",
        "date",
        "AND",
        "or",
        "NOT",
        "IS",
        "NULL",
        "IN",
        "BETWEEN",
        "LIKE",
        "TRUE",
        "DATE",
        "TIMESTAMP",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        ">=",
        "'а'",
        "'%''_'",
        "'",
        "\"",
        "1",
        "-1.5e3",
        ".",
        "e",
        "+",
        "'2026-01-31'",
        "\\",
        "\u{301}",
        "й",
        "😀",
        "\0",
        "IN (",
        "DATE('2026-01-31')",
        "area = 1",
        "owner LIKE 'а%'",
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (schema, row) = (schema(), row());
    let mut read = 0;
    for round in 0..200_000 {
        let text: String = if round % 4 == 0 {
            (0..random(40))
                .filter_map(|_| char::from_u32(random(0x3000) as u32))
                .collect()
        } else {
            let words: Vec<&str> = (0..random(12))
                .map(|_| words[random(words.len())])
                .collect();
            words.join([" ", ""][random(2)])
        };
        if let Ok(filter) = Filter::parse(&text, &schema) {
            read += 1;
            filter.holds(&|position| ValueRef::from(&row[position]));
            assert!(filter.properties().iter().all(|p| *p < row.len()), "{text}");
        }
    }
    assert!(read > 500, "{read} of the texts mean something");
}
