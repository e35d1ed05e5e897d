//! The metrics before anything has happened, and after a project is gone.

use super::*;
use crate::label::words;

#[derive(Clone, Copy)]
struct Connections;

impl Label for Connections {
    const ALL: &'static [Self] = &[Self];

    fn as_str(self) -> &'static str {
        "css_connections"
    }
}

fn lists() -> Lists {
    Lists {
        reasons: vec!["dns", "auth"],
        operations: words::<Connections>(),
        surprises: vec!["unknown_field"],
        changes: vec!["service"],
        outcomes: vec!["applied"],
    }
}

#[test]
fn every_definition_is_registered_and_closed_lists_start_at_zero() {
    let stats = Stats::new(lists());
    stats.add_project("p");
    stats.config_loaded("00", 1.0);
    stats.api_clock_skew("p", 0.0);
    stats.credentials_expire("p", 0.0);
    stats.api_request(&ApiRequest {
        project: "p",
        operation: Connections,
        status: None,
        duration: Duration::ZERO,
    });
    stats.discover("p", 1);
    stats.discovered("p", 1, 1.0, None::<Connections>);
    stats.http_request("/metrics", 200, Duration::ZERO);
    stats.watch_audit(ReadAudit(std::sync::Arc::new(|| AuditReading {
        healthy: true,
        records: vec![("intent", 3), ("outcome", 2)],
        write_failures: 0,
        last_sequence: 5,
    })));
    let families = stats.gather();
    for definition in DEFINITIONS {
        let family = families.iter().find(|family| family.name() == definition.name);
        let family = family.unwrap_or_else(|| panic!("{} is missing", definition.name));
        assert_eq!(family.help(), definition.help);
    }
    for (name, values) in [
        ("poll_failures_total", 2),
        ("discovery_failures_total", 2),
        ("api_retries_total", 1),
        ("api_request_duration_seconds", 1),
        ("api_surprises_total", 1),
        ("admin_changes_total", 1),
        ("admin_denied_total", Denied::ALL.len()),
    ] {
        let family = families.iter().find(|family| family.name().ends_with(name)).unwrap();
        assert_eq!(family.get_metric().len(), values, "{name}");
    }
}

#[test]
fn a_project_that_is_gone_leaves_nothing_behind() {
    let stats = Stats::new(Lists { reasons: vec!["dns"], ..lists() });
    for project in ["gone", "stays"] {
        stats.add_project(project);
        stats.api_clock_skew(project, 1.0);
        stats.credentials_expire(project, 1.0);
        stats.api_request(&ApiRequest {
            project,
            operation: Connections,
            status: Some(200),
            duration: Duration::ZERO,
        });
    }
    let series = |name: &str| {
        let families = stats.gather();
        let metrics = families.iter().flat_map(|family| family.get_metric());
        metrics
            .filter(|metric| metric.get_label().iter().any(|label| label.value() == name))
            .count()
    };
    assert_eq!(series("gone"), series("stays"));
    stats.remove_project("gone");
    // The last words of a poll that is given up.
    stats.api_throttled("gone");
    stats.api_waited("gone", Duration::from_secs(1));
    assert_eq!((series("gone"), series("stays")), (0, 10));
}

#[test]
fn a_new_configuration_replaces_the_digest_of_the_old_one() {
    let stats = Stats::default();
    stats.config_loaded("aa", 1.0);
    stats.config_loaded("bb", 2.0);
    let families = stats.gather();
    let info = families.iter().find(|family| family.name().ends_with("config_info")).unwrap();
    assert_eq!(info.get_metric().len(), 1);
    assert_eq!(info.get_metric()[0].get_label()[0].value(), "bb");
}
