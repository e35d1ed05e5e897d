//! The credentials of a project that are in force.
//!
//! | the credentials | a request |
//! |---|---|
//! | live | takes them, whatever else happens |
//! | are missing, or have ended | makes the exchange for new ones, or waits for the one under way |
//! | were refused | makes one exchange, unless other requests have already |
//!
//! One exchange is under way at a time, and if it fails, all who waited for it get its error. Credentials are
//! also renewed in the background before they end. A reload makes the next request read their source again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{
    Auth,
    account::Account,
    fresh_at,
    issued::{Issued, Lifetime},
    issuer::Issuer,
    life::{Life, RENEW_AGAIN},
    provider::{issue, none},
};
use crate::{
    clock::unix_seconds,
    cloud::{Budget, CloudError, Reason},
    huawei::{
        credentials::Identity,
        effort::Effort,
        endpoints::BaseUrl,
        key_check::remembered,
        settings::{Common, Settings},
    },
    pacing::Priority,
};

/// All steps of an exchange together take well under a second each.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Keeps the credentials of a project.
#[derive(Debug)]
pub(in crate::huawei) struct Keeper {
    pub(in crate::huawei) issuer: Issuer,
    current: Mutex<Option<Current>>,
    /// Locked during an exchange. Inside: when the last one failed, and why, for those who waited for it.
    exchange: tokio::sync::Mutex<Option<(Instant, CloudError)>>,
    reread_wanted: AtomicBool,
    /// The last renewal in the background failed.
    is_failing: AtomicBool,
}

#[derive(Clone, Debug)]
struct Current {
    identity: Identity,
    auth: Arc<Auth>,
    life: Option<Life>,
    account: Account,
}

impl Keeper {
    /// Credentials that are read when they are first needed.
    pub(in crate::huawei) fn new(settings: Arc<Settings>, common: Common) -> Self {
        Self {
            issuer: Issuer::new(settings, common),
            current: Mutex::default(),
            exchange: tokio::sync::Mutex::default(),
            reread_wanted: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        }
    }

    /// The credentials in force. If none live, they are read from their source, or exchanged.
    pub(in crate::huawei) async fn auth(
        &self,
        base: &BaseUrl,
        effort: &mut Effort,
    ) -> Result<Arc<Auth>, CloudError> {
        if self.reread_wanted.swap(false, Ordering::Relaxed) {
            self.forget_if_changed().await;
        }
        if let Some(auth) = self.living() {
            return Ok(auth);
        }
        let came = Instant::now();
        let Ok(mut exchange) = timeout_at(effort.budget.deadline, self.exchange.lock()).await
        else {
            return Err(late().unsent());
        };
        if let Some(auth) = self.living() {
            return Ok(auth);
        }
        if let Some((at, failure)) = &*exchange
            && *at >= came
        {
            return Err(failure.clone().unsent());
        }
        let identity = self.resolve().await?;
        let replaced = self.replace(identity, base, effort).await;
        *exchange = replaced.as_ref().err().map(|failure| (Instant::now(), failure.clone()));
        replaced
    }

    fn living(&self) -> Option<Arc<Auth>> {
        let current = self.current.lock();
        let lives =
            |current: &&Current| current.life.is_none_or(|life| life.ends_at > Instant::now());
        current.as_ref().filter(lives).map(|current| current.auth.clone())
    }

    /// Better credentials than those that were refused, if there are any.
    pub(in crate::huawei) async fn renewed(
        &self,
        refused: &Auth,
        base: &BaseUrl,
        effort: &mut Effort,
    ) -> Result<Option<Arc<Auth>>, CloudError> {
        let Ok(_exchange) = timeout_at(effort.budget.deadline, self.exchange.lock()).await else {
            return Err(late().unsent());
        };
        let known = self.current.lock().clone();
        // Another request has renewed them already.
        if let Some(current) = &known
            && *current.auth != *refused
        {
            return Ok(Some(current.auth.clone()));
        }
        let identity = self.resolve().await?;
        if !may_bring_others(&identity) && known.is_some_and(|known| known.identity == identity) {
            return Ok(None);
        }
        let fresh = self.replace(identity, base, effort).await?;
        Ok(Some(fresh).filter(|fresh| **fresh != *refused))
    }

    async fn replace(
        &self,
        identity: Identity,
        base: &BaseUrl,
        effort: &mut Effort,
    ) -> Result<Arc<Auth>, CloudError> {
        // For a while another exchange is useless for a host that refused the result of one.
        if may_bring_others(&identity) {
            let Common { guard, transport, .. } = &self.issuer.common;
            let host = base.authority();
            if let Some(back_off) = guard.back_off(fresh_at(&identity, host), host) {
                return Err(remembered(back_off, transport.clock()));
            }
        }
        let fresh = self.obtain(identity, effort).await.inspect_err(|error| {
            // A remembered failure was counted when it happened.
            if !(error.never_sent && error.retry_at.is_some()) {
                self.count_failure();
            }
        })?;
        let auth = fresh.auth.clone();
        *self.current.lock() = Some(fresh);
        Ok(auth)
    }

