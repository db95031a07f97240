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
    /// Quoted, with its schema where that is another's.
    pub(crate) name: String,
    /// The integer column that tells features apart, quoted where it must be.
    pub(crate) key: String,
    /// What reads the key as a 64-bit integer.
    pub(crate) key_out: String,
    pub(crate) geometry: String,
    /// What reads the geometry where the column alone is not one that WKB can hold.
    pub(crate) geometry_read: String,
    /// The place of a geometry's parameter.
    pub(crate) geometry_place: String,
    /// The number that the database gives the storage CRS.
    pub(crate) srid: u32,
    /// The column of each property of the schema, quoted.
    pub(crate) columns: Vec<String>,
    /// What reads each property in a type that the store knows.
    pub(crate) reads: Vec<String>,
    /// The place of each property's parameter; none where the database fills the column itself.
    pub(crate) places: Vec<Option<String>>,
    /// What tells one state of a row from another, as SQL on `hromada_t`, where no trigger tells of changes.
    pub(crate) mark: Option<String>,
    /// Made by the store; others are published as they are.
    pub(crate) is_own: bool,
    pub(crate) is_editable: bool,
}

impl Table {
    /// The table that the store makes for a collection.
    pub(crate) fn of(dialect: Dialect, collection: &Collection) -> Self {
        let properties = &collection.schema.properties;
        let columns: Vec<String> = properties.iter().map(|p| dialect.column(&p.name)).collect();
        Self {
            dialect,
            name: quoted(collection.id.as_str()),
            key: KEY.to_owned(),
            key_out: KEY.to_owned(),
            geometry: GEOMETRY.to_owned(),
            geometry_read: GEOMETRY.to_owned(),
            geometry_place: dialect.geometry().to_owned(),
            srid: collection.storage_crs.code(),
            reads: columns.clone(),
            places: vec![Some("?".to_owned()); columns.len()],
            columns,
            mark: None,
            is_own: true,
            is_editable: true,
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
            Dialect::Postgres => format!("ST_AsBinary({}, 'NDR')", self.geometry_read),
        }
    }

    /// Bytes of a geometry, without reading it whole where the database can tell.
    pub(crate) fn size(&self) -> String {
        match self.dialect {
            // SQLite takes a length from the head of a row.
            Dialect::Sqlite => format!("coalesce(length({}), 0)", self.geometry),
            Dialect::Postgres => format!("coalesce(ST_MemSize({}), 0)::bigint", self.geometry_read),
        }
    }

    /// `key, geometry, a, b`: what [`crate::row::feature`] reads, in its order.
    pub(crate) fn select(&self) -> String {
        let mut sql = format!("{}, {}", self.key_out, self.geometry_out());
        for read in &self.reads {
            sql.push_str(", ");
            sql.push_str(read);
        }
        sql
    }

    /// A condition that the key is one of [`crate::session::Parameter::Keys`].
    pub(crate) fn has_key(&self) -> String {
        self.dialect.is_one_of(&self.key)
    }

    /// The bytes that the geometry column takes: a GeoPackage blob, or EWKB with its SRID.
    pub(crate) fn stored(&self, wkb: &[u8], header: &formats::wkb::Header) -> Vec<u8> {
        self.dialect.stored(wkb, header, self.srid)
    }
}
