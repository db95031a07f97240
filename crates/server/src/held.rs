//! A place among the requests in progress that is kept until the answer has left.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

/// A streamed answer holds memory until its reader has it all, so its place is free only then.
pub(crate) fn until_sent(response: Response, permit: Option<OwnedSemaphorePermit>) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Held {
            body,
            _permit: permit,
        })
    })
}

struct Held {
    body: Body,
    _permit: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
