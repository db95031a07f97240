//! From the town's plan (distance and bearing from the market square) to the ground (longitude and latitude).

use super::number::{Random, cos, sin};

/// The market square: longitude and latitude in degrees.
const CENTRE: (f64, f64) = (24.71, 48.92);
/// Metres in a degree of longitude and of latitude at the square (WGS 84).
const METRES: (f64, f64) = (73_303.0, 111_214.0);
/// Units of a stored coordinate in a degree: seven decimals, about a centimetre.
pub(super) const UNITS: f64 = 1e7;

/// Longitude and latitude in 1e-7 degrees: equality is exact, so neighbours share vertices or they do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Vertex {
    pub(super) lon: i32,
    pub(super) lat: i32,
}

/// A place on the plan in metres, x east and y north of the square.
pub(super) type Metres = (f64, f64);

/// Bends the plan's circles and rays, so that streets wind like streets.
pub(super) struct Ground {
    waves: [Wave; 6],
    turn: (f64, f64),
}

struct Wave {
    /// Waves in a metre, along x and y.
    along: (f64, f64),
    phase: f64,
    /// Metres of shift, in x and y.
    shift: (f64, f64),
}

impl Ground {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::of(seed, [1, 0, 0]);
        // Length and shift of the waves: together they stretch a street by little more than half, so the map never folds.
        let waves = [
            (900.0, 11.0),
            (1_500.0, 24.0),
            (2_600.0, 45.0),
            (6_000.0, 90.0),
            (14_000.0, 210.0),
            (40_000.0, 600.0),
        ]
        .map(|(length, shift)| {
            let (heading, push) = (random.unit(), random.unit());
            Wave {
                along: (cos(heading) / length, sin(heading) / length),
                phase: random.unit(),
                shift: (cos(push) * shift, sin(push) * shift),
            }
        });
        let angle = random.unit();
        Self {
            waves,
            turn: (cos(angle), sin(angle)),
        }
    }

    /// `rho` in metres from the square, `turns` counter-clockwise from east before the plan is turned.
    pub(super) fn metres(&self, rho: f64, turns: f64) -> Metres {
        // The town is longer than wide, and lies at a slant.
        let (a, b) = (rho * cos(turns) * 1.12, rho * sin(turns) * 0.9);
        let (x, y) = (
            a * self.turn.0 - b * self.turn.1,
            a * self.turn.1 + b * self.turn.0,
        );
        let mut bent = (x, y);
        for wave in &self.waves {
            let height = sin(x * wave.along.0 + y * wave.along.1 + wave.phase);
            bent.0 += height * wave.shift.0;
            bent.1 += height * wave.shift.1;
        }
        bent
    }

    pub(super) fn vertex(&self, rho: f64, turns: f64) -> Vertex {
        vertex(self.metres(rho, turns))
    }
}

pub(super) fn vertex((x, y): Metres) -> Vertex {
    Vertex {
        lon: ((CENTRE.0 + x / METRES.0) * UNITS).round() as i32,
        lat: ((CENTRE.1 + y / METRES.1) * UNITS).round() as i32,
    }
}

/// Back to metres from the square.
pub(super) fn plan(vertex: Vertex) -> Metres {
    (
        (f64::from(vertex.lon) / UNITS - CENTRE.0) * METRES.0,
        (f64::from(vertex.lat) / UNITS - CENTRE.1) * METRES.1,
    )
}

/// Twice the area of a ring that is not closed by its first vertex, in square units; positive when counter-clockwise. Exact.
pub(super) fn double_area(ring: &[Vertex]) -> i128 {
    let Some(first) = ring.first() else { return 0 };
    let at = |v: &Vertex| (i128::from(v.lon - first.lon), i128::from(v.lat - first.lat));
    let mut sum = 0;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let ((ax, ay), (bx, by)) = (at(a), at(b));
        sum += ax * by - bx * ay;
    }
    sum
}

/// Area in square metres, with the length of a degree at the ring's own latitude.
pub(super) fn area(ring: &[Vertex]) -> f64 {
    let Some(first) = ring.first() else {
        return 0.0;
    };
    let narrowing = cos(f64::from(first.lat) / UNITS / 360.0) / cos(CENTRE.1 / 360.0);
    double_area(ring) as f64 / 2.0 / (UNITS * UNITS) * METRES.0 * METRES.1 * narrowing
}

/// Whether a vertex lies inside a ring that is not closed by its first vertex; exact but for vertices on the ring itself.
pub(super) fn inside(ring: &[Vertex], v: Vertex) -> bool {
    let at = |p: &Vertex| (i64::from(p.lon - v.lon), i64::from(p.lat - v.lat));
    let mut inside = false;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let ((ax, ay), (bx, by)) = (at(a), at(b));
        // A ray to the east crosses the edge when it ends on different sides and passes right of the vertex.
        if (ay > 0) != (by > 0) && ((ax * by - bx * ay) > 0) == (by > ay) {
            inside = !inside;
        }
    }
    inside
}

/// Length of a line in metres.
pub(super) fn length(line: &[Vertex]) -> f64 {
    line.windows(2)
        .map(|w| distance(plan(w[0]), plan(w[1])))
        .sum()
}

pub(super) fn distance(a: Metres, b: Metres) -> f64 {
    ((a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1)).sqrt()
}

pub(super) fn middle(a: Metres, b: Metres) -> Metres {
    ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_never_folds() {
        for seed in 0..20 {
            let ground = Ground::new(seed);
            for i in 0..2_000u32 {
                let (rho, turns) = (60.0 + f64::from(i) * 4.0, f64::from(i) * 0.618);
                let here = ground.metres(rho, turns);
                let out = ground.metres(rho + 1.0, turns);
                let left = ground.metres(rho, turns + 1.0 / (std::f64::consts::TAU * rho));
                let cross =
                    (out.0 - here.0) * (left.1 - here.1) - (out.1 - here.1) * (left.0 - here.0);
                assert!(
                    cross > 0.3,
                    "seed {seed}, {rho} m: a square metre became {cross}"
                );
            }
        }
    }

    #[test]
    fn area_of_a_square_of_a_hundred_metres_is_a_hectare() {
        let square = [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)].map(vertex);
        assert!((area(&square) - 10_000.0).abs() < 5.0, "{}", area(&square));
        let reversed: Vec<_> = square.iter().rev().copied().collect();
        assert_eq!(double_area(&reversed), -double_area(&square));
    }
}
