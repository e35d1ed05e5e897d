//! Response bodies that misbehave: they wait, drip, repeat themselves or break off.
//!
//! Owns how bytes leave, one step after the other. Which answer misbehaves is decided by `faults`.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// One step of sending a body.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Bytes),
    /// The same bytes so many times.
    Repeat(Bytes, usize),
    /// One byte at a time, with a pause before each.
    Drip(Bytes, Duration),
    Wait(Duration),
    /// Breaks the connection.
    Fail,
}

/// A body that is sent step by step.
#[derive(Debug)]
pub(crate) struct SimBody {
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Known only of a body that is sent whole.
    length: Option<u64>,
}

impl SimBody {
    /// A body that behaves.
    pub(crate) fn whole(bytes: Vec<u8>) -> SimBody {
        let length = Some(bytes.len() as u64);
        let steps = if bytes.is_empty() { None } else { Some(Step::Send(bytes.into())) };
        SimBody { steps: steps.into_iter().collect(), waiting: None, length }
    }

    /// A body of these steps; its length is not announced.
    pub(crate) fn of(steps: impl IntoIterator<Item = Step>) -> SimBody {
        SimBody { steps: steps.into_iter().collect(), waiting: None, length: None }
    }

    fn next_step(&mut self) -> Option<Step> {
        match self.steps.front_mut()? {
            Step::Repeat(bytes, times) if *times > 1 => {
                *times -= 1;
                Some(Step::Send(bytes.clone()))
            }
            Step::Repeat(..) => self.steps.pop_front().map(|step| match step {
                Step::Repeat(bytes, _) => Step::Send(bytes),
                other => other,
            }),
            Step::Drip(bytes, pause) if !bytes.is_empty() => {
                let (byte, pause) = (bytes.split_to(1), *pause);
                self.steps.push_front(Step::Send(byte));
                Some(Step::Wait(pause))
            }
            Step::Drip(..) => {
                self.steps.pop_front();
                self.next_step()
            }
            Step::Send(_) | Step::Wait(_) | Step::Fail => self.steps.pop_front(),
        }
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(waiting) = &mut this.waiting {
                match waiting.as_mut().poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => this.waiting = None,
                }
            }
            match this.next_step() {
                None => return Poll::Ready(None),
                Some(Step::Wait(pause)) => this.waiting = Some(Box::pin(sleep(pause))),
                Some(Step::Fail) => {
                    let error = io::Error::other("the body breaks off");
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Step::Send(bytes) | Step::Repeat(bytes, _) | Step::Drip(bytes, _)) => {
                    this.length = this.length.map(|left| left - bytes.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sends_step_by_step() {
        let body = SimBody::of([
            Step::Send(Bytes::from_static(b"a")),
            Step::Repeat(Bytes::from_static(b"bc"), 3),
            Step::Wait(Duration::from_secs(60)),
            Step::Drip(Bytes::from_static(b"de"), Duration::from_secs(1)),
        ]);
        let begin = tokio::time::Instant::now();
        let bytes = body.collect().await.expect("no error").to_bytes();
        assert_eq!(&*bytes, b"abcbcbcde");
        assert_eq!(begin.elapsed().as_secs(), 62);
        assert!(SimBody::of([Step::Fail]).collect().await.is_err());
        assert_eq!(SimBody::whole(b"abc".to_vec()).size_hint().exact(), Some(3));
    }
}
