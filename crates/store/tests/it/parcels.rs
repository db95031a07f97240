//! Cadastral operations: what came of which parcel, and a town that stays without gaps and overlaps.

use geo_types::{Geometry, Polygon};
use model::access::{AreaRule, Editing, IdPattern};
use model::{Crs, Theme, Value};
use spatial::parcels::{Parcel, topology};
use store::{
    Cadastral, CadastralOperation, Cause, Error, Expected, Failure, ImportMode, ItemsQuery, Receipt,
};

use crate::support::{Dice, Fixture, collection, feature, key};

/// Squares of the grid on each side.
const SIDE: usize = 6;

/// The storage CRS of the town: metres.
fn crs() -> Crs {
    Crs::epsg(6382)
}

/// Where a corner of the grid lies: not quite where it would be on squared paper.
fn corner(i: usize, j: usize) -> [f64; 2] {
    let (x, y) = (i as f64, j as f64);
    let bend = |a: f64, b: f64| ((a * 12.9898 + b * 78.233).sin() * 43_758.545_3).fract() * 3.0;
    [
        352_300.123 + x * 20.0 + bend(x, y),
        5_420_400.457 + y * 20.0 + bend(y, x),
    ]
}

pub(crate) async fn town() -> Fixture {
    let fixture = Fixture::new().await;
    let mut parcels = Vec::new();
    for i in 0..SIDE {
        for j in 0..SIDE {
            let ring = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1), (i, j)];
            let ring: Vec<String> = ring
                .iter()
                .map(|(i, j)| {
                    let [x, y] = corner(*i, *j);
                    format!("[{x},{y}]")
                })
                .collect();
            let geometry = format!(
                r#"{{"type":"Polygon","coordinates":[[{}]]}}"#,
                ring.join(",")
            );
            let properties = format!(r#""number":"{i}-{j}","owner":"o{i}{j}","area":400.5"#);
            parcels.push(feature(&geometry, &properties));
        }
    }
    let text = collection(&parcels).replacen(
        '{',
        r#"{"crs":{"type":"name","properties":{"name":"EPSG:6382"}},"#,
        1,
    );
    let import = fixture.import(&text, |job| {
        job.id_property = Some("number".to_owned());
        job.settings.theme = Some(Theme::Cadastre);
        job.mode = ImportMode::Create;
    });
    import.await.unwrap();
    fixture.store.load().await.unwrap();
    fixture
}

fn operation(what: Cadastral) -> CadastralOperation {
    CadastralOperation {
        collection: "parcels".to_owned(),
        by: "iryna".into(),
        rules: Editing {
            ids: IdPattern::parse("new-{n}"),
            ..Editing::default()
        },
        what,
        expected: Vec::new(),
        crs: crs(),
    }
}

pub(crate) async fn operate(fixture: &Fixture, what: Cadastral) -> Result<Receipt, Error> {
    let done = fixture
        .store
        .operate(operation(what), Cause::default())
        .await;
    done.map_err(Failure::into_error)
}

async fn all(fixture: &Fixture) -> Vec<(String, Parcel)> {
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let query = ItemsQuery {
        limit: 10_000,
        crs: crs(),
        ..ItemsQuery::default()
    };
    let page = fixture.store.items(&live, &query).await.unwrap();
    page.features
        .into_iter()
        .map(|f| {
            let Value::Text(number) = &f.properties[0] else {
                panic!("{f:?}");
            };
            let geometry = formats::wkb::read(f.geometry.as_ref().unwrap()).unwrap();
            let key = f.fid;
            (number.to_string(), Parcel { key, geometry })
        })
        .collect()
}

async fn parcels(fixture: &Fixture) -> Vec<Parcel> {
    all(fixture).await.into_iter().map(|(_, p)| p).collect()
}

pub(crate) async fn lineage(fixture: &Fixture, id: &str) -> Vec<(String, String, String)> {
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let steps = fixture.store.lineage(&live, id, None).await.unwrap();
    steps
        .unwrap()
        .into_iter()
        .map(|s| (s.kind, s.old_id, s.new_id))
        .collect()
}

fn step(kind: &str, old: &str, new: &str) -> (String, String, String) {
    (kind.to_owned(), old.to_owned(), new.to_owned())
}

