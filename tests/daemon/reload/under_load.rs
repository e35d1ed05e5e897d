//! Reloads while pages are scraped: no gap, no series from nowhere, and no rest of what is gone.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::*;

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
    // Some for every reload; a quick machine takes ten times as many.
    assert!(pages > 40, "only {pages} pages were seen");
    assert_eq!(last.value(&own("polls_overdue"), &[]), Some(0.0));
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
