//! A tile as text, for tests that compare it.

use std::fmt;

use super::{Feature, Geometry, Layer, Tile, Value};

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layers
            .iter()
            .try_for_each(|layer| write!(f, "{layer}"))
    }
}

/// A line for the layer, and one for each feature.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "layer {} v{} extent {}",
            self.name, self.version, self.extent
        )?;
        for feature in &self.features {
            match feature.id {
                Some(id) => write!(f, "  {id}")?,
                None => write!(f, "  -")?,
            }
            self.tags(feature, f)?;
            writeln!(f, ": {}", feature.geometry)?;
        }
        Ok(())
    }
}

impl Layer {
    fn tags(&self, feature: &Feature, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &feature.tags {
            match (
                self.keys.get(*key as usize),
                self.values.get(*value as usize),
            ) {
                (Some(key), Some(value)) => write!(f, " {key}={value}")?,
                _ => write!(f, " ?=?")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(v) => write!(f, "{v:?}"),
            Self::Float(v) => write!(f, "{v:?}f"),
            Self::Double(v) => write!(f, "{v:?}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Uint(v) => write!(f, "{v}u"),
            Self::Sint(v) => write!(f, "{v}s"),
            Self::Bool(v) => write!(f, "{v}"),
        }
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |points: &[[i32; 2]], f: &mut fmt::Formatter<'_>| {
            let texts: Vec<_> = points.iter().map(|[x, y]| format!("{x} {y}")).collect();
            write!(f, "({})", texts.join(", "))
        };
        match self {
            Self::Points(points) => {
                f.write_str("points ")?;
                path(points, f)
            }
            Self::Lines(paths) | Self::Rings(paths) => {
                f.write_str(if matches!(self, Self::Lines(_)) {
                    "lines"
                } else {
                    "rings"
                })?;
                paths.iter().try_for_each(|p| {
                    f.write_str(" ")?;
                    path(p, f)
                })
            }
        }
    }
}
