//! The part of the town that an assignment is for.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use geo_types::{Coord, LineString, MultiPolygon, Polygon};
use serde_json::Value as Json;

use crate::{Invalid, Message};

/// Positions in an area at most: the border of an oblast in detail has some ten thousand.
const MAX_POSITIONS: usize = 100_000;

/// Polygons in longitude/latitude. Two areas are equal when their texts are.
#[derive(Debug, Clone)]
pub struct Area {
    text: Arc<str>,
    /// Of the text, which may be long: each decision that is remembered is looked up by who asks, areas included.
    digest: u64,
    polygons: Arc<MultiPolygon<f64>>,
}

impl Area {
    /// Reads a GeoJSON `Polygon` or `MultiPolygon` (RFC 7946 §3.1.6, §3.1.7), longitude first.
    ///
    /// # Errors
    /// When it is something else, has a ring of fewer than four positions, a position outside of the world, or more than
    /// 100,000 positions.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid(Message::new("access.area-invalid"));
        let json: Json = serde_json::from_str(text).map_err(|_| invalid())?;
        let polygons = match json["type"].as_str() {
            Some("Polygon") => vec![polygon(&json["coordinates"]).ok_or_else(invalid)?],
            Some("MultiPolygon") => {
                let parts = json["coordinates"].as_array().ok_or_else(invalid)?;
                let parts: Option<Vec<_>> = parts.iter().map(polygon).collect();
                parts.ok_or_else(invalid)?
            }
            _ => return Err(invalid()),
        };
        let positions: usize = polygons
            .iter()
            .map(|p| p.exterior().0.len() + p.interiors().iter().map(|r| r.0.len()).sum::<usize>())
            .sum();
        if polygons.is_empty() || positions > MAX_POSITIONS {
            return Err(invalid());
        }
        let text: Arc<str> = json.to_string().into();
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Ok(Self {
            text,
            digest: hasher.finish(),
            polygons: Arc::new(MultiPolygon(polygons)),
        })
    }

    /// As GeoJSON.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn polygons(&self) -> &MultiPolygon<f64> {
        &self.polygons
    }
}

fn polygon(json: &Json) -> Option<Polygon<f64>> {
    let rings: Option<Vec<LineString<f64>>> = json.as_array()?.iter().map(ring).collect();
    let mut rings = rings?.into_iter();
    let outer = rings.next()?;
    Some(Polygon::new(outer, rings.collect()))
}

fn ring(json: &Json) -> Option<LineString<f64>> {
    let positions: Option<Vec<Coord<f64>>> = json.as_array()?.iter().map(position).collect();
    let positions = positions.filter(|p| p.len() >= 4 && p.first() == p.last())?;
    Some(LineString(positions))
}

fn position(json: &Json) -> Option<Coord<f64>> {
    let (x, y) = (json.get(0)?.as_f64()?, json.get(1)?.as_f64()?);
    let is_on_earth = (-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y);
    is_on_earth.then_some(Coord { x, y })
}

impl PartialEq for Area {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
            || (self.digest == other.digest && self.text == other.text)
    }
}

impl Eq for Area {}

impl Hash for Area {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_polygons_on_earth_are_areas() {
        let good = r#"{"type":"Polygon","coordinates":[[[24,49],[25,49],[25,50],[24,49]]]}"#;
        assert_eq!(Area::parse(good).unwrap(), Area::parse(good).unwrap());
        for bad in [
            "",
            "{}",
            r#"{"type":"Point","coordinates":[24,49]}"#,
            r#"{"type":"Polygon","coordinates":[]}"#,
            r#"{"type":"Polygon","coordinates":[[[24,49],[25,49],[24,49]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[24,49],[25,49],[25,50],[24,48]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[24,149],[25,49],[25,50],[24,149]]]}"#,
            r#"{"type":"MultiPolygon","coordinates":[]}"#,
        ] {
            assert!(Area::parse(bad).is_err(), "{bad}");
        }
    }
}
