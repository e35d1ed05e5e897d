//! Scrapes, side by side in one run: this exporter behind its listener, the crate `prometheus` behind
//! axum, Go's client library, and nginx with the same bytes as ready files, which is the limit.
//!
//! `cargo bench --bench compare` prints a table, and writes the same figures as JSON lines below the
//! target folder. Absolute figures depend on the machine; ratios of one run say something. A peer that
//! is not installed has a row that says so. `-- --quick` leaves the million series out; words from
//! [`PARTS`] name the only parts to measure.
//! The last part is that of `cargo bench --bench collection`: how pages are read from the cloud.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

#[path = "compare/client.rs"]
mod client;
#[path = "compare/footprint.rs"]
mod footprint;
#[path = "compare/peers.rs"]
mod peers;
#[path = "compare/process.rs"]
mod process;
#[path = "compare/report.rs"]
mod report;
#[path = "compare/serve.rs"]
mod serve;
#[path = "support/mod.rs"]
mod support;

use std::{path::Path, process::Command, time::Duration};

use serde_json::json;

use self::{
    client::{Scrape, held, scrape, stalled},
    peers::{Pages, Peer},
    process::Process,
    report::{Report, median, percentile},
};

/// Clusters and series.
const SIZES: [(usize, usize); 3] = [(100, 10_000), (100, 100_000), (1000, 1_000_000)];
/// Scrapes go on for so long, but there are at least three.
const ENOUGH: Duration = Duration::from_millis(1500);

/// Measures something; `true` says that it must be quick.
type Part = fn(&mut Report, bool);

/// What is measured, by its name.
const PARTS: &[(&str, Part)] = &[
    ("footprint", |report, _| footprint::measure(report)),
    ("publish", |report, quick| unless(quick, publishing, report)),
    ("scrapes", scrapes),
    ("polls", |report, quick| unless(quick, while_polls_publish, report)),
    ("at-once", |report, quick| unless(quick, at_once, report)),
    ("growth", |report, quick| unless(quick, growth, report)),
    ("collection", |report, quick| unless(quick, collection, report)),
];

fn unless(quick: bool, measure: fn(&mut Report), report: &mut Report) {
    if !quick {
        measure(report);
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["serve-ours", clusters, series, connections, publish_every] => {
            let [clusters, series, connections, every] =
                [clusters, series, connections, publish_every].map(|word| word.parse().unwrap());
            serve::ours(clusters, series, connections, every as u64)
        }
        ["serve-crate", kind, page] => serve::crate_prometheus(kind, page),
        _ => compare(&words),
    }
}

fn compare(words: &[&str]) {
    let quick = words.contains(&"--quick");
    let only: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let report = &mut Report::new();
    for (name, measure) in PARTS {
        if only.is_empty() || only.contains(&name) {
            measure(report, quick);
        }
    }
    report.end();
}

fn scrapes(report: &mut Report, quick: bool) {
    for (clusters, series) in SIZES {
        if !(quick && series >= 1_000_000) {
            size(report, clusters, series);
        }
    }
}

/// All peers with the same page.
fn size(report: &mut Report, clusters: usize, series: usize) {
    let ours =
        Process::this(&["serve-ours", &clusters.to_string(), &series.to_string(), "256", "0"]);
    let pages = Pages::of(&ours, series);
    let mut known = Vec::new();
    for peer in Peer::ALL {
        let server = match peer {
            Peer::Ours => Ok(ours.again()),
            peer => peer.start(&pages),
        };
        for gzip in [false, true] {
            let what = format!("scrape, {series} series, {}", encoding(gzip));
            let server = match &server {
                Ok(server) => server,
                Err(why) => {
                    report.missing(&what, peer.name(), why);
                    continue;
                }
            };
            let path = peer.path(gzip);
            let (idle, wide) = (server.resident(), peer == Peer::Ours && series >= 1_000_000);
            let figures = Figures::of(server, path, gzip);
            known.push((peer, gzip, figures.clone()));
            let per_series = |bytes: u64| bytes as f64 / series as f64;
            report.row(&what, peer.name(), json!({
                "first_byte_ms": figures.first, "whole_ms": figures.whole, "cpu_ms": figures.cpu,
                "bytes": figures.bytes, "idle_mib": mib(idle), "peak_mib": mib(server.peak()),
                "peak_bytes_a_series": if wide { Some(per_series(server.peak())) } else { None },
            }));
        }
    }
    for gzip in [false, true] {
        let of = |wanted| {
            known.iter().find(|(peer, is, _)| *peer == wanted && *is == gzip).map(|known| &known.2)
        };
        let Some(ours) = of(Peer::Ours) else { continue };
        for (peer, _, theirs) in known.iter().filter(|known| known.1 == gzip) {
            let what = format!("ratio, {series} series, {}", encoding(gzip));
            report.row(
                &what,
                &format!("{} / ours", peer.name()),
                json!({
                    "whole": theirs.whole / ours.whole,
                    "cpu": if ours.cpu > 0.0 { Some(theirs.cpu / ours.cpu) } else { None },
                    "ours_of_theirs_whole": ours.whole / theirs.whole,
                }),
            );
        }
    }
}

#[derive(Clone)]
struct Figures {
    first: f64,
    whole: f64,
    cpu: f64,
    bytes: usize,
}

