//! Coordinate reference systems by name.

use std::fmt;

use crate::{Invalid, Message};

/// A CRS by authority and code. Coordinates above the row reader are longitude/latitude in [`Crs::CRS84`];
/// stored ones are x first (easting or longitude), as GeoPackage and GIS files keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crs {
    /// EPSG code; 4326 stands for longitude/latitude on WGS 84.
    epsg: u32,
}

impl Crs {
    /// WGS 84, longitude first (OGC:CRS84; stored like EPSG:4326 in x, y order).
    pub const CRS84: Crs = Crs { epsg: 4326 };

    pub const fn epsg(code: u32) -> Self {
        Self { epsg: code }
    }

    pub fn code(self) -> u32 {
        self.epsg
    }

    pub fn is_wgs84(self) -> bool {
        self.epsg == 4326
    }

    /// The identifier by OGC 06-023r1; WGS 84 is given as CRS84, since coordinates come longitude first.
    pub fn uri(self) -> String {
        if self.is_wgs84() {
            return "http://www.opengis.net/def/crs/OGC/1.3/CRS84".to_owned();
        }
        format!("http://www.opengis.net/def/crs/EPSG/0/{}", self.epsg)
    }

    /// Reads `EPSG:6382`, `6382`, `OGC:CRS84`, `CRS84`, the `http` URI and the `urn` form.
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
            .unwrap_or(&upper);
        let code = digits.parse().ok().filter(|c| (1..=999_999).contains(c));
        code.map(Self::epsg).ok_or_else(|| {
            let shown: String = trimmed.chars().take(80).collect();
            Invalid(Message::new("store.crs-unreadable").with("crs", shown))
        })
    }
}

impl Default for Crs {
    fn default() -> Self {
        Self::CRS84
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EPSG:{}", self.epsg)
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
}
