//! Requirements classes "Basic Spatial Functions" and "Spatial Functions" (§7.5, §7.7).

use std::cell::RefCell;

use geo_types::{Geometry, LineString, MultiPoint, Point, Polygon};
use model::cql2::{Expression, Kind, Literal};
use model::{
    Envelope, Filter, Invalid, Measure, Message, Place, Row, SpatialRelation, Value, ValueRef,
};

use super::{Feature, NO, UNKNOWN, YES, bound, check, error, parsed, row, schema};

/// /req/basic-spatial-functions/spatial-predicate, /req/spatial-functions/spatial-functions
#[test]
fn geometries_are_related() {
    check(&[
        ("S_INTERSECTS(geom, POINT(30 50))", YES),
        ("S_INTERSECTS(geom, BBOX(29, 49, 31, 51))", YES),
        ("S_INTERSECTS(geom, BBOX(29, 49, 0, 31, 51, 100))", YES),
        ("S_INTERSECTS(geom, BBOX(31, 49, 32, 51))", NO),
        ("S_INTERSECTS(geom, BBOX(170, -90, 40, 90))", YES),
        ("s_disjoint(geom, POLYGON((0 0, 1 0, 1 1, 0 0)))", YES),
        ("S_EQUALS(POINT(30.0 50), geom)", YES),
        ("S_WITHIN(geom, POLYGON((0 0, 90 0, 90 90, 0 0)))", YES),
        ("S_CONTAINS(geom, POINT(1 2))", NO),
        ("S_TOUCHES(geom, POINT Z (30 50 7))", YES),
        ("S_OVERLAPS(geom, LINESTRING(0 0, 60 60))", YES),
        ("S_CROSSES(geom, POINT(1 2))", NO),
        ("S_CROSSES(LINESTRING(0 0, 2 2), POINT(1 1))", YES),
        ("S_INTERSECTS(geom, geom)", YES),
        ("NOT S_INTERSECTS(geom, POINT(1 2)) AND floors = 5", YES),
    ]);
}

/// /req/basic-spatial-functions/spatial-predicate C
#[test]
fn a_null_geometry_is_unknown() {
    let feature = Feature {
        values: &row(),
        geometry: None,
    };
    for (text, expected) in [
        ("S_INTERSECTS(geom, POINT(30 50))", UNKNOWN),
        ("NOT S_INTERSECTS(geom, POINT(30 50))", UNKNOWN),
        ("S_DISJOINT(POINT(30 50), geom)", UNKNOWN),
        ("S_INTERSECTS(POINT(30 50), POINT(30 50))", YES),
        ("geom IS NULL", YES),
        ("area(geom) > 1", UNKNOWN),
        ("area(geom) IS NULL", YES),
    ] {
        assert_eq!(bound(text).holds(&feature), expected, "{text}");
    }
}

