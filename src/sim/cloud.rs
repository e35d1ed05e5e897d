//! The state that all connections share: the clock, the world, the gate, the faults and the logs.
//!
//! Its one lock is held only while a request is judged, never while anything is sent.

use parking_lot::{Mutex, MutexGuard};

use super::{
    Settings,
    clock::Clock,
    faults::{ActiveFaults, Group, Hits, Kind},
    gate::Gate,
    logs::{Effect, PutLog, RequestLog},
    operations::Route,
    replay::Replay,
    rng::Rng,
    world::{World, first},
};

const STREAM_REQUESTS: u64 = 3 << 40;
const STREAM_TOKENS: u64 = 4 << 40;

/// The simulated cloud.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) clock: Clock,
    /// Without a slash at the end.
    pub(super) base_url: String,
    /// A recording that answers in place of the world.
    pub(super) replay: Option<Replay>,
    pub(super) seed: u64,
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
    /// Collected while a request is judged; used if it is a change.
    pub(super) effect: Effect,
    request_prefix: u64,
    request_number: u64,
}

impl State {
    /// 32 hexadecimal digits that count, so that a run can be repeated.
    pub(super) fn next_request_id(&mut self) -> String {
        self.request_number += 1;
        format!("{:016x}{:016x}", self.request_prefix, self.request_number)
    }

    /// The faults that strike this request, of the groups that are due now; the log of changes names them.
    pub(super) fn struck(&mut self, route: &Route<'_>, due: impl Fn(Group) -> bool) -> Hits {
        let hits = self.faults.draw(route, due);
        self.effect.faults.extend(hits.kinds().map(Kind::name));
        hits
    }
}

impl Cloud {
    /// A cloud with its world at the start.
    pub(super) fn new(base_url: String, settings: Settings, replay: Option<Replay>) -> Self {
        let Settings { clusters, connections, seed, churn, faults, fixed_now, .. } = settings;
        let clock = Clock::new(fixed_now);
        let mut world = first::world(seed, clusters, connections, clock.now());
        world.churn = churn;
        let state = State {
            world,
            gate: Gate::new(Rng::new(seed, STREAM_TOKENS)),
            faults: ActiveFaults::new(faults, seed),
            requests: RequestLog::default(),
            puts: PutLog::default(),
            effect: Effect::default(),
            request_prefix: Rng::new(seed, STREAM_REQUESTS).next(),
            request_number: 0,
        };
        Self { clock, base_url, replay, seed, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}
