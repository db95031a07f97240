//! Stands in for `libsqlite3-sys` 0.35 and links 0.37 instead.
//!
//! `proj-sys` 0.27 bounds `libsqlite3-sys` below 0.36, whose bundled SQLite (3.50.2) can lose committed
//! data in WAL mode; the fix is in 3.51.3 (`libsqlite3-sys` 0.37). PROJ only opens `proj.db` with it, by
//! functions that both releases share. Remove this crate when `proj-sys` accepts 0.37.

pub use newer::*;
