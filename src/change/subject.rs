//! The seam between the engine and the two kinds of change: everything in which they differ.

use std::future::Future;

use serde_json::Value;

use super::{
    Effect, Outcome, Refusal,
    env::{Env, PacedCloud},
    plan::Verdict,
};
use crate::{
    audit::Content,
    board::Attribution,
    cloud::{Budget, CloudError, Decisions, Services, Traced},
    model::{ClusterId, Decision, EndpointId, ServiceId},
    pacing::Pacer,
};

/// A cloud in which both kinds of change can be made.
pub trait Changeable: Services + Decisions {}

impl<C: Services + Decisions> Changeable for C {}

/// Only one change of a subject is made at a time. A service or a cluster is the same one whatever its
/// project is called: two projects of the configuration may be one of the cloud, and a reload may rename
/// one while a change is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Service(ServiceId),
    Cluster(ClusterId),
}

/// The effect that a change would have, and its risks for the caller.
pub(super) struct Planned {
    pub(super) effect: Effect,
    pub(super) warnings: Vec<String>,
}

/// The subject of a change, with the requested change.
pub(super) trait Subject: Clone + Send + Sync + 'static {
    /// The subject as it is read.
    type State: Clone + Send + Sync;

    fn key(&self) -> Key;

    /// The rate limit of its API.
    fn pacer<C>(cloud: &PacedCloud<C>) -> &Pacer;

    /// Names it in a record.
    fn named(&self, record: Content) -> Content;

    /// The request, for the record.
    fn requested(&self) -> Value;

    fn read<C: Changeable>(
        &self,
        cloud: &C,
        budget: Budget,
    ) -> impl Future<Output = Traced<Self::State>> + Send;

    fn send<C: Changeable>(
        &self,
        cloud: &C,
        budget: Budget,
    ) -> impl Future<Output = Traced<()>> + Send;

    /// Compares the present state with the requested one, and keeps what judging needs of it.
    fn plan(&mut self, current: &Self::State) -> Planned;

    /// The refusal, unless the caller knows the state that the change is based on.
    fn check(&self, current: &Self::State) -> Result<(), Refusal>;

    /// Judges the change by a state after it.
    fn judge(&self, after: &Self::State) -> Verdict;

    /// Completes the effect of a change that ended so; `after` is there if it was read.
    fn conclude(&self, effect: &mut Effect, outcome: Outcome, after: Option<Self::State>);

    /// Takes note of a reading.
    fn was_read<R>(&self, env: &Env<R>, read: Result<Self::State, CloudError>, whose: Attribution);

    /// Takes note that the change is about to be sent.
    fn begins<R>(&self, env: &Env<R>);

    /// Takes note that it has ended.
    fn ends<R>(&self, env: &Env<R>, may_have_acted: bool);

    /// The clusters in which it may show.
    fn clusters<R>(&self, env: &Env<R>) -> Vec<ClusterId>;

    /// The decision about connections, if it is one.
    fn decided(&self) -> Option<(Decision, Vec<EndpointId>)>;
}
