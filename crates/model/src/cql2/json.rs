//! Reading the JSON encoding (OGC 21-065r2 §8.3, `cql2.json`).

use geo_types::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};
use serde_json::{Map, Value as Json};

use super::wkt::{Type, line_of, polygon_of, too_many_positions};
use super::{
    ArrayRelation, At, Comparison, Decisive, Expression, Kind, Literal, MAX_JSON_DEPTH, MAX_NODES,
    MAX_POSITIONS, Member, Operator, SpatialRelation, TemporalRelation, by_name, date_of, expected,
    instant_of, shown,
};
use crate::filter::value_of;
use crate::{Invalid, Message, PropertyType};

pub(super) fn read(json: &Json) -> Result<Expression, Invalid> {
    let mut reader = Reader {
        depth: 0,
        nodes: 0,
        positions: 0,
    };
    reader.expression(json, &At::Json(None))
}

struct Reader {
    depth: usize,
    nodes: usize,
    positions: usize,
}

impl Reader {
    fn expression(&mut self, json: &Json, at: &At) -> Result<Expression, Invalid> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = Message::new("model.filter-too-many-nodes");
            let message = message.with_message("at", at.message());
            return Err(Invalid(message.with("max", MAX_NODES)));
        }
        let kind = match json {
            Json::Bool(b) => Kind::Literal(Literal::Boolean(*b)),
            Json::Number(number) => Kind::Literal(match (number.as_i64(), number.as_f64()) {
                (Some(i), _) => Literal::Integer(i),
                (None, Some(x)) if x.is_finite() => Literal::Real(x),
                _ => return Err(wrong(at, "model.filter-number", json)),
            }),
            Json::String(text) => Kind::Literal(Literal::Text(text.as_str().into())),
            Json::Array(list) => {
                self.descend(at)?;
                let list = self.all(list, at)?;
                self.depth -= 1;
                Kind::Array(list)
            }
            Json::Object(object) => {
                self.descend(at)?;
                let expression = self.object(object, json, at);
                self.depth -= 1;
                return expression;
            }
            Json::Null => return Err(wrong(at, "model.filter-value", json)),
        };
        Ok(Expression::placed(kind, at.clone()))
    }

    fn all(&mut self, list: &[Json], at: &At) -> Result<Vec<Expression>, Invalid> {
        let each = list.iter().enumerate();
        each.map(|(i, one)| self.expression(one, &at.member(Member::Index(i))))
            .collect()
    }

    fn object(
        &mut self,
        object: &Map<String, Json>,
        json: &Json,
        at: &At,
    ) -> Result<Expression, Invalid> {
        let text_of = |name: &'static str, value: &Json, what: Message| match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => {
                let at = at.member(Member::Name(name));
                Err(expected(&at, what, found_in(value)))
            }
        };
        if let Some(name) = object.get("op") {
            let name = text_of("op", name, Message::new("model.filter-op"))?;
            return self.operation(&name, object.get("args"), json, at);
        }
        let kind = if let Some(name) = object.get("property") {
            Kind::Property(text_of(
                "property",
                name,
                Message::new("model.filter-property"),
            )?)
        } else if let Some(date) = object.get("date") {
            let literal = date.as_str().and_then(date_of);
            Kind::Literal(literal.ok_or_else(|| {
                let at = at.member(Member::Name("date"));
                expected(&at, value_of(PropertyType::Date), found_in(date))
            })?)
        } else if let Some(time) = object.get("timestamp") {
            let literal = time.as_str().and_then(instant_of);
            Kind::Literal(literal.ok_or_else(|| {
                let at = at.member(Member::Name("timestamp"));
                let what = value_of(PropertyType::DateTime);
                expected(&at, what, found_in(time))
            })?)
        } else if let Some(ends) = object.get("interval") {
            let at = at.member(Member::Name("interval"));
            let [from, to] = elements(ends, &at)?;
            let from = self.end(from, &at.member(Member::Index(0)))?;
            Kind::Interval(Box::new([
                from,
                self.end(to, &at.member(Member::Index(1)))?,
            ]))
        } else if let Some(ends) = object.get("bbox")
            && !object.contains_key("type")
        {
            let at = at.member(Member::Name("bbox"));
            let numbers: Option<Vec<f64>> = ends
                .as_array()
                .and_then(|list| list.iter().map(Json::as_f64).collect());
            Kind::Box(match numbers.as_deref() {
                Some([w, s, e, n] | [w, s, _, e, n, _]) => [*w, *s, *e, *n],
                _ => return Err(wrong(&at, "model.filter-box-numbers", ends)),
            })
        } else if object.contains_key("type") {
            Kind::Geometry(self.geometry(json, at)?)
        } else {
            return Err(wrong(at, "model.filter-json", json));
        };
        Ok(Expression::placed(kind, at.clone()))
    }

    fn operation(
        &mut self,
        name: &str,
        arguments: Option<&Json>,
        json: &Json,
        at: &At,
    ) -> Result<Expression, Invalid> {
        let here = at.clone();
        let at = at.member(Member::Name("args"));
        let Some(list) = arguments.and_then(Json::as_array) else {
            return Err(wrong(&at, "model.filter-args", arguments.unwrap_or(json)));
        };
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("in") {
            let [value, list] = elements(arguments.unwrap_or(json), &at)?;
            let inner = at.member(Member::Index(1));
            let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
                return Err(wrong(&inner, "model.filter-list", list));
            };
            let value = self.expression(value, &at.member(Member::Index(0)))?;
            let list = self.all(list, &inner)?;
            return Ok(Expression::placed(Kind::In(Box::new(value), list), here));
        }
        let arguments = self.all(list, &at)?;
        if is("and") || is("or") {
            let decisive = match is("and") {
                true => Decisive::False,
                false => Decisive::True,
            };
            return match arguments.len() {
                0 | 1 => Err(count(&at, 2, arguments.len())),
                _ => Ok(Expression::joined(arguments, decisive, here)),
            };
        }
        let two = |arguments| exactly::<2>(arguments, &at);
        let one = |arguments| exactly::<1>(arguments, &at).map(|[one]| Box::new(one));
        let kind = if is("not") {
            Kind::Not(one(arguments)?)
        } else if is("isNull") {
            Kind::IsNull(one(arguments)?)
        } else if is("casei") {
            Kind::CaseI(one(arguments)?)
        } else if is("accenti") {
            Kind::AccentI(one(arguments)?)
        } else if is("like") {
            let sides = two(arguments)?;
            if !is_pattern(&sides[1]) {
                let found = shown(&sides[1].to_text());
                return Err(expected(&sides[1].at, value_of(PropertyType::Text), found));
            }
            Kind::Like(Box::new(sides))
        } else if is("between") {
            Kind::Between(Box::new(exactly::<3>(arguments, &at)?))
        } else if is("!=") {
            Kind::Compare(Comparison::NotEqual, Box::new(two(arguments)?))
        } else if let Some(comparison) = by_name(&Comparison::ALL, name) {
            Kind::Compare(comparison, Box::new(two(arguments)?))
        } else if let Some(operator) = by_name(&Operator::ALL, name) {
            Kind::Arithmetic(operator, Box::new(two(arguments)?))
        } else if let Some(relation) = by_name(&SpatialRelation::ALL, name) {
            Kind::Spatial(relation, Box::new(two(arguments)?))
        } else if let Some(relation) = by_name(&TemporalRelation::ALL, name) {
            Kind::Temporal(relation, Box::new(two(arguments)?))
        } else if let Some(relation) = by_name(&ArrayRelation::ALL, name) {
            Kind::ArrayRelation(relation, Box::new(two(arguments)?))
        } else {
            Kind::Function(name.to_owned(), arguments)
        };
        Ok(Expression::placed(kind, here))
    }

    fn end(&mut self, json: &Json, at: &At) -> Result<Option<Expression>, Invalid> {
        if let Some(text) = json.as_str() {
            if text == ".." {
                return Ok(None);
            }
            return match date_of(text).or_else(|| instant_of(text)) {
                Some(time) => Ok(Some(Expression::placed(Kind::Literal(time), at.clone()))),
                None => Err(wrong(at, "model.filter-interval-end", json)),
            };
        }
        let end = self.expression(json, at)?;
        match end.kind {
            Kind::Property(_)
            | Kind::Function(..)
            | Kind::Literal(Literal::Date(_) | Literal::Instant(..)) => Ok(Some(end)),
            _ => Err(wrong(at, "model.filter-interval-end", json)),
        }
    }

    /// RFC 7946 §3.1.
    fn geometry(&mut self, json: &Json, at: &At) -> Result<Geometry<f64>, Invalid> {
        let kind = json.get("type").and_then(Json::as_str);
        // Names of GeoJSON are in one case alone (RFC 7946 §1.4), those of WKT in any.
        let exact = |name: &str| Type::ALL.iter().find(|(_, each)| *each == name);
        let kind = kind.and_then(exact).map(|(kind, _)| *kind);
        let Some(kind) = kind else {
            return Err(wrong(at, "model.filter-geometry", json));
        };
        if kind == Type::Collection {
            let at = at.member(Member::Name("geometries"));
            let members = json.get("geometries").unwrap_or(&Json::Null);
            self.descend(&at)?;
            let members = self.parts(members, &at, Self::geometry)?;
            self.depth -= 1;
            return Ok(Geometry::GeometryCollection(GeometryCollection(members)));
        }
        let at = &at.member(Member::Name("coordinates"));
        let parts = json.get("coordinates").unwrap_or(&Json::Null);
        Ok(match kind {
            Type::Point if parts.as_array().is_some_and(Vec::is_empty) => {
                Geometry::MultiPoint(MultiPoint(Vec::new()))
            }
            Type::Point | Type::Collection => Geometry::Point(Point(self.position(parts, at)?)),
            Type::LineString => Geometry::LineString(self.line(parts, at)?),
            Type::Polygon => Geometry::Polygon(self.polygon(parts, at)?),
            Type::MultiPoint => {
                let points = self.parts(parts, at, Self::position)?;
                Geometry::MultiPoint(MultiPoint(points.into_iter().map(Point).collect()))
            }
            Type::MultiLineString => {
                let lines = self.parts(parts, at, Self::line)?;
                Geometry::MultiLineString(MultiLineString(lines))
            }
            Type::MultiPolygon => {
                let polygons = self.parts(parts, at, Self::polygon)?;
                Geometry::MultiPolygon(MultiPolygon(polygons))
            }
        })
    }

    fn parts<T>(
        &mut self,
        json: &Json,
        at: &At,
        read: fn(&mut Self, &Json, &At) -> Result<T, Invalid>,
    ) -> Result<Vec<T>, Invalid> {
        let Some(list) = json.as_array() else {
            return Err(wrong(at, "model.filter-list", json));
        };
        let each = list.iter().enumerate();
        each.map(|(i, part)| read(self, part, &at.member(Member::Index(i))))
            .collect()
    }

    fn position(&mut self, json: &Json, at: &At) -> Result<Coord<f64>, Invalid> {
        self.positions += 1;
        if self.positions > MAX_POSITIONS {
            return Err(too_many_positions(at));
        }
        let numbers: Option<Vec<f64>> = json
            .as_array()
            .and_then(|list| list.iter().map(Json::as_f64).collect());
        match numbers.as_deref() {
            Some([x, y] | [x, y, _] | [x, y, _, _]) => Ok(Coord { x: *x, y: *y }),
            _ => Err(wrong(at, "model.filter-position", json)),
        }
    }

    fn line(&mut self, json: &Json, at: &At) -> Result<LineString<f64>, Invalid> {
        line_of(self.parts(json, at, Self::position)?, at)
    }

    fn polygon(&mut self, json: &Json, at: &At) -> Result<Polygon<f64>, Invalid> {
        let rings = self.parts(json, at, |reader, ring, at| {
            reader.parts(ring, at, Self::position)
        });
        polygon_of(rings?, at)
    }

    fn descend(&mut self, at: &At) -> Result<(), Invalid> {
        if self.depth < MAX_JSON_DEPTH {
            self.depth += 1;
            return Ok(());
        }
        let message = Message::new("model.filter-json-too-deep").with_message("at", at.message());
        Err(Invalid(message.with("max", MAX_JSON_DEPTH)))
    }
}

