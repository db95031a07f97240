//! What the commands print: texts or JSON on standard output, progress and errors on standard error.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::ArgMatches;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::{Lang, Message};
use serde_json::Value as Json;

use crate::Told;

pub(crate) struct Output {
    pub(crate) lang: Lang,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    pub(crate) fn new(lang: Lang, matches: &ArgMatches) -> Self {
        Self {
            lang,
            json: matches.get_flag("json"),
            quiet: matches.get_flag("quiet"),
        }
    }

    pub(crate) fn text(&self, message: &Message) -> String {
        message.text(self.lang)
    }

    /// A line for people; nothing with `--json` or `--quiet`.
    pub(crate) fn say(&self, message: &Message) {
        if !self.json && !self.quiet {
            self.line(&self.text(message));
        }
    }

    /// Whether a person reads what [`Output::say`] says.
    pub(crate) fn is_on_terminal(&self) -> bool {
        !self.json && !self.quiet && std::io::stdout().is_terminal()
    }

    /// A line on standard output, whatever the flags.
    pub(crate) fn line(&self, text: &str) {
        // A reader that went away (`| head`) is no error.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// The result for programs: one JSON value.
    pub(crate) fn result(&self, json: &Json) {
        self.line(&format!("{json:#}"));
    }

    /// An error with its cause, as text or as JSON with `--json`.
    pub(crate) fn failed(&self, error: &anyhow::Error) {
        let text = self.error_text(error);
        if self.json {
            self.result(&serde_json::json!({"error": text}));
        }
        self.complain(&text);
    }

    /// An error on standard error.
    pub(crate) fn complain(&self, text: &str) {
        let label = Message::new("cli.error").text(self.lang);
        let _ = writeln!(std::io::stderr().lock(), "{label}: {text}");
    }

    fn error_text(&self, error: &anyhow::Error) -> String {
        if let Some(told) = error.downcast_ref::<Told>() {
            return self.text(&told.0);
        }
        match error.downcast_ref::<store::Error>() {
            Some(error) => self.store_error_text(error),
            None => format!("{error:#}"),
        }
    }

    /// What an error of the store says: its text for people, or its cause.
    pub(crate) fn store_error_text(&self, error: &store::Error) -> String {
        match error.message() {
            Some(message) => self.text(message),
            None => error.to_string(),
        }
    }

    /// A progress bar on a terminal, with rate and time left; elsewhere one that draws nothing.
    pub(crate) fn progress(&self, total: Option<u64>, label: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if self.json || self.quiet || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = match total {
            Some(_) => "{prefix} [{bar:30}] {human_pos}/{human_len} · {per_sec} · {eta}",
            None => "{prefix} {spinner} {human_pos} · {per_sec} · {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_prefix(label.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}
