//! Writing the text encoding (OGC 21-065r2, Annex B).

use std::fmt::Write;

use geo_types::{Coord, Geometry, LineString, Polygon};

use super::text::is_keyword;
use super::token::{ESCAPES, is_part, is_start};
use super::wkt::{Type, rings, written};
use super::{
    ArrayRelation, Expression, Kind, Literal, Operator, SpatialRelation, TemporalRelation, by_name,
};

/// How close what is written binds.
const OR: u8 = 0;
const AND: u8 = 1;
const NOT: u8 = 2;
const PREDICATE: u8 = 3;
/// And as [`Operator::precedence`] says above it.
const VALUE: u8 = 4;
const ATOM: u8 = 7;

pub(super) fn text(expression: &Expression) -> String {
    let mut out = String::new();
    write(&mut out, expression, OR);
    out
}

fn level(kind: &Kind) -> u8 {
    match kind {
        Kind::Or(_) => OR,
        Kind::And(_) => AND,
        // Written with the NOT inside.
        Kind::Not(inner) if can_carry_not(&inner.kind) => PREDICATE,
        Kind::Not(_) => NOT,
        Kind::Compare(..) | Kind::Like(_) | Kind::Between(_) | Kind::In(..) | Kind::IsNull(_) => {
            PREDICATE
        }
        Kind::Arithmetic(operator, _) => VALUE + operator.precedence(),
        _ => ATOM,
    }
}

fn can_carry_not(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Like(_) | Kind::Between(_) | Kind::In(..) | Kind::IsNull(_)
    )
}

/// In parentheses when it binds less close than `least`.
fn write(out: &mut String, expression: &Expression, least: u8) {
    let needs_parentheses = level(&expression.kind) < least;
    if needs_parentheses {
        out.push('(');
    }
    bare(out, &expression.kind);
    if needs_parentheses {
        out.push(')');
    }
}

fn bare(out: &mut String, kind: &Kind) {
    match kind {
        Kind::Literal(literal) => self::literal(out, literal),
        Kind::Property(name) => self::name(out, name),
        Kind::Interval(ends) => call(out, "INTERVAL", ends.as_ref(), |out, end| match end {
            None => out.push_str("'..'"),
            Some(end) => match &end.kind {
                Kind::Literal(time) => string(out, &time.time_text().unwrap_or_default()),
                _ => write(out, end, OR),
            },
        }),
        Kind::Geometry(geometry) => self::geometry(out, geometry),
        Kind::Box(ends) => call(out, "BBOX", ends, |out, end| number(out, *end)),
        Kind::Array(list) => call(out, "", list, |out, one| write(out, one, OR)),
        Kind::And(list) => joined(out, list, " AND ", NOT),
        Kind::Or(list) => joined(out, list, " OR ", AND),
        Kind::Not(inner) if can_carry_not(&inner.kind) => predicate(out, &inner.kind, "NOT "),
        Kind::Not(inner) => {
            out.push_str("NOT ");
            write(out, inner, PREDICATE);
        }
        Kind::Compare(comparison, sides) => {
            write(out, &sides[0], VALUE);
            let _ = write!(out, " {} ", comparison.symbol());
            write(out, &sides[1], VALUE);
        }
        Kind::Like(_) | Kind::Between(_) | Kind::In(..) | Kind::IsNull(_) => {
            predicate(out, kind, "");
        }
        Kind::CaseI(inner) => call(out, "CASEI", &[inner], |out, one| write(out, one, OR)),
        Kind::AccentI(inner) => call(out, "ACCENTI", &[inner], |out, one| write(out, one, OR)),
        Kind::Arithmetic(operator, sides) => {
            let own = VALUE + operator.precedence();
            let (left, right) = match operator {
                Operator::Power => (own + 1, own),
                _ => (own, own + 1),
            };
            write(out, &sides[0], left);
            let _ = write!(out, " {} ", operator.symbol());
            write(out, &sides[1], right);
        }
        Kind::Spatial(relation, sides) => relation_of(out, relation.name(), sides.as_ref()),
        Kind::Temporal(relation, sides) => relation_of(out, relation.name(), sides.as_ref()),
        Kind::ArrayRelation(relation, sides) => relation_of(out, relation.name(), sides.as_ref()),
        Kind::Function(name, arguments) => {
            let mut written = String::new();
            self::name(&mut written, name);
            call(out, &written, arguments, |out, one| write(out, one, OR));
        }
    }
}

fn predicate(out: &mut String, kind: &Kind, not: &str) {
    match kind {
        Kind::Like(sides) => {
            write(out, &sides[0], VALUE);
            let _ = write!(out, " {not}LIKE ");
            write(out, &sides[1], VALUE);
        }
        Kind::Between(three) => {
            write(out, &three[0], VALUE);
            let _ = write!(out, " {not}BETWEEN ");
            write(out, &three[1], VALUE);
            out.push_str(" AND ");
            write(out, &three[2], VALUE);
        }
        Kind::In(value, list) => {
            write(out, value, VALUE);
            let _ = write!(out, " {not}IN ");
            call(out, "", list, |out, one| write(out, one, VALUE));
        }
        Kind::IsNull(value) => {
            write(out, value, VALUE);
            let _ = write!(out, " IS {not}NULL");
        }
        _ => {}
    }
}

