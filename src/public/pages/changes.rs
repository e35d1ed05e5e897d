//! The changes that were seen in a cluster: the status of its connections, and its endpoint service.

use jiff::Timestamp;

use super::{
    html::{Html, Markup, add, after, cell, code},
    times::ago,
};
use crate::board::ClusterState;

/// A change.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) at: Timestamp,
    /// The connection; `None` if the endpoint service itself was switched.
    endpoint_id: Option<&'a str>,
    from: &'static str,
    to: &'static str,
    /// The change of ours that it follows.
    change_id: Option<&'a str>,
}

impl<'a> Change<'a> {
    /// The changes of a cluster, oldest first, except the switch of its endpoint service, which comes last.
    pub(super) fn of(state: &'a ClusterState) -> impl Iterator<Item = Self> {
        let connections = state.recent_transitions.iter().map(|transition| Self {
            at: transition.at,
            endpoint_id: Some(transition.endpoint_id.as_str()),
            from: transition.from.as_str(),
            to: transition.to.as_str(),
            change_id: transition.change_id.as_deref(),
        });
        // Without an observation the direction of the switch is unknown.
        let switch = state.service_switched.zip(state.observation.as_ref()).map(|(at, data)| {
            let (from, to) = if data.list.service_enabled { ("off", "on") } else { ("on", "off") };
            Self { at, endpoint_id: None, from, to, change_id: None }
        });
        connections.chain(switch)
    }

    /// A row with the time, the place, the subject and the change.
    pub(super) fn row(self, now: Timestamp, cluster: impl Markup) -> impl Markup {
        move |page: &mut Html| {
            let endpoint = self.endpoint_id.map(code);
            let otherwise = self.endpoint_id.is_none().then_some("the endpoint service");
            let subject = |page: &mut Html| add!(page, {endpoint} {otherwise});
            let by = after(", by change ", self.change_id.map(code));
            let change = |page: &mut Html| add!(page, {self.from} " → " {self.to} {by});
            add!(page, "<tr>" {cell("Seen", "", ago(self.at, now))} {cluster}
                {cell("Endpoint", "", subject)} {cell("Change", "", change)} "</tr>\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        board::ClusterMeta,
        model::{ClusterId, RegionId},
    };

    /// A state file from a clock that ran ahead loses its observation, not the switch before it.
    #[test]
    fn a_switch_is_not_shown_where_its_direction_is_unknown() {
        let mut state = ClusterState::new(ClusterMeta {
            region: RegionId::parse("r").unwrap(),
            project: "p".into(),
            id: ClusterId::parse("00000000-5b35-4f50-8984-76387e42451a").unwrap(),
            name: "c".into(),
            interval: Duration::from_secs(60),
            labels: Default::default(),
            listed: None,
        });
        state.service_switched = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(Change::of(&state).count(), 0);
    }
}
