//! Every fault that the simulated cloud knows, over the wire: what one poll makes of it.

use std::collections::BTreeSet;

use css_vpcep_exporter::{clock::Clock, sim::Fault, text::may_be_shown};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::{JoinSet, LocalSet};

use crate::support::{
    cloud::{Cloud, DATE},
    daemon::{Daemon, configuration},
    page::{Page, Sample},
};

const PREFIX: &str = "huaweicloud_css_vpcep_";
const OWN: &str = "css_vpcep_exporter_";
/// A cluster that fits on one page.
const SMALL: usize = 12;
/// A cluster of two pages.
const LARGE: usize = 1_500;

/// A fault, and how a poll ends that it strikes.
struct Row {
    fault: &'static str,
    /// Connections in the cluster.
    size: usize,
    /// Requests that the poll sends, tries included.
    requests: u64,
    outcome: Outcome,
}

enum Outcome {
    Failed { reason: &'static str, code: Option<&'static str> },
    Read(Read),
}

struct Read {
    complete: bool,
    reported: Option<usize>,
    /// Turns the statuses of the world before the poll into those that the poll sees.
    sees: fn(&mut Vec<&str>),
    surprises: &'static [(&'static str, u64)],
}

fn failed(fault: &'static str, requests: u64, reason: &'static str, code: &'static str) -> Row {
    let code = Some(code).filter(|code| !code.is_empty());
    Row { fault, size: SMALL, requests, outcome: Outcome::Failed { reason, code } }
}

fn read(fault: &'static str, size: usize, requests: u64) -> Row {
    let read = Read { complete: true, reported: Some(size), sees: |_| {}, surprises: &[] };
    Row { fault, size, requests, outcome: Outcome::Read(read) }
}

impl Row {
    fn but(mut self, change: impl FnOnce(&mut Read)) -> Row {
        if let Outcome::Read(read) = &mut self.outcome {
            change(read);
        }
        self
    }

    /// Not all was read, and the API reported so many.
    fn incomplete(self, reported: usize) -> Row {
        self.but(|read| {
            read.complete = false;
            read.reported = Some(reported);
        })
    }

    fn reporting(self, reported: Option<usize>) -> Row {
        self.but(|read| read.reported = reported)
    }

    fn seeing(self, sees: fn(&mut Vec<&str>)) -> Row {
        self.but(|read| read.sees = sees)
    }