fn relation_of(out: &mut String, name: &str, sides: &[Expression]) {
    let name = name.to_ascii_uppercase();
    call(out, &name, sides, |out, one| write(out, one, OR));
}

fn joined(out: &mut String, list: &[Expression], word: &str, least: u8) {
    for (i, one) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(word);
        }
        write(out, one, least);
    }
}

/// `NAME(a, b)`.
fn call<T>(out: &mut String, name: &str, list: &[T], each: impl Fn(&mut String, &T)) {
    out.push_str(name);
    out.push('(');
    for (i, one) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        each(out, one);
    }
    out.push(')');
}

fn literal(out: &mut String, literal: &Literal) {
    match literal {
        Literal::Boolean(true) => out.push_str("TRUE"),
        Literal::Boolean(false) => out.push_str("FALSE"),
        Literal::Integer(i) => {
            let _ = write!(out, "{i}");
        }
        Literal::Real(x) => {
            let _ = write!(out, "{x:?}");
        }
        Literal::Text(text) => string(out, text),
        Literal::Date(_) | Literal::Instant(..) => {
            out.push_str(match literal {
                Literal::Date(_) => "DATE(",
                _ => "TIMESTAMP(",
            });
            string(out, &literal.time_text().unwrap_or_default());
            out.push(')');
        }
    }
}

fn string(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            _ => match ESCAPES.iter().find(|(_, meant)| *meant == c) {
                Some((letter, _)) => out.extend(['\\', *letter]),
                None => out.push(c),
            },
        }
    }
    out.push('\'');
}

/// Without quotes where no reader of CQL2 can take it for something else.
fn name(out: &mut String, name: &str) {
    let is_plain = name.chars().next().is_some_and(is_start)
        && name.chars().all(is_part)
        && !is_keyword(name)
        && !is_reserved(name);
    if is_plain {
        out.push_str(name);
        return;
    }
    out.push('"');
    out.push_str(&name.replace('"', "\"\""));
    out.push('"');
}

/// Words that mean something where a name may stand (§8.2).
fn is_reserved(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "DATE",
        "TIMESTAMP",
        "INTERVAL",
        "CASEI",
        "ACCENTI",
        "BBOX",
        "DIV",
        "ILIKE",
        "EMPTY",
    ];
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
        || by_name(&Type::ALL, name).is_some()
        || by_name(&SpatialRelation::ALL, name).is_some()
        || by_name(&TemporalRelation::ALL, name).is_some()
        || by_name(&ArrayRelation::ALL, name).is_some()
}

/// The shortest that reads as the same double.
fn number(out: &mut String, x: f64) {
    let text = format!("{x:?}");
    out.push_str(text.strip_suffix(".0").unwrap_or(&text));
}

fn geometry(out: &mut String, geometry: &Geometry<f64>) {
    let mut tagged = |tag: &str, is_empty: bool, inside: &dyn Fn(&mut String)| {
        out.push_str(tag);
        match is_empty {
            true => out.push_str(" EMPTY"),
            false => inside(out),
        }
    };
    match geometry {
        Geometry::Point(point) => tagged("POINT", false, &|out| positions(out, &[point.0])),
        Geometry::LineString(line) => {
            tagged("LINESTRING", line.0.is_empty(), &|out| {
                self::line(out, line)
            });
        }
        Geometry::Polygon(polygon) => {
            let is_empty = rings(polygon).is_empty();
            tagged("POLYGON", is_empty, &|out| self::polygon(out, polygon));
        }
        Geometry::MultiPoint(points) => tagged("MULTIPOINT", points.0.is_empty(), &|out| {
            call(out, "", &points.0, |out, point| positions(out, &[point.0]));
        }),
        Geometry::MultiLineString(lines) => {
            tagged("MULTILINESTRING", lines.0.is_empty(), &|out| {
                call(out, "", &lines.0, line);
            });
        }
        Geometry::MultiPolygon(polygons) => {
            tagged("MULTIPOLYGON", polygons.0.is_empty(), &|out| {
                call(out, "", &polygons.0, polygon);
            });
        }
        Geometry::GeometryCollection(members) => {
            tagged("GEOMETRYCOLLECTION", members.0.is_empty(), &|out| {
                call(out, "", &members.0, self::geometry);
            });
        }
        _ => {
            if let Some(written) = written(geometry) {
                self::geometry(out, &written);
            }
        }
    }
}

fn line(out: &mut String, line: &LineString<f64>) {
    match line.0.is_empty() {
        true => out.push_str("EMPTY"),
        false => positions(out, &line.0),
    }
}

fn polygon(out: &mut String, polygon: &Polygon<f64>) {
    let rings = rings(polygon);
    match rings.is_empty() {
        true => out.push_str("EMPTY"),
        false => call(out, "", &rings, |out, ring| line(out, ring)),
    }
}

fn positions(out: &mut String, positions: &[Coord<f64>]) {
    call(out, "", positions, |out, position| {
        number(out, position.x);
        out.push(' ');
        number(out, position.y);
    });
}
