//! Ends the changes that a crash cut short: an intent is on record, and nobody knows what became of
//! it. The service is read, and the outcome recorded.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    Outcome, Recorder,
    engine::Env,
    fields::fields_from_json,
    parts::Project,
    plan::asked,
    readback::{Stop, read_back, stopped},
    record::bare_outcome,
};
use crate::{
    audit::Intent,
    board::{Attribution, ServiceMeta},
    cloud::Services,
    model::ServiceFields,
};

/// A cloud that does not answer for so long keeps no service locked any longer.
const RESOLVE_TIME: Duration = Duration::from_secs(300);
/// Between attempts; each takes up to a quarter of a minute itself.
const PAUSE: Duration = Duration::from_secs(15);

/// An intent without outcome, and what is needed to find one.
pub(super) struct Dangling<C, R> {
    pub(super) env: Arc<Env<R>>,
    /// `None`: it is not configured any more.
    pub(super) known: Option<(Arc<ServiceMeta>, Project<C>)>,
    pub(super) intent: Intent,
    pub(super) stop: Stop,
}

/// Finds out what became of the change, and records it. A shutdown leaves it for the next start.
pub(super) async fn resolve<C: Services, R: Recorder>(dangling: Dangling<C, R>) {
    let Dangling { env, known, intent, mut stop } = dangling;
    let update = fields_from_json(&intent.request["update"]);
    let outcome = match known {
        Some((meta, project)) => {
            env.board.change_begins(&meta.id);
            let outcome = look(&env, &meta, &project, &intent, &update, &mut stop).await;
            env.board.change_ends(&meta.id, Some(&update));
            outcome
        }
        None => Some(Outcome::Unknown),
    };
    let Some(outcome) = outcome else { return };
    let subject = intent.subject;
    let change_id = subject.change_id.to_string();
    tracing::warn!(
        change_id,
        project = &*subject.project,
        service_id = subject.service_id.as_str(),
        service_name = subject.service_name.as_deref(),
        outcome = outcome.as_str(),
        "a change was under way when the exporter ended"
    );
    if let Err(error) = env.recorder.outcome(bare_outcome(subject, outcome)).await {
        tracing::error!(change_id, "the outcome of a change could not be recorded: {error}");
    }
}

/// `None`: everything ends.
async fn look<C: Services, R>(
    env: &Env<R>,
    meta: &ServiceMeta,
    project: &Project<C>,
    intent: &Intent,
    update: &ServiceFields,
    stop: &mut Stop,
) -> Option<Outcome> {
    let before = fields_from_json(&intent.before);
    if asked(update).next().is_none() {
        return Some(Outcome::Unknown);
    }
    let deadline = Instant::now() + RESOLVE_TIME;
    loop {
        let found = read_back(&project.cloud, &meta.id, &before, update, stop).await;
        if *stop.borrow() {
            return None;
        }
        if let Ok(found) = found {
            let now = env.clock.now();
            env.board.record(meta, Ok(found.after), now, Attribution::Ours);
            return Some(found.verdict.outcome);
        }
        if Instant::now() + PAUSE >= deadline {
            return Some(Outcome::Unknown);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stopped(stop) => return None,
        }
    }
}
