//! The guard's check of each try of a request.

use std::sync::Arc;

use jiff::{Timestamp, Unit};
use tokio::time::{Instant, timeout_at};

use super::{
    codes::refuses_the_credentials,
    key_guard::{BackOff, Begun, Credentials, KeyGuard, Pass},
};
use crate::{
    clock::Clock,
    cloud::{CloudError, Reason},
};

/// Asks the guard before each try of a request, and reports to it whether the answer accepts the credentials.
pub(super) struct KeyCheck<'a> {
    guard: &'a Arc<KeyGuard>,
    clock: &'a Clock,
    project: &'a str,
    credentials: Credentials,
    host: &'a str,
    /// The back-offs that a refusal has begun.
    pub(super) begun: Option<Begun>,
}

impl<'a> KeyCheck<'a> {
    /// A check of credentials that are not in back-off at the host.
    ///
    /// # Errors
    /// The refusal that caused the back-off. So a request in back-off does not wait for a token either.
    pub(super) fn new(
        guard: &'a Arc<KeyGuard>,
        clock: &'a Clock,
        project: &'a str,
        credentials: Credentials,
        host: &'a str,
    ) -> Result<Self, CloudError> {
        match guard.back_off(credentials, host) {
            Some(back_off) => Err(remembered(back_off, clock)),
            None => Ok(Self { guard, clock, project, credentials, host, begun: None }),
        }
    }

    /// Waits until the try may be sent.
    pub(super) async fn enter(&self, deadline: Instant) -> Result<Pass, CloudError> {
        match timeout_at(deadline, self.guard.enter(self.credentials, self.host)).await {
            Ok(Ok(pass)) => Ok(pass),
            Ok(Err(back_off)) => Err(remembered(back_off, self.clock)),
            Err(_) => Err(CloudError::new(
                Reason::Timeout,
                "the first request with these credentials was not answered before the deadline",
            )
            .unsent()),
        }
    }

    /// Takes the result of the try. A refusal of the credentials is dated: it says when its back-off
    /// ends, as the errors of the requests that follow it do.
    pub(super) fn settle(&mut self, pass: Pass, failure: Option<&mut CloudError>) {
        match failure {
            Some(error) if refuses_the_credentials(error) => {
                let begun = pass.refused(error);
                error.retry_at = begun.until.map(|until| date_of(until, self.clock));
                self.begun = Some(begun);
            }
            // Nothing is known of the credentials.
            Some(error) if !matches!(error.status, Some(200..=299 | 400 | 403 | 404)) => {}
            _ if pass.accepted() => tracing::info!(
                project = self.project,
                host = self.host,
                "the cloud takes the credentials again: the back-off has ended"
            ),
            _ => {}
        }
    }
}

/// The refusal that caused a back-off, as the error of a request that is not sent.
pub(super) fn remembered(BackOff { until, refusal }: BackOff, clock: &Clock) -> CloudError {
    CloudError { retry_at: Some(date_of(until, clock)), ..refusal.unsent() }
}

/// The date of a moment to come, in whole seconds.
pub(super) fn date_of(until: Instant, clock: &Clock) -> Timestamp {
    let left = until.saturating_duration_since(Instant::now());
    let date = clock.now();
    let date = date.saturating_add(left).unwrap_or(date);
    date.round(Unit::Second).unwrap_or(date)
}