/// /req/spatial-functions/spatial-data-types
#[test]
fn literals_of_all_types_are_read() {
    for (text, printed) in [
        ("POINT(1 2)", "POINT(1 2)"),
        ("point ( -1.5 +2e1 )", "POINT(-1.5 20)"),
        ("POINT Z (1 2 3)", "POINT(1 2)"),
        ("POINT(1 2 3)", "POINT(1 2)"),
        ("POINT ZM (1 2 3 4)", "POINT(1 2)"),
        ("POINT EMPTY", "MULTIPOINT EMPTY"),
        ("LINESTRING(1 2, 3 4)", "LINESTRING(1 2, 3 4)"),
        ("LINESTRING EMPTY", "LINESTRING EMPTY"),
        (
            "POLYGON((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
            "POLYGON((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
        ),
        ("POLYGON Z EMPTY", "POLYGON EMPTY"),
        ("MULTIPOINT((1 2), (3 4))", "MULTIPOINT((1 2), (3 4))"),
        ("MULTIPOINT(1 2, 3 4)", "MULTIPOINT((1 2), (3 4))"),
        (
            "MULTILINESTRING((1 2, 3 4), (5 6, 7 8))",
            "MULTILINESTRING((1 2, 3 4), (5 6, 7 8))",
        ),
        (
            "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)), EMPTY)",
            "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 0)), EMPTY)",
        ),
        (
            "GEOMETRYCOLLECTION(POINT(1 2), GEOMETRYCOLLECTION EMPTY, LINESTRING(1 2, 3 4))",
            "GEOMETRYCOLLECTION(POINT(1 2), GEOMETRYCOLLECTION EMPTY, LINESTRING(1 2, 3 4))",
        ),
        (
            "BBOX(160.6,-55.95,-170,-25.89)",
            "BBOX(160.6, -55.95, -170, -25.89)",
        ),
    ] {
        let (text, printed) = (format!("{text} IS NULL"), format!("{printed} IS NULL"));
        let tree = parsed(&text);
        assert_eq!(tree.to_text(), printed);
        assert_eq!(parsed(&printed), tree, "{text}");
        assert_eq!(
            Expression::from_json(&tree.to_json()).unwrap(),
            tree,
            "{text}"
        );
    }
    // Alone they are names.
    assert_eq!(
        parsed("point = polygon").to_json(),
        serde_json::json!({"op": "=", "args": [{"property": "point"}, {"property": "polygon"}]})
    );
}

#[test]
fn a_wrong_geometry_says_what_is_wrong() {
    for (text, expected) in [
        (
            "S_INTERSECTS(geom, POINT(1))",
            "Filter, character 27: expected a coordinate, found “)”.",
        ),
        (
            "S_INTERSECTS(geom, POINT(1 2 3 4 5))",
            "Filter, character 34: expected a comma or a closing parenthesis “)”, found “5”.",
        ),
        (
            "S_INTERSECTS(geom, POINT(1, 2))",
            "Filter, character 27: expected a coordinate, found “,”.",
        ),
        (
            "S_INTERSECTS(geom, LINESTRING(1 2))",
            "Filter, character 30: a line needs at least two positions.",
        ),
        (
            "S_INTERSECTS(geom, POLYGON((1 2, 3 4, 1 2)))",
            "Filter, character 27: a ring needs at least three positions and the way back to the first.",
        ),
        (
            "S_INTERSECTS(geom, POLYGON((0 0, 4 0, 4 4, 0 4)))",
            "Filter, character 27: a ring needs at least three positions and the way back to the first.",
        ),
        (
            "S_INTERSECTS(geom, BBOX(1, 2, 3))",
            "Filter, character 32: expected the four or six numbers of a box, found “)”.",
        ),
        (
            "S_INTERSECTS(geom, BBOX(1, 2, 3, 1))",
            "Filter, character 20: the south of the box is north of its north.",
        ),
        (
            "S_INTERSECTS(geom, POINT(1e999 2))",
            "Filter, character 26: expected a coordinate, found “1e999”.",
        ),
        (
            "S_INTERSECTS(geom, 'POINT(1 2)')",
            "Filter, character 20: expected a geometry: “geom”, a box BBOX(…) or a literal such as POINT(30.5 50.4), found “'POINT(1 2)'”.",
        ),
        (
            "S_INTERSECTS(name, POINT(1 2))",
            "Filter, character 14: expected a geometry: “geom”, a box BBOX(…) or a literal such as POINT(30.5 50.4), found “name”.",
        ),
        (
            "S_INTERSECTS(footprint, POINT(1 2))",
            "Filter, character 14: there is no property “footprint” here.",
        ),
        (
            "S_INTERSECTS(geom)",
            "Filter, character 18: expected a comma, found “)”.",
        ),
        (
            "S_INTERSECTS(geom, POINT(1 2), 3)",
            "Filter, character 30: expected a closing parenthesis “)”, found “,”.",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn positions_are_counted() {
    let line = |n: usize| {
        let positions: Vec<String> = (0..n).map(|i| format!("{} 1", i % 10)).collect();
        format!("S_INTERSECTS(geom, LINESTRING({}))", positions.join(","))
    };
    assert!(Expression::from_text(&line(10_000)).is_ok());
    assert_eq!(
        error(&line(10_001)),
        "Filter, character 40031: the geometries may have at most 10000 positions."
    );
}

/// What the row is asked.
struct Asked<'a> {
    given: Vec<&'a Geometry<f64>>,
    asked: RefCell<Vec<(SpatialRelation, bool, bool)>>,
}

impl<'a> Row<'a> for &Asked<'a> {
    fn value(&self, _: usize) -> ValueRef<'a> {
        ValueRef::Null
    }

    fn relate(&self, relation: SpatialRelation, a: Place<'_>, b: Place<'_>) -> Option<bool> {
        let is_given = |place: Place<'_>| match place {
            Place::Own => false,
            Place::Given(geometry) => {
                assert!(
                    self.given
                        .iter()
                        .any(|given| std::ptr::eq(*given, geometry))
                );
                true
            }
        };
        let asked = (relation, is_given(a), is_given(b));
        self.asked.borrow_mut().push(asked);
        None
    }

    fn has_geometry(&self) -> bool {
        true
    }

    fn measure(&self, _: Measure) -> Option<f64> {
        None
    }
}

