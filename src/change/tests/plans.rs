//! Differences, warnings, tags and verdicts, without any cloud.

use std::sync::Arc;

use super::{fake::id, mapping, rig::meta, service};
use crate::{
    change::{
        Condition, Outcome, Refusal, etag, plan,
        plan::{differences, judge},
        service::Service,
        subject::Subject as _,
    },
    model::{
        EndpointService, Field, FieldValue, PortMapping, ServiceFields, ServiceName, ServiceStatus,
    },
};

fn none() -> ServiceFields {
    ServiceFields::default()
}

fn text(text: &str) -> Option<FieldValue> {
    Some(FieldValue::Text(text.into()))
}

fn fields(update: &ServiceFields) -> Vec<Field> {
    plan(&service(), update).diff.iter().map(|change| change.field).collect()
}

#[test]
fn only_what_was_asked_for_and_differs_is_in_the_diff() {
    let is = service().fields;
    assert_eq!(fields(&is), Vec::<Field>::new());
    let mut reversed = is.ports.clone().unwrap();
    reversed.reverse();
    assert_eq!(fields(&ServiceFields { ports: Some(reversed), ..none() }), Vec::<Field>::new());
    let all = ServiceFields {
        approval_enabled: Some(false),
        service_name: Some("test".into()),
        ports: Some(Vec::new()),
        port_id: Some("a".into()),
        tcp_proxy: Some("open".into()),
        description: Some("".into()),
        ip: Some("10.0.0.1".into()),
    };
    assert_eq!(fields(&all), Field::ALL);
    let one = ServiceFields { description: Some("".into()), ..none() };
    let found = plan(&service(), &one).diff;
    assert_eq!((&found[0].from, &found[0].to), (&text("before"), &text("")));
    // An empty text is what the API leaves out.
    let mut without = service();
    without.fields.description = None;
    assert!(plan(&without, &one).diff.is_empty());
    // The whole name tells the short one.
    without.fields.service_name = None;
    let same = ServiceFields { service_name: Some("logs".into()), ..none() };
    assert!(plan(&without, &same).diff.is_empty());
    assert_eq!(plan(&without, &all).diff[1].from, text("logs"));
    assert_eq!(plan(&without, &all).diff[5].from, None);
}