    fn surprised(self, surprises: &'static [(&'static str, u64)]) -> Row {
        self.but(|read| read.surprises = surprises)
    }
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    vec![
        // Both walks read the first 1,000 twice.
        read("offset-ignored", LARGE, 4).incomplete(LARGE).seeing(|s| s.truncate(1_000))
            .surprised(&[("duplicate_id", 2_000)]),
        // 1000 is tried again as 100, in case the limit was meant.
        failed("offset-one-based", 2, "http_4xx", "CSS.5038"),
        read("start-parameter", LARGE, 4).incomplete(LARGE).seeing(|s| s.truncate(1_000))
            .surprised(&[("duplicate_id", 2_000)]),
        // Offsets 0, 100 … 1,000, twice.
        read("limit-capped", LARGE, 22).incomplete(LARGE).seeing(|s| s.truncate(1_100)),
        read("limit-refused", 250, 4),
        // Each page adds one before the first; the second walk has those of the first.
        read("total-grows", LARGE, 4).incomplete(LARGE + 3)
            .seeing(|s| s.extend(["creating", "creating"])).surprised(&[("duplicate_id", 2)]),
        // Each page takes the first away, so that one moves unseen to the page before.
        read("total-shrinks", LARGE, 4).incomplete(LARGE - 3)
            .seeing(|s| { s.remove(1_002); s.drain(..2); }),
        read("total-moves-once", LARGE, 4).reporting(Some(LARGE - 1))
            .seeing(|s| { s.remove(0); }),
        read("total-wrong", SMALL, 4).incomplete(SMALL + 3),
        read("total-missing", SMALL, 2).reporting(None),
        read("total-text", SMALL, 1).surprised(&[("coerced_type", 1)]),
        read("total-negative", SMALL, 2).reporting(None).surprised(&[("unparsable_value", 2)]),
        read("duplicate-rows", LARGE, 2).surprised(&[("duplicate_id", 31)]),
        read("endless", SMALL, 4).incomplete(3_000).seeing(|s| *s = vec!["creating"; 2_000]),
        failed("junk", 1, "bad_json", ""),
        failed("empty-body", 1, "bad_json", ""),
        failed("html", 1, "bad_json", ""),
        failed("error-in-200", 1, "bad_shape", "CSS.0001"),
        failed("array-body", 1, "bad_shape", ""),
        read("switch-text", SMALL, 1).surprised(&[("coerced_type", 1)]),
        read("unknown-field", SMALL, 1).surprised(&[("unknown_field", 1 + SMALL as u64)]),
        read("unknown-status", SMALL, 1).seeing(|s| s[0] = "unknown")
            .surprised(&[("unknown_status", 1)]),
        read("session-junk", SMALL, 1).surprised(&[("unparsable_value", 1)]),
        read("missing-id", SMALL, 4).incomplete(SMALL).seeing(|s| { s.remove(0); })
            .surprised(&[("unparsable_value", 2)]),
        failed("null-list", 1, "bad_shape", ""),
        read("deep-json", SMALL, 1).surprised(&[("unknown_field", 1)]),
        failed("huge-body", 1, "too_large", ""),
        read("control-characters", SMALL, 1),
        failed("lone-surrogate", 1, "bad_json", ""),
        failed("throttled", 3, "throttled", "APIGW.0308"),
        failed("throttled-retry-after", 3, "throttled", "APIGW.0308"),
        failed("throttled-400", 3, "throttled", "EndPoint.0022"),
        failed("server-error", 3, "http_5xx", ""),
        failed("bad-gateway", 3, "http_5xx", ""),
        failed("unavailable", 3, "http_5xx", "APIGW.0613"),
        failed("gateway-timeout", 3, "http_5xx", "APIGW.0201"),
        failed("redirect", 1, "redirect", ""),
        failed("forbidden", 1, "not_found", "CSS.0015"),
        read("not-enabled", SMALL, 1).reporting(None).seeing(|s| s.clear()),
        failed("unauthorized", 1, "auth", "APIGW.0301"),
        failed("busy-202", 1, "bad_shape", "CSS.0011"),
        failed("shape-err-code", 3, "http_5xx", "CSS.0005"),
        failed("shape-error-msg", 3, "http_5xx", "EndPoint.0001"),
        failed("shape-error-code-camel", 3, "http_5xx", "CSS.6000"),
        failed("shape-code-message", 3, "http_5xx", "CSS.0005"),
        failed("shape-keystone", 3, "http_5xx", "500"),
        failed("shape-openstack", 3, "http_5xx", "500"),
        failed("shape-text", 3, "http_5xx", ""),
        failed("gzip", 1, "bad_shape", ""),
        // A slow request is not repeated.
        failed("hang", 1, "timeout", ""),
        read("slow", SMALL, 1),
        failed("cut-body", 3, "reset", ""),
        failed("cut-chunked", 3, "reset", ""),
        failed("reset", 3, "reset", ""),
        failed("drip", 1, "timeout", ""),
    ]
}

/// Faults of VPCEP alone, which no poll meets.
const OF_SERVICES: [&str; 17] = [
    "service-unauthorized",
    "not-allowed",
    "not-yours",
    "not-there",
    "echo-new",
    "approval-reset",
    "partial",
    "delayed",
    "applied-then-hang",
    "applied-then-reset",
    "applied-then-500",
    "not-applied-then-hang",
    "not-applied-then-reset",
    "not-applied-then-500",
    "second-writer",
    "second-writer-after",
    "forbidden-state",
];

#[test]
fn every_fault_has_one_row() {
    let rows = rows();
    let ours: BTreeSet<_> = rows.iter().map(|row| row.fault).chain(OF_SERVICES).collect();
    assert_eq!(ours, Fault::NAMES.iter().map(|(name, _)| *name).collect());
    assert_eq!(ours.len(), rows.len() + OF_SERVICES.len());
}

