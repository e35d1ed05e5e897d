//! The status page: every cluster, those that need attention first, and what changed lately.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use axum::response::Response;
use jiff::Timestamp;

use super::{Html, ago, ahead, respond};
use crate::{
    board::{ClusterState, Freshness, Snapshot, Transition},
    model::Status,
};

/// More rows than anybody reads, and a page that every browser can show; the rest is in the JSON.
const MOST_CLUSTERS: usize = 1000;
const MOST_CHANGES: usize = 25;

/// The page at `/`.
pub(in crate::http) fn status(
    snapshot: &Snapshot,
    now: Timestamp,
    stale_after: Duration,
    telemetry_path: &str,
) -> Response {
    let mut page = Html::new("css-vpcep-exporter");
    page.raw("<h1>VPC endpoint connections of CSS clusters</h1>\n");
    summary(&mut page, snapshot, now, stale_after);
    clusters(&mut page, snapshot, now, stale_after);
    changes(&mut page, snapshot, now);
    page.raw("<h2>More</h2>\n<nav><a href=\"").text(telemetry_path).raw("\">Metrics</a>");
    page.raw(
        "<a href=\"/api/v1/clusters\">Clusters (JSON)</a><a href=\"/config\">Configuration</a>",
    );
    page.raw("<a href=\"/-/healthy\">Health</a><a href=\"/-/ready\">Readiness</a></nav>\n");
    page.raw("<p class=\"quiet\">css-vpcep-exporter ").raw(env!("CARGO_PKG_VERSION")).raw("</p>\n");
    respond(page)
}

fn summary(page: &mut Html, snapshot: &Snapshot, now: Timestamp, stale_after: Duration) {
    let all = snapshot.clusters();
    page.raw("<p>").text(&all.len().to_string()).raw(" clusters:");
    for freshness in Freshness::ALL {
        let count =
            all.iter().filter(|state| state.freshness(now, stale_after) == freshness).count();
        if count > 0 {
            page.raw(" <span class=\"b ").raw(colour(freshness)).raw("\">");
            page.text(&count.to_string()).raw(" ").raw(freshness.as_str()).raw("</span>");
        }
    }
    page.raw("</p>\n");
}

/// Red: what is shown nowhere any more, or was refused. Yellow: what may be wrong.
fn colour(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Fresh => "good",
        Freshness::Failing => "warn",
        Freshness::Stale => "bad",
        Freshness::Never => "",
    }
}

fn clusters(page: &mut Html, snapshot: &Snapshot, now: Timestamp, stale_after: Duration) {
    let mut all: Vec<&Arc<ClusterState>> = snapshot.clusters().iter().collect();
    all.sort_by_key(|state| Reverse(urgency(state, now, stale_after)));
    page.raw(
        "<table><tr><th>State<th>Project<th>Cluster<th class=\"n\">Accepted<th class=\"n\">Rejected\
         <th class=\"n\">Pending<th class=\"n\">Other<th>Age of the data<th>Last error<th>Next poll</tr>\n",
    );
    for state in all.iter().take(MOST_CLUSTERS) {
        row(page, state, now, stale_after);
    }
    page.raw("</table>\n");
    if all.len() > MOST_CLUSTERS {
        page.raw("<p class=\"quiet\">").text(&(all.len() - MOST_CLUSTERS).to_string());
        page.raw(" more are in <a href=\"/api/v1/clusters\">the JSON</a>.</p>\n");
    }
}

/// What a person should look at first.
fn urgency(state: &ClusterState, now: Timestamp, stale_after: Duration) -> (u8, u64) {
    let rejected = state
        .shown(now, stale_after)
        .map_or(0, |data| data.list.counts()[Status::Rejected as usize]);
    let trouble = match state.freshness(now, stale_after) {
        Freshness::Stale => 4,
        Freshness::Failing => 3,
        Freshness::Never if state.up() == Some(false) => 3,
        Freshness::Fresh if !state.is_whole() => 2,
        Freshness::Never => 1,
        Freshness::Fresh => 0,
    };
    (trouble, rejected)
}

fn row(page: &mut Html, state: &ClusterState, now: Timestamp, stale_after: Duration) {
    let freshness = state.freshness(now, stale_after);
    page.raw("<tr><td><span class=\"b ").raw(colour(freshness)).raw("\">");
    page.raw(freshness.as_str()).raw("</span>");
    if state.observation.is_some() && !state.is_whole() {
        page.raw(" <span class=\"b warn\">incomplete</span>");
    }
    page.raw("</td>").cell(&state.meta.project).raw("<td><a href=\"/clusters/");
    page.text(state.meta.id.as_str()).raw("\">").text(&state.meta.name).raw("</a></td>");
    match state.shown(now, stale_after) {
        Some(data) => counts(page, data.list.counts(), data.list.service_enabled),
        None => {
            page.raw("<td class=\"quiet\" colspan=\"4\">no data</td>");
        }
    }
    page.raw("<td>");
    if let Some(observation) = &state.observation {
        ago(page, observation.at, now);
    }
    page.raw("</td><td>");
    if let Some(error) = state.last_poll().and_then(|poll| poll.error.as_ref()) {
        page.raw("<span class=\"b warn\">").raw(error.reason.as_str()).raw("</span> ");
        page.text(&error.to_string());
    }
    page.raw("</td><td>");
    if let Some(at) = state.next_poll {
        ahead(page, at, now);
    }
    page.raw("</td></tr>\n");
}

fn counts(page: &mut Html, counts: [u64; 7], service_enabled: bool) {
    if !service_enabled {
        page.raw("<td class=\"quiet\" colspan=\"4\">no VPC endpoint service (CSS.5182)</td>");
        return;
    }
    let of = |status: Status| counts[status as usize];
    let (accepted, rejected, pending) =
        (of(Status::Accepted), of(Status::Rejected), of(Status::PendingAcceptance));
    page.count(accepted);
    match rejected {
        0 => page.count(0),
        _ => page
            .raw("<td class=\"n\"><span class=\"b bad\">")
            .text(&rejected.to_string())
            .raw("</span></td>"),
    };
    page.count(pending).count(counts.iter().sum::<u64>() - accepted - rejected - pending);
}

fn changes(page: &mut Html, snapshot: &Snapshot, now: Timestamp) {
    let mut changes: Vec<(&ClusterState, &Transition)> = snapshot
        .clusters()
        .iter()
        .flat_map(|state| state.recent_transitions.iter().map(|change| (&**state, change)))
        .collect();
    changes.sort_by_key(|(_, change)| Reverse(change.at));
    page.raw("<h2>What changed recently</h2>\n");
    if changes.is_empty() {
        page.raw("<p class=\"quiet\">No change of a status was seen.</p>\n");
        return;
    }
    page.raw("<table><tr><th>Seen<th>Cluster<th>Endpoint<th>Change</tr>\n");
    for (state, change) in changes.into_iter().take(MOST_CHANGES) {
        page.raw("<tr><td>");
        ago(page, change.at, now);
        page.raw("</td><td><a href=\"/clusters/").text(state.meta.id.as_str()).raw("\">");
        page.text(&state.meta.name).raw("</a></td><td><code>");
        page.text(change.endpoint_id.as_str()).raw("</code></td><td>");
        page.raw(change.from.as_str()).raw(" → ").raw(change.to.as_str()).raw("</td></tr>\n");
    }
    page.raw("</table>\n");
}