#[test]
fn a_plan_warns_of_what_hurts() {
    let warnings = |service: &EndpointService, update| plan(service, &update).warnings;
    let ports = |ports| ServiceFields { ports: Some(ports), ..none() };
    let found = warnings(&service(), ports(vec![mapping(8080, 90), mapping(8082, 22)]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("removed: 8081->80/TCP"), "{found:?}");
    assert!(found[1].contains("8082->22/TCP exposes"), "{found:?}");
    let found = warnings(&service(), ports(Vec::new()));
    assert!(found[0].contains("8080->90/TCP, 8081->80/TCP"), "every one is named: {found:?}");
    let mut more = service().fields.ports.unwrap();
    more.push(mapping(3389, 1));
    let found = warnings(&service(), ports(more));
    assert!(found.len() == 1 && found[0].contains("3389->1/TCP exposes"), "{found:?}");
    let mut exposed = service();
    exposed.fields.ports = Some(vec![mapping(22, 22), mapping(1, 5)]);
    let found = warnings(&exposed, ports(vec![mapping(22, 22), mapping(1, 5), mapping(2, 5)]));
    assert!(found.len() == 1 && found[0].contains("1->5/TCP and 2->5/TCP"), "{found:?}");

    let approval = |on| ServiceFields { approval_enabled: Some(on), ..none() };
    assert!(warnings(&service(), approval(false))[0].contains("without approval"));
    assert_eq!(warnings(&service(), approval(true)), Vec::<String>::new());
    let creating = EndpointService { status: ServiceStatus::Creating, ..service() };
    assert!(warnings(&creating, approval(false))[1].contains("creating"));
    assert_eq!(warnings(&creating, approval(true)), Vec::<String>::new());
}

#[test]
fn the_tag_is_of_the_fields_that_can_be_changed_and_of_nothing_else() {
    let tag = etag(&service());
    assert_eq!(tag.len(), 32);
    assert!(tag.bytes().all(|b| b.is_ascii_hexdigit()));
    let mut same = service();
    same.fields.ports.as_mut().unwrap().reverse();
    same.connections = Some(99);
    same.status = ServiceStatus::Failed;
    same.updated = "2026-01-01T00:00:00Z".parse().ok();
    assert_eq!(etag(&same), tag);
    let changes: [fn(&mut ServiceFields); 9] = [
        |fields| fields.approval_enabled = Some(false),
        |fields| fields.approval_enabled = None,
        |fields| fields.service_name = Some("other".into()),
        |fields| fields.ports = Some(Vec::new()),
        |fields| fields.ports = Some(vec![mapping(8080, 90), mapping(8081, 81)]),
        |fields| fields.port_id = None,
        |fields| fields.tcp_proxy = Some("open".into()),
        |fields| fields.description = Some("before\nip \"x\"".into()),
        |fields| fields.ip = Some("10.0.0.1".into()),
    ];
    let mut tags = vec![tag.clone()];
    for change in changes {
        let mut other = service();
        change(&mut other.fields);
        tags.push(etag(&other));
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 10);
    // It must not move from one version to the next without a reason.
    assert_eq!(tag, "dda57d933dce08de1bd6b33bf78a70b3");
}

/// Texts that others may have written.
#[test]
fn no_two_states_share_a_tag() {
    let described = |text: &str| {
        let mut service = service();
        service.fields.description = Some(text.into());
        service
    };
    let mut odd = service();
    let protocol = "TCP 8081->80/TCP".into();
    odd.fields.ports = Some(vec![PortMapping { protocol, ..mapping(8080, 90) }]);
    let texts = ["a\nb", "a\u{2028}b", "a\u{2029}b", "a\u{FFFD}b", "a\\nb", "a\"\nip \"b"];
    let states = texts.map(described).into_iter().chain([service(), odd]);
    let mut tags: Vec<_> = states.map(|state| etag(&state)).collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), texts.len() + 2);
}

/// The outcome in its record.
#[test]
fn what_was_found_has_what_became_empty_and_not_what_was_not_told() {
    let before = service().fields;
    let mut after = service();
    (after.fields.tcp_proxy, after.fields.ip) = (None, Some("10.0.0.1".into()));
    for (description, to) in [(None, None), (Some("".into()), text(""))] {
        after.fields.description = description;
        let found = differences(&before, &after);
        let found: Vec<_> = found.iter().map(|one| (one.field, &one.from, &one.to)).collect();
        let (from, ip) = (text("before"), text("10.0.0.1"));
        assert_eq!(found, [(Field::Description, &from, &to), (Field::Ip, &None, &ip)]);
    }
}

#[test]
fn a_precondition_is_a_tag_of_the_list_or_a_star() {
    let check = |condition| {
        let update = Service::new(Arc::new(meta(id(), "logs")), none(), condition);
        update.check(&service())
    };
    let tags =
        |tags: &[&str]| check(Condition::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect()));
    let tag = etag(&service());
    assert!(matches!(check(Condition::None), Err(Refusal::ConditionRequired(_))));
    assert!(check(Condition::Any).is_ok());
    assert!(tags(&["other", &tag]).is_ok());
    assert!(matches!(tags(&[]), Err(Refusal::ConditionFailed(_))));
    let others = tags(&["other", &tag[1..], &tag.to_uppercase()]);
    assert!(matches!(others, Err(Refusal::ConditionFailed(_))));
}

