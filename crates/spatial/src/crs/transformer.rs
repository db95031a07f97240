//! One transformer for each pair of CRSs and thread: PROJ's objects can't be shared between threads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, PoisonError};

use model::{Crs, Message};
use proj::{Proj, ProjBuilder};

use super::describe::Definition;
use super::known;
use crate::Error;

/// From one, to the other, with the generation of what is known beside PROJ's database.
type Pair = (u64, Crs, Crs);

type Kept = (Pair, Rc<Transformer>);

/// Transformers that a thread keeps: clients choose the CRS, and each takes about a megabyte.
const MAX_KEPT: usize = 16;

/// Pairs whose first look is remembered. Failing leaves some memory behind in the binding, so no failure is repeated;
/// callers let clients choose among CRSs that are offered, never any code.
const MAX_LOOKED_AT: usize = 1_000;

/// Whether a transformation exists, for all threads.
static LOOKED_AT: LazyLock<Mutex<HashMap<Pair, Result<(), Error>>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// The latest used last.
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// Runs with the transformer of a pair, made when this thread has none.
pub(super) fn with<T>(
    from: Crs,
    to: Crs,
    run: impl FnOnce(&Transformer) -> Result<T, Error>,
) -> Result<T, Error> {
    let wanted = (known::generation(), from, to);
    let kept = KEPT.with_borrow_mut(|kept| {
        let at = kept.iter().position(|(pair, _)| *pair == wanted)?;
        let entry = kept.remove(at);
        let transformer = Rc::clone(&entry.1);
        kept.push(entry);
        Some(transformer)
    });
    let transformer = match kept {
        Some(transformer) => transformer,
        None => {
            look(wanted)?;
            let made = Rc::new(guarded(|| Transformer::new(from, to))?);
            KEPT.with_borrow_mut(|kept| {
                if kept.len() >= MAX_KEPT {
                    kept.remove(0);
                }
                kept.push((wanted, Rc::clone(&made)));
            });
            made
        }
    };
    guarded(|| run(&transformer))
}

/// # Errors
/// When a CRS is unknown or all that leads from one to the other is a guess.
fn look(pair: Pair) -> Result<(), Error> {
    let (_, from, to) = pair;
    let known = LOOKED_AT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&pair)
        .cloned();
    if let Some(known) = known {
        return known;
    }
    let looked = guarded(|| {
        let (source, target) = (transformed(from)?, transformed(to)?);
        refuse_guess((from, &source), (to, &target))
    });
    let mut all = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MAX_LOOKED_AT {
        all.clear();
    }
    all.insert(pair, looked.clone());
    looked
}

/// Whether a CRS that is not known yet could be one in which data are stored.
///
/// # Errors
/// [`Error::NoTransformation`]
pub(super) fn require_to_wgs84(crs: Crs, definition: &Definition) -> Result<(), Error> {
    let wgs84 = Definition::new(Crs::CRS84)?;
    refuse_guess((crs, definition), (Crs::CRS84, &wgs84))
}

fn refuse_guess(
    (from, source): (Crs, &Definition),
    (to, target): (Crs, &Definition),
) -> Result<(), Error> {
    // Asked with guesses allowed, PROJ says that it would guess; asked without, it fails without a reason.
    let builder = ProjBuilder::new();
    let proj = builder.proj_create_crs_to_crs_from_pj(&source.proj, &target.proj, None, None);
    let proj = proj.map_err(|e| no_transformation(from, to, &e.to_string()))?;
    match proj.proj_info().description {
        Some(description) if description.contains("Ballpark") => {
            Err(no_transformation(from, to, &description))
        }
        _ => Ok(()),
    }
}

fn no_transformation(from: Crs, to: Crs, reason: &str) -> Error {
    let message = Message::new("spatial.no-transformation")
        .with("from", from)
        .with("to", to);
    Error::NoTransformation(message.with("reason", reason))
}

