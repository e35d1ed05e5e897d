//! Hot paths, one in each run, for counting their instructions: `tests/budget` does that.
//!
//! `budget PHASE` prepares, does the work once to warm up what is made only once, and then does it
//! in [`measured_phase`]. Inputs are the same in every run, and there is one thread.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "it prints what it did")]

#[path = "support/mod.rs"]
mod support;

use std::{fmt::Write as _, hint::black_box, sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::Board,
    clock::Clock,
    cloud::{Budget, Cloud, Trace, Traced},
    exposition::{Encoding, Format, PageBytes},
    huawei::{
        sign::{Request, sign},
        wire,
    },
    model::{ClusterId, ConnectionList, RegionId},
    pacing::{Pacer, RateLimit},
    poll::{Scheduler, Target},
    secret::Secret,
    stats::Stats,
};
use tokio::{runtime, time::sleep};

use self::support::{NOW, World, id, meta};

/// What is counted, by its name.
#[inline(never)]
fn measured_phase(work: &mut dyn FnMut()) {
    work();
}

/// Twice, of which the second time counts.
fn measure(mut work: impl FnMut()) {
    work();
    measured_phase(&mut work);
}

fn main() {
    let phase = std::env::args().nth(1).unwrap_or_default();
    match phase.as_str() {
        "publish" => publish(),
        "join" => join(),
        "parse" => parse(),
        "sign" => sign_one(),
        "schedule" => schedule(),
        _ => println!("publish join parse sign schedule"),
    }
}

/// One changed cluster of 2,000, from its new list to a whole page.
fn publish() {
    let world = World::of_series(2000, 100_000);
    world.page();
    let mut lists = vec![world.changed(1000), world.changed(1000)];
    measure(|| {
        world.record(1000, lists.pop().unwrap());
        world.page();
    });
}

/// All pieces of a compressed page of 100,000 series.
fn join() {
    let world = World::of_series(1000, 100_000);
    world.page();
    measure(|| {
        let bytes =
            PageBytes::new(world.page(), &world.sources, Format::OpenMetrics100, Encoding::Gzip);
        black_box((bytes.length(), bytes.map(|part| part.len()).sum::<usize>()));
    });
}

/// A page of 1,000 connections, as the cloud sends it.
fn parse() {
    let mut body = "{\"connections\":[".to_owned();
    for number in 0..1000 {
        let comma = if number > 0 { "," } else { "" };
        let _ = write!(
            body,
            "{comma}{{\"id\":\"{number:08x}-31a1-40d0-862b-ac85b83ab2da\",\"status\":\"accepted\",\
             \"maxSession\":\"3000\",\"specificationName\":\"default\",\"vpcepIp\":\"192.168.{}.{}\",\
             \"vpcepDnsName\":\"vpcep-{number:08x}.cn-north-4.huaweicloud.com\",\
             \"created_at\":\"2024-06-11T09:36:24Z\",\"update_at\":\"2024-06-12T09:36:24Z\",\
             \"domain_id\":\"db9b76a0d9ae431f8e85e89da2ca867c\"}}",
            number / 250,
            number % 250,
        );
    }
    body += "],\"vpcepUpdateSwitch\":false,\"total_count\":1000}";
    measure(|| assert_eq!(black_box(wire::page(body.as_bytes())).unwrap().0.received, 1000));
}

fn sign_one() {
    let cluster = id(7);
    let path = format!(
        "/v1.0/6e9dfd51d1124e8d8498dce894923a0d/clusters/{cluster}/vpcepservice/connections"
    );
    let request = Request {
        method: "GET",
        path: &path,
        query: &[("offset", "0"), ("limit", "1000")],
        headers: &[
            ("host", "css.cn-north-4.myhuaweicloud.com"),
            ("x-sdk-date", "20240102T030405Z"),
        ],
        body: b"",
    };
    let secret = Secret::new("a secret key of forty letters and digits");
    measure(|| {
        black_box(sign(request, "ACCESSKEY", &secret, "20240102T030405Z"));
    });
}

/// Answers at once that nothing is there.
#[derive(Debug)]
struct Empty;

impl Cloud for Empty {
    async fn connections(&self, _: &ClusterId, _: Budget) -> Traced<Arc<ConnectionList>> {
        Traced {
            result: Ok(Arc::new(ConnectionList::service_not_enabled())),
            trace: Trace::default(),
        }
    }
}

/// A minute of 2,000 clusters that are polled once a minute: deciding what is due, starting its poll
/// and recording how it ended.
fn schedule() {
    const CLUSTERS: usize = 2000;
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap();
    let minute = Duration::from_secs(60);
    runtime.block_on(async {
        let board = Board::new((0..CLUSTERS).map(meta));
        let limit = RateLimit { requests_per_second: 1000.0, burst: 1000 };
        let project = Target {
            name: Arc::from("production"),
            region: RegionId::parse("cn-north-4").unwrap(),
            cloud: Empty,
            pacer: Pacer::new(limit),
            concurrency: 8,
            timeout: minute / 2,
            discovery: None,
            clusters: (0..CLUSTERS).map(|number| (id(number), minute)).collect(),
        };
        let stats = Arc::new(Stats::default());
        let clock = Clock::tokio_from(NOW);
        let (scheduler, ..) = Scheduler::new(vec![project], board, clock, stats);
        tokio::spawn(scheduler.run(std::future::pending()));
    });
    measure(|| runtime.block_on(async { sleep(minute).await }));
}
