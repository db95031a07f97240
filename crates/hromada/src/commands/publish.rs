//! `hromada publish`.

use clap::ArgMatches;
use model::{CollectionId, Message};
use serde_json::json;
use store::{Access, Followed, PublishJob, Store};

use super::access::tell_closed;
use super::import::settings;
use crate::output::Output;
use crate::{Outcome, Told, cli, console};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let text = |name: &str| args.get_one::<String>(name).cloned();
    let store = Store::open(cli::place(args)?, Access::Write).await?;
    let id = |id: &str| CollectionId::new(id).map_err(|e| Told(e.0));
    if let Some(withdrawn) = text("withdraw") {
        store.withdraw(&id(&withdrawn)?, &console::actor()).await?;
        output.say(&Message::new("cli.withdrawn").with("collection", withdrawn));
        store.close().await;
        return Ok(Outcome::Done);
    }
    let table = text("table").unwrap_or_default();
    let name = table.rsplit('.').next().unwrap_or_default();
    let name = name.trim_matches('"').to_lowercase();
    let job = PublishJob {
        collection: id(&text("collection").unwrap_or(name))?,
        key: text("key"),
        geometry: text("geometry"),
        is_editable: args.get_flag("editable"),
        version: text("version-column"),
        poll: args.get_flag("poll"),
        settings: settings(args),
        table,
    };
    let published = store.publish(&job, &console::actor()).await?;
    store.close().await;
    let collection = &published.collection;
    if output.json {
        let followed = match published.followed {
            Followed::ByTriggers => "triggers",
            Followed::ByPolling => "polling",
        };
        let notes: Vec<String> = published.notes.iter().map(ToString::to_string).collect();
        output.result(&json!({
            "collection": collection.id.as_str(), "table": job.table, "features": published.features,
            "key": published.key, "geometry": published.geometry, "geometryType": collection.geometry_type.name(),
            "storageCrs": collection.storage_crs.to_string(), "editable": published.is_editable,
            "followed": followed, "notes": notes,
            "access": store.directory().access(collection.id.as_str()).class.name(),
        }));
        return Ok(Outcome::Done);
    }
    output.say(
        &Message::new("cli.published")
            .with("table", &job.table)
            .with("collection", &collection.id)
            .with("features", published.features)
            .with("key", &published.key)
            .with("geometry", &published.geometry)
            .with("type", collection.geometry_type.name())
            .with("crs", collection.storage_crs),
    );
    output.say(&Message::new(match published.followed {
        Followed::ByTriggers => "cli.published-triggers",
        Followed::ByPolling => "cli.published-polling",
    }));
    for note in &published.notes {
        output.say(note);
    }
    tell_closed(&store, &collection.id, output);
    Ok(Outcome::Done)
}
