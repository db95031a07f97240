//! Where a collection's features are: its table and columns, as they stand in statements.

use model::Collection;

use crate::session::{Dialect, quoted};

/// The key column of every table that the store makes.
pub(crate) const KEY: &str = "fid";
/// The geometry column of every table that the store makes.
pub(crate) const GEOMETRY: &str = "geom";

/// A table, view or materialised view with the features of a collection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    pub(crate) dialect: Dialect,
    /// Quoted.
    pub(crate) name: String,
    /// The integer column that tells features apart, quoted where it must be.
    pub(crate) key: String,
    pub(crate) geometry: String,
    /// The column of each property of the schema, quoted.
    pub(crate) columns: Vec<String>,
}

impl Table {
    /// The table that the store makes for a collection.
    pub(crate) fn of(dialect: Dialect, collection: &Collection) -> Self {
        let properties = &collection.schema.properties;
        Self {
            dialect,
            name: quoted(collection.id.as_str()),
            key: KEY.to_owned(),
            geometry: GEOMETRY.to_owned(),
            columns: properties.iter().map(|p| dialect.column(&p.name)).collect(),
        }
    }

    /// The same under another name.
    pub(crate) fn named(&self, name: &str) -> Self {
        Self {
            name: quoted(name),
            ..self.clone()
        }
    }

    /// What reads the geometry, for [`crate::session::Row::wkb`].
    pub(crate) fn geometry_out(&self) -> String {
        match self.dialect {
            Dialect::Sqlite => self.geometry.clone(),
            Dialect::Postgres => format!("ST_AsBinary({}, 'NDR')", self.geometry),
        }
    }

    /// Bytes of a geometry, without reading it whole where the database can tell.
    pub(crate) fn size(&self) -> String {
        let geometry = &self.geometry;
        match self.dialect {
            // SQLite takes a length from the head of a row.
            Dialect::Sqlite => format!("coalesce(length({geometry}), 0)"),
            Dialect::Postgres => format!("coalesce(ST_MemSize({geometry}), 0)::bigint"),
        }
    }

    /// `key, geometry, a, b`: what [`crate::row::feature`] reads, in its order.
    pub(crate) fn select(&self) -> String {
        let mut sql = format!("{}, {}", self.key, self.geometry_out());
        for column in &self.columns {
            sql.push_str(", ");
            sql.push_str(column);
        }
        sql
    }

    /// A condition that the key is one of [`crate::session::Parameter::Keys`].
    pub(crate) fn has_key(&self) -> String {
        self.dialect.is_one_of(&self.key)
    }
}
