//! A month in which every connection of a cluster is another one at every poll: what is gone leaves
//! nothing behind. It runs in a process of its own, whose memory it reads.

use std::{sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta},
    cloud::{Trace, Traced},
    exposition::{Format, Settings, Sources, Store, text},
    model::{ClusterId, Connection, ConnectionFields, ConnectionList, RegionId, Status},
    stats::Stats,
};
use jiff::Timestamp;

use crate::support::process::{is_alone, resident_kib};

const TEST: &str = "churn::ids_that_come_and_go_for_a_month_leave_memory_flat";
const HOUR: Duration = Duration::from_secs(3600);
const POLLS: u32 = 30 * 24;
const CONNECTIONS: u32 = 400;
/// The ids alone of all connections of the month have more than three times as much.
const MOST_KIB: u64 = 4 * 1024;

fn list(round: u32) -> ConnectionList {
    let connection = |number: u32| {
        Connection::from(ConnectionFields {
            endpoint_id: &format!("{round:08x}-{number:04x}-4000-8000-000000000000"),
            status: Status::ALL[((round + number) % 7) as usize],
            max_sessions: Some(3000),
            created: None,
            updated: None,
            specification_name: "default",
            domain_id: &format!("{round:032x}"),
            ip: "10.0.0.1",
            ipv6: "",
            dns_name: "",
        })
    };
    ConnectionList {
        reported: Some(CONNECTIONS.into()),
        service_enabled: true,
        connections: (0..CONNECTIONS).map(connection).collect(),
        ..ConnectionList::service_not_enabled()
    }
}

#[test]
fn ids_that_come_and_go_for_a_month_leave_memory_flat() {
    if !is_alone(TEST) {
        return;
    }
    let id = ClusterId::parse("5c77b71c-5b35-4f50-8984-76387e42451a").unwrap();
    let board = Board::new([ClusterMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: "prod".into(),
        id: id.clone(),
        name: "logs".into(),
        interval: HOUR,
        labels: Default::default(),
        listed: None,
    }]);
    let (store, stats) = (Store::default(), Arc::new(Stats::default()));
    let settings =
        Settings { stale_after: HOUR * 3, per_connection: true, per_connection_limit: 1000 };
    let mut after_a_day = 0;
    let mut lines = 0;
    for round in 0..POLLS {
        let at = Timestamp::UNIX_EPOCH + HOUR * round;
        let outcome = Traced { result: Ok(Arc::new(list(round))), trace: Trace::default() };
        board.record(&id, Attempt { at, duration: Duration::from_secs(1), outcome }, at);
        let page = store.page(&board, &settings, at);
        let page = text(page, &Sources::own(stats.clone()), Format::Text004);
        let rows = page.lines().filter(|line| line.contains("endpoint_id=")).count();
        assert!(round == 0 || rows == lines, "{rows} lines, and {lines} before");
        lines = rows;
        if round == 24 {
            after_a_day = resident_kib("self");
        }
    }
    assert!(lines >= 3 * CONNECTIONS as usize);
    let grown = resident_kib("self").saturating_sub(after_a_day);
    assert!(grown < MOST_KIB, "{grown} KiB more than after a day, of {after_a_day} KiB");
}
