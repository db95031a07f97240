//! The collection registry: definitions as JSON, tables and columns.

use model::{
    Collection, CollectionId, Crs, Enumerated, Envelope, GeometryType, LowZooms, Property,
    PropertyType, Schema, Text, Theme, TileSettings,
};
use serde_json::{Value as Json, json};

use crate::Error;
use crate::import::MAX_ID;
use crate::session::{Dialect, Row, Session, quoted, statement};
use crate::table::{GEOMETRY, KEY, Table};

/// Properties of a collection at most: the change log's `json_object` takes two arguments for each,
/// and SQLite takes 1,000 in a function call.
pub(crate) const MAX_PROPERTIES: usize = 490;

/// A registered collection with its number in the change log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registered {
    pub(crate) n: i64,
    pub(crate) collection: Collection,
    pub(crate) table: Table,
}

pub(crate) async fn all(session: &mut Session<'_>) -> Result<Vec<Registered>, Error> {
    let sql = format!("{} ORDER BY id", select(session.dialect()));
    let rows = session.fetch_all(statement(sql)).await?;
    let dialect = session.dialect();
    rows.iter().map(|row| registered(dialect, row)).collect()
}

pub(crate) async fn find(
    session: &mut Session<'_>,
    id: &CollectionId,
) -> Result<Option<Registered>, Error> {
    let sql = format!("{} WHERE id = ?", select(session.dialect()));
    let found = statement(sql).bind(id.as_str());
    let row = session.fetch_optional(found).await?;
    let dialect = session.dialect();
    row.map(|row| registered(dialect, &row)).transpose()
}

fn select(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SELECT n, id, definition, NULL FROM hromada_collections",
        Dialect::Postgres => "SELECT n, id, definition, source FROM hromada_collections",
    }
}

/// The number of features of a collection and the extent of its geometries in the storage CRS: what the GeoPackage gives, or
/// that of the rows.
pub(crate) async fn counted(
    session: &mut Session<'_>,
    registered: &Registered,
) -> Result<(u64, Option<Envelope>), Error> {
    let count = count(session, &registered.table).await?;
    Ok((count, extent(session, registered).await?))
}

pub(crate) async fn count(session: &mut Session<'_>, table: &Table) -> Result<u64, Error> {
    let count = statement(format!("SELECT count(*) FROM {}", table.name));
    let count = session.fetch_one(count).await?.integer(0)?;
    Ok(count.unsigned_abs())
}

/// The extent that the GeoPackage gives; in PostGIS, that of the rows.
pub(crate) async fn extent(
    session: &mut Session<'_>,
    registered: &Registered,
) -> Result<Option<Envelope>, Error> {
    let found = match session.dialect() {
        Dialect::Sqlite => {
            let sql = "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = ?";
            statement(sql).bind(registered.collection.id.as_str())
        }
        Dialect::Postgres => {
            let Table {
                name,
                geometry_read,
                ..
            } = &registered.table;
            statement(format!(
                "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM (SELECT ST_Extent({geometry_read}) AS e FROM {name}) AS x"
            ))
        }
    };
    let Some(row) = session.fetch_optional(found).await? else {
        return Ok(None);
    };
    let mut numbers = [None; 4];
    for (i, number) in numbers.iter_mut().enumerate() {
        *number = row.maybe_real(i)?;
    }
    Ok(match numbers {
        [Some(w), Some(s), Some(e), Some(n)] => Some(Envelope {
            min: [w, s],
            max: [e, n],
        }),
        _ => None,
    })
}

/// Reads a row of the registry: number, id, definition, and the source of a published one.
pub(crate) fn registered(dialect: Dialect, row: &Row) -> Result<Registered, Error> {
    let (id, definition) = (row.text(1)?, row.text(2)?);
    let collection = parse(&id, &definition).ok_or_else(|| {
        Error::Refused(model::Message::new("store.registry-damaged").with("id", &id))
    })?;
    let table = match row.maybe_text(3)? {
        None => Table::of(dialect, &collection),
        Some(source) => crate::postgres::publish::table(&source).ok_or_else(|| {
            Error::Refused(model::Message::new("store.registry-damaged").with("id", &id))
        })?,
    };
    Ok(Registered {
        n: row.integer(0)?,
        table,
        collection,
    })
}

/// Adds a collection to the registry; its table is made beside it.
pub(crate) async fn add(
    session: &mut Session<'_>,
    collection: &Collection,
) -> Result<Registered, Error> {
    let sql = "INSERT INTO hromada_collections (id, definition) VALUES (?, ?) RETURNING n";
    let added = statement(sql)
        .bind(collection.id.as_str())
        .bind(definition_json(collection).to_string());
    let n = session.fetch_one(added).await?.integer(0)?;
    Ok(Registered {
        n,
        table: Table::of(session.dialect(), collection),
        collection: collection.clone(),
    })
}

