//! A local system's place within a known CRS: by parameters, or from control points by least squares.

use model::Message;

use crate::Error;

/// A point that is known in both systems, easting and northing in metres.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlPoint {
    pub name: String,
    pub local: (f64, f64),
    pub known: (f64, f64),
}

/// How much a fit may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A turn, one scale and a shift: four parameters. Shapes stay.
    Similarity,
    /// Six parameters: each axis has a direction and a scale of its own.
    Affine,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Self::Similarity => "similarity",
            Self::Affine => "affine",
        }
    }

    /// One more than the parameters need: without any to spare a wrong point could not be told.
    fn min_points(self) -> usize {
        match self {
            Self::Similarity => 3,
            Self::Affine => 4,
        }
    }
}

/// What a fit leaves over at a point, in metres of the known CRS: fitted minus known.
#[derive(Debug, Clone, PartialEq)]
pub struct Residual {
    pub name: String,
    pub east: f64,
    pub north: f64,
}

impl Residual {
    pub fn length(&self) -> f64 {
        self.east.hypot(self.north)
    }
}

/// From local coordinates to those of a known CRS, easting and northing: `known = at + matrix · (local − from)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub form: Form,
    matrix: [[f64; 2]; 2],
    from: (f64, f64),
    at: (f64, f64),
    /// One for each control point, in their order.
    pub residuals: Vec<Residual>,
}

/// Points nearer to each other than this, in metres, are the same one.
const SAME: f64 = 0.01;

/// The extent of the points across their main direction, as a part of that along it, at least. Points on one line leave open
/// how the other axis goes, and tell no mirrored system.
const MIN_WIDTH: f64 = 0.01;

/// A local metre is a metre, but for this part: more is a mistake in the points, or another unit.
const MAX_SCALING: f64 = 0.01;

impl Fit {
    /// A system whose origin is at a point of the known CRS, whose north is turned clockwise by `rotation` degrees, and whose
    /// metre is `scale` metres of the known CRS.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a scale that is none.
    pub fn by_parameters(origin: (f64, f64), rotation: f64, scale: f64) -> Result<Self, Error> {
        let (sin, cos) = rotation.to_radians().sin_cos();
        Self {
            form: Form::Similarity,
            matrix: [[scale * cos, scale * sin], [-scale * sin, scale * cos]],
            from: (0.0, 0.0),
            at: origin,
            residuals: Vec::new(),
        }
        .checked()
    }

    /// The fit with the least sum of squared residuals, none of which is longer than `limit` metres.
    ///
    /// # Errors
    /// [`Error::Invalid`] for too few points, two that are the same, points on one line, a scale that is none, a mirrored
    /// system, and a residual above the limit; the message names the points.
    pub fn to_points(points: &[ControlPoint], form: Form, limit: f64) -> Result<Self, Error> {
        if points.len() < form.min_points() {
            let message = Message::new("spatial.local-few-points");
            let message = message.with("given", points.len());
            return Err(Error::Invalid(message.with("needed", form.min_points())));
        }
        refuse_same(points)?;
        // Around the middle, or the squares of millions of metres would take the millimetres away.
        let (from, at) = (middle(points, |p| p.local), middle(points, |p| p.known));
        let pairs: Vec<_> = points
            .iter()
            .map(|p| (minus(p.local, from), minus(p.known, at)))
            .collect();
        if is_line(pairs.iter().map(|p| p.0)) || is_line(pairs.iter().map(|p| p.1)) {
            return Err(Error::Invalid(Message::new("spatial.local-one-line")));
        }
        let matrix = match form {
            Form::Similarity => similarity(&pairs),
            Form::Affine => affine(&pairs),
        };
        let mut fit = Self {
            form,
            matrix,
            from,
            at,
            residuals: Vec::new(),
        };
        let residuals = points.iter().map(|point| {
            let (east, north) = minus(fit.apply(point.local), point.known);
            let name = point.name.clone();
            Residual { name, east, north }
        });
        fit.residuals = residuals.collect();
        let longest = fit
            .residuals
            .iter()
            .max_by(|a, b| a.length().total_cmp(&b.length()));
        if let Some(longest) = longest
            && longest.length() > limit
        {
            let message = Message::new("spatial.local-residual")
                .with("point", &longest.name)
                .with("residual", format!("{:.3}", longest.length()))
                .with("limit", limit);
            return Err(Error::Invalid(message));
        }
        fit.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        let determinant = self.determinant();
        if determinant < 0.0 {
            return Err(Error::Invalid(Message::new("spatial.local-mirrored")));
        }
        let scale = determinant.sqrt();
        if !(1.0 - MAX_SCALING..=1.0 + MAX_SCALING).contains(&scale) {
            let message = Message::new("spatial.local-scale").with("scale", format!("{scale:.6}"));
            return Err(Error::Invalid(message));
        }
        Ok(self)
    }

