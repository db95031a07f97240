//! What a table of others is: its key, its geometry and CRS, its columns as properties.

use model::{Crs, GeometryType, Message, Property, PropertyType, Schema, Text};

use super::PublishJob;
use crate::Error;
use crate::import::MAX_ID;
use crate::registry::MAX_PROPERTIES;
use crate::session::{Row, Session, quoted, statement};

pub(super) struct Relation {
    /// Quoted, with its schema.
    pub(super) name: String,
    pub(super) shown: String,
    pub(super) comment: Option<String>,
    pub(super) takes_triggers: bool,
    /// Each row has a version of PostgreSQL's own.
    pub(super) has_xmin: bool,
    pub(super) is_table: bool,
}

pub(super) async fn relation(session: &mut Session<'_>, given: &str) -> Result<Relation, Error> {
    let unknown = || Error::NotFound(Message::new("store.no-table").with("table", given));
    // What is no name at all is refused by the database in other words.
    let names = names(given);
    if !(1..=2).contains(&names.len()) || names.iter().any(String::is_empty) {
        return Err(unknown());
    }
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let sql = "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
         obj_description(c.oid, 'pg_class'), has_table_privilege(c.oid, 'SELECT'),
         has_table_privilege(c.oid, 'TRIGGER'), n.nspname || '.' || c.relname,
         EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)), n.nspname = current_schema()
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(?)";
    let found = statement(sql).bind(names.join("."));
    let row = session.fetch_optional(found).await?.ok_or_else(unknown)?;
    let kind = row.text(1)?;
    if !["r", "p", "v", "m", "f"].contains(&kind.as_str()) {
        return Err(unknown());
    }
    if row.boolean(7)? {
        return Err(Error::Refused(
            Message::new("store.table-own").with("table", given),
        ));
    }
    if !row.boolean(3)? {
        let message = Message::new("store.table-denied").with("table", given);
        return Err(Error::Refused(message.with("right", "SELECT")));
    }
    Ok(Relation {
        name: row.text(0)?,
        shown: row.text(5)?,
        comment: row.maybe_text(2)?,
        // A trigger of a partition, or of a table with heirs, is not told what is written by way of the other.
        takes_triggers: kind == "r" && row.boolean(4)? && !row.boolean(6)?,
        has_xmin: kind == "r",
        is_table: ["r", "p"].contains(&kind.as_str()),
    })
}

/// The parts of `schema.table`, without the quotes that they may have.
fn names(given: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut is_quoted = false;
    for c in given.trim().chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => names.push(String::new()),
            _ => names.last_mut().expect("there is one").push(c),
        }
    }
    names
}

/// What tells a table from another that takes its name, and from itself with other columns; `None` when there is none.
pub(super) async fn shape(session: &mut Session<'_>, name: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT attrelid::bigint || ' ' || md5(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ',' ORDER BY attnum)
         || EXISTS (SELECT FROM pg_inherits WHERE attrelid IN (inhrelid, inhparent)))
       FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped GROUP BY attrelid";
    let row = session.fetch_optional(statement(sql).bind(name)).await?;
    row.map(|row| row.text(0)).transpose()
}

pub(super) struct Column {
    pub(super) name: String,
    /// Of the base type behind a domain.
    pub(super) kind: String,
    pub(super) declared: String,
    pub(super) comment: Option<String>,
    /// The database fills it itself.
    pub(super) is_generated: bool,
    /// PostGIS' type, SRID and dimensions, where they are declared.
    pub(super) geometry: Option<(String, i64, i64)>,
}

pub(super) async fn columns(
    session: &mut Session<'_>,
    relation: &Relation,
) -> Result<Vec<Column>, Error> {
    let sql = "SELECT a.attname::text, coalesce(b.typname, t.typname)::text, format_type(a.atttypid, a.atttypmod),
         col_description(a.attrelid, a.attnum), a.attgenerated <> '' OR a.attidentity = 'a',
         CASE WHEN a.atttypmod > 0 AND t.typname IN ('geometry', 'geography') THEN postgis_typmod_type(a.atttypmod) END,
         CASE WHEN t.typname IN ('geometry', 'geography') THEN postgis_typmod_srid(a.atttypmod)::bigint END,
         CASE WHEN t.typname IN ('geometry', 'geography') THEN postgis_typmod_dims(a.atttypmod)::bigint END
       FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
       WHERE a.attrelid = to_regclass(?) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let found = statement(sql).bind(relation.name.as_str());
    let column = |row: &Row| {
        let geometry = match row.maybe_text(5)? {
            Some(kind) => Some((kind, row.integer(6)?, row.integer(7)?)),
            None => None,
        };
        Ok(Column {
            name: row.text(0)?,
            kind: row.text(1)?,
            declared: row.text(2)?,
            comment: row.maybe_text(3)?,
            is_generated: row.boolean(4)?,
            geometry,
        })
    };
    session.fetch_all(found).await?.iter().map(column).collect()
}

