//! The cost of a whole fleet: `serve` reads 2,000 clusters of 100 connections once a minute from the
//! simulated cloud, and is scraped in gzip every 15 seconds.
//!
//! `cargo bench --bench fleet` measures a minute in which nothing changes, and a minute in which the
//! world moves at the simulator's own pace: every 2 seconds about one connection in a hundred, so that a
//! poll finds a quarter of its connections changed. Processor time is that of `serve` alone. It is also
//! given as a multiple of the time that SHA-256 needs for 1 GiB in the same run, which makes figures of
//! several machines comparable. Goals stand in parentheses.
//!
//! ```text
//! cargo bench --bench fleet -- [--quick | --seconds N] [--clusters N] [--discovery] [--peer PYTHON | --only-peer PYTHON]
//! ```
//!
//! With `--discovery` the clusters are discovered, every 5 minutes, of which at most 1,999 can be listed.
//! `--seconds` (15 to 60) measures so many of each minute, `--quick` 30. `--peer` names a Python that has
//! huaweicloudsdkcss and prometheus_client: an exporter written with them (`fleet/peer.py`) then does the
//! same for a tenth of the clusters, because it cannot keep up with all of them.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

#[path = "compare/client.rs"]
#[allow(dead_code, reason = "it has more than is needed here")]
mod client;
#[path = "fleet/exporters.rs"]
mod exporters;
#[path = "compare/process.rs"]
#[allow(dead_code, reason = "it has more than is needed here")]
mod process;
#[path = "fleet/simulator.rs"]
mod simulator;

use std::{
    fs,
    hint::black_box,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use self::{client::scrape, process::Process, simulator::Simulator};

const CLUSTERS: usize = 2000;
const CONNECTIONS: usize = 100;
/// How often each cluster is polled. It is the default.
const INTERVAL: Duration = Duration::from_secs(60);
const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
/// The simulated cloud's own pace.
const STEP: Duration = Duration::from_secs(2);
/// A cluster's second poll comes at least half an interval after its first. From then on polls are
/// spread evenly.
const UNTIL_STEADY: Duration = Duration::from_secs(30);

/// Goals for the fleet above; the first two in times of 1 GiB of SHA-256.
const STILL: f64 = 1.5;
const MOVING: f64 = 2.5;
const MEMORY_MIB: u64 = 110;
const SCRAPE_MS: u64 = 100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| words.iter().any(|word| word == name);
    let value = |name: &str| words.iter().position(|word| word == name).map(|at| &words[at + 1]);
    let number = |name: &str, default| value(name).map_or(default, |text| text.parse().unwrap());
    let seconds = number("--seconds", if has("--quick") { 30 } else { 60 });
    assert!((15..=60).contains(&seconds), "--seconds is {seconds}, but from 15 to 60");
    let clusters = number("--clusters", CLUSTERS);

    let unit = hash_a_gibibyte().min(hash_a_gibibyte());
    println!("SHA-256 of 1 GiB: {:.2} CPU-s", unit.as_secs_f64());
    let run = |clusters: usize,
               what: &str,
               start: &dyn Fn(&Simulator) -> Result<Process, String>| {
        println!(
            "{what}: {clusters} clusters of {CONNECTIONS} connections, {seconds} s of each minute"
        );
        let simulator = Simulator::start(clusters, CONNECTIONS);
        let began = Instant::now();
        match start(&simulator) {
            Ok(process) => {
                let window = Duration::from_secs(seconds as u64);
                Fleet { process, simulator, window, unit }.measure(began.elapsed());
            }
            Err(why) => println!("    {why}"),
        }
    };
    if !has("--only-peer") {
        let discovers = has("--discovery");
        let what = if discovers { "ours, discovering" } else { "ours" };
        run(clusters, what, &|simulator| Ok(exporters::ours(simulator, discovers)));
    }
    if let Some(python) = value("--peer").or(value("--only-peer")) {
        let what = "official SDK for Python and prometheus_client";
        run(clusters / 10, what, &|simulator| exporters::peer(simulator, python));
    }
}

