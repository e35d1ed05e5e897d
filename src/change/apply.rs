//! One change, step by step: read, plan, check the condition, record the intent, send once, read back,
//! record the outcome.

use std::sync::{Arc, OnceLock};

use tokio::time::{Instant, timeout};

use super::{
    ChangeRequest, CloudAnswer, Current, Outcome, Recorder, Refusal, Report,
    env::Env,
    plan::{Plan, Precondition, etag, plan, precondition},
    record,
    verify::{Reader, stopped},
};
use crate::{
    audit::{ChangeId, Content},
    board::{Attribution, ServiceMeta},
    cloud::{Budget, CloudError, Fate, Reason, Services},
    pacing::{Pacer, Priority},
};

/// The intent and the report so far, for the case that the task dies after the intent was recorded.
pub(super) type Trail = Arc<OnceLock<(Content, Report)>>;

/// One change.
pub(super) struct Apply<C, R> {
    pub(super) env: Arc<Env<R>>,
    pub(super) reader: Reader<C>,
    pub(super) pacer: Pacer,
    pub(super) meta: Arc<ServiceMeta>,
    pub(super) request: ChangeRequest,
    pub(super) trail: Trail,
}

/// The end of the one request.
struct Sent {
    /// `None`: the cloud reported a success.
    fate: Option<Fate>,
    failure: Option<CloudError>,
    answer: Option<CloudAnswer>,
}

impl Sent {
    fn failed(fate: Fate, error: CloudError) -> Self {
        Self { fate: Some(fate), answer: CloudAnswer::of(&error), failure: Some(error) }
    }
}

