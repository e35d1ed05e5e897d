//! The credentials of a project that are in force, renewed when they are refused or about to expire.
//!
//! Every request of a project goes through [`Session::send`]. A 401 makes it look for better
//! credentials once (files are read anew, a token is asked for anew) and send again; when that is
//! refused too, or there are none, the credentials are in back-off at the host that refused them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout_at},
};

use super::{
    auth::{self, Auth},
    codes::{is_of_gateway, refuses_the_credentials},
    credentials::{Identity, Login},
    effort::Effort,
    endpoints::BaseUrl,
    iam,
    key_check::{KeyCheck, date_of, remembered},
    key_guard::{BACK_OFF, Begun, Credentials, MAX_REFUSALS},
    operation::Operation,
    settings::{Common, Settings},
    transport::{Answer, Request},
};
use crate::{
    clock::unix_seconds,
    cloud::{Budget, CloudError, Reason},
    pacing::{Pacer, Priority, RateLimit},
};

/// IAM is asked once or twice a day; its limits are not documented.
const IAM_RATE: RateLimit = RateLimit { requests_per_second: 0.5, burst: 3 };
/// A token is replaced after this part of its life.
const RENEW_AFTER: f64 = 0.8;
/// A background renewal that failed is tried again after this time.
const RENEW_AGAIN: Duration = Duration::from_secs(60);
/// Stands for all IAM hosts: IAM locks a user at all of them, after fewer refusals than a key.
const IAM_HOSTS: &str = "every IAM host";
/// IAM answers in well under a second.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The credentials of a project.
#[derive(Debug)]
pub(super) struct Session {
    settings: Arc<Settings>,
    common: Common,
    iam_pacer: Pacer,
    current: Mutex<Option<Current>>,
    reread_wanted: AtomicBool,
}

#[derive(Clone, Debug)]
struct Current {
    identity: Identity,
    auth: Arc<Auth>,
    /// The lifetime of a token that IAM gave.
    life: Option<Life>,
}

/// The life of a token by this process's own clock: the wall clock may be wrong.
#[derive(Clone, Copy, Debug)]
struct Life {
    renew_at: Instant,
    expires_at: Instant,
}

