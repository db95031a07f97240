//! Coordinate reference systems by name.

use std::fmt;
use std::ops::RangeInclusive;

use crate::{Invalid, Message};

/// A CRS by authority and code. Coordinates above the row reader are longitude/latitude in [`Crs::CRS84`];
/// stored ones are x first (easting or longitude), as GeoPackage and GIS files keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crs {
    /// EPSG code; 4326 stands for longitude/latitude on WGS 84. Within [`Crs::LOCAL`], that of a system of the municipality.
    epsg: u32,
}

impl Crs {
    /// WGS 84, longitude first (OGC:CRS84; stored like EPSG:4326 in x, y order).
    pub const CRS84: Crs = Crs { epsg: 4326 };

    /// Codes of systems that a municipality loads. EPSG gives none of them, and PostGIS takes none above as one of its users'.
    pub const LOCAL: RangeInclusive<u32> = 990_000..=998_999;

    pub const fn epsg(code: u32) -> Self {
        Self { epsg: code }
    }

    pub fn code(self) -> u32 {
        self.epsg
    }

    pub fn is_wgs84(self) -> bool {
        self.epsg == 4326
    }

    /// Whether it is a system that a municipality has loaded, or may load.
    pub fn is_local(self) -> bool {
        Self::LOCAL.contains(&self.epsg)
    }

    /// Whose code it is, as databases and files name it.
    pub fn authority(self) -> &'static str {
        match self.is_local() {
            true => "HROMADA",
            false => "EPSG",
        }
    }

    /// The identifier by OGC 06-023r1; WGS 84 is given as CRS84, since coordinates come longitude first. That of a local system
    /// is a safe CURIE: only the server that holds it has a URI for it.
    pub fn uri(self) -> String {
        if self.is_local() {
            return format!("[{self}]");
        }
        if self.is_wgs84() {
            return "http://www.opengis.net/def/crs/OGC/1.3/CRS84".to_owned();
        }
        format!("http://www.opengis.net/def/crs/EPSG/0/{}", self.epsg)
    }

    /// Reads `EPSG:6382`, `6382`, `OGC:CRS84`, `CRS84`, the `http` URI and the `urn` form; `HROMADA:990001` and the URI that a
    /// server has for it (`https://gis.example/crs/990001`).
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let trimmed = text.trim();
        let upper = trimmed.to_ascii_uppercase();
        if upper.ends_with("CRS84") {
            return Ok(Self::CRS84);
        }
        let digits = upper
            .strip_prefix("EPSG:")
            .or_else(|| {
                upper
                    .strip_prefix("HTTP://WWW.OPENGIS.NET/DEF/CRS/EPSG/")
                    .and_then(|r| r.rsplit('/').next())
            })
            .or_else(|| {
                upper
                    .strip_prefix("URN:OGC:DEF:CRS:EPSG:")
                    .and_then(|r| r.rsplit(':').next())
            })
            .or_else(|| upper.strip_prefix("HROMADA:").filter(|c| is_local(c)))
            .or_else(|| {
                let (_, code) = upper.strip_prefix("HTTP")?.rsplit_once("/CRS/")?;
                Some(code).filter(|c| is_local(c))
            })
            .unwrap_or(&upper);
        let code = digits.parse().ok().filter(|c| (1..=999_999).contains(c));
        code.map(Self::epsg).ok_or_else(|| {
            let shown: String = trimmed.chars().take(80).collect();
            Invalid(Message::new("store.crs-unreadable").with("crs", shown))
        })
    }
}

fn is_local(code: &str) -> bool {
    code.parse().is_ok_and(|code| Crs::LOCAL.contains(&code))
}

impl Default for Crs {
    fn default() -> Self {
        Self::CRS84
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.authority(), self.epsg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_spelling_is_read() {
        for text in [
            "EPSG:6382",
            "epsg:6382",
            "6382",
            "http://www.opengis.net/def/crs/EPSG/0/6382",
            "http://www.opengis.net/def/crs/EPSG/9.9.1/6382",
            "urn:ogc:def:crs:EPSG::6382",
        ] {
            assert_eq!(Crs::parse(text).unwrap().code(), 6382, "{text}");
        }
        assert!(Crs::parse("OGC:CRS84").unwrap().is_wgs84());
        for text in ["", "UCS-2000", "EPSG:", "EPSG:-1", "EPSG:99999999999"] {
            assert!(Crs::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn local_systems_are_no_codes_of_epsg() {
        let local = Crs::epsg(990_001);
        for text in [
            "HROMADA:990001",
            "990001",
            "[HROMADA:990001]",
            "https://gis.example/crs/990001",
        ] {
            let text = text.trim_matches(['[', ']']);
            assert_eq!(Crs::parse(text).unwrap(), local, "{text}");
        }
        assert_eq!(
            (local.to_string().as_str(), local.uri().as_str()),
            ("HROMADA:990001", "[HROMADA:990001]")
        );
        for text in [
            "HROMADA:6382",
            "https://gis.example/crs/6382",
            "https://gis.example/crs/",
            "crs/990001",
        ] {
            assert!(Crs::parse(text).is_err(), "{text}");
        }
    }
}