/// A line through the middle of a parcel, from west to east.
pub(crate) fn across(i: usize, j: usize) -> Vec<[f64; 2]> {
    let ([a, b], [c, d]) = (corner(i, j), corner(i, j + 1));
    let ([e, f], [g, h]) = (corner(i + 1, j), corner(i + 1, j + 1));
    let west = [(a + c) / 2.0 - 2.0, (b + d) / 2.0];
    let east = [(e + g) / 2.0 + 2.0, (f + h) / 2.0];
    vec![west, east]
}

fn is_whole(before: &[Parcel], after: &[Parcel]) {
    assert_eq!(topology(before, after), []);
    for parcel in after {
        assert_eq!(spatial::validity::check(&parcel.geometry), []);
    }
}

async fn is_clean(fixture: &Fixture) {
    let report = fixture.store.check(true).await.unwrap();
    let texts: Vec<String> = report.findings.iter().map(|f| f.text.to_string()).collect();
    assert_eq!(texts, Vec::<String>::new());
}

#[tokio::test]
async fn a_parcel_is_divided_and_its_neighbours_get_the_points() {
    let fixture = town().await;
    let before = parcels(&fixture).await;
    let split = Cadastral::Split {
        id: "2-2".to_owned(),
        line: across(2, 2),
        pieces: vec![vec![(1, Value::Text("heir a".into()))], Vec::new()],
        keeps: false,
    };
    let receipt = operate(&fixture, split).await.unwrap();
    // One goes, two come, two neighbours get a point each.
    assert_eq!(receipt.written.len(), 5);
    let now = all(&fixture).await;
    let names: Vec<&str> = now.iter().map(|(n, _)| n.as_str()).collect();
    assert!(!names.contains(&"2-2"));
    assert!(names.contains(&"new-1") && names.contains(&"new-2"));
    let after: Vec<Parcel> = now.iter().map(|(_, p)| p.clone()).collect();
    is_whole(&before, &after);
    let sides = |name: &str| {
        let (_, parcel) = now.iter().find(|(n, _)| n == name).unwrap();
        match &parcel.geometry {
            Geometry::Polygon(p) => p.exterior().0.len() - 1,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((sides("1-2"), sides("3-2"), sides("2-1")), (5, 5, 4));
    let expected = [step("split", "2-2", "new-1"), step("split", "2-2", "new-2")];
    assert_eq!(lineage(&fixture, "2-2").await, expected);
    assert_eq!(lineage(&fixture, "new-1").await, expected[..1]);
    let owners = fixture.sql("SELECT owner FROM parcels WHERE number LIKE 'new-%' ORDER BY number");
    assert_eq!(
        owners.split_whitespace().collect::<Vec<_>>(),
        ["heir", "a", "o22"]
    );
    let kind = fixture.sql("SELECT kind FROM hromada_transactions ORDER BY first_seq DESC LIMIT 1");
    assert_eq!(kind.trim(), "split");
    is_clean(&fixture).await;
}

#[tokio::test]
async fn what_was_divided_is_joined_and_its_lineage_goes_both_ways() {
    let fixture = town().await;
    let before = parcels(&fixture).await;
    let split = Cadastral::Split {
        id: "2-2".to_owned(),
        line: across(2, 2),
        pieces: Vec::new(),
        keeps: false,
    };
    operate(&fixture, split).await.unwrap();
    let merge = Cadastral::Merge {
        ids: vec!["new-1".to_owned(), "new-2".to_owned()],
        properties: vec![(0, Value::Text("again".into()))],
        keeps: false,
    };
    operate(&fixture, merge).await.unwrap();
    let renumber = Cadastral::Renumber {
        ids: vec![("again".to_owned(), "last".to_owned())],
    };
    operate(&fixture, renumber).await.unwrap();
    let expected = [
        step("split", "2-2", "new-1"),
        step("split", "2-2", "new-2"),
        step("merge", "new-1", "again"),
        step("merge", "new-2", "again"),
        step("renumber", "again", "last"),
    ];
    for id in ["2-2", "last", "again"] {
        assert_eq!(lineage(&fixture, id).await, expected, "{id}");
    }
    is_whole(&before, &parcels(&fixture).await);
    // The old number still leads to the parcel.
    let live = fixture.store.live().get("parcels").unwrap().clone();
    let versions = fixture.store.versions(&live, "again").await.unwrap();
    assert_eq!(versions.unwrap().all.len(), 2);
    is_clean(&fixture).await;
}

#[tokio::test]
async fn a_point_moves_in_all_parcels_that_have_it_or_in_none() {
    let fixture = town().await;
    let before = parcels(&fixture).await;
    let from = corner(3, 3);
    let to = [from[0] + 1.25, from[1] - 0.75];
    let moved = operate(
        &fixture,
        Cadastral::Move {
            moves: vec![(from, to)],
        },
    )
    .await;
    assert_eq!(moved.unwrap().written.len(), 4);
    let after = parcels(&fixture).await;
    is_whole(&before, &after);
    let has = |parcel: &Parcel, p: [f64; 2]| match &parcel.geometry {
        Geometry::Polygon(g) => g.exterior().0.iter().any(|c| [c.x, c.y] == p),
        _ => false,
    };
    assert_eq!(after.iter().filter(|p| has(p, to)).count(), 4);
    assert!(!after.iter().any(|p| has(p, from)));
    // Over the next corner: the parcels there would be turned over.
    let over = corner(5, 5);
    let refused = operate(
        &fixture,
        Cadastral::Move {
            moves: vec![(to, over)],
        },
    )
    .await;
    assert!(key(&refused.unwrap_err()).starts_with("store.parcels-"));
    assert_eq!(parcels(&fixture).await, after);
    let nothing = Cadastral::Move {
        moves: vec![([from[0] + 5.0, from[1]], to)],
    };
    let refused = operate(&fixture, nothing).await.unwrap_err();
    assert_eq!(key(&refused), "store.parcels-no-vertex");
    is_clean(&fixture).await;
}

#[tokio::test]
async fn a_border_is_corrected_on_both_sides() {
    let fixture = town().await;
    let before = parcels(&fixture).await;
    let (a, b) = (corner(2, 2), corner(2, 3));
    let bend = [(a[0] + b[0]) / 2.0 + 1.5, (a[1] + b[1]) / 2.0];
    let correct = Cadastral::Correct {
        from: vec![a, b],
        to: vec![a, bend, b],
    };
    let done = operate(&fixture, correct).await.unwrap();
    assert_eq!(done.written.len(), 2);
    is_whole(&before, &parcels(&fixture).await);
    is_clean(&fixture).await;
}

/// What is far from the border is not looked at, whatever runs past both: an operation takes a limited number of parcels.
#[tokio::test]
async fn a_street_through_the_whole_town_does_not_bring_the_town_along() {
    const LOTS: usize = 5_100;
    let at = |i: usize, y: f64| format!("[{},{}]", 352_300.5 + i as f64 * 2.0, 5_420_400.5 + y);
    let polygon = |ring: Vec<String>| {
        let ring = ring.join(",");
        format!(r#"{{"type":"Polygon","coordinates":[[{ring}]]}}"#)
    };
    let mut all_of_them: Vec<String> = (0..LOTS)
        .map(|i| {
            let ring = [(i, 0.0), (i + 1, 0.0), (i + 1, 9.0), (i, 9.0), (i, 0.0)];
            let ring = ring.map(|(i, y)| at(i, y)).to_vec();
            feature(&polygon(ring), &format!(r#""number":"lot-{i}""#))
        })
        .collect();
    let mut street = vec![at(0, -9.0), at(LOTS, -9.0)];
    street.extend((0..=LOTS).rev().map(|i| at(i, 0.0)));
    street.push(at(0, -9.0));
    all_of_them.push(feature(&polygon(street), r#""number":"street""#));
    let text = collection(&all_of_them).replacen(
        '{',
        r#"{"crs":{"type":"name","properties":{"name":"EPSG:6382"}},"#,
        1,
    );
    let fixture = Fixture::new().await;
    let import = fixture.import(&text, |job| {
        job.id_property = Some("number".to_owned());
        job.mode = ImportMode::Create;
    });
    import.await.unwrap();
    fixture.store.load().await.unwrap();
    let before = parcels(&fixture).await;
    let corner = [352_300.5 + 14.0, 5_420_400.5];
    let moved = [corner[0] + 0.5, corner[1] - 0.5];
    let moves = vec![(corner, moved)];
    let done = operate(&fixture, Cadastral::Move { moves }).await.unwrap();
    assert_eq!(done.written.len(), 3);
    let back = Cadastral::Correct {
        from: vec![moved, [corner[0] + 2.0, corner[1]]],
        to: vec![
            moved,
            [corner[0] + 1.0, corner[1] - 1.0],
            [corner[0] + 2.0, corner[1]],
        ],
    };
    assert_eq!(operate(&fixture, back).await.unwrap().written.len(), 2);
    is_whole(&before, &parcels(&fixture).await);
}

#[tokio::test]
async fn places_may_be_given_in_longitude_and_latitude() {
    let fixture = town().await;
    let before = parcels(&fixture).await;
    let mut line: Vec<(f64, f64)> = across(1, 1).iter().map(|p| (p[0], p[1])).collect();
    let mut point = [corner(4, 4)].map(|p| (p[0], p[1]));
    spatial::crs::transform(crs(), Crs::CRS84, &mut line).unwrap();
    spatial::crs::transform(crs(), Crs::CRS84, &mut point).unwrap();
    let in_degrees = async |what| {
        let operation = CadastralOperation {
            crs: Crs::CRS84,
            ..operation(what)
        };
        fixture
            .store
            .operate(operation, Cause::default())
            .await
            .unwrap()
    };
    in_degrees(Cadastral::Split {
        id: "1-1".to_owned(),
        line: line.iter().map(|(x, y)| [*x, *y]).collect(),
        pieces: Vec::new(),
        keeps: true,
    })
    .await;
    let from = [point[0].0, point[0].1];
    let to = [from[0] + 1e-5, from[1]];
    let moved = in_degrees(Cadastral::Move {
        moves: vec![(from, to)],
    })
    .await;
    assert_eq!(moved.written.len(), 4, "the corner was recognised");
    is_whole(&before, &parcels(&fixture).await);
}

#[tokio::test]
async fn the_legal_area_is_held_against_the_geometry() {
    let fixture = town().await;
    let split = |areas: [f64; 2]| {
        let piece = |area| vec![(2, Value::Real(area))];
        let mut operation = operation(Cadastral::Split {
            id: "2-2".to_owned(),
            line: across(2, 2),
            pieces: areas.map(piece).to_vec(),
            keeps: false,
        });
        operation.rules.area = Some(AreaRule {
            property: "area".to_owned(),
            tolerance: 0.15,
        });
        operation
    };
    let refused = fixture
        .store
        .operate(split([300.0, 100.0]), Cause::default())
        .await;
    let refused = refused.unwrap_err().into_error();
    assert_eq!(key(&refused), "store.area-differs");
    fixture
        .store
        .operate(split([200.0, 200.0]), Cause::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_legal_area_stays_true_when_a_border_moves() {
    let fixture = town().await;
    let from = corner(3, 3);
    let moved = |by: f64, tolerance: Option<f64>| {
        let to = [from[0] + by, from[1] + by];
        let mut operation = operation(Cadastral::Move {
            moves: vec![(from, to)],
        });
        operation.rules.area = tolerance.map(|tolerance| AreaRule {
            property: "area".to_owned(),
            tolerance,
        });
        fixture.store.operate(operation, Cause::default())
    };
    let refused = moved(8.0, Some(0.2)).await.unwrap_err().into_error();
    assert_eq!(key(&refused), "store.area-differs");
    moved(8.0, None).await.unwrap();
}

#[tokio::test]
async fn a_parcel_that_is_invalid_is_named_as_such() {
    let fixture = town().await;
    let [x, y] = corner(0, 0);
    let bow = [(0.0, 0.0), (9.0, 9.0), (9.0, 0.0), (0.0, 9.0), (0.0, 0.0)];
    let ring = bow.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    let mut wkb = Vec::new();
    let bow = Geometry::Polygon(Polygon::new(ring, Vec::new()));
    formats::wkb::write(&bow, &mut wkb);
    let draft = store::Draft {
        geometry: Some(wkb),
        crs: crs(),
        properties: vec![Value::Null; 3],
    };
    let replaced = fixture
        .store
        .replace("parcels", "0-0", draft, None, "iryna");
    replaced.await.unwrap();
    let split = Cadastral::Split {
        id: "0-0".to_owned(),
        line: across(0, 0),
        pieces: Vec::new(),
        keeps: false,
    };
    let refused = operate(&fixture, split).await.unwrap_err();
    assert_eq!(key(&refused), "store.parcels-invalid");
}

#[tokio::test]
async fn a_condition_is_about_a_parcel_that_changes() {
    let fixture = town().await;
    let from = corner(3, 3);
    let to = [from[0] + 0.5, from[1]];
    let moved = |id: &str| {
        let mut operation = operation(Cadastral::Move {
            moves: vec![(from, to)],
        });
        operation.expected = vec![(id.to_owned(), Expected::Anything)];
        fixture.store.operate(operation, Cause::default())
    };
    let refused = moved("5-5").await.unwrap_err().into_error();
    assert_eq!(key(&refused), "store.condition-unmet");
    moved("3-3").await.unwrap();
}

#[tokio::test]
async fn an_operation_holds_for_the_state_that_it_was_meant_for() {
    let fixture = town().await;
    let mut operation = operation(Cadastral::Merge {
        ids: vec!["1-1".to_owned(), "1-2".to_owned()],
        properties: Vec::new(),
        keeps: true,
    });
    operation.expected = vec![("1-2".to_owned(), Expected::Version(model::ChangeSeq(9_999)))];
    let refused = fixture.store.operate(operation, Cause::default()).await;
    assert_eq!(
        key(&refused.unwrap_err().into_error()),
        "store.version-changed"
    );
    let apart = Cadastral::Merge {
        ids: vec!["1-1".to_owned(), "4-4".to_owned()],
        properties: Vec::new(),
        keeps: true,
    };
    let refused = operate(&fixture, apart).await.unwrap_err();
    assert_eq!(key(&refused), "store.parcels-apart");
    assert_eq!(parcels(&fixture).await.len(), SIDE * SIDE);
}

fn ring(parcel: &Parcel) -> Vec<[f64; 2]> {
    let shell = |p: &Polygon<f64>| p.exterior().0.iter().map(|c| [c.x, c.y]).collect();
    match &parcel.geometry {
        Geometry::Polygon(p) => shell(p),
        Geometry::MultiPolygon(m) => shell(&m.0[0]),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn random_operations_leave_no_gap_and_no_overlap() {
    let fixture = town().await;
    let before = parcels(&fixture).await;
    let mut dice = Dice(11);
    let mut done = [0; 4];
    for _ in 0..120 {
        let now = all(&fixture).await;
        let (id, parcel) = &now[dice.below(now.len())];
        let ring = ring(parcel);
        let at = dice.below(ring.len() - 1);
        let (a, b) = (ring[at], ring[at + 1]);
        let kind = dice.below(4);
        let what = match kind {
            0 => {
                let other = dice.below(ring.len() - 1);
                let (c, d) = (ring[other], ring[other + 1]);
                let (s, t) = (dice.part(), dice.part());
                let mix = |p: [f64; 2], q: [f64; 2], t: f64| {
                    [p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t]
                };
                let (from, to) = (mix(a, b, s), mix(c, d, t));
                // A little beyond both ends.
                Cadastral::Split {
                    id: id.clone(),
                    line: vec![mix(from, to, -0.1), mix(from, to, 1.1)],
                    pieces: Vec::new(),
                    keeps: dice.below(2) == 0,
                }
            }
            1 => {
                let beside = now.iter().find(|(n, p)| {
                    let theirs = self::ring(p);
                    n != id && theirs.windows(2).any(|w| w[0] == b && w[1] == a)
                });
                let Some((other, _)) = beside else { continue };
                Cadastral::Merge {
                    ids: vec![id.clone(), other.clone()],
                    properties: Vec::new(),
                    keeps: dice.below(2) == 0,
                }
            }
            2 => {
                let to = [
                    a[0] + dice.part() * 2.0 - 1.0,
                    a[1] + dice.part() * 2.0 - 1.0,
                ];
                Cadastral::Move {
                    moves: vec![(a, to)],
                }
            }
            _ => {
                let bend = [
                    (a[0] + b[0]) / 2.0 + dice.part() - 0.5,
                    (a[1] + b[1]) / 2.0 + dice.part() - 0.5,
                ];
                Cadastral::Correct {
                    from: vec![a, b],
                    to: vec![a, bend, b],
                }
            }
        };
        match operate(&fixture, what).await {
            Ok(_) => done[kind] += 1,
            Err(error) => assert!(key(&error).starts_with("store.parcels-"), "{error}"),
        }
    }
    assert!(done.iter().all(|n| *n > 10), "{done:?}");
    is_whole(&before, &parcels(&fixture).await);
    is_clean(&fixture).await;
}