/// Each in a world of its own: one fault must not explain another's outcome. Four are struck at a time: a
/// client must send its request in the time that a listener grants, also on a busy machine. Their worlds are
/// made before the first request, because making one keeps this thread busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poll_takes_every_fault_as_it_should() {
    let mut wrong = Vec::new();
    let all = async {
        let mut rows = rows().into_iter().peekable();
        while rows.peek().is_some() {
            let mut worlds = Vec::new();
            for row in rows.by_ref().take(4) {
                worlds.push((World::of(&row).await, row));
            }
            let mut polls = JoinSet::new();
            for (world, row) in worlds {
                polls.spawn_local(async move { world.struck_by(row.fault).await.check(&row) });
            }
            while let Some(joined) = polls.join_next().await {
                wrong.extend(joined.expect("a check reports, it does not panic").err());
            }
        }
    };
    LocalSet::new().run_until(all).await;
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A cloud with one cluster, and a daemon that polls it.
struct World {
    cloud: Cloud,
    clock: Clock,
    daemon: Daemon,
}

impl World {
    async fn of(row: &Row) -> World {
        let cloud = Cloud::at_date(1, row.size).await;
        let clock = Clock::manual(dates()[0]);
        let mut configuration = configuration(&cloud);
        // Where nothing ends by its timeout, a busy machine has time.
        let waits_for_it = ["hang", "drip"].contains(&row.fault);
        configuration["poll"]["timeout"] = json!(if waits_for_it { "6s" } else { "1m" });
        let daemon = Daemon::start(&configuration, &clock).await;
        World { cloud, clock, daemon }
    }

    async fn struck_by(&self, fault: &str) -> Struck {
        let World { cloud, clock, daemon } = self;
        let id = cloud.id(0);
        let good = daemon.poll(id).await;
        let (before, statuses) = (daemon.metrics().await, cloud.statuses(0).await);
        cloud.set_faults(json!([{ "name": fault }])).await;
        cloud.control(reqwest::Method::DELETE, "requests", &json!({})).await;
        clock.set(dates()[1]);
        daemon.poll(id).await;
        Struck {
            statuses,
            before,
            after: daemon.metrics().await,
            items_before: good["items"].clone(),
            cluster: daemon.cluster(id).await,
            requests: cloud.requests().await,
        }
    }
}

/// What is seen of a cluster before and after a poll that a fault strikes.
struct Struck {
    statuses: Vec<String>,
    before: Page,
    after: Page,
    items_before: Value,
    cluster: Value,
    requests: Value,
}

/// The second poll is made a minute after the first, by the exporter's clock.
fn dates() -> [Timestamp; 2] {
    let date: Timestamp = DATE.parse().expect("a date");
    [date, date + SignedDuration::from_secs(60)]
}