    /// Known coordinates of local ones.
    pub fn apply(&self, local: (f64, f64)) -> (f64, f64) {
        let (x, y) = minus(local, self.from);
        let [[a, b], [c, d]] = self.matrix;
        (self.at.0 + a * x + b * y, self.at.1 + c * x + d * y)
    }

    /// From known coordinates to local ones: the matrix, and what is added after it.
    pub(super) fn inverse(&self) -> ([[f64; 2]; 2], (f64, f64)) {
        let [[a, b], [c, d]] = self.matrix;
        let determinant = self.determinant();
        let inverse = [[d, -b], [-c, a]].map(|row| row.map(|x| x / determinant));
        let [[a, b], [c, d]] = inverse;
        let (x, y) = self.at;
        let offset = minus(self.from, (a * x + b * y, c * x + d * y));
        (inverse, offset)
    }

    fn determinant(&self) -> f64 {
        let [[a, b], [c, d]] = self.matrix;
        a * d - b * c
    }

    /// The point of the known CRS at the local origin.
    pub fn origin(&self) -> (f64, f64) {
        self.apply((0.0, 0.0))
    }

    /// Degrees by which local north is turned clockwise.
    pub fn rotation(&self) -> f64 {
        self.matrix[0][1].atan2(self.matrix[1][1]).to_degrees()
    }

    /// Metres of the known CRS in a local one; of both axes together, for an affine fit.
    pub fn scale(&self) -> f64 {
        self.determinant().sqrt()
    }

    /// The root of the mean square of the residuals in metres; none without points.
    pub fn rms(&self) -> Option<f64> {
        let squares: f64 = self.residuals.iter().map(|r| r.length().powi(2)).sum();
        let count = self.residuals.len();
        (count > 0).then(|| (squares / count as f64).sqrt())
    }
}

fn minus(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (a.0 - b.0, a.1 - b.1)
}

fn middle(points: &[ControlPoint], of: impl Fn(&ControlPoint) -> (f64, f64)) -> (f64, f64) {
    let n = points.len() as f64;
    let sum = points
        .iter()
        .map(of)
        .fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    (sum.0 / n, sum.1 / n)
}

fn refuse_same(points: &[ControlPoint]) -> Result<(), Error> {
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            let near = |(x, y): (f64, f64)| x.hypot(y) < SAME;
            if a.name == b.name || near(minus(a.local, b.local)) || near(minus(a.known, b.known)) {
                let message = Message::new("spatial.local-same-points");
                let message = message.with("a", &a.name).with("b", &b.name);
                return Err(Error::Invalid(message));
            }
        }
    }
    Ok(())
}

/// Whether centred points lie on a line, nearly: by the lengths of the axes of their ellipse of inertia.
fn is_line(points: impl Iterator<Item = (f64, f64)>) -> bool {
    let (xx, xy, yy) = points.fold((0.0, 0.0, 0.0), |s, (x, y)| {
        (s.0 + x * x, s.1 + x * y, s.2 + y * y)
    });
    let (mean, difference) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
    mean - difference < (mean + difference) * MIN_WIDTH * MIN_WIDTH
}

/// Of centred pairs, local and known.
type Pairs = [((f64, f64), (f64, f64))];

fn similarity(pairs: &Pairs) -> [[f64; 2]; 2] {
    let (mut square, mut dot, mut cross) = (0.0, 0.0, 0.0);
    for ((x, y), (u, v)) in pairs {
        square += x * x + y * y;
        dot += x * u + y * v;
        cross += x * v - y * u;
    }
    let (a, b) = (dot / square, cross / square);
    [[a, -b], [b, a]]
}

fn affine(pairs: &Pairs) -> [[f64; 2]; 2] {
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    let mut sums = [[0.0; 2]; 2];
    for ((x, y), (u, v)) in pairs {
        xx += x * x;
        xy += x * y;
        yy += y * y;
        for (sum, known) in sums.iter_mut().zip([u, v]) {
            sum[0] += known * x;
            sum[1] += known * y;
        }
    }
    let determinant = xx * yy - xy * xy;
    sums.map(|[x, y]| {
        [
            (x * yy - y * xy) / determinant,
            (y * xx - x * xy) / determinant,
        ]
    })
}
