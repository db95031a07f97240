//! The body of a form.

use axum::body::Body;
use http_body_util::{BodyExt, Limited};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use model::Message;

use super::{again, require_browser};
use crate::app::App;
use crate::context::Context;
use crate::limits::{FORM_TIMEOUT, MAX_FIELDS, MAX_FORM};
use crate::params::Params;
use crate::problem::Problem;

/// The fields of a form, `application/x-www-form-urlencoded`.
pub(crate) struct Form {
    fields: Params,
}

impl Form {
    /// A form about somebody's own account, with the name of the account: sent by a browser in which they have signed in.
    ///
    /// # Errors
    /// 401 and 403, and as [`Form::read`].
    pub(crate) async fn own(
        app: &App,
        context: &Context,
        body: Body,
    ) -> Result<(String, Self), Problem> {
        let id = app.require_person(context)?;
        require_browser(context)?;
        Ok((id, Self::read(app, context, body).await?))
    }

    /// As [`Form::own`], in which they show once more who they are: for what changes how the account is entered.
    ///
    /// # Errors
    /// As [`Form::own`] and [`again::require`].
    pub(crate) async fn again(
        app: &App,
        context: &Context,
        body: Body,
    ) -> Result<(String, Self), Problem> {
        let (id, form) = Self::own(app, context, body).await?;
        again::require(app, context, &id, &form).await?;
        Ok((id, form))
    }

    /// # Errors
    /// 415 for another media type, 413 above [`MAX_FORM`], 408 after [`FORM_TIMEOUT`], 400 for what can't be read; as
    /// [`App::require_unchanged`].
    pub(crate) async fn read(app: &App, context: &Context, body: Body) -> Result<Self, Problem> {
        let kind = context.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let detail = Message::new("server.form-media-type");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let whole = tokio::time::timeout(FORM_TIMEOUT, Limited::new(body, MAX_FORM).collect());
        let whole = whole.await.map_err(|_| {
            let detail = Message::new("server.body-slow").with("seconds", FORM_TIMEOUT.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
        })?;
        let bytes = whole.map_err(|_| {
            let detail = Message::new("server.form-too-large").with("max", MAX_FORM >> 10);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        })?;
        app.require_unchanged(context).await?;
        let text = String::from_utf8(bytes.to_bytes().to_vec())
            .map_err(|_| Problem::bad_request(Message::new("server.form-unreadable")))?;
        Ok(Self {
            fields: Params::parse_at_most(&text, MAX_FIELDS)?,
        })
    }

    /// A field without spaces around it; empty when it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.exact(name).trim()
    }

    /// A field as it was sent.
    pub(crate) fn exact(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_default()
    }

    /// All values of a field.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .pairs()
            .filter(move |(n, _)| *n == name)
            .map(|(_, value)| value.trim())
    }
}
