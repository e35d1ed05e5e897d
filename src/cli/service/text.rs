//! Endpoint services as lines for a person.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::{
    admin_api::{
        change::Effect,
        text::{Paint, columns, text, to_the_second, warnings},
    },
    terminal::visible,
};
use crate::{
    admin::{KnownService, ReadService, ServiceList},
    change::{ChangeView, Difference, ServiceChangeView},
    model::{FieldValue, PortMapping},
};

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
    columns(["SERVICE", "ID", "STATUS", "SEEN"], services.iter().map(row), paint)
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

impl Effect for ServiceChangeView {
    fn is_nothing(&self) -> bool {
        self.diff.is_empty()
    }

    fn planned(change: &ChangeView<Self>, paint: &Paint) -> Vec<String> {
        if change.effect.is_nothing() {
            return vec!["Everything already matches; there is nothing to change.".to_owned()];
        }
        let diff = change.effect.diff.iter();
        let mut lines: Vec<_> = diff.flat_map(|field| difference(field, paint)).collect();
        lines.extend(warnings(&change.warnings, &[], paint));
        lines
    }

    fn parts(&self, _: &Paint) -> Vec<String> {
        Vec::new()
    }
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

/// The question before a change: it names what will be changed, and where.
pub(super) fn question(service: &ReadService, listener: &str) -> String {
    visible(&format!(
        "Apply this to the endpoint service {} ({}) of project {} in region {}, through {listener}? \
         Type yes to go on; anything else cancels.",
        service.name, service.service_id, service.project, service.region_id,
    ))
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::{
        super::super::admin_api::text::{meaning, outcome, refusal},
        *,
    };
    use crate::change::Outcome;

    fn read<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    /// A change with these members beside those that it must have.
    fn change(members: Value) -> ChangeView<ServiceChangeView> {
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
            Effect::planned(&change(members.clone()), &paint),
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
        assert_eq!(Effect::planned(&all, &Paint(false)), expected);
        let colours = Effect::planned(&all, &Paint(true)).concat();
        assert!(colours.contains("\u{1b}[31m  - 1 -> 80/TCP  REMOVED\u{1b}[0m"), "{colours:?}");
        let none = change(json!({"diff": [{"field": "ports", "from": [port(1)], "to": []}]}));
        assert_eq!(Effect::planned(&none, &Paint(false)), ["ports", "  - 1 -> 80/TCP  REMOVED"]);
    }
}