#[test]
fn a_verdict_needs_every_field_that_was_asked_for() {
    let update = ServiceFields {
        approval_enabled: Some(false),
        service_name: Some("test".into()),
        description: Some("before".into()),
        ..none()
    };
    let verdict = |approval, name: &str, description: &str| {
        let mut after = service();
        after.fields.approval_enabled = approval;
        after.fields.service_name = Some(name.into());
        after.fields.description = Some(description.into());
        judge(&service().fields, &update, &after).outcome
    };
    let (no, yes) = (Some(false), Some(true));
    assert_eq!(verdict(no, "test", "before"), Outcome::Applied);
    assert_eq!(verdict(yes, "logs", "before"), Outcome::NotApplied);
    assert_eq!(verdict(no, "logs", "before"), Outcome::Partial);
    assert_eq!(verdict(no, "third", "before"), Outcome::Partial);
    assert_eq!(verdict(no, "test", "third"), Outcome::Partial);
    assert_eq!(verdict(yes, "third", "before"), Outcome::Unknown);
    assert_eq!(verdict(yes, "logs", "third"), Outcome::Unknown);
    assert_eq!(verdict(None, "third", "third"), Outcome::Unknown);
}

/// If the cloud does not report a field that always has a value, before or after, nothing is known about it.
#[test]
fn a_field_that_is_not_told_is_unknown() {
    let update = ServiceFields {
        tcp_proxy: Some("open".into()),
        service_name: Some("test".into()),
        ..none()
    };
    let verdict = |name: &str, update: &ServiceFields| {
        let mut before = service().fields;
        before.tcp_proxy = None;
        let mut after = service();
        after.full_name = ServiceName::new(name);
        after.fields.service_name = Some(name.into());
        after.fields.tcp_proxy = None;
        judge(&before, update, &after)
    };
    assert_eq!(verdict("test", &update).outcome, Outcome::Unknown);
    assert_eq!(verdict("test", &update).warnings, ["the cloud does not report tcp_proxy"]);
    assert_eq!(verdict("logs", &update).outcome, Outcome::NotApplied);
    let only = ServiceFields { service_name: None, ..update };
    assert_eq!(verdict("logs", &only).outcome, Outcome::Unknown);
    let approval = ServiceFields { approval_enabled: Some(false), ..none() };
    let mut untold = service();
    untold.fields.approval_enabled = None;
    assert_eq!(judge(&untold.fields, &approval, &untold).outcome, Outcome::Unknown);
}

/// The cloud may leave out an empty field or send it: both are the same state.
#[test]
fn a_field_that_was_empty_and_still_is_was_not_changed() {
    let text = |text: &str| Some(Box::<str>::from(text));
    let empty = [None, text("")];
    let judged = |was: &Option<Box<str>>, is: &Option<Box<str>>, field: &str| {
        let mut before = service();
        before.fields = ServiceFields { ports: None, port_id: None, ..before.fields };
        let mut after = before.clone();
        let mut update = none();
        for (fields, value) in
            [(&mut before.fields, was), (&mut after.fields, is), (&mut update, &text("10.0.0.1"))]
        {
            match field {
                "description" => fields.description = value.clone(),
                "port_id" => fields.port_id = value.clone(),
                "ip" => fields.ip = value.clone(),
                // A list: empty, and with one mapping.
                _ => {
                    let list = |value: &str| {
                        if value.is_empty() { Vec::new() } else { vec![mapping(1, 2)] }
                    };
                    fields.ports = value.as_deref().map(list);
                }
            }
        }
        judge(&before.fields, &update, &after).outcome
    };
    for field in ["description", "port_id", "ip", "ports"] {
        for was in &empty {
            for is in &empty {
                assert_eq!(judged(was, is, field), Outcome::NotApplied, "{field} {was:?} {is:?}");
            }
            assert_eq!(judged(was, &text("10.0.0.1"), field), Outcome::Applied, "{field} {was:?}");
        }
    }
    // A value that was there and is gone is a state of its own.
    assert_eq!(judged(&text("other"), &None, "description"), Outcome::Unknown);
}
