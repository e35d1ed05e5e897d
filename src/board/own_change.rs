//! Changes of ours that explain what polls find: which of them a transition follows, and which rejections
//! are meant. Pure: dates come in with the polls.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{ConnectionList, Decision, EndpointId, Status};

/// A transition that is seen this soon after a change of ours names it. The cluster is polled right after
/// the change; later, another cause is as likely.
const EXPLAINED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Changes of a cluster that no poll has answered yet: each takes a second or more, and people make them.
const MOST: usize = 16;

/// A change of ours that may show in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnChange {
    /// The id under which it is recorded.
    pub change_id: Arc<str>,
    /// The name of the token.
    pub actor: Arc<str>,
    /// When it was sent, or its end once that has come.
    pub at: Timestamp,
    /// The decision, and about which connections; `None`: the endpoint service behind the cluster was
    /// changed.
    pub decided: Option<(Decision, Arc<[EndpointId]>)>,
}

/// A rejection through the admin listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The id of the change.
    pub change_id: Arc<str>,
    /// The name of the token.
    pub actor: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// The rejections of a cluster that were made here and still stand.
pub type RejectedHere = Arc<BTreeMap<EndpointId, Rejection>>;

impl OwnChange {
    fn decision(&self, endpoint_id: &str) -> Option<Decision> {
        let (decision, ids) = self.decided.as_ref()?;
        ids.iter().any(|id| id.as_str() == endpoint_id).then_some(*decision)
    }

    fn explains(&self, endpoint_id: &str, to: Status) -> bool {
        self.decided.is_none()
            || self.decision(endpoint_id).is_some_and(|decision| decision.status() == to)
    }
}

/// The changes of ours that may still show in a cluster, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnChanges(VecDeque<OwnChange>);