/// Registers a collection under the number that it has in another store; one that is there gets the new definition.
pub(crate) async fn put(session: &mut Session<'_>, registered: &Registered) -> Result<(), Error> {
    let sql = "INSERT INTO hromada_collections (n, id, definition) VALUES (?, ?, ?)
       ON CONFLICT (n) DO UPDATE SET definition = excluded.definition";
    let put = statement(sql)
        .bind(registered.n)
        .bind(registered.collection.id.as_str())
        .bind(definition_json(&registered.collection).to_string());
    session.execute(put).await?;
    Ok(())
}

/// The greatest key that the collection's table ever had.
pub(crate) async fn counter(
    session: &mut Session<'_>,
    registered: &Registered,
) -> Result<i64, Error> {
    let Registered {
        collection, table, ..
    } = registered;
    match session.dialect() {
        Dialect::Postgres => crate::postgres::tables::counter(session, table).await,
        Dialect::Sqlite => {
            let counter = crate::sqlite::tables::counter(session, collection).await?;
            let greatest = statement(format!("SELECT max({}) FROM {}", table.key, table.name));
            let greatest = session.fetch_one(greatest).await?.maybe_integer(0)?;
            Ok(counter.unwrap_or(0).max(greatest.unwrap_or(0)))
        }
    }
}

/// Properties whose values the table holds to be unique.
pub(crate) async fn unique_properties(
    session: &mut Session<'_>,
    registered: &Registered,
) -> Result<Vec<String>, Error> {
    let Registered {
        collection, table, ..
    } = registered;
    let unique = unique_columns(session, table).await?;
    let all = collection.schema.properties.iter().zip(&table.columns);
    Ok(all
        .filter(|(_, column)| unique.contains(&unquoted(column)))
        .map(|(property, _)| property.name.clone())
        .collect())
}

/// Writes a changed definition.
pub(crate) async fn update(
    session: &mut Session<'_>,
    registered: &Registered,
) -> Result<(), Error> {
    let sql = "UPDATE hromada_collections SET definition = ? WHERE n = ?";
    let definition = definition_json(&registered.collection).to_string();
    session
        .execute(statement(sql).bind(definition).bind(registered.n))
        .await?;
    Ok(())
}

/// Columns that the table has, with their declared types.
pub(crate) async fn table_columns(
    session: &mut Session<'_>,
    table: &Table,
) -> Result<Vec<(String, String)>, Error> {
    let sql = match session.dialect() {
        // The name without its quotes: that of a table which the store made.
        Dialect::Sqlite => "SELECT name, type FROM pragma_table_info(?)",
        Dialect::Postgres => {
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        }
    };
    let name = match session.dialect() {
        Dialect::Sqlite => unquoted(&table.name),
        Dialect::Postgres => table.name.clone(),
    };
    let rows = session.fetch_all(statement(sql).bind(name)).await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?, row.text(1)?)))
        .collect()
}

/// Columns that the collection's table should have and lacks: another program may have changed it.
pub(crate) async fn missing_columns(
    session: &mut Session<'_>,
    table: &Table,
) -> Result<Vec<String>, Error> {
    let found = table_columns(session, table).await?;
    let is_there = |name: &str| match table.dialect {
        Dialect::Sqlite => found.iter().any(|c| c.0.eq_ignore_ascii_case(name)),
        Dialect::Postgres => found.iter().any(|c| c.0 == name),
    };
    let own = [&table.key, &table.geometry].into_iter();
    let all = own.chain(&table.columns).map(|name| unquoted(name));
    Ok(all.filter(|name| !is_there(name)).collect())
}

/// The name within quotes.
pub(crate) fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |n| n.replace("\"\"", "\""))
}

pub(crate) fn table_sql(dialect: Dialect, collection: &Collection, table: &Table) -> String {
    let columns: String = collection
        .schema
        .properties
        .iter()
        .zip(&table.columns)
        .map(|(p, column)| format!(", {column} {}", column_type(dialect, p.kind)))
        .collect();
    let name = &table.name;
    match dialect {
        Dialect::Sqlite => format!(
            "CREATE TABLE {name} ({KEY} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {GEOMETRY} {}{columns})",
            collection.geometry_type.name(),
        ),
        Dialect::Postgres => format!(
            "CREATE TABLE {name} ({KEY} bigint GENERATED BY DEFAULT AS IDENTITY
               CONSTRAINT hromada_key CHECK ({KEY} <= {MAX_ID}), {GEOMETRY} {}{columns})",
            crate::postgres::geometry_type(collection, false),
        ),
    }
}

