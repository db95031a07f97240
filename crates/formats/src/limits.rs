//! Caps on what a file or a client may choose, each with its reason.

/// Bytes of one feature, line or table row. The largest boundaries of whole countries stay below 100 MB as
/// GeoJSON; one feature is held in memory, so the cap bounds the memory of a read.
pub const MAX_FEATURE_BYTES: usize = 256 << 20;

/// Bytes of one table row. A row holds at most one geometry as text, and a hromada's boundary takes 200 kB; a quote
/// that is never closed is found after so many bytes.
pub const MAX_ROW_BYTES: usize = 32 << 20;

/// Positions of one line or ring. Tiles and validity checks take a ring whole, and their cost grows faster than its length.
pub const MAX_RING_POINTS: usize = 1_000_000;

/// Geometry collections inside each other, and JSON arrays and objects inside each other. Real data need three;
/// every level costs stack in whatever reads the geometry later.
pub const MAX_DEPTH: usize = 64;

/// Properties of a collection: `SQLite` gives a table 2,000 columns, of which ten are kept for keys and geometry.
pub const MAX_PROPERTIES: usize = 1_990;

/// Characters of a property name: `PostgreSQL` cuts names at 63 bytes, files carry titles as names; past this it is no name.
pub const MAX_NAME_CHARS: usize = 255;

/// Bytes that one packed stream may give (64 GiB): more than any single layer a municipality keeps.
pub const MAX_UNPACKED_BYTES: u64 = 64 << 30;

/// Bytes out for each byte in, held once [`RATIO_GRACE_BYTES`] are out. Deflate reaches 1,032 on constant input;
/// tables padded with spaces were seen to reach 100.
pub const MAX_RATIO: u64 = 250;

/// Output below which the ratio does not matter.
pub const RATIO_GRACE_BYTES: u64 = 256 << 20;

/// Entries of a ZIP archive; a Shapefile needs four.
pub const MAX_ZIP_ENTRIES: usize = 10_000;

/// Bytes of a small side file (`.prj`, `.cpg`, `crs` member) that is read whole.
pub const MAX_SIDE_BYTES: usize = 64 << 10;

/// Characters of file content that a message quotes.
pub(crate) const MAX_SHOWN_CHARS: usize = 60;

/// A piece of file content, short enough to stand in a message and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(MAX_SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        short.push('…');
    }
    short
}
