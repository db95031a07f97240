//! The header: columns, type, CRS and sizes.

use std::path::Path;

use flatgeobuf::{ColumnType, Crs as FgbCrs, Header, size_prefixed_root_as_header};
use model::{Crs, GeometryType, Message};

use super::MAGIC;
use crate::Error;
use crate::error::file_name;
use crate::infer::too_many;
use crate::limits::{MAX_PROPERTIES, shown};
use crate::wkb::walk::Dims;

/// Bytes of a header: 1,990 columns with titles and a WKT take some 300 kB.
const MAX_HEADER_BYTES: u32 = 10 << 20;

/// Bytes of one node of the index: four doubles and an offset.
const NODE_BYTES: u64 = 40;

/// What the header says, in our terms.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) name: String,
    /// `None`: each feature says its own.
    pub(super) kind: Option<GeometryType>,
    pub(super) dims: Dims,
    pub(super) columns: Vec<(Box<str>, ColumnType)>,
    /// 0 when the writer did not know.
    pub(super) count: u64,
    pub(super) crs: Option<Crs>,
    pub(super) notes: Vec<Message>,
    /// Where the features begin in the file.
    pub(super) features_at: u64,
}

/// The size of the header, from the first twelve bytes of a file.
pub(super) fn header_size(start: [u8; 12], left: u64, path: &Path) -> Result<usize, Error> {
    let damaged = |key| Error::from(Message::new(key).with("file", file_name(path)));
    if start[..3] != MAGIC[..3] || start[4..7] != MAGIC[4..7] {
        return Err(damaged("formats.fgb-magic"));
    }
    if start[3] != MAGIC[3] {
        let version = Message::new("formats.fgb-version")
            .with("file", file_name(path))
            .with("version", start[3]);
        return Err(version.into());
    }
    let size = u32::from_le_bytes([start[8], start[9], start[10], start[11]]);
    // A table needs eight bytes at least.
    if !(8..=MAX_HEADER_BYTES).contains(&size) {
        return Err(damaged("formats.fgb-header"));
    }
    if u64::from(size) > left {
        return Err(Message::new("formats.truncated")
            .with("file", file_name(path))
            .into());
    }
    Ok(size as usize)
}

/// Reads the header's table (size prefix included) of a file of `total` bytes.
pub(super) fn read_header(table: &[u8], total: u64, path: &Path) -> Result<Layer, Error> {
    let header = size_prefixed_root_as_header(table)
        .map_err(|_unverified| Message::new("formats.fgb-header").with("file", file_name(path)))?;
    let mut notes = Vec::new();
    let columns = columns(&header)?;
    let features_at = 8 + table.len() as u64 + index_size(&header, path, total)?;
    if header.has_t() || header.has_tm() {
        notes.push(Message::new("formats.note-fgb-time"));
    }
    let kind = match header.geometry_type().0 {
        0 => None,
        code => Some(geometry_type(code)?),
    };
    let crs = header.crs().and_then(|crs| read_crs(&crs, &mut notes));
    Ok(Layer {
        name: header.name().unwrap_or_default().to_owned(),
        kind,
        dims: Dims {
            z: header.has_z(),
            m: header.has_m(),
        },
        columns,
        count: header.features_count(),
        crs,
        notes,
        features_at,
    })
}

fn columns(header: &Header<'_>) -> Result<Vec<(Box<str>, ColumnType)>, Error> {
    let Some(columns) = header.columns() else {
        return Ok(Vec::new());
    };
    if columns.len() > MAX_PROPERTIES {
        return Err(too_many());
    }
    let known = |c: flatgeobuf::Column<'_>| match c.type_() {
        t if t.0 <= ColumnType::ENUM_MAX => Ok((c.name().into(), t)),
        t => Err(Message::new("formats.fgb-column-type")
            .with("name", shown(c.name()))
            .with("type", t.0)
            .into()),
    };
    columns.iter().map(known).collect()
}

/// Types 1 to 7 are those of WKB.
pub(super) fn geometry_type(code: u8) -> Result<GeometryType, Message> {
    let plain = GeometryType::from_wkb_code(u32::from(code));
    plain
        .filter(|k| *k != GeometryType::Geometry)
        .ok_or_else(|| match flatgeobuf::GeometryType(code).variant_name() {
            Some(name) => Message::new("formats.curve").with("type", name.to_uppercase()),
            None => Message::new("formats.geometry-type-unknown").with("type", code),
        })
}

/// Bytes of the packed R-tree, checked against the file.
fn index_size(header: &Header<'_>, path: &Path, total: u64) -> Result<u64, Error> {
    let count = header.features_count();
    // Each feature has a size prefix at least.
    if count > total / 4 {
        return Err(Message::new("formats.fgb-count")
            .with("file", file_name(path))
            .with("count", count)
            .into());
    }
    if header.index_node_size() == 0 || count == 0 {
        return Ok(0);
    }
    let per_node = u64::from(header.index_node_size().max(2));
    let (mut level, mut nodes) = (count, count);
    loop {
        level = level.div_ceil(per_node);
        nodes += level;
        if level == 1 {
            break;
        }
    }
    let size = nodes * NODE_BYTES;
    if size > total {
        return Err(Message::new("formats.truncated")
            .with("file", file_name(path))
            .into());
    }
    Ok(size)
}

/// Coordinates are x first whatever the authority says (the specification's note on axis order).
fn read_crs(crs: &FgbCrs<'_>, notes: &mut Vec<Message>) -> Option<Crs> {
    let org = crs.org().unwrap_or("EPSG");
    let code = u32::try_from(crs.code()).unwrap_or(0);
    if org.eq_ignore_ascii_case("EPSG") && code > 0 {
        return Some(Crs::epsg(code));
    }
    if org.eq_ignore_ascii_case("OGC") && crs.code_string() == Some("CRS84") {
        return Some(Crs::CRS84);
    }
    if let Some(found) = crs.wkt().and_then(crate::shp::prj::read) {
        return Some(found);
    }
    let name = crs.name().or(crs.code_string())?;
    notes.push(Message::new("formats.note-crs-unreadable").with("crs", shown(name)));
    None
}
