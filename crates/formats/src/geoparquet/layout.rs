//! The file's columns and its metadata.

use std::sync::Arc;

use model::{Message, PropertyType};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use serde_json::{Value as Json, json};

use super::geometry::Seen;
use crate::geojson::type_name;
use crate::stream::{Column, free_name};
use crate::{Error, StreamOptions};

/// The members of a box, in the order of their columns.
const SIDES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// Names of the columns beside the properties, and the CRS.
pub(super) struct Layout {
    id: Option<String>,
    geometry: Option<Geometry>,
}

struct Geometry {
    column: String,
    covering: String,
    /// `None`: OGC:CRS84, which is what a file means that tells no CRS. JSON null: unknown.
    crs: Option<Json>,
}

impl Layout {
    /// # Errors
    /// When the PROJJSON is no JSON object.
    pub(super) fn new(options: &StreamOptions<'_>, columns: &[Column]) -> Result<Self, Error> {
        let crs = match options.projjson {
            Some(text) => Some(
                serde_json::from_str::<Json>(text)
                    .ok()
                    .filter(Json::is_object)
                    .ok_or_else(|| Message::new("formats.projjson"))?,
            ),
            None if options.crs.is_wgs84() => None,
            None => Some(Json::Null),
        };
        let id: Vec<&str> = options.id_column.into_iter().collect();
        let geometry = (!options.skip_geometry).then(|| Geometry {
            column: free_name("geometry", columns, &id),
            covering: free_name("bbox", columns, &id),
            crs,
        });
        Ok(Self {
            id: options.id_column.map(str::to_owned),
            geometry,
        })
    }

    /// The id, the properties, the geometry and its box, in this order.
    pub(super) fn schema(&self, columns: &[Column]) -> Result<TypePtr, ParquetError> {
        let mut fields = Vec::new();
        if let Some(id) = &self.id {
            let text = Some(LogicalType::String);
            fields.push(field(id, Physical::BYTE_ARRAY, text, Repetition::REQUIRED)?);
        }
        for column in columns {
            let (physical, logical) = types(column.kind);
            let optional = Repetition::OPTIONAL;
            fields.push(field(&column.name, physical, logical, optional)?);
        }
        if let Some(geometry) = &self.geometry {
            let optional = Repetition::OPTIONAL;
            fields.push(field(
                &geometry.column,
                Physical::BYTE_ARRAY,
                None,
                optional,
            )?);
            let side = |name| field(name, Physical::DOUBLE, None, Repetition::REQUIRED);
            let sides: Result<_, _> = SIDES.into_iter().map(side).collect();
            let covering = Type::group_type_builder(&geometry.covering)
                .with_repetition(optional)
                .with_fields(sides?)
                .build()?;
            fields.push(Arc::new(covering));
        }
        let root = Type::group_type_builder("schema")
            .with_fields(fields)
            .build()?;
        Ok(Arc::new(root))
    }

    /// Compression everywhere; no dictionaries and no smallest and largest value where every value is its own.
    pub(super) fn properties(&self) -> WriterPropertiesPtr {
        let mut builder = WriterProperties::builder()
            .set_created_by("hromada".to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()));
        if let Some(id) = &self.id {
            let path = ColumnPath::new(vec![id.clone()]);
            builder = builder.set_column_dictionary_enabled(path, false);
        }
        if let Some(geometry) = &self.geometry {
            let path = ColumnPath::new(vec![geometry.column.clone()]);
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
            for side in SIDES {
                let path = ColumnPath::new(vec![geometry.covering.clone(), side.to_owned()]);
                builder = builder.set_column_dictionary_enabled(path, false);
            }
        }
        Arc::new(builder.build())
    }

    /// The text of the key `geo` (GeoParquet 1.1.0, Metadata).
    pub(super) fn metadata(&self, seen: &Seen) -> Option<String> {
        let geometry = self.geometry.as_ref()?;
        let types: Vec<String> = seen
            .types()
            .map(|(kind, z)| format!("{}{}", type_name(kind), if z { " Z" } else { "" }))
            .collect();
        let side = |name: &str| json!([geometry.covering, name]);
        let covering = SIDES.map(|name| (name.to_owned(), side(name)));
        let mut column = json!({
            "encoding": "WKB",
            "geometry_types": types,
            "covering": {"bbox": Json::Object(covering.into_iter().collect())},
        });
        if let Some(crs) = &geometry.crs {
            column["crs"] = crs.clone();
        }
        if let Some(extent) = seen.extent {
            let ([xmin, ymin], [xmax, ymax]) = (extent.min, extent.max);
            column["bbox"] = json!([xmin, ymin, xmax, ymax]);
        }
        let mut columns = serde_json::Map::new();
        columns.insert(geometry.column.clone(), column);
        let geo = json!({
            "version": "1.1.0",
            "primary_column": geometry.column,
            "columns": columns,
        });
        Some(geo.to_string())
    }
}

fn field(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
    repetition: Repetition,
) -> Result<TypePtr, ParquetError> {
    let field = Type::primitive_type_builder(name, physical)
        .with_logical_type(logical)
        .with_repetition(repetition)
        .build()?;
    Ok(Arc::new(field))
}

fn types(kind: PropertyType) -> (Physical, Option<LogicalType>) {
    match kind {
        PropertyType::Boolean => (Physical::BOOLEAN, None),
        PropertyType::Integer => (Physical::INT64, Some(LogicalType::integer(64, true))),
        PropertyType::Real => (Physical::DOUBLE, None),
        PropertyType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        PropertyType::Date => (Physical::INT32, Some(LogicalType::Date)),
        PropertyType::DateTime => {
            let utc = LogicalType::timestamp(true, TimeUnit::MICROS);
            (Physical::INT64, Some(utc))
        }
    }
}
