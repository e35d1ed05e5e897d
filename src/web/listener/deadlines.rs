//! Streams that end with an error when a client misses a deadline.
//!
//! [`Guarded`] has a deadline for the whole header of a request, so that a client gains nothing by sending it
//! byte by byte. [`Taken`] has a deadline for progress on an answer: a large page may take long, as long as
//! the client keeps reading. With TLS, `Taken` is below it and `Guarded` above it: a write above TLS only
//! fills a buffer.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Duration, Instant, Sleep, sleep},
};

use super::{connections::Seat, limits::Limits};

/// A stream of requests and answers, with deadlines for requests.
pub(super) struct Guarded<S> {
    stream: S,
    seat: Arc<Seat>,
    header: Duration,
    idle: Duration,
    /// The time by which the header of a request has to be whole, or to begin.
    request_due: Pin<Box<Sleep>>,
    /// True while a header is arriving, false in the pause before it.
    in_header: bool,
}

/// A stream of bytes, with a deadline for the client to take some.
pub(super) struct Taken<S> {
    stream: S,
    seat: Arc<Seat>,
    write: Duration,
    /// The deadline, while the client takes nothing.
    write_due: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    /// Starts the deadline of the first header.
    pub(super) fn new(stream: S, seat: Arc<Seat>, limits: &Limits) -> Self {
        let Limits { header, idle, .. } = *limits;
        let request_due = Box::pin(sleep(header));
        Self { stream, seat, header, idle, request_due, in_header: true }
    }
}

impl<S> Taken<S> {
    /// The stream of the connection with this seat.
    pub(super) fn new(stream: S, seat: Arc<Seat>, limits: &Limits) -> Self {
        Self { stream, seat, write: limits.write, write_due: None }
    }

    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.write_due = None;
            self.seat.progressed();
            return written;
        }
        let write = self.write;
        let due = self.write_due.get_or_insert_with(|| Box::pin(sleep(write)));
        ready!(due.as_mut().poll(context));
        Poll::Ready(Err(too_late("the client takes nothing of its answer")))
    }
}

fn too_late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        // The body of a request has its own deadline, and an answer has that of `Taken`.
        if !self.seat.is_waiting() {
            return read;
        }
        if read.is_ready() {
            if buffer.filled().len() > before && !self.in_header {
                self.in_header = true;
                let due = Instant::now() + self.header;
                self.request_due.as_mut().reset(due);
            }
            return read;
        }
        ready!(self.request_due.as_mut().poll(context));
        Poll::Ready(Err(too_late("the client sends no request")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if self.seat.flushed() {
            self.in_header = false;
            let due = Instant::now() + self.idle;
            self.request_due.as_mut().reset(due);
            // Registers the timer with this task: hyper may not read again before something wakes it.
            let _ = self.request_due.as_mut().poll(context);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
