//! The collection registry: definitions as JSON, tables and columns.

use model::{
    Collection, CollectionId, Crs, Enumerated, Envelope, GeometryType, Property, PropertyType,
    Schema, Text, Theme, TileSettings,
};
use serde_json::{Value as Json, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::Error;

/// Properties of a collection at most: the change log's `json_object` takes two arguments for each,
/// and SQLite takes 1,000 in a function call.
pub(crate) const MAX_PROPERTIES: usize = 490;

/// The key column of every collection table.
pub(crate) const KEY: &str = "fid";
/// The geometry column of every collection table.
pub(crate) const GEOMETRY: &str = "geom";

/// A registered collection with its number in the change log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Registered {
    pub(crate) n: i64,
    pub(crate) collection: Collection,
}

pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Registered>, Error> {
    let rows = sqlx::query("SELECT n, id, definition FROM hromada_collections ORDER BY id")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| registered(row.get(0), row.get(1), row.get(2)))
        .collect()
}

pub(crate) async fn find(
    connection: &mut SqliteConnection,
    id: &CollectionId,
) -> Result<Option<Registered>, Error> {
    let row = sqlx::query("SELECT n, id, definition FROM hromada_collections WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    row.map(|row| registered(row.get(0), row.get(1), row.get(2)))
        .transpose()
}

/// The number of features of a collection and the extent that the file gives.
pub(crate) async fn counted(
    connection: &mut SqliteConnection,
    collection: &Collection,
) -> Result<(u64, Option<Envelope>), Error> {
    let sql = format!("SELECT count(*) FROM {}", quoted(collection.id.as_str()));
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&mut *connection)
        .await?;
    let row =
        sqlx::query("SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = ?")
            .bind(collection.id.as_str())
            .fetch_one(connection)
            .await?;
    let numbers: [Option<f64>; 4] = [
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
    ];
    let extent = match numbers {
        [Some(w), Some(s), Some(e), Some(n)] => Some(Envelope {
            min: [w, s],
            max: [e, n],
        }),
        _ => None,
    };
    Ok((count.unsigned_abs(), extent))
}

fn registered(n: i64, id: &str, definition: &str) -> Result<Registered, Error> {
    let collection = parse(id, definition).ok_or_else(|| {
        Error::Refused(model::Message::new("store.registry-damaged").with("id", id))
    })?;
    Ok(Registered { n, collection })
}

/// Adds a collection: its table, its GeoPackage entries, its registry row.
pub(crate) async fn create(
    connection: &mut SqliteConnection,
    collection: &Collection,
    definition_of_crs: (&str, &str),
) -> Result<Registered, Error> {
    let (crs_name, wkt) = definition_of_crs;
    let srs_id = i64::from(collection.storage_crs.code());
    sqlx::query(
        "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, organization_coordsys_id, definition)
         VALUES (?, ?, 'EPSG', ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(crs_name)
    .bind(srs_id)
    .bind(srs_id)
    .bind(wkt)
    .execute(&mut *connection)
    .await?;
    sqlx::raw_sql(AssertSqlSafe(table_sql(collection)))
        .execute(&mut *connection)
        .await?;
    if let Some(id_property) = &collection.id_property {
        sqlx::raw_sql(AssertSqlSafe(unique_index_sql(&collection.id, id_property)))
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)
         VALUES (?, 'features', ?, ?, ?)",
    )
    .bind(collection.id.as_str())
    .bind(collection.id.as_str())
    .bind(&collection.title.en)
    .bind(srs_id)
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, ?, ?)")
        .bind(collection.id.as_str())
        .bind(GEOMETRY)
        .bind(collection.geometry_type.name())
        .bind(srs_id)
        .bind(i64::from(collection.has_z))
        .bind(i64::from(collection.has_m))
        .execute(&mut *connection)
        .await?;
    let n: i64 = sqlx::query_scalar(
        "INSERT INTO hromada_collections (id, definition) VALUES (?, ?) RETURNING n",
    )
    .bind(collection.id.as_str())
    .bind(definition_json(collection).to_string())
    .fetch_one(connection)
    .await?;
    Ok(Registered {
        n,
        collection: collection.clone(),
    })
}

