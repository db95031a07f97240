//! One transformer for each pair of CRSs and thread: PROJ's objects can't be shared between threads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, PoisonError};

use model::{Crs, Message};
use proj::{Proj, ProjBuilder};

use super::describe::Definition;
use crate::Error;

/// From one, to the other.
type Pair = (Crs, Crs);

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
    let kept = KEPT.with_borrow_mut(|kept| {
        let at = kept.iter().position(|(pair, _)| *pair == (from, to))?;
        let entry = kept.remove(at);
        let transformer = Rc::clone(&entry.1);
        kept.push(entry);
        Some(transformer)
    });
    let transformer = match kept {
        Some(transformer) => transformer,
        None => {
            look(from, to)?;
            let made = Rc::new(guarded(|| Transformer::new(from, to))?);
            KEPT.with_borrow_mut(|kept| {
                if kept.len() >= MAX_KEPT {
                    kept.remove(0);
                }
                kept.push(((from, to), Rc::clone(&made)));
            });
            made
        }
    };
    guarded(|| run(&transformer))
}

/// # Errors
/// When a CRS is unknown or all that leads from one to the other is a guess.
fn look(from: Crs, to: Crs) -> Result<(), Error> {
    let known = LOOKED_AT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&(from, to))
        .cloned();
    if let Some(known) = known {
        return known;
    }
    let looked = guarded(|| {
        for crs in [from, to] {
            Definition::new(crs)?;
        }
        // Asked with guesses allowed, PROJ says that it would guess; asked without, it fails without a reason.
        let proj = ProjBuilder::new().proj_known_crs(&from.to_string(), &to.to_string(), None);
        let proj = proj.map_err(|e| no_transformation(from, to, &e.to_string()))?;
        match proj.proj_info().description {
            Some(description) if description.contains("Ballpark") => {
                Err(no_transformation(from, to, &description))
            }
            _ => Ok(()),
        }
    });
    let mut all = LOOKED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= MAX_LOOKED_AT {
        all.clear();
    }
    all.insert((from, to), looked.clone());
    looked
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
    proj: Proj,
    from: Crs,
    to: Crs,
    /// Whether the CRS defines y before x.
    swap_in: bool,
    swap_out: bool,
}

impl Transformer {
    fn new(from: Crs, to: Crs) -> Result<Self, Error> {
        let (source, target) = (Definition::new(from)?, Definition::new(to)?);
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
            from,
            to,
            swap_in: source.y_first,
            swap_out: target.y_first,
        })
    }

    pub(super) fn apply(&self, points: &mut [(f64, f64)]) -> Result<(), Error> {
        let mut out: Vec<(f64, f64)> = points.iter().map(|p| swapped(*p, self.swap_in)).collect();
        let done = self.proj.convert_array::<_, f64>(&mut out);
        if done.is_err() || out.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return Err(self.first_failure(points));
        }
        for (point, new) in points.iter_mut().zip(out) {
            *point = swapped(new, self.swap_out);
        }
        Ok(())
    }

    /// The expected accuracy in metres of the operation that served the last point, where it is known.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let accuracy = self.proj.proj_info().accuracy;
        (accuracy >= 0.0).then_some(accuracy)
    }

    fn first_failure(&self, points: &[(f64, f64)]) -> Error {
        let failed =
            points
                .iter()
                .find_map(|p| match self.proj.convert(swapped(*p, self.swap_in)) {
                    Ok((x, y)) if f64::is_finite(x) && f64::is_finite(y) => None,
                    Ok(_) => Some((*p, String::new())),
                    Err(e) => Some((*p, e.to_string())),
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

fn swapped((a, b): (f64, f64), swap: bool) -> (f64, f64) {
    if swap { (b, a) } else { (a, b) }
}
