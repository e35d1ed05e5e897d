//! Keys are not burned: five bad signatures lock an access key for five
//! minutes, for everybody who uses it.
//!
//! Credentials that were never judged send one request at a time; credentials that were refused
//! rest. The guard is shared by all projects, because keys are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::{sync::Notify, time::Instant};

use crate::{cloud::Reason, secret::Secret};

/// As long as the gateway locks a key (API Gateway, "Common Errors Related to IAM Authentication
/// Information").
pub(super) const REST: Duration = Duration::from_secs(300);
/// A first request without an answer holds the others up for no longer: a dead region must not keep
/// the others that use the same key waiting.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// Tokens come and go daily for every project; credentials that are forgotten are only judged anew.
const MOST_KNOWN: usize = 10_000;

/// Tells credentials apart without holding them.
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

/// What is known of all credentials in use.
#[derive(Debug, Default)]
pub struct KeyGuard {
    states: Mutex<HashMap<Fingerprint, State>>,
    judged: Notify,
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint")
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Never judged; a request is under way since then.
    Probing(Instant),
    /// The cloud took them.
    Proven,
    /// The cloud refused them.
    Resting(Resting),
}

/// The credentials rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resting {
    pub(super) until: Instant,
    /// Why the cloud refused them.
    pub(super) reason: Reason,
}

/// The right to send a request with certain credentials.
pub(super) struct Pass {
    guard: Arc<KeyGuard>,
    fingerprint: Fingerprint,
    probing_since: Option<Instant>,
}

impl KeyGuard {
    /// Waits until a request may be sent.
    pub(super) async fn enter(self: &Arc<Self>, fingerprint: Fingerprint) -> Result<Pass, Resting> {
        loop {
            let judged = self.judged.notified();
            let patience_ends = match self.try_enter(fingerprint)? {
                Ok(pass) => return Ok(pass),
                Err(probing_since) => probing_since + PROBE_PATIENCE,
            };
            tokio::select! {
                () = judged => {}
                () = tokio::time::sleep_until(patience_ends) => {}
            }
        }
    }

    fn try_enter(
        self: &Arc<Self>,
        fingerprint: Fingerprint,
    ) -> Result<Result<Pass, Instant>, Resting> {
        let now = Instant::now();
        let mut states = self.lock();
        let probing_since = match states.get(&fingerprint) {
            Some(State::Proven) => None,
            Some(State::Resting(resting)) if resting.until > now => return Err(*resting),
            Some(State::Probing(since)) if *since + PROBE_PATIENCE > now => {
                return Ok(Err(*since));
            }
            None | Some(State::Resting(_) | State::Probing(_)) => Some(now),
        };
        if probing_since.is_some() {
            if states.len() >= MOST_KNOWN {
                states.retain(|_, state| !matches!(state, State::Proven));
            }
            states.insert(fingerprint, State::Probing(now));
        }
        Ok(Ok(Pass { guard: self.clone(), fingerprint, probing_since }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Whether the credentials were never judged.
    pub(super) fn is_probe(&self) -> bool {
        self.probing_since.is_some()
    }

    /// The cloud took the credentials, whatever it thought of the request.
    pub(super) fn accepted(self) {
        if self.probing_since.is_some() {
            self.guard.lock().insert(self.fingerprint, State::Proven);
        }
    }

    /// The cloud refused the credentials: they rest from this moment on, before anybody who waits
    /// can try them.
    pub(super) fn refused(self, reason: Reason) {
        let until = Instant::now() + REST;
        let resting = State::Resting(Resting { until, reason });
        self.guard.lock().insert(self.fingerprint, resting);
        self.guard.judged.notify_waiters();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(since) = self.probing_since {
            let mut states = self.guard.lock();
            // Without a verdict the next request is the first one again.
            if matches!(states.get(&self.fingerprint), Some(State::Probing(at)) if *at == since) {
                states.remove(&self.fingerprint);
            }
            drop(states);
            self.guard.judged.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn key(name: &str) -> Fingerprint {
        Fingerprint::of(&[&Secret::new(name)])
    }

    #[test]
    fn fingerprints_do_not_run_parts_together() {
        let (a, ab, b, bc, c) = ("a", "ab", "b", "bc", "c");
        let of = |one: &str, two: &str| Fingerprint::of(&[&Secret::new(one), &Secret::new(two)]);
        assert!(of(ab, c) != of(a, bc));
        assert!(of(a, b) == of(a, b));
    }

    #[tokio::test(start_paused = true)]
    async fn new_credentials_go_one_at_a_time_until_they_are_judged() {
        let guard = Arc::new(KeyGuard::default());
        let (in_flight, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        let started = Instant::now();
        for _ in 0..100 {
            let (guard, in_flight, most) = (guard.clone(), in_flight.clone(), most.clone());
            tasks.spawn(async move {
                let Ok(pass) = guard.enter(key("a")).await else { return };
                let now = in_flight.fetch_add(1, Ordering::SeqCst) + 1;
                if started.elapsed() < Duration::from_secs(1) {
                    most.fetch_max(now, Ordering::SeqCst);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                in_flight.fetch_sub(1, Ordering::SeqCst);
                pass.accepted();
            });
        }
        while tasks.join_next().await.is_some() {}
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert_eq!(started.elapsed().as_secs(), 2, "once proven, all go at once");
    }

    #[tokio::test(start_paused = true)]
    async fn refused_credentials_rest_and_then_send_one_again() {
        let guard = Arc::new(KeyGuard::default());
        let pass = guard.enter(key("a")).await;
        let waiting = tokio::spawn({
            let guard = guard.clone();
            async move { guard.enter(key("a")).await.err() }
        });
        tokio::task::yield_now().await;
        let until = Instant::now() + REST;
        pass.unwrap_or_else(|_| panic!("it is new")).refused(Reason::Auth);
        let resting = Resting { until, reason: Reason::Auth };
        assert_eq!(waiting.await.unwrap(), Some(resting));
        assert!(guard.enter(key("b")).await.is_ok(), "others do not rest");
        tokio::time::sleep_until(until).await;
        assert!(guard.enter(key("a")).await.is_ok_and(|pass| pass.probing_since.is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_request_without_an_answer_does_not_keep_the_others_for_ever() {
        let guard = Arc::new(KeyGuard::default());
        let _hanging = guard.enter(key("a")).await;
        let started = Instant::now();
        assert!(guard.enter(key("a")).await.is_ok());
        assert_eq!(started.elapsed(), PROBE_PATIENCE);
    }
}