#[test]
fn the_given_geometries_are_known_beforehand() {
    let filter = bound("S_TOUCHES(geom, POINT(1 2)) OR NOT S_WITHIN(BBOX(1, 2, 3, 4), geom)");
    let asked = Asked {
        given: filter.geometries(),
        asked: RefCell::default(),
    };
    assert_eq!(filter.holds(&&asked), None);
    assert_eq!(asked.given.len(), 2);
    assert_eq!(
        asked.asked.into_inner(),
        [
            (SpatialRelation::Touches, false, true),
            (SpatialRelation::Within, true, false)
        ]
    );
}

#[test]
fn a_closure_is_a_row_without_geometry() {
    let values = [Value::Integer(5)];
    let value = |_: usize| ValueRef::from(&values[0]);
    assert_eq!(bound("floors = 5").holds(&value), YES);
    assert_eq!(
        bound("S_INTERSECTS(geom, POINT(1 2))").holds(&value),
        UNKNOWN
    );
}

/// `filter-crs` of Part 3 is applied before binding.
#[test]
fn geometries_can_be_changed() {
    let mut tree = parsed(
        "S_INTERSECTS(geom, POINT(50 30)) OR NOT S_WITHIN(BBOX(49, 29, 51, 31), geom) AND a IN (1, 2)",
    );
    let mut swap = |geometry: &mut Geometry<f64>| {
        match geometry {
            Geometry::Point(point) => *point = Point::new(point.y(), point.x()),
            Geometry::Polygon(polygon) => {
                let ring = polygon.exterior().0.iter().map(|c| (c.y, c.x));
                *polygon = Polygon::new(ring.collect::<LineString<f64>>(), vec![]);
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    };
    tree.map_geometries(&mut swap).unwrap();
    assert_eq!(
        tree.to_text(),
        "S_INTERSECTS(geom, POINT(30 50)) OR NOT S_WITHIN(POLYGON((29 49, 29 51, 31 51, 31 49, 29 49)), geom) AND a IN (1, 2)"
    );
    let mut refuse = |_: &mut Geometry<f64>| Err(Invalid(Message::new("model.filter-geometry")));
    assert!(tree.map_geometries(&mut refuse).is_err());
}

#[test]
fn a_box_across_the_antimeridian_is_cut_on_either_axis() {
    let cut = |text: &str| {
        let mut tree = parsed(text);
        tree.map_geometries(&mut |_| Ok(()))
            .map(|()| tree.to_text())
    };
    assert_eq!(
        cut("S_INTERSECTS(geom, BBOX(170, -10, -170, 10))").unwrap(),
        "S_INTERSECTS(geom, MULTIPOLYGON(((170 -10, 180 -10, 180 10, 170 10, 170 -10)), ((-180 -10, -170 -10, -170 10, -180 10, -180 -10))))"
    );
    // Latitude first, as EPSG:4326 has it.
    assert_eq!(
        cut("S_INTERSECTS(geom, BBOX(-10, 170, 10, -170))").unwrap(),
        "S_INTERSECTS(geom, MULTIPOLYGON(((-10 170, 10 170, 10 180, -10 180, -10 170)), ((-10 -180, 10 -180, 10 -170, -10 -170, -10 -180))))"
    );
    assert!(cut("S_INTERSECTS(geom, BBOX(170, 10, -170, -10))").is_err());
    assert_eq!(
        cut("S_INTERSECTS(geom, BBOX(1, 2, 1, 2))").unwrap(),
        "S_INTERSECTS(geom, POINT(1 2))"
    );
    assert_eq!(
        cut("S_INTERSECTS(geom, BBOX(1, 2, 3, 2))").unwrap(),
        "S_INTERSECTS(geom, LINESTRING(1 2, 3 2))"
    );
}

fn boxes(text: &str) -> Option<Vec<[f64; 4]>> {
    let envelopes = bound(text).necessary_box()?;
    let ends = |e: Envelope| [e.min[0], e.min[1], e.max[0], e.max[1]];
    Some(envelopes.into_iter().map(ends).collect())
}

#[test]
fn a_filter_tells_where_its_features_can_be() {
    for (text, expected) in [
        (
            "S_INTERSECTS(geom, POINT(1 2))",
            Some(vec![[1.0, 2.0, 1.0, 2.0]]),
        ),
        (
            "S_WITHIN(BBOX(1, 2, 3, 4), geom)",
            Some(vec![[1.0, 2.0, 3.0, 4.0]]),
        ),
        (
            "S_INTERSECTS(geom, BBOX(170, 0, -170, 1))",
            Some(vec![[170.0, 0.0, 180.0, 1.0], [-180.0, 0.0, -170.0, 1.0]]),
        ),
        (
            "floors = 1 AND S_EQUALS(geom, LINESTRING(1 5, 3 4)) AND public",
            Some(vec![[1.0, 4.0, 3.0, 5.0]]),
        ),
        // A feature may meet the one here and the other there.
        (
            "S_INTERSECTS(geom, BBOX(0, 0, 9, 9)) AND S_TOUCHES(geom, BBOX(1, 1, 2, 2))",
            Some(vec![[1.0, 1.0, 2.0, 2.0]]),
        ),
        (
            "S_INTERSECTS(geom, POINT(1 2)) OR S_CROSSES(geom, POINT(3 4))",
            Some(vec![[1.0, 2.0, 1.0, 2.0], [3.0, 4.0, 3.0, 4.0]]),
        ),
        ("S_INTERSECTS(geom, POINT(1 2)) OR floors = 1", None),
        ("S_DISJOINT(geom, POINT(1 2))", None),
        (
            "NOT S_DISJOINT(geom, POINT(1 2))",
            Some(vec![[1.0, 2.0, 1.0, 2.0]]),
        ),
        ("NOT S_INTERSECTS(geom, POINT(1 2))", None),
        (
            "NOT (floors = 1 OR NOT S_OVERLAPS(geom, POINT(1 2)))",
            Some(vec![[1.0, 2.0, 1.0, 2.0]]),
        ),
        ("S_INTERSECTS(geom, geom)", None),
        ("S_INTERSECTS(POINT(1 2), POINT(1 2))", None),
        ("floors = 1", None),
        ("FALSE", Some(vec![])),
        ("TRUE", None),
        ("floors = 1 AND FALSE", Some(vec![])),
        (
            "NOT TRUE OR S_INTERSECTS(geom, POINT(1 2))",
            Some(vec![[1.0, 2.0, 1.0, 2.0]]),
        ),
        ("S_INTERSECTS(geom, POINT EMPTY)", None),
        ("(S_INTERSECTS(geom, POINT(1 2))) IS NULL", None),
    ] {
        assert_eq!(boxes(text), expected, "{text}");
    }
    // Many are one.
    let many: Vec<String> = (0..20)
        .map(|i| format!("S_INTERSECTS(geom, POINT({i} 1))"))
        .collect();
    assert_eq!(boxes(&many.join(" OR ")), Some(vec![[0.0, 1.0, 19.0, 1.0]]));
}

#[test]
fn a_filter_tells_which_values_its_features_must_have() {
    let literal = |text: &str| Literal::Text(text.into());
    for (text, expected) in [
        ("name = 'a'", vec![(0, vec![literal("a")])]),
        (
            "'a' = name AND floors IN (1, 2)",
            vec![
                (0, vec![literal("a")]),
                (1, vec![Literal::Integer(1), Literal::Integer(2)]),
            ],
        ),
        ("name = 'a' OR floors = 1", vec![]),
        ("NOT name = 'a'", vec![]),
        ("name <> 'a' AND floors > 1", vec![]),
        ("CASEI(name) = 'a'", vec![]),
        ("floors = div", vec![]),
        ("floors IN (1, div)", vec![]),
        (
            "date = '2022-04-16'",
            vec![(4, vec![Literal::Date(19_098)])],
        ),
        ("start = DATE('2022-04-16')", vec![]),
        ("TRUE", vec![]),
    ] {
        assert_eq!(bound(text).necessary_equals(), expected, "{text}");
    }
}

/// The name of the geometry that is an ordinary property's too.
#[test]
fn a_property_may_be_named_as_the_geometry() {
    let mut schema = schema();
    schema.properties[0].name = "geom".to_owned();
    let bind = |text: &str| Filter::bind(&parsed(text), &schema).unwrap();
    assert_eq!(bind("geom IS NULL").properties(), [0]);
    assert!(bind("S_INTERSECTS(geom, POINT(1 2))").uses_geometry());
    // A tree may be made by hand, too.
    let tree = Expression::from(Kind::IsNull(Box::new(Kind::Property("nix".into()).into())));
    assert_eq!(
        Filter::bind(&tree, &schema).unwrap_err().to_string(),
        "Filter, condition: there is no property “nix” here."
    );
    let empty = Kind::Geometry(Geometry::MultiPoint(MultiPoint(vec![])));
    assert_eq!(Expression::from(empty).to_text(), "MULTIPOINT EMPTY");
}

/// Longitude and latitude, unless a system was named and the caller has transformed (OGC 19-079r2 /req/filter/filter-crs-param).
#[test]
fn a_geometry_off_the_globe_is_refused() {
    for text in [
        "S_INTERSECTS(geom, POINT(90 180))",
        "S_INTERSECTS(geom, MULTIPOINT((1 2), (181 2)))",
        "S_INTERSECTS(LINESTRING(0 0, 0 -90.1), geom)",
        "S_WITHIN(geom, POLYGON((0 0, 10 0, 10 10, 0 0), (1 1, 2 1, 2 1000000, 1 1)))",
        "NOT S_WITHIN(geom, MULTIPOLYGON(((0 0, 10 0, 10 95, 0 0))))",
        "S_CROSSES(geom, MULTILINESTRING((0 0, 1 1), (0 0, -180.1 1)))",
        "S_INTERSECTS(geom, GEOMETRYCOLLECTION(POINT(1 2), POINT(2 91)))",
        "S_INTERSECTS(geom, BBOX(0, -100, 10, 0))",
        "S_INTERSECTS(geom, BBOX(1000000, 5000000, 1000001, 5000001))",
    ] {
        assert!(
            error(text).contains("off the globe"),
            "{text}: {}",
            error(text)
        );
    }
    for text in [
        "S_INTERSECTS(geom, BBOX(-180, -90, 180, 90))",
        "S_INTERSECTS(geom, POINT(180.00000001 -90.00000001))",
    ] {
        bound(text);
    }
}
