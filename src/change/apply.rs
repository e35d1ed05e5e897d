//! A change, step by step: read, plan, check the condition, record the intent, send once, read back,
//! record the outcome.

use std::sync::{Arc, OnceLock};

use tokio::time::{Instant, timeout};

use super::{
    CloudAnswer, Kind, Outcome, Recorder, Refusal, Report,
    env::Env,
    record::{self, Asker},
    subject::{Changeable, Planned, Subject},
    verify::{Reader, stopped},
};
use crate::{
    audit::{self, ChangeId, Content},
    board::{Attribution, OwnChange},
    cloud::{Budget, CloudError, Fate, Reason, Traced},
    model::{ClusterId, ServiceId},
    pacing::{Pacer, Priority},
};

/// The intent and the report so far, for the case that the task dies after the intent was recorded.
pub(super) type Trail = Arc<OnceLock<(Content, Report)>>;

/// A change.
pub(super) struct Apply<S, C, R> {
    pub(super) env: Arc<Env<R>>,
    pub(super) reader: Reader<C>,
    pub(super) pacer: Pacer,
    pub(super) subject: S,
    pub(super) request: Asker,
    pub(super) trail: Trail,
}

impl<S: Subject, C: Changeable, R: Recorder> Apply<S, C, R> {
    pub(super) async fn run(mut self) -> Result<Report, Refusal> {
        let result = self.steps().await;
        if let Ok(report) = &result {
            self.env.stats.admin_change(report.effect.kind(), report.outcome);
            if !self.request.dry_run {
                self.log(report);
            }
        }
        result
    }

    fn log(&self, report: &Report) {
        let failure = report.failure.as_ref();
        let why = failure.map(|failure| format!(": {failure}")).unwrap_or_default();
        let answered = report.cloud.as_ref().and_then(|answer| answer.request_id.as_deref());
        let subject = self.subject.named(Content::empty(audit::Kind::Outcome));
        let what = match report.effect.kind() {
            Kind::Service => "an endpoint service",
            Kind::Connections => "connections",
        };
        tracing::info!(
            change_id = report.change_id,
            actor = &*self.request.actor,
            remote = %self.request.remote,
            project = subject.project.as_deref(),
            service_id = subject.service_id.as_ref().map(ServiceId::as_str),
            service_name = subject.service_name.as_deref(),
            cluster_id = subject.cluster_id.as_ref().map(ClusterId::as_str),
            cluster_name = subject.cluster_name.as_deref(),
            outcome = report.outcome.as_str(),
            reason = failure.map(|failure| failure.reason.as_str()),
            code = failure.and_then(|failure| failure.code.as_deref()),
            request_id = failure.and_then(|failure| failure.request_id.as_deref()).or(answered),
            "a change of {what} has ended{why}"
        );
    }

    async fn steps(&mut self) -> Result<Report, Refusal> {
        let current = self.read_current().await?;
        let change_id = ChangeId::new(&self.env.clock)
            .map_err(|error| Refusal::AuditUnavailable(format!("no random numbers: {error}")))?;
        let mut report = planned(&change_id, self.subject.plan(&current));
        let intent = record::intent(change_id, &self.request, &self.subject, &report.effect);
        if report.effect.is_none() {
            self.conclude(&mut report, Outcome::Unchanged, Some(current));
            if !self.request.dry_run {
                // Nothing was done, so nothing depends on this record.
                let _ = self.env.recorder.outcome(record::unchanged(intent)).await;
            }
            return Ok(report);
        }
        if self.request.dry_run {
            return Ok(report);
        }
        self.subject.check(&current)?;
        let recorded = self.env.recorder.intent(intent.clone()).await;
        recorded.map_err(|error| Refusal::AuditUnavailable(error.to_string()))?;
        // Set once: a change has one intent.
        let _ = self.trail.set((intent.clone(), report.clone()));
        let clusters = begins(&self.subject, &self.env, &intent);
        self.apply(&mut report).await;
        self.record_outcome(&intent, &mut report).await;
        ends(&self.subject, &self.env, &intent, clusters, may_have_acted(&report));
        Ok(report)
    }

    async fn read_current(&mut self) -> Result<S::State, Refusal> {
        // A plan reads after every change: a viewer must not keep a change from its turn.
        let priority = if self.request.dry_run { Priority::Begun } else { Priority::Admin };
        let read = self.reader.read(&self.subject, priority).await;
        // During another change a plan may see any state.
        if !self.request.dry_run {
            self.subject.was_read(&self.env, read.clone(), Attribution::Nobody);
        }
        if self.reader.is_stopped() {
            return Err(Refusal::Stopping);
        }
        read.map_err(|error| Refusal::Unreadable(Box::new(error)))
    }

    fn conclude(&self, report: &mut Report, outcome: Outcome, after: Option<S::State>) {
        report.outcome = outcome;
        self.subject.conclude(&mut report.effect, outcome, after);
    }

    async fn record_outcome(&self, intent: &Content, report: &mut Report) {
        let recorded = self.env.recorder.outcome(record::outcome(intent, report)).await;
        let Err(error) = recorded else { return };
        let outcome = report.outcome.as_str();
        tracing::error!(
            change_id = report.change_id,
            outcome,
            "the outcome of a change could not be recorded: {error}"
        );
        report.warnings.push(format!(
            "{outcome}, but the record of the outcome could not be written: {error}"
        ));
    }

