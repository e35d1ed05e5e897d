//! The state that all connections share: the clock, the world, the door, the faults and the logs.
//!
//! Its one lock is held only while a request is judged, never while anything is sent.

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::{
    clock::Clock,
    faults::{active::ActiveFaults, fault::Fault},
    gate::Gate,
    put_log::PutLog,
    replay::Replay,
    request_log::RequestLog,
    rng::Rng,
    world::World,
};

const STREAM_REQUESTS: u64 = 3 << 40;
const STREAM_TOKENS: u64 = 4 << 40;
const STREAM_FAULTS: u64 = 5 << 40;

/// The simulated cloud.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) clock: Clock,
    /// Without a slash at the end.
    pub(super) base_url: String,
    /// Answers in place of the world.
    pub(super) replay: Option<Replay>,
    seed: u64,
    started: Instant,
    state: Mutex<State>,
}

/// The part that requests change.
#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) gate: Gate,
    pub(super) faults: ActiveFaults,
    pub(super) requests: RequestLog,
    pub(super) puts: PutLog,
    request_prefix: u64,
    request_number: u64,
}

impl State {
    /// 32 hexadecimal digits that count, so that a run can be repeated.
    pub(super) fn next_request_id(&mut self) -> String {
        self.request_number += 1;
        format!("{:016x}{:016x}", self.request_prefix, self.request_number)
    }
}

impl Cloud {
    pub(super) fn new(base_url: String, seed: u64, clock: Clock, world: World) -> Self {
        let state = State {
            world,
            gate: Gate::new(Rng::new(seed, STREAM_TOKENS)),
            faults: ActiveFaults::new(Vec::new(), Rng::new(seed, STREAM_FAULTS)),
            requests: RequestLog::default(),
            puts: PutLog::default(),
            request_prefix: Rng::new(seed, STREAM_REQUESTS).next(),
            request_number: 0,
        };
        Self {
            clock,
            base_url,
            replay: None,
            seed,
            started: Instant::now(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// These faults alone, whose chance begins anew.
    pub(super) fn faults(&self, list: Vec<Fault>) -> ActiveFaults {
        ActiveFaults::new(list, Rng::new(self.seed, STREAM_FAULTS))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
