//! Reads a service after a change, until it is as wanted or the time is up.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::plan::{Verdict, judge};
use crate::{
    cloud::{Budget, CloudError, Reason, Services, Traced},
    model::{EndpointService, ServiceFields, ServiceId},
    pacing::Priority,
};

/// A reading that a person waits for.
pub(super) const READ_TIME: Duration = Duration::from_secs(10);
/// After a change the cloud may show the old state for a while.
pub(super) const READ_BACK_TIME: Duration = Duration::from_secs(15);
/// Before this much of it has passed, seeing the old state proves nothing.
const SETTLING_TIME: Duration = Duration::from_secs(5);
/// The last reading begins this long before the end, so that it has time to be answered.
const LAST_READING: Duration = Duration::from_secs(1);
/// Waits between readings; the last one repeats.
const WAITS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// A cloud that does not keep to its deadline is given up this much later.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// Says when everything must end at once.
pub(super) type Stop = watch::Receiver<bool>;

/// One reading, no later than the deadline.
pub(super) async fn read<C: Services>(
    cloud: &Arc<C>,
    service: &ServiceId,
    priority: Priority,
    deadline: Instant,
    stop: &mut Stop,
) -> Result<EndpointService, CloudError> {
    let budget = Budget { deadline, first_token: None, priority };
    bounded(cloud.service(service, budget), deadline, stop).await?.result
}

/// What a call to the cloud returns, if it does in time.
pub(super) async fn bounded<T>(
    call: impl Future<Output = Traced<T>>,
    deadline: Instant,
    stop: &mut Stop,
) -> Result<Traced<T>, CloudError> {
    let message = tokio::select! {
        biased;
        () = stopped(stop) => "the exporter is shutting down",
        ended = timeout_at(deadline + GRACE, call) => match ended {
            Ok(traced) => return Ok(traced),
            Err(_) => "the call did not end in its time",
        },
    };
    Err(CloudError::new(Reason::Timeout, message))
}

/// Returns once everything must end.
pub(super) async fn stopped(stop: &mut Stop) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Whoever could say so is gone, and with it this task.
        std::future::pending::<()>().await;
    }
}

/// What reading back found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) verdict: Verdict,
    pub(super) after: EndpointService,
}

/// Reads until the service is as wanted, for [`READ_BACK_TIME`] at most. Without a reading that
/// proves something it is the last error.
pub(super) async fn read_back<C: Services>(
    cloud: &Arc<C>,
    service: &ServiceId,
    before: &ServiceFields,
    update: &ServiceFields,
    stop: &mut Stop,
) -> Result<Found, ReadBackError> {
    let began = Instant::now();
    let deadline = began + READ_BACK_TIME;
    let mut waits = WAITS.into_iter().chain(std::iter::repeat(WAITS[WAITS.len() - 1]));
    let mut last: Option<(Instant, Found)> = None;
    let mut error = None;
    loop {
        match read(cloud, service, Priority::Change, deadline, stop).await {
            Ok(after) => {
                let verdict = judge(before, update, &after);
                let found = Found { verdict, after };
                if found.verdict.outcome == super::Outcome::Applied {
                    return Ok(found);
                }
                last = Some((Instant::now(), found));
            }
            Err(failed) => error = Some(failed),
        }
        let now = Instant::now();
        if now >= deadline - LAST_READING || *stop.borrow() {
            break;
        }
        let next = (now + waits.next().unwrap_or_default()).min(deadline - LAST_READING);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = stopped(stop) => break,
        }
    }
    match last {
        Some((at, found)) if at - began >= SETTLING_TIME => Ok(found),
        Some((_, found)) => Err(ReadBackError { error, unsettled: Some(found.after) }),
        None => Err(ReadBackError { error, unsettled: None }),
    }
}

/// Why reading back proved nothing.
#[derive(Debug)]
pub(super) struct ReadBackError {
    /// Why the last reading failed, if one did.
    pub(super) error: Option<CloudError>,
    /// What was found, too early to say that it stays so.
    pub(super) unsettled: Option<EndpointService>,
}
