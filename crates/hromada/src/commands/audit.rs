//! `hromada audit`.

use clap::ArgMatches;
use model::{Message, date_of_days, days_of_date, normalise_date_time};
use serde_json::{Value as Json, json};
use store::{AuditFilter, AuditRecord, Verified};

use super::{reading, text};
use crate::output::Output;
use crate::{Outcome, Told};

pub(crate) async fn run(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    match args.subcommand() {
        Some(("show", args)) => show(args, output).await,
        Some(("verify", args)) => verify(args, output).await,
        _ => unreachable!("the command line requires a known command"),
    }
}

async fn show(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let given = |name| text(args, name).map(str::to_owned);
    let filter = AuditFilter {
        actor: given("actor"),
        action: given("action"),
        subject: given("subject"),
        from: text(args, "from").map(|t| moment(t, 0)).transpose()?,
        until: text(args, "until").map(|t| moment(t, 1)).transpose()?,
        before: None,
        limit: args.get_one::<u32>("limit").copied().unwrap_or(50),
    };
    let store = reading(args).await?;
    let records = store.audited(&filter).await?;
    if output.json {
        let records: Vec<Json> = records.iter().map(record_json).collect();
        output.result(&json!({ "records": records }));
        return Ok(Outcome::Done);
    }
    for record in &records {
        output.line(&format!(
            "{:>6}  {}  {}  {}  {}  {}",
            record.n, record.at, record.actor, record.action, record.subject, record.detail
        ));
    }
    Ok(Outcome::Done)
}

fn record_json(record: &AuditRecord) -> Json {
    // What can't be read is told as it stands there.
    let detail = serde_json::from_str(&record.detail).unwrap_or_else(|_| json!(record.detail));
    json!({
        "n": record.n, "at": record.at, "actor": record.actor, "action": record.action,
        "subject": record.subject, "detail": detail, "hash": record.hash,
    })
}

/// A day, or a time with its offset, so that it compares with those of the log as a text. `days` later, if it is a day.
fn moment(text: &str, days: i64) -> anyhow::Result<String> {
    let day = days_of_date(text).and_then(|day| date_of_days(day + days));
    // Without the letter at its end a time comes before all of the same second.
    let time = || Some(normalise_date_time(text)?.trim_end_matches('Z').to_owned());
    let told = || Told(Message::new("cli.audit-no-time").with("time", text));
    Ok(day.or_else(time).ok_or_else(told)?)
}

async fn verify(args: &ArgMatches, output: &Output) -> anyhow::Result<Outcome> {
    let noted = text(args, "noted").map(noted).transpose()?;
    let store = reading(args).await?;
    let verified = store.verify_audit(noted).await?;
    let outcome = match verified.findings.is_empty() {
        true => Outcome::Done,
        false => Outcome::Failed,
    };
    if output.json {
        output.result(&verified_json(&verified, output));
        return Ok(outcome);
    }
    for finding in &verified.findings {
        output.line(&format!("✗ {}", output.text(&finding.message())));
    }
    if verified.findings.is_empty() {
        output.say(&Message::new("cli.audit-whole").count(verified.records));
    }
    if let Some((n, hash)) = &verified.last {
        output.say(&Message::new("cli.audit-note"));
        output.line(&format!("{n}:{hash}"));
    }
    Ok(outcome)
}

fn verified_json(verified: &Verified, output: &Output) -> Json {
    let findings: Vec<Json> = verified
        .findings
        .iter()
        .map(|finding| {
            let message = finding.message();
            json!({ "key": message.key(), "text": output.text(&message) })
        })
        .collect();
    let last = verified.last.as_ref();
    json!({
        "clean": verified.findings.is_empty(), "records": verified.records, "findings": findings,
        "last": last.map(|(n, hash)| format!("{n}:{hash}")),
    })
}

/// Number and hash of a record that somebody wrote down.
fn noted(text: &str) -> anyhow::Result<(i64, String)> {
    let parsed = text.split_once(':').and_then(|(n, hash)| {
        let hash = hash.trim().to_ascii_lowercase();
        let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        Some((n.trim().parse().ok()?, is_hash.then_some(hash)?))
    });
    Ok(parsed.ok_or_else(|| Told(Message::new("cli.audit-noted-invalid").with("noted", text)))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_whole_and_a_time_comes_before_its_own_fractions() {
        assert_eq!(moment("2026-02-28", 1).unwrap(), "2026-03-01");
        assert_eq!(moment("2026-02-28", 0).unwrap(), "2026-02-28");
        let time = moment("2026-03-01T12:00:00+02:00", 1).unwrap();
        assert_eq!(time, "2026-03-01T10:00:00.000");
        assert!(time.as_str() <= "2026-03-01T10:00:00.000Z");
        assert!(moment("yesterday", 0).is_err());
    }

    #[test]
    fn what_was_noted_is_read_back() {
        let hash = "0a".repeat(32);
        assert_eq!(noted(&format!("7:{hash}")).unwrap(), (7, hash.clone()));
        for bad in ["7", "x:00", &hash] {
            assert!(noted(bad).is_err(), "{bad}");
        }
    }
}
