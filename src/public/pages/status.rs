//! The status page: every cluster, those that need attention first, and what changed recently.

use std::{cmp::Reverse, time::Duration};

use axum::response::Response;
use jiff::Timestamp;

use super::{
    attention::{Need, credentials_tried},
    changes::Change,
    html::Html,
    times::{ago, ahead, lasting},
};
use crate::{
    board::{ClusterState, Freshness, Snapshot},
    model::Status,
};

/// More rows than anybody reads, and a page that every browser can show; the rest is in the JSON.
const MOST_CLUSTERS: usize = 1000;
const MOST_CHANGES: usize = 25;

/// The page at `/`.
pub(in crate::public) fn status(
    snapshot: &Snapshot,
    now: Timestamp,
    stale_after: Duration,
    telemetry_path: &str,
) -> Response {
    let mut page = Html::new("css-vpcep-exporter");
    page.raw("<h1>VPC endpoint connections of CSS clusters</h1>\n");
    let with_needs = |state| (Need::all(state, now, stale_after), state);
    let all: Vec<_> = snapshot.clusters().iter().map(|state| with_needs(&**state)).collect();
    summary(&mut page, &all, now, stale_after);
    clusters(&mut page, all, now, stale_after);
    changes(&mut page, snapshot, now);
    page.raw("<h2>More</h2>\n<nav><a href=\"").text(telemetry_path).raw("\">Metrics</a>");
    page.raw(
        "<a href=\"/api/v1/clusters\">Clusters (JSON)</a><a href=\"/config\">Configuration</a>",
    );
    page.raw("<a href=\"/-/healthy\">Health</a><a href=\"/-/ready\">Readiness</a></nav>\n");
    page.raw("<p class=\"quiet\">css-vpcep-exporter ").raw(env!("CARGO_PKG_VERSION")).raw("</p>\n");
    page.answer()
}

/// A cluster, and what it needs somebody for.
type WithNeeds<'a> = (Vec<Need>, &'a ClusterState);

fn summary(page: &mut Html, all: &[WithNeeds<'_>], now: Timestamp, stale_after: Duration) {
    page.raw("<p>").text(&all.len().to_string()).raw(" clusters:");
    for freshness in Freshness::ALL {
        let count =
            all.iter().filter(|(_, state)| state.freshness(now, stale_after) == freshness).count();
        if count > 0 {
            page.raw(" <span class=\"b ").raw(colour(freshness)).raw("\">");
            page.text(&count.to_string()).raw(" ").raw(freshness.as_str()).raw("</span>");
        }
    }
    let needy = all.iter().filter(|(needs, _)| !needs.is_empty()).count();
    match needy {
        0 => page.raw(". None needs attention."),
        1 => page.raw(". <b>1 needs attention.</b>"),
        _ => page.raw(". <b>").text(&needy.to_string()).raw(" need attention.</b>"),
    };
    page.raw("</p>\n");
}

/// Red for data that are not shown any more, yellow for data that may be wrong.
fn colour(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Fresh => "good",
        Freshness::Failing => "warn",
        Freshness::Stale => "bad",
        Freshness::Never => "",
    }
}

fn clusters(page: &mut Html, mut all: Vec<WithNeeds<'_>>, now: Timestamp, stale_after: Duration) {
    all.sort_by_cached_key(|(needs, state)| place(needs, state, now, stale_after));
    page.raw(
        "<table><tr><th>State<th>Project<th>Region<th>Cluster<th class=\"n\">Accepted\
         <th class=\"n\">Rejected<th class=\"n\">Pending<th class=\"n\">Failed<th class=\"n\">Other\
         <th>Age of the data<th>Last error<th>Next poll</tr>\n",
    );
    for (needs, state) in all.iter().take(MOST_CLUSTERS) {
        row(page, needs, state, now, stale_after);
    }
    page.raw("</table>\n");
    if all.len() > MOST_CLUSTERS {
        page.raw("<p class=\"quiet\">").text(&(all.len() - MOST_CLUSTERS).to_string());
        page.raw(" more are in <a href=\"/api/v1/clusters\">the JSON</a>.</p>\n");
    }
}

/// Clusters that need attention, the most urgent first; then those that were not tried yet; then the others.
fn place(
    needs: &[Need],
    state: &ClusterState,
    now: Timestamp,
    stale_after: Duration,
) -> (bool, Option<Need>, bool, Reverse<u64>) {
    let rejected = state
        .shown(now, stale_after)
        .map_or(0, |data| data.list.counts()[Status::Rejected as usize]);
    (needs.is_empty(), needs.first().copied(), state.up().is_some(), Reverse(rejected))
}

