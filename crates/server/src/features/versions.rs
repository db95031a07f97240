//! The history of a feature: its versions, what differs between two, one of them made the feature's state again
//! (proposal "Versioned features" for OGC API Features; RFC 7089, RFC 5829).
//!
//! Versions are counted as whoever asks sees them: numbers of changes would tell of what they do not see. One whose state was
//! let go keeps its number, so that no address comes to name another one.

use axum::extract::State;
use axum::response::Response;
use formats::Format;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, LINK};
use model::access::Permission;
use model::{Message, Value};
use serde_json::{Map, Value as Json, json};
use store::{Cause, LiveCollection, Step, Version};

use super::body::Whole;
use super::output::Output;
use super::query;
use super::{edit, item, items, request};
use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::link::{GEOJSON, JSON, link, segment};
use crate::moment;
use crate::policy::Sight;
use crate::problem::{Problem, shown};
use crate::segments::Segments;

const MEMENTO_DATETIME: HeaderName = HeaderName::from_static("memento-datetime");

/// A state of a feature, and what ended it.
pub(super) struct Shown<'a> {
    version: &'a Version,
    end: Option<&'a Version>,
}

impl Shown<'_> {
    fn is_kept(&self) -> bool {
        self.version.feature.is_some()
    }
}

/// The versions of a feature that whoever asks sees.
pub(super) struct Versions {
    id: String,
    all: Vec<Version>,
    are_numbered: bool,
    /// Since when all states are kept, where some were let go.
    kept_since: Option<String>,
}

impl Versions {
    /// # Errors
    /// 404 for a feature that never was, 401 or 403 for whoever does not see the history.
    pub(super) async fn of(
        app: &App,
        context: &Context,
        sight: &Sight,
        live: &LiveCollection,
        id: &str,
    ) -> Result<Self, Problem> {
        sight.require_history(context, live.collection.id.as_str())?;
        let all = app.store.versions(live, id).await?;
        let store::Versions {
            all,
            are_numbered,
            kept_since,
        } = all.ok_or_else(|| item::missing(live, id))?;
        app.note_personal(context, live, Some(id)).await?;
        Ok(Self {
            id: id.to_owned(),
            all,
            are_numbered,
            kept_since,
        })
    }

    /// The states in their order.
    fn states(&self) -> Vec<Shown<'_>> {
        let next = self.all.iter().skip(1).map(Some).chain([None]);
        self.all
            .iter()
            .zip(next)
            .filter(|(version, _)| version.feature.is_some() || version.is_forgotten)
            .map(|(version, end)| Shown { version, end })
            .collect()
    }

    /// The state of a number from 1.
    ///
    /// # Errors
    /// 404 for a number that there is not, 410 for a state that was let go, and where nobody can count any more.
    fn numbered(&self, text: &str) -> Result<(usize, Shown<'_>), Problem> {
        if !self.are_numbered {
            return Err(self.not_kept(None));
        }
        let number: Option<usize> = text.parse().ok();
        let state = number.and_then(|n| self.states().into_iter().nth(n.checked_sub(1)?));
        let found = number.zip(state);
        let (number, state) = found.ok_or_else(|| {
            let detail = Message::new("server.no-version");
            let detail = detail.with("id", shown(&self.id)).with("n", shown(text));
            Problem::not_found(detail)
        })?;
        match state.is_kept() {
            true => Ok((number, state)),
            false => Err(self.not_kept(Some(&state))),
        }
    }

    /// Why a state is not told; `None` for one that nobody can count any more.
    fn not_kept(&self, state: Option<&Shown<'_>>) -> Problem {
        let time = |text: &String| model::microseconds_of_date_time(text);
        // What has ended before was let go, what has not was not.
        let is_before = |since: &&String| {
            let end = state.and_then(|state| state.end);
            end.is_none_or(|end| time(&end.at) <= time(since))
        };
        let detail = match self.kept_since.as_ref().filter(is_before) {
            Some(since) => Message::new("store.history-not-kept")
                .with("day", since.get(..10).unwrap_or_default()),
            None => Message::new("server.version-not-kept").with("id", shown(&self.id)),
        };
        Problem::new(StatusCode::GONE, detail)
    }

    fn address(&self, context: &Context, live: &LiveCollection) -> String {
        let id = segment(&self.id);
        context.url(format_args!(
            "/collections/{}/items/{id}",
            live.collection.id
        ))
    }

    /// The links of every answer that is about one state of the feature.
    fn links(
        &self,
        context: &Context,
        live: &LiveCollection,
        at: usize,
    ) -> Vec<(String, &'static str)> {
        let here = self.address(context, live);
        let states = self.states();
        let memento = |i: usize| {
            let state = states.get(i).filter(|state| state.is_kept())?;
            Some(format!("{here}?datetime={}", state.version.at))
        };
        let mut links = vec![
            (here.clone(), "original"),
            (format!("{here}/versions"), "timemap"),
            (format!("{here}/versions"), "version-history"),
        ];
        links.extend(memento(at).map(|href| (href, "canonical")));
        let before = at.checked_sub(1).and_then(memento);
        links.extend(before.map(|href| (href, "predecessor-version")));
        links.extend(memento(at + 1).map(|href| (href, "successor-version")));
        links
    }
}

