//! The answers of the admin API as lines for a person.

use std::{collections::BTreeSet, io::IsTerminal as _};

use serde_json::{Value, json};

use super::super::terminal::visible;
use crate::{
    admin::{KnownService, ProblemDocument, ReadService, ServiceList},
    change::{ChangeView, CloudAnswer, Difference, Outcome},
    config::process_environment,
    model::{FieldValue, PortMapping},
};

/// Colours, where there is a terminal that shows them.
pub(super) struct Paint(bool);

impl Paint {
    /// Nothing but a terminal gets colours, and not even that where `NO_COLOR` is set.
    pub(super) fn for_stdout() -> Self {
        let unwanted = process_environment("NO_COLOR").is_some_and(|text| !text.is_empty());
        Self(std::io::stdout().is_terminal() && !unwanted)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn gone(&self, text: &str) -> String {
        self.with("31", text)
    }

    fn added(&self, text: &str) -> String {
        self.with("32", text)
    }

    fn strong(&self, text: &str) -> String {
        self.with("1", text)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    }
}

fn mapping(port: &PortMapping) -> String {
    format!("{} -> {}/{}", port.client_port, port.server_port, visible(&port.protocol))
}

/// The services in columns.
pub(super) fn list(answer: &ServiceList, paint: &Paint) -> Vec<String> {
    let services = &answer.endpoint_services;
    if services.is_empty() {
        return vec!["The token may see no endpoint service.".to_owned()];
    }
    let row = |known: &KnownService| {
        let status = match (known.up, &known.service) {
            (Some(false), _) => "not readable".to_owned(),
            (_, Some(service)) => visible(&service.status),
            (_, None) => "-".to_owned(),
        };
        let seen = known.last_success.as_deref().unwrap_or("-");
        [
            visible(&format!("{}/{}", known.project, known.name)),
            visible(&known.service_id),
            status,
            to_the_second(&visible(seen)),
        ]
    };
    let mut rows = vec![["SERVICE", "ID", "STATUS", "SEEN"].map(str::to_owned)];
    rows.extend(services.iter().map(row));
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let line = |row: &[String; 4]| {
        let cells: Vec<_> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().map(line).enumerate();
    lines.map(|(at, line)| if at == 0 { paint.strong(&line) } else { line }).collect()
}

/// A time without the parts of its second.
fn to_the_second(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(second, _)| format!("{second}Z"))
}

/// A service, a field a line.
pub(super) fn service(answer: &ReadService) -> Vec<String> {
    let mut lines = vec![visible(&format!("{}/{}", answer.project, answer.name))];
    let members = json!(answer.service);
    for (name, value) in members.as_object().into_iter().flatten() {
        match &answer.service.ports {
            Some(ports) if name == "ports" => {
                lines.push(format!("  {name}:"));
                lines.extend(ports.iter().map(|port| format!("    {}", mapping(port))));
            }
            _ => lines.push(format!("  {name}: {}", text(value))),
        }
    }
    lines.push(format!("  etag: {}", visible(&answer.etag)));
    lines
}

/// The effect that a change would have.
pub(super) fn plan(change: &ChangeView, paint: &Paint) -> Vec<String> {
    if change.diff.is_empty() {
        return vec!["Everything is as wanted already; there is nothing to change.".to_owned()];
    }
    let mut lines: Vec<_> = change.diff.iter().flat_map(|field| difference(field, paint)).collect();
    lines.extend(warnings(&change.warnings, &[], paint));
    lines
}

fn difference(change: &Difference, paint: &Paint) -> Vec<String> {
    let Difference { field, from, to } = change;
    let mut lines = vec![paint.strong(field.as_str())];
    if let Some(FieldValue::Ports(to)) = to {
        let set = |list: &[PortMapping]| list.iter().map(mapping).collect::<BTreeSet<_>>();
        let from = match from {
            Some(FieldValue::Ports(from)) => set(from),
            _ => BTreeSet::new(),
        };
        let to = set(to);
        for gone in from.difference(&to) {
            lines.push(paint.gone(&format!("  - {gone}  REMOVED")));
        }
        for new in to.difference(&from) {
            lines.push(paint.added(&format!("  + {new}")));
        }
        let kept = from.intersection(&to).count();
        if kept > 0 {
            lines.push(format!("    {kept} as before"));
        }
    } else {
        lines.push(paint.gone(&format!("  - {}", text(&json!(from)))));
        lines.push(paint.added(&format!("  + {}", text(&json!(to)))));
    }
    lines
}

fn warnings(warnings: &[String], said: &[String], paint: &Paint) -> Vec<String> {
    let new = warnings.iter().filter(|warning| !said.contains(warning));
    new.map(|warning| paint.with("33", &format!("Warning: {}", visible(warning)))).collect()
}

/// The question before a change: it names what will be changed, and where.
pub(super) fn question(service: &ReadService, listener: &str) -> String {
    visible(&format!(
        "Apply this to the endpoint service {} ({}) of project {} in region {}, through {listener}? \
         Type yes to go on; anything else cancels.",
        service.name, service.service_id, service.project, service.region_id,
    ))
}

/// The end of a change, as an answer or a refusal tells it.
pub(super) struct Ended<'a> {
    outcome: Outcome,
    warnings: &'a [String],
    cloud: Option<&'a CloudAnswer>,
    safe_to_retry: bool,
    change_id: Option<&'a str>,
}

