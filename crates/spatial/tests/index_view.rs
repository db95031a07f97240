//! A reader's view of an index answers as an index that never had what the reader may not see.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::world::{WorldBuf, WorldKind};
use model::{Bbox, Envelope, Value};
use proptest::prelude::*;
use spatial::index::{Builder, Edit, Guess, Hit, Place, Snapshot, ValueRef, View};

/// Who sees it, an address, a note that is not seen, a number.
const COLUMNS: usize = 4;
const SEARCHABLE: [bool; COLUMNS] = [false, true, true, true];
const SEEN: [bool; COLUMNS] = [true, true, false, true];
const ALL: [usize; COLUMNS] = [0, 1, 2, 3];

#[derive(Debug, Clone)]
struct Entry {
    envelope: Option<Envelope>,
    geometries: Vec<WorldBuf>,
    values: Vec<Value>,
}

type List = BTreeMap<i64, Entry>;

#[derive(Debug, Clone)]
enum Step {
    Put(i64, Entry),
    Remove(i64),
    /// Taken together with the step before.
    And(i64, Entry),
}

fn envelope() -> impl Strategy<Value = Option<Envelope>> {
    let corners = (-18_i32..17, -9_i32..8, 0_i32..3, 0_i32..3);
    prop::option::weighted(0.9, corners).prop_map(|corners| {
        corners.map(|(w, s, x, y)| Envelope {
            min: [f64::from(w) * 10.0, f64::from(s) * 10.0],
            max: [
                f64::from((w + x).min(18)) * 10.0,
                f64::from((s + y).min(9)) * 10.0,
            ],
        })
    })
}

