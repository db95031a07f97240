//! A place among the requests in progress that is kept until the answer has left.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::client::Client;
use crate::places::{Place, Places};

/// What a request in progress, or a stream, takes up.
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
    _place: Option<Place>,
}

impl Room {
    /// `None` when all places are taken, or all of the client's network. Programs of this machine are not counted by
    /// network: a proxy here that is not named as one stands for everybody.
    pub(crate) fn enter(app: &App, client: &Client) -> Option<Self> {
        Self::among(&app.requests, &app.requests_of, client)
    }

    /// The same for a stream of changes.
    pub(crate) fn of_stream(app: &App, client: &Client) -> Option<Self> {
        Self::among(&app.streams, &app.streams_of, client)
    }

    fn among(all: &Arc<Semaphore>, of_each: &Arc<Places>, client: &Client) -> Option<Self> {
        let place = if client.is_local {
            None
        } else {
            Some(of_each.enter(client.network)?)
        };
        let permit = Arc::clone(all).try_acquire_owned().ok()?;
        Some(Self {
            _permit: permit,
            _place: place,
        })
    }
}

/// In the extensions of an answer that stays open and has a place of its own: it takes none from requests.
#[derive(Clone)]
pub(crate) struct StaysOpen;

/// A streamed answer holds memory until its reader has it all, so its place is free only then.
pub(crate) fn until_sent(response: Response, room: Option<Room>) -> Response {
    if response.extensions().get::<StaysOpen>().is_some() {
        return response;
    }
    response.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        Body::new(Held { body, _room: room })
    })
}

struct Held {
    body: Body,
    _room: Option<Room>,
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
