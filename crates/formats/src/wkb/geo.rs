//! Between WKB and geo's types, in two dimensions.

use geo_types::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};
use model::GeometryType;

use super::walk::{Dims, Part, Points, Visitor, walk};
use super::{Builder, Error};

/// Reads WKB or EWKB of either byte order; Z and M are dropped.
///
/// geo's `Point` cannot be empty: an empty point is given as an empty `MultiPoint`.
/// geo closes rings that are open; [`super::check`] tells of them.
///
/// # Errors
/// As [`super::check`].
pub fn read(bytes: &[u8]) -> Result<Geometry<f64>, Error> {
    let mut tree = Tree {
        open: Vec::new(),
        rings: Vec::new(),
        done: None,
    };
    walk(bytes, &mut tree)?;
    Ok(tree
        .done
        .unwrap_or_else(|| Geometry::GeometryCollection(GeometryCollection::default())))
}

struct Tree {
    /// Parts of the multi parts and collections that are not yet closed.
    open: Vec<Vec<Geometry<f64>>>,
    rings: Vec<LineString<f64>>,
    done: Option<Geometry<f64>>,
}

impl Tree {
    fn push(&mut self, geometry: Geometry<f64>) {
        match self.open.last_mut() {
            Some(parts) => parts.push(geometry),
            None => self.done = Some(geometry),
        }
    }
}

fn line(points: Points<'_>) -> LineString<f64> {
    points.xy().map(|[x, y]| Coord { x, y }).collect()
}

impl Visitor for Tree {
    fn begin(&mut self, part: Part) {
        match part.kind {
            GeometryType::Point | GeometryType::LineString | GeometryType::Polygon => {}
            _ => self.open.push(Vec::new()),
        }
    }

    fn points(&mut self, part: Part, _ring: usize, points: Points<'_>) {
        match part.kind {
            GeometryType::Point => match points.xy().next() {
                Some([x, y]) => self.push(Point::new(x, y).into()),
                // Inside a multi point an empty point is no point.
                None if part.parent == Some(GeometryType::MultiPoint) => {}
                None => self.push(MultiPoint::new(Vec::new()).into()),
            },
            GeometryType::LineString => self.push(line(points).into()),
            _ => self.rings.push(line(points)),
        }
    }

    fn end(&mut self, part: Part) {
        let geometry = match part.kind {
            GeometryType::Point | GeometryType::LineString => return,
            GeometryType::Polygon => {
                let mut rings = std::mem::take(&mut self.rings).into_iter();
                let exterior = rings.next().unwrap_or_else(|| LineString::new(Vec::new()));
                Polygon::new(exterior, rings.collect()).into()
            }
            kind => {
                let parts = self.open.pop().unwrap_or_default().into_iter();
                match kind {
                    GeometryType::MultiPoint => MultiPoint::new(
                        parts
                            .filter_map(|g| match g {
                                Geometry::Point(p) => Some(p),
                                _ => None,
                            })
                            .collect(),
                    )
                    .into(),
                    GeometryType::MultiLineString => MultiLineString::new(
                        parts
                            .filter_map(|g| match g {
                                Geometry::LineString(l) => Some(l),
                                _ => None,
                            })
                            .collect(),
                    )
                    .into(),
                    GeometryType::MultiPolygon => MultiPolygon::new(
                        parts
                            .filter_map(|g| match g {
                                Geometry::Polygon(p) => Some(p),
                                _ => None,
                            })
                            .collect(),
                    )
                    .into(),
                    _ => {
                        Geometry::GeometryCollection(GeometryCollection::new_from(parts.collect()))
                    }
                }
            }
        };
        self.push(geometry);
    }
}

/// Appends a geometry as little-endian ISO WKB. Geo's `Line` becomes a line string, `Rect` and `Triangle` polygons.
pub fn write(geometry: &Geometry<f64>, out: &mut Vec<u8>) {
    let mut b = Builder::new(out);
    put(&mut b, geometry);
}

fn put(b: &mut Builder<'_>, geometry: &Geometry<f64>) {
    use GeometryType as T;
    match geometry {
        Geometry::Point(p) => put_point(b, p),
        Geometry::Line(l) => put_line(b, &[l.start, l.end]),
        Geometry::LineString(l) => put_line(b, &l.0),
        Geometry::Polygon(p) => put_polygon(b, p),
        Geometry::MultiPoint(m) => {
            header(b, T::MultiPoint, m.0.len());
            m.0.iter().for_each(|p| put_point(b, p));
        }
        Geometry::MultiLineString(m) => {
            header(b, T::MultiLineString, m.0.len());
            m.0.iter().for_each(|l| put_line(b, &l.0));
        }
        Geometry::MultiPolygon(m) => {
            header(b, T::MultiPolygon, m.0.len());
            m.0.iter().for_each(|p| put_polygon(b, p));
        }
        Geometry::GeometryCollection(c) => {
            header(b, T::GeometryCollection, c.0.len());
            c.0.iter().for_each(|g| put(b, g));
        }
        Geometry::Rect(r) => put_polygon(b, &r.to_polygon()),
        Geometry::Triangle(t) => put_polygon(b, &t.to_polygon()),
    }
}

fn header(b: &mut Builder<'_>, kind: GeometryType, count: usize) {
    b.header(kind, Dims::default());
    b.count(count);
}

fn put_point(b: &mut Builder<'_>, point: &Point<f64>) {
    b.header(GeometryType::Point, Dims::default());
    b.number(point.x());
    b.number(point.y());
}

fn put_line(b: &mut Builder<'_>, coords: &[Coord<f64>]) {
    header(b, GeometryType::LineString, coords.len());
    put_coords(b, coords);
}

fn put_polygon(b: &mut Builder<'_>, polygon: &Polygon<f64>) {
    let empty = polygon.exterior().0.is_empty();
    let rings = if empty {
        0
    } else {
        1 + polygon.interiors().len()
    };
    header(b, GeometryType::Polygon, rings);
    for ring in std::iter::once(polygon.exterior())
        .chain(polygon.interiors())
        .take(rings)
    {
        b.count(ring.0.len());
        put_coords(b, &ring.0);
    }
}

fn put_coords(b: &mut Builder<'_>, coords: &[Coord<f64>]) {
    for c in coords {
        b.number(c.x);
        b.number(c.y);
    }
}