fn name() -> impl Strategy<Value = String> {
    let street = prop::sample::select(vec![
        "вул. Бандери",
        "вул Бандери",
        "ВУЛИЦЯ Бандери",
        "вул. Бандури",
        "пл. Ринок",
        "Ринок",
        "Мала Бандери вул.",
        "Надбандери",
    ]);
    let number = prop::option::of(1..4_u32);
    (street, number).prop_map(|(street, number)| match number {
        Some(number) => format!("{street}, {number}"),
        None => street.to_owned(),
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    (envelope(), 0..3_i64, name(), name(), 0..30_i64, any::<u8>()).prop_map(
        |(envelope, who, address, note, number, mark)| Entry {
            envelope,
            geometries: match envelope {
                Some(_) => vec![points(u32::from(mark)), ring(u32::from(mark))],
                None => vec![],
            },
            values: vec![
                Value::Integer(who),
                Value::Text(address.into()),
                Value::Text(note.into()),
                Value::Integer(number),
            ],
        },
    )
}

fn points(at: u32) -> WorldBuf {
    WorldBuf {
        kind: WorldKind::Points,
        coords: vec![[at, at]],
        ends: vec![],
    }
}

fn ring(at: u32) -> WorldBuf {
    WorldBuf {
        kind: WorldKind::Polygons,
        coords: (0..4).map(|i| [at + i % 3, at * i]).collect(),
        ends: vec![4],
    }
}

fn step() -> impl Strategy<Value = Step> {
    let fid = 0..60_i64;
    prop_oneof![
        3 => (fid.clone(), entry()).prop_map(|(fid, entry)| Step::Put(fid, entry)),
        2 => fid.clone().prop_map(Step::Remove),
        2 => (fid, entry()).prop_map(|(fid, entry)| Step::And(fid, entry)),
    ]
}

/// A reader sees what is theirs and what is everybody's.
fn sees(values: &[Value], who: i64) -> bool {
    matches!(&values[0], Value::Integer(n) if *n == who || *n == 2)
}

/// Centres of cells, which hide where a thing is exactly; some lose their place altogether.
fn coarse(envelope: Option<Envelope>, fid: i64) -> (Option<Envelope>, Vec<WorldBuf>) {
    let Some(envelope) = envelope.filter(|_| fid % 7 != 0) else {
        return (None, vec![]);
    };
    let at = envelope.min.map(|x| (x / 40.0).round() * 40.0);
    (
        Some(Envelope { min: at, max: at }),
        vec![points(fid as u32)],
    )
}

fn view(who: i64, is_coarse: bool) -> View {
    let sees =
        move |hit: &Hit<'_>| matches!(hit.value(0), ValueRef::Integer(n) if n == who || n == 2);
    let place: Place = Box::new(|hit| coarse(hit.envelope(), hit.fid()));
    View::new(&SEEN, sees, is_coarse.then_some(place))
}

fn load<'a>(entries: impl Iterator<Item = (&'a i64, &'a Entry)>) -> Snapshot {
    let mut builder = Builder::new(COLUMNS, &SEARCHABLE);
    for (fid, entry) in entries {
        builder
            .push(*fid, entry.envelope, &entry.geometries, &entry.values)
            .expect("a good feature");
    }
    builder.finish()
}

/// An index of what the reader sees, and of nothing else.
fn rebuilt(list: &List, who: i64, is_coarse: bool) -> Snapshot {
    let seen: List = list
        .iter()
        .filter(|(_, entry)| sees(&entry.values, who))
        .map(|(fid, entry)| {
            let mut entry = entry.clone();
            if is_coarse {
                (entry.envelope, entry.geometries) = coarse(entry.envelope, *fid);
            }
            for (value, _) in entry.values.iter_mut().zip(SEEN).filter(|(_, seen)| !seen) {
                *value = Value::Null;
            }
            (*fid, entry)
        })
        .collect();
    load(seen.iter())
}

fn shown(hit: &Hit<'_>) -> String {
    let values: Vec<Value> = ALL.iter().map(|c| hit.value(*c).to_value()).collect();
    let geometries: Vec<_> = hit.geometries().collect();
    format!(
        "{} {:?} {values:?} {geometries:?}",
        hit.fid(),
        hit.envelope()
    )
}

const QUERIES: [&str; 9] = [
    "бандери",
    "вул бандери",
    "бандери 2",
    "ринок",
    "1",
    "2",
    "б",
    "банд вул",
    "мала",
];

const GUESSED: [(&str, Guess); 5] = [
    ("бондери 2", Guess::Spelling),
    ("рінок", Guess::Spelling),
    ("бандере", Guess::Spelling),
    ("bandery", Guess::Transliteration),
    ("rynok 1", Guess::Transliteration),
];

/// All that can be asked, written down.
fn answers(index: &Snapshot) -> String {
    let mut out = String::new();
    let mut say = |what: &str, answer: &dyn std::fmt::Debug| {
        writeln!(out, "{what}: {answer:?}").expect("a string takes everything");
    };
    say("len", &(index.len(), index.is_empty(), index.columns()));
    say("extent", &index.extent());
    say("all", &index.iter().map(|h| shown(&h)).collect::<Vec<_>>());
    for fid in [-1, 0, 7, 30, 59, 60] {
        say("get", &index.get(fid).map(|hit| shown(&hit)));
        say("after", &index.fids_after(fid, 3));
    }
    for (west, east) in [
        (-180.0, 180.0),
        (-40.0, 10.0),
        (150.0, -150.0),
        (20.0, 20.0),
    ] {
        for (south, north) in [(-90.0, 90.0), (-20.0, 0.0), (10.0, 50.0)] {
            let bbox = Bbox {
                west,
                south,
                east,
                north,
            };
            let mut found: Vec<i64> = index.search_bbox(&bbox).map(|h| h.fid()).collect();
            found.sort_unstable();
            say("bbox", &(index.count_bbox(&bbox), found));
            let boxes = bbox.envelopes();
            say("count", &boxes.map(|e| index.count(&e)).collect::<Vec<_>>());
        }
        let near = index.nearest([west, 25.0], 9);
        say("nearest", &near.iter().map(Hit::fid).collect::<Vec<_>>());
    }
    for query in QUERIES {
        for limit in [1, 3, 10, 1_000] {
            let found = index.search_text(query, &ALL, limit);
            let found: Vec<_> = found
                .iter()
                .map(|h| (h.hit.fid(), h.column, h.rank))
                .collect();
            say(query, &(limit, found));
        }
    }
    for (query, guess) in GUESSED {
        for budget in [0, 1, 2, 5, 9, 14, 1_000] {
            let mut rest = budget;
            let found = index.guesses(query, guess, &ALL, &mut rest);
            let found: BTreeMap<String, usize> = found.into_iter().collect();
            say(query, &(budget, rest, found));
        }
    }
    out
}

fn apply(list: &mut List, edits: &[Edit]) {
    for edit in edits {
        match edit.clone() {
            Edit::Remove { fid } => list.remove(&fid),
            Edit::Put {
                fid,
                envelope,
                geometries,
                values,
            } => list.insert(
                fid,
                Entry {
                    envelope,
                    geometries,
                    values,
                },
            ),
        };
    }
}

fn put(fid: i64, entry: Entry) -> Edit {
    Edit::Put {
        fid,
        envelope: entry.envelope,
        geometries: entry.geometries,
        values: entry.values,
    }
}

/// Steps as the edits that are made at once.
fn batches(steps: Vec<Step>) -> Vec<Vec<Edit>> {
    let mut batches: Vec<Vec<Edit>> = Vec::new();
    for step in steps {
        match step {
            Step::And(fid, entry) if !batches.is_empty() => {
                let last = batches.last_mut().expect("it is not empty");
                last.push(put(fid, entry));
            }
            Step::Put(fid, entry) | Step::And(fid, entry) => batches.push(vec![put(fid, entry)]),
            Step::Remove(fid) => batches.push(vec![Edit::Remove { fid }]),
        }
    }
    batches
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_view_is_an_index_of_what_is_seen(
        mut list in prop::collection::btree_map(0..60_i64, entry(), 0..50),
        steps in prop::collection::vec(step(), 0..25),
        is_coarse in any::<bool>(),
    ) {
        let mut index = load(list.iter());
        let views = [view(0, is_coarse), view(1, is_coarse)];
        let mut older = Vec::new();
        for (at, edits) in std::iter::once(vec![]).chain(batches(steps)).enumerate() {
            let aside = index.aside(&edits).expect("good edits");
            index = index.with(&edits).expect("good edits");
            if at % 4 == 2 {
                index = index.gathered().expect("good features");
            }
            apply(&mut list, &edits);
            for (who, view) in (0..).zip(&views) {
                // The other reader looks at each third snapshot only.
                if who == 0 || at % 3 == 0 {
                    let expected = answers(&rebuilt(&list, who, is_coarse));
                    prop_assert_eq!(answers(&view.of(&aside)), expected.clone());
                    prop_assert_eq!(answers(&view.of(&index)), expected.clone());
                    older.push((aside.clone(), who, expected.clone()));
                    older.push((index.clone(), who, expected));
                }
            }
        }
        // Readers of older snapshots see what they saw, whatever the views met since.
        for (index, who, expected) in older {
            prop_assert_eq!(answers(&views[who as usize].of(&index)), expected);
        }
    }
}

/// Many values match, of which most are not seen: that must change neither which are found nor their order.
#[test]
fn what_is_not_seen_takes_no_place_among_many_values() {
    let mut list = List::new();
    let text = |fid: i64| format!("б{} вул {}", (fid * 7_919) % 9_973, fid % 3);
    for fid in 0..24_000 {
        // Values come twice; often a reader sees only the later one.
        let value = Value::Text(text(fid / 2).into());
        let values = vec![
            Value::Integer((fid * 31 % 17) % 5),
            value,
            Value::Null,
            Value::Integer(fid),
        ];
        list.insert(
            fid,
            Entry {
                envelope: None,
                geometries: vec![],
                values,
            },
        );
    }
    let ask = |index: &Snapshot| {
        let mut out = Vec::new();
        for query in ["б", "вул", "1", "б1", "вул б1", "2 вул", "б77 вул 1", "12"] {
            for limit in [1, 20, 700, usize::MAX] {
                let found = index.search_text(query, &ALL, limit);
                let found: Vec<_> = found.iter().map(|h| (h.hit.fid(), h.rank)).collect();
                out.push((query, limit, found));
            }
        }
        let mut budget = 9_000;
        let guessed = index.guesses("вуля б77", Guess::Spelling, &ALL, &mut budget);
        (out, guessed, budget)
    };
    let mut index = load(list.iter());
    // What 7 sees are few enough values to be put in order, of many more.
    let views = [0, 7].map(|who| (who, view(who, false)));
    for round in 0..3_i64 {
        for (who, view) in &views {
            let expected = ask(&rebuilt(&list, *who, false));
            let found = ask(&view.of(&index));
            for (found, expected) in found.0.iter().zip(&expected.0) {
                let (query, limit, _) = found;
                assert!(found == expected, "{query} {limit} in round {round}");
            }
            assert_eq!((found.1, found.2), (expected.1, expected.2));
        }
        // The next round has parts of several sizes.
        for size in [5_000, 900, 40, 1] {
            let edits: Vec<Edit> = (0..size)
                .map(|i| {
                    let fid = (i * 13 + round * 7) % 24_000;
                    let mut entry = list[&fid].clone();
                    entry.values[0] = Value::Integer(i % 4);
                    put(fid, entry)
                })
                .collect();
            index = index.with(&edits).expect("good edits");
            apply(&mut list, &edits);
        }
    }
}

#[test]
fn threads_that_ask_at_once_see_the_same() {
    let list: List = (0..2_000)
        .map(|fid| {
            let values = vec![
                Value::Integer(fid % 3),
                Value::Text("Ринок".into()),
                Value::Null,
                Value::Null,
            ];
            (
                fid,
                Entry {
                    envelope: None,
                    geometries: vec![],
                    values,
                },
            )
        })
        .collect();
    let view = view(0, true);
    let mut index = load(list.iter());
    for fid in 0..50 {
        index = index.with(&[Edit::Remove { fid }]).expect("a good edit");
        let expected = list.range(fid + 1..).filter(|(_, e)| sees(&e.values, 0));
        let expected = expected.count();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(view.of(&index).iter().count(), expected));
            }
        });
    }
}

