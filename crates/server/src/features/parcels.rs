//! Cadastral operations: parcels divided, joined and renumbered, borders moved and corrected, each as one transaction; and
//! which parcels came of which (INSPIRE and LADM, ISO 19152, ask for both).

use std::collections::HashSet;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use model::access::Permission;
use model::{Collection, Message, Value};
use serde_json::{Value as Json, json};
use store::{Cadastral, CadastralOperation, Expected};

use super::request::{self, Received};
use super::{body, transactions};
use crate::answer;
use crate::app::App;
use crate::context::Context;
use crate::crs::Reference;
use crate::link::{JSON, segment};
use crate::policy::Writable;
use crate::problem::{Flaw, Problem, shown};
use crate::segments::Segments;

/// Positions of a line, or points that move, at most: borders of a quarter have some thousand.
const MAX_POINTS: usize = 10_000;

/// Parcels that are joined or renumbered at once.
const MAX_PARCELS: usize = 1_000;

/// `POST /collections/{id}/operations`
pub(crate) async fn operate(
    State(app): State<App>,
    context: Context,
    Segments(id): Segments<String>,
    body: Body,
) -> Result<Response, Problem> {
    let Received {
        whole,
        writable,
        sent,
        cause,
    } = request::received(
        &app,
        &context,
        &id,
        ("POST", Permission::Change),
        body,
        &[JSON],
    )
    .await?;
    let json: Json = body::parsed(&whole.bytes, |bytes| {
        serde_json::from_slice(bytes).map_err(|error| {
            let detail = Message::new("server.operation-json");
            detail.with("reason", error).into()
        })
    })
    .await?;
    let cause = request::because(cause, json["description"].as_str())?;
    let reader = Reader {
        json: &json,
        collection: &writable.live.collection,
        sent,
    };
    let what = reader.what().map_err(Problem::of_flaws)?;
    if matches!(what, Cadastral::Split { .. } | Cadastral::Merge { .. }) {
        app.writable(&context, &id, Permission::Create)?;
        app.writable(&context, &id, Permission::Delete)?;
    }
    let expected = expected(&json, &writable, &what)?;
    let operation = CadastralOperation {
        collection: id,
        by: writable.by.clone(),
        rules: writable.rules.clone(),
        what,
        expected,
        crs: sent.crs,
    };
    transactions::operated(&app, &context, whole, operation, cause).await
}

/// The states that the parcels must have: `"if-match": {"id": "tag"}`.
fn expected(
    json: &Json,
    writable: &Writable,
    what: &Cadastral,
) -> Result<Vec<(String, Expected)>, Problem> {
    let tags = match json.get("if-match") {
        None | Some(Json::Null) => Some(Vec::new()),
        Some(tags) => tags.as_object().and_then(|tags| {
            let tag = |(id, tag): (&String, &Json)| {
                let expected = request::expected_tag(&writable.live, tag.as_str()?);
                Some((id.clone(), expected))
            };
            tags.iter().map(tag).collect()
        }),
    };
    let flaw = || Flaw::new("/if-match", Message::new("server.operation-tags"));
    let all = tags.ok_or_else(|| Problem::of_flaws(vec![flaw()]))?;
    let named: Vec<&String> = match what {
        Cadastral::Split { id, .. } => vec![id],
        Cadastral::Merge { ids, .. } => ids.iter().collect(),
        Cadastral::Renumber { ids } => ids.iter().map(|(old, _)| old).collect(),
        Cadastral::Move { .. } | Cadastral::Correct { .. } => Vec::new(),
    };
    let has_tag = |id: &String| all.iter().any(|(known, _)| known == id);
    if writable.rules.is_strict && !named.into_iter().all(has_tag) {
        return Err(request::condition_required(&writable.live));
    }
    Ok(all)
}

/// Reads an operation; all that is wrong is told with its place.
struct Reader<'a> {
    json: &'a Json,
    collection: &'a Collection,
    sent: Reference,
}

type Read<T> = Result<T, Vec<Flaw>>;

fn wrong<T>(pointer: impl Into<String>, key: &'static str) -> Read<T> {
    Err(vec![Flaw::new(pointer, Message::new(key))])
}