    /// Reads the source, which may wait for a disk.
    async fn resolve(&self) -> Result<Identity, CloudError> {
        let source = self.settings().credentials.clone();
        let resolved = tokio::task::spawn_blocking(move || source.resolve()).await;
        match resolved {
            Ok(resolved) => resolved.map_err(|why| none(&why.to_string())),
            Err(_) => Err(none("reading them failed by a fault")),
        }
    }

    async fn obtain(&self, identity: Identity, effort: &mut Effort) -> Result<Current, CloudError> {
        let asked = Instant::now();
        let (name, stats) = (&*self.settings().name, &self.issuer.common.stats);
        let issued = issue(&self.issuer, &identity, effort).await?;
        let account = Account::of(&identity, &issued);
        let Issued { auth, lifetime, .. } = issued;
        match lifetime {
            Lifetime::Until { end, .. } => stats.credentials_expire(name, unix_seconds(end)),
            _ => stats.forget_expiry(name),
        }
        let life = Life::new(lifetime, asked, fastrand::f64());
        Ok(Current { identity, auth: Arc::new(auth), life, account })
    }

    /// The account whose credentials are in force.
    pub(in crate::huawei) fn account(&self) -> Option<Account> {
        self.current.lock().as_ref().map(|current| current.account.clone())
    }

    /// The result of a fresh exchange was refused: for a while another one is useless for the same host.
    pub(in crate::huawei) fn refuse_identity(&self, base: &BaseUrl, refusal: &CloudError) {
        let current = self.current.lock().clone();
        if let Some(Current { identity, .. }) = current
            && may_bring_others(&identity)
        {
            let host = base.authority();
            self.issuer.common.guard.refused(fresh_at(&identity, host), host, refusal);
        }
    }

    /// The next request reads the source anew; credentials that have changed are used from then on.
    pub(in crate::huawei) fn reread(&self) {
        self.reread_wanted.store(true, Ordering::Relaxed);
    }

    async fn forget_if_changed(&self) {
        let Some(known) = self.current.lock().clone() else { return };
        if self.resolve().await.is_ok_and(|identity| identity != known.identity) {
            *self.current.lock() = None;
        }
    }

    /// Replaces credentials that end soon. Until new ones are there, the old ones serve.
    pub(in crate::huawei) async fn renew_if_due(&self, now: Instant) {
        let due = |current: &Current| current.life.is_some_and(|life| life.renew_at <= now);
        if !self.current.lock().as_ref().is_some_and(due) {
            return;
        }
        let _exchange = self.exchange.lock().await;
        // Another renewal may have made this one unnecessary.
        let Some(old) = self.current.lock().clone().filter(due) else { return };
        let deadline = Instant::now() + RENEWAL_TIMEOUT;
        let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
        let mut effort = Effort::new(budget);
        let fresh = match self.resolve().await {
            Ok(identity) => self.obtain(identity, &mut effort).await,
            Err(error) => Err(error),
        };
        if fresh.is_err() {
            self.count_failure();
        }
        self.tell(fresh.as_ref().err());
        let life =
            |life: Option<Life>| life.map(|life| life.renewed_after(Instant::now(), RENEW_AGAIN));
        let (Ok(renewed) | Err(renewed)) = fresh.map_err(|_| old);
        *self.current.lock() = Some(Current { life: life(renewed.life), ..renewed });
    }

    /// Logs the first of the renewals that fail, and the first that succeeds again.
    fn tell(&self, failure: Option<&CloudError>) {
        let project = &*self.settings().name;
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) if !was_failing => tracing::warn!(
                project,
                reason = error.reason.as_str(),
                code = error.code,
                request_id = error.request_id,
                "the credentials cannot be renewed; the old ones serve until they end: {error}"
            ),
            None if was_failing => tracing::info!(project, "the credentials are renewed again"),
            None => tracing::debug!(project, "the credentials were renewed"),
            Some(_) => {}
        }
    }

    fn count_failure(&self) {
        self.issuer.common.stats.credential_refresh_failed(&self.settings().name);
    }

    fn settings(&self) -> &Settings {
        &self.issuer.settings
    }
}

/// Another exchange may bring other credentials.
fn may_bring_others(identity: &Identity) -> bool {
    !matches!(identity, Identity::Keys(_) | Identity::Token(_))
}

fn late() -> CloudError {
    let message = "another request did not get credentials before the deadline";
    CloudError::new(Reason::Timeout, message)
}
