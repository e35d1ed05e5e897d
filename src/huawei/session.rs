//! Who a project is to the cloud at the moment: the credentials in force, renewed when they are
//! refused or about to expire.
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

use jiff::{Timestamp, Unit};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{
    credentials::{Identity, Login, Source},
    endpoints::BaseUrl,
    guard::{BACK_OFF, BackOff, Begun, Credentials, Fingerprint, KeyGuard, MAX_REFUSALS, Pass},
    iam::{self, Scope},
    transport::{Answer, Auth, Gate, Request, Transport, is_of_gateway},
};
use crate::{
    clock::unix_seconds,
    cloud::{Budget, CloudError, Reason, Trace},
    pacing::{Pacer, Priority, RateLimit},
    stats::Stats,
};

/// IAM is asked once or twice a day; its limits are not documented.
const IAM_RATE: RateLimit = RateLimit { requests_per_second: 0.5, burst: 3 };
/// A token is replaced after this part of its life.
const RENEW_AFTER: f64 = 0.8;
/// A background renewal that failed is tried again after this time.
const RENEW_AGAIN: Duration = Duration::from_secs(60);
/// Stands for all IAM hosts: a user is locked at all of them, after fewer refusals than a key.
const IAM_HOSTS: &str = "every IAM host";
/// IAM answers in well under a second.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What a session is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// Configured name of the project.
    pub(super) project: Arc<str>,
    /// Where credentials come from.
    pub(super) source: Source,
    /// Where IAM is.
    pub(super) iam: BaseUrl,
    /// What a token is asked for.
    pub(super) scope: Scope,
    /// Sends requests.
    pub(super) transport: Arc<Transport>,
    /// What is known of all credentials.
    pub(super) guard: Arc<KeyGuard>,
    /// The exporter's own metrics.
    pub(super) stats: Arc<Stats>,
}

/// The credentials of a project.
#[derive(Debug)]
pub(super) struct Session {
    parts: Parts,
    iam_pacer: Pacer,
    current: Mutex<Option<Current>>,
    reread_wanted: AtomicBool,
}

/// Asks the guard before each try of a request, and tells it what the answer says of the credentials.
struct Guarded<'a> {
    session: &'a Session,
    credentials: Credentials,
    host: &'a str,
    /// The back-offs that a refusal has begun.
    begun: Option<Begun>,
}