/// An exporter and its cloud.
struct Fleet {
    process: Process,
    simulator: Simulator,
    /// How much of a minute is measured.
    window: Duration,
    /// Processor time to hash 1 GiB.
    unit: Duration,
}

/// The figures of one window.
struct Figures {
    cpu: Duration,
    polls: u64,
    slowest_scrape_ms: f64,
    peak_bytes: u64,
}

impl Fleet {
    /// Measures an exporter whose first round of polls has just ended, and that was never scraped.
    fn measure(&self, round: Duration) {
        let before = self.process.cpu();
        println!(
            "    start             {:>6.1} s, {:.2} CPU-s until every cluster was polled",
            round.as_secs_f64(),
            before.as_secs_f64()
        );
        let first = scrape(self.process.address(), "/metrics", true);
        println!(
            "    first scrape      {:>6.0} ms, {:.0} ms to its first byte, {:.0} CPU-ms",
            first.whole,
            first.first,
            (self.process.cpu() - before).as_secs_f64() * 1e3,
        );
        thread::sleep(UNTIL_STEADY);
        self.print("nothing changes", &self.window(), STILL);
        // So many steps at once, that a poll in the middle of the window finds as many changes as a poll of
        // a world that has been moving for long: those of one interval.
        let steps = |time: Duration| time.as_secs_f64() / STEP.as_secs_f64();
        self.simulator.steps((steps(INTERVAL) - steps(self.window) / 2.0) as u64);
        let moving = thread::scope(|scope| {
            let (stop, stopped) = channel::<()>();
            scope.spawn(move || {
                while stopped.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                    self.simulator.steps(1);
                }
            });
            let figures = self.window();
            drop(stop);
            figures
        });
        self.print("the world moves", &moving, MOVING);
        let page = client::body(self.process.address(), "/metrics", false);
        let lines = page.split(|&byte| byte == b'\n');
        let series =
            lines.filter(|line| line.first().is_some_and(|&byte| byte.is_ascii_lowercase()));
        println!("    series            {:>6}", series.count());
    }

    /// Scrapes for one window.
    fn window(&self) -> Figures {
        let (cpu, polls, began) = (self.process.cpu(), self.simulator.polls(), Instant::now());
        self.process.forget_peak();
        let mut slowest_scrape_ms: f64 = 0.0;
        let mut next = SCRAPE_INTERVAL / 2;
        while next < self.window {
            thread::sleep(next.saturating_sub(began.elapsed()));
            let scrape = scrape(self.process.address(), "/metrics", true);
            slowest_scrape_ms = slowest_scrape_ms.max(scrape.whole);
            next += SCRAPE_INTERVAL;
        }
        thread::sleep(self.window.saturating_sub(began.elapsed()));
        Figures {
            cpu: self.process.cpu() - cpu,
            polls: self.simulator.polls() - polls,
            slowest_scrape_ms,
            peak_bytes: self.process.peak(),
        }
    }

    fn print(&self, what: &str, figures: &Figures, goal: f64) {
        let minutes = self.window.as_secs_f64() / INTERVAL.as_secs_f64();
        let cpu = figures.cpu.as_secs_f64() / minutes;
        println!(
            "    {what:<17} {cpu:>6.2} CPU-s a minute = {:.2} × SHA-256 of 1 GiB ({goal}); \
             slowest scrape {:.0} ms ({SCRAPE_MS}); peak {} MiB ({MEMORY_MIB}); {:.0} polls a minute",
            cpu / self.unit.as_secs_f64(),
            figures.slowest_scrape_ms,
            figures.peak_bytes >> 20,
            figures.polls as f64 / minutes,
        );
    }
}

/// Processor time of this thread to hash 1 GiB.
fn hash_a_gibibyte() -> Duration {
    let cpu = || {
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    };
    let block = vec![7_u8; 1 << 20];
    let (mut hash, began) = (Sha256::new(), cpu());
    for _ in 0..1 << 10 {
        hash.update(&block);
    }
    black_box(hash.finalize());
    cpu() - began
}