pub(crate) fn unique_index_sql(
    table: &Table,
    collection: &Collection,
    property: &str,
) -> Option<String> {
    let column = &table.columns[collection.schema.position(property)?];
    // A point can't be part of an id, so no two pairs of id and property make one name.
    let name = format!("hromada_{}.{property}", collection.id);
    let name = match table.dialect {
        Dialect::Sqlite => quoted(&name),
        Dialect::Postgres => quoted(&crate::postgres::column_name(&name)),
    };
    Some(format!(
        "CREATE UNIQUE INDEX {name} ON {} ({column})",
        table.name
    ))
}

/// Columns that have a unique index of their own.
pub(crate) async fn unique_columns(
    session: &mut Session<'_>,
    table: &Table,
) -> Result<Vec<String>, Error> {
    let (sql, name) = match session.dialect() {
        Dialect::Sqlite => (
            "SELECT min(i.name) FROM pragma_index_list(?) AS l JOIN pragma_index_info(l.name) AS i
             WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name HAVING count(*) = 1 AND min(i.name) NOT NULL",
            unquoted(&table.name),
        ),
        Dialect::Postgres => (
            "SELECT a.attname::text FROM pg_index AS i
             JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = to_regclass(?) AND i.indisunique AND i.indisvalid AND NOT i.indisprimary
               AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL",
            table.name.clone(),
        ),
    };
    let rows = session.fetch_all(statement(sql).bind(name)).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Column types of OGC 12-128r19 table 1, and PostgreSQL's own.
pub(crate) fn column_type(dialect: Dialect, kind: PropertyType) -> &'static str {
    let (sqlite, postgres) = match kind {
        PropertyType::Boolean => ("BOOLEAN", "boolean"),
        PropertyType::Integer => ("INTEGER", "bigint"),
        PropertyType::Real => ("REAL", "double precision"),
        PropertyType::Text => ("TEXT", "text"),
        PropertyType::Date => ("DATE", "date"),
        PropertyType::DateTime => ("DATETIME", "timestamp with time zone"),
    };
    match dialect {
        Dialect::Sqlite => sqlite,
        Dialect::Postgres => postgres,
    }
}

/// Whether a table of this name would meet one of the store's own, of SQLite's or of PostGIS', or hide a function that gives
/// rows or a name that a query of the store uses. The same names in both stores, so that a collection can move.
pub(crate) fn is_reserved(id: &CollectionId) -> bool {
    let id = id.as_str();
    ["gpkg_", "sqlite_", "rtree_", "hromada_", "pragma_", "pg_"]
        .iter()
        .any(|prefix| id.starts_with(prefix))
        || [
            "json_each",
            "json_tree",
            "last",
            "excluded",
            "spatial_ref_sys",
            "geometry_columns",
            "geography_columns",
            "raster_columns",
            "raster_overviews",
        ]
        .contains(&id)
}

/// Names that can stand beside each other as columns: SQLite compares them without case, and the key and
/// geometry columns are taken. A name that meets another gets `_2`, `_3`, …; the second list tells old and new.
pub fn safe_property_names(names: &[String]) -> (Vec<String>, Vec<(String, String)>) {
    let mut taken = std::collections::HashSet::from([KEY.to_owned(), GEOMETRY.to_owned()]);
    let mut renamed = Vec::new();
    let mut safe = Vec::with_capacity(names.len());
    for name in names {
        let clean: String = name.chars().filter(|c| *c != '\0').collect();
        let base = if clean.is_empty() {
            "column".to_owned()
        } else {
            clean
        };
        let mut candidate = base.clone();
        let mut n = 2;
        while !taken.insert(candidate.to_lowercase()) {
            candidate = format!("{base}_{n}");
            n += 1;
        }
        if candidate != *name {
            renamed.push((name.clone(), candidate.clone()));
        }
        safe.push(candidate);
    }
    (safe, renamed)
}

/// The definition as it stands in the registry.
pub fn definition_json(c: &Collection) -> Json {
    let text = |t: &Text| json!({"uk": t.uk, "en": t.en});
    let properties: Vec<Json> = c
        .schema
        .properties
        .iter()
        .map(|p| {
            let values: Vec<Json> = p
                .values
                .iter()
                .map(|v| json!({"value": v.value, "title": text(&v.title)}))
                .collect();
            json!({
                "name": p.name, "type": p.kind.name(), "title": p.title.as_ref().map(text),
                "unit": p.unit, "values": values, "searchable": p.searchable,
            })
        })
        .collect();
    json!({
        "title": text(&c.title),
        "description": text(&c.description),
        "geometryType": c.geometry_type.name(),
        "z": c.has_z,
        "m": c.has_m,
        "storageCrs": c.storage_crs.code(),
        "properties": properties,
        "idProperty": c.id_property,
        "labelProperty": c.label_property,
        "timeProperty": c.time_property,
        "theme": c.theme.name(),
        "licence": c.licence,
        "attribution": c.attribution,
        "tiles": {"minZoom": c.tiles.min_zoom, "maxZoom": c.tiles.max_zoom, "properties": c.tiles.properties,
            "lowZooms": c.tiles.low_zooms.map(LowZooms::name)},
    })
}