impl Reader<'_> {
    fn what(&self) -> Read<Cadastral> {
        let json = self.json;
        let keeps = match &json["keep"] {
            Json::Null => false,
            Json::Bool(keeps) => *keeps,
            _ => return wrong("/keep", "server.operation-keep"),
        };
        Ok(match json["operation"].as_str().unwrap_or_default() {
            "split" => Cadastral::Split {
                id: self.id("id")?,
                line: self.line("line")?,
                pieces: self.pieces()?,
                keeps,
            },
            "merge" => Cadastral::Merge {
                ids: self.ids()?,
                properties: self.properties(&json["properties"], "")?,
                keeps,
            },
            "renumber" => Cadastral::Renumber {
                ids: self.renumbered()?,
            },
            "move" => Cadastral::Move {
                moves: self.moves()?,
            },
            "correct" => Cadastral::Correct {
                from: self.line("from")?,
                to: self.line("to")?,
            },
            _ => return wrong("/operation", "server.operation-unknown"),
        })
    }

    fn id(&self, member: &str) -> Read<String> {
        transactions::as_id(&self.json[member])
            .map_or_else(|| wrong(format!("/{member}"), "server.operation-id"), Ok)
    }

    fn ids(&self) -> Read<Vec<String>> {
        let ids = self.json["ids"].as_array();
        let ids: Option<Vec<String>> =
            ids.and_then(|ids| ids.iter().map(transactions::as_id).collect());
        match ids {
            Some(ids)
                if (2..=MAX_PARCELS).contains(&ids.len())
                    && ids.iter().collect::<HashSet<_>>().len() == ids.len() =>
            {
                Ok(ids)
            }
            _ => wrong("/ids", "server.operation-ids"),
        }
    }

    fn renumbered(&self) -> Read<Vec<(String, String)>> {
        let ids = self.json["ids"].as_object();
        let ids = ids.filter(|ids| (1..=MAX_PARCELS).contains(&ids.len()));
        let pairs: Option<Vec<(String, String)>> = ids.and_then(|ids| {
            let pair = |(old, new): (&String, &Json)| Some((old.clone(), new.as_str()?.to_owned()));
            ids.iter().map(pair).collect()
        });
        pairs.map_or_else(|| wrong("/ids", "server.operation-renumber"), Ok)
    }

    fn point(&self, json: &Json) -> Option<[f64; 2]> {
        let pair = json.as_array().filter(|pair| pair.len() >= 2)?;
        let point = [pair[0].as_f64()?, pair[1].as_f64()?];
        let [first, second] = point;
        Some(match self.sent.y_first {
            true => [second, first],
            false => point,
        })
    }

    fn line(&self, member: &str) -> Read<Vec<[f64; 2]>> {
        let json = &self.json[member];
        let positions = json["coordinates"].as_array();
        let positions = positions.filter(|p| (2..=MAX_POINTS).contains(&p.len()));
        let is_line = json["type"] == "LineString";
        let points = positions
            .filter(|_| is_line)
            .and_then(|all| all.iter().map(|p| self.point(p)).collect());
        points.map_or_else(|| wrong(format!("/{member}"), "server.operation-line"), Ok)
    }

    fn moves(&self) -> Read<Vec<([f64; 2], [f64; 2])>> {
        let points = self.json["points"].as_array();
        let points = points.filter(|p| (1..=MAX_POINTS).contains(&p.len()));
        let moves: Option<Vec<_>> = points.and_then(|all| {
            let one = |p: &Json| Some((self.point(&p["from"])?, self.point(&p["to"])?));
            all.iter().map(one).collect()
        });
        moves.map_or_else(|| wrong("/points", "server.operation-points"), Ok)
    }

    fn pieces(&self) -> Read<Vec<Vec<(usize, Value)>>> {
        let Some(pieces) = self.json.get("pieces") else {
            return Ok(Vec::new());
        };
        let Some(pieces) = pieces.as_array().filter(|p| p.len() <= MAX_PARCELS) else {
            return wrong("/pieces", "server.operation-pieces");
        };
        let of = |(i, piece): (usize, &Json)| {
            self.properties(&piece["properties"], &format!("/pieces/{i}"))
        };
        pieces.iter().enumerate().map(of).collect()
    }

    fn properties(&self, json: &Json, place: &str) -> Read<Vec<(usize, Value)>> {
        let members = match json {
            Json::Null => return Ok(Vec::new()),
            Json::Object(members) => members,
            _ => return wrong(format!("{place}/properties"), "server.operation-pieces"),
        };
        let (mut given, mut nested) = (Vec::with_capacity(members.len()), Vec::new());
        for (name, json) in members {
            let value = match json {
                Json::Null => Value::Null,
                Json::Bool(b) => Value::Boolean(*b),
                Json::Number(n) => match n.as_i64() {
                    Some(i) => Value::Integer(i),
                    None => Value::Real(n.as_f64().unwrap_or(f64::NAN)),
                },
                Json::String(text) => Value::Text(text.as_str().into()),
                Json::Array(_) | Json::Object(_) => {
                    let detail = Message::new("formats.property-nested").with("name", shown(name));
                    nested.push(Flaw::new(body::pointer_of(name), detail));
                    continue;
                }
            };
            given.push((name.clone(), value));
        }
        let (values, mut flaws) = body::typed_all(self.collection, given);
        flaws.extend(nested);
        match flaws.is_empty() {
            true => Ok(values),
            false => Err(flaws.into_iter().map(|flaw| flaw.within(place)).collect()),
        }
    }
}

/// `GET /collections/{id}/items/{featureId}/lineage`: what the parcel came of, and what came of it.
pub(crate) async fn lineage(
    State(app): State<App>,
    context: Context,
    Segments([id, feature]): Segments<[String; 2]>,
) -> Result<Response, Problem> {
    context.params.only(&["as-of"])?;
    context.wanted.json(JSON)?;
    let sight = app.sight(&context)?;
    let live = sight.require(&id)?;
    sight.require_history(&context, &id)?;
    let moment = app.moment(context.params.get("as-of")).await?;
    let until = moment.map(|moment| moment.seq);
    let found = app.store.lineage(&live, &feature, until).await?;
    let found = found.ok_or_else(|| super::item::missing(&live, &feature))?;
    let address = |id: &str| {
        let id = segment(id);
        context.url(format_args!(
            "/collections/{}/items/{id}",
            live.collection.id
        ))
    };
    let of = |id: &str| json!({ "id": id, "href": address(id), "versions": format!("{}/versions", address(id)) });
    let steps = found.iter().map(|step| {
        json!({
            "kind": step.kind,
            "at": step.at,
            "from": of(&step.old_id),
            "to": of(&step.new_id),
        })
    });
    let body = json!({ "id": feature, "steps": steps.collect::<Vec<_>>() });
    Ok(answer::json(&context, JSON, &body))
}