    /// Sends the change, once, and finds out what it did.
    async fn apply(&mut self, report: &mut Report) {
        let fate = match self.send().await {
            Ok(answer) => {
                report.cloud = Some(answer);
                None
            }
            Err((fate, error)) => {
                report.cloud = CloudAnswer::of(&error);
                report.failure = Some(error);
                Some(fate)
            }
        };
        report.sent = fate != Some(Fate::NotSent);
        match fate {
            Some(Fate::NotSent) => self.conclude(report, Outcome::NotSent, None),
            Some(Fate::Refused) => self.refused(report).await,
            Some(Fate::Unknown) | None => self.find_out(report).await,
        }
    }

    /// The one request. Without a success of the cloud, its fate and the error.
    async fn send(&mut self) -> Result<CloudAnswer, (Fate, CloudError)> {
        let token = tokio::select! {
            biased;
            () = stopped(&mut self.reader.stop) => {
                let why = "the exporter is shutting down";
                return Err((Fate::NotSent, CloudError::new(Reason::Internal, why)));
            }
            token = timeout(self.env.timings.token, self.pacer.acquire(Priority::Change)) => token,
        };
        let token = token.map_err(|_| (Fate::NotSent, CloudError::no_turn()))?;
        let deadline = Instant::now() + self.env.timings.update;
        let budget = Budget { deadline, first_token: Some(token), priority: Priority::Change };
        let cloud = self.reader.cloud.clone();
        let call = self.subject.send(&*cloud, budget);
        let answered = self.reader.bounded(call, deadline).await;
        let Traced { result, trace } = answered.map_err(|error| (Fate::Unknown, error))?;
        match result {
            Ok(()) => Ok(CloudAnswer::ok(trace.request_ids.last().cloned())),
            Err(error) => Err((error.fate_of_write(&trace), error)),
        }
    }

    /// The cloud refused: it did nothing, and nothing is sent again. Only a throttled request is as
    /// good as one that was never made.
    async fn refused(&mut self, report: &mut Report) {
        report.safe_to_retry =
            report.failure.as_ref().is_some_and(|error| error.reason == Reason::Throttled);
        let after = match report.safe_to_retry {
            true => None,
            false => self.read(Priority::Change).await,
        };
        self.conclude(report, Outcome::Rejected, after);
    }

    async fn read(&mut self, priority: Priority) -> Option<S::State> {
        let after = self.reader.read(&self.subject, priority).await.ok()?;
        self.subject.was_read(&self.env, Ok(after.clone()), Attribution::Nobody);
        Some(after)
    }

    async fn find_out(&mut self, report: &mut Report) {
        let (outcome, after) = match self.reader.read_back(&self.subject).await {
            Ok(found) => {
                report.warnings.extend(found.verdict.warnings);
                (found.verdict.outcome, Some(found.after))
            }
            Err(unproved) => {
                let why = match unproved.error {
                    Some(error) => error.to_string(),
                    None => "it was cut short".to_owned(),
                };
                report.warnings.push(format!("reading back did not show the outcome: {why}"));
                (Outcome::Unknown, unproved.unsettled)
            }
        };
        if let Some(after) = &after {
            self.subject.was_read(&self.env, Ok(after.clone()), Attribution::Ours);
        }
        self.conclude(report, outcome, after);
        report.safe_to_retry = report.outcome == Outcome::NotApplied;
        if let Some(error) = report.failure.as_ref().filter(|error| error.status.is_none()) {
            let later = match report.outcome {
                Outcome::Applied => "",
                _ => "; the request may take effect later",
            };
            report.warnings.push(format!("no answer came: {error}{later}"));
        }
    }
}

fn may_have_acted(report: &Report) -> bool {
    report.sent && report.outcome != Outcome::Rejected
}

/// Notes on the boards that a change is about to be sent. Returns the clusters in which it may show.
pub(super) fn begins<R>(subject: &impl Subject, env: &Env<R>, intent: &Content) -> Vec<ClusterId> {
    subject.begins(env);
    let clusters = subject.clusters(env);
    let decided = subject.decided().map(|(decision, ids)| (decision, ids.into()));
    let own = OwnChange {
        change_id: id(intent).into(),
        actor: intent.actor.as_deref().unwrap_or_default().into(),
        at: env.clock.now(),
        decided,
    };
    env.clusters.change_begins(&clusters, &own);
    clusters
}

/// Notes its end on the boards, and has the clusters polled in which it may show.
pub(super) fn ends<R>(
    subject: &impl Subject,
    env: &Env<R>,
    intent: &Content,
    clusters: Vec<ClusterId>,
    may_have_acted: bool,
) {
    subject.ends(env, may_have_acted);
    let at = may_have_acted.then(|| env.clock.now());
    env.clusters.change_ends(&clusters, id(intent), at);
    if may_have_acted {
        (env.poll_soon)(clusters);
    }
}

fn id(intent: &Content) -> &str {
    intent.change_id.as_ref().map_or("", ChangeId::as_str)
}

fn planned(change_id: &ChangeId, Planned { effect, warnings }: Planned) -> Report {
    Report {
        change_id: change_id.to_string(),
        outcome: Outcome::Planned,
        sent: false,
        safe_to_retry: true,
        effect,
        failure: None,
        cloud: None,
        warnings,
    }
}
