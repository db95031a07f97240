//! Whether geometries lie on the globe.

use geo_types::{Coord, Geometry, LineString, Polygon};

/// Clients round, so a hair beyond, a centimetre on the ground, is let through.
const SLACK: f64 = 1e-7;

/// A position that is no longitude and latitude.
pub(super) fn off_globe(geometry: &Geometry<f64>) -> Option<Coord<f64>> {
    match geometry {
        Geometry::Point(p) => first([&p.0]),
        Geometry::MultiPoint(m) => first(m.iter().map(|p| &p.0)),
        Geometry::Line(l) => first([&l.start, &l.end]),
        Geometry::LineString(l) => of_line(l),
        Geometry::MultiLineString(m) => m.iter().find_map(of_line),
        Geometry::Polygon(p) => of_polygon(p),
        Geometry::MultiPolygon(m) => m.iter().find_map(of_polygon),
        Geometry::Rect(r) => first([&r.min(), &r.max()]),
        Geometry::Triangle(t) => first(&t.to_array()),
        Geometry::GeometryCollection(c) => c.iter().find_map(off_globe),
    }
}

fn of_polygon(polygon: &Polygon<f64>) -> Option<Coord<f64>> {
    let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    rings.into_iter().find_map(of_line)
}

fn of_line(line: &LineString<f64>) -> Option<Coord<f64>> {
    first(&line.0)
}

fn first<'c>(coords: impl IntoIterator<Item = &'c Coord<f64>>) -> Option<Coord<f64>> {
    let is_on = |c: &Coord<f64>| c.x.abs() <= 180.0 + SLACK && c.y.abs() <= 90.0 + SLACK;
    coords.into_iter().find(|c| !is_on(c)).copied()
}
