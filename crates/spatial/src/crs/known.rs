//! What this process knows beside PROJ's database: the systems of the stores that it has opened.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use model::Crs;
use serde_json::{Value as Json, json};

use super::describe::Definition;
use super::local::{Kind, System};
use super::operation::Chosen;
use crate::Error;

static SYSTEMS: LazyLock<RwLock<HashMap<Crs, Arc<System>>>> = LazyLock::new(RwLock::default);

/// Grows with each change of the systems: what was made before is made anew.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Makes a system known under its code, or an operation the chosen one, for the whole process; of two the last one stays.
/// Coordinates that were transformed before stay as they are.
pub fn register(system: System) {
    let mut systems = SYSTEMS.write().unwrap_or_else(PoisonError::into_inner);
    if systems
        .get(&system.crs)
        .is_some_and(|known| **known == system)
    {
        return;
    }
    systems.insert(system.crs, Arc::new(system));
    GENERATION.fetch_add(1, Ordering::Release);
}

/// The local systems that are known, by code.
pub fn locals() -> Vec<Arc<System>> {
    let systems = SYSTEMS.read().unwrap_or_else(PoisonError::into_inner);
    let locals = systems.values().filter(|system| system.crs.is_local());
    let mut locals: Vec<_> = locals.cloned().collect();
    locals.sort_by_key(|system| system.crs.code());
    locals
}

/// The system that a code stands for, if it is known.
pub fn local(crs: Crs) -> Option<Arc<System>> {
    crs.is_local().then(|| find(crs)).flatten()
}

pub(super) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

fn find(crs: Crs) -> Option<Arc<System>> {
    let systems = SYSTEMS.read().unwrap_or_else(PoisonError::into_inner);
    systems.get(&crs).cloned()
}

/// What PROJ makes a CRS from.
pub(super) fn definition(crs: Crs) -> Option<String> {
    match local(crs).as_deref() {
        Some(System {
            kind: Kind::Definition { text } | Kind::Fitted { text, .. },
            ..
        }) => Some(text.clone()),
        _ => (!crs.is_local()).then(|| crs.to_string()),
    }
}

/// The CRS that a local system lies in.
pub(super) fn base(crs: Crs) -> Option<Crs> {
    match local(crs)?.kind {
        Kind::Fitted { base, .. } => Some(base),
        _ => None,
    }
}

/// The operation that was chosen for a CRS, or for the one that it lies in.
pub(super) fn chosen(crs: Crs) -> Option<Chosen> {
    // Nothing is registered: nobody waits for the lock.
    if generation() == 0 {
        return None;
    }
    match &find(base(crs).unwrap_or(crs))?.kind {
        Kind::Chosen(chosen) => Some(chosen.clone()),
        _ => None,
    }
}

/// What PROJ makes a CRS from whose operation was chosen.
pub(super) fn bound(definition: &Definition, chosen: &Chosen) -> Result<String, Error> {
    let wgs84: Json = Definition::new(Crs::CRS84)?.json;
    let bound = json!({
        "type": "BoundCRS",
        "source_crs": definition.json,
        "target_crs": wgs84,
        "transformation": chosen.transformation,
    });
    Ok(bound.to_string())
}
