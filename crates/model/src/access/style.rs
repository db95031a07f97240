//! Map styles of the town.

use std::sync::Arc;

use crate::{Invalid, Message};

/// Longest id of a style: it stands in URLs.
pub const MAX_STYLE_ID: usize = 63;

/// A style as it was put, in the MapLibre Style Specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TownStyle {
    /// What people call it; the document has it too, but is long.
    pub title: String,
    pub document: Arc<str>,
    /// RFC 3339, UTC.
    pub created: String,
    pub updated: String,
}

/// # Errors
/// When the id has other characters than lower-case letters, digits, `-` and `_`, or is too long.
pub fn check_style_id(id: &str) -> Result<(), Invalid> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if id.is_empty() || id.len() > MAX_STYLE_ID || !id.chars().all(allowed) {
        let shown: String = id.chars().take(MAX_STYLE_ID + 1).collect();
        return Err(Invalid(
            Message::new("access.style-id-invalid").with("id", shown),
        ));
    }
    Ok(())
}
