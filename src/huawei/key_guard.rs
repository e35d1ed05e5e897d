//! Keeps access keys from being locked: the sixth bad signature in a row locks a key for five minutes, for
//! everyone who uses it.
//!
//! Credentials are judged at each API host on its own, because a region that refuses them must not
//! blind the regions that take them. Where they were never judged they send one request at a time;
//! where they were refused they are in back-off. Over all hosts the refusals of an access key are
//! counted, whatever the secret, so that a key that is wrong everywhere stops before the cloud locks
//! it. The guard is shared by all projects, because keys are.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::Instant};

use crate::{cloud::CloudError, secret::Secret};

/// As long as the gateway locks a key (API Gateway, "Common Errors Related to IAM Authentication
/// Information").
pub(super) const BACK_OFF: Duration = Duration::from_secs(300);
/// Refusals of the same access key within [`BACK_OFF`], over all hosts. The gateway locks a key at
/// the sixth in a row; one is left for a request that was under way, or for another program.
pub(super) const MAX_REFUSALS: usize = 4;
/// A first request without an answer holds the others up for no longer, while there is room for more
/// refusals: one cluster whose answer hangs must not keep those beside it waiting, and a gateway refuses
/// in well under a second.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// Tokens come and go daily for every project; credentials that are forgotten are only judged anew.
const MOST_KNOWN: usize = 10_000;

/// Credentials, as the guard knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    /// The whole of them: a new secret is judged anew.
    pub(super) whole: Fingerprint,
    /// The part that the cloud counts refusals of, and locks: the access key, or the user.
    pub(super) lockable: Fingerprint,
}

/// An identifier of credentials that does not reveal them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(parts: &[&Secret]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.expose().len() as u64).to_be_bytes());
            hash.update(part.expose());
        }
        Self(hash.finalize().into())
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// The guard of all credentials in use.
#[derive(Debug, Default)]
pub struct KeyGuard {
    known: Mutex<HashMap<Fingerprint, Known>>,
    judged: Notify,
}

/// An access key, a token or a user's login, and what the cloud said of it.
#[derive(Debug, Default)]
struct Known {
    /// By all of the credentials, and host and port. Hosts are those of the configuration.
    hosts: HashMap<(Fingerprint, Box<str>), AtHost>,
    /// Requests under way to hosts that have not judged the credentials; each may come back as a
    /// refusal.
    unjudged: usize,
    /// When the newest refusals came, oldest first, at most [`MAX_REFUSALS`].
    refused_at: VecDeque<Instant>,
    last_refusal: Option<CloudError>,
    /// True after the credentials were put in back-off at every host, until a host accepts them.
    was_everywhere: bool,
}

/// The verdict of one host on the credentials.
#[derive(Debug, Default)]
struct AtHost {
    is_proven: bool,
    /// If there is no verdict yet: when the newest request that will bring one was sent.
    probing_since: Option<Instant>,
    /// The last back-off, until the host accepts the credentials.
    back_off: Option<HostBackOff>,
}

#[derive(Debug)]
struct HostBackOff {
    began: Instant,
    refusal: CloudError,
    ended_by_reload: bool,
    /// False if a reload ended the one before: reloading in a loop must not lock the key.
    a_reload_may_end_it: bool,
}

impl HostBackOff {
    fn ends_by_itself_at(&self) -> Instant {
        self.began + BACK_OFF
    }

    fn is_over(&self, now: Instant) -> bool {
        self.ended_by_reload || self.ends_by_itself_at() <= now
    }
}

impl Known {
    /// The back-off that the credentials are in, at a host or everywhere.
    fn back_off(&self, at: &(Fingerprint, Box<str>), now: Instant) -> Option<BackOff> {
        let own = self.hosts.get(at).and_then(|at| at.back_off.as_ref());
        let own = own.filter(|back_off| !back_off.is_over(now));
        let everywhere = self.everywhere_until(now);
        let until = own.map(HostBackOff::ends_by_itself_at).max(everywhere)?;
        let refusal = own.map(|own| &own.refusal).or(self.last_refusal.as_ref())?.clone();
        Some(BackOff { until, refusal })
    }

