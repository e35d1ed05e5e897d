//! The status page: every cluster, those that need attention first, and what changed recently.

use std::{cmp::Reverse, time::Duration};

use axum::{http::StatusCode, response::Response};
use jiff::Timestamp;

use super::{
    attention::{Need, credentials_tried, failure},
    changes::Change,
    html::{Html, Markup, add, after, badge, cell, count},
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
        let page = &mut Html::default();
        add!(page, "<header><h1>VPC endpoint connections of CSS clusters</h1>\n" {as_of(now)}
            "</header>\n<main data-events=\"" {self.event} "\">\n");
        let with_needs = |state| (Need::all(state, now, stale_after), state);
        let all: Vec<_> = snapshot.clusters().iter().map(|state| with_needs(&**state)).collect();
        summary(page, &all, now, stale_after);
        add!(page, "<form id=\"filter\" role=\"search\"><label for=\"words\">Filter</label> \
            <input id=\"words\" name=\"filter\" type=\"search\" value=\"" {self.filter}
            "\" placeholder=\"name, id, project, region\"> <output id=\"found\"></output></form>\n");
        let words: Vec<_> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let wanted = all.into_iter().filter(|(_, state)| has_all(&words, state)).collect();
        clusters(page, wanted, now, stale_after);
        changes(page, snapshot, now);
        add!(page, "</main>\n<footer><nav aria-label=\"More\">\
            <a href=\"" {self.telemetry_path} "\">Metrics</a><a href=\"/api/v1/clusters\">JSON</a>\
            <a href=\"/config\">Configuration</a><a href=\"/-/healthy\">Health</a>\
            <a href=\"/-/ready\">Readiness</a></nav>\n<p class=\"quiet\">css-vpcep-exporter "
            {env!("CARGO_PKG_VERSION")} "</p></footer>\n");
        page.answer(StatusCode::OK, "css-vpcep-exporter")
    }
}

/// When the page was made. The page's script says there whether it is live.
pub(super) fn as_of(now: Timestamp) -> impl Markup {
    let time = now.strftime("%T UTC").to_string();
    move |page: &mut Html| {
        add!(page, "<p id=\"live\" class=\"quiet\" role=\"status\">As of " {time} "</p>\n");
    }
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
    add!(page, "<p id=\"summary\">" {all.len() as u64} " clusters:");
    for freshness in Freshness::ALL {
        let of = all.iter().filter(|(_, state)| state.freshness(now, stale_after) == freshness);
        let count = of.count() as u64;
        if count > 0 {
            let word = |page: &mut Html| add!(page, {count} " " {freshness.as_str()});
            add!(page, " " {badge(colour(freshness), word)});
        }
    }
    let needy = all.iter().filter(|(needs, _)| !needs.is_empty()).count() as u64;
    match needy {
        0 => page.raw(". None needs attention."),
        1 => page.raw(". <b>1 needs attention.</b>"),
        _ => add!(page, ". <b>" {needy} " need attention.</b>"),
    }
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
        add!(page, "<p class=\"quiet\">" {(all.len() - MOST_CLUSTERS) as u64}
            " more are in <a href=\"/api/v1/clusters\">the JSON</a>.</p>\n");
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
    let (id, meta) = (state.meta.id.as_str(), &state.meta);
    let freshness = state.freshness(now, stale_after);
    add!(page, "<tr id=\"c-" {id} "\">" {cell("State", "", badges(needs, freshness))}
        {cell("Project", "whole", &*meta.project)} {cell("Region", "whole", meta.region.as_str())}
        {cell("Cluster", "", link(state))});
    match state.shown(now, stale_after) {
        Some(data) if data.list.service_enabled => counts(page, data.list.counts()),
        Some(_) => switched_off(page, state, now),
        None => page.raw("<td class=\"quiet\" colspan=\"5\">no data</td>"),
    }
    let age = state.observation.as_ref().map(|data| ago(data.at, now));
    add!(page, {cell("Age of the data", "", age)}
        {cell("Last error", "", |page: &mut Html| last_error(page, state, now))}
        {cell("Next poll", "", state.next_poll.map(|at| ahead(at, now)))} "</tr>\n");
}

fn link(state: &ClusterState) -> impl Markup {
    move |page: &mut Html| {
        add!(page, "<a href=\"/clusters/" {state.meta.id.as_str()} "\">" {state.meta.name} "</a>");
    }
}

/// All reasons why a cluster needs attention. The row of a good cluster begins in green.
fn badges(needs: &[Need], freshness: Freshness) -> impl Markup {
    move |page: &mut Html| {
        if needs.is_empty() {
            add!(page, {badge(colour(freshness), freshness.as_str())} " ");
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
            add!(page, {badge(colour, word)} " ");
        }
    }
}

/// A number that is highlighted unless it is 0.
fn coloured(page: &mut Html, label: &'static str, number: u64, colour: &'static str) {
    match number {
        0 => count(label, 0).add_to(page),
        _ => cell(label, "n", badge(colour, number)).add_to(page),
    }
}

fn counts(page: &mut Html, counts: [u64; 7]) {
    count("Accepted", counts[Status::Accepted as usize]).add_to(page);
    coloured(page, "Rejected", counts[Status::Rejected as usize], "bad");
    coloured(page, "Pending", counts[Status::PendingAcceptance as usize], "warn");
    coloured(page, "Failed", counts[Status::Failed as usize], "warn");
    let others = [Status::Creating, Status::Deleting, Status::Unknown];
    let others = others.map(|status| (counts[status as usize], status.as_str()));
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others: Vec<_> = others.map(|(count, word)| format!("{count} {word}")).collect();
    match &*others {
        [] => count("Other", 0).add_to(page),
        _ => cell("Other", "n whole", &*others.join(", ")).add_to(page),
    }
}

fn switched_off(page: &mut Html, state: &ClusterState, now: Timestamp) {
    match state.service_switched {
        Some(at) => add!(page, "<td colspan=\"5\">" {badge("bad", "service switched off")} " "
            {ago(at, now)} " (CSS.5182)</td>"),
        None => {
            page.raw("<td class=\"quiet\" colspan=\"5\">no VPC endpoint service (CSS.5182)</td>");
        }
    }
}

fn last_error(page: &mut Html, state: &ClusterState, now: Timestamp) {
    let Some(error) = state.last_error() else { return };
    let since = state.failing_since.map(|since| lasting(since, now));
    let tried = credentials_tried(state).map(|at| ahead(at, now));
    add!(page, {failure(error)} {after(", ", since)} {after("; credentials tried again ", tried)});
}

fn changes(page: &mut Html, snapshot: &Snapshot, now: Timestamp) {
    let of_all = snapshot.clusters().iter();
    let mut changes: Vec<(&ClusterState, Change<'_>)> =
        of_all.flat_map(|state| Change::of(state).map(|change| (&**state, change))).collect();
    changes.sort_by_key(|(_, change)| Reverse(change.at));
    page.raw("<h2 id=\"changed\">What changed recently</h2>\n");
    if changes.is_empty() {
        return page.raw("<p class=\"quiet\">No change of a status was seen.</p>\n");
    }
    page.raw("<table id=\"changes\" class=\"cards\"><thead><tr><th scope=\"col\">Seen<th scope=\"col\">Cluster\
         <th scope=\"col\">Endpoint<th scope=\"col\">Change</tr></thead>\n<tbody>\n");
    for (state, change) in changes.into_iter().take(MOST_CHANGES) {
        change.row(now, cell("Cluster", "", link(state))).add_to(page);
    }
    page.raw("</tbody></table>\n");
}
