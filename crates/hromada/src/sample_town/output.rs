//! GeoJSON features, one on a line (RFC 7946 objects, newline-delimited), written without a tree in between.

use std::io::{self, Write};

use super::ground::Vertex;

/// The collections of a town, in the order of its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Layer {
    Parcels,
    Buildings,
    Addresses,
    Streets,
    Zoning,
    Quarters,
    Zones,
    CityBoundary,
    River,
    Water,
    WaterNodes,
    Sewer,
    SewerNodes,
    Gas,
    GasNodes,
    Power,
    PowerNodes,
}

impl Layer {
    pub(super) const ALL: [Layer; 17] = [
        Self::Parcels,
        Self::Buildings,
        Self::Addresses,
        Self::Streets,
        Self::Zoning,
        Self::Quarters,
        Self::Zones,
        Self::CityBoundary,
        Self::River,
        Self::Water,
        Self::WaterNodes,
        Self::Sewer,
        Self::SewerNodes,
        Self::Gas,
        Self::GasNodes,
        Self::Power,
        Self::PowerNodes,
    ];

    /// Id of the collection; its file has this name and the extension `geojsonl`.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Parcels => "parcels",
            Self::Buildings => "buildings",
            Self::Addresses => "addresses",
            Self::Streets => "streets",
            Self::Zoning => "zoning",
            Self::Quarters => "quarters",
            Self::Zones => "zones",
            Self::CityBoundary => "city-boundary",
            Self::River => "river",
            Self::Water => "water",
            Self::WaterNodes => "water-nodes",
            Self::Sewer => "sewer",
            Self::SewerNodes => "sewer-nodes",
            Self::Gas => "gas",
            Self::GasNodes => "gas-nodes",
            Self::Power => "power",
            Self::PowerNodes => "power-nodes",
        }
    }
}

/// Where lines go.
pub(super) type Sink<'a> = dyn FnMut(Layer, &[u8]) -> io::Result<()> + 'a;

pub(super) struct Output<'a> {
    sink: &'a mut Sink<'a>,
    line: Vec<u8>,
    pub(super) counts: [u64; Layer::ALL.len()],
}

/// A feature on its way: properties first, then the geometry, which ends it.
pub(super) struct Feature<'o, 'a> {
    out: &'o mut Output<'a>,
    layer: Layer,
    first: bool,
}

impl<'a> Output<'a> {
    pub(super) fn new(sink: &'a mut Sink<'a>) -> Self {
        Self {
            sink,
            line: Vec::with_capacity(4096),
            counts: [0; Layer::ALL.len()],
        }
    }

    pub(super) fn feature(&mut self, layer: Layer) -> Feature<'_, 'a> {
        self.counts[layer as usize] += 1;
        self.line.clear();
        let id = self.counts[layer as usize];
        self.put(format_args!(
            "{{\"type\":\"Feature\",\"id\":{id},\"properties\":{{"
        ));
        Feature {
            out: self,
            layer,
            first: true,
        }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.line
            .write_fmt(text)
            .expect("writing to memory does not fail");
    }

    fn position(&mut self, v: Vertex) {
        let split = |n: i32| (n / 10_000_000, n % 10_000_000);
        let ((lon, lon_rest), (lat, lat_rest)) = (split(v.lon), split(v.lat));
        self.put(format_args!("[{lon}.{lon_rest:07},{lat}.{lat_rest:07}]"));
    }

    fn positions(&mut self, line: impl Iterator<Item = Vertex>) {
        for (n, v) in line.enumerate() {
            if n > 0 {
                self.line.push(b',');
            }
            self.position(v);
        }
    }
}

impl Feature<'_, '_> {
    fn name(&mut self, name: &str) {
        let comma = if self.first { "" } else { "," };
        self.first = false;
        self.out.put(format_args!("{comma}\"{name}\":"));
    }

    /// The texts of a town hold no quotes, backslashes or control characters.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        debug_assert!(
            !value.contains(['"', '\\']) && !value.contains(char::is_control),
            "{value}"
        );
        self.name(name);
        self.out.put(format_args!("\"{value}\""));
        self
    }

    pub(super) fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self.raw(name, "null"),
        }
    }

    pub(super) fn integer(self, name: &str, value: u64) -> Self {
        self.raw(name, value)
    }

    /// With one decimal.
    pub(super) fn number(self, name: &str, value: f64) -> Self {
        self.raw(name, format_args!("{value:.1}"))
    }

    fn raw(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.name(name);
        self.out.put(format_args!("{value}"));
        self
    }

    pub(super) fn point(self, at: Vertex) -> io::Result<()> {
        self.out.put(format_args!(
            "}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":"
        ));
        self.out.position(at);
        self.end("}}\n")
    }

    pub(super) fn line(self, line: &[Vertex]) -> io::Result<()> {
        self.out.put(format_args!(
            "}},\"geometry\":{{\"type\":\"LineString\",\"coordinates\":["
        ));
        self.out.positions(line.iter().copied());
        self.end("]}}\n")
    }

    /// `ring` is counter-clockwise and not closed.
    pub(super) fn polygon(self, ring: &[Vertex]) -> io::Result<()> {
        self.out.put(format_args!(
            "}},\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[["
        ));
        self.out.positions(ring.iter().chain(ring.first()).copied());
        self.end("]]}}\n")
    }

    fn end(self, tail: &str) -> io::Result<()> {
        self.out.line.extend_from_slice(tail.as_bytes());
        (self.out.sink)(self.layer, &self.out.line)
    }
}