impl<C: Services, R: Recorder> Apply<C, R> {
    pub(super) async fn run(mut self) -> Result<Report, Refusal> {
        let result = self.steps().await;
        if let Ok(report) = &result {
            self.env.stats.admin_change(report.outcome);
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
        tracing::info!(
            change_id = report.change_id,
            actor = &*self.request.actor,
            remote = %self.request.remote,
            project = &*self.meta.project,
            service_id = self.meta.id.as_str(),
            service_name = &*self.meta.name,
            outcome = report.outcome.as_str(),
            reason = failure.map(|failure| failure.reason.as_str()),
            code = failure.and_then(|failure| failure.code.as_deref()),
            request_id = failure.and_then(|failure| failure.request_id.as_deref()).or(answered),
            "a change of an endpoint service has ended{why}"
        );
    }

    async fn steps(&mut self) -> Result<Report, Refusal> {
        let current = self.read_current().await?;
        let change_id = ChangeId::new(&self.env.clock)
            .map_err(|error| Refusal::AuditUnavailable(format!("no random numbers: {error}")))?;
        let mut report =
            planned(&change_id, &current, plan(&current.service, &self.request.update));
        let intent = record::intent(change_id, &self.request, &self.meta.name, &report);
        if report.diff.is_empty() {
            report.outcome = Outcome::Unchanged;
            report.after = Some(current.service);
            if !self.request.dry_run {
                // Nothing was done, so nothing depends on this record.
                let _ = self.env.recorder.outcome(record::unchanged(intent)).await;
            }
            return Ok(report);
        }
        if self.request.dry_run {
            return Ok(report);
        }
        match precondition(&self.request.condition, &current) {
            Precondition::Met => {}
            Precondition::Missing => return Err(Refusal::ConditionRequired(Box::new(current))),
            Precondition::Failed => return Err(Refusal::ConditionFailed(Box::new(current))),
        }
        let recorded = self.env.recorder.intent(intent.clone()).await;
        recorded.map_err(|error| Refusal::AuditUnavailable(error.to_string()))?;
        // Set once: a change has one intent.
        let _ = self.trail.set((intent.clone(), report.clone()));
        self.apply(&mut report).await;
        self.record_outcome(&intent, &mut report).await;
        self.tell(&report);
        Ok(report)
    }

    async fn read_current(&mut self) -> Result<Current, Refusal> {
        // A plan reads after every change: a viewer must not keep a change from its turn.
        let priority = if self.request.dry_run { Priority::Begun } else { Priority::Admin };
        let read = self.reader.read(priority).await;
        // During somebody else's change a plan may see anything.
        if !self.request.dry_run {
            let now = self.env.clock.now();
            self.env.board.record(&self.meta, read.clone(), now, Attribution::Nobody);
        }
        if self.reader.is_stopped() {
            return Err(Refusal::Stopping);
        }
        let service = read.map_err(|error| Refusal::Unreadable(Box::new(error)))?;
        Ok(Current { etag: etag(&service), service })
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
        self.env.board.change_begins(&self.meta.id);
        let sent = self.send().await;
        report.failure = sent.failure;
        report.cloud = sent.answer;
        report.sent = sent.fate != Some(Fate::NotSent);
        match sent.fate {
            Some(Fate::NotSent) => report.outcome = Outcome::NotSent,
            Some(Fate::Refused) => self.refused(report).await,
            Some(Fate::Unknown) | None => self.find_out(report).await,
        }
    }

    async fn send(&mut self) -> Sent {
        let token = tokio::select! {
            biased;
            () = stopped(&mut self.reader.stop) => {
                let why = "the exporter is shutting down";
                return Sent::failed(Fate::NotSent, CloudError::new(Reason::Internal, why));
            }
            token = timeout(self.env.timings.token, self.pacer.acquire(Priority::Change)) => token,
        };
        let Ok(token) = token else { return Sent::failed(Fate::NotSent, CloudError::no_turn()) };
        let deadline = Instant::now() + self.env.timings.update;
        let budget = Budget { deadline, first_token: Some(token), priority: Priority::Change };
        let cloud = self.reader.cloud.clone();
        let call = cloud.update_service(&self.meta.id, &self.request.update, budget);
        match self.reader.bounded(call, deadline).await {
            Ok(traced) => match traced.result {
                Ok(()) => {
                    let request_id = traced.trace.request_ids.last().cloned();
                    Sent { fate: None, failure: None, answer: Some(CloudAnswer::ok(request_id)) }
                }
                Err(error) => Sent::failed(error.fate_of_write(&traced.trace), error),
            },
            Err(error) => Sent::failed(Fate::Unknown, error),
        }
    }

    /// The cloud refused: it did nothing, and nothing is sent again. Only a throttled request is as
    /// good as one that was never made.
    async fn refused(&mut self, report: &mut Report) {
        report.outcome = Outcome::Rejected;
        report.safe_to_retry =
            report.failure.as_ref().is_some_and(|error| error.reason == Reason::Throttled);
        if !report.safe_to_retry {
            report.after = self.reader.read(Priority::Change).await.ok();
        }
    }

    async fn find_out(&mut self, report: &mut Report) {
        match self.reader.read_back(&report.before.state(), &self.request.update).await {
            Ok(found) => {
                report.outcome = found.verdict.outcome;
                report.warnings.extend(found.verdict.warnings);
                report.after = Some(found.after);
            }
            Err(unproved) => {
                report.outcome = Outcome::Unknown;
                report.after = unproved.unsettled;
                let why = match unproved.error {
                    Some(error) => error.to_string(),
                    None => "it was cut short".to_owned(),
                };
                report.warnings.push(format!("reading back did not tell what became of it: {why}"));
            }
        }
        report.safe_to_retry = report.outcome == Outcome::NotApplied;
        if let Some(error) = report.failure.as_ref().filter(|error| error.status.is_none()) {
            let later = match report.outcome {
                Outcome::Applied => "",
                _ => "; the request may take effect later",
            };
            report.warnings.push(format!("no answer came: {error}{later}"));
        }
    }

    /// Tells the board and the clusters behind the service what was done.
    fn tell(&self, report: &Report) {
        let may_have_acted = report.sent && report.outcome != Outcome::Rejected;
        if let Some(after) = &report.after {
            let whose = if may_have_acted { Attribution::Ours } else { Attribution::Nobody };
            let now = self.env.clock.now();
            self.env.board.record(&self.meta, Ok(after.clone()), now, whose);
        }
        let asked = may_have_acted.then_some(&self.request.update);
        self.env.board.change_ends(&self.meta.id, asked);
        if may_have_acted {
            (self.env.poll_behind)(&self.meta);
        }
    }
}

fn planned(change_id: &ChangeId, current: &Current, plan: Plan) -> Report {
    Report {
        change_id: change_id.to_string(),
        outcome: Outcome::Planned,
        sent: false,
        safe_to_retry: true,
        before: current.service.clone(),
        after: None,
        diff: plan.diff,
        failure: None,
        cloud: None,
        warnings: plan.warnings,
    }
}
