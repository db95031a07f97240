//! Bytes: determinism, layers together, and a decoder that nothing upsets.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tiles::decode::{self, DecodeError, Geometry};
use tiles::{Error, LayerBuilder, TileValue};

use crate::support::{Random, coord, points, polygons, values, world};

fn layer(name: &str) -> Vec<u8> {
    let tile = coord(12, 2329, 1412);
    let mut random = Random(7);
    let mut builder = LayerBuilder::new(tile, name, &["number", "area", "owner"]);
    for id in 0..200 {
        let mut at = || [random.unit() * 2000. + 2000., random.unit() * 2000. + 2000.];
        let ring = (0..7).map(|_| world(tile, at())).collect();
        let number = format!("{id}");
        let row = [
            TileValue::Text(&number),
            TileValue::Real(1.5),
            TileValue::Integer(id % 3),
        ];
        builder.add(
            id.cast_unsigned(),
            polygons(&[(false, ring)]).view(),
            values(&row),
        );
    }
    builder.finish().unwrap()
}

#[test]
fn the_same_features_give_the_same_bytes() {
    assert_eq!(layer("a"), layer("a"));
}

#[test]
fn equal_values_are_stored_once() {
    let tile = tiles::tile(&[layer("a")]).unwrap();
    let decoded = decode::tile(&tile).unwrap();
    // 200 numbers, one area, three owners.
    assert_eq!(decoded.layers[0].values.len(), 204);
    let feature = &decoded.layers[0].features[5];
    assert_eq!(
        decoded.layers[0].property(feature, "number"),
        Some(&decode::Value::Text("5".into()))
    );
    assert_eq!(
        decoded.layers[0].property(feature, "owner"),
        Some(&decode::Value::Int(2))
    );
}

#[test]
fn interned_values_are_the_same_as_named_ones() {
    let tile = coord(12, 2329, 1412);
    let here = points(&[world(tile, [1., 1.])]);
    let build = |interned: bool| {
        let mut builder = LayerBuilder::new(tile, "a", &["x"]);
        let code = if interned {
            TileValue::Interned(builder.intern(TileValue::Text("так")).unwrap())
        } else {
            TileValue::Text("так")
        };
        builder.add(1, here.view(), [(0, code)]);
        builder.add(2, here.view(), [(0, TileValue::Text("так"))]);
        builder.finish().unwrap()
    };
    assert_eq!(build(true), build(false));
}

#[test]
fn layers_of_one_name_are_refused() {
    let (a, b) = (layer("a"), layer("b"));
    assert_eq!(
        decode::tile(&tiles::tile(&[&a, &b]).unwrap())
            .unwrap()
            .layers
            .len(),
        2
    );
    assert_eq!(
        tiles::tile(&[&a, &b, &a]),
        Err(Error::DuplicateLayer("a".into()))
    );
    assert_eq!(tiles::tile(&[&a[..1]]), Err(Error::NotALayer));
    assert_eq!(tiles::tile::<Vec<u8>>(&[]), Ok(Vec::new()));
}

/// A tile with one feature of the given type and commands.
fn raw(kind: u8, commands: &[u32]) -> Result<Geometry, DecodeError> {
    let mut packed = Vec::new();
    for &c in commands {
        let mut c = c;
        while c >= 0x80 {
            packed.push(c.to_le_bytes()[0] | 0x80);
            c >>= 7;
        }
        packed.push(c.to_le_bytes()[0]);
    }
    let message = |tag: u8, content: &[u8]| {
        let mut out = vec![tag, u8::try_from(content.len()).unwrap()];
        out.extend(content);
        out
    };
    let feature = [vec![0x18, kind], message(0x22, &packed)].concat();
    let layer = [vec![0x78, 2], message(0x0a, b"a"), message(0x12, &feature)].concat();
    let tile = decode::tile(&message(0x1a, &layer))?;
    Ok(tile.layers[0].features[0].geometry.clone())
}