/// `GET /collections/{id}/items/{featureId}/versions`
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    context.wanted.json(JSON)?;
    let sight = app.sight(&context)?;
    let live = sight.require(&id)?;
    let versions = Versions::of(&app, &context, &sight, &live, &feature).await?;
    let names_people = context.principal.may(Permission::ReadStaff);
    let here = versions.address(&context, &live);
    let states = versions.states();
    let count = states.len();
    let mut links = vec![
        link(format!("{here}/versions"), "self", JSON, ""),
        link(here.clone(), "original", GEOJSON, ""),
    ];
    let mut all = Vec::with_capacity(count);
    let first = states.iter().position(Shown::is_kept);
    for (i, state) in states.iter().enumerate() {
        let version = state.version;
        let mut one = json!({
            "from": version.at,
            "until": state.end.map(|end| end.at.clone()),
            "change": change(version, names_people),
        });
        if let Some(end) = state
            .end
            .filter(|end| end.feature.is_none() && !end.is_forgotten)
        {
            one["end"] = change(end, names_people);
        }
        if versions.are_numbered {
            one["version"] = (i + 1).into();
        }
        if !state.is_kept() {
            one["kept"] = false.into();
            all.push(one);
            continue;
        }
        let memento = format!("{here}?datetime={}", version.at);
        let mut as_memento = link(memento.clone(), "memento", GEOJSON, "");
        as_memento["datetime"] = http_date(&version.at).into();
        for (rel, is_it) in [
            ("first", Some(i) == first),
            ("last", i + 1 == count),
            ("latest-version", i + 1 == count),
        ] {
            if is_it {
                links.push(link(memento.clone(), rel, GEOJSON, ""));
            }
        }
        links.push(as_memento);
        one["href"] = match versions.are_numbered {
            true => format!("{here}/versions/{}", i + 1).into(),
            false => memento.into(),
        };
        all.push(one);
    }
    let mut body = json!({ "links": links, "versions": all });
    if let Some(since) = &versions.kept_since {
        body["keptSince"] = since.as_str().into();
    }
    Ok(answer::json(&context, JSON, &body))
}

/// What is told of a change. Who made it, and why, is for those who work with them.
fn change(version: &Version, names_people: bool) -> Json {
    let mut out = Map::new();
    out.insert("operation".to_owned(), version.operation.name().into());
    let cause = &version.cause;
    if let Some(kind) = &cause.kind {
        out.insert("kind".to_owned(), kind.as_str().into());
    }
    if names_people {
        out.insert("actor".to_owned(), version.actor.as_str().into());
        let texts = [("reason", &cause.reason), ("request", &cause.request)];
        for (name, text) in texts {
            if let Some(text) = text {
                out.insert(name.to_owned(), text.as_str().into());
            }
        }
    }
    Json::Object(out)
}

