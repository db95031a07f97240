//! Which ring of a Shapefile polygon is a hole of which other.
//!
//! Shapefiles tell roles by winding only: outer rings go clockwise, holes counter-clockwise (Technical Description, p. 8).

use model::Message;

/// Steps of point-in-ring tests for one shape: more than any honest shape needs, less than a second of work.
const MAX_WORK: usize = 200_000_000;

/// A ring with what decides its role.
pub(super) struct Ring<'a> {
    pub(super) points: &'a [[f64; 2]],
    min: [f64; 2],
    max: [f64; 2],
    clockwise: bool,
}

impl<'a> Ring<'a> {
    pub(super) fn new(points: &'a [[f64; 2]]) -> Self {
        let (mut min, mut max) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for p in points {
            min = [min[0].min(p[0]), min[1].min(p[1])];
            max = [max[0].max(p[0]), max[1].max(p[1])];
        }
        Self {
            points,
            min,
            max,
            clockwise: signed_area(points) <= 0.0,
        }
    }

    fn holds_box_of(&self, other: &Self) -> bool {
        (0..2).all(|i| self.min[i] <= other.min[i] && other.max[i] <= self.max[i])
    }

    fn box_size(&self) -> f64 {
        (self.max[0] - self.min[0]) * (self.max[1] - self.min[1])
    }
}

/// Twice the area, positive when counter-clockwise; relative to the first point, since coordinates may be millions.
fn signed_area(points: &[[f64; 2]]) -> f64 {
    let Some(&[x0, y0]) = points.first() else {
        return 0.0;
    };
    points
        .windows(2)
        .map(|w| (w[0][0] - x0) * (w[1][1] - y0) - (w[1][0] - x0) * (w[0][1] - y0))
        .sum()
}

/// Groups rings into polygons: indexes of the outer ring and then of its holes, both in file order.
/// A hole that lies in no outer ring becomes a polygon of its own, so that nothing is lost.
///
/// # Errors
/// When there are so many rings inside each other that the work would have no bound.
pub(super) fn group(rings: &[Ring<'_>]) -> Result<Vec<Vec<usize>>, Message> {
    // Where every ring winds the wrong way the writer did not know the rule, and all are outer.
    let reversed = rings.iter().all(|r| !r.clockwise);
    let outer = |r: &Ring<'_>| r.clockwise || reversed;
    let mut polygons: Vec<Vec<usize>> = Vec::new();
    let mut orphans = Vec::new();
    for (i, ring) in rings.iter().enumerate() {
        if outer(ring) {
            polygons.push(vec![i]);
        } else {
            orphans.push(i);
        }
    }
    if let [only] = polygons.as_mut_slice() {
        only.append(&mut orphans);
        return Ok(polygons);
    }
    let outers = polygons.len();
    let mut work = 0_usize;
    for hole in orphans {
        let mut best: Option<(usize, f64)> = None;
        for (i, polygon) in polygons[..outers].iter().enumerate() {
            let candidate = &rings[polygon[0]];
            work += 1;
            let smaller = best.is_none_or(|(_, size)| candidate.box_size() < size);
            if smaller && candidate.holds_box_of(&rings[hole]) {
                work = work.saturating_add(candidate.points.len());
                if is_inside(rings[hole].points, candidate.points, &mut work) {
                    best = Some((i, candidate.box_size()));
                }
            }
            if work > MAX_WORK {
                return Err(Message::new("formats.shp-rings").with("count", rings.len()));
            }
        }
        match best {
            Some((i, _)) => polygons[i].push(hole),
            None => polygons.push(vec![hole]),
        }
    }
    Ok(polygons)
}

/// Whether a ring lies in another, by its first point that is not on the other's line.
fn is_inside(inner: &[[f64; 2]], outer: &[[f64; 2]], work: &mut usize) -> bool {
    for &point in inner {
        match side(point, outer) {
            Some(inside) => return inside,
            None => *work = work.saturating_add(outer.len()),
        }
        if *work > MAX_WORK {
            return false;
        }
    }
    // Every point is on the line, and the box is inside.
    true
}

/// Even-odd rule; `None` on the line itself.
fn side([x, y]: [f64; 2], ring: &[[f64; 2]]) -> Option<bool> {
    let mut inside = false;
    for w in ring.windows(2) {
        let ([ax, ay], [bx, by]) = (w[0], w[1]);
        let cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
        let within_x = (ax.min(bx)..=ax.max(bx)).contains(&x);
        let within_y = (ay.min(by)..=ay.max(by)).contains(&y);
        if cross == 0.0 && within_x && within_y {
            return None;
        }
        if (ay > y) != (by > y) && (cross > 0.0) == (by > ay) {
            inside = !inside;
        }
    }
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f64, y: f64, size: f64, clockwise: bool) -> Vec<[f64; 2]> {
        let mut points = vec![
            [x, y],
            [x, y + size],
            [x + size, y + size],
            [x + size, y],
            [x, y],
        ];
        if !clockwise {
            points.reverse();
        }
        points
    }

    fn check(rings: &[Vec<[f64; 2]>], expect: &[&[usize]]) {
        let rings: Vec<_> = rings.iter().map(|r| Ring::new(r)).collect();
        assert_eq!(group(&rings).unwrap(), expect);
    }

    #[test]
    fn holes_go_to_the_smallest_outer_ring_around_them() {
        check(
            &[
                square(0.0, 0.0, 100.0, true),
                square(10.0, 10.0, 50.0, false),
                square(20.0, 20.0, 10.0, true),
                square(22.0, 22.0, 2.0, false),
                square(200.0, 0.0, 10.0, true),
            ],
            &[&[0, 1], &[2, 3], &[4]],
        );
    }

    #[test]
    fn a_hole_that_touches_its_outer_ring_is_still_its_hole() {
        check(
            &[
                square(0.0, 0.0, 10.0, true),
                square(50.0, 0.0, 10.0, true),
                square(0.0, 0.0, 5.0, false),
            ],
            &[&[0, 2], &[1]],
        );
    }

    #[test]
    fn rings_that_all_wind_the_wrong_way_are_all_outer() {
        check(
            &[square(0.0, 0.0, 1.0, false), square(5.0, 0.0, 1.0, false)],
            &[&[0], &[1]],
        );
    }

    #[test]
    fn a_hole_in_nothing_is_kept() {
        check(
            &[
                square(0.0, 0.0, 1.0, true),
                square(5.0, 0.0, 1.0, true),
                square(50.0, 0.0, 1.0, false),
            ],
            &[&[0], &[1], &[2]],
        );
    }
}