#[derive(Clone, Debug)]
struct Current {
    identity: Identity,
    auth: Auth,
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
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            iam_pacer: Pacer::new(IAM_RATE),
            current: Mutex::new(None),
            reread_wanted: AtomicBool::new(false),
        }
    }

    /// For requests to IAM.
    pub(super) fn iam_pacer(&self) -> &Pacer {
        &self.iam_pacer
    }

    /// Sends a request with the project's credentials.
    ///
    /// # Errors
    /// The error of the request or of getting a token; during back-off, the refusal that caused it.
    pub(super) async fn send(
        &self,
        request: &Request<'_>,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Answer, CloudError> {
        let is_change = request.method.is_change();
        let auth = self.auth(request.base, budget, trace).await;
        let auth = auth.map_err(|error| if is_change { error.unsent() } else { error })?;
        let host = request.base.authority();
        let (result, begun) = self.try_send(&auth, request, budget, trace).await;
        let refusal = match result {
            Err(error) if is_refusal(&error) => error,
            other => return other,
        };
        // Another key does not correct a clock. And only a refusal by the gateway proves that the service
        // behind it has not seen the change.
        let is_final = refusal.reason == Reason::ClockSkew
            || (is_change && !refusal.never_sent && !is_of_gateway(&refusal));
        let better = match is_final {
            true => Ok(None),
            false => self.renewed(&auth, request.base, budget, trace).await,
        };
        let Ok(Some(better)) = better else {
            self.tell(host, &refusal, begun);
            return Err(match better {
                Err(error) if !is_change => error,
                _ => refusal,
            });
        };
        let (result, begun) = self.try_send(&better, request, budget, trace).await;
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
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> (Result<Answer, CloudError>, Option<Begun>) {
        let mut gate = match self.gate(auth.credentials(), request.base.authority()) {
            Ok(gate) => gate,
            Err(error) => return (Err(error), None),
        };
        let result = self.parts.transport.send(request, Some(auth), &mut gate, budget, trace).await;
        let begun = gate.begun;
        (result.map_err(|error| self.dated(error, auth, request.base, begun)), begun)
    }

    /// Of credentials that are not in back-off; those that are do not wait for a token either.
    fn gate<'a>(
        &'a self,
        credentials: Credentials,
        host: &'a str,
    ) -> Result<Guarded<'a>, CloudError> {
        match self.parts.guard.back_off(credentials, host) {
            Some(back_off) => Err(self.remembered(back_off)),
            None => Ok(Guarded { session: self, credentials, host, begun: None }),
        }
    }

    /// A refusal says when its back-off ends, as the errors of the requests that follow it do.
    fn dated(
        &self,
        error: CloudError,
        auth: &Auth,
        base: &BaseUrl,
        begun: Option<Begun>,
    ) -> CloudError {
        let back_off =
            begun.and_then(|_| self.parts.guard.back_off(auth.credentials(), base.authority()));
        let retry_at = back_off.map(|BackOff { until, .. }| self.date_of(until));
        // One that was remembered has its date already.
        CloudError { retry_at: retry_at.or(error.retry_at), ..error }
    }

    /// The refusal that caused a back-off, as the error of a request that is not sent.
    fn remembered(&self, BackOff { until, refusal }: BackOff) -> CloudError {
        CloudError { retry_at: Some(self.date_of(until)), ..refusal.unsent() }
    }

    /// The date of a moment to come, in whole seconds.
    fn date_of(&self, until: Instant) -> Timestamp {
        let left = until.saturating_duration_since(Instant::now());
        let date = self.parts.transport.clock().now();
        let date = date.saturating_add(left).unwrap_or(date);
        date.round(Unit::Second).unwrap_or(date)
    }

    /// Logs the back-offs that a refusal has begun: each once, and not for every cluster that waits.
    fn tell(&self, host: &str, refusal: &CloudError, begun: Option<Begun>) {
        let Some(Begun { at_host, everywhere }) = begun else { return };
        if at_host {
            tracing::warn!(
                project = &*self.parts.project,
                host,
                reason = refusal.reason.as_str(),
                status = refusal.status,
                code = refusal.code,
                request_id = refusal.request_id,
                retry_at = %self.date_of(Instant::now() + BACK_OFF),
                "the credentials are in back-off at this API host: {refusal}"
            );
        }
        if everywhere {
            tracing::warn!(
                project = &*self.parts.project,
                refusals = MAX_REFUSALS,
                "the credentials are in back-off at every API host: they were refused so often in \
                 {} s that more refusals would lock them",
                BACK_OFF.as_secs()
            );
        }
    }

    /// The credentials in force; read, or asked of IAM, where there are none yet.
    async fn auth(
        &self,
        base: &BaseUrl,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Auth, CloudError> {
        // Whoever holds it may be asking IAM for a token.
        let Ok(mut current) = timeout_at(budget.deadline, self.current.lock()).await else {
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
                return Ok(auth.clone());
            }
            _ => {}
        }
        let identity = self.resolve().await?;
        let fresh = self.log_in(identity, Some(base), budget, trace).await?;
        Ok(current.insert(fresh).auth.clone())
    }

    /// Better credentials than those that were refused, if there are any.
    async fn renewed(
        &self,
        refused: &Auth,
        base: &BaseUrl,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Option<Auth>, CloudError> {
        let mut current = self.current.lock().await;
        // Another request has renewed them already.
        if let Some(current) = &*current
            && current.auth != *refused
        {
            return Ok(Some(current.auth.clone()));
        }
        let identity = self.resolve().await?;
        let is_password = matches!(identity, Identity::Password(_));
        if !is_password && current.as_ref().is_some_and(|current| current.identity == identity) {
            return Ok(None);
        }
        let fresh = self.log_in(identity, Some(base), budget, trace).await?;
        Ok(Some(current.insert(fresh).auth.clone()))
    }

    /// Reads the source, which may wait for a disk.
    async fn resolve(&self) -> Result<Identity, CloudError> {
        let source = self.parts.source.clone();
        let resolved = tokio::task::spawn_blocking(move || source.resolve()).await;
        let resolved = resolved.map_err(|_| "reading them failed by a fault".to_owned());
        resolved
            .and_then(|identity| identity.map_err(|error| error.to_string()))
            .map_err(|why| CloudError::new(Reason::Auth, format!("no credentials: {why}")))
    }

    /// `base`: where the credentials are to be used, if that is known.
    async fn log_in(
        &self,
        identity: Identity,
        base: Option<&BaseUrl>,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Current, CloudError> {
        let (auth, life) = match &identity {
            Identity::Keys(keys) => (Auth::Keys(keys.clone()), None),
            Identity::Token(token) => (Auth::Token(token.clone()), None),
            Identity::Password(login) => {
                let refused = base
                    .map(BaseUrl::authority)
                    .and_then(|host| self.parts.guard.back_off(tokens_of(login, host), host));
                if let Some(back_off) = refused {
                    return Err(self.remembered(back_off));
                }
                let asked = Instant::now();
                let issued = self.ask_for_token(login, budget, trace).await?;
                let expiry = unix_seconds(issued.expires);
                self.parts.stats.credentials_expire(&self.parts.project, expiry);
                let life = Life {
                    renew_at: asked + issued.life.mul_f64(RENEW_AFTER),
                    expires_at: asked + issued.life,
                };
                (Auth::Token(issued.token), Some(life))
            }
        };
        Ok(Current { identity, auth, life })
    }

    async fn ask_for_token(
        &self,
        login: &Login,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<iam::Issued, CloudError> {
        let parts = &self.parts;
        let mut gate = self.gate(credentials(login), IAM_HOSTS)?;
        // A token for CSS does not pay for a request to IAM.
        let mut own = Budget { first_token: None, ..*budget };
        let call = iam::Call {
            project: &parts.project,
            base: &parts.iam,
            pacer: &self.iam_pacer,
            transport: &parts.transport,
        };
        let issued = call.token(login, &parts.scope, &mut gate, &mut own, trace).await;
        if let Err(error) = &issued {
            self.tell(IAM_HOSTS, error, gate.begun);
            parts.stats.credential_refresh_failed(&parts.project);
        }
        issued
    }

    /// A token fresh from IAM was refused: for a while there is no use in getting another one for the same
    /// host.
    async fn refuse_identity(&self, base: &BaseUrl, refusal: &CloudError) {
        if let Some(current) = &*self.current.lock().await
            && let Identity::Password(login) = &current.identity
        {
            let host = base.authority();
            self.parts.guard.refused(tokens_of(login, host), host, refusal);
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
        let mut budget = Budget {
            deadline: Instant::now() + LOGIN_TIMEOUT,
            first_token: None,
            priority: Priority::Poll,
        };
        let fresh = match self.resolve().await {
            Ok(identity) => self.log_in(identity, None, &mut budget, &mut Trace::default()).await,
            Err(error) => Err(error),
        };
        let mut current = self.current.lock().await;
        match fresh {
            // Credentials that were replaced meanwhile are newer than this token.
            Ok(fresh) if current.as_ref().is_some_and(|current| current.auth == old.auth) => {
                tracing::debug!(project = &*self.parts.project, "the token was renewed");
                *current = Some(fresh);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    project = &*self.parts.project,
                    reason = error.reason.as_str(),
                    code = error.code,
                    request_id = error.request_id,
                    "the token cannot be renewed: {error}"
                );
                if let Some(current) = current.as_mut()
                    && current.auth == old.auth
                {
                    let renew_at = Instant::now() + RENEW_AGAIN;
                    current.life = Some(Life { renew_at, ..life });
                }
            }
        }
    }
}

impl Gate for Guarded<'_> {
    type Pass = Pass;

    async fn enter(&mut self, deadline: Instant) -> Result<Pass, CloudError> {
        let entering = self.session.parts.guard.enter(self.credentials, self.host);
        match timeout_at(deadline, entering).await {
            Ok(Ok(pass)) => Ok(pass),
            Ok(Err(back_off)) => Err(self.session.remembered(back_off)),
            Err(_) => Err(CloudError::new(
                Reason::Timeout,
                "the first request with these credentials was not answered before the deadline",
            )
            .unsent()),
        }
    }

    /// An answer says of the credentials: refused, which may begin a back-off, taken, or nothing.
    fn settle(&mut self, pass: Pass, result: &Result<Answer, CloudError>) {
        match result {
            Err(error) if is_refusal(error) => self.begun = Some(pass.refused(error)),
            Err(error) if !matches!(error.status, Some(200..=299 | 400 | 403 | 404)) => {}
            _ if pass.accepted() => tracing::info!(
                project = &*self.session.parts.project,
                host = self.host,
                "the cloud takes the credentials again: the back-off has ended"
            ),
            _ => {}
        }
    }
}

fn credentials(login: &Login) -> Credentials {
    let whole = fingerprint(login, "");
    Credentials { whole, lockable: whole }
}

/// The tokens of a login at a host that refuses them fresh from IAM: IAM took the password, so this
/// says nothing of it at other hosts.
fn tokens_of(login: &Login, host: &str) -> Credentials {
    let whole = fingerprint(login, host);
    Credentials { whole, lockable: whole }
}

fn fingerprint(Login { domain, user, password }: &Login, host: &str) -> Fingerprint {
    Fingerprint::of(&[&domain.as_str().into(), &user.as_str().into(), password, &host.into()])
}

/// A 401: of the credentials, or of the clock that signed.
fn is_refusal(error: &CloudError) -> bool {
    error.status == Some(401) && matches!(error.reason, Reason::Auth | Reason::ClockSkew)
}