/// `GET /collections/{id}/items/{featureId}/versions/{n}`, and what differs from another one with `against`
pub(crate) async fn one(
    State(app): State<App>,
    context: Context,
    Segments([id, feature, n]): Segments<[String; 3]>,
) -> Result<Response, Problem> {
    context.params.only(&["against"])?;
    context.wanted.json(GEOJSON)?;
    let sight = app.sight(&context)?;
    let live = sight.require(&id)?;
    let versions = Versions::of(&app, &context, &sight, &live, &feature).await?;
    let (number, state) = versions.numbered(&n)?;
    if let Some(other) = context.params.get("against") {
        let (against, before) = versions.numbered(other)?;
        let body = difference(&live, (against, before.version), (number, state.version))?;
        return Ok(answer::json(&context, JSON, &body));
    }
    let output = Output::Features(Format::GeoJson);
    answer(&app, &context, &live, &versions, number - 1, output).await
}

/// Names of properties that differ with both values, and both geometries where they do.
fn difference(
    live: &LiveCollection,
    (from, before): (usize, &Version),
    (to, after): (usize, &Version),
) -> Result<Json, Problem> {
    let (Some(before), Some(after)) = (&before.feature, &after.feature) else {
        return Err(Problem::internal("a state without a feature"));
    };
    let mut properties = Map::new();
    let values = before.properties.iter().zip(&after.properties);
    for (property, (old, new)) in live.collection.schema.properties.iter().zip(values) {
        if old != new {
            let pair = json!({ "from": json_value(old), "to": json_value(new) });
            properties.insert(property.name.clone(), pair);
        }
    }
    let mut out = json!({ "from": from, "to": to, "properties": properties });
    if before.geometry != after.geometry {
        out["geometry"] = json!({
            "from": json_geometry(before.geometry.as_deref())?,
            "to": json_geometry(after.geometry.as_deref())?,
        });
    }
    Ok(out)
}

fn json_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(b) => (*b).into(),
        Value::Integer(i) => (*i).into(),
        Value::Real(x) => (*x).into(),
        Value::Text(text) => text.as_ref().into(),
    }
}

fn json_geometry(wkb: Option<&[u8]>) -> Result<Json, Problem> {
    let Some(wkb) = wkb else {
        return Ok(Json::Null);
    };
    let mut out = Vec::new();
    formats::geojson::write_geometry(&mut out, wkb).map_err(Problem::internal)?;
    serde_json::from_slice(&out).map_err(Problem::internal)
}

/// `GET /collections/{id}/items/{featureId}?datetime=…`: the feature as it was at a moment.
pub(super) async fn memento(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    id: &str,
    text: &str,
    output: Output,
) -> Result<Response, Problem> {
    let at = moment::instant(text)?;
    let wanted = model::microseconds_of_date_time(&at);
    let sight = app.sight(context)?;
    let versions = Versions::of(app, context, &sight, live, id).await?;
    let is_begun = |version: &&Version| model::microseconds_of_date_time(&version.at) <= wanted;
    let last = versions.all.iter().rfind(is_begun);
    let states = versions.states();
    let found = last.and_then(|last| states.iter().position(|s| s.version.seq == last.seq));
    let kept = found.filter(|found| states[*found].is_kept());
    let Some(found) = kept else {
        // Of those who do not see all features nobody knows any more whether it was there for them.
        let since = versions.kept_since.as_deref();
        let since = since.and_then(model::microseconds_of_date_time);
        let is_untold = !versions.are_numbered && wanted < since;
        let mut problem = match found.is_some() || is_untold {
            true => versions.not_kept(found.map(|found| &states[found])),
            false => {
                let detail = Message::new("server.not-then").with("id", shown(id));
                Problem::new(StatusCode::GONE, detail)
            }
        };
        let here = versions.address(context, live);
        let mut links = vec![
            (format!("{here}/versions"), "timemap"),
            (format!("{here}/versions"), "version-history"),
        ];
        if let Some(latest) = states.last().filter(|latest| latest.is_kept()) {
            let href = format!("{here}?datetime={}", latest.version.at);
            links.push((href, "latest-version"));
        }
        add_links(&mut problem.headers, &links);
        return Err(problem);
    };
    answer(app, context, live, &versions, found, output).await
}

