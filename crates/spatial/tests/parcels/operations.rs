//! Many random operations on a town.

use geo::{Area, BoundingRect, Rect};
use geo_types::{Coord, Geometry, LineString};
use spatial::parcels::{
    MergeOptions, Parcel, PartsOfMerged, correct, merge, move_points, split, topology,
};
use spatial::validity::check;
use std::collections::HashMap;

use super::common::rings;
use super::town::{Borders, Town};

const OPERATIONS: usize = 2_000;

#[derive(Default, Debug)]
struct Tally {
    tried: usize,
    done: usize,
}

impl Town {
    /// By a line of three points across one of its parts, or a triangle in it.
    fn split(&mut self) -> bool {
        let parcel = self.pick();
        let all = rings(&parcel.geometry);
        let rect = all[self.random.below(all.len())]
            .bounding_rect()
            .expect("it has points");
        let middle = rect.center();
        let turn = self.random.next() * std::f64::consts::PI;
        let reach = 1.5 * rect.width().max(rect.height());
        let way = Coord {
            x: turn.cos(),
            y: turn.sin(),
        } * reach;
        let bend = Coord {
            x: self.random.around(),
            y: self.random.around(),
        } * (reach * 0.05);
        let line = match self.random.below(8) {
            0 => {
                let around = [1.0, 0.2, -0.7].map(|turn: f64| {
                    let (sin, cos) = (turn * 3.0).sin_cos();
                    middle + bend + Coord { x: cos, y: sin } * (reach * 0.1)
                });
                LineString(vec![around[0], around[1], around[2], around[0]])
            }
            _ => LineString(vec![middle - way, middle + bend, middle + way]),
        };
        let Ok(found) = split(&parcel, &line, &self.beside(&parcel), self.tolerance) else {
            return false;
        };
        self.parcels.remove(&parcel.key);
        self.put(found.neighbours);
        for p in found.pieces.into_iter().chain(found.rest) {
            self.add(Geometry::Polygon(p));
        }
        true
    }

    /// With one beside it that shares an edge, or, now and then, anything in its box.
    fn merge(&mut self) -> bool {
        let parcel = self.pick();
        let beside = self.beside(&parcel);
        let own: Vec<_> = rings(&parcel.geometry);
        let n = beside.len();
        if n == 0 {
            return false;
        }
        let from = self.random.below(n);
        let shares = |other: &Parcel| {
            rings(&other.geometry).iter().any(|r| {
                r.lines().any(|l| {
                    own.iter()
                        .any(|o| o.lines().any(|m| m.start == l.end && m.end == l.start))
                })
            })
        };
        let other = (0..n)
            .map(|i| &beside[(from + i) % n])
            .find(|p| shares(p))
            .unwrap_or(&beside[from])
            .clone();
        // Parcels must not grow without end.
        if parcel.geometry.unsigned_area() + other.geometry.unsigned_area()
            > 4.0 * self.unit * self.unit
        {
            return false;
        }
        let mut around = self.beside(&parcel);
        around.extend(
            self.beside(&other)
                .into_iter()
                .filter(|p| p.key != parcel.key),
        );
        around.retain(|p| p.key != other.key);
        around.sort_by_key(|p| p.key);
        around.dedup_by_key(|p| p.key);
        let options = MergeOptions {
            tolerance: self.tolerance,
            max_gap_width: self.unit * 1e-3,
            parts: PartsOfMerged::Several,
        };
        let Ok(found) = merge(&[parcel.clone(), other.clone()], &around, &options) else {
            return false;
        };
        self.parcels.remove(&parcel.key);
        self.parcels.remove(&other.key);
        self.put(found.neighbours);
        self.add(found.geometry);
        true
    }

    /// One that another parcel has too.
    fn shared_edge(&mut self) -> Option<([Coord<f64>; 2], Vec<Parcel>)> {
        let parcel = self.pick();
        let all = rings(&parcel.geometry);
        let ring = &all[self.random.below(all.len())];
        let i = self.random.below(ring.0.len() - 1);
        let edge = [ring.0[i], ring.0[i + 1]];
        let margin = Coord {
            x: self.unit,
            y: self.unit,
        };
        let around = self.near(Rect::new(edge[0] - margin, edge[0] + margin), &[]);
        let there = around.iter().filter(|p| {
            rings(&p.geometry)
                .iter()
                .any(|r| r.lines().any(|l| l.start == edge[1] && l.end == edge[0]))
        });
        (there.count() > 0).then_some((edge, around))
    }