/// The integer column that tells features apart.
pub(super) async fn key(
    session: &mut Session<'_>,
    relation: &Relation,
    columns: &[Column],
    job: &PublishJob,
) -> Result<String, Error> {
    let table = &relation.shown;
    let name = match &job.key {
        Some(name) => name.clone(),
        None => {
            let sql = "SELECT a.attname::text FROM pg_index AS i
               JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
               WHERE i.indrelid = to_regclass(?) AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
                 AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attnotnull
               ORDER BY i.indisprimary DESC, a.attnum LIMIT 1";
            let found = statement(sql).bind(relation.name.as_str());
            let row = session.fetch_optional(found).await?;
            let row = row
                .ok_or_else(|| Error::Refused(Message::new("store.no-key").with("table", table)))?;
            row.text(0)?
        }
    };
    let column = columns.iter().find(|c| c.name == name);
    let is_integer = column.is_some_and(|c| ["int2", "int4", "int8"].contains(&c.kind.as_str()));
    if !is_integer {
        let message = Message::new("store.key-not-integer")
            .with("table", table)
            .with("column", &name);
        return Err(Error::Refused(message));
    }
    if relation.is_table && !is_unique(session, relation, &name).await? {
        let message = Message::new("store.key-not-declared")
            .with("table", table)
            .with("column", &name);
        return Err(Error::Refused(message));
    }
    let key = quoted(&name);
    let sql = format!(
        "SELECT count(*), count({key}), count(DISTINCT {key}), coalesce(min({key}), 0)::bigint, coalesce(max({key}), 0)::bigint FROM {}",
        relation.name
    );
    let row = session.fetch_one(statement(sql)).await?;
    let (all, given, distinct) = (row.integer(0)?, row.integer(1)?, row.integer(2)?);
    if given != all || distinct != all {
        let message = Message::new("store.key-not-unique")
            .with("table", table)
            .with("column", &name);
        return Err(Error::Refused(message));
    }
    for id in [row.integer(3)?, row.integer(4)?] {
        if id.unsigned_abs() > MAX_ID {
            let message = Message::new("store.id-too-large").with("id", id);
            return Err(Error::Refused(message.with("limit", MAX_ID)));
        }
    }
    Ok(name)
}

/// Whether a table holds the values of a column to be there and unique: what is so today need not be so tomorrow.
async fn is_unique(
    session: &mut Session<'_>,
    relation: &Relation,
    column: &str,
) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM pg_index AS i
       JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
       WHERE i.indrelid = to_regclass(?) AND a.attname = ? AND a.attnotnull AND i.indisunique AND i.indisvalid
         AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL)";
    let asked = statement(sql).bind(relation.name.as_str()).bind(column);
    session.fetch_one(asked).await?.boolean(0)
}

pub(super) struct Geometry {
    pub(super) column: String,
    pub(super) read: String,
    pub(super) place: String,
    pub(super) srid: u32,
    pub(super) crs: Crs,
    pub(super) kind: GeometryType,
    pub(super) has_z: bool,
    pub(super) has_m: bool,
}

