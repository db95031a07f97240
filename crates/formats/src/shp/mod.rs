//! Shapefile.
pub(crate) mod prj;