#[test]
fn a_place_that_is_no_envelope_is_none() {
    let values = vec![
        Value::Integer(0),
        Value::Null,
        Value::Null,
        Value::Integer(5),
    ];
    let mut builder = Builder::new(COLUMNS, &SEARCHABLE);
    builder.push(1, None, &[], &values).expect("a good feature");
    let wrong: Place = Box::new(|_| {
        let envelope = Envelope {
            min: [f64::NAN, 0.0],
            max: [1.0, 1.0],
        };
        (Some(envelope), vec![points(1)])
    });
    let seen = View::new(&SEEN, |_| true, Some(wrong)).of(&builder.finish());
    let hit = seen.get(1).expect("it is seen");
    assert!(hit.envelope().is_none() && hit.geometries().next().is_none());
    assert_eq!(hit.value(3), ValueRef::Integer(5));
}

#[test]
fn a_value_in_two_segments_counts_once() {
    let entry = |fid: i64| {
        let number = fid * 7_919 % 3_000;
        let text = Value::Text(format!("б {number}").into());
        Entry {
            envelope: None,
            geometries: vec![],
            values: vec![Value::Integer(0), text, Value::Null, Value::Null],
        }
    };
    let mut list: List = (0..9_000).map(|fid| (fid, entry(fid))).collect();
    let index = load(list.iter());
    let edits: Vec<Edit> = (9_000..12_000).map(|fid| put(fid, entry(fid))).collect();
    let index = index.with(&edits).expect("good edits");
    apply(&mut list, &edits);
    let found = |index: &Snapshot| -> Vec<i64> {
        let hits = index.search_text("б", &ALL, 20);
        hits.iter().map(|h| h.hit.fid()).collect()
    };
    let rebuilt = rebuilt(&list, 0, false);
    assert_eq!(found(&view(0, false).of(&index)), found(&rebuilt));
    assert_eq!(found(&index), found(&rebuilt));
}

