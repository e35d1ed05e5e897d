//! Tables of what the code defines: metrics, labels, reasons, limits, faults.

use std::{collections::BTreeSet, time::Duration};

use css_vpcep_exporter::{
    board::Freshness,
    change::{self, Outcome},
    cloud::Reason,
    exposition::{self, families, services},
    huawei::{Described, Operation, wire::Surprise},
    model::Status,
    public::MAX_SCRAPES,
    sim::Fault,
    stats::{self, Definition, Denied, Stats},
    web::{LOGINS_AT_ONCE, Limits, MAX_HEADER_BYTES, MOST_LOGINS},
};

use super::{
    MANUAL, cells, code, codes, commands::help, expect_table, one_line, row, table, words,
};

#[test]
fn the_metric_tables_are_those_of_the_code() {
    let data = families::FAMILIES.iter().map(|family| {
        let definition = &family.definition;
        let help = definition.help.strip_suffix(CACHED);
        // The manual says once which help texts end so.
        assert_eq!(help.is_some(), !family.presence.starts_with('L'), "{}", definition.name);
        let help = help.map_or_else(|| definition.help.to_owned(), |help| format!("{help}."));
        let Definition { name, kind, labels, .. } = *definition;
        row(&[&code(name), kind.as_str(), &codes(labels), family.presence, &help])
    });
    expect_table("Data metrics", data);
    let promised = format!("`{}`", CACHED.trim_start_matches(". "));
    assert!(one_line(&MANUAL).contains(&promised), "the manual shows: {promised}");
    assert!(MANUAL.contains(&codes(&families::CLUSTER_LABELS)), "the manual shows their labels");

    let services = services::SERVICE_FAMILIES.iter().map(|family| {
        let definition = &family.definition;
        let help = definition.help.strip_suffix(READ);
        assert_eq!(help.is_some(), family.presence.starts_with('D'), "{}", definition.name);
        let help = help.map_or_else(|| definition.help.to_owned(), |help| format!("{help}."));
        let Definition { name, kind, labels, .. } = *definition;
        row(&[&code(name), kind.as_str(), &codes(labels), family.presence, &help])
    });
    expect_table("Metrics of endpoint services", services);
    assert!(MANUAL.contains(&codes(&services::SERVICE_LABELS)), "the manual shows their labels");

    let own = stats::DEFINITIONS.iter().chain(&exposition::DEFINITIONS);
    expect_table(
        "The exporter's own metrics",
        own.map(|&Definition { name, kind, labels, help }| {
            row(&[&code(name), kind.as_str(), &codes(labels), help])
        }),
    );
}

#[test]
fn the_calls_of_the_manual_are_those_that_are_made() {
    for operation in Operation::ALL {
        let Described { method, service, path, actions } = operation.described();
        // The platform's own services are under the credentials.
        if ["ECS metadata", "CCE pod identity"].contains(&service) {
            continue;
        }
        let starts = |line: &&str| {
            ["?", "`"]
                .iter()
                .any(|end| line.starts_with(&format!("| {service} `{method} {path}{end}")))
        };
        let line = MANUAL.lines().find(starts);
        let line = line.unwrap_or_else(|| panic!("the manual has {service} {method} {path}"));
        for action in actions {
            assert!(line.contains(&code(action)), "{action} is not in {line}");
        }
    }
}

/// How the help texts of cached values end.
const CACHED: &str =
    ". Cached; huaweicloud_css_vpcep_last_success_timestamp_seconds tells its age.";
const READ: &str = ". Read every 5 minutes; huaweicloud_vpcep_service_last_success_timestamp_seconds tells its age.";

#[cfg(target_os = "linux")]
#[test]
fn the_process_metrics_are_those_that_are_shown() {
    let families = Stats::default().gather();
    let process = families.iter().filter(|family| family.name().starts_with("process_"));
    expect_table(
        "The process",
        process.map(|family| {
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            row(&[&code(family.name()), &kind, family.help()])
        }),
    );
}

