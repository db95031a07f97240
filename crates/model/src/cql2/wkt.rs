//! Geometry literals: well-known text (OGC 06-103r4 §7) as CQL2 text has it, and their parts for printing.

use geo_types::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};

use super::cursor::Reader;
use super::{At, MAX_POSITIONS};
use crate::{Invalid, Message};

/// The types, as in text and in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
    Collection,
}

impl Type {
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Point, "Point"),
        (Self::LineString, "LineString"),
        (Self::Polygon, "Polygon"),
        (Self::MultiPoint, "MultiPoint"),
        (Self::MultiLineString, "MultiLineString"),
        (Self::MultiPolygon, "MultiPolygon"),
        (Self::Collection, "GeometryCollection"),
    ];
}

impl Reader<'_> {
    /// Whether a geometry begins here; the names of the types alone are names of properties.
    pub(super) fn is_geometry(&self) -> bool {
        let is = |ahead: usize, words: &[&str]| {
            let word = self.word(ahead);
            word.is_some_and(|word| words.iter().any(|w| word.eq_ignore_ascii_case(w)))
        };
        if self.geometry_type().is_none() {
            return false;
        }
        let ahead = 1 + usize::from(is(1, &["Z", "M", "ZM"]));
        self.is_symbol_at(ahead, "(") || is(ahead, &["EMPTY"])
    }

    fn geometry_type(&self) -> Option<Type> {
        super::by_name(&Type::ALL, self.word(0)?)
    }

    /// BNF `spatialInstance`.
    pub(super) fn geometry(&mut self) -> Result<Geometry<f64>, Invalid> {
        let Some(kind) = self.geometry_type() else {
            return Err(self.wrong(Message::new("model.filter-geometry")));
        };
        self.next += 1;
        let _ = self.take_word("Z") || self.take_word("M") || self.take_word("ZM");
        self.descend()?;
        let geometry = match kind {
            Type::Point => {
                let position = self.parts(Self::position)?.map(|mut one| one.remove(0));
                match position {
                    Some(position) => Geometry::Point(Point(position)),
                    None => Geometry::MultiPoint(MultiPoint(Vec::new())),
                }
            }
            Type::LineString => Geometry::LineString(self.line()?),
            Type::Polygon => Geometry::Polygon(self.polygon()?),
            Type::MultiPoint => {
                let points = self.parts(Self::point_of_many)?.unwrap_or_default();
                Geometry::MultiPoint(MultiPoint(points))
            }
            Type::MultiLineString => {
                let lines = self.parts(Self::line)?.unwrap_or_default();
                Geometry::MultiLineString(MultiLineString(lines))
            }
            Type::MultiPolygon => {
                let polygons = self.parts(Self::polygon)?.unwrap_or_default();
                Geometry::MultiPolygon(MultiPolygon(polygons))
            }
            Type::Collection => {
                let members = self.parts(Self::geometry)?.unwrap_or_default();
                Geometry::GeometryCollection(GeometryCollection(members))
            }
        };
        self.depth -= 1;
        Ok(geometry)
    }

    /// Parts in parentheses, at least one; `None` for EMPTY.
    fn parts<T>(
        &mut self,
        read: fn(&mut Self) -> Result<T, Invalid>,
    ) -> Result<Option<Vec<T>>, Invalid> {
        if self.take_word("EMPTY") {
            return Ok(None);
        }
        self.need_symbol("(", "model.filter-opening")?;
        let mut parts = vec![read(self)?];
        while self.take_symbol(",") {
            parts.push(read(self)?);
        }
        self.need_symbol(")", "model.filter-comma")?;
        Ok(Some(parts))
    }

    /// Two numbers, and up to two more that are left out: predicates look at the plane.
    fn position(&mut self) -> Result<Coord<f64>, Invalid> {
        self.positions += 1;
        if self.positions > MAX_POSITIONS {
            return Err(too_many_positions(&self.at()));
        }
        let (x, y) = (self.coordinate()?, self.coordinate()?);
        for _ in 0..2 {
            if !self.is_symbol(",") && !self.is_symbol(")") {
                self.coordinate()?;
            }
        }
        Ok(Coord { x, y })
    }

    /// With parentheses of its own, as the grammar has it, or without, as many write.
    fn point_of_many(&mut self) -> Result<Point<f64>, Invalid> {
        if !self.take_symbol("(") {
            return self.position().map(Point);
        }
        let position = self.position()?;
        self.need_symbol(")", "model.filter-closing")?;
        Ok(Point(position))
    }

    fn line(&mut self) -> Result<LineString<f64>, Invalid> {
        let at = self.at();
        let line = self.parts(Self::position)?.unwrap_or_default();
        line_of(line, &at)
    }

    fn polygon(&mut self) -> Result<Polygon<f64>, Invalid> {
        let at = self.at();
        let rings =
            self.parts(|reader| reader.parts(Self::position).map(Option::unwrap_or_default));
        polygon_of(rings?.unwrap_or_default(), &at)
    }
}

pub(super) fn too_many_positions(at: &At) -> Invalid {
    let message = Message::new("model.filter-too-many-positions").with_message("at", at.message());
    Invalid(message.with("max", MAX_POSITIONS))
}

/// # Errors
/// When it has one position.
pub(super) fn line_of(line: Vec<Coord<f64>>, at: &At) -> Result<LineString<f64>, Invalid> {
    match line.len() {
        1 => Err(Invalid(
            Message::new("model.filter-line").with_message("at", at.message()),
        )),
        _ => Ok(LineString(line)),
    }
}

/// The first ring is the outer one.
///
/// # Errors
/// When a ring has less than three positions and the first again.
pub(super) fn polygon_of(rings: Vec<Vec<Coord<f64>>>, at: &At) -> Result<Polygon<f64>, Invalid> {
    let mut closed = Vec::with_capacity(rings.len());
    for ring in rings {
        if ring.len() < 4 || ring.first() != ring.last() {
            let message = Message::new("model.filter-ring").with_message("at", at.message());
            return Err(Invalid(message));
        }
        closed.push(LineString(ring));
    }
    if closed.is_empty() {
        return Ok(Polygon::new(LineString(Vec::new()), Vec::new()));
    }
    let outer = closed.remove(0);
    Ok(Polygon::new(outer, closed))
}

/// The rings of a polygon that is not empty.
pub(super) fn rings(polygon: &Polygon<f64>) -> Vec<&LineString<f64>> {
    let outer = polygon.exterior();
    match outer.0.is_empty() {
        true => Vec::new(),
        false => std::iter::once(outer).chain(polygon.interiors()).collect(),
    }
}

/// A geometry as one of the seven types that are written.
pub(super) fn written(geometry: &Geometry<f64>) -> Option<Geometry<f64>> {
    match geometry {
        Geometry::Line(line) => Some(LineString(vec![line.start, line.end]).into()),
        Geometry::Rect(rect) => Some(rect.to_polygon().into()),
        Geometry::Triangle(triangle) => Some(triangle.to_polygon().into()),
        _ => None,
    }
}
