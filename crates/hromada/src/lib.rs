//! The command line of hromada. What the commands do lies in the crates below; here are arguments, terminal and exit codes.

pub mod cli;
mod commands;
mod console;
mod manifest;
mod output;
mod role_bounds;
pub mod sample_town;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use model::{Lang, Message};

use output::Output;

/// How a command ended: the exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 0
    Done,
    /// 1
    Failed,
    /// 3: done, but some records were rejected.
    DoneWithRejected,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::DoneWithRejected => 3,
        })
    }
}

/// Runs the command line and gives its exit code; 2 means that the arguments were wrong.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let lang = cli::language(&args);
    let matches = match cli::command(lang).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            let asked_for = !error.use_stderr();
            // Nothing can be said where the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if asked_for { 0 } else { 2 });
        }
    };
    let output = Output::new(lang, &matches);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failed(&error.into());
            return Outcome::Failed.into();
        }
    };
    match runtime.block_on(commands::run(&matches, &output)) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            output.failed(&error);
            Outcome::Failed.into()
        }
    }
}

/// An error whose text is in the catalogue.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Message);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.text(Lang::En))
    }
}

impl std::error::Error for Told {}

/// A file that is small by its nature, read whole.
pub(crate) fn read_text(file: &Path, most: u64) -> Result<String, Told> {
    let size = std::fs::metadata(file).map_err(|e| unreadable(file, e))?;
    if size.len() > most {
        return Err(unreadable(file, format!("> {} MiB", most >> 20)));
    }
    std::fs::read_to_string(file).map_err(|e| unreadable(file, e))
}

pub(crate) fn unreadable(file: &Path, reason: impl std::fmt::Display) -> Told {
    let message = Message::new("cli.file-unreadable").with("file", file.display());
    Told(message.with("reason", reason))
}