/// Writes a changed definition; the table stays as it is.
pub(crate) async fn update(
    connection: &mut SqliteConnection,
    registered: &Registered,
) -> Result<(), Error> {
    let collection = &registered.collection;
    sqlx::query("UPDATE hromada_collections SET definition = ? WHERE n = ?")
        .bind(definition_json(collection).to_string())
        .bind(registered.n)
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE gpkg_geometry_columns SET geometry_type_name = ?, z = ?, m = ? WHERE table_name = ?")
        .bind(collection.geometry_type.name())
        .bind(i64::from(collection.has_z))
        .bind(i64::from(collection.has_m))
        .bind(collection.id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Columns that the table has, with their declared types.
pub(crate) async fn table_columns(
    connection: &mut SqliteConnection,
    collection: &Collection,
) -> Result<Vec<(String, String)>, Error> {
    let rows = sqlx::query("SELECT name, type FROM pragma_table_info(?)")
        .bind(collection.id.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// Columns that the collection's table should have and lacks: another program may have changed it.
pub(crate) async fn missing_columns(
    connection: &mut SqliteConnection,
    collection: &Collection,
) -> Result<Vec<String>, Error> {
    let columns = table_columns(connection, collection).await?;
    let own = [KEY, GEOMETRY].into_iter();
    let properties = collection.schema.properties.iter().map(|p| p.name.as_str());
    Ok(own
        .chain(properties)
        .filter(|name| !columns.iter().any(|c| c.0.eq_ignore_ascii_case(name)))
        .map(str::to_owned)
        .collect())
}

/// The declared type of a property's column.
pub(crate) fn declared_type(property: &Property) -> &'static str {
    column_type(property.kind)
}

pub(crate) fn table_sql(collection: &Collection) -> String {
    let columns: String = collection
        .schema
        .properties
        .iter()
        .map(|p| format!(", {} {}", quoted(&p.name), column_type(p.kind)))
        .collect();
    format!(
        "CREATE TABLE {} ({KEY} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {GEOMETRY} {}{columns})",
        quoted(collection.id.as_str()),
        collection.geometry_type.name(),
    )
}

pub(crate) fn unique_index_sql(id: &CollectionId, property: &str) -> String {
    // A point can't be part of an id, so no two pairs of id and property make one name.
    let name = format!("hromada_{id}.{property}");
    format!(
        "CREATE UNIQUE INDEX {} ON {} ({})",
        quoted(&name),
        quoted(id.as_str()),
        quoted(property)
    )
}

/// Columns that have a unique index of their own.
pub(crate) async fn unique_columns(
    connection: &mut SqliteConnection,
    collection: &Collection,
) -> Result<Vec<String>, Error> {
    let rows = sqlx::query(
        "SELECT min(i.name) FROM pragma_index_list(?) AS l JOIN pragma_index_info(l.name) AS i
         WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name HAVING count(*) = 1 AND min(i.name) NOT NULL",
    )
    .bind(collection.id.as_str())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Column types of OGC 12-128r19 table 1.
fn column_type(kind: PropertyType) -> &'static str {
    match kind {
        PropertyType::Boolean => "BOOLEAN",
        PropertyType::Integer => "INTEGER",
        PropertyType::Real => "REAL",
        PropertyType::Text => "TEXT",
        PropertyType::Date => "DATE",
        PropertyType::DateTime => "DATETIME",
    }
}

/// An SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether a table of this name would meet one of the store's own or of SQLite's, or hide a function that gives rows or
/// a name that a query of the store uses.
pub(crate) fn is_reserved(id: &CollectionId) -> bool {
    let id = id.as_str();
    ["gpkg_", "sqlite_", "rtree_", "hromada_", "pragma_"]
        .iter()
        .any(|prefix| id.starts_with(prefix))
        || ["json_each", "json_tree", "last", "excluded"].contains(&id)
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
        "tiles": {"minZoom": c.tiles.min_zoom, "maxZoom": c.tiles.max_zoom, "properties": c.tiles.properties},
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
        },
    })
}

/// The state of a row as JSON, by SQL: the same text for single and bulk writes.
pub(crate) fn properties_json_sql(schema: &Schema) -> String {
    let pairs: Vec<String> = schema
        .properties
        .iter()
        .map(|p| format!("'{}', {}", p.name.replace('\'', "''"), json_sql(p)))
        .collect();
    format!("json_object({})", pairs.join(", "))
}

/// SQLite writes doubles into JSON with 15 digits; 17 bring each one back exactly.
fn json_sql(property: &Property) -> String {
    let column = quoted(&property.name);
    if property.kind != PropertyType::Real {
        return column;
    }
    format!("iif(typeof({column}) = 'real', json(format('%!.17g', {column})), {column})")
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
