//! Boxes as geometries.

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Point, Polygon};

use super::At;
use crate::{Invalid, Message};

/// What a box covers: one part, or two when it crosses the antimeridian on one of its axes.
pub(super) fn polygons_of(ends: [f64; 4], at: &At) -> Result<Geometry<f64>, Invalid> {
    let [west, south, east, north] = ends;
    let is_reversed = west > east || south > north;
    if is_reversed && ends.iter().any(|end| end.abs() > 180.0) {
        // Over the antimeridian a box goes in degrees alone.
        let message = Message::new("model.filter-box-reversed").with_message("at", at.message());
        return Err(Invalid(message));
    }
    let parts = match (west <= east, south <= north) {
        (true, true) => vec![part(ends)],
        (false, true) => vec![
            part([west, south, west.max(180.0), north]),
            part([east.min(-180.0), south, east, north]),
        ],
        (true, false) => vec![
            part([west, south, east, south.max(180.0)]),
            part([west, north.min(-180.0), east, north]),
        ],
        (false, false) => {
            let message = Message::new("model.filter-box").with_message("at", at.message());
            return Err(Invalid(message));
        }
    };
    let mut parts: Vec<Geometry<f64>> = parts;
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let polygons: Option<Vec<Polygon<f64>>> = parts
        .iter()
        .map(|part| match part {
            Geometry::Polygon(polygon) => Some(polygon.clone()),
            _ => None,
        })
        .collect();
    Ok(match polygons {
        Some(polygons) => Geometry::MultiPolygon(MultiPolygon(polygons)),
        None => Geometry::GeometryCollection(parts.into()),
    })
}

/// A box as a polygon, or, when it has no area, as a line or a point: a ring without area is no valid operand.
fn part([x0, y0, x1, y1]: [f64; 4]) -> Geometry<f64> {
    let at = |x, y| Coord { x, y };
    if x0 == x1 && y0 == y1 {
        return Geometry::Point(Point::new(x0, y0));
    }
    if x0 == x1 || y0 == y1 {
        return Geometry::LineString(LineString(vec![at(x0, y0), at(x1, y1)]));
    }
    let ring = vec![at(x0, y0), at(x1, y0), at(x1, y1), at(x0, y1), at(x0, y0)];
    Geometry::Polygon(Polygon::new(LineString(ring), Vec::new()))
}

/// A box of longitude and latitude as a geometry.
///
/// # Errors
/// When south is greater than north.
pub(crate) fn geometry_of_box(ends: [f64; 4], at: &At) -> Result<Geometry<f64>, Invalid> {
    if ends[1] > ends[3] {
        let message = Message::new("model.filter-box").with_message("at", at.message());
        return Err(Invalid(message));
    }
    polygons_of(ends, at)
}