#[test]
fn every_metric_that_is_named_anywhere_exists() {
    let stats = Stats::default();
    let mut known = BTreeSet::new();
    for family in stats.gather() {
        known.insert(family.name().to_owned());
    }
    for definition in stats::DEFINITIONS.iter().chain(&exposition::DEFINITIONS) {
        known.insert(definition.name.to_owned());
        if definition.kind == stats::Kind::Histogram {
            known
                .extend(["bucket", "sum", "count"].map(|end| format!("{}_{end}", definition.name)));
        }
    }
    let of_services = services::SERVICE_FAMILIES.iter();
    known.extend(of_services.map(|family| family.definition.name.to_owned()));
    known.extend(families::FAMILIES.iter().map(|family| family.definition.name.to_owned()));
    for word in words(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let is_prefix = word.ends_with('_');
        let is_ours = word.starts_with("huaweicloud_") || word.starts_with("css_vpcep_exporter_");
        assert!(!is_ours || is_prefix || known.contains(word), "there is no metric {word}");
    }
}

#[test]
fn closed_lists_of_label_values_are_those_of_the_code() {
    let lists = [
        ("`status`, `to`", codes(&Status::ALL.map(Status::as_str))),
        ("`state`", codes(&Freshness::ALL.map(Freshness::as_str))),
        ("`operation`", codes(&Operation::ALL.map(Operation::as_str))),
        (
            "`kind` of `css_vpcep_exporter_admin_changes_total`",
            codes(&change::Kind::ALL.map(change::Kind::as_str)),
        ),
        ("`kind`", codes(&Surprise::ALL.map(Surprise::as_str))),
        (
            "`reason` of `css_vpcep_exporter_admin_denied_total`",
            codes(&Denied::ALL.map(Denied::as_str)),
        ),
        ("`outcome`", codes(&Outcome::ALL.map(Outcome::as_str))),
    ];
    let rows = lists.map(|(label, values)| row(&[label, &values]));
    expect_table("Label values", rows.into_iter());

    let written: Vec<_> =
        table("Reasons of failed polls").map(|row| cells(row)[0].clone()).collect();
    assert_eq!(written, Reason::ALL.map(|reason| code(reason.as_str())));
}

#[test]
fn codes_of_the_cloud_are_counted_under_reasons_that_exist() {
    let known = Reason::ALL.map(|reason| code(reason.as_str()));
    for row in table("Error codes of the cloud") {
        let reason = &cells(row)[2];
        assert!(reason == "none" || known.contains(reason), "{row}");
    }
}

#[test]
fn the_limits_of_the_listeners_are_those_of_the_code() {
    let Limits {
        connections,
        handshake,
        header,
        idle,
        body,
        body_bytes,
        write,
        unsent_bytes,
        patience,
        drain,
    } = Limits::PUBLIC;
    let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
    let expected = [
        format!("{connections}, on the admin listener {}", Limits::ADMIN.connections),
        seconds(handshake),
        seconds(header),
        seconds(idle),
        format!("{} KiB", MAX_HEADER_BYTES >> 10),
        format!("{} KiB, {}", body_bytes >> 10, seconds(body)),
        seconds(write),
        format!("{} MiB", unsent_bytes >> 20),
        MAX_SCRAPES.to_string(),
        format!("{MOST_LOGINS}, checked {LOGINS_AT_ONCE} at a time"),
        seconds(drain),
    ];
    let rows: Vec<_> = table("Limits of the listeners").map(cells).collect();
    assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), expected);
    assert!(rows[0][2].contains(&seconds(patience)), "{:?}", rows[0]);
}

#[test]
fn faults_are_named_and_explained_as_the_simulator_does() {
    let shown = table("Faults").map(|row| cells(row)[0].trim_matches('`').to_owned());
    let meaning = |name: &str| {
        let known = Fault::NAMES.iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("no fault is called {name}")).1
    };
    let rows: Vec<_> = shown.map(|name| row(&[&code(&name), meaning(&name)])).collect();
    expect_table("Faults", rows.into_iter());
    assert!(MANUAL.contains("`simulate --help`"), "the manual says where all faults are listed");
    let help = help(&["simulate"]);
    assert!(Fault::NAMES.iter().all(|(name, _)| help.contains(&format!("\n  {name} "))));
}
