//! The status page: every cluster, those that need attention first, and what changed recently.

use std::{cmp::Reverse, time::Duration};

use axum::{http::StatusCode, response::Response};
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

/// More rows would make a browser slow; the others are in the JSON, and the filter finds them.
const MOST_CLUSTERS: usize = 5000;
const MOST_CHANGES: usize = 25;

/// The content of the status page.
pub(in crate::public) struct StatusPage<'a> {
    pub(in crate::public) snapshot: &'a Snapshot,
    pub(in crate::public) now: Timestamp,
    pub(in crate::public) stale_after: Duration,
    pub(in crate::public) telemetry_path: &'a str,
    /// The newest event that the snapshot has.
    pub(in crate::public) event: u64,
    /// Only clusters that have all of these words somewhere in their row are wanted.
    pub(in crate::public) filter: &'a str,
}

impl StatusPage<'_> {
    /// The page at `/`.
    pub(in crate::public) fn answer(&self) -> Response {
        let &Self { snapshot, now, stale_after, .. } = self;
        let mut page = Html::new();
        page.raw("<header><h1>VPC endpoint connections of CSS clusters</h1>\n");
        as_of(&mut page, now);
        page.raw("</header>\n<main data-events=\"").text(&self.event.to_string()).raw("\">\n");
        let with_needs = |state| (Need::all(state, now, stale_after), state);
        let all: Vec<_> = snapshot.clusters().iter().map(|state| with_needs(&**state)).collect();
        summary(&mut page, &all, now, stale_after);
        self.filter(&mut page);
        let words: Vec<_> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let wanted = all.into_iter().filter(|(_, state)| has_all(&words, state)).collect();
        clusters(&mut page, wanted, now, stale_after);
        changes(&mut page, snapshot, now);
        page.raw("</main>\n<footer><nav aria-label=\"More\"><a href=\"");
        page.text(self.telemetry_path).raw("\">Metrics</a><a href=\"/api/v1/clusters\">JSON</a>");
        page.raw("<a href=\"/config\">Configuration</a><a href=\"/-/healthy\">Health</a>");
        page.raw(
            "<a href=\"/-/ready\">Readiness</a></nav>\n<p class=\"quiet\">css-vpcep-exporter ",
        );
        page.raw(env!("CARGO_PKG_VERSION")).raw("</p></footer>\n");
        page.answer(StatusCode::OK, "css-vpcep-exporter")
    }

    fn filter(&self, page: &mut Html) {
        page.raw("<form id=\"filter\" role=\"search\"><label for=\"words\">Filter</label> ");
        page.raw("<input id=\"words\" name=\"filter\" type=\"search\" value=\"").text(self.filter);
        page.raw(
            "\" placeholder=\"name, id, project, region\"> <output id=\"found\"></output></form>\n",
        );
    }
}

/// When the page was made. The page's script says there whether it is live.
pub(super) fn as_of(page: &mut Html, now: Timestamp) {
    page.raw("<p id=\"live\" class=\"quiet\" role=\"status\">As of ");
    page.text(&now.strftime("%T UTC").to_string()).raw("</p>\n");
}

fn has_all(words: &[String], state: &ClusterState) -> bool {
    let meta = &state.meta;
    let texts = [&*meta.name, meta.id.as_str(), &*meta.project, meta.region.as_str()];
    let texts = texts.map(str::to_lowercase);
    words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
}

/// A cluster, and the reasons why it needs attention.
type WithNeeds<'a> = (Vec<Need>, &'a ClusterState);

