//! Trees and texts at random: what is printed reads as the same tree, and nothing breaks the reader.

use geo_types::{Coord, Geometry, LineString, MultiPoint, Point, Polygon};
use model::cql2::{
    ArrayRelation, Comparison, Expression, Kind, Literal, Operator, TemporalRelation,
};
use model::{Filter, SpatialRelation, ValueRef};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{row, schema};

fn boxed<const N: usize>(list: [Kind; N]) -> Box<[Expression; N]> {
    Box::new(list.map(Expression::from))
}

fn one(kind: Kind) -> Box<Expression> {
    Box::new(kind.into())
}

fn all(list: Vec<Kind>) -> Vec<Expression> {
    list.into_iter().map(Expression::from).collect()
}

fn name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 22] = [
        "name",
        "floors",
        "area",
        "public",
        "date",
        "start",
        "end",
        "boolean",
        "nothing",
        "вулиця",
        "div",
        "geom",
        "point",
        "and",
        "a b",
        "say \"so\"",
        "'",
        "x.y:z",
        "ilike",
        "empty",
        "1a",
        "",
    ];
    prop_oneof![
        4 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

fn real() -> impl Strategy<Value = f64> {
    any::<f64>().prop_map(|x| if x.is_finite() { x } else { 0.5 })
}

fn time() -> impl Strategy<Value = Literal> {
    let days = -719_528_i64..=2_932_896;
    prop_oneof![
        days.clone().prop_map(Literal::Date),
        (days, 0_i64..86_400_000_000).prop_map(|(d, m)| Literal::Instant(d, m)),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<bool>().prop_map(Literal::Boolean),
        any::<i64>().prop_map(Literal::Integer),
        real().prop_map(Literal::Real),
        any::<String>().prop_map(|t| Literal::Text(t.into())),
        "[a-z%_\\\\']{0,8}".prop_map(|t| Literal::Text(t.into())),
        time(),
    ]
}

fn geometry() -> impl Strategy<Value = Geometry<f64>> {
    let position = || (real(), real()).prop_map(|(x, y)| Coord { x, y });
    let ring = vec(position(), 3..6).prop_map(|mut ring| {
        ring.push(ring[0]);
        LineString(ring)
    });
    prop_oneof![
        position().prop_map(|c| Geometry::Point(Point(c))),
        vec(position(), 2..5).prop_map(|line| Geometry::LineString(LineString(line))),
        vec(position(), 0..3)
            .prop_map(|all| Geometry::MultiPoint(MultiPoint(all.into_iter().map(Point).collect()))),
        vec(ring, 1..3).prop_map(|mut rings| {
            let outer = rings.remove(0);
            Geometry::Polygon(Polygon::new(outer, rings))
        }),
    ]
}

fn pattern() -> impl Strategy<Value = Kind> {
    let text = any::<String>().prop_map(|t| Kind::Literal(Literal::Text(t.into())));
    text.prop_recursive(2, 3, 1, |inner| {
        prop_oneof![
            inner.clone().prop_map(|p| Kind::CaseI(one(p))),
            inner.prop_map(|p| Kind::AccentI(one(p))),
        ]
    })
}

/// Conditions in AND are no ANDs, those in OR no ORs, as the tree promises.
fn chain(list: Vec<Kind>, is_and: bool) -> Kind {
    let mut flat = Vec::new();
    for kind in list {
        match (kind, is_and) {
            (Kind::And(inner), true) | (Kind::Or(inner), false) => flat.extend(inner),
            (kind, _) => flat.push(kind.into()),
        }
    }
    match is_and {
        true => Kind::And(flat),
        false => Kind::Or(flat),
    }
}

fn tree() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        literal().prop_map(Kind::Literal),
        name().prop_map(Kind::Property),
        geometry().prop_map(Kind::Geometry),
        [real(), real(), real(), real()].prop_map(Kind::Box),
        (prop::option::of(time()), prop::option::of(name())).prop_map(|(from, to)| {
            let from = from.map(|time| Kind::Literal(time).into());
            Kind::Interval(Box::new([from, to.map(|name| Kind::Property(name).into())]))
        }),
    ];
    leaf.prop_recursive(5, 60, 4, |inner| {
        let two = || [inner.clone(), inner.clone()];
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|list| chain(list, true)),
            vec(inner.clone(), 2..4).prop_map(|list| chain(list, false)),
            inner.clone().prop_map(|k| Kind::Not(one(k))),
            (0..6_usize, two()).prop_map(|(i, sides)| {
                use Comparison as Is;
                let all = [
                    Is::Equal,
                    Is::NotEqual,
                    Is::Less,
                    Is::Greater,
                    Is::AtMost,
                    Is::AtLeast,
                ];
                Kind::Compare(all[i], boxed(sides))
            }),
            (inner.clone(), pattern()).prop_map(|(a, p)| Kind::Like(boxed([a, p]))),
            [inner.clone(), inner.clone(), inner.clone()].prop_map(|k| Kind::Between(boxed(k))),
            (inner.clone(), vec(inner.clone(), 1..4)).prop_map(|(a, l)| Kind::In(one(a), all(l))),
            inner.clone().prop_map(|k| Kind::IsNull(one(k))),
            inner.clone().prop_map(|k| Kind::CaseI(one(k))),
            inner.clone().prop_map(|k| Kind::AccentI(one(k))),
            (0..7_usize, two()).prop_map(|(i, sides)| {
                use Operator as By;
                let all = [
                    By::Plus,
                    By::Minus,
                    By::Times,
                    By::Divide,
                    By::Modulo,
                    By::Div,
                    By::Power,
                ];
                Kind::Arithmetic(all[i], boxed(sides))
            }),
            (0..8_usize, two())
                .prop_map(|(i, sides)| Kind::Spatial(SpatialRelation::ALL[i].0, boxed(sides))),
            (0..15_usize, two())
                .prop_map(|(i, sides)| Kind::Temporal(TemporalRelation::ALL[i].0, boxed(sides))),
            (
                0..4_usize,
                vec((inner.clone(), 0..3_usize), 0..3),
                inner.clone()
            )
                .prop_map(|(i, list, other)| {
                    // Some elements are arrays, in arrays.
                    let list = list.into_iter().map(|(kind, arrays)| {
                        (0..arrays).fold(kind, |kind, _| Kind::Array(vec![kind.into()]))
                    });
                    let sides = [Kind::Array(all(list.collect())), other];
                    Kind::ArrayRelation(ArrayRelation::ALL[i].0, boxed(sides))
                }),
            ("f[a-zA-Z_ \"]{0,6}|date|POINT", vec(inner.clone(), 0..3))
                .prop_map(|(name, list)| Kind::Function(name, all(list))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_tree_is_the_same_tree(kind in tree()) {
        let tree = Expression::from(kind);
        let text = tree.to_text();
        let of_text = Expression::from_text(&text);
        prop_assert_eq!(of_text, Ok(tree.clone()), "{}", text);
        let json = tree.to_json();
        prop_assert_eq!(Expression::from_json(&json), Ok(tree.clone()), "{}", json);
        // By way of its text, too.
        let json: serde_json::Value = serde_json::from_str(&json.to_string()).unwrap();
        prop_assert_eq!(Expression::from_json(&json), Ok(tree.clone()), "{}", json);
    }

    #[test]
    fn a_tree_is_bound_or_refused_and_asked(kind in tree()) {
        if let Ok(filter) = Filter::bind(&Expression::from(kind), &schema()) {
            ask(&filter);
        }
    }

    #[test]
    fn no_characters_break_the_reader(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn no_changed_example_breaks_the_reader(
        which in any::<prop::sample::Index>(),
        cuts in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let examples = examples();
        let mut text: Vec<char> = which.get(&examples).chars().collect();
        for (from, length, source) in cuts {
            if text.is_empty() {
                break;
            }
            let from = from.index(text.len());
            let end = (from + length.index(12)).min(text.len());
            let other: Vec<char> = source.get(&examples).chars().skip(from).take(end - from + 3).collect();
            text.splice(from..end, other);
        }
        read(&text.into_iter().collect::<String>());
    }
}

fn examples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cql2/text");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path| std::fs::read_to_string(path).expect("a text file");
    paths.into_iter().map(read).collect()
}

/// Whatever can be read can be printed, converted, bound and asked.
fn read(text: &str) {
    if let Ok(tree) = Expression::from_text(text) {
        let printed = tree.to_text();
        assert_eq!(
            Expression::from_text(&printed).as_ref(),
            Ok(&tree),
            "{text}\n{printed}"
        );
        let json = tree.to_json();
        assert_eq!(
            Expression::from_json(&json).as_ref(),
            Ok(&tree),
            "{text}\n{json}"
        );
        if let Ok(filter) = Filter::bind(&tree, &schema()) {
            ask(&filter);
        }
    }
    if let Ok(filter) = Filter::parse(text, &schema()) {
        ask(&filter);
    }
    if let Ok(json) = serde_json::from_str(text) {
        let _ = Expression::from_json(&json);
    }
}

fn ask(filter: &Filter) {
    let row = row();
    filter.holds(&|position: usize| ValueRef::from(&row[position]));
    assert!(filter.properties().iter().all(|p| *p < row.len()));
    filter.necessary_box();
    filter.necessary_equals();
    filter.uses_geometry();
}

/// Words of the language in any order.
#[test]
fn no_words_break_the_reader() {
    let words = [
        "name",
        "floors",
        "area",
        "public",
        "date",
        "start",
        "geom",
        "\"вулиця\"",
        "AND",
        "or",
        "NOT",
        "IS",
        "NULL",
        "IN",
        "BETWEEN",
        "LIKE",
        "ILIKE",
        "TRUE",
        "DATE",
        "TIMESTAMP",
        "INTERVAL",
        "(",
        ")",
        ",",
        "=",
        "<>",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "div",
        "'а'",
        "'%''_'",
        "'",
        "\"",
        "1",
        "1.5e3",
        ".",
        "e",
        "'2026-01-31'",
        "\\",
        "\u{301}",
        "й",
        "😀",
        "\0",
        "IN (",
        "DATE('2026-01-31')",
        "floors = 1",
        "name LIKE 'а%'",
        "POINT(1 2)",
        "BBOX(",
        "S_INTERSECTS(",
        "T_AFTER(",
        "A_CONTAINS(",
        "CASEI(",
        "ACCENTI(",
        "upper(",
        "geom,",
        "EMPTY",
        "Z",
        "POLYGON((",
        "1 2,",
        "'..'",
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..100_000 {
        let count = random(12);
        let text: Vec<&str> = (0..count).map(|_| words[random(words.len())]).collect();
        read(&text.join([" ", ""][random(2)]));
    }
}
