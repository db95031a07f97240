//! Coordinate reference systems by reference (OGC 18-058r1).

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use axum::extract::State;
use axum::response::Response;
use model::{Crs, Envelope, Message};
use serde_json::Value as Json;
use spatial::crs::{Area, Outline, outline};
use store::LiveCollection;

use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::link::JSON;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

pub(crate) const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// CRSs of a collection at most: the official suite asks for features in each.
const MAX_OFFERED: usize = 20;

/// Everywhere: WGS 84 with latitude first, and Web Mercator.
const WORLD: [u32; 2] = [4326, 3857];

/// Offered where their area of use is: UCS-2000, its oblast systems and zones, SK-63, and UTM.
const NATIONAL: [(u32, u32); 8] = [
    (5561, 5561),
    (6381, 6387),
    (9821, 9821),
    (9831, 9841),
    (9851, 9865),
    (7825, 7831),
    (25834, 25837),
    (32634, 32637),
];

/// A CRS with the order in which coordinates in it are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Reference {
    pub(crate) crs: Crs,
    /// Latitude or northing first, as the authority has it.
    pub(crate) y_first: bool,
}

impl Reference {
    /// Longitude and latitude on WGS 84.
    pub(crate) const CRS84: Self = Self {
        crs: Crs::CRS84,
        y_first: false,
    };

    /// OGC's URI; that of a local system is of this server, which alone knows it.
    pub(crate) fn uri(self, context: &Context) -> String {
        match self.crs.is_local() {
            true => context.url(format_args!("/crs/{}", self.crs.code())),
            false => self.name(),
        }
    }

    /// As [`Reference::uri`], without the server: a local system is `HROMADA:990001`.
    fn name(self) -> String {
        if self == Self::CRS84 {
            return CRS84.to_owned();
        }
        if self.crs.is_local() {
            return self.crs.to_string();
        }
        format!("http://www.opengis.net/def/crs/EPSG/0/{}", self.crs.code())
    }
}

struct National {
    reference: Reference,
    area: Area,
}

static NATIONALS: LazyLock<Vec<National>> = LazyLock::new(|| {
    let codes = NATIONAL.iter().flat_map(|(first, last)| *first..=*last);
    let known = |code: u32| {
        let crs = Crs::epsg(code);
        let Outline {
            y_first,
            area_of_use,
            ..
        } = outline(crs).ok()?;
        Some(National {
            reference: Reference { crs, y_first },
            area: area_of_use?,
        })
    };
    codes.filter_map(known).collect()
});

/// Looks the national ones up, which takes some hundred milliseconds the first time.
pub(crate) fn prepare() {
    LazyLock::force(&NATIONALS);
}

/// The CRSs that features of a collection can be asked for in: CRS84 first.
pub(crate) fn offered(live: &LiveCollection) -> Vec<Reference> {
    let mut all = vec![Reference::CRS84];
    let mut add = |reference: Reference| {
        if !all.contains(&reference) && all.len() < MAX_OFFERED {
            all.push(reference);
        }
    };
    add(storage(live));
    for code in WORLD {
        add(Reference {
            crs: Crs::epsg(code),
            y_first: code == 4326,
        });
    }
    if let Some(extent) = live.index.extent() {
        let near = |area: &Area| intersects(area, &extent);
        for system in spatial::crs::locals() {
            let (reference, area) = other(system.crs);
            if area.is_none_or(|area| near(&area)) {
                add(reference);
            }
        }
        NATIONALS
            .iter()
            .filter(|national| near(&national.area))
            .for_each(|national| add(national.reference));
    }
    all
}

/// The storage CRS of a collection.
pub(crate) fn storage(live: &LiveCollection) -> Reference {
    let crs = live.collection.storage_crs;
    if crs.is_wgs84() {
        return Reference::CRS84;
    }
    let known = NATIONALS.iter().find(|n| n.reference.crs == crs);
    known.map_or_else(|| other(crs).0, |national| national.reference)
}

type Known = HashMap<Crs, (Reference, Option<Area>)>;

/// A CRS that is none of the national ones, and where it is meant to be used. Its definition is looked up once.
fn other(crs: Crs) -> (Reference, Option<Area>) {
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(&crs) {
        return found.clone();
    }
    let Ok(outline) = outline(crs) else {
        // A local system may become known later.
        let y_first = false;
        return (Reference { crs, y_first }, None);
    };
    let y_first = outline.y_first;
    let found = (Reference { crs, y_first }, outline.area_of_use);
    known.insert(crs, found.clone());
    found
}

/// `GET /crs/{code}`: a local system as PROJJSON, for those who see a collection that is offered in it.
pub(crate) async fn one(
    State(app): State<App>,
    context: Context,
    Segments(code): Segments<String>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(JSON)?;
    let seen = app.sight(&context)?.all();
    let nothing = || Problem::not_found(Message::new("server.no-such-path"));
    let crs = code
        .parse()
        .ok()
        .map(Crs::epsg)
        .filter(|crs| crs.is_local());
    let crs = crs.ok_or_else(nothing)?;
    let is_it = |reference: &Reference| reference.crs == crs;
    if !seen.iter().any(|live| offered(live).iter().any(is_it)) {
        return Err(nothing());
    }
    let text = spatial::crs::projjson(crs).map_err(|_unknown| nothing())?;
    let body: Json = serde_json::from_str(&text).map_err(Problem::internal)?;
    Ok(answer::json(&context, JSON, &body))
}

fn intersects(area: &Area, extent: &Envelope) -> bool {
    area.west <= extent.max[0]
        && extent.min[0] <= area.east
        && area.south <= extent.max[1]
        && extent.min[1] <= area.north
}

/// A parameter that names one of the CRSs of a collection (/req/crs/fc-crs-valid-value, /req/crs/fc-bbox-crs-valid-value), or
/// CRS84 where there is no such parameter.
///
/// # Errors
/// 400 with the CRSs that there are.
pub(crate) fn named(
    live: &LiveCollection,
    parameter: &'static str,
    text: Option<&str>,
) -> Result<Reference, Problem> {
    let Some(text) = text else {
        return Ok(Reference::CRS84);
    };
    if text == CRS84 {
        return Ok(Reference::CRS84);
    }
    let offered = offered(live);
    let found = written(text).and_then(|(crs, is_crs84)| {
        // By its code among those that are offered: what a client makes up is never looked up.
        let is_it = |reference: &&Reference| {
            reference.crs == crs && (**reference == Reference::CRS84) == is_crs84
        };
        offered.iter().find(is_it).copied()
    });
    found.ok_or_else(|| {
        let all: Vec<String> = offered.iter().map(|r| r.name()).collect();
        let detail = Message::new("server.crs-unknown")
            .with("parameter", parameter)
            .with("value", shown(text))
            .with("known", all.join(", "));
        Problem::bad_request(detail)
    })
}

/// The CRS that the URI, the URN or `[EPSG:6382]` names (OGC 18-058r1 §6.2; safe CURIEs of Part 2, version 1.0.1), and whether
/// it is WGS 84 with longitude first.
fn written(text: &str) -> Option<(Crs, bool)> {
    let text = text.trim_start_matches('[').trim_end_matches(']');
    if text.bytes().all(|b| b.is_ascii_digit()) {
        // A code of nobody's.
        return None;
    }
    let is_epsg = text.to_ascii_uppercase().contains("EPSG");
    let crs = Crs::parse(text).ok()?;
    Some((crs, crs.is_wgs84() && !is_epsg))
}
