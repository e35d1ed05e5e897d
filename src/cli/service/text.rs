//! What the answers of the admin API mean, in lines for a person.

use std::{collections::BTreeSet, io::IsTerminal as _};

use serde_json::Value;

use super::super::terminal::visible;
use crate::config::process_environment;

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

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn mapping(port: &Value) -> String {
    format!(
        "{} -> {}/{}",
        text(&port["client_port"]),
        text(&port["server_port"]),
        text(&port["protocol"])
    )
}

/// Whether there is something to change.
pub(super) fn differs(change: &Value) -> bool {
    !items(&change["diff"]).is_empty()
}

/// The services in columns.
pub(super) fn list(answer: &Value, paint: &Paint) -> Vec<String> {
    let services = items(&answer["endpoint_services"]);
    if services.is_empty() {
        return vec!["The token may see no endpoint service.".to_owned()];
    }
    let row = |known: &Value| {
        let service = &known["service"];
        let up = known["up"].as_bool();
        [
            format!("{}/{}", text(&known["project"]), text(&known["name"])),
            text(&known["service_id"]),
            match up {
                Some(false) => "not readable".to_owned(),
                _ => text(&service["status"]),
            },
            to_the_second(&text(&known["last_success"])),
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
pub(super) fn service(answer: &Value) -> Vec<String> {
    let mut lines = vec![format!("{}/{}", text(&answer["project"]), text(&answer["name"]))];
    for (name, value) in answer["service"].as_object().into_iter().flatten() {
        let ports: Vec<_> = items(value).iter().map(mapping).collect();
        match name.as_str() {
            "ports" if value.is_array() => {
                lines.push(format!("  {name}:"));
                lines.extend(ports.iter().map(|port| format!("    {port}")));
            }
            _ => lines.push(format!("  {}: {}", visible(name), text(value))),
        }
    }
    lines.push(format!("  etag: {}", text(&answer["etag"])));
    lines
}

/// What a change would do.
pub(super) fn plan(change: &Value, paint: &Paint) -> Vec<String> {
    if !differs(change) {
        return vec!["Everything is as wanted already; there is nothing to change.".to_owned()];
    }
    let mut lines: Vec<_> =
        items(&change["diff"]).iter().flat_map(|field| difference(field, paint)).collect();
    lines.extend(warnings(change, &[], paint));
    lines
}

fn difference(change: &Value, paint: &Paint) -> Vec<String> {
    let (from, to) = (&change["from"], &change["to"]);
    let mut lines = vec![paint.strong(&text(&change["field"]))];
    if change["field"] == "ports" && to.is_array() {
        let set = |list: &Value| items(list).iter().map(mapping).collect::<BTreeSet<_>>();
        let (from, to) = (set(from), set(to));
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
        lines.push(paint.gone(&format!("  - {}", text(from))));
        lines.push(paint.added(&format!("  + {}", text(to))));
    }
    lines
}

fn warnings(change: &Value, said: &[Value], paint: &Paint) -> Vec<String> {
    let warnings = items(&change["warnings"]).iter().filter(|warning| !said.contains(warning));
    warnings.map(|warning| paint.with("33", &format!("Warning: {}", text(warning)))).collect()
}

/// The question before a change: it names what will be changed, and where.
pub(super) fn question(service: &Value, listener: &str) -> String {
    format!(
        "Apply this to the endpoint service {} ({}) of project {} in region {}, through {}? Only yes \
         is taken for yes.",
        text(&service["name"]),
        text(&service["service_id"]),
        text(&service["project"]),
        text(&service["region_id"]),
        visible(listener),
    )
}

/// How a change ended, and what to do next. Warnings in `said` are left out.
pub(super) fn outcome(change: &Value, said: &[Value], paint: &Paint) -> Vec<String> {
    let outcome = change["outcome"].as_str().unwrap_or("unknown");
    let meaning = match outcome {
        "applied" => "Reading back shows what was wanted.",
        "unchanged" => "Everything was as wanted already; nothing was sent.",
        "planned" => "Nothing was sent.",
        "not_applied" => {
            "Reading back shows the state from before. Find out why before another try."
        }
        "partial" => {
            "Reading back shows only a part of what was wanted. Look with show, then plan again."
        }
        "rejected" => {
            "The cloud refused it, and nothing changed. Mend what it says, then plan again."
        }
        "not_sent" => "Nothing was sent, and nothing changed.",
        _ => "It was sent, and nobody knows what became of it. Look with show before another try.",
    };
    let painted = match outcome {
        "applied" | "unchanged" | "planned" => paint.added(&visible(outcome)),
        _ => paint.gone(&visible(outcome)),
    };
    let mut lines = vec![format!("Outcome: {painted}. {meaning}")];
    lines.extend(warnings(change, said, paint));
    let cloud = &change["cloud"];
    if !cloud.is_null() {
        let parts = ["status", "code", "message", "request_id"].map(|name| &cloud[name]);
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_null()).map(text).collect();
        lines.push(format!("The cloud: {}", parts.join(", ")));
    }
    if change["safe_to_retry"].is_boolean() {
        let safe = change["safe_to_retry"] == true;
        lines.push(format!(
            "The same request may be made again: {}",
            if safe { "yes" } else { "no" }
        ));
    }
    if !change["change_id"].is_null() {
        lines.push(format!("Change: {}", text(&change["change_id"])));
    }
    lines
}

/// A refusal, and what it has to say of the change. Warnings that were `said` are left out.
pub(super) fn refusal(status: u16, problem: &Value, said: &[Value], paint: &Paint) -> Vec<String> {
    let detail = match &problem["detail"] {
        Value::Null => "no reason was given; is that the admin listener?".to_owned(),
        detail => text(detail),
    };
    let mut lines = vec![format!("{}: {detail}", paint.gone(&format!("HTTP {status}")))];
    for error in items(&problem["errors"]) {
        // The empty pointer is the whole body (RFC 6901).
        let place = match error["pointer"].as_str() {
            Some("") => "the body".to_owned(),
            _ => text(&error["pointer"]),
        };
        lines.push(format!("  {place}: {}", text(&error["message"])));
    }
    match status {
        401 => lines.push("Is it the right token, and is it still in admin.tokens?".to_owned()),
        412 => lines.push("Somebody changed the service meanwhile: plan again.".to_owned()),
        _ if problem["outcome"].is_string() => lines.extend(outcome(problem, said, paint)),
        _ => {}
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::change::Outcome;

    #[test]
    fn every_outcome_has_a_meaning_of_its_own() {
        let meaning = |word: &str| {
            let lines = outcome(&json!({ "outcome": word }), &[], &Paint(false));
            lines[0].strip_prefix(&format!("Outcome: {word}. ")).map(str::to_owned)
        };
        let meanings: BTreeSet<_> =
            Outcome::ALL.iter().map(|outcome| meaning(outcome.as_str()).unwrap()).collect();
        assert_eq!(meanings.len(), Outcome::ALL.len(), "{meanings:#?}");
    }

    #[test]
    fn no_text_of_others_moves_the_terminal() {
        let hostile = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}b\u{2066}";
        let cleaned = visible(hostile);
        assert_eq!(cleaned, "a\\u{1b}[2J\\u{d}\\u{a}\\u{9b}31m\\u{202e}b\\u{2066}");
        let everything = json!({
            "project": hostile, "name": hostile, "etag": hostile, "outcome": hostile,
            "detail": hostile, "change_id": hostile, "warnings": [hostile], "safe_to_retry": false,
            "cloud": {"message": hostile, "code": hostile, "request_id": hostile},
            "service": {hostile: hostile, "ports": [{"protocol": hostile}]},
            "errors": [{"pointer": hostile, "message": hostile}],
            "diff": [{"field": hostile, "from": hostile, "to": {hostile: hostile}}],
            "endpoint_services": [{"project": hostile, "name": hostile, "service_id": hostile}],
        });
        let paint = Paint(false);
        let all = [
            list(&everything, &paint),
            service(&everything),
            plan(&everything, &paint),
            outcome(&everything, &[], &paint),
            vec![question(&everything, hostile)],
            refusal(400, &everything, &[], &paint),
        ];
        for line in all.concat() {
            assert_eq!(line, visible(&line));
        }
    }

    #[test]
    fn every_mapping_that_vanishes_is_named() {
        let port =
            |client: u16| json!({"client_port": client, "server_port": 80, "protocol": "TCP"});
        let change = json!({"diff": [
            {"field": "ports", "from": [port(1), port(2), port(3)], "to": [port(2), port(4)]},
            {"field": "description", "from": null, "to": "x"},
        ]});
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
        assert_eq!(plan(&change, &Paint(false)), expected);
        let colours = plan(&change, &Paint(true)).concat();
        assert!(colours.contains("\u{1b}[31m  - 1 -> 80/TCP  REMOVED\u{1b}[0m"), "{colours:?}");
        let all = json!({"diff": [{"field": "ports", "from": [port(1)], "to": []}]});
        assert_eq!(plan(&all, &Paint(false)), ["ports", "  - 1 -> 80/TCP  REMOVED"]);
        assert!(differs(&all) && !differs(&json!({"diff": []})));
    }
}
