//! The body of a request, limited in size and in time.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::BoxError;
use http_body_util::Limited;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::limits::Limits;

/// Ends with an error if the client sends too much or takes too long.
pub(super) struct RequestBody {
    body: Limited<Incoming>,
    deadline: Pin<Box<Sleep>>,
}

impl RequestBody {
    /// Starts the time limit.
    pub(super) fn new(body: Incoming, limits: &Limits) -> Self {
        Self { body: Limited::new(body, limits.body_bytes), deadline: Box::pin(sleep(limits.body)) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // Read first: bytes that have arrived may have waited for a busy machine.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Some(Err("the request's body did not arrive in time".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
