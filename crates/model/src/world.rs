//! Web Mercator world coordinates as integers, the form in which the live index keeps geometry.
//!
//! The square world of `WebMercatorQuad` (OGC 17-083r4 Annex D.1) is 2^32 units wide; x grows east from the
//! antimeridian, y grows south from 85.0511° N. A unit is at most 0.93 cm. A tile pixel of zoom z in a
//! tile of 4096 pixels is 2^(20 - z) units, so snapping to a tile is a shift and equal vertices of
//! neighbours stay equal at each zoom.

use geo_types::{Coord, Geometry, LineString, Polygon};

/// Northern (and, negated, southern) edge of the Web Mercator square in degrees.
pub const MAX_LATITUDE: f64 = 85.051_128_779_806_59;

const WORLD: f64 = 4_294_967_296.0;

/// A vertex: x, y in world units.
pub type WorldPoint = [u32; 2];

/// Marks the end of an interior ring in [`WorldGeometry::ends`].
pub const INTERIOR: u32 = 1 << 31;

/// What the parts of a geometry are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldKind {
    /// Each coordinate is a point; `ends` is empty.
    Points,
    /// Each end closes a line.
    Lines,
    /// Each end closes a ring, which repeats its first vertex; exterior rings come before their holes,
    /// whose ends carry [`INTERIOR`].
    Polygons,
}

/// A borrowed geometry in world units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorldGeometry<'a> {
    pub kind: WorldKind,
    pub coords: &'a [WorldPoint],
    /// Exclusive end of each part in `coords`, with [`INTERIOR`] on holes.
    pub ends: &'a [u32],
}

/// An owned geometry in world units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldBuf {
    pub kind: WorldKind,
    pub coords: Vec<WorldPoint>,
    pub ends: Vec<u32>,
}

impl<'a> WorldGeometry<'a> {
    /// The parts in order: whether it is an interior ring, and its vertices.
    pub fn parts(&self) -> impl Iterator<Item = (bool, &'a [WorldPoint])> {
        let coords = self.coords;
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let stop = (end & !INTERIOR) as usize;
            let part = &coords[start..stop];
            start = stop;
            (end & INTERIOR != 0, part)
        })
    }
}

impl WorldBuf {
    pub fn view(&self) -> WorldGeometry<'_> {
        WorldGeometry {
            kind: self.kind,
            coords: &self.coords,
            ends: &self.ends,
        }
    }

    pub fn empty(kind: WorldKind) -> Self {
        Self {
            kind,
            coords: Vec::new(),
            ends: Vec::new(),
        }
    }
}

/// Longitude and latitude in degrees to world units; what lies outside the square goes to its edge.
pub fn project(lon: f64, lat: f64) -> WorldPoint {
    let x = (lon / 360.0 + 0.5) * WORLD;
    let sin = lat.clamp(-MAX_LATITUDE, MAX_LATITUDE).to_radians().sin();
    let y = (0.5 - ((1.0 + sin) / (1.0 - sin)).ln() / (4.0 * std::f64::consts::PI)) * WORLD;
    // `as` saturates at 0 and u32::MAX, which are the edges of the square.
    [x.round() as u32, y.round() as u32]
}

/// World units back to longitude and latitude in degrees.
pub fn unproject([x, y]: WorldPoint) -> [f64; 2] {
    let lon = (f64::from(x) / WORLD - 0.5) * 360.0;
    let n = std::f64::consts::PI * (1.0 - 2.0 * f64::from(y) / WORLD);
    [lon, n.sinh().atan().to_degrees()]
}

/// A longitude/latitude geometry in world units: at most one entry for each kind.
/// Parts of a collection keep their order; empty geometries give nothing.
pub fn from_geometry(geometry: &Geometry<f64>) -> Vec<WorldBuf> {
    let mut bufs = [WorldKind::Points, WorldKind::Lines, WorldKind::Polygons].map(WorldBuf::empty);
    add(geometry, &mut bufs);
    bufs.into_iter().filter(|b| !b.coords.is_empty()).collect()
}

