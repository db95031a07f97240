use geo_types::{Geometry, MultiPoint, Point, line_string, point, polygon};
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn key(bytes: &[u8]) -> Result<Header, &'static str> {
    check(bytes).map_err(|e| e.message().key())
}

fn written(geometry: &Geometry<f64>) -> Vec<u8> {
    let mut out = Vec::new();
    write(geometry, &mut out);
    out
}

#[test]
fn both_byte_orders_and_all_dimension_codes_are_read() {
    let little = "01 01000000 000000000000F03F 0000000000000040";
    let big = "00 00000001 3FF0000000000000 4000000000000000";
    let iso_z = "01 E9030000 000000000000F03F 0000000000000040 0000000000000840";
    let iso_zm = "01 B90B0000 000000000000F03F 0000000000000040 0000000000000840 0000000000001040";
    let ewkb_z = "01 01000080 000000000000F03F 0000000000000040 0000000000000840";
    let ewkb_srid = "01 01000020 EE180000 000000000000F03F 0000000000000040";
    for text in [little, big, iso_z, iso_zm, ewkb_z, ewkb_srid] {
        let bytes = hex(text);
        assert_eq!(
            read(&bytes).unwrap(),
            point! { x: 1.0, y: 2.0 }.into(),
            "{text}"
        );
        let header = check(&bytes).unwrap();
        assert_eq!(
            header.has_z,
            bytes.len() > 25 || text == ewkb_z || text == iso_z,
            "{text}"
        );
        assert_eq!(header.has_m, text == iso_zm, "{text}");
        assert_eq!(header.vertices, 1);
    }
    let header = check(&hex(ewkb_srid)).unwrap();
    assert_eq!((header.srid, header.extended), (Some(6382), true));
    let mut iso = Vec::new();
    to_iso(&hex(ewkb_z), &mut iso).unwrap();
    assert_eq!(iso, hex(iso_z));
    iso.clear();
    to_iso(&hex(big), &mut iso).unwrap();
    assert_eq!(iso, hex(little));
}

#[test]
fn a_point_of_nan_is_empty_and_other_nan_is_refused() {
    let nan = "000000000000F87F";
    let empty = hex(&format!("01 01000000 {nan} {nan}"));
    let header = check(&empty).unwrap();
    assert!(header.empty && header.envelope.is_none());
    assert_eq!(read(&empty).unwrap(), MultiPoint::<f64>::new(vec![]).into());
    let half = hex(&format!("01 01000000 {nan} 000000000000F03F"));
    assert_eq!(key(&half), Err("formats.coordinate-not-finite"));
    let infinite = hex("01 01000000 000000000000F07F 000000000000F03F");
    assert_eq!(key(&infinite), Err("formats.coordinate-not-finite"));
    let line = hex(&format!("01 02000000 01000000 {nan} {nan}"));
    assert_eq!(key(&line), Err("formats.coordinate-not-finite"));
    let nan_z = hex(&format!(
        "01 E9030000 000000000000F03F 0000000000000040 {nan}"
    ));
    assert_eq!(key(&nan_z), Err("formats.coordinate-not-finite"));
}

#[test]
fn malformed_values_name_what_is_wrong() {
    let deep = hex(&"01 07000000 01000000".repeat(100_000));
    let cases: [(&str, Vec<u8>); 14] = [
        ("formats.wkb-truncated", vec![]),
        ("formats.wkb-byte-order", hex("02 01000000")),
        ("formats.wkb-truncated", hex("01 0100")),
        ("formats.wkb-type", hex("01 63000000")),
        ("formats.wkb-type", hex("01 00000000")),
        ("formats.wkb-type", hex("01 A10F0000")),
        ("formats.curve", hex("01 08000000")),
        ("formats.curve", hex("01 F7030000")),
        // 38 bytes that promise 3 billion points.
        (
            "formats.wkb-count",
            hex(&format!("01 02000000 00CA9AB2 {}", "00".repeat(29))),
        ),
        ("formats.wkb-count", hex("01 03000000 FFFFFFFF")),
        ("formats.wkb-count", hex("01 06000000 01000000 0000")),
        // A line inside a multi point.
        (
            "formats.wkb-part",
            hex("01 04000000 01000000 01 02000000 00000000"),
        ),
        ("formats.wkb-trailing", hex("01 02000000 00000000 00")),
        ("formats.too-deep", deep),
    ];
    for (expected, bytes) in cases {
        assert_eq!(
            key(&bytes),
            Err(expected),
            "{:02X?}",
            &bytes[..bytes.len().min(16)]
        );
        assert!(read(&bytes).is_err());
    }
}