pub(super) async fn geometry(
    session: &mut Session<'_>,
    relation: &Relation,
    columns: &[Column],
    job: &PublishJob,
) -> Result<Geometry, Error> {
    let is_geometry = |c: &&Column| ["geometry", "geography"].contains(&c.kind.as_str());
    let candidates: Vec<&Column> = columns
        .iter()
        .filter(is_geometry)
        .filter(|c| job.geometry.as_ref().is_none_or(|name| *name == c.name))
        .collect();
    let [column] = candidates.as_slice() else {
        let names: Vec<&str> = candidates.iter().map(|c| c.name.as_str()).collect();
        let key = if candidates.is_empty() {
            "store.no-geometry-column"
        } else {
            "store.several-geometry-columns"
        };
        let message = Message::new(key).with("table", &relation.shown);
        return Err(Error::Refused(message.with("columns", names.join(", "))));
    };
    let name = quoted(&column.name);
    let is_geography = column.kind == "geography";
    let plain = if is_geography {
        format!("{name}::geometry")
    } else {
        name
    };
    // What is there decides, since a view or an older column declares nothing.
    let sql = format!(
        "SELECT GeometryType({plain}), ST_SRID({plain})::bigint, bool_or(ST_Zmflag({plain}) >= 2), bool_or(ST_Zmflag({plain}) IN (1, 3))
         FROM {} WHERE {plain} IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
        relation.name
    );
    let rows = session.fetch_all(statement(sql)).await?;
    let declared = column.geometry.as_ref();
    let mut srids: Vec<i64> = declared.iter().map(|(_, srid, _)| *srid).collect();
    srids.retain(|srid| *srid != 0);
    let mut kinds: Vec<String> = Vec::new();
    let (mut has_z, mut has_m) = declared.map_or((false, false), |(kind, ..)| {
        let upper = kind.to_uppercase();
        (
            upper.ends_with('Z') || upper.ends_with("ZM"),
            upper.ends_with('M'),
        )
    });
    for row in &rows {
        kinds.push(row.text(0)?.trim_end_matches('M').to_owned());
        srids.push(row.integer(1)?);
        has_z |= row.boolean(2)?;
        has_m |= row.boolean(3)?;
    }
    srids.sort_unstable();
    srids.dedup();
    let [srid] = srids.as_slice() else {
        let shown: Vec<String> = srids.iter().map(i64::to_string).collect();
        let message = Message::new("store.srid-unclear").with("table", &relation.shown);
        return Err(Error::Refused(message.with("srids", shown.join(", "))));
    };
    let crs = crs(session, relation, *srid).await?;
    // A column that declares no SRID may get a row of another one, which would be read as a place elsewhere.
    let declares = declared.is_some_and(|(_, srid, _)| *srid != 0);
    let plain = if declares {
        plain
    } else {
        format!("CASE WHEN ST_SRID({plain}) = {srid} THEN {plain} END")
    };
    if let Some((kind, ..)) = declared {
        let kind = kind.trim_end_matches(['Z', 'M', 'z', 'm']).to_uppercase();
        if kinds.is_empty() || kind != "GEOMETRY" {
            kinds.push(kind);
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    let is_curved = kinds
        .iter()
        .any(|kind| kind.contains("CURVE") || kind == "CIRCULARSTRING" || kind == "MULTISURFACE");
    if let Some(kind) = kinds
        .iter()
        .find(|kind| ["TIN", "TRIANGLE", "POLYHEDRALSURFACE"].contains(&kind.as_str()))
    {
        let message = Message::new("store.geometry-kind").with("table", &relation.shown);
        return Err(Error::Refused(message.with("kind", kind)));
    }
    let kind = match kinds.as_slice() {
        [one] => GeometryType::from_name(one).unwrap_or(GeometryType::Geometry),
        _ => GeometryType::Geometry,
    };
    Ok(Geometry {
        column: column.name.clone(),
        // Curves become lines, which all clients draw.
        read: if is_curved {
            format!("ST_CurveToLine({plain})")
        } else {
            plain
        },
        place: if is_geography {
            "ST_GeomFromEWKB(?)::geography".to_owned()
        } else {
            "ST_GeomFromEWKB(?)".to_owned()
        },
        srid: u32::try_from(*srid).unwrap_or(0),
        crs,
        kind,
        has_z,
        has_m,
    })
}

/// The code of EPSG that PostGIS knows an SRID by, or that of a local system.
async fn crs(session: &mut Session<'_>, relation: &Relation, srid: i64) -> Result<Crs, Error> {
    let sql = "SELECT auth_srid::bigint FROM spatial_ref_sys WHERE srid = ? AND upper(auth_name) IN ('EPSG', 'HROMADA')";
    let row = session.fetch_optional(statement(sql).bind(srid)).await?;
    let code = match row {
        Some(row) => row.maybe_integer(0)?,
        None => None,
    };
    let code = code.and_then(|code| u32::try_from(code).ok());
    let unknown = || {
        let message = Message::new("store.srid-unknown").with("table", &relation.shown);
        Error::Refused(message.with("srid", srid))
    };
    let crs = Crs::epsg(code.ok_or_else(unknown)?);
    spatial::crs::describe(crs).map_err(|_| unknown())?;
    Ok(crs)
}

/// A property's column.
pub(super) struct Mapped {
    pub(super) name: String,
    pub(super) read: String,
    pub(super) place: Option<String>,
}

pub(super) fn properties(
    columns: &[Column],
    key: &str,
    geometry: &Geometry,
    job: &PublishJob,
    notes: &mut Vec<Message>,
) -> Result<(Schema, Vec<Mapped>), Error> {
    let settings = &job.settings;
    let mut schema = Schema {
        properties: Vec::new(),
    };
    let mut mapped = Vec::new();
    for column in columns {
        if column.name == key || column.name == geometry.column {
            continue;
        }
        let name = quoted(&column.name);
        let (kind, read, place) = match column.kind.as_str() {
            "bool" => (PropertyType::Boolean, name, "?".to_owned()),
            "int2" | "int4" | "int8" => (PropertyType::Integer, name, "?".to_owned()),
            "float8" => (PropertyType::Real, name, "?".to_owned()),
            // By its text: the nearest double of 0.1 as a float is 0.10000000149011612.
            "float4" => (
                PropertyType::Real,
                format!("{name}::text::float8"),
                "?".to_owned(),
            ),
            "numeric" => (
                PropertyType::Real,
                format!("{name}::float8"),
                "?".to_owned(),
            ),
            "date" => (PropertyType::Date, name, "?".to_owned()),
            "timestamptz" => (PropertyType::DateTime, name, "?".to_owned()),
            // Without a zone it is taken for UTC, as the change log does.
            "timestamp" => (
                PropertyType::DateTime,
                format!("{name} AT TIME ZONE 'UTC'"),
                "? AT TIME ZONE 'UTC'".to_owned(),
            ),
            "text" | "varchar" | "bpchar" | "name" => {
                (PropertyType::Text, format!("{name}::text"), "?".to_owned())
            }
            "bytea" | "geometry" | "geography" | "raster" => {
                let note = Message::new("store.note-column-left-out");
                notes.push(
                    note.with("column", &column.name)
                        .with("type", &column.declared),
                );
                continue;
            }
            _ => (
                PropertyType::Text,
                format!("{name}::text"),
                format!("CAST(? AS {})", column.declared),
            ),
        };
        let described = settings.properties.iter().find(|p| p.name == column.name);
        let label = settings.label_property.as_ref() == Some(&column.name);
        let searchable = match &settings.searchable {
            Some(names) => names.contains(&column.name),
            None => label && kind == PropertyType::Text,
        };
        let title = column.comment.clone().map(|text| Text {
            uk: text.clone(),
            en: text,
        });
        schema.properties.push(Property {
            title: described.and_then(|d| d.title.clone()).or(title),
            searchable,
            ..Property::new(&column.name, kind)
        });
        mapped.push(Mapped {
            name: column.name.clone(),
            read,
            place: (!column.is_generated).then_some(place),
        });
    }
    if mapped.len() > MAX_PROPERTIES {
        let message = Message::new("store.too-many-properties").with("count", mapped.len());
        return Err(Error::Refused(message.with("limit", MAX_PROPERTIES)));
    }
    for name in [&settings.label_property, &settings.time_property]
        .into_iter()
        .flatten()
    {
        if schema.position(name).is_none() {
            let known: Vec<&str> = mapped.iter().map(|m| m.name.as_str()).collect();
            let message = Message::new("store.no-property").with("property", name);
            return Err(Error::Invalid(message.with("known", known.join(", "))));
        }
    }
    Ok((schema, mapped))
}

pub(super) async fn require_rights(
    session: &mut Session<'_>,
    relation: &Relation,
) -> Result<(), Error> {
    for right in ["INSERT", "UPDATE", "DELETE"] {
        let sql = "SELECT has_table_privilege(to_regclass(?)::oid, ?)";
        let asked = statement(sql).bind(relation.name.as_str()).bind(right);
        if !session.fetch_one(asked).await?.boolean(0)? {
            let message = Message::new("store.table-denied").with("table", &relation.shown);
            return Err(Error::Refused(message.with("right", right)));
        }
    }
    Ok(())
}
