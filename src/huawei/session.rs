//! The requests of a project, with the credentials that are in force.
//!
//! Every request of a project goes through [`Session::send`]. A 401 makes it look for better
//! credentials once (files are read anew, a token is asked for anew) and send again; when that is
//! refused too, or there are none, the credentials are in back-off at the host that refused them.

use std::sync::Arc;

use super::{
    auth::{Auth, Keeper, tell},
    codes::{is_of_gateway, refuses_the_credentials},
    effort::Effort,
    key_check::KeyCheck,
    key_guard::{Begun, Credentials},
    operation::Operation,
    settings::{Common, Settings},
    transport::{Answer, Request},
};
use crate::cloud::{CloudError, Reason};

/// The credentials of a project.
#[derive(Debug)]
pub(super) struct Session {
    settings: Arc<Settings>,
    common: Common,
    pub(super) keeper: Keeper,
}

impl Session {
    /// Credentials that are read when they are first needed.
    pub(super) fn new(settings: Arc<Settings>, common: Common) -> Self {
        let transport = common.transport.through(&settings.network);
        let common = Common { transport, ..common };
        Self { keeper: Keeper::new(settings.clone(), common.clone()), settings, common }
    }

    /// Sends a request with the project's credentials.
    ///
    /// # Errors
    /// The error of the request or of getting a token; during back-off, the refusal that caused it.
    pub(super) async fn send(
        &self,
        request: &Request<'_>,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let is_change = request.operation.is_change();
        let auth = self.keeper.auth(request.base, effort).await;
        // Without credentials the change was not sent, so the caller may try again safely.
        let auth = auth.map_err(|error| if is_change { error.unsent() } else { error })?;
        let host = request.base.authority();
        let (result, begun) = self.try_send(&auth, request, effort).await;
        let refusal = match result {
            Err(error) if refuses_the_credentials(&error) => error,
            other => return other,
        };
        // Another key does not correct a clock. And only a refusal by the gateway proves that the service
        // behind it has not seen the change.
        let is_final = refusal.reason == Reason::ClockSkew
            || (is_change && !refusal.never_sent && !is_of_gateway(&refusal));
        let better = match is_final {
            true => Ok(None),
            false => self.keeper.renewed(&auth, request.base, effort).await,
        };
        let Ok(Some(better)) = better else {
            self.tell(host, &refusal, begun);
            return Err(match better {
                Err(error) if !is_change => error,
                // A change reports its own refusal, because the caller must know whether it was sent.
                _ => refusal,
            });
        };
        let (result, begun) = self.try_send(&better, request, effort).await;
        if let Err(error) = &result
            // Other failures say nothing of the credentials.
            && begun.is_some()
        {
            self.tell(host, error, begun);
            // Fresh credentials were refused too: exchanging the same identity again would only repeat this.
            self.keeper.refuse_identity(request.base, error);
        }
        result
    }

    async fn try_send(
        &self,
        auth: &Auth,
        request: &Request<'_>,
        effort: &mut Effort,
    ) -> (Result<Answer, CloudError>, Option<Begun>) {
        // Made anew for each try: the better credentials may be in back-off at this host too.
        let mut check = match self.check(auth.credentials, request.base.authority()) {
            Ok(check) => check,
            Err(error) => return (Err(error), None),
        };
        let sent = self.common.transport.send(request, Some(auth), &mut check, effort).await;
        (sent, check.begun)
    }

    fn check<'a>(
        &'a self,
        credentials: Credentials,
        host: &'a str,
    ) -> Result<KeyCheck<'a>, CloudError> {
        let Common { transport, guard, .. } = &self.common;
        KeyCheck::new(guard, transport.clock(), &self.settings.name, credentials, host)
    }

    fn tell(&self, host: &str, refusal: &CloudError, begun: Option<Begun>) {
        tell(&self.settings.name, self.common.transport.clock(), host, refusal, begun);
    }

    /// Asks IAM for the projects that are named like the region.
    pub(super) async fn ask_for_projects(&self, effort: &mut Effort) -> Result<Answer, CloudError> {
        let query = [("name", self.settings.region.as_str())];
        let request = Request {
            project: &self.settings.name,
            operation: Operation::Projects,
            base: &self.settings.endpoints.iam,
            path: "/v3/projects".into(),
            query: &query,
            body: None,
            secret: None,
            header: None,
            project_id: None,
            pacer: self.keeper.issuer.pacer(),
        };
        // A token for CSS does not pay for a request to IAM.
        let first_token = effort.budget.first_token.take();
        let answer = self.send(&request, effort).await;
        effort.budget.first_token = first_token;
        answer
    }
}
