//! What all connections share: the clock, the world, the door, the faults and the log.
//!
//! Owns the one lock. It is held only while a request is judged, never while anything is sent.

use parking_lot::{Mutex, MutexGuard};

use jiff::Timestamp;
use tokio::time::Instant;

use super::Settings;
use super::clock::Clock;
use super::faults::active::ActiveFaults;
use super::gate::Gate;
use super::modes::Modes;
use super::puts::Ledger;
use super::requests::RequestLog;
use super::rng::Rng;
use super::world::World;

const STREAM_REQUESTS: u64 = 3 << 40;
const STREAM_TOKENS: u64 = 4 << 40;
const STREAM_FAULTS: u64 = 5 << 40;

/// The simulated cloud.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) clock: Clock,
    base_url: String,
    seed: u64,
    started: Instant,
    state: Mutex<State>,
}

/// What requests change.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) gate: Gate,
    pub(crate) faults: ActiveFaults,
    pub(crate) modes: Modes,
    pub(crate) log: RequestLog,
    pub(crate) puts: Ledger,
    request_prefix: u64,
    requests: u64,
}

impl State {
    /// 32 hexadecimal digits that count, so that a run can be repeated.
    pub(crate) fn next_request_id(&mut self) -> String {
        self.requests += 1;
        format!("{:016x}{:016x}", self.request_prefix, self.requests)
    }
}

impl Cloud {
    pub(crate) fn new(settings: &Settings, base_url: String) -> Cloud {
        let clock = Clock::new(settings.fixed_now);
        let seed = settings.seed;
        let (clusters, connections) = (settings.clusters, settings.connections);
        let state = State {
            world: World::new(seed, clusters, connections, clock.now()),
            gate: Gate::new(Rng::new(seed, STREAM_TOKENS)),
            faults: ActiveFaults::new(&settings.faults, Rng::new(seed, STREAM_FAULTS)),
            modes: Modes::default(),
            log: RequestLog::default(),
            puts: Ledger::default(),
            request_prefix: Rng::new(seed, STREAM_REQUESTS).next(),
            requests: 0,
        };
        Cloud { clock, base_url, seed, started: Instant::now(), state: Mutex::new(state) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A fresh generator for a new set of faults.
    pub(crate) fn fault_chance(&self) -> Rng {
        Rng::new(self.seed, STREAM_FAULTS)
    }

    /// A request that panicked has changed nothing that others could not live with.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
