//! The index against a plain list: whatever is loaded, put, removed and asked, both give the same answer.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use model::world::{WorldBuf, WorldKind};
use model::{Bbox, Envelope, Value};
use spatial::index::{Builder, Edit, Error, Snapshot, distance};

/// `splitmix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn between(&mut self, low: i64, high: i64) -> f64 {
        (low + self.below((high - low + 1) as u64) as i64) as f64
    }

    /// On a coarse grid up to both poles and the antimeridian, so that edges often touch and boxes are often equal.
    fn envelope(&mut self) -> Envelope {
        let (w, s) = (self.between(-18, 18), self.between(-9, 9));
        let (e, n) = (
            (w + self.below(4) as f64).min(18.0),
            (s + self.below(3) as f64).min(9.0),
        );
        Envelope {
            min: [w * 10.0, s * 10.0],
            max: [e * 10.0, n * 10.0],
        }
    }

    fn bbox(&mut self) -> Bbox {
        let edges = [self.between(-36, 36) * 5.0, self.between(-36, 36) * 5.0];
        let (a, b) = (self.between(-18, 18) * 5.0, self.between(-18, 18) * 5.0);
        Bbox {
            west: edges[0],
            south: a.min(b),
            east: edges[1],
            north: a.max(b),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    envelope: Option<Envelope>,
    geometries: Vec<WorldBuf>,
    values: Vec<Value>,
}

type List = BTreeMap<i64, Entry>;

const COLUMNS: usize = 3;
const SEARCHABLE: [bool; COLUMNS] = [false, true, false];

fn entry(random: &mut Random) -> Entry {
    let mark = random.below(50) as u32;
    let points = WorldBuf {
        kind: WorldKind::Points,
        coords: vec![[mark, mark]],
        ends: vec![],
    };
    let ring = WorldBuf {
        kind: WorldKind::Polygons,
        coords: (0..4).map(|i| [mark + i % 3, mark * i]).collect(),
        ends: vec![4],
    };
    let (envelope, geometries) = match random.below(10) {
        0 => (None, vec![]),
        1 | 2 => (Some(random.envelope()), vec![points, ring]),
        _ => (Some(random.envelope()), vec![ring]),
    };
    let number = match random.below(3) {
        0 => Value::Null,
        1 => Value::Integer(random.below(5) as i64),
        _ => Value::Real(random.below(300) as f64),
    };
    let name = Value::Text(format!("вул. {}", random.below(40)).into());
    Entry {
        envelope,
        geometries,
        values: vec![number, name, Value::Boolean(mark.is_multiple_of(2))],
    }
}

fn put(fid: i64, entry: &Entry) -> Edit {
    let Entry {
        envelope,
        geometries,
        values,
    } = entry.clone();
    Edit::Put {
        fid,
        envelope,
        geometries,
        values,
    }
}

fn load(list: &List) -> Snapshot {
    let mut builder = Builder::new(COLUMNS, &SEARCHABLE);
    for (fid, entry) in list {
        builder
            .push(*fid, entry.envelope, &entry.geometries, &entry.values)
            .expect("a good feature");
    }
    builder.finish()
}

fn check_search(index: &Snapshot, list: &List, bbox: &Bbox) {
    let boxes: Vec<Envelope> = bbox.envelopes().collect();
    let meets = |e: &Entry| {
        e.envelope
            .is_some_and(|e| boxes.iter().any(|b| b.intersects(&e)))
    };
    let expected: Vec<i64> = list
        .iter()
        .filter(|(_, e)| meets(e))
        .map(|(fid, _)| *fid)
        .collect();
    let mut found: Vec<i64> = index.search_bbox(bbox).map(|hit| hit.fid()).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{bbox:?}");
    assert_eq!(index.count_bbox(bbox), expected.len());
    if let [only] = boxes.as_slice() {
        assert_eq!(index.count(only), expected.len());
    }
}

fn check_nearest(index: &Snapshot, list: &List, point: [f64; 2], n: usize) {
    let mut expected: Vec<(f64, i64)> = list
        .iter()
        .filter_map(|(fid, e)| Some((distance(point, &e.envelope?), *fid)))
        .collect();
    expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let found: Vec<i64> = index
        .nearest(point, n)
        .iter()
        .map(|hit| hit.fid())
        .collect();
    let expected: Vec<i64> = expected.into_iter().take(n).map(|(_, fid)| fid).collect();
    assert_eq!(found, expected, "{point:?}");
}

fn check_text(index: &Snapshot, list: &List, query: u64) {
    let text = query.to_string();
    let is_in = |e: &Entry| matches!(&e.values[1], Value::Text(t) if t.contains(&text));
    let mut expected: Vec<i64> = list
        .iter()
        .filter(|(_, e)| is_in(e))
        .map(|(fid, _)| *fid)
        .collect();
    let mut found: Vec<i64> = index
        .search_text(&text, &[0, 1, 2], usize::MAX)
        .iter()
        .map(|h| h.hit.fid())
        .collect();
    assert!(index.search_text(&text, &[0, 1, 2], 7).len() == found.len().min(7));
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{text}");
}

/// Everything that the index holds.
fn check_all(index: &Snapshot, list: &List) {
    assert_eq!(index.len(), list.len());
    let mut entries = list.iter();
    for hit in index.iter() {
        let (fid, expected) = entries.next().expect("no more features than in the list");
        assert_eq!(hit.fid(), *fid);
        let geometries = hit.geometries().map(|g| WorldBuf {
            kind: g.kind,
            coords: g.coords.into(),
            ends: g.ends.into(),
        });
        let values = (0..COLUMNS).map(|c| hit.value(c).to_value()).collect();
        let found = Entry {
            envelope: hit.envelope(),
            geometries: geometries.collect(),
            values,
        };
        assert_eq!(found, *expected, "{fid}");
    }
    assert!(entries.next().is_none());
    assert_eq!(
        index.extent(),
        list.values()
            .filter_map(|e| e.envelope)
            .reduce(Envelope::union)
    );
}

#[test]
fn every_bulk_load_up_to_two_thousand_finds_what_a_list_finds() {
    let mut random = Random(1);
    let mut list = List::new();
    for n in 1..=2_000_i64 {
        list.insert(n * 3, entry(&mut random));
        let index = load(&list);
        assert_eq!(index.len(), list.len());
        for _ in 0..3 {
            check_search(&index, &list, &random.bbox());
        }
        if n % 100 == 0 {
            check_all(&index, &list);
        }
    }
}

#[test]
fn a_million_random_edits_and_queries_agree_with_a_list() {
    let mut random = Random(2);
    let mut list: List = (0..200).map(|i| (i * 2, entry(&mut random))).collect();
    let mut index = load(&list);
    let (to_reader, from_writer) = mpsc::channel::<(Snapshot, List)>();
    // Old snapshots stay as they were, whatever the writer does meanwhile.
    let reader = thread::spawn(move || {
        let mut random = Random(3);
        for (index, list) in from_writer {
            check_all(&index, &list);
            for _ in 0..20 {
                check_search(&index, &list, &random.bbox());
            }
        }
    });
    for step in 0..1_000_000_u64 {
        let fid = random.below(500) as i64;
        match random.below(20) {
            0..6 => {
                let entry = entry(&mut random);
                index = index.with(&[put(fid, &entry)]).unwrap();
                list.insert(fid, entry);
            }
            6..9 => {
                index = index.with(&[Edit::Remove { fid }]).unwrap();
                list.remove(&fid);
            }
            9 if random.below(50) == 0 => {
                // A batch, with several edits of one feature.
                let mut edits = Vec::new();
                for _ in 0..random.below(60) {
                    let fid = random.below(300) as i64;
                    if random.below(2) == 0 {
                        edits.push(Edit::Remove { fid });
                        list.remove(&fid);
                    } else {
                        let entry = entry(&mut random);
                        edits.push(put(fid, &entry));
                        list.insert(fid, entry);
                    }
                }
                index = index.with(&edits).unwrap();
            }
            9..12 => {
                assert_eq!(index.get(fid).is_some(), list.contains_key(&fid));
                let after: Vec<i64> = list.range(fid + 1..).take(5).map(|(fid, _)| *fid).collect();
                assert_eq!(index.fids_after(fid, 5), after);
            }
            12 => {
                let point = [random.between(-36, 36) * 5.0, random.between(-18, 18) * 5.0];
                check_nearest(&index, &list, point, random.below(8) as usize);
            }
            13 if random.below(10) == 0 => check_text(&index, &list, random.below(45)),
            14 if random.below(100) == 0 => {
                index = index.gathered().unwrap();
                assert_eq!(index.strays(), 0);
                check_all(&index, &list);
            }
            _ => check_search(&index, &list, &random.bbox()),
        }
        assert_eq!(index.len(), list.len());
        if step % 20_000 == 0 {
            check_all(&index, &list);
            to_reader.send((index.clone(), list.clone())).unwrap();
        }
        if step % 100_000 == 99_999 {
            // Down to nothing and up again.
            let all: Vec<Edit> = list.keys().map(|fid| Edit::Remove { fid: *fid }).collect();
            index = index.with(&all).unwrap();
            list.clear();
            check_all(&index, &list);
        }
    }
    check_all(&index, &list);
    drop(to_reader);
    reader.join().unwrap();
}

#[test]
fn envelopes_that_are_not_boxes_are_refused_and_change_nothing() {
    let good = Envelope {
        min: [0.0, 0.0],
        max: [1.0, 1.0],
    };
    let mut builder = Builder::new(0, &[]);
    builder.push(1, Some(good), &[], &[]).unwrap();
    for (i, bad) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
        .into_iter()
        .enumerate()
    {
        for corner in 0..4 {
            let mut numbers = [0.0, 0.0, 1.0, 1.0];
            numbers[corner] = bad;
            let envelope = Envelope {
                min: [numbers[0], numbers[1]],
                max: [numbers[2], numbers[3]],
            };
            let refused = builder.push(2 + i as i64, Some(envelope), &[], &[]);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{envelope:?}");
        }
    }
    let reversed = Envelope {
        min: [1.0, 0.0],
        max: [0.0, 1.0],
    };
    assert!(builder.push(9, Some(reversed), &[], &[]).is_err());
    assert!(
        builder.push(1, Some(good), &[], &[]).is_err(),
        "keys ascend"
    );
    assert!(
        builder.push(9, Some(good), &[], &[Value::Null]).is_err(),
        "one value for no columns"
    );
    let index = builder.finish();
    let edits = [
        Edit::Remove { fid: 1 },
        Edit::Put {
            fid: 5,
            envelope: Some(reversed),
            geometries: vec![],
            values: vec![],
        },
    ];
    assert!(index.with(&edits).is_err());
    assert_eq!(index.len(), 1);
    assert!(
        index
            .search(&Envelope {
                min: [f64::NAN, 0.0],
                max: [1.0, 1.0]
            })
            .next()
            .is_none()
    );
    assert!(index.search(&reversed).next().is_none());
    assert!(index.nearest([f64::NAN, 0.0], 5).is_empty());
    assert_eq!(
        index
            .search(&Envelope {
                min: [f64::NEG_INFINITY; 2],
                max: [f64::INFINITY; 2]
            })
            .count(),
        1
    );
}

#[test]
fn an_empty_index_answers() {
    let index = Builder::new(2, &[true]).finish();
    assert!(index.is_empty());
    assert_eq!(index.extent(), None);
    assert_eq!(index.iter().count(), 0);
    assert!(index.search_text("а", &[0, 1], 5).is_empty());
    let values = vec![Value::Null, Value::Integer(1)];
    let index = index
        .with(&[Edit::Put {
            fid: 7,
            envelope: None,
            geometries: vec![],
            values,
        }])
        .unwrap();
    assert_eq!((index.len(), index.extent()), (1, None));
    assert_eq!(index.get(7).unwrap().value(1).to_value(), Value::Integer(1));
}

#[test]
fn features_are_found_by_a_value_and_a_state_by_its_stamp() {
    let mut random = Random(7);
    let text = |n: u64| Value::Text(format!("{n}").into());
    let mut builder = Builder::new(2, &[]);
    let mut list: BTreeMap<i64, [Value; 2]> = BTreeMap::new();
    for fid in 0..500 {
        let values = [text(fid), Value::Integer(random.below(5) as i64)];
        builder.push(fid as i64, None, &[], &values).unwrap();
        list.insert(fid as i64, values);
    }
    let mut snapshot = builder.finish();
    for _ in 0..200 {
        let fid = random.below(600) as i64;
        let stamp = |snapshot: &Snapshot, fid| snapshot.get(fid).map(|hit| hit.stamp());
        let before: Vec<_> = list.keys().map(|f| (*f, stamp(&snapshot, *f))).collect();
        let edit = if random.below(4) == 0 {
            list.remove(&fid);
            Edit::Remove { fid }
        } else {
            let values = [
                text(random.below(300)),
                Value::Integer(random.below(5) as i64),
            ];
            list.insert(fid, values.clone());
            Edit::Put {
                fid,
                envelope: None,
                geometries: vec![],
                values: values.to_vec(),
            }
        };
        snapshot = snapshot.with(&[edit]).unwrap();
        for (other, was) in before {
            assert_eq!(
                other == fid,
                stamp(&snapshot, other) != was,
                "{other} {fid}"
            );
        }
        for (column, value) in [
            (0, text(random.below(300))),
            (1, Value::Integer(random.below(6) as i64)),
            (1, Value::Real(1.0)),
            (0, Value::Null),
        ] {
            let mut found: Vec<i64> = snapshot
                .equal(column, (&value).into())
                .map(|hit| hit.fid())
                .collect();
            found.sort_unstable();
            let expected: Vec<i64> = list
                .iter()
                .filter(|(_, v)| v[column] == value)
                .map(|(f, _)| *f)
                .collect();
            assert_eq!(found, expected, "{column} {value:?}");
        }
    }
}