async fn answer(
    app: &App,
    context: &Context,
    live: &LiveCollection,
    versions: &Versions,
    at: usize,
    output: Output,
) -> Result<Response, Problem> {
    let states = versions.states();
    let version = states
        .get(at)
        .map(|state| state.version)
        .ok_or_else(|| Problem::internal("a version that is not there"))?;
    let feature = version
        .feature
        .clone()
        .ok_or_else(|| Problem::internal("a version without a state"))?;
    let found = store::Item {
        feature,
        version: version.seq,
    };
    let Output::Features(format) = output else {
        return item::page(context, live, &found);
    };
    let asked = match context.params.get("against").is_none() {
        true => query::of_answer(&context.params, live)?,
        false => query::Asked::default(),
    };
    let encoded = match format == Format::GeoJson && asked.is_plain() {
        true => {
            let mut out = Vec::with_capacity(1024);
            let feature = app.store.in_crs(found.feature, asked.crs.crs);
            items::write_feature(&mut out, live, &feature, asked.crs)?;
            out
        }
        false => item::encoded(app, context, live, found, format, &asked)?,
    };
    let here = context.url_with(&[]);
    let mut response = item::of_bytes(context, live, encoded, |_| here.clone(), format);
    items::name_crs(context, &mut response, asked.crs);
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::try_from(http_date(&version.at)) {
        headers.insert(MEMENTO_DATETIME, date);
    }
    add_links(headers, &versions.links(context, live, at));
    Ok(response)
}

fn add_links(headers: &mut hyper::HeaderMap, links: &[(String, &'static str)]) {
    for (href, rel) in links {
        if let Ok(value) = HeaderValue::try_from(format!("<{href}>; rel=\"{rel}\"")) {
            headers.append(LINK, value);
        }
    }
}

/// `POST /collections/{id}/items/{featureId}/versions/{n}/restore`: the feature is what it was, as a new version.
pub(crate) async fn restore(
    State(app): State<App>,
    context: Context,
    Segments([id, feature, n]): Segments<[String; 3]>,
) -> Result<Response, Problem> {
    context.params.only(&[])?;
    let sight = app.sight(&context)?;
    let live = sight.require(&id)?;
    let versions = Versions::of(&app, &context, &sight, &live, &feature).await?;
    let (_, state) = versions.numbered(&n)?;
    let is_gone = versions.all.last().is_some_and(|v| v.feature.is_none());
    let permission = match is_gone {
        true => Permission::Create,
        false => Permission::Change,
    };
    let writable = app.writable(&context, &id, permission)?;
    let step = Step::Restore {
        id: feature,
        fid: state.version.fid,
        seq: state.version.seq,
        expected: match is_gone {
            true => store::Expected::Anything,
            false => request::expected(&context, &writable)?,
        },
    };
    let cause = Cause {
        kind: Some("restore"),
        ..request::cause(&context, "POST", &[])?
    };
    edit::write(
        &app,
        &context,
        &writable,
        step,
        Whole::nothing(&app)?,
        cause,
    )
    .await
}

/// A time as HTTP writes it (RFC 9110 §5.6.7).
fn http_date(at: &str) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = at.get(..10).and_then(model::days_of_date).unwrap_or(0);
    // The epoch was a Thursday.
    let day = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
    let part = |range| at.get(range).unwrap_or("00");
    let month: usize = part(5..7).parse().unwrap_or(1);
    let month = MONTHS[month.clamp(1, 12) - 1];
    format!(
        "{day}, {} {month} {} {} GMT",
        part(8..10),
        part(0..4),
        part(11..19)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_http_has_them() {
        assert_eq!(
            http_date("2012-10-14T16:43:17.123Z"),
            "Sun, 14 Oct 2012 16:43:17 GMT"
        );
        assert_eq!(
            http_date("1969-12-31T23:59:59.000Z"),
            "Wed, 31 Dec 1969 23:59:59 GMT"
        );
        assert_eq!(
            http_date("2001-07-02T10:43:17.000Z"),
            "Mon, 02 Jul 2001 10:43:17 GMT"
        );
    }
}
