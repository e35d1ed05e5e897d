//! Ends the changes that a crash cut short: an intent is on record, and its outcome is unknown.
//! The subject is read, and the outcome recorded.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{
    Outcome, Recorder,
    apply::{begins, ends},
    env::Env,
    subject::{Changeable, Subject},
    verify::{Reader, stopped},
};
use crate::{
    audit::{ChangeId, Content},
    board::Attribution,
    model::{ClusterId, ServiceId},
};

/// Determines the outcome of the change of an intent without one, and records it. `known` is none if the
/// subject is no longer configured, or the record does not have the requested change. A shutdown
/// leaves it for the next start.
pub(super) async fn resolve<S: Subject, C: Changeable, R: Recorder>(
    env: Arc<Env<R>>,
    known: Option<(S, Reader<C>)>,
    intent: Content,
) {
    let outcome = match known {
        Some((subject, mut reader)) => {
            let clusters = begins(&subject, &env, &intent);
            let outcome = look(&env, &subject, &mut reader).await;
            // The effect may still show, with any outcome.
            ends(&subject, &env, &intent, clusters, true);
            outcome
        }
        None => Some(Outcome::Unknown),
    };
    let Some(outcome) = outcome else { return };
    let ended = intent.ended(outcome.as_str());
    let change_id = ended.change_id.as_ref().map(ChangeId::as_str);
    tracing::warn!(
        change_id,
        project = ended.project.as_deref(),
        service_id = ended.service_id.as_ref().map(ServiceId::as_str),
        service_name = ended.service_name.as_deref(),
        cluster_id = ended.cluster_id.as_ref().map(ClusterId::as_str),
        cluster_name = ended.cluster_name.as_deref(),
        outcome = outcome.as_str(),
        "a change was under way when the exporter ended"
    );
    if let Err(error) = env.recorder.outcome(ended.clone()).await {
        tracing::error!(change_id, "the outcome of a change could not be recorded: {error}");
    }
}

/// `None`: everything ends.
async fn look<S: Subject, C: Changeable, R>(
    env: &Env<R>,
    subject: &S,
    reader: &mut Reader<C>,
) -> Option<Outcome> {
    let deadline = Instant::now() + env.timings.recovery;
    loop {
        let found = reader.read_back(subject).await;
        if reader.is_stopped() {
            return None;
        }
        if let Ok(found) = found {
            subject.was_read(env, Ok(found.after), Attribution::Ours);
            return Some(found.verdict.outcome);
        }
        if Instant::now() + env.timings.recovery_pause >= deadline {
            return Some(Outcome::Unknown);
        }
        tokio::select! {
            () = sleep(env.timings.recovery_pause) => {}
            () = stopped(&mut reader.stop) => return None,
        }
    }
}