impl Session {
    /// Credentials that are read when they are first needed.
    pub(super) fn new(settings: Arc<Settings>, common: Common) -> Self {
        Self {
            settings,
            common,
            iam_pacer: Pacer::new(IAM_RATE),
            current: Mutex::new(None),
            reread_wanted: AtomicBool::new(false),
        }
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
        let auth = self.auth(request.base, effort).await;
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
            false => self.renewed(&auth, request.base, effort).await,
        };
        let Ok(Some(better)) = better else {
            self.tell(host, &refusal, begun);
            return Err(match better {
                Err(error) if !is_change => error,
                _ => refusal,
            });
        };
        let (result, begun) = self.try_send(&better, request, effort).await;
        if let Err(error) = &result
            && begun.is_some()
        {
            self.tell(host, error, begun);
            self.refuse_identity(request.base, error).await;
        }
        result
    }

    async fn try_send(
        &self,
        auth: &Auth,
        request: &Request<'_>,
        effort: &mut Effort,
    ) -> (Result<Answer, CloudError>, Option<Begun>) {
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

    /// Logs the back-offs that a refusal has begun: each once, and not for every cluster that waits.
    fn tell(&self, host: &str, refusal: &CloudError, begun: Option<Begun>) {
        let Some(Begun { at_host, everywhere, .. }) = begun else { return };
        if at_host {
            tracing::warn!(
                project = &*self.settings.name,
                host,
                reason = refusal.reason.as_str(),
                status = refusal.status,
                code = refusal.code,
                request_id = refusal.request_id,
                retry_at = %date_of(Instant::now() + BACK_OFF, self.common.transport.clock()),
                "the credentials are in back-off at this API host: {refusal}"
            );
        }
        if everywhere {
            tracing::warn!(
                project = &*self.settings.name,
                refusals = MAX_REFUSALS,
                "the credentials are in back-off at every API host: they were refused so often in \
                 {} s that more refusals would lock them",
                BACK_OFF.as_secs()
            );
        }
    }

    /// The credentials in force; read, or asked of IAM, where there are none yet.
    async fn auth(&self, base: &BaseUrl, effort: &mut Effort) -> Result<Arc<Auth>, CloudError> {
        // Whoever holds it may be asking IAM for a token.
        let Ok(mut current) = timeout_at(effort.budget.deadline, self.current.lock()).await else {
            let message = "another request did not get credentials before the deadline";
            return Err(CloudError::new(Reason::Timeout, message).unsent());
        };
        if self.reread_wanted.swap(false, Ordering::Relaxed)
            && let Some(known) = &*current
            && self.resolve().await.is_ok_and(|identity| identity != known.identity)
        {
            *current = None;
        }
        match &*current {
            Some(Current { auth, life, .. })
                if life.is_none_or(|life| life.expires_at > Instant::now()) =>
            {
                Ok(auth.clone())
            }
            _ => {
                let identity = self.resolve().await?;
                self.replace(current, identity, base, effort).await
            }
        }
    }

    /// Better credentials than those that were refused, if there are any.
    async fn renewed(
        &self,
        refused: &Auth,
        base: &BaseUrl,
        effort: &mut Effort,
    ) -> Result<Option<Arc<Auth>>, CloudError> {
        let current = self.current.lock().await;
        // Another request has renewed them already.
        if let Some(current) = &*current
            && *current.auth != *refused
        {
            return Ok(Some(current.auth.clone()));
        }
        let identity = self.resolve().await?;
        let is_password = matches!(identity, Identity::Password(_));
        if !is_password && current.as_ref().is_some_and(|current| current.identity == identity) {
            return Ok(None);
        }
        self.replace(current, identity, base, effort).await.map(Some)
    }

    async fn replace(
        &self,
        mut current: MutexGuard<'_, Option<Current>>,
        identity: Identity,
        base: &BaseUrl,
        effort: &mut Effort,
    ) -> Result<Arc<Auth>, CloudError> {
        // For a while there is no use in getting another token for a host that refused a fresh one.
        if let Identity::Password(login) = &identity {
            let host = base.authority();
            if let Some(back_off) = self.common.guard.back_off(auth::tokens_of(login, host), host) {
                return Err(remembered(back_off, self.common.transport.clock()));
            }
        }
        let fresh = self.log_in(identity, effort).await?;
        Ok(current.insert(fresh).auth.clone())
    }

    /// Reads the source, which may wait for a disk.
    async fn resolve(&self) -> Result<Identity, CloudError> {
        let source = self.settings.credentials.clone();
        let resolved = tokio::task::spawn_blocking(move || source.resolve()).await;
        let resolved = resolved.map_err(|_| "reading them failed by a fault".to_owned());
        resolved
            .and_then(|identity| identity.map_err(|error| error.to_string()))
            .map_err(|why| CloudError::new(Reason::Auth, format!("no credentials: {why}")))
    }

    async fn log_in(&self, identity: Identity, effort: &mut Effort) -> Result<Current, CloudError> {
        let (auth, life) = match &identity {
            Identity::Keys(keys) => (Auth::keys(keys), None),
            Identity::Token(token) => (Auth::token(token.clone()), None),
            Identity::Password(login) => {
                let asked = Instant::now();
                let issued = self.ask_for_token(login, effort).await?;
                let expiry = unix_seconds(issued.expires);
                self.common.stats.credentials_expire(&self.settings.name, expiry);
                let life = Life {
                    renew_at: asked + issued.life.mul_f64(RENEW_AFTER),
                    expires_at: asked + issued.life,
                };
                (Auth::token(issued.token), Some(life))
            }
        };
        Ok(Current { identity, auth: Arc::new(auth), life })
    }

    async fn ask_for_token(
        &self,
        login: &Login,
        effort: &mut Effort,
    ) -> Result<iam::Issued, CloudError> {
        let mut check = self.check(auth::login(login), IAM_HOSTS)?;
        let body = iam::login_body(login, &self.settings);
        let query = [("nocatalog", "true")];
        let request = Request {
            body: Some(&body),
            secret: Some(&login.password),
            ..self.to_iam(Operation::Token, "/v3/auth/tokens", &query)
        };
        // A token for CSS does not pay for a request to IAM.
        let first_token = effort.budget.first_token.take();
        let answer = self.common.transport.send(&request, None, &mut check, effort).await;
        effort.budget.first_token = first_token;
        let issued = answer.and_then(iam::issued);
        if let Err(error) = &issued {
            self.tell(IAM_HOSTS, error, check.begun);
            self.common.stats.credential_refresh_failed(&self.settings.name);
        }
        issued
    }

    /// Asks IAM for the projects that are named like the region.
    pub(super) async fn ask_for_projects(&self, effort: &mut Effort) -> Result<Answer, CloudError> {
        let query = [("name", self.settings.region.as_str())];
        let request = self.to_iam(Operation::Projects, "/v3/projects", &query);
        // A token for CSS does not pay for a request to IAM.
        let first_token = effort.budget.first_token.take();
        let answer = self.send(&request, effort).await;
        effort.budget.first_token = first_token;
        answer
    }

    fn to_iam<'a>(
        &'a self,
        operation: Operation,
        path: &str,
        query: &'a [(&'a str, &'a str)],
    ) -> Request<'a> {
        Request {
            project: &self.settings.name,
            operation,
            base: &self.settings.endpoints.iam,
            path: path.into(),
            query,
            body: None,
            secret: None,
            project_id: None,
            pacer: &self.iam_pacer,
        }
    }

    /// A token fresh from IAM was refused: for a while there is no use in getting another one for the same
    /// host.
    async fn refuse_identity(&self, base: &BaseUrl, refusal: &CloudError) {
        if let Some(current) = &*self.current.lock().await
            && let Identity::Password(login) = &current.identity
        {
            let host = base.authority();
            self.common.guard.refused(auth::tokens_of(login, host), host, refusal);
        }
    }

    /// The next request reads the source anew; credentials that have changed are used from then on.
    pub(super) fn reread(&self) {
        self.reread_wanted.store(true, Ordering::Relaxed);
    }

    /// Replaces the token before it expires. Until the new one is there, the old one is used.
    pub(super) async fn renew_if_due(&self, now: Instant) {
        let Some(old) = self.current.lock().await.clone() else { return };
        let Some(life) = old.life.filter(|life| life.renew_at <= now) else { return };
        let deadline = Instant::now() + LOGIN_TIMEOUT;
        let priority = Priority::Poll;
        let mut effort = Effort::new(Budget { deadline, first_token: None, priority });
        let fresh = match self.resolve().await {
            Ok(identity) => self.log_in(identity, &mut effort).await,
            Err(error) => Err(error),
        };
        let mut current = self.current.lock().await;
        // Credentials that were replaced meanwhile are newer than this token.
        let replaceable = current.as_mut().filter(|current| current.auth == old.auth);
        match (fresh, replaceable) {
            (Ok(fresh), Some(current)) => {
                tracing::debug!(project = &*self.settings.name, "the token was renewed");
                *current = fresh;
            }
            (Ok(_), None) => {}
            (Err(error), replaceable) => {
                tracing::warn!(
                    project = &*self.settings.name,
                    reason = error.reason.as_str(),
                    code = error.code,
                    request_id = error.request_id,
                    "the token cannot be renewed: {error}"
                );
                if let Some(current) = replaceable {
                    let renew_at = Instant::now() + RENEW_AGAIN;
                    current.life = Some(Life { renew_at, ..life });
                }
            }
        }
    }
}
