//! The questions to IAM and STS by which credentials are exchanged.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::{Auth, issued::Issued};
use crate::{
    clock::Clock,
    cloud::CloudError,
    huawei::{
        effort::Effort,
        endpoints::BaseUrl,
        key_check::{KeyCheck, date_of},
        key_guard::{BACK_OFF, Begun, Credentials, MAX_REFUSALS},
        operation::Operation,
        settings::{Common, Settings},
        transport::{Answer, Request},
    },
    pacing::{Pacer, RateLimit},
    secret::Secret,
};

/// IAM and STS are asked a few times an hour; their limits are not documented.
const RATE: RateLimit = RateLimit { requests_per_second: 0.5, burst: 3 };

/// Asks IAM and STS for a project.
#[derive(Debug)]
pub(in crate::huawei) struct Issuer {
    pub(super) settings: Arc<Settings>,
    pub(super) common: Common,
    pacer: Pacer,
}

/// A question.
pub(super) struct Exchange<'a> {
    pub(super) operation: Operation,
    pub(super) base: &'a BaseUrl,
    pub(super) path: &'static str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Secret,
    /// The secret part of the body.
    pub(super) hidden: Option<&'a Secret>,
    pub(super) header: Option<(&'static str, &'a str)>,
    /// The credentials that sign it, if it is signed.
    pub(super) auth: Option<&'a Auth>,
    /// The credentials that a refusal is about, as the guard knows them.
    pub(super) credentials: Credentials,
    /// The host that refuses it.
    pub(super) host: &'a str,
}

impl<'a> Exchange<'a> {
    /// An unsigned request; a refusal of it counts for its host.
    pub(super) fn new(
        operation: Operation,
        base: &'a BaseUrl,
        path: &'static str,
        body: &Value,
        credentials: Credentials,
    ) -> Self {
        let body = Secret::new(body.to_string());
        let (query, hidden, header, auth): (&[_], _, _, _) = (&[], None, None, None);
        let host = base.authority();
        Self { operation, base, path, query, body, hidden, header, auth, credentials, host }
    }
}

impl Issuer {
    pub(super) fn new(settings: Arc<Settings>, common: Common) -> Self {
        Self { settings, common, pacer: Pacer::new(RATE) }
    }

    /// Asks, unless the credentials are in back-off.
    pub(super) async fn ask(
        &self,
        exchange: Exchange<'_>,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let Common { transport, guard, .. } = &self.common;
        let (project, clock) = (&*self.settings.name, transport.clock());
        let Exchange { credentials, host, .. } = exchange;
        let mut check = KeyCheck::new(guard, clock, project, credentials, host)?;
        let request = Request {
            project,
            operation: exchange.operation,
            base: exchange.base,
            path: exchange.path.into(),
            query: exchange.query,
            body: Some(&exchange.body),
            secret: exchange.hidden,
            header: exchange.header,
            project_id: None,
            pacer: &self.pacer,
        };
        // A token for CSS does not pay for a request to IAM.
        let first_token = effort.budget.first_token.take();
        let answer = transport.send(&request, exchange.auth, &mut check, effort).await;
        effort.budget.first_token = first_token;
        answer.inspect_err(|refusal| tell(project, clock, host, refusal, check.begun))
    }

    /// Asks for temporary keys.
    pub(super) async fn ask_for_keys(
        &self,
        exchange: Exchange<'_>,
        effort: &mut Effort,
    ) -> Result<Issued, CloudError> {
        let Answer { body, request_id, seconds_ahead, .. } = self.ask(exchange, effort).await?;
        let issued = Issued::keys(&body, self.common.transport.clock(), seconds_ahead);
        issued.map_err(|error| CloudError { request_id, ..error })
    }

    /// The pace of all requests to IAM.
    pub(in crate::huawei) fn pacer(&self) -> &Pacer {
        &self.pacer
    }
}

/// Logs the back-offs that a refusal has begun: each once, and not for every cluster that waits.
pub(in crate::huawei) fn tell(
    project: &str,
    clock: &Clock,
    host: &str,
    refusal: &CloudError,
    begun: Option<Begun>,
) {
    let Some(Begun { at_host, everywhere, .. }) = begun else { return };
    if at_host {
        tracing::warn!(
            project,
            host,
            reason = refusal.reason.as_str(),
            status = refusal.status,
            code = refusal.code,
            request_id = refusal.request_id,
            retry_at = %date_of(Instant::now() + BACK_OFF, clock),
            "the credentials are in back-off at this API host: {refusal}"
        );
    }
    if everywhere {
        tracing::warn!(
            project,
            refusals = MAX_REFUSALS,
            "the credentials are in back-off at every API host: they were refused so often in \
             {} s that more refusals would lock them",
            BACK_OFF.as_secs()
        );
    }
}
