//! Reads the subject of a change, before it and after it, until the change shows or the time is up.

use std::{future::Future, sync::Arc};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    Outcome, Timings,
    plan::Verdict,
    subject::{Changeable, Subject},
};
use crate::{
    cloud::{Budget, CloudError, Reason, Traced},
    pacing::Priority,
};

/// The signal that everything must end at once.
pub(super) type Stop = watch::Receiver<bool>;

/// Returns once everything must end.
pub(super) async fn stopped(stop: &mut Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // The engine is gone, and with it this task.
        std::future::pending::<()>().await;
    }
}

/// Reads subjects of a cloud.
pub(super) struct Reader<C> {
    pub(super) cloud: Arc<C>,
    pub(super) timings: Timings,
    pub(super) stop: Stop,
}

/// A reading that shows the outcome of a change.
#[derive(Debug)]
pub(super) struct Found<State> {
    pub(super) verdict: Verdict,
    pub(super) after: State,
}

/// A reading back that proved nothing.
#[derive(Debug)]
pub(super) struct Unproved<State> {
    /// The error of the last reading that failed, if one did.
    pub(super) error: Option<CloudError>,
    /// A state that was read too early to be final.
    pub(super) unsettled: Option<State>,
}

impl<C: Changeable> Reader<C> {
    /// A reading that a person waits for.
    pub(super) async fn read<S: Subject>(
        &mut self,
        subject: &S,
        priority: Priority,
    ) -> Result<S::State, CloudError> {
        self.read_by(subject, Instant::now() + self.timings.read, priority).await
    }

    async fn read_by<S: Subject>(
        &mut self,
        subject: &S,
        deadline: Instant,
        priority: Priority,
    ) -> Result<S::State, CloudError> {
        let cloud = self.cloud.clone();
        let call = subject.read(&*cloud, Budget { deadline, first_token: None, priority });
        self.bounded(call, deadline).await?.result
    }

    /// The result of a call to the cloud, if it comes in time.
    pub(super) async fn bounded<T>(
        &mut self,
        call: impl Future<Output = Traced<T>>,
        deadline: Instant,
    ) -> Result<Traced<T>, CloudError> {
        let message = tokio::select! {
            biased;
            () = stopped(&mut self.stop) => "the exporter is shutting down",
            ended = timeout_at(deadline + self.timings.grace, call) => match ended {
                Ok(traced) => return Ok(traced),
                Err(_) => "the call did not end in its time",
            },
        };
        Err(CloudError::new(Reason::Timeout, message))
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Reads until the change shows, for [`Timings::read_back`] at most.
    pub(super) async fn read_back<S: Subject>(
        &mut self,
        subject: &S,
    ) -> Result<Found<S::State>, Unproved<S::State>> {
        let Timings { read_back, settling, last_reading, waits, .. } = self.timings;
        let began = Instant::now();
        let deadline = began + read_back;
        let mut waits = waits.into_iter().chain(std::iter::repeat(waits[waits.len() - 1]));
        let mut last: Option<(Instant, Found<S::State>)> = None;
        let mut error = None;
        loop {
            match self.read_by(subject, deadline, Priority::Change).await {
                Ok(after) => {
                    let verdict = subject.judge(&after);
                    let found = Found { verdict, after };
                    if found.verdict.outcome == Outcome::Applied {
                        return Ok(found);
                    }
                    last = Some((Instant::now(), found));
                }
                Err(failed) => error = Some(failed),
            }
            let now = Instant::now();
            if now >= deadline - last_reading || self.is_stopped() {
                break;
            }
            let next = (now + waits.next().unwrap_or_default()).min(deadline - last_reading);
            tokio::select! {
                () = sleep_until(next) => {}
                () = stopped(&mut self.stop) => break,
            }
        }
        match last {
            Some((at, found)) if at - began >= settling => Ok(found),
            last => Err(Unproved { error, unsettled: last.map(|(_, found)| found.after) }),
        }
    }
}
