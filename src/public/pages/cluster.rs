//! The page of one cluster: why it needs attention, its connections, its changes, and its last polls.

use std::{cmp::Reverse, time::Duration};

use axum::{http::StatusCode, response::Response};
use jiff::Timestamp;

use super::{
    attention,
    changes::Change,
    html::{Html, Markup, add, after, badge, cell, code, count},
    status::as_of,
    timeline::Window,
    times::{ago, ahead, when},
};
use crate::{
    board::{ClusterState, Observation, PollRecord},
    model::{Connection, Status},
};

/// The page at `/clusters/{cluster_id}`. `event`: the newest event that the state has.
pub(in crate::public) fn cluster(
    state: &ClusterState,
    event: u64,
    now: Timestamp,
    stale_after: Duration,
) -> Response {
    let page = &mut Html::default();
    let (id, name) = (state.meta.id.as_str(), &*state.meta.name);
    add!(page, "<header><nav aria-label=\"Places\"><a href=\"/\">All clusters</a>\
        <a href=\"/api/v1/clusters/" {id} "\">JSON</a></nav>\n" {as_of(now)}
        "</header>\n<main data-events=\"" {event} "\" data-cluster=\"" {id} "\">\n"
        "<h1>" {name} "</h1>\n");
    attention::reasons(page, state, now, stale_after);
    page.raw("<h2>Connections</h2>\n");
    match state.shown(now, stale_after) {
        Some(data) => connections(page, state, data, now),
        None => {
            let why = if state.observation.is_some() { ": they are too old" } else { " yet" };
            add!(page, "<p class=\"quiet\">There are no data" {why} ".</p>\n");
        }
    }
    changes(page, state, now);
    polls(page, state, now);
    facts(page, state, now, stale_after);
    page.raw("</main>\n");
    page.answer(StatusCode::OK, name)
}

fn facts(page: &mut Html, state: &ClusterState, now: Timestamp, stale_after: Duration) {
    let meta = &state.meta;
    let list = state.shown(now, stale_after).map(|data| &data.list);
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let enabled = list.map(|list| {
        move |page: &mut Html| {
            let since = state.service_switched.map(|at| when(at, now));
            add!(page, {yes(list.service_enabled)} {after(", since ", since)});
        }
    });
    let switch = list.and_then(|list| list.update_switch);
    page.raw("<h2>Details</h2>\n<dl class=\"facts\">\n");
    fact(page, "State", Some(state.freshness(now, stale_after).as_str()));
    fact(page, "Cluster id", Some(meta.id.as_str()));
    fact(page, "Project", Some(&*meta.project));
    fact(page, "Region", Some(meta.region.as_str()));
    fact(page, "Interval", Some(&*humantime::format_duration(meta.interval).to_string()));
    fact(page, "Age of the data", state.observation.as_ref().map(|data| ago(data.at, now)));
    fact(page, "Next poll", state.next_poll.map(|at| ahead(at, now)));
    fact(page, "Complete", list.map(|list| yes(list.complete)));
    fact(page, "Endpoint service enabled", enabled);
    fact(page, "Connections reported", list.and_then(|list| list.reported));
    fact(page, "vpcepUpdateSwitch", switch.map(|on| if on { "true" } else { "false" }));
    let name = list.and_then(|list| list.service_name.as_ref());
    fact(page, "Endpoint service", name.map(|name| name.as_str()));
    page.raw("</dl>\n");
}

/// A fact, if it is known.
fn fact(page: &mut Html, name: &'static str, value: Option<impl Markup>) {
    if let Some(value) = value {
        add!(page, "<div><dt>" {name} "</dt><dd>" {value} "</dd></div>\n");
    }
}

fn connections(page: &mut Html, state: &ClusterState, data: &Observation, now: Timestamp) {
    if data.list.connections.is_empty() {
        return page.raw("<p class=\"quiet\">There are none.</p>\n");
    }
    let window = Window::of(state, now);
    add!(page, "<table class=\"cards\"><thead><tr><th scope=\"col\">Status<th scope=\"col\">Endpoint\
        <th scope=\"col\">Since<th scope=\"col\">Last " {window.length()}
        "<th scope=\"col\" class=\"n\">Max sessions<th scope=\"col\">Addresses\
        <th scope=\"col\">Account<th scope=\"col\">Created</tr></thead>\n<tbody>\n");
    let mut rows: Vec<_> = data.connections().collect();
    // Rejected and waiting connections come first, the others in the order of their ids.
    rows.sort_by_key(|(connection, _)| urgency(connection.status));
    for (connection, since) in rows {
        row(page, window.drawn(state, connection), connection, since, now);
    }
    page.raw("</tbody></table>\n");
}

