//! What the check found, and how much of it is kept.

use serde_json::Value;

use super::place::Place;

/// A person mends a style by parts: more findings than this are not read.
pub(super) const MAX_FINDINGS: usize = 100;

/// Characters of a value that a finding shows.
const SHOWN: usize = 60;

/// Parts of expressions that are read in all. A big style has some ten thousand; a few bytes of nested `let` would ask
/// for 2⁶⁰, because the specification reads the last argument twice when their number is even.
const MAX_STEPS: usize = 1_000_000;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Finding {
    /// JSON pointer (RFC 6901) to the place; the empty text is the whole document.
    pub(in super::super) pointer: String,
    /// Key of the text in the catalogue.
    pub(in super::super) key: &'static str,
    /// What stands in the places `{name}` of the text.
    pub(in super::super) values: Vec<(&'static str, String)>,
}

impl Finding {
    /// Whether map programs accept the style with it all the same: the specification's own validator lets unknown
    /// members of the root and of layers pass, and only warns of mixed filters.
    #[must_use]
    pub(in super::super) fn is_advice(&self) -> bool {
        matches!(self.key, "style.unknown-member" | "style.filter-mixed")
    }
}

#[derive(Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    steps: usize,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        at: &Place<'_>,
        key: &'static str,
        values: Vec<(&'static str, String)>,
    ) {
        let finding = Finding {
            pointer: at.pointer(),
            key,
            values,
        };
        if self.list.len() < MAX_FINDINGS {
            self.list.push(finding);
        } else if !finding.is_advice() && self.list.iter().all(Finding::is_advice) {
            // A hundred pieces of advice must not hide that the style is wrong.
            self.list.pop();
            self.list.push(finding);
        }
    }

    /// Shows the value itself as `{value}`.
    pub(super) fn value(&mut self, at: &Place<'_>, key: &'static str, value: &Value) {
        self.add(at, key, vec![("value", shown(value))]);
    }

    /// Counts a part of an expression; `false` when there were too many, which is a finding.
    pub(super) fn step(&mut self) -> bool {
        self.charge(1)
    }

    /// Counts parts that are looked at once more.
    pub(super) fn charge(&mut self, parts: usize) -> bool {
        let before = self.steps;
        self.steps = before.saturating_add(parts);
        if before < MAX_STEPS && self.steps >= MAX_STEPS {
            self.add(&Place::ROOT, "style.too-large", Vec::new());
        }
        self.steps < MAX_STEPS
    }

    pub(super) fn is_full(&self) -> bool {
        self.steps >= MAX_STEPS
            || self.list.len() >= MAX_FINDINGS && !self.list.iter().all(Finding::is_advice)
    }
}

/// A value as JSON, shortened for people.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) if items.len() > SHOWN => "[…]".to_owned(),
        Value::Object(members) if !members.is_empty() => "{…}".to_owned(),
        Value::String(text) => shorten(text),
        _ => shorten(&value.to_string()),
    }
}

pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