fn summary(page: &mut Html, all: &[WithNeeds<'_>], now: Timestamp, stale_after: Duration) {
    page.raw("<p id=\"summary\">").text(&all.len().to_string()).raw(" clusters:");
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
        "<table id=\"clusters\" class=\"cards\"><thead><tr><th scope=\"col\">State\
         <th scope=\"col\">Project<th scope=\"col\">Region<th scope=\"col\">Cluster\
         <th scope=\"col\" class=\"n\">Accepted<th scope=\"col\" class=\"n\">Rejected\
         <th scope=\"col\" class=\"n\">Pending<th scope=\"col\" class=\"n\">Failed\
         <th scope=\"col\" class=\"n\">Other<th scope=\"col\">Age of the data\
         <th scope=\"col\">Last error<th scope=\"col\">Next poll</tr></thead>\n<tbody>\n",
    );
    for (needs, state) in all.iter().take(MOST_CLUSTERS) {
        row(page, needs, state, now, stale_after);
    }
    page.raw("</tbody></table>\n");
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
    let id = state.meta.id.as_str();
    page.raw("<tr id=\"c-").text(id).raw("\">").labelled("State", "");
    badges(page, needs, state.freshness(now, stale_after));
    page.raw("</td>").cell("Project", &state.meta.project);
    page.cell("Region", state.meta.region.as_str()).labelled("Cluster", "");
    page.raw("<a href=\"/clusters/").text(id).raw("\">").text(&state.meta.name).raw("</a></td>");
    match state.shown(now, stale_after) {
        Some(data) if data.list.service_enabled => counts(page, data.list.counts()),
        Some(_) => switched_off(page, state, now),
        None => {
            page.raw("<td class=\"quiet\" colspan=\"5\">no data</td>");
        }
    }
    page.labelled("Age of the data", "");
    if let Some(observation) = &state.observation {
        ago(page, observation.at, now);
    }
    page.raw("</td>").labelled("Last error", "");
    last_error(page, state, now);
    page.raw("</td>").labelled("Next poll", "");
    if let Some(at) = state.next_poll {
        ahead(page, at, now);
    }
    page.raw("</td></tr>\n");
}

/// All reasons why a cluster needs attention. The row of a good cluster begins in green.
fn badges(page: &mut Html, needs: &[Need], freshness: Freshness) {
    if needs.is_empty() {
        badge(page, colour(freshness), freshness.as_str());
    }
    for need in needs {
        let (colour, word) = match need {
            Need::SwitchedOff => ("bad", "off"),
            Need::Rejected => ("bad", "rejected"),
            Need::Blind => ("bad", freshness.as_str()),
            Need::Failing => ("warn", "failing"),
            Need::Failed => ("warn", "failed"),
            Need::Incomplete => ("warn", "incomplete"),
            Need::Pending => ("warn", "pending"),
            Need::RejectedHere => ("", "rejected here"),
        };
        badge(page, colour, word);
    }
}

fn badge(page: &mut Html, colour: &'static str, word: &'static str) {
    page.raw("<span class=\"b ").raw(colour).raw("\">").raw(word).raw("</span> ");
}

/// A number that is highlighted unless it is 0.
fn coloured(page: &mut Html, label: &'static str, count: u64, colour: &'static str) {
    if count == 0 {
        page.count(label, 0);
        return;
    }
    page.labelled(label, "n").raw("<span class=\"b ").raw(colour).raw("\">");
    page.text(&count.to_string()).raw("</span></td>");
}

fn counts(page: &mut Html, counts: [u64; 7]) {
    page.count("Accepted", counts[Status::Accepted as usize]);
    coloured(page, "Rejected", counts[Status::Rejected as usize], "bad");
    coloured(page, "Pending", counts[Status::PendingAcceptance as usize], "warn");
    coloured(page, "Failed", counts[Status::Failed as usize], "warn");
    let others = [Status::Creating, Status::Deleting, Status::Unknown];
    let others = others.map(|status| (status, counts[status as usize]));
    let mut others = others.into_iter().filter(|(_, count)| *count > 0).peekable();
    if others.peek().is_none() {
        page.count("Other", 0);
        return;
    }
    page.labelled("Other", "n whole");
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
    page.raw("<h2 id=\"changed\">What changed recently</h2>\n");
    if changes.is_empty() {
        page.raw("<p class=\"quiet\">No change of a status was seen.</p>\n");
        return;
    }
    page.raw("<table id=\"changes\" class=\"cards\"><thead><tr><th scope=\"col\">Seen<th scope=\"col\">Cluster\
         <th scope=\"col\">Endpoint<th scope=\"col\">Change</tr></thead>\n<tbody>\n");
    for (state, change) in changes.into_iter().take(MOST_CHANGES) {
        page.raw("<tr>");
        change.cells(page, now, |page| {
            page.labelled("Cluster", "").raw("<a href=\"/clusters/").text(state.meta.id.as_str());
            page.raw("\">").text(&state.meta.name).raw("</a></td>");
        });
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table>\n");
}
