//! The two formats of the page, side by side.

use std::{sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta, OwnChange},
    cloud::{CloudError, Reason, Trace, Traced},
    exposition::{Format, Settings, Sources, Store, families::FAMILIES, text},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, Decision, EndpointId, Labels,
        ListedCluster, RegionId, ServiceName, Status,
    },
    stats::{Lists, Stats},
};
use jiff::Timestamp;

const NOW: Timestamp = Timestamp::constant(1_700_000_000, 500_000_000);

/// A cluster with connections, one that cannot be read, and one that was never polled.
fn board() -> Board {
    let id =
        |number: u32| ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap();
    let board = Board::new((0..3).map(|number| ClusterMeta {
        id: id(number),
        name: "a \"name\" with a \\".into(),
        project: "prod".into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        interval: Duration::from_millis(30_500),
        labels: Labels::of([("team", "search")]),
        listed: Some(Arc::new(ListedCluster {
            id: id(number),
            name: "".into(),
            engine: "opensearch".into(),
            engine_version: "2.19.0".into(),
            enterprise_project_id: "0".into(),
            tags: Default::default(),
        })),
    }));
    let connections = Status::ALL.map(|status| {
        Connection::from(ConnectionFields {
            endpoint_id: status.as_str(),
            status,
            max_sessions: Some(3000),
            created: Some(NOW),
            updated: Some(NOW),
            specification_name: "default",
            domain_id: "d",
            ip: "10.0.0.1",
            ipv6: "",
            dns_name: "two\nlines",
        })
    });
    let list = ConnectionList {
        service_enabled: true,
        reported: Some(7),
        update_switch: Some(true),
        permissions: Some(2),
        service_name: Some(ServiceName::new("cn-north-4.x.cf072729-b076-49db-83d3-020dc9f589bd")),
        connections: connections.into(),
        ..ConnectionList::service_not_enabled()
    };
    let results = [Ok(list.into()), Err(CloudError::new(Reason::Timeout, "no"))];
    let rejected = OwnChange {
        change_id: "c".into(),
        actor: "oncall".into(),
        at: NOW,
        decided: Some((Decision::Reject, [EndpointId::new("rejected")].into())),
    };
    board.change_begins(&[id(0)], &rejected);
    for (number, result) in (0..).zip(results) {
        let outcome = Traced { result, trace: Trace::default() };
        let attempt = Attempt { at: NOW, duration: Duration::from_millis(1234), outcome };
        board.record(&id(number), attempt, NOW);
    }
    board
}

/// The lines of samples, but for those that cannot be the same twice.
fn samples(page: &str) -> Vec<&str> {
    let moving = ["#", "process_", "css_vpcep_exporter_exposition_size_bytes"];
    page.lines().filter(|line| !moving.iter().any(|start| line.starts_with(start))).collect()
}

#[test]
fn both_formats_carry_the_same_samples() {
    let settings = Settings {
        stale_after: Duration::from_secs(900),
        per_connection: true,
        per_connection_limit: 1000,
    };
    let stats = Arc::new(Stats::new(Lists {
        reasons: vec!["dns"],
        operations: vec!["css_connections"],
        ..Lists::default()
    }));
    stats.add_project("prod");
    stats.poll_ended("prod", Duration::from_millis(1234), Some(Reason::Dns));
    stats.http_request("/metrics", 200, Duration::from_millis(1));
    let page = Store::default().page(&board(), &settings, NOW);
    let small = Sources::own(stats);
    let [text, openmetrics] =
        [Format::Text004, Format::OpenMetrics100].map(|format| text(page.clone(), &small, format));
    assert_eq!(samples(&text), samples(&openmetrics));
    for family in FAMILIES {
        let start = format!("{}{{", family.definition.name);
        let shown = samples(&text).iter().any(|line| line.starts_with(&start));
        assert!(shown, "{start}");
    }
    for bucket in [r#"le="0.005"} 0"#, r#"le="5.0"} 1"#, r#"le="+Inf"} 1"#] {
        let line = format!("css_vpcep_exporter_poll_duration_seconds_bucket{{{bucket}");
        assert!(samples(&text).contains(&&*line), "{line}");
    }
}
