//! Which columns of a table are the geometry.

use std::path::Path;

use model::Message;

use crate::error::file_name;
use crate::limits::shown;
use crate::{Error, ReadOptions};

/// Where the geometry of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A table without geometry.
    None,
    /// WKT, EWKT, or WKB in hexadecimal digits.
    Text(usize),
    Xy {
        x: usize,
        y: usize,
        /// Whether the names say longitude and latitude.
        geographic: bool,
    },
}

const WKT: [&str; 8] = [
    "wkt",
    "geom",
    "geometry",
    "the_geom",
    "wkt_geom",
    "wkb_geometry",
    "wkb",
    "геометрія",
];
const LON: [&str; 5] = ["lon", "lng", "long", "longitude", "довгота"];
const LAT: [&str; 3] = ["lat", "latitude", "широта"];

impl Place {
    pub(super) fn holds(self, column: usize) -> bool {
        match self {
            Self::None => false,
            Self::Text(at) => at == column,
            Self::Xy { x, y, .. } => x == column || y == column,
        }
    }

    /// By the options, else by the usual names in any case: WKT, then longitude and latitude, then x and y.
    ///
    /// # Errors
    /// When an option names a column that is not there, or one of a pair without the other.
    pub(super) fn find(
        header: &[String],
        options: &ReadOptions,
        path: &Path,
    ) -> Result<Self, Error> {
        let given = |name: &str| {
            let same = |h: &String| h == name;
            let like = |h: &String| h.to_lowercase() == name.to_lowercase();
            let at = header
                .iter()
                .position(same)
                .or_else(|| header.iter().position(like));
            at.ok_or_else(|| missing(name, header, path))
        };
        if let Some(wkt) = &options.wkt {
            return Ok(Self::Text(given(wkt)?));
        }
        for (x, y, geographic) in [
            (&options.lon, &options.lat, true),
            (&options.x, &options.y, false),
        ] {
            match (x, y) {
                (Some(x), Some(y)) => {
                    return Ok(Self::Xy {
                        x: given(x)?,
                        y: given(y)?,
                        geographic,
                    });
                }
                (None, None) => {}
                _ => {
                    return Err(Message::new("formats.csv-half-pair")
                        .with("file", file_name(path))
                        .into());
                }
            }
        }
        let any = |names: &[&str]| {
            let position = |name: &&str| {
                header
                    .iter()
                    .position(|h| h.trim().to_lowercase() == **name)
            };
            names.iter().find_map(position)
        };
        Ok(if let Some(at) = any(&WKT) {
            Self::Text(at)
        } else if let (Some(x), Some(y)) = (any(&LON), any(&LAT)) {
            Self::Xy {
                x,
                y,
                geographic: true,
            }
        } else if let (Some(x), Some(y)) = (any(&["x"]), any(&["y"])) {
            Self::Xy {
                x,
                y,
                geographic: false,
            }
        } else {
            Self::None
        })
    }
}

fn missing(name: &str, header: &[String], path: &Path) -> Error {
    let known: Vec<_> = header.iter().take(20).map(|h| shown(h)).collect();
    Message::new("formats.csv-column-missing")
        .with("file", file_name(path))
        .with("name", shown(name))
        .with("columns", known.join(", "))
        .into()
}
