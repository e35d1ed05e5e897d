//! The page of one cluster: why it needs attention, its connections, its changes, and its last polls.

use std::{cmp::Reverse, time::Duration};

use axum::{http::StatusCode, response::Response};
use jiff::Timestamp;

use super::{
    attention,
    changes::Change,
    html::Html,
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
    let mut page = Html::new();
    let meta = &state.meta;
    page.raw("<header><nav aria-label=\"Places\"><a href=\"/\">All clusters</a><a href=\"/api/v1/clusters/");
    page.text(meta.id.as_str()).raw("\">JSON</a></nav>\n");
    as_of(&mut page, now);
    page.raw("</header>\n<main data-events=\"").text(&event.to_string());
    page.raw("\" data-cluster=\"").text(meta.id.as_str()).raw("\">\n<h1>").text(&meta.name);
    page.raw("</h1>\n");
    attention::reasons(&mut page, state, now, stale_after);
    match state.shown(now, stale_after) {
        Some(data) => connections(&mut page, state, data, now),
        None => {
            page.raw("<h2>Connections</h2>\n<p class=\"quiet\">There are no data");
            page.raw(if state.observation.is_some() {
                ": they are too old.</p>\n"
            } else {
                " yet.</p>\n"
            });
        }
    }
    changes(&mut page, state, now);
    polls(&mut page, state, now);
    facts(&mut page, state, now, stale_after);
    page.raw("</main>\n");
    page.answer(StatusCode::OK, &meta.name)
}

fn facts(page: &mut Html, state: &ClusterState, now: Timestamp, stale_after: Duration) {
    let meta = &state.meta;
    page.raw("<h2>Details</h2>\n<dl class=\"facts\">\n");
    text(page, "State", state.freshness(now, stale_after).as_str());
    text(page, "Cluster id", meta.id.as_str());
    text(page, "Project", &meta.project);
    text(page, "Region", meta.region.as_str());
    text(page, "Interval", &humantime::format_duration(meta.interval).to_string());
    if let Some(observation) = &state.observation {
        fact(page, "Age of the data", |page| ago(page, observation.at, now));
    }
    if let Some(at) = state.next_poll {
        fact(page, "Next poll", |page| ahead(page, at, now));
    }
    if let Some(list) = state.shown(now, stale_after).map(|data| &data.list) {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        text(page, "Complete", yes(list.complete));
        fact(page, "Endpoint service enabled", |page| {
            page.raw(yes(list.service_enabled));
            if let Some(at) = state.service_switched {
                page.raw(", since ");
                when(page, at, now);
            }
        });
        if let Some(reported) = list.reported {
            text(page, "Connections reported", &reported.to_string());
        }
        if let Some(switch) = list.update_switch {
            text(page, "vpcepUpdateSwitch", if switch { "true" } else { "false" });
        }
        if let Some(name) = &list.service_name {
            text(page, "Endpoint service", name.as_str());
        }
    }
    page.raw("</dl>\n");
}

fn text(page: &mut Html, name: &'static str, value: &str) {
    fact(page, name, |page| {
        page.text(value);
    });
}

fn fact(page: &mut Html, name: &'static str, value: impl FnOnce(&mut Html)) {
    page.raw("<div><dt>").raw(name).raw("</dt><dd>");
    value(page);
    page.raw("</dd></div>\n");
}

fn connections(page: &mut Html, state: &ClusterState, data: &Observation, now: Timestamp) {
    page.raw("<h2>Connections</h2>\n");
    if data.list.connections.is_empty() {
        page.raw("<p class=\"quiet\">There are none.</p>\n");
        return;
    }
    let window = Window::of(state, now);
    page.raw(
        "<table class=\"cards\"><thead><tr><th scope=\"col\">Status<th scope=\"col\">Endpoint\
         <th scope=\"col\">Since<th scope=\"col\">Last ",
    );
    page.text(&window.length()).raw(
        "<th scope=\"col\" class=\"n\">Max sessions<th scope=\"col\">Addresses\
         <th scope=\"col\">Account<th scope=\"col\">Created</tr></thead>\n<tbody>\n",
    );
    let mut rows: Vec<_> = data.connections().collect();
    // Rejected and waiting connections come first, the others in the order of their ids.
    rows.sort_by_key(|(connection, _)| urgency(connection.status));
    for (connection, since) in rows {
        row(page, (state, window), connection, since, now);
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
    (state, window): (&ClusterState, Window),
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
    page.raw("<tr id=\"").text(id).raw("\">").labelled("Status", "").raw("<span class=\"b ");
    page.raw(colour).raw("\">").raw(connection.status.as_str()).raw("</span></td>");
    page.labelled("Endpoint", "").raw("<code>").text(id).raw("</code></td>").labelled("Since", "");
    if let Some(since) = since {
        ago(page, since, now);
    }
    page.raw("</td>").labelled("Statuses", "");
    window.draw(page, state, connection);
    page.raw("</td>").labelled("Max sessions", "n");
    if let Some(sessions) = connection.max_sessions {
        page.text(&sessions.to_string());
    }
    page.raw("</td>").labelled("Addresses", "long addresses");
    for address in [connection.ip(), connection.ipv6(), connection.dns_name()] {
        if !address.is_empty() {
            page.raw("<div title=\"").text(address).raw("\">").text(address).raw("</div>");
        }
    }
    page.raw("</td>").labelled("Account", "clip").raw("<code>").text(connection.domain_id());
    page.raw("</code></td>").labelled("Created", "");
    if let Some(created) = connection.created() {
        ago(page, created, now);
    }
    page.raw("</td></tr>\n");
}

fn changes(page: &mut Html, state: &ClusterState, now: Timestamp) {
    page.raw("<h2>Changes</h2>\n");
    let mut changes: Vec<_> = Change::of(state).collect();
    if changes.is_empty() {
        page.raw("<p class=\"quiet\">No change of a status was seen.</p>\n");
        return;
    }
    changes.sort_by_key(|change| Reverse(change.at));
    page.raw(
        "<table class=\"cards\"><thead><tr><th scope=\"col\">Seen<th scope=\"col\">Endpoint\
         <th scope=\"col\">Change</tr></thead>\n<tbody>\n",
    );
    for change in changes {
        page.raw("<tr>");
        change.cells(page, now, |_| {});
        page.raw("</tr>\n");
    }
    page.raw("</tbody></table>\n");
}

fn polls(page: &mut Html, state: &ClusterState, now: Timestamp) {
    page.raw("<h2>Last polls</h2>\n");
    if state.polls.is_empty() {
        page.raw("<p class=\"quiet\">There was none yet.</p>\n");
        return;
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
    page.raw("<tr>").labelled("Ended", "");
    ago(page, poll.at, now);
    page.raw("</td>").labelled("Result", "");
    match &poll.error {
        None => page.raw("<span class=\"b good\">ok</span>"),
        Some(error) => page
            .raw("<span class=\"b warn\">")
            .raw(error.reason.as_str())
            .raw("</span> ")
            .text(&error.to_string()),
    };
    page.raw("</td>").labelled("Duration", "n");
    page.text(&format!("{:.3} s", poll.duration.as_secs_f64())).raw("</td>");
    let trace = &poll.trace;
    page.count("Pages", trace.pages.into()).count("Requests", trace.requests.into());
    page.count("Retries", trace.retries.into()).labelled("Request ids", "");
    for id in &trace.request_ids {
        page.raw("<code>").text(id).raw("</code> ");
    }
    page.raw("</td></tr>\n");
}
