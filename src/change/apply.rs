//! One change, step by step: read, plan, check the condition, record the intent, send once, read back,
//! record the outcome.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    Answered, ChangeRequest, Current, Outcome, Recorder, Refusal, Report,
    engine::Env,
    parts::Project,
    plan::{Precondition, etag, plan, precondition},
    readback::{self, GRACE, READ_BACK_TIME, READ_TIME, Stop, bounded, read_back, stopped},
    record,
};
use crate::{
    audit::{self, ChangeId, Intent},
    board::{Attribution, ServiceMeta},
    cloud::{Budget, CloudError, Fate, Reason, Services},
    pacing::Priority,
};

/// A change waits so long for its turn under the rate limit; then nothing is sent.
const TOKEN_TIME: Duration = Duration::from_secs(10);
/// The API gives up after 30 s itself, so that whatever comes later comes from nowhere.
const UPDATE_TIME: Duration = Duration::from_secs(35);
/// No change takes longer: every step has its limit, and this is their sum.
pub const LONGEST_CHANGE: Duration = Duration::from_secs(
    2 * (READ_TIME.as_secs() + GRACE.as_secs())
        + TOKEN_TIME.as_secs()
        + UPDATE_TIME.as_secs()
        + GRACE.as_secs()
        + READ_BACK_TIME.as_secs()
        + GRACE.as_secs()
        + 2 * (audit::DEADLINE.as_secs() + GRACE.as_secs()),
);

/// What is left of a change when its task dies after the intent was recorded.
pub(super) type Trail = Arc<OnceLock<(Intent, Report)>>;

/// One change.
pub(super) struct Apply<C, R> {
    pub(super) env: Arc<Env<R>>,
    pub(super) project: Project<C>,
    pub(super) meta: Arc<ServiceMeta>,
    pub(super) request: ChangeRequest,
    pub(super) trail: Trail,
    pub(super) stop: Stop,
}

/// What became of the one request.
struct Sent {
    fate: Option<Fate>,
    failure: Option<CloudError>,
    answered: Option<Answered>,
}

impl<C: Services, R: Recorder> Apply<C, R> {
    pub(super) async fn run(mut self) -> Result<Report, Refusal> {
        let result = self.steps().await;
        if let Ok(report) = &result {
            self.env.stats.admin_change(report.outcome.as_str());
            if !self.request.dry_run {
                self.log(report);
            }
        }
        result
    }

