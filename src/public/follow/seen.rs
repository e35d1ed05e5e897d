//! The difference between two looks at the board, as events.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use super::super::events::Event;
use crate::{
    board::{ClusterState, Freshness, Snapshot, Transition, document::Cluster},
    cloud::Reason,
    model::{ByStatus, ClusterId},
    text::json_line,
};

/// The board as it was seen last.
#[derive(Default)]
pub(super) struct Seen {
    /// In the order of the board.
    clusters: Vec<SeenCluster>,
    stale_after: Duration,
}

struct SeenCluster {
    id: ClusterId,
    /// `None` for one that was not looked at yet.
    state: Option<(Arc<ClusterState>, Facts)>,
    /// When its data become too old to be shown, if they are not yet.
    stale_at: Option<Timestamp>,
}

/// The facts of a cluster whose change is an event; its dates are none.
#[derive(PartialEq)]
struct Facts {
    freshness: Freshness,
    up: Option<bool>,
    error: Option<Reason>,
    list: Option<ListFacts>,
}

#[derive(PartialEq)]
struct ListFacts {
    service_enabled: bool,
    complete: bool,
    update_switch: Option<bool>,
    reported: Option<u64>,
    counts: ByStatus<u64>,
}

impl Facts {
    fn of(state: &ClusterState, now: Timestamp, stale_after: Duration) -> Self {
        let list = state.shown(now, stale_after).map(|data| &*data.list);
        Self {
            freshness: state.freshness(now, stale_after),
            up: state.up(),
            error: state.last_error().map(|error| error.reason),
            list: list.map(|list| ListFacts {
                service_enabled: list.service_enabled,
                complete: list.complete,
                update_switch: list.update_switch,
                reported: list.reported,
                counts: list.counts(),
            }),
        }
    }
}

/// The data of `event: transition`.
#[derive(Serialize)]
struct Moved<'a> {
    at: String,
    project: &'a str,
    region_id: &'a str,
    cluster_id: &'a str,
    cluster_name: &'a str,
    endpoint_id: &'a str,
    from: &'static str,
    to: &'static str,
    change_id: Option<&'a str>,
}

/// The data of `event: gone`.
#[derive(Serialize)]
struct Gone<'a> {
    cluster_id: &'a str,
}

impl Seen {
    /// The events since the last look: for each cluster its transitions, then its new state.
    pub(super) fn events(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        stale_after: Duration,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.has_clusters_of(snapshot) {
            self.rearrange(snapshot, &mut events);
        }
        let looks_again = std::mem::replace(&mut self.stale_after, stale_after) != stale_after;
        for (seen, state) in self.clusters.iter_mut().zip(snapshot.clusters()) {
            if looks_again || !seen.is(state, now) {
                seen.look(state, now, stale_after, &mut events);
            }
        }
        events
    }

    fn has_clusters_of(&self, snapshot: &Snapshot) -> bool {
        let mut pairs = self.clusters.iter().zip(snapshot.clusters());
        self.clusters.len() == snapshot.clusters().len()
            && pairs.all(|(seen, state)| seen.has_state(state) || seen.id == state.meta.id)
    }

    fn rearrange(&mut self, snapshot: &Snapshot, events: &mut Vec<Event>) {
        let before = std::mem::take(&mut self.clusters).into_iter();
        let mut before: HashMap<_, _> = before.map(|seen| (seen.id.clone(), seen)).collect();
        let of = |state: &Arc<ClusterState>| {
            let new = || SeenCluster { id: state.meta.id.clone(), state: None, stale_at: None };
            before.remove(&state.meta.id).unwrap_or_else(new)
        };
        self.clusters = snapshot.clusters().iter().map(of).collect();
        let gone = before.keys().filter_map(|id| event("gone", &Gone { cluster_id: id.as_str() }));
        events.extend(gone);
    }
}

impl SeenCluster {
    /// Compares addresses: most clusters are as they were half a second ago, and their memory is cold.
    fn has_state(&self, state: &Arc<ClusterState>) -> bool {
        self.state.as_ref().is_some_and(|(seen, _)| Arc::ptr_eq(seen, state))
    }

    fn is(&self, state: &Arc<ClusterState>, now: Timestamp) -> bool {
        self.has_state(state) && self.stale_at.is_none_or(|at| now < at)
    }

    fn look(
        &mut self,
        state: &Arc<ClusterState>,
        now: Timestamp,
        stale_after: Duration,
        events: &mut Vec<Event>,
    ) {
        let facts = Facts::of(state, now, stale_after);
        let has_moved = match &self.state {
            Some((seen, before)) => {
                let known = &seen.recent_transitions;
                let new = state.recent_transitions.iter().filter(|one| !known.contains(one));
                events.extend(new.filter_map(|one| event("transition", &Moved::new(state, one))));
                *before != facts || seen.meta != state.meta
            }
            None => true,
        };
        if has_moved {
            events.extend(event("cluster", &Cluster::new(state, now, stale_after)));
        }
        let shown = state.shown(now, stale_after);
        self.stale_at = shown.and_then(|data| data.at.checked_add(stale_after).ok());
        self.state = Some((state.clone(), facts));
    }
}

impl<'a> Moved<'a> {
    fn new(state: &'a ClusterState, transition: &'a Transition) -> Self {
        let meta = &state.meta;
        Self {
            at: transition.at.to_string(),
            project: &meta.project,
            region_id: meta.region.as_str(),
            cluster_id: meta.id.as_str(),
            cluster_name: &meta.name,
            endpoint_id: transition.endpoint_id.as_str(),
            from: transition.from.as_str(),
            to: transition.to.as_str(),
            change_id: transition.change_id.as_deref(),
        }
    }
}

fn event(kind: &'static str, data: &impl Serialize) -> Option<Event> {
    let data = String::from_utf8(json_line(data).ok()?).ok()?;
    Some(Event { kind, data })
}

#[cfg(test)]
mod tests;