impl<'a> From<&'a ChangeView> for Ended<'a> {
    fn from(change: &'a ChangeView) -> Self {
        Self {
            outcome: change.outcome,
            warnings: &change.warnings,
            cloud: change.cloud.as_ref(),
            safe_to_retry: change.safe_to_retry,
            change_id: Some(&change.change_id),
        }
    }
}

impl<'a> Ended<'a> {
    fn of(problem: &'a ProblemDocument) -> Option<Self> {
        Some(Self {
            outcome: problem.outcome?,
            warnings: problem.warnings.as_deref().unwrap_or_default(),
            cloud: problem.cloud.as_ref(),
            safe_to_retry: problem.safe_to_retry == Some(true),
            change_id: problem.change_id.as_deref(),
        })
    }
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "Reading back shows what was wanted.",
        Outcome::Unchanged => "Everything was as wanted already; nothing was sent.",
        Outcome::Planned => "Nothing was sent.",
        Outcome::NotApplied => {
            "Reading back shows the state from before. Find out why before another try."
        }
        Outcome::Partial => {
            "Reading back shows only a part of what was wanted. Look with show, then plan again."
        }
        Outcome::Rejected => {
            "The cloud refused it, and nothing changed. Correct what it names, then plan again."
        }
        Outcome::NotSent => "Nothing was sent, and nothing changed.",
        Outcome::Unknown => {
            "It was sent, and nobody knows what became of it. Look with show before another try."
        }
    }
}