fn row(
    page: &mut Html,
    needs: &[Need],
    state: &ClusterState,
    now: Timestamp,
    stale_after: Duration,
) {
    let freshness = state.freshness(now, stale_after);
    let is_blind = needs.contains(&Need::Blind);
    let is_off = needs.contains(&Need::SwitchedOff);
    page.raw("<tr><td><span class=\"b ");
    match freshness {
        // Nobody takes a row for a good one that begins in green.
        Freshness::Fresh if is_off => page.raw("bad\">off"),
        _ if is_blind => page.raw("bad\">").raw(freshness.as_str()),
        _ => page.raw(colour(freshness)).raw("\">").raw(freshness.as_str()),
    };
    page.raw("</span>");
    if needs.contains(&Need::Incomplete) {
        page.raw(" <span class=\"b warn\">incomplete</span>");
    }
    page.raw("</td>").cell(&state.meta.project).cell(state.meta.region.as_str());
    page.raw("<td><a href=\"/clusters/");
    page.text(state.meta.id.as_str()).raw("\">").text(&state.meta.name).raw("</a></td>");
    match state.shown(now, stale_after) {
        Some(data) if data.list.service_enabled => counts(page, data.list.counts()),
        Some(_) => switched_off(page, state, now),
        None => {
            page.raw("<td class=\"quiet\" colspan=\"5\">no data</td>");
        }
    }
    page.raw("<td>");
    if let Some(observation) = &state.observation {
        ago(page, observation.at, now);
    }
    page.raw("</td><td>");
    last_error(page, state, now);
    page.raw("</td><td>");
    if let Some(at) = state.next_poll {
        ahead(page, at, now);
    }
    page.raw("</td></tr>\n");
}

/// A number that is highlighted unless it is 0.
fn coloured(page: &mut Html, count: u64, colour: &'static str) {
    if count == 0 {
        page.count(0);
        return;
    }
    page.raw("<td class=\"n\"><span class=\"b ").raw(colour).raw("\">");
    page.text(&count.to_string()).raw("</span></td>");
}

fn counts(page: &mut Html, counts: [u64; 7]) {
    page.count(counts[Status::Accepted as usize]);
    coloured(page, counts[Status::Rejected as usize], "bad");
    coloured(page, counts[Status::PendingAcceptance as usize], "warn");
    coloured(page, counts[Status::Failed as usize], "warn");
    let others = [Status::Creating, Status::Deleting, Status::Unknown];
    let others = others.map(|status| (status, counts[status as usize]));
    let mut others = others.into_iter().filter(|(_, count)| *count > 0).peekable();
    if others.peek().is_none() {
        page.count(0);
        return;
    }
    page.raw("<td class=\"n whole\">");
    for (place, (status, count)) in others.enumerate() {
        page.raw(if place > 0 { ", " } else { "" });
        page.text(&count.to_string()).raw(" ").raw(status.as_str());
    }
    page.raw("</td>");
}

fn switched_off(page: &mut Html, state: &ClusterState, now: Timestamp) {
    match state.service_switched {
        Some(at) => {
            page.raw("<td colspan=\"5\"><span class=\"b bad\">service switched off</span> ");
            ago(page, at, now);
            page.raw(" (CSS.5182)</td>");
        }
        None => {
            page.raw("<td class=\"quiet\" colspan=\"5\">no VPC endpoint service (CSS.5182)</td>");
        }
    }
}

fn last_error(page: &mut Html, state: &ClusterState, now: Timestamp) {
    let Some(error) = state.last_error() else { return };
    page.raw("<span class=\"b warn\">").raw(error.reason.as_str()).raw("</span> ");
    page.raw("<span class=\"long\">").text(&error.to_string()).raw("</span>");
    if let Some(since) = state.failing_since {
        page.raw(", ");
        lasting(page, since, now);
    }
    if let Some(at) = credentials_tried(state) {
        page.raw("; credentials tried again ");
        ahead(page, at, now);
    }
}

fn changes(page: &mut Html, snapshot: &Snapshot, now: Timestamp) {
    let of_all = snapshot.clusters().iter();
    let mut changes: Vec<(&ClusterState, Change<'_>)> =
        of_all.flat_map(|state| Change::of(state).map(|change| (&**state, change))).collect();
    changes.sort_by_key(|(_, change)| Reverse(change.at));
    page.raw("<h2>What changed recently</h2>\n");
    if changes.is_empty() {
        page.raw("<p class=\"quiet\">No change of a status was seen.</p>\n");
        return;
    }
    page.raw("<table><tr><th>Seen<th>Cluster<th>Endpoint<th>Change</tr>\n");
    for (state, change) in changes.into_iter().take(MOST_CHANGES) {
        page.raw("<tr>");
        change.cells(page, now, |page| {
            page.raw("<td><a href=\"/clusters/").text(state.meta.id.as_str()).raw("\">");
            page.text(&state.meta.name).raw("</a></td>");
        });
        page.raw("</tr>\n");
    }
    page.raw("</table>\n");
}