impl OwnChanges {
    pub(super) fn begin(&mut self, change: OwnChange) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(change);
    }

    /// Notes the end of a change; `None`: it did nothing.
    pub(super) fn end(&mut self, change_id: &str, at: Option<Timestamp>) {
        match at {
            Some(at) => {
                let same = self.0.iter_mut().filter(|change| *change.change_id == *change_id);
                same.for_each(|change| change.at = at);
            }
            None => self.0.retain(|change| *change.change_id != *change_id),
        }
    }

    /// The change that a transition follows.
    pub(super) fn cause(&self, at: Timestamp, endpoint_id: &str, to: Status) -> Option<Arc<str>> {
        let is_soon = |change: &&OwnChange| at.duration_since(change.at) < EXPLAINED_FOR;
        let mut newest = self.0.iter().rev().filter(is_soon);
        newest.find(|change| change.explains(endpoint_id, to)).map(|it| it.change_id.clone())
    }

    /// The rejections that stand after a poll: the last decision of ours about a connection counts, also
    /// where the poll finds it rejected as before.
    pub(super) fn rejected_here(
        &self,
        before: Option<&RejectedHere>,
        list: &ConnectionList,
    ) -> RejectedHere {
        let known = before.cloned().unwrap_or_default();
        if known.is_empty() && self.0.is_empty() {
            return known;
        }
        let rejected = list.connections.iter().filter(|one| one.status == Status::Rejected);
        let meant = rejected.filter_map(|one| {
            let id = EndpointId::new(one.endpoint_id());
            let mut newest = self.0.iter().rev();
            let last = newest.find_map(|change| Some((change, change.decision(id.as_str())?)));
            let rejection = match last {
                Some((OwnChange { change_id, actor, at, .. }, Decision::Reject)) => {
                    Rejection { change_id: change_id.clone(), actor: actor.clone(), at: *at }
                }
                Some((_, Decision::Accept)) => return None,
                None => known.get(&id)?.clone(),
            };
            Some((id, rejection))
        });
        Arc::new(meant.collect())
    }

    /// Forgets the changes that a poll, begun at `began` and ended at `at`, has shown the effect of.
    pub(super) fn shown(&mut self, began: Timestamp, at: Timestamp) {
        self.0.retain(|change| change.at >= began || at.duration_since(change.at) < EXPLAINED_FOR);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        board::{Attempt, Board, ClusterMeta, ClusterState},
        cloud::{Trace, Traced},
        model::{ClusterId, Connection, RegionId},
    };

    const ID: &str = "5c77b71c-5b35-4f50-8984-76387e42451a";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn id() -> ClusterId {
        ClusterId::parse(ID).unwrap()
    }

    fn board() -> Board {
        Board::new([ClusterMeta {
            region: RegionId::parse("r").unwrap(),
            project: "prod".into(),
            id: id(),
            name: "logs".into(),
            interval: Duration::from_secs(60),
            labels: Default::default(),
            listed: None,
        }])
    }

    fn decided(change_id: &str, decision: Decision, ids: &[&str], second: i64) -> OwnChange {
        let ids = ids.iter().map(|id| EndpointId::new(id)).collect();
        OwnChange {
            change_id: change_id.into(),
            actor: "oncall".into(),
            at: at(second),
            decided: Some((decision, ids)),
        }
    }

    /// A poll of one second that ends at that second and finds this.
    fn poll(board: &Board, second: i64, found: &[(&str, Status)]) -> Arc<ClusterState> {
        let list = ConnectionList {
            connections: found.iter().map(|(id, status)| Connection::bare(id, *status)).collect(),
            ..ConnectionList::service_not_enabled()
        };
        let outcome = Traced { result: Ok(Arc::new(list)), trace: Trace::default() };
        let attempt = Attempt { at: at(second), duration: Duration::from_secs(1), outcome };
        board.record(&id(), attempt, at(second + 60)).unwrap()
    }

    fn rejected_here(state: &ClusterState) -> Vec<(&str, &str)> {
        let all = &state.observation.as_ref().unwrap().rejected_here;
        all.iter().map(|(id, rejection)| (id.as_str(), &*rejection.change_id)).collect()
    }

    fn causes(state: &ClusterState) -> Vec<Option<&str>> {
        state.recent_transitions.iter().map(|seen| seen.change_id.as_deref()).collect()
    }

    use Decision::{Accept, Reject};
    use Status::{Accepted, Rejected};

    #[test]
    fn a_rejection_made_here_is_meant_until_the_connection_is_accepted_or_vanishes() {
        let board = board();
        poll(&board, 0, &[("a", Accepted), ("b", Accepted), ("c", Rejected)]);
        let change = decided("one", Reject, &["a", "b"], 10);
        board.change_begins(&[id()], &change);
        board.change_ends(&[id()], "one", Some(at(11)));
        // This one began before the change did anything.
        let state = poll(&board, 11, &[("a", Accepted), ("b", Accepted), ("c", Rejected)]);
        assert_eq!(rejected_here(&state), []);
        let state = poll(&board, 13, &[("a", Rejected), ("b", Rejected), ("c", Rejected)]);
        assert_eq!(rejected_here(&state), [("a", "one"), ("b", "one")]);
        let state = poll(&board, 500, &[("a", Rejected), ("c", Rejected)]);
        assert_eq!(rejected_here(&state), [("a", "one")], "b has vanished");
        let same = poll(&board, 560, &[("a", Rejected), ("c", Rejected)]);
        let [one, other] = [&state, &same].map(|state| state.observation.as_ref().unwrap());
        assert!(one.found_the_same(other), "no block is made anew");
        let state = poll(&board, 620, &[("a", Accepted), ("c", Rejected)]);
        assert_eq!(rejected_here(&state), []);
        let state = poll(&board, 680, &[("a", Rejected), ("b", Rejected), ("c", Rejected)]);
        assert_eq!(rejected_here(&state), [], "somebody else did that");
    }

    #[test]
    fn a_rejection_that_a_poll_finds_late_is_still_meant() {
        let board = board();
        poll(&board, 0, &[("a", Accepted)]);
        board.change_begins(&[id()], &decided("one", Reject, &["a"], 10));
        board.change_ends(&[id()], "one", Some(at(11)));
        let state = poll(&board, 4000, &[("a", Rejected)]);
        assert_eq!(rejected_here(&state), [("a", "one")]);
        assert_eq!(causes(&state), [None], "its cause is unknown");
        assert_eq!(state.own_changes, OwnChanges::default());
    }

    #[test]
    fn the_last_decision_counts_and_one_that_did_nothing_does_not() {
        let board = board();
        poll(&board, 0, &[("a", Accepted)]);
        board.change_begins(&[id()], &decided("one", Reject, &["a"], 10));
        let state = poll(&board, 12, &[("a", Rejected)]);
        assert_eq!(rejected_here(&state), [("a", "one")], "it is under way");
        board.change_begins(&[id()], &decided("two", Accept, &["a"], 20));
        board.change_ends(&[id()], "two", None);
        assert_eq!(rejected_here(&poll(&board, 22, &[("a", Rejected)])), [("a", "one")]);
        board.change_begins(&[id()], &decided("three", Accept, &["a"], 30));
        let state = poll(&board, 32, &[("a", Rejected)]);
        assert_eq!(rejected_here(&state), [], "it is rejected against our will");
    }

    #[test]
    fn a_transition_names_the_change_of_ours_that_it_follows_within_a_minute() {
        let board = board();
        poll(&board, 0, &[("a", Rejected), ("b", Rejected)]);
        board.change_begins(&[id()], &decided("one", Accept, &["a"], 10));
        board.change_ends(&[id()], "one", Some(at(12)));
        let state = poll(&board, 71, &[("a", Accepted), ("b", Accepted)]);
        assert_eq!(causes(&state), [Some("one"), None]);
        board.change_ends(&[id()], "one", Some(at(12)));
        let state = poll(&board, 72, &[("a", Rejected), ("b", Accepted)]);
        assert_eq!(causes(&state), [Some("one"), None, None]);
        // A change of the endpoint service may show in any connection.
        let service = OwnChange { decided: None, ..decided("two", Accept, &[], 80) };
        board.change_begins(&[id()], &service);
        let state = poll(&board, 90, &[("a", Rejected), ("b", Rejected)]);
        assert_eq!(causes(&state).last(), Some(&Some("two")));
        let state = poll(&board, 140, &[("a", Accepted), ("b", Rejected)]);
        assert_eq!(causes(&state).last(), Some(&None), "a minute is over");
    }

    #[test]
    fn only_so_many_changes_wait_for_a_poll() {
        let board = board();
        for number in 0..3 * MOST {
            board.change_begins(&[id()], &decided(&number.to_string(), Reject, &["a"], 1));
        }
        let state = board.snapshot().cluster(&id()).cloned().unwrap();
        assert_eq!(state.own_changes.0.len(), MOST);
    }
}
