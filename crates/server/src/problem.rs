//! Errors as the client sees them (RFC 9457).

use std::fmt;

use axum::response::{IntoResponse, Response};
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use model::{Lang, Message};
use serde_json::json;

use crate::limits;

pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// An error answer. It gets its language and request id where the answer leaves (`context`).
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// What happened and what helps.
    pub(crate) detail: Message,
    pub(crate) headers: HeaderMap,
    /// What of the body is wrong, place by place.
    pub(crate) flaws: Vec<Flaw>,
}

/// One thing that is wrong with a body.
#[derive(Debug, Clone)]
pub(crate) struct Flaw {
    /// Where, as a JSON Pointer (RFC 6901).
    pub(crate) pointer: String,
    /// The status that it would have alone.
    pub(crate) status: StatusCode,
    pub(crate) detail: Message,
}

impl Flaw {
    pub(crate) fn new(pointer: impl Into<String>, detail: Message) -> Self {
        Self {
            pointer: pointer.into(),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            detail,
        }
    }

    /// The same of something that lies at a place of a larger body.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.pointer.insert_str(0, place);
        self
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: Message) -> Self {
        Self {
            status,
            detail,
            headers: HeaderMap::new(),
            flaws: Vec::new(),
        }
    }

    /// A body in which some things are wrong: one says what is wrong by itself, more are listed.
    pub(crate) fn of_flaws(flaws: Vec<Flaw>) -> Self {
        let statuses: Vec<StatusCode> = flaws.iter().map(|flaw| flaw.status).collect();
        let is_one = statuses.windows(2).all(|pair| pair[0] == pair[1]);
        let status = match statuses.first() {
            Some(status) if is_one => *status,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let detail = match &flaws[..] {
            [one] => one.detail.clone(),
            more => Message::new("server.flaws").count(more.len() as u64),
        };
        Self {
            flaws,
            ..Self::new(status, detail)
        }
    }

    pub(crate) fn bad_request(detail: Message) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: Message) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn no_collection(id: &str) -> Self {
        Self::not_found(Message::new("server.no-collection").with("id", shown(id)))
    }

    /// Somebody has to say who they are. What is asked of them is added where the answer leaves.
    pub(crate) fn sign_in(detail: Message) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
    }

    /// The store has not been read into memory yet.
    pub(crate) fn loading() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Message::new("server.loading"),
        )
        .retry_later()
    }

    /// There is more to do than can be done soon, and this is better asked for again than waited for.
    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Message::new("server.busy-tiles"),
        )
        .retry_later()
    }

    /// A failure of ours: the cause is logged here, once, and not told.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Message::new("server.internal"),
        )
    }

    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    #[must_use]
    pub(crate) fn retry_later(self) -> Self {
        self.with(RETRY_AFTER, HeaderValue::from(limits::RETRY_AFTER))
    }

    /// The problem that an answer without one amounts to: those of the router and of its extractors.
    pub(crate) fn of(response: &Response) -> Self {
        let status = response.status();
        let key = match status {
            StatusCode::BAD_REQUEST => "server.url-unreadable",
            StatusCode::NOT_FOUND => "server.no-such-path",
            StatusCode::METHOD_NOT_ALLOWED => "server.method-not-allowed",
            StatusCode::PAYLOAD_TOO_LARGE => "server.body-too-large",
            s if s.is_client_error() => "server.bad-request",
            _ => "server.internal",
        };
        let allowed = response
            .headers()
            .get(ALLOW)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let detail = Message::new(key)
            .with("allowed", allowed)
            .with("max", limits::MAX_BODY >> 20);
        Self {
            status,
            detail,
            headers: response.headers().clone(),
            flaws: Vec::new(),
        }
    }

    /// The status in words.
    pub(crate) fn title(&self, lang: Lang) -> String {
        let key = match self.status.as_u16() {
            400 => "server.status-400",
            401 => "server.status-401",
            403 => "server.status-403",
            404 => "server.status-404",
            405 => "server.status-405",
            406 => "server.status-406",
            408 => "server.status-408",
            409 => "server.status-409",
            410 => "server.status-410",
            412 => "server.status-412",
            413 => "server.status-413",
            414 => "server.status-414",
            416 => "server.status-416",
            415 => "server.status-415",
            422 => "server.status-422",
            428 => "server.status-428",
            429 => "server.status-429",
            431 => "server.status-431",
            503 => "server.status-503",
            507 => "server.status-507",
            other if (401..500).contains(&other) => "server.status-400",
            _ => "server.status-500",
        };
        Message::new(key).text(lang)
    }

    /// `type` is `about:blank`: the status tells what kind of problem it is (RFC 9457 §4.2.1); `key` names the very
    /// case, the same in each language.
    pub(crate) fn json(&self, lang: Lang, instance: &str) -> Vec<u8> {
        let mut body = json!({
            "type": "about:blank",
            "title": self.title(lang),
            "status": self.status.as_u16(),
            "detail": self.detail.text(lang),
            "instance": instance,
            "key": self.detail.key(),
        });
        if !self.flaws.is_empty() {
            let errors = self.flaws.iter().map(|flaw| {
                json!({
                    "pointer": flaw.pointer,
                    "status": flaw.status.as_u16(),
                    "detail": flaw.detail.text(lang),
                    "key": flaw.detail.key(),
                })
            });
            body["errors"] = errors.collect();
        }
        body.to_string().into_bytes()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<model::Invalid> for Problem {
    fn from(invalid: model::Invalid) -> Self {
        Self::bad_request(invalid.0)
    }
}

impl Problem {
    /// The account is another one than when the request began.
    pub(crate) fn changed() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Message::new("access.account-changed"),
        )
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error;
        let status = status_of(&error);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            return Self::internal(error);
        }
        let detail = error
            .message()
            .cloned()
            .unwrap_or_else(|| Message::new("server.internal"));
        let problem = Self::new(status, detail);
        if matches!(error, Error::Busy(_)) {
            problem.retry_later()
        } else {
            problem
        }
    }
}

/// The status of an answer to what the store refuses.
pub(crate) fn status_of(error: &store::Error) -> StatusCode {
    use store::Error;
    match error {
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Denied(_) => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Gone(_) => StatusCode::GONE,
        Error::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
        Error::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Refused(_) | Error::Stopped(_) | Error::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Database(_) | Error::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A text of the client as it may stand in an answer: cut to a length that still says which one it was.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut chars = text.chars();
    let mut short: String = chars
        .by_ref()
        .take(LONGEST)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
