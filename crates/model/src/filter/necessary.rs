//! What must be so for a filter to hold, for those who look rows up before they ask it.

use geo_types::{Coord, Geometry};

use super::{Condition, Filter, Shape, Term};
use crate::cql2::{Comparison, Literal, SpatialRelation};
use crate::{Envelope, PropertyType};

/// Envelopes of one answer: more are joined into one, since looking each up costs more than it saves.
const MAX_ENVELOPES: usize = 16;

impl Filter {
    /// Envelopes outside of which the filter can't hold: a row whose geometry meets none of them is not meant. `None` when
    /// there is no such bound; an empty list when no row is meant.
    pub fn necessary_box(&self) -> Option<Vec<Envelope>> {
        let envelopes = within(&self.condition, true)?;
        if envelopes.len() <= MAX_ENVELOPES {
            return Some(envelopes);
        }
        let whole = envelopes.into_iter().reduce(Envelope::union);
        Some(whole.into_iter().collect())
    }

    /// Properties that must have one of some values for the filter to hold, by their positions. Values are of the property's
    /// type, whole numbers beside reals, those of a list ascending; texts are equal when their code points are.
    pub fn necessary_equals(&self) -> Vec<(usize, Vec<Literal>)> {
        let mut equals = Vec::new();
        collect(&self.condition, &mut equals);
        equals
    }
}

/// Where a condition can be what it is asked to be.
fn within(condition: &Condition, holds: bool) -> Option<Vec<Envelope>> {
    match condition {
        Condition::Known(known) => (*known != Some(holds)).then(Vec::new),
        Condition::Not(inner) => within(inner, !holds),
        Condition::And(list) if holds => least(list, holds),
        Condition::Or(list) if !holds => least(list, holds),
        Condition::And(list) | Condition::Or(list) => {
            let mut all = Vec::new();
            for one in list {
                all.extend(within(one, holds)?);
            }
            Some(all)
        }
        Condition::Spatial(relation, a, b) => {
            let ((Shape::Own, Shape::Given(given)) | (Shape::Given(given), Shape::Own)) = (a, b)
            else {
                return None;
            };
            // All but one want a point in common.
            match (relation == &SpatialRelation::Disjoint) != holds {
                true => envelopes(given),
                false => None,
            }
        }
        _ => None,
    }
}

/// Of bounds that all must be met the smallest: a row may meet one here and another there, so they can't be cut.
fn least(list: &[Condition], holds: bool) -> Option<Vec<Envelope>> {
    let area = |envelopes: &[Envelope]| -> f64 {
        let sizes = envelopes.iter().map(|e| {
            let (width, height) = (e.max[0] - e.min[0], e.max[1] - e.min[1]);
            width * height
        });
        sizes.sum()
    };
    let bounds = list.iter().filter_map(|one| within(one, holds));
    bounds.min_by(|a, b| area(a).total_cmp(&area(b)))
}

/// Of each part by itself; `None` when the geometry is empty, which meets nothing but may equal.
fn envelopes(geometry: &Geometry<f64>) -> Option<Vec<Envelope>> {
    let all = match geometry {
        Geometry::MultiPolygon(polygons) => polygons
            .iter()
            .filter_map(|polygon| around(polygon.exterior().0.iter()))
            .collect(),
        Geometry::Polygon(polygon) => around(polygon.exterior().0.iter()).into_iter().collect(),
        Geometry::Point(point) => around([point.0].iter()).into_iter().collect(),
        Geometry::LineString(line) => around(line.0.iter()).into_iter().collect(),
        Geometry::MultiPoint(points) => {
            let points: Vec<Coord<f64>> = points.iter().map(|point| point.0).collect();
            around(points.iter()).into_iter().collect()
        }
        Geometry::MultiLineString(lines) => lines
            .iter()
            .filter_map(|line| around(line.0.iter()))
            .collect(),
        Geometry::GeometryCollection(members) => {
            let members = members.iter().filter_map(envelopes);
            members.flatten().collect::<Vec<Envelope>>()
        }
        Geometry::Line(line) => around([line.start, line.end].iter()).into_iter().collect(),
        Geometry::Rect(rect) => around([rect.min(), rect.max()].iter())
            .into_iter()
            .collect(),
        Geometry::Triangle(triangle) => around(triangle.to_array().iter()).into_iter().collect(),
    };
    Some(all).filter(|all: &Vec<Envelope>| !all.is_empty())
}

fn around<'c>(positions: impl Iterator<Item = &'c Coord<f64>>) -> Option<Envelope> {
    Envelope::of(positions.map(|c| [c.x, c.y]))
}

fn collect(condition: &Condition, equals: &mut Vec<(usize, Vec<Literal>)>) {
    match condition {
        Condition::And(list) => list.iter().for_each(|one| collect(one, equals)),
        Condition::Compare(Comparison::Equal, Term::Property(subject), Term::Literal(literal))
        | Condition::Compare(Comparison::Equal, Term::Literal(literal), Term::Property(subject))
            if is_of(subject.kind, literal) =>
        {
            equals.push((subject.position, vec![literal.clone()]));
        }
        Condition::Among(Term::Property(subject), list) => {
            equals.push((subject.position, list.clone()));
        }
        _ => {}
    }
}

/// Whether equality with a literal is equality of values: a date beside a time is a day.
fn is_of(kind: PropertyType, literal: &Literal) -> bool {
    !matches!(
        (kind, literal),
        (PropertyType::DateTime, Literal::Date(_)) | (PropertyType::Date, Literal::Instant(..))
    )
}