fn parse(id: &str, definition: &str) -> Option<Collection> {
    let json: Json = serde_json::from_str(definition).ok()?;
    let string = |value: &Json| value.as_str().map(str::to_owned);
    let text = |value: &Json| Text {
        uk: string(&value["uk"]).unwrap_or_default(),
        en: string(&value["en"]).unwrap_or_default(),
    };
    let zoom = |value: &Json| {
        value
            .as_u64()
            .and_then(|z| u8::try_from(z).ok())
            .map(|z| z.min(model::MAX_ZOOM))
    };
    let property = |value: &Json| -> Option<Property> {
        let values = value["values"].as_array().into_iter().flatten();
        Some(Property {
            name: string(&value["name"])?,
            kind: PropertyType::from_name(value["type"].as_str()?)?,
            title: value["title"].as_object().map(|_| text(&value["title"])),
            unit: string(&value["unit"]),
            values: values
                .filter_map(|v| {
                    Some(Enumerated {
                        value: string(&v["value"])?,
                        title: text(&v["title"]),
                    })
                })
                .collect(),
            searchable: value["searchable"].as_bool().unwrap_or(false),
        })
    };
    let properties: Option<Vec<Property>> = json["properties"]
        .as_array()?
        .iter()
        .map(property)
        .collect();
    let default = TileSettings::default();
    Some(Collection {
        id: CollectionId::new(id).ok()?,
        title: text(&json["title"]),
        description: text(&json["description"]),
        geometry_type: GeometryType::from_name(json["geometryType"].as_str()?)?,
        has_z: json["z"].as_bool()?,
        has_m: json["m"].as_bool()?,
        storage_crs: Crs::epsg(u32::try_from(json["storageCrs"].as_u64()?).ok()?),
        schema: Schema {
            properties: properties?,
        },
        id_property: string(&json["idProperty"]),
        label_property: string(&json["labelProperty"]),
        time_property: string(&json["timeProperty"]),
        theme: Theme::from_name(json["theme"].as_str()?)?,
        licence: string(&json["licence"]),
        attribution: string(&json["attribution"]),
        tiles: TileSettings {
            min_zoom: zoom(&json["tiles"]["minZoom"]).unwrap_or(default.min_zoom),
            max_zoom: zoom(&json["tiles"]["maxZoom"]).unwrap_or(default.max_zoom),
            properties: json["tiles"]["properties"]
                .as_array()
                .map(|names| names.iter().filter_map(string).collect()),
            low_zooms: json["tiles"]["lowZooms"]
                .as_str()
                .and_then(LowZooms::from_name),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_comes_back_as_it_was() {
        let collection = Collection {
            id: CollectionId::new("parcels").unwrap(),
            title: Text {
                uk: "Ділянки".into(),
                en: "Parcels".into(),
            },
            description: Text::default(),
            geometry_type: GeometryType::MultiPolygon,
            has_z: true,
            has_m: false,
            storage_crs: Crs::epsg(6382),
            schema: Schema {
                properties: vec![Property {
                    title: Some(Text {
                        uk: "Площа".into(),
                        en: "Area".into(),
                    }),
                    unit: Some("m2".into()),
                    values: vec![Enumerated {
                        value: "1".into(),
                        title: Text::default(),
                    }],
                    searchable: true,
                    ..Property::new("area", PropertyType::Real)
                }],
            },
            id_property: Some("area".into()),
            label_property: None,
            time_property: None,
            theme: Theme::Cadastre,
            licence: Some("PDDL-1.0".into()),
            attribution: None,
            tiles: TileSettings {
                min_zoom: 3,
                max_zoom: 17,
                properties: Some(vec!["area".into()]),
                low_zooms: Some(LowZooms::Dust),
            },
        };
        assert_eq!(
            parse("parcels", &definition_json(&collection).to_string()).unwrap(),
            collection
        );
    }

    #[test]
    fn property_names_that_meet_are_told_apart() {
        let names = ["Name", "NAME", "fid", "geom", "", "a\"b"].map(str::to_owned);
        let (safe, renamed) = safe_property_names(&names);
        assert_eq!(
            safe,
            ["Name", "NAME_2", "fid_2", "geom_2", "column", "a\"b"]
        );
        assert_eq!(renamed.len(), 4);
    }
}
