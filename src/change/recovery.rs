//! Ends the changes that a crash cut short: an intent is on record, and nobody knows how it ended.
//! The service is read, and the outcome recorded.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Outcome, Recorder,
    env::Env,
    json::{Requested, ServiceView},
    verify::{Reader, stopped},
};
use crate::{
    audit::{ChangeId, Content},
    board::{Attribution, ServiceMeta},
    cloud::Services,
    model::{ServiceFields, ServiceId},
};

/// An intent without outcome, and what is needed to find one.
pub(super) struct Dangling<C, R> {
    pub(super) env: Arc<Env<R>>,
    /// `None`: the service is not configured any more.
    pub(super) known: Option<(Arc<ServiceMeta>, Reader<C>)>,
    pub(super) intent: Content,
}

/// Finds out how the change ended, and records it. A shutdown leaves it for the next start.
pub(super) async fn resolve<C: Services, R: Recorder>(dangling: Dangling<C, R>) {
    let Dangling { env, known, intent } = dangling;
    let asked = read_record(&intent.request).map(|requested: Requested| requested.update);
    let update = asked.unwrap_or_default();
    let outcome = match known {
        Some((meta, mut reader)) => {
            let before = read_record(&intent.before).map(ServiceView::into).unwrap_or_default();
            env.board.change_begins(&meta.id);
            let outcome = look(&env, &meta, &mut reader, &before, &update).await;
            env.board.change_ends(&meta.id, Some(&update));
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
        outcome = outcome.as_str(),
        "a change was under way when the exporter ended"
    );
    if let Err(error) = env.recorder.outcome(ended.clone()).await {
        tracing::error!(change_id, "the outcome of a change could not be recorded: {error}");
    }
}

/// A part of a record, unless it is not of the shape that this program writes.
fn read_record<T: DeserializeOwned>(part: &Option<Value>) -> Option<T> {
    T::deserialize(part.as_ref()?).ok()
}

/// `None`: everything ends.
async fn look<C: Services, R>(
    env: &Env<R>,
    meta: &ServiceMeta,
    reader: &mut Reader<C>,
    before: &ServiceFields,
    update: &ServiceFields,
) -> Option<Outcome> {
    if update.present().next().is_none() {
        return Some(Outcome::Unknown);
    }
    let deadline = Instant::now() + env.timings.recovery;
    loop {
        let found = reader.read_back(before, update).await;
        if reader.is_stopped() {
            return None;
        }
        if let Ok(found) = found {
            let now = env.clock.now();
            env.board.record(meta, Ok(found.after), now, Attribution::Ours);
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