/// The examples of MVT 2.1 §4.3.5.
#[test]
fn the_specification_s_examples_decode() {
    assert_eq!(raw(1, &[9, 50, 34]), Ok(Geometry::Points(vec![[25, 17]])));
    assert_eq!(
        raw(1, &[17, 10, 14, 3, 9]),
        Ok(Geometry::Points(vec![[5, 7], [3, 2]]))
    );
    assert_eq!(
        raw(2, &[9, 4, 4, 18, 0, 16, 16, 0, 9, 17, 17, 10, 4, 8]),
        Ok(Geometry::Lines(vec![
            vec![[2, 2], [2, 10], [10, 10]],
            vec![[1, 1], [3, 5]]
        ]))
    );
    assert_eq!(
        raw(3, &[9, 6, 12, 18, 10, 12, 24, 44, 15]),
        Ok(Geometry::Rings(vec![vec![[3, 6], [8, 12], [20, 34]]]))
    );
    let two = [
        9, 0, 0, 26, 20, 0, 0, 20, 19, 0, 15, 9, 22, 2, 26, 18, 0, 0, 18, 17, 0, 15, 9, 4, 13, 26,
        0, 8, 8, 0, 0, 7, 15,
    ];
    let Ok(Geometry::Rings(rings)) = raw(3, &two) else {
        panic!()
    };
    assert_eq!(rings[2], [[13, 13], [13, 17], [17, 17], [17, 13]]);
    let polygons = tiles::check::group(&rings).unwrap();
    assert_eq!(polygons.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn commands_that_break_the_rules_are_refused() {
    use DecodeError::{Command, Coordinate, GeometryType, Parameters};
    let cases: [(u8, &[u32], DecodeError); 14] = [
        (0, &[9, 0, 0], GeometryType),
        (9, &[9, 0, 0], GeometryType),
        (1, &[], Command),
        (1, &[1], Command),
        // A count of 2^29 - 1 with nothing behind it.
        (1, &[u32::MAX - 6, 0, 0], Parameters),
        (1, &[9, 0, 0, 9, 0, 0], Command),
        (2, &[9, 0, 0], Command),
        (2, &[9, 0, 0, 2], Command),
        (2, &[17, 0, 0, 0, 0, 10, 2, 2], Command),
        (2, &[9, 0, 0, 10, 2], Parameters),
        // ClosePath of count 2 and 0, and none; a ring of two vertices.
        (3, &[9, 0, 0, 18, 2, 2, 0, 2, 23], Command),
        (3, &[9, 0, 0, 18, 2, 2, 0, 2], Command),
        (3, &[9, 0, 0, 10, 2, 2, 15], Command),
        (2, &[9, u32::MAX - 1, 0, 10, u32::MAX - 1, 0], Coordinate),
    ];
    for (kind, commands, error) in cases {
        assert_eq!(raw(kind, commands), Err(error), "{kind} {commands:?}");
    }
}

/// A layer message of the given fields.
fn raw_layer(fields: &[&[u8]]) -> Result<decode::Tile, DecodeError> {
    let layer = fields.concat();
    let head = [0x1a, u8::try_from(layer.len()).unwrap()];
    decode::tile(&[&head, &layer[..]].concat())
}

#[test]
fn layers_that_break_the_rules_are_refused() {
    use DecodeError::{MissingField, Tags, Value, Version, WireType};
    let (version, name): (&[u8], &[u8]) = (&[0x78, 2], &[0x0a, 1, b'a']);
    assert!(raw_layer(&[version, name]).is_ok());
    assert_eq!(raw_layer(&[version]), Err(MissingField));
    assert_eq!(raw_layer(&[name]), Err(MissingField));
    assert_eq!(raw_layer(&[&[0x78, 1], name]), Err(Version(1)));
    assert_eq!(raw_layer(&[&[0x7a, 0], name]), Err(WireType));
    assert_eq!(
        raw_layer(&[version, &[0x0a, 1, 0xff]]),
        Err(DecodeError::Utf8)
    );
    // A value without a type, of two types, a double in four bytes.
    assert_eq!(raw_layer(&[version, name, &[0x22, 0]]), Err(Value));
    assert_eq!(
        raw_layer(&[version, name, &[0x22, 4, 0x20, 1, 0x38, 1]]),
        Err(Value)
    );
    assert_eq!(
        raw_layer(&[version, name, &[0x22, 5, 0x1d, 0, 0, 0, 0]]),
        Err(WireType)
    );
    // Tags: odd, and without such a key or value.
    let point = |tags: &[u8]| {
        [
            &[
                0x12,
                7 + u8::try_from(tags.len()).unwrap(),
                0x18,
                1,
                0x22,
                3,
                9,
                0,
                0,
            ][..],
            tags,
        ]
        .concat()
    };
    let (odd, out) = (point(&[0x12, 1, 0]), point(&[0x12, 2, 0, 0]));
    assert_eq!(raw_layer(&[version, name, &odd]), Err(Tags));
    assert_eq!(raw_layer(&[version, name, &out]), Err(Tags));
    assert!(raw_layer(&[version, name, &out, &[0x1a, 1, b'k'], &[0x22, 2, 0x38, 1]]).is_ok());
}

#[test]
fn bytes_that_end_early_are_refused() {
    use DecodeError::{Truncated, Varint, WireType};
    let long = |last: u8| [&[0x1a], &[0xff; 9][..], &[last]].concat();
    assert_eq!(decode::tile(&[0x1a, 5, 0]), Err(Truncated));
    assert_eq!(decode::tile(&[0x1a]), Err(Truncated));
    // A length of 2^64 - 1, and a varint of more than 64 bits.
    assert_eq!(decode::tile(&long(1)), Err(Truncated));
    assert_eq!(decode::tile(&long(2)), Err(Varint));
    assert_eq!(decode::tile(&[0x18, 1]), Err(WireType));
    assert_eq!(decode::tile(&[0x1b]), Err(WireType));
    assert_eq!(decode::tile(&[]), Ok(decode::Tile::default()));
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| tiles::tile(&[layer("a")]).unwrap());

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    /// Damaged tiles are refused or read, never a panic.
    #[test]
    fn damaged_tiles_do_no_harm(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
                                cut in any::<prop::sample::Index>()) {
        let mut tile = WHOLE.clone();
        for (at, byte) in damage {
            let len = tile.len();
            tile[at.index(len)] = byte;
        }
        tile.truncate(cut.index(tile.len()) + 1);
        if let Ok(tile) = decode::tile(&tile) {
            let _ = tiles::check::tile(&tile);
        }
    }

    #[test]
    fn noise_does_no_harm(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::tile(&noise);
    }
}