/// BNF `patternExpression`.
fn is_pattern(expression: &Expression) -> bool {
    match &expression.kind {
        Kind::Literal(Literal::Text(_)) => true,
        Kind::CaseI(inside) | Kind::AccentI(inside) => is_pattern(inside),
        _ => false,
    }
}

fn elements<'j>(json: &'j Json, at: &At) -> Result<[&'j Json; 2], Invalid> {
    match json.as_array().map(Vec::as_slice) {
        Some([first, second]) => Ok([first, second]),
        Some(list) => Err(count(at, 2, list.len())),
        None => Err(wrong(at, "model.filter-list", json)),
    }
}

fn exactly<const N: usize>(list: Vec<Expression>, at: &At) -> Result<[Expression; N], Invalid> {
    list.try_into()
        .map_err(|list: Vec<Expression>| count(at, N, list.len()))
}

fn count(at: &At, needed: usize, found: usize) -> Invalid {
    let needed = Message::new("model.filter-arguments").count(needed as u64);
    expected(at, needed, shown(&found.to_string()))
}

fn wrong(at: &At, what: &'static str, found: &Json) -> Invalid {
    expected(at, Message::new(what), found_in(found))
}

/// What was found, for an error: of what holds other values only that it does, however deep it is.
fn found_in(json: &Json) -> Message {
    match json {
        Json::Object(_) => shown("{…}"),
        Json::Array(_) => shown("[…]"),
        scalar => shown(&scalar.to_string()),
    }
}