impl Struck {
    fn check(&self, row: &Row) -> Result<(), String> {
        let mut wrong = Vec::new();
        let mut same = |what: &str, found: &dyn std::fmt::Debug, expected: &dyn std::fmt::Debug| {
            let [found, expected] = [found, expected].map(|value| format!("{value:?}"));
            if found != expected {
                wrong.push(format!("{}: {what} is {found}, expected {expected}", row.fault));
            }
        };
        let data = |page: &Page, name: &str| page.value(&format!("{PREFIX}{name}"), &[]);
        same("up before", &data(&self.before, "up"), &Some(1.0));
        same("complete before", &data(&self.before, "complete"), &Some(1.0));
        same("requests", &self.requests["total"].as_u64(), &Some(row.requests));
        same("requests told", &self.cluster["polls"][0]["requests"].as_u64(), &Some(row.requests));
        same("offsets in range", &(self.requests["max_offset"].as_i64() <= Some(1_000)), &true);
        same("redirections followed", &self.requests["trap_hits"].as_u64(), &Some(0));
        let now = dates()[1].as_second() as f64;
        same("last attempt", &data(&self.after, "last_attempt_timestamp_seconds"), &Some(now));
        let labels = self.after.samples.iter().flat_map(|sample| sample.labels.values().cloned());
        let odd = labels
            .chain([self.cluster.to_string()])
            .find(|text| text.contains(|character| !may_be_shown(character)));
        same("a text that may not be shown", &odd, &None::<String>);
        match &row.outcome {
            Outcome::Failed { reason, code } => {
                same("up", &data(&self.after, "up"), &Some(0.0));
                same("the first change", &first_change(&self.before, &self.after), &None::<()>);
                same("items", &self.cluster["items"], &self.items_before);
                same("failures", &failures(&self.after), &vec![((*reason).to_owned(), 1.0)]);
                let error = &self.cluster["last_error"];
                same("reason", &error["reason"].as_str(), &Some(*reason));
                same("code", &error["code"].as_str(), code);
                let text = error["message"].as_str().unwrap_or_default();
                same("a message", &(!text.is_empty() && !text.contains(['<', '\n'])), &true);
                let standing = ["up", "fresh", "state"].map(|key| &self.cluster[key]);
                let expected = [&json!(false), &json!(false), &json!("failing")];
                same("up, fresh, state", &standing, &expected);
                same("since", &error["since"].as_str(), &Some(dates()[1].to_string().as_str()));
            }
            Outcome::Read(read) => {
                let mut seen: Vec<&str> = self.statuses.iter().map(String::as_str).collect();
                (read.sees)(&mut seen);
                same("up", &data(&self.after, "up"), &Some(1.0));
                same("failures", &failures(&self.after), &Vec::<(String, f64)>::new());
                same("error", &self.cluster["last_error"], &Value::Null);
                same(
                    "last success",
                    &data(&self.after, "last_success_timestamp_seconds"),
                    &Some(now),
                );
                same("counts", &counts(&self.after), &counts_of(&seen));
                let complete = f64::from(u8::from(read.complete));
                same("complete", &data(&self.after, "complete"), &Some(complete));
                let reported = read.reported.map(|count| count as f64);
                same("reported", &data(&self.after, "connections_reported"), &reported);
                let enabled = f64::from(u8::from(row.fault != "not-enabled"));
                same("enabled", &data(&self.after, "service_enabled"), &Some(enabled));
                let rows = if seen.len() > 1_000 { 0 } else { seen.len() };
                let shown = self.after.all(&format!("{PREFIX}connection_status"), &[]).len();
                same("connections with a series", &shown, &rows);
                let sessions = rows - usize::from(row.fault == "session-junk");
                let shown = self.after.all(&format!("{PREFIX}connection_max_sessions"), &[]).len();
                same("connections with sessions", &shown, &sessions);
                same("surprises", &self.surprises(), &read.surprises.to_vec());
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// How often each kind of surprise was met in the poll, without those that were not.
    fn surprises(&self) -> Vec<(&str, u64)> {
        let name = format!("{OWN}api_surprises_total");
        let count = |page: &Page, kind: &str| page.sum(&name, &[("kind", kind)]) as u64;
        let kinds = self.after.all(&name, &[]).into_iter().map(|sample| &*sample.labels["kind"]);
        let new = kinds.map(|kind| (kind, count(&self.after, kind) - count(&self.before, kind)));
        new.filter(|(_, times)| *times > 0).collect()
    }
}

/// The first difference in what is said of a cluster, but for what only tells of the last poll.
fn first_change(before: &Page, after: &Page) -> Option<(Option<Sample>, Option<Sample>)> {
    let polls = ["up", "last_attempt_timestamp_seconds", "poll_duration_seconds"];
    let data = |page: &Page| {
        let mut samples = page.samples.clone();
        samples.retain(|sample| {
            sample.name.strip_prefix(PREFIX).is_some_and(|name| !polls.contains(&name))
        });
        samples
    };
    let (before, after) = (data(before), data(after));
    assert!(!before.is_empty(), "nothing can be kept where nothing was");
    let at = (0..before.len().max(after.len())).find(|at| before.get(*at) != after.get(*at))?;
    Some((before.get(at).cloned(), after.get(at).cloned()))
}

fn failures(page: &Page) -> Vec<(String, f64)> {
    let all = page.all(&format!("{OWN}poll_failures_total"), &[]).into_iter();
    let counted = all.filter(|sample| sample.value != 0.0);
    counted.map(|sample| (sample.labels["reason"].clone(), sample.value)).collect()
}

const STATUSES: [&str; 7] =
    ["accepted", "rejected", "pendingAcceptance", "creating", "failed", "deleting", "unknown"];

fn counts(page: &Page) -> [Option<f64>; 7] {
    STATUSES.map(|status| page.value(&format!("{PREFIX}connections"), &[("status", status)]))
}

fn counts_of(seen: &[&str]) -> [Option<f64>; 7] {
    STATUSES.map(|status| Some(seen.iter().filter(|one| **one == status).count() as f64))
}
