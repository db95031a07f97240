//! CQL2 (OGC 21-065r2), a file for each requirements class.

mod accent_insensitive_comparison;
mod advanced_comparison_operators;
mod arithmetic;
mod array_functions;
mod basic_cql2;
mod case_insensitive_comparison;
mod cql2_json;
mod cql2_text;
mod examples;
mod functions;
mod places;
mod property_property;
mod random;
mod spatial_functions;
mod temporal_functions;

use geo_types::Geometry;
use model::cql2::Expression;
use model::{
    Filter, Lang, Measure, Place, Property, PropertyType, Row, Schema, SpatialRelation, Value,
    ValueRef,
};

/// A row with a geometry; relations are answered by `relate`.
struct Feature<'a> {
    values: &'a [Value],
    geometry: Option<&'a Geometry<f64>>,
}

impl<'a> Row<'a> for Feature<'a> {
    fn value(&self, position: usize) -> ValueRef<'a> {
        ValueRef::from(&self.values[position])
    }

    fn relate(&self, relation: SpatialRelation, left: Place<'_>, right: Place<'_>) -> Option<bool> {
        let left = self.place(left)?;
        Some(relate(relation, left, self.place(right)?))
    }

    fn has_geometry(&self) -> bool {
        self.geometry.is_some()
    }

    fn measure(&self, measure: Measure) -> Option<f64> {
        self.geometry?;
        Some(match measure {
            Measure::Area => 600.0,
            Measure::Length => 100.0,
        })
    }
}

impl<'a> Feature<'a> {
    fn place<'p>(&'p self, place: Place<'p>) -> Option<&'p Geometry<f64>> {
        match place {
            Place::Own => self.geometry,
            Place::Given(geometry) => Some(geometry),
        }
    }
}

/// Of bounds only: enough to see who is asked what.
fn relate(relation: SpatialRelation, a: &Geometry<f64>, b: &Geometry<f64>) -> bool {
    let (a, b) = (bounds(a), bounds(b));
    let meets = (0..2).all(|i| a[i] <= b[i + 2] && b[i] <= a[i + 2]);
    let within = |a: [f64; 4], b: [f64; 4]| (0..2).all(|i| b[i] <= a[i] && a[i + 2] <= b[i + 2]);
    match relation {
        SpatialRelation::Disjoint => !meets,
        SpatialRelation::Equals => a == b,
        SpatialRelation::Within => within(a, b),
        SpatialRelation::Contains => within(b, a),
        _ => meets,
    }
}

fn bounds(geometry: &Geometry<f64>) -> [f64; 4] {
    let mut bounds = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
    let mut each = |x: f64, y: f64| {
        bounds = [
            bounds[0].min(x),
            bounds[1].min(y),
            bounds[2].max(x),
            bounds[3].max(y),
        ];
    };
    match geometry {
        Geometry::Point(point) => each(point.x(), point.y()),
        Geometry::LineString(line) => line.0.iter().for_each(|c| each(c.x, c.y)),
        Geometry::Polygon(polygon) => polygon.exterior().0.iter().for_each(|c| each(c.x, c.y)),
        Geometry::MultiPolygon(polygons) => polygons
            .iter()
            .flat_map(|polygon| &polygon.exterior().0)
            .for_each(|c| each(c.x, c.y)),
        other => panic!("{other:?}"),
    }
    bounds
}

fn schema() -> Schema {
    let properties = [
        ("name", PropertyType::Text),
        ("floors", PropertyType::Integer),
        ("area", PropertyType::Real),
        ("public", PropertyType::Boolean),
        ("date", PropertyType::Date),
        ("start", PropertyType::DateTime),
        ("end", PropertyType::DateTime),
        ("boolean", PropertyType::Boolean),
        ("nothing", PropertyType::Integer),
        ("no_text", PropertyType::Text),
        ("no_time", PropertyType::DateTime),
        ("вулиця", PropertyType::Text),
        ("div", PropertyType::Integer),
    ];
    Schema {
        properties: properties
            .map(|(name, kind)| Property::new(name, kind))
            .into(),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn row() -> Vec<Value> {
    vec![
        text("København"),
        Value::Integer(5),
        Value::Real(0.5),
        Value::Boolean(true),
        text("2022-04-16"),
        text("2022-04-16T10:13:19Z"),
        text("2022-04-16T10:15:10Z"),
        Value::Boolean(false),
        Value::Null,
        Value::Null,
        Value::Null,
        text("вул. Їжакевича, 7"),
        Value::Integer(7),
    ]
}

fn parsed(text: &str) -> Expression {
    Expression::from_text(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn bound(text: &str) -> Filter {
    Filter::bind(&parsed(text), &schema()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// What a filter says of [`row`] at the point 30 50.
fn holds(text: &str) -> Option<bool> {
    let geometry = Geometry::Point((30.0, 50.0).into());
    bound(text).holds(&Feature {
        values: &row(),
        geometry: Some(&geometry),
    })
}

/// Each text with what it says of [`row`].
fn check(all: &[(&str, Option<bool>)]) {
    for (text, expected) in all {
        assert_eq!(holds(text), *expected, "{text}");
        // The same by way of JSON.
        let json = parsed(text).to_json();
        let expression = Expression::from_json(&json).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(expression, parsed(text), "{text}");
    }
}

/// The error of a text that can't be read or has no meaning.
fn error(text: &str) -> String {
    let filter = Expression::from_text(text).and_then(|e| Filter::bind(&e, &schema()));
    let error = filter.expect_err(text).0;
    let uk = error.text(Lang::Uk);
    assert!(!uk.contains(['{', '}']) || text.contains('{'), "{uk}");
    assert!(uk.contains("ільтр"), "{uk}");
    error.text(Lang::En)
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const UNKNOWN: Option<bool> = None;
