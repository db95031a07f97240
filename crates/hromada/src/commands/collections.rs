//! `hromada collections`.

use clap::ArgMatches;
use model::Message;
use serde_json::json;
use store::{Access, Place, Store};

use crate::output::Output;
use crate::{Outcome, cli};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let place = cli::place(args)?;
    if let Place::Folder(folder) = &place
        && !folder.join(store::FILE_NAME).exists()
    {
        // A script may ask before the first import.
        if output.json {
            output.result(&json!({"collections": []}));
        } else {
            output.say(&Message::new("store.missing").with("folder", folder.display()));
        }
        return Ok(Outcome::Done);
    }
    let store = Store::open(place, Access::Read).await?;
    let summaries = store.summaries().await?;
    if output.json {
        let collections: Vec<_> = summaries
            .iter()
            .map(|s| {
                let mut definition = store::definition_json(&s.collection);
                definition["id"] = json!(s.collection.id.as_str());
                match &s.counted {
                    Ok((features, extent)) => {
                        definition["features"] = json!(features);
                        definition["extent"] =
                            json!(extent.map(|e| [e.min[0], e.min[1], e.max[0], e.max[1]]));
                    }
                    Err(reason) => definition["error"] = json!(reason.text(output.lang)),
                }
                definition
            })
            .collect();
        output.result(&json!({"collections": collections}));
        return Ok(Outcome::Done);
    }
    let width = summaries
        .iter()
        .map(|s| s.collection.id.as_str().len())
        .max()
        .unwrap_or(0);
    for summary in &summaries {
        let collection = &summary.collection;
        let features = match &summary.counted {
            Ok((features, _)) => features.to_string(),
            Err(_) => "?".to_owned(),
        };
        output.line(&format!(
            "{:width$}  {:>9}  {:<18} {:<10}  {}",
            collection.id.as_str(),
            features,
            collection.geometry_type.name(),
            collection.storage_crs.to_string(),
            collection.title.get(output.lang)
        ));
        if let Err(reason) = &summary.counted {
            output.say(reason);
        }
    }
    Ok(Outcome::Done)
}