impl Figures {
    /// Medians in milliseconds; the time of the processor is a mean.
    fn of(server: &Process, path: &str, gzip: bool) -> Self {
        for _ in 0..2 {
            scrape(server.address(), path, gzip);
        }
        server.forget_peak();
        let (cpu, began) = (server.cpu(), std::time::Instant::now());
        let mut scrapes: Vec<Scrape> = Vec::new();
        while scrapes.len() < 3 || began.elapsed() < ENOUGH {
            scrapes.push(scrape(server.address(), path, gzip));
        }
        let cpu = (server.cpu() - cpu).as_secs_f64() * 1e3 / scrapes.len() as f64;
        let bytes = scrapes[0].bytes;
        let [first, whole] = [
            median(scrapes.iter().map(|scrape| scrape.first).collect()),
            median(scrapes.iter().map(|scrape| scrape.whole).collect()),
        ];
        Self { first, whole, cpu, bytes }
    }
}

fn encoding(gzip: bool) -> &'static str {
    if gzip { "gzip" } else { "identity" }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// From the new state of some clusters to a whole page.
fn publishing(report: &mut Report) {
    for (clusters, some) in [(2000, 1), (1000, 10)] {
        let world = support::World::of_series(clusters, 1_000_000);
        world.page();
        let step = clusters / some;
        let times = (0..200 / some).map(|round| {
            let lists: Vec<_> = (round % step..)
                .step_by(step)
                .take(some)
                .map(|cluster| (cluster, world.changed(cluster)))
                .collect();
            let began = std::time::Instant::now();
            for (cluster, list) in lists {
                world.record(cluster, list);
            }
            world.page();
            began.elapsed().as_secs_f64() * 1e3
        });
        let what = format!("publish {some} of {clusters} clusters, 1M series");
        report.row(&what, "ours", json!({ "whole_ms": median(times.collect()) }));
    }
}

/// A cluster changes every few milliseconds.
fn while_polls_publish(report: &mut Report) {
    let server = Process::this(&["serve-ours", "1000", "1000000", "256", "20"]);
    for gzip in [false, true] {
        let firsts: Vec<f64> = (0..300)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(7));
                client::first_byte(server.address(), "/metrics", gzip)
            })
            .collect();
        let what = format!("first byte, 1M series, {}, 50 polls a second", encoding(gzip));
        report.row(
            &what,
            "ours",
            json!({
                "first_byte_ms": median(firsts.clone()), "p99_ms": percentile(firsts, 99),
            }),
        );
    }
}

/// Memory for many scrapers: 16 that read, 1,000 that do not.
fn at_once(report: &mut Report) {
    for gzip in [false, true] {
        let server = Process::this(&["serve-ours", "1000", "1000000", "256", "0"]);
        scrape(server.address(), "/metrics", gzip);
        server.forget_peak();
        let before = server.resident();
        held(16, || scrape(server.address(), "/metrics", gzip));
        let what = format!("16 scrapes at once, 1M series, {}", encoding(gzip));
        let more = server.peak().saturating_sub(before);
        report.row(&what, "ours", json!({ "more_mib": mib(more) }));
        drop(server);
        for (allowed, said) in [("256", "as allowed"), ("1100", "with 1,100 connections allowed")] {
            let server = Process::this(&["serve-ours", "1000", "1000000", allowed, "0"]);
            scrape(server.address(), "/metrics", gzip);
            server.forget_peak();
            let before = server.resident();
            let clients: Vec<_> =
                (0..1000).map(|_| stalled(server.address(), "/metrics", gzip)).collect();
            std::thread::sleep(Duration::from_secs(2));
            let more = server.peak().saturating_sub(before);
            drop(clients);
            let what = format!("1,000 stalled scrapers, 1M series, {}, {said}", encoding(gzip));
            report.row(&what, "ours", json!({ "more_mib": mib(more) }));
        }
    }
}

/// What a series costs, as there are more of them.
fn growth(report: &mut Report) {
    let empty = Process::this(&["serve-ours", "1", "50", "256", "0"]).resident();
    for (clusters, series) in
        [(10, 1000), (100, 10_000), (1000, 100_000), (10_000, 1_000_000), (1000, 1_000_000)]
    {
        let server =
            Process::this(&["serve-ours", &clusters.to_string(), &series.to_string(), "256", "0"]);
        let memory = server.resident().saturating_sub(empty) as f64 / series as f64;
        let gzip = Figures::of(&server, "/metrics", true);
        let identity = Figures::of(&server, "/metrics", false);
        report.row(
            &format!("growth, {clusters} clusters, {series} series"),
            "ours",
            json!({
                "bytes_a_series": memory, "whole_ms": gzip.whole,
                "gzip_cpu_ns_a_series": gzip.cpu * 1e6 / series as f64,
                "identity_cpu_ns_a_series": identity.cpu * 1e6 / series as f64,
            }),
        );
    }
}

/// The benchmark of reading pages prints its own lines.
fn collection(report: &mut Report) {
    let what = "collection";
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/benches/collection.rs").exists() {
        return report.missing(what, "ours", "has no benchmark here");
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    match cargo.args(["bench", "--locked", "--bench", "collection"]).status() {
        Ok(ended) if ended.success() => {}
        ended => report.missing(what, "ours", &format!("not measured: {ended:?}")),
    }
}
