//! Landing page, conformance and the API definition.

use askama::Template;
use serde_json::Value as Json;
use store::Live;

use super::Frame;
use crate::context::Context;
use crate::link::segment;

#[derive(Template)]
#[template(path = "landing.html")]
pub(crate) struct Landing {
    frame: Frame,
    description: String,
    collections: u64,
    features: u64,
}

impl Landing {
    pub(crate) fn new(context: &Context, live: &Live) -> Self {
        let mut frame = Frame::new(context, context.text("server.title"), &[]);
        frame.crumbs.clear();
        let features: usize = live.collections.values().map(|c| c.index.len()).sum();
        Self {
            frame,
            description: context.text("server.description"),
            collections: live.collections.len() as u64,
            features: features as u64,
        }
    }
}

#[derive(Template)]
#[template(path = "conformance.html")]
pub(crate) struct Conformance<'a> {
    frame: Frame,
    classes: &'a [&'static str],
}

impl<'a> Conformance<'a> {
    pub(crate) fn new(context: &Context, classes: &'a [&'static str]) -> Self {
        Self {
            frame: Frame::new(context, context.text("server.conformance"), &[]),
            classes,
        }
    }
}

#[derive(Template)]
#[template(path = "api.html")]
pub(crate) struct Api {
    frame: Frame,
    operations: Vec<Operation>,
}

/// A path and method of the API definition.
pub(crate) struct Operation {
    method: String,
    path: String,
    /// Where it can be tried: paths without parameters, read by GET.
    href: Option<String>,
    summary: String,
    parameters: String,
}

impl Api {
    pub(crate) fn new(context: &Context, document: &Json) -> Self {
        let frame = Frame::new(context, context.text("server.api-page"), &[]);
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let is_plain = method == "get" && !path.contains('{') && path != "/search";
                let name = |p: &Json| {
                    let reference = p["$ref"].as_str().and_then(|r| r.rsplit('/').next());
                    reference
                        .or_else(|| p["name"].as_str())
                        .unwrap_or_default()
                        .to_owned()
                };
                let parameters: Vec<String> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(name)
                    .collect();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    href: is_plain.then(|| {
                        frame.href(&path.split('/').map(segment).collect::<Vec<_>>().join("/"))
                    }),
                    path: path.clone(),
                    summary: operation["summary"].as_str().unwrap_or_default().to_owned(),
                    parameters: parameters.join(", "),
                });
            }
        }
        Self { frame, operations }
    }
}
