//! Reloads while everything runs, of the finished binary: the new file whole or not at all, no gap
//! in what stays, nothing left of what goes.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::fs::symlink,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::support::{
    ask,
    cloud::Cloud,
    daemon::{TOKEN, project, sha256},
    eventually,
    page::{Page, Sample},
    process::Folder,
    serve::{Scraper, Serve, unix_now},
};

const DATA: &str = "huaweicloud_css_vpcep_";
const OWN: &str = "css_vpcep_exporter_";
const LIFECYCLE: [&str; 1] = ["--web.enable-lifecycle"];
const TIMEOUT: Duration = Duration::from_millis(900);

/// Polls every second.
fn busy(projects: Value) -> Value {
    json!({
        "poll": {"interval": "1s", "timeout": "900ms", "stale_after": "30s", "concurrency": 64},
        "projects": projects,
    })
}

/// A project with some clusters of a cloud.
fn part_of(name: &str, cloud: &Cloud, clusters: &[usize]) -> Value {
    let mut part = project(name, cloud);
    let list = clusters.iter().map(|at| part["clusters"][*at].clone()).collect::<Value>();
    part["clusters"] = list;
    part
}

fn data(name: &str) -> String {
    format!("{DATA}{name}")
}

fn own(name: &str) -> String {
    format!("{OWN}{name}")
}

fn of_cluster(page: &Page, name: &str, id: &str) -> Option<f64> {
    page.value(&data(name), &[("cluster_id", id)])
}

fn sha_shown(page: &Page) -> String {
    let all = page.all(&own("config_info"), &[]);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].labels["sha256"].clone()
}

fn last_reload(page: &Page) -> f64 {
    page.value(&own("config_last_reload_successful"), &[]).expect("always there")
}

/// Waits until these clusters were polled twice more: whatever was under way before has ended.
async fn polled_on(serve: &Serve, ids: &[&str]) {
    let before = serve.metrics().await;
    let since = |page: &Page, id: &str| of_cluster(page, "last_attempt_timestamp_seconds", id);
    serve
        .page_where("polls go on", |page| {
            let went_on = |id: &&str| match (since(&before, id), since(page, id)) {
                (Some(before), Some(after)) => after > before + 1.2,
                (None, after) => after.is_some(),
                (Some(_), None) => false,
            };
            ids.iter().all(went_on)
        })
        .await;
}

type Series = (String, BTreeMap<String, String>);

/// The series of a cluster. A status that changes moves no series of its own.
fn series_of(page: &Page, ids: &[String]) -> BTreeMap<Series, f64> {
    let mut all = BTreeMap::new();
    let ours =
        |sample: &&Sample| sample.labels.get("cluster_id").is_some_and(|id| ids.contains(id));
    for sample in page.samples.iter().filter(ours) {
        let mut labels = sample.labels.clone();
        if sample.name == data("connection_status") {
            labels.remove("status");
        }
        let twice = all.insert((sample.name.clone(), labels), sample.value);
        assert_eq!(twice, None, "one status per connection: {sample:?}");
    }
    all
}

/// What a scraper demands of every page.
struct Judge {
    stay: Vec<String>,
    /// Since when a cluster must not be seen.
    gone: Arc<Mutex<HashMap<String, Instant>>>,
    expected: BTreeMap<Series, f64>,
    /// Values of last time.
    last: BTreeMap<Series, f64>,
    oldest: Arc<Mutex<f64>>,
}