fn add(geometry: &Geometry<f64>, bufs: &mut [WorldBuf; 3]) {
    let [points, lines, polygons] = bufs;
    match geometry {
        Geometry::Point(p) => points.coords.push(project(p.x(), p.y())),
        Geometry::MultiPoint(m) => points
            .coords
            .extend(m.iter().map(|p| project(p.x(), p.y()))),
        Geometry::Line(l) => add_part(lines, [l.start, l.end].into_iter(), 0),
        Geometry::LineString(l) => add_part(lines, l.coords().copied(), 0),
        Geometry::MultiLineString(m) => m
            .iter()
            .for_each(|l| add_part(lines, l.coords().copied(), 0)),
        Geometry::Polygon(p) => add_polygon(polygons, p),
        Geometry::MultiPolygon(m) => m.iter().for_each(|p| add_polygon(polygons, p)),
        Geometry::Rect(r) => add_polygon(polygons, &r.to_polygon()),
        Geometry::Triangle(t) => add_polygon(polygons, &t.to_polygon()),
        Geometry::GeometryCollection(c) => c.iter().for_each(|g| add(g, bufs)),
    }
}

fn add_polygon(buf: &mut WorldBuf, polygon: &Polygon<f64>) {
    let ring = |buf: &mut WorldBuf, ring: &LineString<f64>, mark| {
        add_part(buf, ring.coords().copied(), mark)
    };
    if polygon.exterior().0.is_empty() {
        return;
    }
    ring(buf, polygon.exterior(), 0);
    polygon
        .interiors()
        .iter()
        .for_each(|hole| ring(buf, hole, INTERIOR));
}

fn add_part(buf: &mut WorldBuf, coords: impl Iterator<Item = Coord<f64>>, mark: u32) {
    let before = buf.coords.len();
    buf.coords.extend(coords.map(|c| project(c.x, c.y)));
    if buf.coords.len() > before {
        let end =
            u32::try_from(buf.coords.len()).expect("a geometry is capped far below 2^31 vertices");
        buf.ends.push(end | mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo_types::{line_string, polygon};

    #[test]
    fn corners_of_the_world_are_corners_of_the_square() {
        assert_eq!(project(-180.0, MAX_LATITUDE), [0, 0]);
        assert_eq!(project(180.0, -MAX_LATITUDE), [u32::MAX, u32::MAX]);
        assert_eq!(project(0.0, 0.0), [1 << 31, 1 << 31]);
        assert_eq!(project(0.0, 90.0)[1], 0);
        assert_eq!(project(-181.0, 0.0)[0], 0);
    }

    #[test]
    fn a_point_comes_back_within_a_centimetre() {
        for (lon, lat) in [(24.71, 48.92), (-71.1, 42.37), (179.9, -60.0)] {
            let [x, y] = unproject(project(lon, lat));
            assert!((x - lon).abs() < 1e-7 && (y - lat).abs() < 1e-7, "{x} {y}");
        }
    }

    #[test]
    fn collections_are_split_by_kind() {
        let hole = line_string![(x: 1., y: 1.), (x: 2., y: 1.), (x: 2., y: 2.), (x: 1., y: 1.)];
        let shell = polygon![exterior: [(x: 0., y: 0.), (x: 9., y: 0.), (x: 9., y: 9.), (x: 0., y: 0.)], interiors: [[(x: 1., y: 1.), (x: 2., y: 1.), (x: 2., y: 2.), (x: 1., y: 1.)]]];
        let all = Geometry::GeometryCollection(
            vec![Geometry::LineString(hole), Geometry::Polygon(shell)].into(),
        );
        let bufs = from_geometry(&all);
        assert_eq!(
            bufs.iter().map(|b| b.kind).collect::<Vec<_>>(),
            [WorldKind::Lines, WorldKind::Polygons]
        );
        let holes: Vec<_> = bufs[1]
            .view()
            .parts()
            .map(|(interior, part)| (interior, part.len()))
            .collect();
        assert_eq!(holes, [(false, 4), (true, 4)]);
    }
}