/// The binding panics where PROJ gives no reason for a failure; that is a failure like others.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let failed = |_panic| Err(Error::Failed(Message::new("spatial.proj-failed")));
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(failed)
}

/// From one CRS to another, x first on both sides.
pub(super) struct Transformer {
    from: Crs,
    to: Crs,
    /// One after the other.
    steps: Vec<Step>,
}

struct Step {
    proj: Proj,
    /// Whether the CRS defines y before x.
    swap_in: bool,
    swap_out: bool,
}

impl Transformer {
    fn new(from: Crs, to: Crs) -> Result<Self, Error> {
        // An operation that was chosen leads to WGS 84. What is shown in a third CRS has to be where the map shows it, so it
        // goes by the same way, and not by one that PROJ knows between the two.
        let is_chosen = known::chosen(from).is_some() || known::chosen(to).is_some();
        let is_direct = !is_chosen || from.is_wgs84() || to.is_wgs84();
        let steps = match is_direct {
            true => vec![Step::new(from, to)?],
            false => vec![Step::new(from, Crs::CRS84)?, Step::new(Crs::CRS84, to)?],
        };
        Ok(Self { from, to, steps })
    }

    pub(super) fn apply(&self, points: &mut [(f64, f64)]) -> Result<(), Error> {
        let mut out = points.to_vec();
        for step in &self.steps {
            if step.apply(&mut out).is_err() {
                return Err(self.first_failure(points));
            }
        }
        points.copy_from_slice(&out);
        Ok(())
    }

    /// The expected accuracy in metres of the operation that served the last point, where it is known.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let [step] = self.steps.as_slice() else {
            return None;
        };
        let accuracy = step.proj.proj_info().accuracy;
        (accuracy >= 0.0).then_some(accuracy)
    }

    fn first_failure(&self, points: &[(f64, f64)]) -> Error {
        let failed = points.iter().find_map(|point| {
            let mut out = [*point];
            let reason = self
                .steps
                .iter()
                .find_map(|step| step.apply(&mut out).err())?;
            Some((*point, reason))
        });
        let ((x, y), reason) = failed.unwrap_or_default();
        let message = Message::new("spatial.coordinate-without-image")
            .with("x", x)
            .with("y", y);
        Error::Invalid(
            message
                .with("from", self.from)
                .with("to", self.to)
                .with("reason", reason),
        )
    }
}

impl Step {
    fn new(from: Crs, to: Crs) -> Result<Self, Error> {
        let (source, target) = (transformed(from)?, transformed(to)?);
        // Several operations may serve a pair; PROJ chooses by each point's place. BALLPARK: see `transform`. BEST:
        // the best one may need a grid file, which is never there, and PROJ would tell the error stream.
        let options = vec!["ALLOW_BALLPARK=NO", "ONLY_BEST=NO"];
        let proj = ProjBuilder::new().proj_create_crs_to_crs_from_pj(
            &source.proj,
            &target.proj,
            None,
            Some(options),
        );
        let proj = proj.map_err(|e| no_transformation(from, to, &e.to_string()))?;
        Ok(Self {
            proj,
            swap_in: source.y_first,
            swap_out: target.y_first,
        })
    }

    /// # Errors
    /// PROJ's words, where it has any.
    fn apply(&self, points: &mut [(f64, f64)]) -> Result<(), String> {
        if self.swap_in {
            points.iter_mut().for_each(swap);
        }
        let done = self.proj.convert_array::<_, f64>(points);
        done.map_err(|e| e.to_string())?;
        if points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return Err(String::new());
        }
        if self.swap_out {
            points.iter_mut().for_each(swap);
        }
        Ok(())
    }
}

/// The CRS with the operation that was chosen for it.
fn transformed(crs: Crs) -> Result<Definition, Error> {
    let definition = Definition::new(crs)?;
    match known::chosen(crs) {
        Some(chosen) => Definition::of(crs, &known::bound(&definition, &chosen)?),
        None => Ok(definition),
    }
}

fn swap(point: &mut (f64, f64)) {
    *point = (point.1, point.0);
}
