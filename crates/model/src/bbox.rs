//! Query boxes and envelopes, longitude/latitude in degrees, x first.

use crate::{Invalid, Message};

/// The smallest box around a geometry; ends inclusive; never crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Envelope {
    pub min: [f64; 2],
    pub max: [f64; 2],
}

impl Envelope {
    /// Around points; `None` when there is none.
    pub fn of(points: impl IntoIterator<Item = [f64; 2]>) -> Option<Self> {
        points.into_iter().fold(None, |acc: Option<Self>, p| {
            let point = Self { min: p, max: p };
            Some(acc.map_or(point, |e| e.union(point)))
        })
    }

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            min: [self.min[0].min(other.min[0]), self.min[1].min(other.min[1])],
            max: [self.max[0].max(other.max[0]), self.max[1].max(other.max[1])],
        }
    }

    pub fn intersects(&self, other: &Self) -> bool {
        (0..2).all(|i| self.min[i] <= other.max[i] && other.min[i] <= self.max[i])
    }

    pub fn contains(&self, other: &Self) -> bool {
        (0..2).all(|i| self.min[i] <= other.min[i] && other.max[i] <= self.max[i])
    }

    pub fn center(&self) -> [f64; 2] {
        [
            f64::midpoint(self.min[0], self.max[0]),
            f64::midpoint(self.min[1], self.max[1]),
        ]
    }
}

/// A query box. When west is greater than east it crosses the antimeridian
/// (OGC 17-069r4 §7.15.3, RFC 7946 §5.2). Ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bbox {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl Bbox {
    /// From four numbers (w, s, e, n) or six (w, s, min height, e, n, max height); heights are read and left out.
    ///
    /// # Errors
    /// When the count is another, a number is not finite, south is greater than north, or a latitude or
    /// longitude is out of range.
    pub fn new(numbers: &[f64]) -> Result<Self, Invalid> {
        let [west, south, east, north] = edges(numbers)?;
        // Clients clamp to the world with rounding of their own, so a hair beyond is let through.
        let slack = 1e-9;
        let longitudes = [west, east].iter().all(|x| x.abs() <= 180.0 + slack);
        if !longitudes || south < -90.0 - slack || north > 90.0 + slack {
            return Err(Invalid(Message::new("server.bbox-out-of-range")));
        }
        Ok(Self {
            west,
            south,
            east,
            north,
        })
    }

    /// As [`Bbox::new`], of a box in another CRS, x first, which crosses nothing.
    ///
    /// # Errors
    /// When the count is another, a number is not finite, or a side is greater than its opposite.
    pub fn corners(numbers: &[f64]) -> Result<Envelope, Invalid> {
        let [west, south, east, north] = edges(numbers)?;
        if west > east {
            return Err(Invalid(Message::new("server.bbox-reversed")));
        }
        Ok(Envelope {
            min: [west, south],
            max: [east, north],
        })
    }

    /// One box, or two when it crosses the antimeridian.
    pub fn envelopes(&self) -> impl Iterator<Item = Envelope> {
        let (south, north) = (self.south, self.north);
        let make = move |west, east| Envelope {
            min: [west, south],
            max: [east, north],
        };
        let crosses = self.west > self.east;
        let first = make(self.west, if crosses { 180.0 } else { self.east });
        let second = crosses.then(|| make(-180.0, self.east));
        std::iter::once(first).chain(second)
    }
}

/// West, south, east, north.
fn edges(numbers: &[f64]) -> Result<[f64; 4], Invalid> {
    let edges = match *numbers {
        [w, s, e, n] | [w, s, _, e, n, _] => [w, s, e, n],
        _ => {
            let count = numbers.len().to_string();
            return Err(Invalid(
                Message::new("server.bbox-count").with("count", count),
            ));
        }
    };
    if !numbers.iter().all(|n| n.is_finite()) {
        return Err(Invalid(Message::new("server.bbox-not-finite")));
    }
    if edges[1] > edges[3] {
        return Err(Invalid(Message::new("server.bbox-reversed")));
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_over_the_antimeridian_is_two_envelopes() {
        let bbox = Bbox::new(&[177.0, 65.0, -177.0, 70.0]).unwrap();
        let parts: Vec<_> = bbox.envelopes().collect();
        assert_eq!(
            parts[0],
            Envelope {
                min: [177.0, 65.0],
                max: [180.0, 70.0]
            }
        );
        assert_eq!(
            parts[1],
            Envelope {
                min: [-180.0, 65.0],
                max: [-177.0, 70.0]
            }
        );
    }

    #[test]
    fn boxes_that_mean_nothing_are_turned_away() {
        let bad: [&[f64]; 7] = [
            &[],
            &[1.0, 2.0, 3.0],
            &[0.0, 10.0, 1.0, 5.0],
            &[f64::NAN, 0.0, 1.0, 1.0],
            &[0.0, 0.0, f64::INFINITY, 1.0],
            &[0.0, -91.0, 1.0, 1.0],
            &[-181.0, 0.0, 1.0, 1.0],
        ];
        for numbers in bad {
            assert!(Bbox::new(numbers).is_err(), "{numbers:?}");
        }
        assert!(Bbox::new(&[0.0, 0.0, -5.0, 1.0, 1.0, 9.0]).is_ok());
    }
}