    /// When the back-off at all hosts ends, if there is one.
    fn everywhere_until(&self, now: Instant) -> Option<Instant> {
        // The oldest of the counted refusals decides: once it is this old, there is room for another one.
        let until = *self.refused_at.front()? + BACK_OFF;
        (self.refused_at.len() == MAX_REFUSALS && until > now).then_some(until)
    }

    /// When the next request may be sent by credentials that the host has not judged; `None`: now.
    fn next_probe_at(&self, at: &(Fingerprint, Box<str>), now: Instant) -> Option<Instant> {
        let probing_since = self.hosts.get(at).and_then(|at| at.probing_since);
        if let Some(ends) = probing_since.map(|since| since + PROBE_PATIENCE)
            && ends > now
        {
            return Some(ends);
        }
        // Patience has an end only while there is room for what may come back.
        let mut refused = self.refused_at.iter().map(|at| *at + BACK_OFF).filter(|end| *end > now);
        let room = MAX_REFUSALS.saturating_sub(refused.clone().count());
        (self.unjudged >= room).then(|| refused.next().unwrap_or(now + BACK_OFF))
    }

    /// Takes a refusal. Returns true if it begins a back-off at the host.
    fn refused(
        &mut self,
        at: &(Fingerprint, Box<str>),
        refusal: &CloudError,
        now: Instant,
    ) -> bool {
        let at = self.hosts.entry(at.clone()).or_default();
        at.is_proven = false;
        at.probing_since = None;
        let before = at.back_off.as_ref();
        // Answers to requests that were under way at the first refusal bring nothing new, and must not
        // count against the other hosts.
        if before.is_some_and(|before| !before.is_over(now)) {
            return false;
        }
        let after_reload =
            before.is_some_and(|before| before.ended_by_reload && before.ends_by_itself_at() > now);
        at.back_off = Some(HostBackOff {
            began: now,
            refusal: refusal.clone(),
            ended_by_reload: false,
            a_reload_may_end_it: !after_reload,
        });
        self.last_refusal = Some(refusal.clone());
        self.refused_at.push_back(now);
        if self.refused_at.len() > MAX_REFUSALS {
            self.refused_at.pop_front();
        }
        true
    }

    fn is_worth_keeping(&self, now: Instant) -> bool {
        self.refused_at.back().is_some_and(|at| *at + BACK_OFF > now) || self.unjudged > 0
    }
}

impl AtHost {
    fn is_worth_keeping(&self, now: Instant) -> bool {
        self.probing_since.is_some()
            || self.back_off.as_ref().is_some_and(|back_off| back_off.ends_by_itself_at() > now)
    }
}

/// The credentials are in back-off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BackOff {
    pub(super) until: Instant,
    /// The refusal that caused it.
    pub(super) refusal: CloudError,
}

/// The back-offs that a refusal has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) at_host: bool,
    pub(super) everywhere: bool,
    /// The end of the back-off that the credentials are in now.
    pub(super) until: Option<Instant>,
}

/// The right to send a request with certain credentials to a certain host.
pub(super) struct Pass {
    guard: Arc<KeyGuard>,
    lockable: Fingerprint,
    at: (Fingerprint, Box<str>),
    probing_since: Option<Instant>,
}

enum Entry {
    Pass(Pass),
    /// A request that will bring a verdict is under way; try again at this moment.
    Wait(Instant),
    BackOff(BackOff),
}

impl KeyGuard {
    /// Waits until a request may be sent.
    pub(super) async fn enter(
        self: &Arc<Self>,
        credentials: Credentials,
        host: &str,
    ) -> Result<Pass, BackOff> {
        loop {
            let judged = self.judged.notified();
            match self.try_enter(credentials, host) {
                Entry::Pass(pass) => return Ok(pass),
                Entry::BackOff(back_off) => return Err(back_off),
                Entry::Wait(until) => tokio::select! {
                    () = judged => {}
                    () = tokio::time::sleep_until(until) => {}
                },
            }
        }
    }