impl Judge {
    fn judge(&mut self, asked: Instant, done: f64, page: &Page, text: &str) -> Result<(), String> {
        for (id, since) in &*self.gone.lock().expect("not poisoned") {
            if asked > *since && text.contains(id.as_str()) {
                return Err(format!("{id} is gone and is shown"));
            }
        }
        let shown = series_of(page, &self.stay);
        for series in self.expected.keys() {
            if !shown.contains_key(series) {
                return Err(format!("a gap: {series:?}"));
            }
        }
        for (series, value) in &shown {
            let Some(first) = self.expected.get(series) else {
                return Err(format!("a series from nowhere: {series:?}"));
            };
            let name = series.0.strip_prefix(DATA).expect("a data metric");
            let before = self.last.get(series).unwrap_or(first);
            let is_good = match name {
                "connection_transitions_total"
                | "last_success_timestamp_seconds"
                | "last_attempt_timestamp_seconds"
                | "connection_status_since_timestamp_seconds"
                | "connection_updated_timestamp_seconds" => value >= before,
                "poll_duration_seconds" | "connections" => true,
                _ => value == first,
            };
            if !is_good {
                return Err(format!("{series:?}: {value} after {before}"));
            }
            if name == "last_success_timestamp_seconds" {
                let mut oldest = self.oldest.lock().expect("not poisoned");
                *oldest = oldest.max(done - value);
            }
        }
        self.last = shown;
        Ok(())
    }
}