#[test]
fn rings_that_are_open_or_too_short_are_counted() {
    let ring =
        |coords: &str, count: u8| hex(&format!("01 03000000 01000000 {count:02X}000000 {coords}"));
    let at = |n: u8| format!("00000000000000{n:02X} 00000000000000{n:02X} ");
    let closed = ring(&format!("{}{}{}{}", at(0), at(0x40), at(0x41), at(0)), 4);
    let open = ring(&format!("{}{}{}{}", at(0), at(0x40), at(0x41), at(0x42)), 4);
    let short = ring(&format!("{}{}{}", at(0), at(0x40), at(0)), 3);
    for (bytes, expected) in [(closed, 0), (open, 1), (short, 1)] {
        assert_eq!(check(&bytes).unwrap().open_rings, expected);
    }
}

#[test]
fn envelope_and_vertices_are_those_of_all_parts() {
    let polygon = polygon![
        exterior: [(x: 0.0, y: 0.0), (x: 9.0, y: 0.0), (x: 9.0, y: 8.0), (x: 0.0, y: 0.0)],
        interiors: [[(x: 5.0, y: 1.0), (x: 6.0, y: 1.0), (x: 6.0, y: 2.0), (x: 5.0, y: 1.0)]],
    ];
    let header = check(&written(&polygon.into())).unwrap();
    assert_eq!(header.vertices, 8);
    let envelope = header.envelope.unwrap();
    assert_eq!((envelope.min, envelope.max), ([0.0, 0.0], [9.0, 8.0]));
}

fn coordinate() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        -180.0..180.0,
        -1e7..1e7,
        any::<f64>().prop_filter("finite", |x| x.is_finite())
    ]
}

fn geometry() -> impl Strategy<Value = Geometry<f64>> {
    let point = (coordinate(), coordinate()).prop_map(|(x, y)| Point::new(x, y));
    let line = proptest::collection::vec((coordinate(), coordinate()), 0..6)
        .prop_map(|v| v.into_iter().collect::<geo_types::LineString<f64>>());
    let polygon = proptest::collection::vec((coordinate(), coordinate()), 4..7)
        .prop_map(|v| geo_types::Polygon::new(v.into_iter().collect(), vec![]));
    let leaf = prop_oneof![
        point.clone().prop_map(Geometry::from),
        line.clone().prop_map(Geometry::from),
        polygon.clone().prop_map(Geometry::from),
        proptest::collection::vec(point, 0..4).prop_map(|v| MultiPoint::new(v).into()),
        proptest::collection::vec(line, 0..4)
            .prop_map(|v| geo_types::MultiLineString::new(v).into()),
        proptest::collection::vec(polygon, 0..4)
            .prop_map(|v| geo_types::MultiPolygon::new(v).into()),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        proptest::collection::vec(inner, 0..4)
            .prop_map(|v| Geometry::GeometryCollection(geo_types::GeometryCollection::from(v)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_reads_back_the_same(geometry in geometry()) {
        let bytes = written(&geometry);
        prop_assert_eq!(read(&bytes).unwrap(), geometry);
        let mut iso = Vec::new();
        to_iso(&bytes, &mut iso).unwrap();
        prop_assert_eq!(iso, bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(geometry in geometry(), at in 0.0..1.0_f64, flip in 1..=255_u8) {
        let mut bytes = written(&geometry);
        let at = (at * bytes.len() as f64) as usize;
        prop_assert!(check(&bytes[..at]).is_err());
        bytes[at] ^= flip;
        let checked = check(&bytes).is_ok();
        prop_assert_eq!(read(&bytes).is_ok(), checked);
        let mut json = Vec::new();
        let encoded = crate::geojson::write_geometry(&mut json, &bytes).is_ok();
        prop_assert_eq!(encoded, checked);
        if checked {
            serde_json::from_slice::<serde_json::Value>(&json).unwrap();
        }
    }
}

#[test]
fn lines_of_two_points_are_lines() {
    let line = line_string![(x: 1.0, y: 2.0), (x: 3.0, y: 4.0)];
    let drawn = geo_types::Line::new((1.0, 2.0), (3.0, 4.0));
    assert_eq!(written(&drawn.into()), written(&line.into()));
}

#[test]
fn other_x_and_y_leave_the_rest_as_it_is() {
    // MULTIPOINT ZM (1 2 3 4, EMPTY), big-endian.
    let number = |n: f64| n.to_be_bytes();
    let mut bytes = vec![0, 0, 0, 0x0b, 0xbc, 0, 0, 0, 2];
    for values in [[1.0, 2.0, 3.0, 4.0], [f64::NAN; 4]] {
        bytes.extend_from_slice(&[0, 0, 0, 0x0b, 0xb9]);
        values
            .into_iter()
            .for_each(|n| bytes.extend_from_slice(&number(n)));
    }
    assert_eq!(xy(&bytes).unwrap(), [(1.0, 2.0)]);
    let moved = with_xy(&bytes, &[(5.0, 6.0)]).unwrap();
    assert_eq!(xy(&moved).unwrap(), [(5.0, 6.0)]);
    let back = with_xy(&moved, &[(1.0, 2.0)]).unwrap();
    let mut iso = Vec::new();
    to_iso(&bytes, &mut iso).unwrap();
    assert_eq!(back, iso);
    let header = check(&moved).unwrap();
    assert!(header.has_z && header.has_m);
}