/// The end of a change, and what to do next. Warnings in `said` are left out.
pub(super) fn outcome(change: &Ended<'_>, said: &[String], paint: &Paint) -> Vec<String> {
    let word = change.outcome.as_str();
    let painted = match change.outcome {
        Outcome::Applied | Outcome::Unchanged | Outcome::Planned => paint.added(word),
        _ => paint.gone(word),
    };
    let mut lines = vec![format!("Outcome: {painted}. {}", meaning(change.outcome))];
    lines.extend(warnings(change.warnings, said, paint));
    if let Some(CloudAnswer { status, code, message, request_id }) = change.cloud {
        let parts =
            [Some(&status.to_string()), code.as_ref(), message.as_ref(), request_id.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().map(|part| visible(part)).collect();
        lines.push(format!("The cloud: {}", parts.join(", ")));
    }
    let safe = if change.safe_to_retry { "yes" } else { "no" };
    lines.push(format!("The same request may be made again: {safe}"));
    lines.extend(change.change_id.map(|id| format!("Change: {}", visible(id))));
    lines
}

/// A refusal, and what it tells of the change. Warnings in `said` are left out.
pub(super) fn refusal(
    status: u16,
    problem: &ProblemDocument,
    said: &[String],
    paint: &Paint,
) -> Vec<String> {
    let detail = match &*problem.detail {
        "" => "no reason was given; is that the admin listener?".to_owned(),
        detail => visible(detail),
    };
    let mut lines = vec![format!("{}: {detail}", paint.gone(&format!("HTTP {status}")))];
    for error in problem.errors.iter().flatten() {
        // The empty pointer is the whole body (RFC 6901).
        let place = if error.pointer.is_empty() { "the body" } else { &error.pointer };
        lines.push(visible(&format!("  {place}: {}", error.message)));
    }
    match (status, Ended::of(problem)) {
        (401, _) => {
            lines.push("Is it the right token, and is it still in admin.tokens?".to_owned())
        }
        (412, _) => lines.push("Someone changed the service meanwhile: plan again.".to_owned()),
        (_, ended) => lines.extend(ended.into_iter().flat_map(|it| outcome(&it, said, paint))),
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    /// A change with these members beside those that it must have.
    fn change(members: Value) -> ChangeView {
        let mut change = json!({
            "change_id": "c", "outcome": "applied", "sent": true, "safe_to_retry": false, "diff": [],
            "before": {"id": "i", "service_name": "n", "status": "s"}, "warnings": [],
        });
        change.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        read(change)
    }

    #[test]
    fn every_outcome_has_a_meaning_of_its_own() {
        let meanings: BTreeSet<_> = Outcome::ALL.into_iter().map(meaning).collect();
        assert_eq!(meanings.len(), Outcome::ALL.len(), "{meanings:#?}");
        let problem = read(json!({"outcome": "partial", "safe_to_retry": false}));
        let lines = refusal(502, &problem, &[], &Paint(false));
        assert_eq!(lines[1], format!("Outcome: partial. {}", meaning(Outcome::Partial)));
    }

    #[test]
    fn no_text_of_others_moves_the_terminal() {
        let hostile = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}b\u{2066}";
        let cleaned = visible(hostile);
        assert_eq!(cleaned, "a\\u{1b}[2J\\u{d}\\u{a}\\u{9b}31m\\u{202e}b\\u{2066}");
        let port = json!({"client_port": 1, "server_port": 1, "protocol": hostile});
        let service = json!({
            "id": hostile, "service_name": hostile, "status": hostile, "description": hostile,
            "created_at": hostile, "tcp_proxy": hostile, "ports": [port],
        });
        let known = json!({
            "project": hostile, "name": hostile, "region_id": hostile, "service_id": hostile,
            "etag": hostile, "service": service, "last_success": hostile,
            "unattributed_changes": 0,
        });
        let members = json!({
            "outcome": hostile, "detail": hostile, "change_id": hostile, "warnings": [hostile],
            "safe_to_retry": false,
            "cloud": {"status": 400, "message": hostile, "code": hostile, "request_id": hostile},
            "errors": [{"pointer": hostile, "rule": hostile, "message": hostile}],
            "diff": [
                {"field": "ip", "from": hostile, "to": hostile},
                {"field": "ports", "from": [port], "to": []},
            ],
        });
        let paint = Paint(false);
        let all = [
            list(&read(json!({"endpoint_services": [known]})), &paint),
            self::service(&read(known.clone())),
            plan(&change(members.clone()), &paint),
            outcome(&(&change(members.clone())).into(), &[], &paint),
            vec![question(&read(known), hostile)],
            refusal(400, &read(members), &[], &paint),
        ];
        for line in all.concat() {
            assert_eq!(line, visible(&line));
        }
    }

    #[test]
    fn every_mapping_that_vanishes_is_named() {
        let port =
            |client: u16| json!({"client_port": client, "server_port": 80, "protocol": "TCP"});
        let all = change(json!({"diff": [
            {"field": "ports", "from": [port(1), port(2), port(3)], "to": [port(2), port(4)]},
            {"field": "description", "from": null, "to": "x"},
        ]}));
        let expected = [
            "ports",
            "  - 1 -> 80/TCP  REMOVED",
            "  - 3 -> 80/TCP  REMOVED",
            "  + 4 -> 80/TCP",
            "    1 as before",
            "description",
            "  - -",
            "  + x",
        ];
        assert_eq!(plan(&all, &Paint(false)), expected);
        let colours = plan(&all, &Paint(true)).concat();
        assert!(colours.contains("\u{1b}[31m  - 1 -> 80/TCP  REMOVED\u{1b}[0m"), "{colours:?}");
        let none = change(json!({"diff": [{"field": "ports", "from": [port(1)], "to": []}]}));
        assert_eq!(plan(&none, &Paint(false)), ["ports", "  - 1 -> 80/TCP  REMOVED"]);
    }
}
