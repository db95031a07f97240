//! Path parameters.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use model::Message;

use crate::problem::Problem;

/// The path parameters, decoded; a path that is not UTF-8 is a problem like any other.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: FromSegments> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unreadable = || Problem::bad_request(Message::new("server.url-unreadable"));
        let segments = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| unreadable())?;
        let values: Vec<&str> = segments.iter().map(|(_, value)| value).collect();
        T::from_segments(&values)
            .ok_or_else(unreadable)
            .map(Segments)
    }
}

/// Built from the values of a path, in their order.
pub(crate) trait FromSegments: Sized {
    fn from_segments(values: &[&str]) -> Option<Self>;
}

impl FromSegments for String {
    fn from_segments(values: &[&str]) -> Option<Self> {
        values.first().map(|v| (*v).to_owned())
    }
}

impl<const N: usize> FromSegments for [String; N] {
    fn from_segments(values: &[&str]) -> Option<Self> {
        let owned: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        owned.try_into().ok()
    }
}