    fn small(&mut self, edge: [Coord<f64>; 2]) -> Coord<f64> {
        let d = edge[1] - edge[0];
        let size = 0.1 * d.x.hypot(d.y);
        Coord {
            x: self.random.around(),
            y: self.random.around(),
        } * size
    }

    fn move_point(&mut self) -> Option<bool> {
        let (edge, around) = self.shared_edge()?;
        // The town's outer border stays, so that its area can be compared.
        if self.is_outer(edge[0]) {
            return None;
        }
        let to = edge[0] + self.small(edge);
        let moves = [([edge[0].x, edge[0].y], [to.x, to.y])];
        let found = move_points(&moves, &around, self.tolerance);
        Some(found.map(|changed| self.put(changed)).is_ok())
    }

    fn correct(&mut self) -> Option<bool> {
        let (edge, around) = self.shared_edge()?;
        let middle = (edge[0] + edge[1]) / 2.0 + self.small(edge);
        let from = LineString(edge.to_vec());
        let to = LineString(vec![edge[0], middle, edge[1]]);
        let found = correct(&from, &to, &around, self.tolerance);
        Some(found.map(|changed| self.put(changed)).is_ok())
    }
}

/// The town afterwards: valid and as large as before. A third of each kind of operation at least has to have been done.
fn worked(mut town: Town) -> Town {
    let area = town.area();
    let mut tallies: [Tally; 4] = Default::default();
    for i in 0..OPERATIONS {
        let done = match i % 4 {
            0 => Some(town.split()),
            1 => Some(town.merge()),
            2 => town.move_point(),
            _ => town.correct(),
        };
        let tally = &mut tallies[i % 4];
        tally.tried += 1;
        tally.done += usize::from(done == Some(true));
    }
    for (tally, what) in tallies.iter().zip(["split", "merge", "move", "correct"]) {
        assert!(tally.done * 3 >= tally.tried, "{what}: {tally:?}");
    }
    for (key, geometry) in &town.parcels {
        assert_eq!(check(geometry), [], "parcel {key}");
    }
    // The slivers of ragged borders go.
    let margin = match town.borders {
        Borders::Equal => 1e-9,
        Borders::Ragged => 1e-6,
    };
    assert!((town.area() / area - 1.0).abs() < margin);
    town
}

/// Nothing but one ring is left of the town's edges when opposite ones cancel out, and it has the vertices of the
/// beginning.
fn assert_closed(town: &Town, corners: &[[[u64; 2]; 2]]) {
    let outer = town.outer();
    let next: HashMap<_, _> = outer.iter().map(|e| (e[0], e[1])).collect();
    assert_eq!(next.len(), outer.len());
    assert!(corners.iter().all(|e| next.contains_key(&e[0])));
    let mut at = outer[0][0];
    for _ in 0..outer.len() - 1 {
        at = next[&at];
        assert_ne!(at, outer[0][0], "there is a gap");
    }
    assert_eq!(next[&at], outer[0][0]);
}

fn in_metres(borders: Borders, seed: u64) -> Town {
    let origin = Coord {
        x: 4_300_000.123,
        y: 5_420_230.456,
    };
    Town::new(origin, 25.0, seed, borders)
}

fn in_degrees(borders: Borders, seed: u64) -> Town {
    Town::new(Coord { x: 24.7, y: 48.9 }, 0.0003, seed, borders)
}

#[test]
fn two_thousand_operations_in_metres_leave_neither_gap_nor_overlap() {
    let town = in_metres(Borders::Equal, 20_260_101);
    let corners = town.outer();
    assert_closed(&worked(town), &corners);
}

#[test]
fn two_thousand_operations_in_degrees_leave_neither_gap_nor_overlap() {
    let town = in_degrees(Borders::Equal, 7);
    let corners = town.outer();
    assert_closed(&worked(town), &corners);
}

#[test]
fn without_a_tolerance_two_thousand_operations_leave_neither_gap_nor_overlap() {
    let mut town = in_metres(Borders::Equal, 3);
    town.tolerance = 0.0;
    let corners = town.outer();
    assert_closed(&worked(town), &corners);
}

#[test]
fn where_borders_did_not_fit_operations_make_it_no_worse() {
    for town in [
        in_metres(Borders::Ragged, 1),
        in_degrees(Borders::Ragged, 2),
    ] {
        let before = town.all();
        let after = worked(town).all();
        assert_eq!(topology(&before, &after), []);
    }
}
