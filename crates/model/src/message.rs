//! Texts that people read, from one catalogue in Ukrainian and English.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use serde_json::Value as Json;

/// Language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    Uk,
    #[default]
    En,
}

impl Lang {
    /// From a language tag or a POSIX locale (`uk`, `uk-UA`, `uk_UA.UTF-8`).
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_', '.', ';']).next()?.trim();
        [Self::Uk, Self::En]
            .into_iter()
            .find(|l| l.tag().eq_ignore_ascii_case(primary))
    }

    pub fn tag(self) -> &'static str {
        match self {
            Self::Uk => "uk",
            Self::En => "en",
        }
    }
}

/// A text of the catalogue with its arguments, still without a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    key: &'static str,
    args: Vec<(&'static str, Argument)>,
    count: Option<u64>,
}

/// What stands in the place of `{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Argument {
    Text(String),
    /// Another text of the catalogue, in the language of the whole.
    Message(Box<Message>),
}

impl Message {
    pub fn new(key: &'static str) -> Self {
        Self {
            key,
            args: Vec::new(),
            count: None,
        }
    }

    /// Fills `{name}`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.args.push((name, Argument::Text(value.to_string())));
        self
    }

    /// Fills `{name}` with another text of the catalogue.
    #[must_use]
    pub fn with_message(mut self, name: &'static str, message: Message) -> Self {
        self.args.push((name, Argument::Message(Box::new(message))));
        self
    }

    /// Fills `{n}` and chooses the plural form.
    #[must_use]
    pub fn count(mut self, n: u64) -> Self {
        self.count = Some(n);
        self.with("n", n)
    }

    pub fn key(&self) -> &'static str {
        self.key
    }

    /// The text in a language. A key that the catalogue lacks is shown as it is.
    pub fn text(&self, lang: Lang) -> String {
        let template = catalogue()
            .get(self.key)
            .map(|entry| entry.get(lang, self.count));
        let mut rest = template.unwrap_or(self.key);
        let mut out = String::with_capacity(rest.len() + 32);
        // One pass, so that braces inside an argument are never taken for another argument.
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            let tail = &rest[open..];
            let close = tail.find('}');
            let value = close.and_then(|c| self.args.iter().find(|(name, _)| *name == &tail[1..c]));
            match (close, value) {
                (Some(c), Some((_, value))) => {
                    match value {
                        Argument::Text(text) => out.push_str(text),
                        Argument::Message(message) => out.push_str(&message.text(lang)),
                    }
                    rest = &tail[c + 1..];
                }
                _ => {
                    out.push('{');
                    rest = &tail[1..];
                }
            }
        }
        out.push_str(rest);
        out
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

/// The sources of the catalogue; of `web.json` only the units are read here.
const SOURCES: [&str; 8] = [
    include_str!("../messages/access.json"),
    include_str!("../messages/cli.json"),
    include_str!("../messages/formats.json"),
    include_str!("../messages/model.json"),
    include_str!("../messages/server.json"),
    include_str!("../messages/spatial.json"),
    include_str!("../messages/store.json"),
    include_str!("../messages/style.json"),
];

/// The web app's texts, of which the names of units are shared with the pages.
const WEB: &str = include_str!("../messages/web.json");

/// What the names of units begin with in the catalogue.
const UNITS: &str = "unit.";

/// A unit as people write it; `None` when the catalogue has no name for it.
pub fn unit_name(unit: &str, lang: Lang) -> Option<&'static str> {
    let entry = catalogue().get(&format!("{UNITS}{unit}"))?;
    Some(entry.get(lang, None))
}

/// Plural forms by language, CLDR names: uk one, few, many, other; en one, other.
struct Entry {
    uk: [String; 4],
    en: [String; 4],
}

impl Entry {
    fn get(&self, lang: Lang, count: Option<u64>) -> &str {
        let forms = match lang {
            Lang::Uk => &self.uk,
            Lang::En => &self.en,
        };
        &forms[count.map_or(3, |n| plural(lang, n))]
    }
}

/// Index of the plural form of an integer (CLDR plural rules).
fn plural(lang: Lang, n: u64) -> usize {
    match (lang, n % 10, n % 100) {
        (Lang::En, ..) => {
            if n == 1 {
                0
            } else {
                3
            }
        }
        (Lang::Uk, 1, hundred) if hundred != 11 => 0,
        (Lang::Uk, 2..=4, hundred) if !(12..=14).contains(&hundred) => 1,
        (Lang::Uk, ..) => 2,
    }
}

fn catalogue() -> &'static HashMap<String, Entry> {
    static CATALOGUE: OnceLock<HashMap<String, Entry>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let units = entries(WEB)
            .into_iter()
            .filter(|(key, _)| key.starts_with(UNITS));
        SOURCES
            .iter()
            .flat_map(|source| entries(source))
            .chain(units)
            .collect()
    })
}

fn entries(source: &str) -> Vec<(String, Entry)> {
    let json: Json = serde_json::from_str(source).expect("the catalogue is checked by a test");
    let object = json.as_object().expect("the catalogue is an object");
    object
        .iter()
        .map(|(key, texts)| {
            (
                key.clone(),
                Entry {
                    uk: forms(&texts["uk"]),
                    en: forms(&texts["en"]),
                },
            )
        })
        .collect()
}

fn forms(text: &Json) -> [String; 4] {
    ["one", "few", "many", "other"].map(|form| {
        let found = text.get(form).or_else(|| text.get("other")).unwrap_or(text);
        found.as_str().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_there_in_both_languages_with_all_plural_forms() {
        let web = include_str!("../messages/web.json");
        for source in SOURCES.iter().chain([&web]) {
            let json: Json = serde_json::from_str(source).unwrap();
            for (key, texts) in json.as_object().unwrap() {
                for (lang, forms) in [
                    ("uk", ["one", "few", "many", "other"].as_slice()),
                    ("en", &["one", "other"]),
                ] {
                    match &texts[lang] {
                        Json::String(text) => assert!(!text.is_empty(), "{key} {lang}"),
                        Json::Object(plural) => {
                            assert_eq!(plural.len(), forms.len(), "{key} {lang}: {forms:?}");
                            assert!(forms.iter().all(|f| plural[*f].is_string()), "{key} {lang}");
                        }
                        other => panic!("{key} {lang}: {other}"),
                    }
                }
            }
        }
    }

    #[test]
    fn units_have_names() {
        assert_eq!(unit_name("m2", Lang::Uk), Some("м²"));
        assert_eq!(unit_name("UAH", Lang::Uk), Some("грн"));
        assert_eq!(unit_name("parsec", Lang::Uk), None);
    }

    #[test]
    fn ukrainian_plurals() {
        let forms: Vec<_> = [1, 2, 5, 11, 12, 21, 22, 25, 101, 111, 1000]
            .map(|n| plural(Lang::Uk, n))
            .into();
        assert_eq!(forms, [0, 1, 2, 2, 2, 0, 1, 2, 0, 2, 2]);
    }

    #[test]
    fn braces_in_an_argument_stay_text() {
        let message = Message::new("{a} and {b}").with("a", "{b}").with("b", "x");
        assert_eq!(message.text(Lang::En), "{b} and x");
    }
}
