//! Writing the JSON encoding (OGC 21-065r2 §8.3).

use geo_types::{Coord, Geometry, LineString, Polygon};
use serde_json::{Value as Json, json};

use super::wkt::{rings, written};
use super::{Expression, Kind, Literal};

pub(super) fn json(expression: &Expression) -> Json {
    match &expression.kind {
        Kind::Literal(literal) => self::literal(literal),
        Kind::Property(name) => json!({ "property": name }),
        Kind::Interval(ends) => {
            let end = |end: &Option<Expression>| match end {
                None => json!(".."),
                Some(end) => match &end.kind {
                    Kind::Literal(time) => json!(time.time_text()),
                    _ => json(end),
                },
            };
            json!({ "interval": [end(&ends[0]), end(&ends[1])] })
        }
        Kind::Geometry(geometry) => self::geometry(geometry),
        Kind::Box(ends) => json!({ "bbox": ends.map(number) }),
        Kind::Array(list) => all(list),
        Kind::And(list) => operation("and", list),
        Kind::Or(list) => operation("or", list),
        Kind::Not(one) => operation("not", [one.as_ref()]),
        Kind::Compare(comparison, sides) => operation(comparison.symbol(), sides.as_ref()),
        Kind::Like(sides) => operation("like", sides.as_ref()),
        Kind::Between(three) => operation("between", three.as_ref()),
        Kind::In(value, list) => json!({ "op": "in", "args": [json(value), all(list)] }),
        Kind::IsNull(one) => operation("isNull", [one.as_ref()]),
        Kind::CaseI(one) => operation("casei", [one.as_ref()]),
        Kind::AccentI(one) => operation("accenti", [one.as_ref()]),
        Kind::Arithmetic(operator, sides) => operation(operator.symbol(), sides.as_ref()),
        Kind::Spatial(relation, sides) => operation(relation.name(), sides.as_ref()),
        Kind::Temporal(relation, sides) => operation(relation.name(), sides.as_ref()),
        Kind::ArrayRelation(relation, sides) => operation(relation.name(), sides.as_ref()),
        Kind::Function(name, arguments) => operation(name, arguments),
    }
}

fn operation<'e>(name: &str, arguments: impl IntoIterator<Item = &'e Expression>) -> Json {
    json!({ "op": name, "args": all(arguments) })
}

fn all<'e>(list: impl IntoIterator<Item = &'e Expression>) -> Json {
    list.into_iter().map(json).collect()
}

fn literal(literal: &Literal) -> Json {
    match literal {
        Literal::Boolean(b) => json!(b),
        Literal::Integer(i) => json!(i),
        Literal::Real(x) => json!(x),
        Literal::Text(text) => json!(text),
        Literal::Date(_) => json!({ "date": literal.time_text() }),
        Literal::Instant(..) => json!({ "timestamp": literal.time_text() }),
    }
}

/// Whole numbers as such: `10`, not `10.0`.
fn number(x: f64) -> Json {
    match x.fract() == 0.0 && x.abs() < 1e15 && (x != 0.0 || x.is_sign_positive()) {
        true => json!(x as i64),
        false => json!(x),
    }
}

fn geometry(geometry: &Geometry<f64>) -> Json {
    let typed = |name: &str, coordinates: Json| json!({ "type": name, "coordinates": coordinates });
    match geometry {
        Geometry::Point(point) => typed("Point", position(&point.0)),
        Geometry::LineString(line) => typed("LineString", self::line(line)),
        Geometry::Polygon(polygon) => typed("Polygon", self::polygon(polygon)),
        Geometry::MultiPoint(points) => {
            let points = points.0.iter().map(|point| position(&point.0));
            typed("MultiPoint", points.collect())
        }
        Geometry::MultiLineString(lines) => {
            typed("MultiLineString", lines.0.iter().map(line).collect())
        }
        Geometry::MultiPolygon(polygons) => {
            let polygons = polygons.0.iter().map(polygon);
            typed("MultiPolygon", polygons.collect())
        }
        Geometry::GeometryCollection(members) => {
            let members: Json = members.0.iter().map(self::geometry).collect();
            json!({ "type": "GeometryCollection", "geometries": members })
        }
        _ => written(geometry).map_or(Json::Null, |written| self::geometry(&written)),
    }
}

fn position(position: &Coord<f64>) -> Json {
    json!([number(position.x), number(position.y)])
}

fn line(line: &LineString<f64>) -> Json {
    line.0.iter().map(position).collect()
}

fn polygon(polygon: &Polygon<f64>) -> Json {
    rings(polygon).into_iter().map(line).collect()
}