    fn log(&self, report: &Report) {
        let failure = report.failure.as_ref();
        let why = failure.map(|failure| format!(": {failure}")).unwrap_or_default();
        let answered = report.answered.as_ref().and_then(|answered| answered.request_id.as_deref());
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
        let plan = plan(&current.service, &self.request.update);
        let change_id = ChangeId::new(&self.env.clock)
            .map_err(|error| Refusal::AuditUnavailable(format!("no random numbers: {error}")))?;
        let subject = record::subject(change_id, &self.request, &self.meta.name);
        let mut report = Report {
            change_id: subject.change_id.to_string(),
            outcome: Outcome::Planned,
            sent: false,
            safe_to_retry: true,
            before: current.service.clone(),
            after: None,
            diff: plan.diff,
            failure: None,
            answered: None,
            warnings: plan.warnings,
        };
        if report.diff.is_empty() {
            report.outcome = Outcome::Unchanged;
            report.after = Some(current.service);
            if !self.request.dry_run {
                // Nothing was done, so nothing depends on this record.
                let asked = record::intent(subject, &self.request, &report);
                let _ = self.env.recorder.outcome(record::unchanged(asked)).await;
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
        let intent = record::intent(subject.clone(), &self.request, &report);
        let recorded = self.env.recorder.intent(intent.clone()).await;
        recorded.map_err(|error| Refusal::AuditUnavailable(error.to_string()))?;
        // Set once: a change has one intent.
        let _ = self.trail.set((intent, report.clone()));
        self.apply(&mut report).await;
        if let Err(error) = self.env.recorder.outcome(record::outcome(subject, &report)).await {
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
        self.tell(&report);
        Ok(report)
    }

    async fn read_current(&mut self) -> Result<Current, Refusal> {
        let deadline = Instant::now() + READ_TIME;
        let service = self.request.service.clone();
        // After every change: whoever only looks must not keep one from its turn.
        let priority = if self.request.dry_run { Priority::Begun } else { Priority::Admin };
        let (cloud, stop) = (&self.project.cloud, &mut self.stop);
        let read = readback::read(cloud, &service, priority, deadline, stop).await;
        // During a change of somebody else a plan may see anything.
        if !self.request.dry_run {
            let now = self.env.clock.now();
            self.env.board.record(&self.meta, read.clone(), now, Attribution::Nobody);
        }
        if *self.stop.borrow() {
            return Err(Refusal::Stopping);
        }
        let service = read.map_err(|error| Refusal::Unreadable(Box::new(error)))?;
        Ok(Current { etag: etag(&service), service })
    }

    /// Sends the change, once, and finds out what it did.
    async fn apply(&mut self, report: &mut Report) {
        self.env.board.change_begins(&self.meta.id);
        let sent = self.send().await;
        report.failure = sent.failure;
        report.answered = sent.answered;
        report.sent = sent.fate != Some(Fate::NotSent);
        match sent.fate {
            Some(Fate::NotSent) => report.outcome = Outcome::NotSent,
            Some(Fate::Refused) => self.refused(report).await,
            Some(Fate::Unknown) | None => self.find_out(report).await,
        }
    }

    async fn send(&mut self) -> Sent {
        let not_sent = |why| Sent { fate: Some(Fate::NotSent), failure: Some(why), answered: None };
        let token = tokio::select! {
            biased;
            () = stopped(&mut self.stop) => {
                let why = "the exporter is shutting down";
                return not_sent(CloudError::new(Reason::Internal, why));
            }
            token = timeout(TOKEN_TIME, self.project.pacer.acquire(Priority::Change)) => token,
        };
        let Ok(token) = token else { return not_sent(CloudError::no_turn()) };
        let deadline = Instant::now() + UPDATE_TIME;
        let budget = Budget { deadline, first_token: Some(token), priority: Priority::Change };
        let ChangeRequest { service, update, .. } = &self.request;
        let call = self.project.cloud.update_service(service, update, budget);
        match bounded(call, deadline, &mut self.stop).await {
            Ok(traced) => match traced.result {
                Ok(()) => {
                    let request_id = traced.trace.request_ids.last().cloned();
                    let answered = Some(Answered { status: 200, request_id });
                    Sent { fate: None, failure: None, answered }
                }
                Err(error) => Sent {
                    fate: Some(error.fate_of_write(&traced.trace)),
                    failure: Some(error),
                    answered: None,
                },
            },
            Err(error) => Sent { fate: Some(Fate::Unknown), failure: Some(error), answered: None },
        }
    }

    /// The cloud refused: it did nothing, and nothing is sent again. Only a throttled request is as
    /// good as one that was never made.
    async fn refused(&mut self, report: &mut Report) {
        report.outcome = Outcome::Rejected;
        let throttled =
            report.failure.as_ref().is_some_and(|error| error.reason == Reason::Throttled);
        report.safe_to_retry = throttled;
        if throttled {
            return;
        }
        let deadline = Instant::now() + READ_TIME;
        let ChangeRequest { service, .. } = &self.request;
        let read = readback::read(
            &self.project.cloud,
            service,
            Priority::Change,
            deadline,
            &mut self.stop,
        )
        .await;
        report.after = read.ok();
    }

    async fn find_out(&mut self, report: &mut Report) {
        let before = report.before.state();
        let ChangeRequest { service, update, .. } = &self.request;
        let cloud = &self.project.cloud;
        match read_back(cloud, service, &before, update, &mut self.stop).await {
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

    /// The board and the clusters behind the service hear of what was done.
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