    fn try_enter(self: &Arc<Self>, credentials: Credentials, host: &str) -> Entry {
        let now = Instant::now();
        let Credentials { whole, lockable } = credentials;
        let at = (whole, host.into());
        let mut all = self.known.lock();
        if all.len() >= MOST_KNOWN && !all.contains_key(&lockable) {
            all.retain(|_, known| known.is_worth_keeping(now));
        }
        let known = all.entry(lockable).or_default();
        if let Some(back_off) = known.back_off(&at, now) {
            return Entry::BackOff(back_off);
        }
        let mut probing_since = None;
        if !known.hosts.get(&at).is_some_and(|at| at.is_proven) {
            if let Some(at) = known.next_probe_at(&at, now) {
                return Entry::Wait(at);
            }
            if known.hosts.len() >= MOST_KNOWN && !known.hosts.contains_key(&at) {
                known.hosts.retain(|_, at| at.is_worth_keeping(now));
            }
            probing_since = Some(now);
            known.hosts.entry(at.clone()).or_default().probing_since = probing_since;
            known.unjudged += 1;
        }
        Entry::Pass(Pass { guard: self.clone(), lockable, at, probing_since })
    }

    /// The back-off that credentials are in at a host.
    pub(super) fn back_off(&self, credentials: Credentials, host: &str) -> Option<BackOff> {
        let Credentials { whole, lockable } = credentials;
        self.known.lock().get(&lockable)?.back_off(&(whole, host.into()), Instant::now())
    }

    /// The host refused the credentials: they are in back-off at once, before a waiting request can try them.
    pub(super) fn refused(
        &self,
        Credentials { whole, lockable }: Credentials,
        host: &str,
        refusal: &CloudError,
    ) -> Begun {
        let now = Instant::now();
        let at = (whole, host.into());
        let mut all = self.known.lock();
        let known = all.entry(lockable).or_default();
        let was_everywhere = known.everywhere_until(now).is_some();
        let at_host = known.refused(&at, refusal, now);
        let is_everywhere = known.everywhere_until(now).is_some();
        known.was_everywhere |= is_everywhere;
        let begun = Begun {
            at_host,
            everywhere: is_everywhere && !was_everywhere,
            until: known.back_off(&at, now).map(|back_off| back_off.until),
        };
        drop(all);
        self.judged.notify_waiters();
        begun
    }

    /// A reload may mean that the cause was fixed, so it ends the back-offs at single hosts, each once. The
    /// limit over all hosts stays, because a key locked by the cloud would be worse. Returns how many
    /// back-offs have ended.
    pub fn reloaded(&self) -> usize {
        let now = Instant::now();
        let mut ended = 0;
        let mut all = self.known.lock();
        let known = all.values_mut().filter(|known| known.everywhere_until(now).is_none());
        for at in known.flat_map(|known| known.hosts.values_mut()) {
            if let Some(back_off) = &mut at.back_off
                && back_off.a_reload_may_end_it
                && !back_off.is_over(now)
            {
                back_off.ended_by_reload = true;
                ended += 1;
            }
        }
        ended
    }
}

impl Pass {
    /// The cloud accepted the credentials, even if it refused the request. Returns true if that ends a
    /// back-off.
    pub(super) fn accepted(self) -> bool {
        let mut all = self.guard.known.lock();
        let known = all.entry(self.lockable).or_default();
        let mut ended = false;
        if known.was_everywhere && known.everywhere_until(Instant::now()).is_none() {
            known.was_everywhere = false;
            ended = true;
        }
        if self.probing_since.is_some() {
            let at = known.hosts.entry(self.at.clone()).or_default();
            at.is_proven = true;
            ended |= at.back_off.take().is_some();
        }
        ended
    }

    /// The cloud refused the credentials.
    pub(super) fn refused(self, refusal: &CloudError) -> Begun {
        let credentials = Credentials { whole: self.at.0, lockable: self.lockable };
        self.guard.refused(credentials, &self.at.1, refusal)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(since) = self.probing_since else { return };
        let mut all = self.guard.known.lock();
        if let Some(known) = all.get_mut(&self.lockable) {
            known.unjudged = known.unjudged.saturating_sub(1);
            // Without a verdict the next request is the first one again.
            if let Some(at) = known.hosts.get_mut(&self.at)
                && at.probing_since == Some(since)
            {
                at.probing_since = None;
            }
        }
        drop(all);
        self.guard.judged.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
