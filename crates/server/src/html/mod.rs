//! Pages for people: every resource that has JSON has a page, which works without JavaScript.

mod account;
mod admin;
mod collection;
mod item;
mod overview;
mod values;

use askama::Template;
use model::access::Who;
use model::{Lang, Message};
use serde_json::Value as Json;

use crate::conditional::BUILD;
use crate::context::Context;
use crate::identity::By;
use crate::link::HTML;
use crate::negotiate::Format;
use crate::problem::Problem;

pub(crate) use account::{
    AccountPage, LinkPage, RecoveryPage, SecondFactorPage, SecondStepPage, SignInPage, assigned,
};
pub(crate) use admin::{
    AccessListPage, AccessPage, AdminPage, AuditPage, PeoplePage, PersonPage, RolesPage, UnitsPage,
};
pub(crate) use collection::{CollectionPage, Collections};
pub(crate) use item::{ItemPage, ItemsPage};
pub(crate) use overview::{Api, Conformance, Landing, Styles};

/// What every page has: title, way back, languages, other formats.
pub(crate) struct Frame {
    context: Context,
    pub(crate) title: String,
    pub(crate) crumbs: Vec<Crumb>,
    /// The same in JSON, where there is one.
    pub(crate) json: Option<String>,
    /// Whether the page has a map.
    pub(crate) has_map: bool,
    /// What the JSON links to (OGC 17-069r4 /req/html/content).
    pub(crate) links: Vec<PageLink>,
}

/// A link that stands below a page.
pub(crate) struct PageLink {
    pub(crate) href: String,
    pub(crate) title: String,
}

/// A step of the way back to the landing page.
pub(crate) struct Crumb {
    pub(crate) title: String,
    pub(crate) href: String,
}

/// A language that the page is in, or could be.
pub(crate) struct Language {
    pub(crate) tag: &'static str,
    pub(crate) name: &'static str,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

/// The map of a page; `page-map.js` finds it by its id.
pub(crate) struct Map {
    pub(crate) collection: String,
    /// What is drawn besides the tiles, where there is something: a feature or a page of them.
    pub(crate) geojson: Option<String>,
    /// West, south, east, north with commas.
    pub(crate) bbox: String,
    pub(crate) tiles: String,
}

impl Frame {
    /// `steps`: titles and paths between the landing page and this one.
    pub(crate) fn new(context: &Context, title: String, steps: &[(String, String)]) -> Self {
        let mut frame = Self {
            context: context.clone(),
            title,
            crumbs: Vec::new(),
            json: None,
            has_map: false,
            links: Vec::new(),
        };
        let home = (context.text("server.title"), "/".to_owned());
        let all = std::iter::once(&home).chain(steps);
        frame.crumbs = all
            .map(|(title, path)| Crumb {
                title: title.clone(),
                href: frame.href(path),
            })
            .collect();
        let json = context.query_with(&[("f", Some(Format::Json.name()))]);
        frame.json = Some(format!("{}{}{json}", context.root, context.path));
        frame
    }

    /// Shows the links of the document in JSON but those to the page itself, on this server by their path.
    pub(crate) fn show_links(&mut self, links: &[Json]) {
        let of = |link: &Json, name: &str| link[name].as_str().unwrap_or_default().to_owned();
        let shown = |link: &Json| {
            let href = of(link, "href");
            let href = match href.strip_prefix(&*self.context.base) {
                Some(path) => format!("{}{path}", self.context.root),
                None => href,
            };
            PageLink {
                href,
                title: of(link, "title"),
            }
        };
        let is_own = |link: &&Json| {
            link["rel"] == "self" || (link["rel"] == "alternate" && link["type"] == HTML)
        };
        let others = links.iter().filter(|link| !is_own(link));
        self.links = others.map(shown).collect();
    }

    /// A text of the catalogue.
    pub(crate) fn t(&self, key: &'static str) -> String {
        self.context.text(key)
    }

    /// A text with a count.
    pub(crate) fn n(&self, key: &'static str, n: &u64) -> String {
        Message::new(key)
            .with("n", self.number(*n))
            .count(*n)
            .text(self.context.lang)
    }

    /// A number with its thousands apart, as the language writes it.
    pub(crate) fn number(&self, n: impl std::borrow::Borrow<u64>) -> String {
        grouped(*n.borrow(), self.context.lang)
    }

    /// A message in the language of the page.
    pub(crate) fn say(&self, message: impl std::borrow::Borrow<Message>) -> String {
        message.borrow().text(self.context.lang)
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        matches!(self.context.by, By::Session(_))
    }

    /// Who is signed in, or the way to be.
    pub(crate) fn account(&self) -> String {
        match &self.context.principal.who {
            Who::Person { name, .. } => name.clone(),
            Who::Anonymous | Who::Console(_) => self.t("server.sign-in"),
        }
    }

    pub(crate) fn lang(&self) -> &'static str {
        self.context.lang.tag()
    }

    pub(crate) fn build(&self) -> &'static str {
        BUILD
    }

    pub(crate) fn root(&self) -> &str {
        &self.context.root
    }

    /// A path of this server as a link that keeps the language of the page.
    pub(crate) fn href(&self, path: &str) -> String {
        let root = &self.context.root;
        if !self.context.lang_in_url {
            return format!("{root}{path}");
        }
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{root}{path}{joint}lang={}", self.lang())
    }

    pub(crate) fn languages(&self) -> Vec<Language> {
        let context = &self.context;
        [(Lang::Uk, "Українська"), (Lang::En, "English")]
            .map(|(lang, name)| Language {
                tag: lang.tag(),
                name,
                href: format!(
                    "{}{}{}",
                    context.root,
                    context.path,
                    context.query_with(&[("lang", Some(lang.tag()))])
                ),
                is_current: lang == context.lang,
            })
            .into()
    }
}

/// Groups of three digits: a no-break space in Ukrainian, where four digits stay together, a comma in English.
fn grouped(n: u64, lang: Lang) -> String {
    let digits = n.to_string();
    let (mark, least) = match lang {
        Lang::Uk => ('\u{a0}', 5),
        Lang::En => (',', 4),
    };
    if digits.len() < least {
        return digits;
    }
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    status: u16,
    detail: String,
    id: &'a str,
}

/// An error as a page; `None` when the template fails.
pub(crate) fn problem_page(context: &Context, problem: &Problem, id: &str) -> Option<Vec<u8>> {
    let mut frame = Frame::new(context, problem.title(context.lang), &[]);
    frame.json = None;
    let page = ProblemPage {
        frame,
        status: problem.status.as_u16(),
        detail: problem.detail.text(context.lang),
        id,
    };
    page.render().ok().map(String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let both = |n| (grouped(n, Lang::Uk), grouped(n, Lang::En));
        assert_eq!(both(999), ("999".to_owned(), "999".to_owned()));
        assert_eq!(both(1960), ("1960".to_owned(), "1,960".to_owned()));
        assert_eq!(
            both(13_116),
            ("13\u{a0}116".to_owned(), "13,116".to_owned())
        );
        assert_eq!(
            both(1_234_567),
            ("1\u{a0}234\u{a0}567".to_owned(), "1,234,567".to_owned())
        );
    }
}