#[test]
fn another_moment_is_looked_at_once_and_takes_nothing_from_now() {
    const MANY: i64 = 1_000;
    static LOOKED: AtomicUsize = AtomicUsize::new(0);
    let at = |fid: i64| Edit::Put {
        fid,
        envelope: None,
        geometries: Vec::new(),
        values: vec![Value::Integer(fid)],
    };
    let mut builder = Builder::new(1, &[false]);
    for fid in 0..MANY {
        builder.push(fid, None, &[], &[Value::Integer(0)]).unwrap();
    }
    let now = builder.finish();
    let view = View::new(
        &[true],
        |_| {
            LOOKED.fetch_add(1, Ordering::Relaxed);
            true
        },
        None,
    );
    let looked = |snapshot: &Snapshot| {
        let before = LOOKED.load(Ordering::Relaxed);
        assert_eq!(view.of(snapshot).len(), snapshot.len());
        LOOKED.load(Ordering::Relaxed) - before
    };
    assert_eq!(looked(&now), 1_000);
    // More than a next snapshot would have beside its greatest part.
    let edits: Vec<Edit> = (0..MANY / 4).map(at).collect();
    let then = now.aside(&edits).unwrap();
    assert_eq!(then.beside(&now), 250);
    assert_eq!(now.with(&edits).unwrap().beside(&now), 1_000);
    assert_eq!((looked(&then), looked(&then)), (250, 0));
    let all: Vec<Edit> = (0..MANY).map(at).collect();
    let long_ago = now.aside(&all).unwrap();
    assert_eq!(looked(&long_ago), 1_000);
    assert_eq!(looked(&now), 0);
    let next = now.with(&[at(7)]).unwrap();
    assert_eq!((looked(&long_ago), looked(&next), looked(&now)), (0, 1, 0));
}