fn urgency(status: Status) -> u8 {
    match status {
        Status::Rejected => 0,
        Status::Failed => 1,
        Status::PendingAcceptance => 2,
        Status::Unknown => 3,
        Status::Creating | Status::Deleting => 4,
        Status::Accepted => 5,
    }
}

fn row(
    page: &mut Html,
    line: impl Markup,
    connection: &Connection,
    since: Option<Timestamp>,
    now: Timestamp,
) {
    let colour = match connection.status {
        Status::Accepted => "good",
        Status::Rejected | Status::Failed => "bad",
        Status::PendingAcceptance | Status::Unknown => "warn",
        Status::Creating | Status::Deleting => "",
    };
    let id = connection.endpoint_id();
    let addresses = |page: &mut Html| {
        for address in [connection.ip(), connection.ipv6(), connection.dns_name()] {
            if !address.is_empty() {
                add!(page, "<div title=\"" {address} "\">" {address} "</div>");
            }
        }
    };
    add!(page, "<tr id=\"" {id} "\">"
        {cell("Status", "", badge(colour, connection.status.as_str()))}
        {cell("Endpoint", "", code(id))}
        {cell("Since", "", since.map(|since| ago(since, now)))}
        {cell("Statuses", "", line)}
        {cell("Max sessions", "n", connection.max_sessions)}
        {cell("Addresses", "long addresses", addresses)}
        {cell("Account", "clip", code(connection.domain_id()))}
        {cell("Created", "", connection.created().map(|created| ago(created, now)))}
        "</tr>\n");
}

fn changes(page: &mut Html, state: &ClusterState, now: Timestamp) {
    page.raw("<h2>Changes</h2>\n");
    let mut changes: Vec<_> = Change::of(state).collect();
    if changes.is_empty() {
        return page.raw("<p class=\"quiet\">No change of a status was seen.</p>\n");
    }
    changes.sort_by_key(|change| Reverse(change.at));
    page.raw(
        "<table class=\"cards\"><thead><tr><th scope=\"col\">Seen<th scope=\"col\">Endpoint\
         <th scope=\"col\">Change</tr></thead>\n<tbody>\n",
    );
    for change in changes {
        change.row(now, None::<&str>).add_to(page);
    }
    page.raw("</tbody></table>\n");
}

fn polls(page: &mut Html, state: &ClusterState, now: Timestamp) {
    page.raw("<h2>Last polls</h2>\n");
    if state.polls.is_empty() {
        return page.raw("<p class=\"quiet\">There was none yet.</p>\n");
    }
    page.raw(
        "<table class=\"cards\"><thead><tr><th scope=\"col\">Ended<th scope=\"col\">Result\
         <th scope=\"col\" class=\"n\">Duration<th scope=\"col\" class=\"n\">Pages\
         <th scope=\"col\" class=\"n\">Requests<th scope=\"col\" class=\"n\">Retries\
         <th scope=\"col\">Request ids</tr></thead>\n<tbody>\n",
    );
    for poll in state.polls.iter().rev() {
        one_poll(page, poll, now);
    }
    page.raw("</tbody></table>\n");
}

fn one_poll(page: &mut Html, poll: &PollRecord, now: Timestamp) {
    let result = |page: &mut Html| match &poll.error {
        None => badge("good", "ok").add_to(page),
        Some(error) => {
            add!(page, {badge("warn", error.reason.as_str())} " " {error.to_string()});
        }
    };
    let trace = &poll.trace;
    let ids = |page: &mut Html| trace.request_ids.iter().for_each(|id| add!(page, {code(id)} " "));
    let duration = format!("{:.3} s", poll.duration.as_secs_f64());
    add!(page, "<tr>" {cell("Ended", "", ago(poll.at, now))} {cell("Result", "", result)}
        {cell("Duration", "n", &*duration)} {count("Pages", trace.pages.into())}
        {count("Requests", trace.requests.into())} {count("Retries", trace.retries.into())}
        {cell("Request ids", "", ids)} "</tr>\n");
}