/// Where in its second a cluster is polled.
async fn place(serve: &Serve, id: &str) -> f64 {
    let next = serve.cluster(id).await["next_poll"].as_str().expect("a date").to_owned();
    let next: jiff::Timestamp = next.parse().expect("RFC 3339");
    f64::from(next.subsec_nanosecond()) / 1e9
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_reloads_under_load_leave_no_gap_and_no_rest() {
    let folder = Folder::new("twenty_reloads_under_load");
    let cloud = Cloud::start(4, 4).await;
    let ids: Vec<String> = cloud.clusters.iter().map(|(id, _)| id.clone()).collect();
    let [stay_a, stay_b, hanging, comes] = &*ids else { panic!("there are four") };
    let full = busy(json!([part_of("prod", &cloud, &[0, 1, 2, 3])]));
    let less = busy(json!([part_of("prod", &cloud, &[1, 0])]));
    let serve = Serve::start(&folder, "serve", &full, &LIFECYCLE).await;
    polled_on(&serve, &[stay_a, stay_b, hanging, comes]).await;
    cloud.break_clusters(&[(hanging, "hang")]).await;
    serve.page_where("it hangs", |page| of_cluster(page, "up", hanging) == Some(0.0)).await;

    // A change that was counted must stay counted.
    let endpoint = serve.cluster(stay_a).await["items"][0]["endpoint_id"].clone();
    let endpoint = endpoint.as_str().expect("an id").to_owned();
    let change = async |status: &str| {
        let path = format!("clusters/{stay_a}/connections/{endpoint}");
        cloud.control(Method::POST, &path, &json!({ "status": status })).await;
    };
    let changes =
        |page: &Page| page.sum(&data("connection_transitions_total"), &[("cluster_id", stay_a)]);
    change("rejected").await;
    let first = serve.page_where("a change is counted", |page| changes(page) > 0.0).await;
    let places = [place(&serve, stay_a).await, place(&serve, stay_b).await];

    let stay = vec![stay_a.clone(), stay_b.clone()];
    let (gone, oldest) = (Arc::new(Mutex::new(HashMap::new())), Arc::new(Mutex::new(0.0_f64)));
    let mut judge = Judge {
        expected: series_of(&first, &stay),
        stay,
        gone: gone.clone(),
        last: BTreeMap::new(),
        oldest: oldest.clone(),
    };
    assert!(judge.expected.len() > 60, "{:?}", judge.expected);
    let scraper = Scraper::start(&serve.public, move |scraped, page, text| {
        judge.judge(scraped.asked, scraped.done, page, text)
    });

    let reload = async |round: usize| {
        if round.is_multiple_of(2) {
            serve.hang_up().await;
        } else {
            assert_eq!(serve.reload().await.status, 200);
        }
    };
    for round in 0..10 {
        cloud.control(Method::DELETE, "requests", &json!({})).await;
        eventually("a poll of it is under way", async || {
            let requests = cloud.requests().await;
            let mut last = requests["last"].as_array().expect("a list").iter();
            let is_asked = last.any(|one| one["cluster_id"] == **hanging);
            if is_asked { Ok(()) } else { Err(requests.to_string()) }
        })
        .await;
        // Long enough to tell it from one that begins with the reload.
        sleep(Duration::from_millis(200)).await;
        // Signal and route take turns with both directions.
        serve.write(&less.to_string());
        reload(round).await;
        let now = Instant::now();
        for id in [hanging, comes] {
            gone.lock().unwrap().insert(id.clone(), now);
        }
        change(if round.is_multiple_of(2) { "accepted" } else { "rejected" }).await;
        if round % 3 == 0 {
            // Every poll that was under way would have ended.
            polled_on(&serve, &[stay_a, stay_b]).await;
            assert!(now.elapsed() > TIMEOUT);
        }
        scraper.check();

        gone.lock().unwrap().clear();
        serve.write(&full.to_string());
        let asked = unix_now();
        reload(round + round / 2).await;
        let is_new = serve.metrics().await;
        assert_eq!(of_cluster(&is_new, "up", hanging), None, "of a poll before the reload");
        let page = serve
            .page_where("both are polled again", |page| {
                [hanging, comes].iter().all(|id| of_cluster(page, "up", id).is_some())
            })
            .await;
        assert_eq!(of_cluster(&page, "up", comes), Some(1.0));
        let [attempt, duration] = ["last_attempt_timestamp_seconds", "poll_duration_seconds"]
            .map(|name| of_cluster(&page, name, hanging).expect("it was polled"));
        let begun = attempt - duration - asked;
        assert!(begun > -0.1, "a poll of {begun} s after the reload, {duration} s long");
        scraper.check();
    }

    for (id, before) in [stay_a, stay_b].into_iter().zip(places) {
        let moved = (place(&serve, id).await - before).rem_euclid(1.0);
        assert!(moved.min(1.0 - moved) < 0.05, "{id} was at {before} and moved by {moved}");
    }
    polled_on(&serve, &[stay_a]).await;
    let last = serve.metrics().await;
    assert!(changes(&last) > changes(&first), "{}", changes(&last));
    let oldest = *oldest.lock().unwrap();
    assert!(oldest < 2.5, "data that stayed were {oldest} s old");
    let pages = scraper.stop().await;
    assert!(pages > 200, "only {pages} pages were seen");
    assert_eq!(last.value(&own("polls_overdue"), &[]), Some(0.0));
}

/// A name, how it is done, and what the answer says of it.
type Breakage<'a> = (&'a str, Box<dyn Fn() + 'a>, Vec<&'a str>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_changes_nothing_but_what_says_so() {
    const INLINE: &str = "canary+inline+secret/0123456789";
    let folder = Folder::new("a_broken_file_changes_nothing");
    let cloud = Cloud::start(2, 3).await;
    let key = folder.write("secret_key", &cloud.secret_key);
    let mut good = busy(json!([part_of("prod", &cloud, &[0])]));
    good["projects"][0]["credentials"] =
        json!({"static": {"access_key": cloud.access_key, "secret_key_file": key}});
    let serve = Serve::start(&folder, "serve", &good, &LIFECYCLE).await;
    polled_on(&serve, &[cloud.id(0)]).await;
    let before = serve.metrics().await;
    assert_eq!((sha_shown(&before), last_reload(&before)), (sha256(&good.to_string()), 1.0));
    let effective = serve.get("/config").await.text;
    let stay = [cloud.id(0).to_owned()];
    let expected: Vec<Series> = series_of(&before, &stay).into_keys().collect();

    let mut two = good.clone();
    two["projects"] = json!([part_of("prod", &cloud, &[0, 1])]);
    two["projects"][0]["credentials"] = good["projects"][0]["credentials"].clone();
    let mut inline = two.clone();
    inline["projects"][0]["credentials"]["static"] =
        json!({"access_key": "AK", "secret_key": INLINE});
    let mut unknown_key = inline.clone();
    unknown_key["poll"]["intervall"] = json!("1s");
    let mut bad_values = inline.clone();
    bad_values["poll"]["interval"] = json!("soon");
    bad_values["projects"][0]["clusters"][0]["id"] = json!("../x");
    let mut wrong_place = two.clone();
    wrong_place["projects"][0]["credentials"] = json!(INLINE);
    let syntax = format!("{}\nprojects: [", inline);
    let file = &serve.file;
    let replace_by_nothing = || fs::remove_file(file).expect("it is ours");
    let cases: Vec<Breakage<'_>> = vec![
        ("syntax", Box::new(|| serve.write(&syntax)), vec!["config.yml:"]),
        ("unknown key", Box::new(|| serve.write(&unknown_key.to_string())), vec!["intervall"]),
        (
            "bad values",
            Box::new(|| serve.write(&bad_values.to_string())),
            vec!["poll.interval", "soon", "projects[0].clusters[0].id"],
        ),
        (
            "a secret in the wrong place",
            Box::new(|| serve.write(&wrong_place.to_string())),
            vec!["projects[0].credentials"],
        ),
        ("empty", Box::new(|| serve.write("")), vec!["empty"]),
        ("missing", Box::new(replace_by_nothing), vec!["No such file"]),
        (
            "a link to itself",
            Box::new(|| symlink(file, file).expect("the name is free")),
            vec!["cannot be read"],
        ),
        (
            "a directory",
            Box::new(|| {
                replace_by_nothing();
                fs::create_dir(file).expect("the name is free");
            }),
            vec!["directory"],
        ),
        (
            "a secret file gone",
            Box::new(|| {
                fs::remove_dir(file).expect("it is empty");
                serve.write(&two.to_string());
                fs::remove_file(&key).expect("it is ours");
            }),
            vec!["projects[0].credentials", "secret_key"],
        ),
    ];
    for (name, break_it, words) in &cases {
        break_it();
        let refused = serve.reload().await;
        assert_eq!(refused.status, 500, "{name}: {}", refused.text);
        for word in words.iter().chain(&["config.yml"]) {
            assert!(refused.text.contains(word), "{name}: {word} is not in {}", refused.text);
            // The signal has only the log.
            assert!(serve.process.err().contains(word), "{name}: {word} is not in the log");
        }
        for secret in [INLINE, &cloud.secret_key] {
            assert!(!refused.text.contains(&secret[..8]), "{name}: {}", refused.text);
        }
        let page = serve.metrics().await;
        let shown = (sha_shown(&page), last_reload(&page));
        assert_eq!(shown, (sha_shown(&before), 0.0), "{name}");
        let when = own("config_last_reload_success_timestamp_seconds");
        assert_eq!(page.value(&when, &[]), before.value(&when, &[]), "{name}");
        assert_eq!(serve.get("/config").await.text, effective, "{name}");
        let shown: Vec<Series> = series_of(&page, &stay).into_keys().collect();
        assert_eq!(shown, expected, "{name}");
        assert_eq!(of_cluster(&page, "poll_interval_seconds", cloud.id(1)), None, "{name}");
    }
    // With its key file gone it polls on with the key it has.
    polled_on(&serve, &[cloud.id(0)]).await;
    let page = serve.metrics().await;
    assert_eq!(of_cluster(&page, "up", cloud.id(0)), Some(1.0));

    // By the signal, a broken file is as broken.
    folder.write("secret_key", &cloud.secret_key);
    serve.write(&two.to_string());
    assert_eq!(serve.reload().await.status, 200);
    let page = serve.metrics().await;
    assert_eq!((sha_shown(&page), last_reload(&page)), (sha256(&two.to_string()), 1.0));
    serve.write("projects: [");
    serve.signal("HUP", 1).await;
    serve.page_where("the signal finds it broken", |page| last_reload(page) == 0.0).await;
    serve.write(&good.to_string());
    serve.signal("HUP", 1).await;
    let page = serve.page_where("and mended", |page| last_reload(page) == 1.0).await;
    assert_eq!(sha_shown(&page), sha256(&good.to_string()));
    let err = serve.process.err();
    assert!(!err.contains(&INLINE[..8]) && !err.contains(&cloud.secret_key[..8]), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_flag_only_the_signal_reloads() {
    let folder = Folder::new("without_the_flag");
    let cloud = Cloud::start(2, 3).await;
    let one = busy(json!([part_of("prod", &cloud, &[0])]));
    let both = busy(json!([part_of("prod", &cloud, &[0, 1])]));
    let serve = Serve::start(&folder, "serve", &one, &[]).await;
    let digest = sha_shown(&serve.metrics().await);
    serve.write(&both.to_string());
    for method in [Method::POST, Method::PUT] {
        let refused = serve.ask(method.clone(), "/-/reload").await;
        assert_eq!(refused.status, 403, "{method}: {}", refused.text);
        assert!(refused.text.contains("--web.enable-lifecycle"), "{}", refused.text);
    }
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        let refused = serve.ask(method.clone(), "/-/reload").await;
        assert_eq!(refused.status, 405, "{method}");
        let mut allow: Vec<_> = refused.header("allow").split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow, ["POST", "PUT"], "{method}");
    }
    assert_eq!(sha_shown(&serve.metrics().await), digest);
    serve.signal("HUP", 1).await;
    let new = sha256(&both.to_string());
    serve.page_where("the signal reloads", |page| sha_shown(page) == new).await;
    polled_on(&serve, &[cloud.id(0), cloud.id(1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_is_read_again() {
    let folder = Folder::new("a_rotated_key");
    let cloud = Cloud::start(2, 3).await;
    let key = folder.write("secret_key", &cloud.secret_key);
    let mut configuration = busy(json!([part_of("prod", &cloud, &[0, 1])]));
    configuration["projects"][0]["credentials"] =
        json!({"static": {"access_key": cloud.access_key, "secret_key_file": key}});
    let serve = Serve::start(&folder, "serve", &configuration, &LIFECYCLE).await;
    let ids = [cloud.id(0), cloud.id(1)];
    polled_on(&serve, &ids).await;
    for round in 0..3 {
        let new = format!("rotated+secret/key+{round}");
        cloud.control(Method::PUT, "credentials", &json!({ "secret_key": new })).await;
        folder.write("secret_key", &format!("{new}\n"));
        assert_eq!(serve.reload().await.status, 200);
        cloud.control(Method::DELETE, "requests", &json!({})).await;
        polled_on(&serve, &ids).await;
        let requests = cloud.requests().await;
        assert!(requests["total"].as_u64().expect("a number") >= 2, "{requests}");
        assert_eq!(requests["bad_signatures"], 0, "{requests}");
        let page = serve.metrics().await;
        assert_eq!(page.sum(&data("up"), &[]), 2.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_enter_changes_and_where_does_not() {
    let folder = Folder::new("who_may_enter");
    let cloud = Cloud::start(1, 3).await;
    let mut old = busy(json!([part_of("prod", &cloud, &[0])]));
    let token = |token: &str| json!([{"name": "t", "sha256": sha256(token), "role": "viewer"}]);
    old["admin"] = json!({"listen": "127.0.0.1:0", "tokens": token(TOKEN)});
    let mut serve = Serve::start(&folder, "serve", &old, &LIFECYCLE).await;
    let admin = serve.process.address("admin").await;
    let enter = async |token: &str| {
        let id = "5c77b71c-5b35-4f50-8984-76387e42451a";
        let url = format!("http://{admin}/api/v1/clusters/{id}/poll");
        let bearer = format!("Bearer {token}");
        let answer = ask(Method::POST, &url, &[("authorization", &bearer)], String::new()).await;
        answer.expect("it answers").status
    };
    const NEW: &str = "another-token-of-the-tests";
    // 404 is what somebody is told who may enter: there is no such cluster.
    assert_eq!((enter(TOKEN).await, enter(NEW).await), (404, 401));
    let mut new = old.clone();
    new["admin"]["tokens"] = token(NEW);
    serve.write(&new.to_string());
    assert_eq!(serve.reload().await.status, 200);
    assert_eq!((enter(TOKEN).await, enter(NEW).await), (401, 404));
    assert!(!serve.process.err().contains("restart"), "{}", serve.process.err());

    let mut moved = new.clone();
    moved["admin"]["listen"] = json!("127.0.0.1:1");
    serve.write(&moved.to_string());
    assert_eq!(serve.reload().await.status, 200);
    assert_eq!((enter(TOKEN).await, enter(NEW).await), (401, 404));
    let err = serve.process.err();
    let warned = err.lines().any(|line| {
        line.contains("WARN")
            || line.contains("warn") && line.contains("admin.listen") && line.contains("restart")
    });
    assert!(warned, "{err}");

    // Without an admin section nobody may enter; with one again, whoever is listed.
    let mut none = new.clone();
    none["admin"] = json!(null);
    serve.write(&none.to_string());
    assert_eq!(serve.reload().await.status, 200);
    assert!([401, 421].contains(&enter(NEW).await));
    serve.write(&old.to_string());
    assert_eq!(serve.reload().await.status, 200);
    assert_eq!((enter(TOKEN).await, enter(NEW).await), (404, 401));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_reloads_is_weathered() {
    let folder = Folder::new("a_storm_of_reloads");
    let cloud = Cloud::start(3, 20).await;
    let configuration = busy(json!([part_of("prod", &cloud, &[0, 1, 2])]));
    let serve = Serve::start(&folder, "serve", &configuration, &LIFECYCLE).await;
    let ids = [cloud.id(0), cloud.id(1), cloud.id(2)];
    polled_on(&serve, &ids).await;
    let oldest = Arc::new(Mutex::new(0.0_f64));
    let seen = oldest.clone();
    let scraper = Scraper::start(&serve.public, move |scraped, page, _| {
        let dates = page.all(&data("last_success_timestamp_seconds"), &[]);
        let age = dates.iter().map(|sample| scraped.done - sample.value).fold(0.0, f64::max);
        let mut oldest = seen.lock().expect("not poisoned");
        *oldest = oldest.max(age);
        if dates.len() == 3 { Ok(()) } else { Err("a cluster is missing".into()) }
    });

    let storm = async || {
        let mut posts = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let url = format!("http://{}/-/reload", serve.public);
            posts.spawn(async move { ask(Method::POST, &url, &[], String::new()).await });
        }
        let (statuses, ()) = tokio::join!(posts.join_all(), serve.signal("HUP", 300));
        statuses.into_iter().map(|answer| answer.expect("an answer").status).collect::<Vec<_>>()
    };
    let (mut resident, mut all_reloads) = (Vec::new(), 0);
    for round in 0..5 {
        let before = serve.reloads();
        let statuses = storm().await;
        assert_eq!(statuses.len(), 50);
        assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
        assert!(statuses.contains(&200), "{statuses:?}");
        // What was asked last is answered too: nothing is still under way after one more.
        assert_eq!(serve.reload().await.status, 200);
        polled_on(&serve, &ids).await;
        let reloads = serve.reloads() - before;
        println!("storm {round}: {reloads} reloads, {} KiB", serve.resident());
        all_reloads += reloads;
        resident.push(serve.resident());
        scraper.check();
    }
    // Requests that wait become one reload; one by one, the queue alone would make it four times as
    // many.
    assert!(all_reloads < 70, "{all_reloads} reloads: a storm is not one");
    scraper.stop().await;
    let oldest = *oldest.lock().unwrap();
    assert!(oldest < 3.0, "data were {oldest} s old");
    let grown = resident[4].saturating_sub(resident[0]);
    assert!(grown < 4 * 1024, "grown by {grown} KiB: {resident:?}");
    assert_eq!(last_reload(&serve.metrics().await), 1.0);
}

/// A poll that is under way when its project goes must not bring the project's series back. So many
/// polls are under way that some end in the very moment of the reload.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_goes_takes_its_series_along() {
    let folder = Folder::new("a_project_that_goes");
    let cloud = Cloud::start(301, 1).await;
    let most: Vec<usize> = (1..301).collect();
    let stays = part_of("stays", &cloud, &[0]);
    let alone = busy(json!([stays]));
    let both = busy(json!([stays, part_of("goes", &cloud, &most)]));
    let serve = Serve::start(&folder, "serve", &both, &LIFECYCLE).await;
    let of_goes = |page: &Page| -> Vec<Sample> {
        let is_of_goes =
            |one: &&Sample| one.labels.get("project").is_some_and(|name| name == "goes");
        page.samples.iter().filter(is_of_goes).cloned().collect()
    };
    for round in 0..25 {
        // Now and then with slow answers, which come when the project is long gone.
        let is_slow = round % 8 == 0;
        let faults = if is_slow { json!([{"name": "slow", "percent": 50}]) } else { json!([]) };
        cloud.set_faults(faults).await;
        let polls = own("polls_total");
        serve
            .page_where("the project is polled", |page| {
                page.sum(&polls, &[("project", "goes")]) > 20.0
            })
            .await;
        serve.write(&alone.to_string());
        assert_eq!(serve.reload().await.status, 200);
        let rest = if is_slow { TIMEOUT * 2 } else { Duration::from_millis(50) };
        let end = Instant::now() + rest;
        loop {
            assert_eq!(of_goes(&serve.metrics().await), [], "round {round}");
            if Instant::now() > end {
                break;
            }
        }
        serve.write(&both.to_string());
        assert_eq!(serve.reload().await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_a_renamed_project_is_a_new_one() {
    let folder = Folder::new("a_renamed_project");
    let cloud = Cloud::start(1, 2).await;
    let id = cloud.id(0);
    let old = busy(json!([part_of("old", &cloud, &[0])]));
    let new = busy(json!([part_of("new", &cloud, &[0])]));
    let serve = Serve::start(&folder, "serve", &old, &LIFECYCLE).await;
    polled_on(&serve, &[id]).await;
    let endpoint = serve.cluster(id).await["items"][0]["endpoint_id"].clone();
    let path = format!("clusters/{id}/connections/{}", endpoint.as_str().expect("an id"));
    cloud.control(Method::POST, &path, &json!({"status": "rejected"})).await;
    let transitions = data("connection_transitions_total");
    serve.page_where("it is counted", |page| page.sum(&transitions, &[]) == 1.0).await;
    // What is asked from now on is not answered, so that the new one cannot be polled yet.
    cloud.set_faults(json!([{"name": "hang"}])).await;
    serve.write(&new.to_string());
    assert_eq!(serve.reload().await.status, 200);
    let page = serve.metrics().await;
    let labelled =
        |name| page.samples.iter().any(|one| one.labels.get("project").is_some_and(|p| p == name));
    assert_eq!((labelled("old"), labelled("new")), (false, true));
    assert_eq!(page.sum(&transitions, &[]), 0.0);
    assert_eq!(of_cluster(&page, "up", id), None);
    assert_eq!(of_cluster(&page, "last_success_timestamp_seconds", id), None);
    cloud.set_faults(json!([])).await;
    polled_on(&serve, &[id]).await;
    let page = serve.metrics().await;
    let up = page.value(&data("up"), &[("cluster_id", id), ("project", "new")]);
    assert_eq!(up, Some(1.0));
    assert_eq!(page.sum(&transitions, &[]), 0.0);
}

/// A project that waits for a token of its dead IAM does not hold a reload up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_iam_does_not_delay_a_reload() {
    let folder = Folder::new("a_dead_iam");
    let cloud = Cloud::start(3, 2).await;
    let valid = cloud.control(Method::GET, "credentials", &json!({})).await;
    let password = folder.write("password", valid["password"].as_str().expect("a text"));
    let mut waits = part_of("waits", &cloud, &[0]);
    waits["credentials"] = json!({"password": {
        "domain": valid["domain"], "user": valid["user"], "password_file": password,
    }});
    let configuration = |clusters: &[usize]| {
        let mut all = busy(json!([waits, part_of("stays", &cloud, clusters)]));
        all["poll"] = json!({"interval": "25s", "timeout": "20s", "stale_after": "10m"});
        for cluster in all["projects"][1]["clusters"].as_array_mut().expect("a list") {
            cluster["interval"] = json!("21s");
        }
        all
    };
    cloud.set_faults(json!([{"name": "hang", "operation": "iam_token"}])).await;
    let serve = Serve::start(&folder, "serve", &configuration(&[1]), &LIFECYCLE).await;
    eventually("IAM is asked and does not answer", async || {
        let requests = cloud.requests().await;
        if requests["by_operation"]["iam_token"].as_u64() > Some(0) {
            Ok(())
        } else {
            Err(requests.to_string())
        }
    })
    .await;
    serve.write(&configuration(&[1, 2]).to_string());
    let asked = Instant::now();
    assert_eq!(serve.reload().await.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}
