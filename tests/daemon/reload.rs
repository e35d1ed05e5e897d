//! Reloads while everything runs, of the finished binary: the new file whole or not at all, no gap
//! in what stays, nothing left of what goes.

use std::{collections::BTreeMap, fs, os::unix::fs::symlink};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::support::{
    ask,
    certificates::{Authority, Issued},
    cloud::Cloud,
    daemon::{TOKEN, project, sha256},
    eventually,
    page::{Page, Sample},
    process::Folder,
    serve::{Scraper, Serve, unix_now},
};

mod under_load;

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

/// A name, how it is done, and what the answer says of it.
type Breakage<'a> = (&'a str, Box<dyn Fn() + 'a>, Vec<&'a str>);

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
        folder.write("secret_key", format!("{new}\n"));
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_restart_is_named_key_by_key() {
    let folder = Folder::new("what_needs_a_restart");
    let cloud = Cloud::start(2, 3).await;
    let authority = Authority::new("what_needs_a_restart");
    let Issued { certificate, key } = authority.issue(&["localhost"]);
    let (certificate, key) = (folder.write("crt", &certificate), folder.write("key", &key));
    let tls = json!({"tls_server_config": {"cert_file": certificate, "key_file": key}}).to_string();
    let [public, admin] = ["public.yml", "admin.yml"].map(|name| folder.write(name, ""));
    let mut old = busy(json!([part_of("prod", &cloud, &[0])]));
    old["state_file"] = json!(folder.path.join("state"));
    old["shard"] = json!({"index": 0, "count": 2});
    old["admin"] = json!({
        "listen": "127.0.0.1:0",
        "audit_log": folder.path.join("audit.jsonl"),
        "web_config_file": admin,
        "tokens": [{"name": "t", "sha256": sha256(TOKEN), "role": "viewer"}],
    });
    let flags = ["--web.enable-lifecycle", "--web.config.file", public.to_str().expect("text")];
    let serve = Serve::start(&folder, "serve", &old, &flags).await;
    let answer = async |configuration: &Value| {
        serve.write(&configuration.to_string());
        let answer = serve.reload().await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    };
    let named = async |keys: &[&str]| {
        let config = serve.get("/config").await.text;
        let note = format!("# In effect only after a restart: {}\n", keys.join(", "));
        let logged = format!("in effect only after a restart: {}", keys.join(", "));
        let shown = (config.starts_with(&note), serve.process.err().contains(&logged));
        assert_eq!(shown, (!keys.is_empty(), !keys.is_empty()), "{keys:?}: {config}");
    };
    assert_eq!(answer(&old).await, "reloaded\n");
    named(&[]).await;

    let mut moved = old.clone();
    moved["state_file"] = json!(folder.path.join("elsewhere"));
    moved["admin"]["listen"] = json!("127.0.0.1:1");
    moved["admin"]["audit_log"] = json!(null);
    // Keys that take effect at once are not among them.
    moved["poll"]["interval"] = json!("2s");
    let keys = ["state_file", "admin.listen", "admin.audit_log"];
    let expected: String = keys.map(|key| format!("needs a restart: {key}\n")).concat();
    assert_eq!(answer(&moved).await, format!("reloaded\n{expected}"));
    named(&keys).await;
    // Every later answer repeats this as long as the file is like this.
    assert_eq!(answer(&moved).await, format!("reloaded\n{expected}"));

    let mut other_shard = old.clone();
    other_shard["shard"]["index"] = json!(1);
    let mut nobody_enters = old.clone();
    nobody_enters["admin"] = json!(null);
    for (configuration, key) in [(other_shard, "shard.index"), (nobody_enters, "admin")] {
        assert_eq!(answer(&configuration).await, format!("reloaded\nneeds a restart: {key}\n"));
        named(&[key]).await;
    }
    for file in [&public, &admin] {
        fs::write(file, &tls).expect("it is ours");
    }
    let keys =
        ["tls_server_config of --web.config.file", "tls_server_config of admin.web_config_file"];
    let expected: String = keys.map(|key| format!("needs a restart: {key}\n")).concat();
    assert_eq!(answer(&old).await, format!("reloaded\n{expected}"));
    named(&keys).await;
    // The listeners are as they were.
    assert_eq!(serve.get("/-/healthy").await.status, 200);
    let page = serve.metrics().await;
    assert_eq!(last_reload(&page), 1.0);
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
    let up = |page: &Page| page.value(&data("up"), &[("cluster_id", id), ("project", "new")]);
    let page = serve.page_where("it is read", |page| up(page) == Some(1.0)).await;
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
