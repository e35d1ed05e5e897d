//! The reasons why a cluster needs attention: the order of the status page, and the first lines of a cluster's page.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    html::{Html, Markup, add, after, badge, code},
    times::{ahead, when},
};
use crate::{
    board::{ClusterState, Freshness, Observation, Rejection},
    cloud::CloudError,
    model::Status,
};

/// Connections that are named one by one; the others are only in the table below.
const NAMED: usize = 5;

/// A reason why a cluster needs attention, the most urgent one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The endpoint service was switched off: all clients of the cluster are cut off.
    SwitchedOff,
    /// Connections are rejected: some clients are cut off.
    Rejected,
    /// It cannot be read, and there is nothing to show.
    Blind,
    /// It cannot be read, and what is shown is older.
    Failing,
    /// The cloud failed to make connections.
    Failed,
    /// The cloud has more connections than could be read.
    Incomplete,
    /// Connections wait to be accepted.
    Pending,
    /// All rejected connections were rejected through the admin listener.
    RejectedHere,
}

impl Need {
    /// All reasons why a cluster needs attention, the most urgent first.
    pub(super) fn all(state: &ClusterState, now: Timestamp, stale_after: Duration) -> Vec<Self> {
        let data = state.shown(now, stale_after);
        let list = data.map(|data| &data.list);
        let counts = list.map_or([0; 7], |list| list.counts());
        let meant = data.map_or(0, |data| data.rejected_here.len() as u64);
        let any = |status: Status| counts[status as usize] > 0;
        let freshness = state.freshness(now, stale_after);
        let is_off = list.is_some_and(|list| !list.service_enabled);
        let blind = match freshness {
            Freshness::Stale => true,
            // Before its first poll a cluster needs no attention.
            Freshness::Never => state.up().is_some(),
            _ => false,
        };
        let needs = [
            // A cluster that never had a service was made that way.
            (Self::SwitchedOff, is_off && state.service_switched.is_some()),
            (Self::Rejected, counts[Status::Rejected as usize] > meant),
            (Self::Blind, blind),
            (Self::Failing, freshness == Freshness::Failing),
            (Self::Failed, any(Status::Failed)),
            (Self::Incomplete, list.is_some_and(|list| !list.complete)),
            (Self::Pending, any(Status::PendingAcceptance)),
            (Self::RejectedHere, meant > 0 && counts[Status::Rejected as usize] == meant),
        ];
        needs.into_iter().filter(|(_, is_so)| *is_so).map(|(need, _)| need).collect()
    }
}

/// The reasons in full, with their dates; nothing if there are none.
pub(super) fn reasons(
    page: &mut Html,
    state: &ClusterState,
    now: Timestamp,
    stale_after: Duration,
) {
    let needs = Need::all(state, now, stale_after);
    if needs.is_empty() {
        return;
    }
    page.raw("<section class=\"needs\"><h2>This cluster needs attention</h2>\n<ul>\n");
    for need in needs {
        page.raw("<li>");
        match (need, state.shown(now, stale_after)) {
            (Need::Blind | Need::Failing, data) => unreadable(page, state, data, now),
            (Need::SwitchedOff, _) => {
                let seen = state.service_switched.map(|at| when(at, now));
                add!(page, "<b>The endpoint service was switched off</b> (<code>CSS.5182</code>)"
                    {after(", seen at ", seen)} ". Every endpoint of the cluster is cut off.");
            }
            (Need::Incomplete, Some(data)) => incomplete(page, data),
            (Need::Rejected | Need::RejectedHere, Some(data)) => {
                connections(page, data, Status::Rejected, "rejected", now);
            }
            (Need::Failed, Some(data)) => {
                connections(page, data, Status::Failed, "in status failed", now)
            }
            (Need::Pending, Some(data)) => {
                connections(page, data, Status::PendingAcceptance, "waiting to be accepted", now);
            }
            (_, None) => {}
        }
        page.raw("</li>\n");
    }
    page.raw("</ul></section>\n");
}

fn unreadable(page: &mut Html, state: &ClusterState, data: Option<&Observation>, now: Timestamp) {
    let Some(error) = state.last_error() else {
        page.raw("<b>The last poll of the cluster was too long ago.</b> ");
        old_data(page, state, data, now);
        return;
    };
    let since = state.failing_since.map(|since| when(since, now));
    add!(page, "<b>The cluster cannot be read</b>" {after(" since ", since)} ": " {failure(error)}
        {after(", request id ", error.request_id.as_deref().map(code))} ". ");
    if let Some(at) = credentials_tried(state) {
        add!(page, "The credentials are tried again " {ahead(at, now)} ". ");
    }
    old_data(page, state, data, now);
}

/// The cause of a failed poll.
pub(super) fn failure(error: &CloudError) -> impl Markup {
    move |page: &mut Html| {
        add!(page, {badge("warn", error.reason.as_str())}
            " <span class=\"long\">" {error.to_string()} "</span>");
    }
}

/// The time at which credentials in back-off are tried again: the first poll after the back-off.
pub(super) fn credentials_tried(state: &ClusterState) -> Option<Timestamp> {
    let retry_at = state.last_error()?.retry_at?;
    Some(state.next_poll.map_or(retry_at, |poll| poll.max(retry_at)))
}

/// The advice for the remaining reasons.
fn old_data(page: &mut Html, state: &ClusterState, data: Option<&Observation>, now: Timestamp) {
    match (&state.observation, data) {
        (None, _) => page.raw("It was never read."),
        (Some(old), None) => {
            add!(page, "The last data, from " {when(old.at, now)} ", are too old to be shown.");
        }
        (Some(_), Some(data)) => add!(page, "The data shown are from " {when(data.at, now)} "."),
    }
}

fn incomplete(page: &mut Html, data: &Observation) {
    let read = data.list.connections.len() as u64;
    add!(page, "<b>Not all connections could be read</b>: " {read}
        {after(" of ", data.list.reported)} ".");
}

fn connections(
    page: &mut Html,
    data: &Observation,
    status: Status,
    are: &'static str,
    now: Timestamp,
) {
    let count = data.list.counts()[status as usize];
    let noun = if count == 1 { " connection is " } else { " connections are " };
    add!(page, "<b>" {count} {noun} {are} "</b>:<ul>\n");
    let of_status = data.connections().filter(|(connection, _)| connection.status == status);
    for (connection, since) in of_status.take(NAMED) {
        let id = connection.endpoint_id();
        let since = since.map(|since| when(since, now));
        add!(page, "<li><a href=\"#" {id} "\">" {code(id)} "</a>" {after(" since ", since)});
        if let Some(Rejection { actor, at, change_id, .. }) = data.rejection(connection) {
            add!(page, ", rejected here by <b>" {actor} "</b> " {when(*at, now)}
                " with change " {code(change_id)});
        }
        page.raw("</li>\n");
    }
    if let Some(more) = count.checked_sub(NAMED as u64).filter(|more| *more > 0) {
        add!(page, "<li>and " {more} " more, in the table below</li>\n");
    }
    page.raw("</ul>");
}
