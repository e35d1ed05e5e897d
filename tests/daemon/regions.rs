//! Whatever happens to one region or project, the others are polled in time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    time::{Duration, Instant, sleep_until},
};

use crate::support::{
    cloud::Cloud,
    daemon::project,
    eventually,
    process::Folder,
    serve::{Scraper, Serve},
};

const LAST_SUCCESS: &str = "huaweicloud_css_vpcep_last_success_timestamp_seconds";
const HEALTHY: usize = 30;
const INTERVAL: f64 = 5.0;
/// Who waits for a poll of the dead region waits for its timeout, which is nearly an interval. What a busy
/// machine may take is less.
const OLDEST: f64 = INTERVAL + 4.0;
/// And as many in the dead region.
const THROTTLED: usize = 10;
/// What a project may send by its default rate limit.
const BURST: f64 = 10.0;
const PER_SECOND: f64 = 5.0;

/// A port that takes every connection and never says anything.
async fn dead_port() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            kept.push(stream);
        }
    });
    (url, taken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_region_and_a_throttled_project_delay_nobody() {
    let folder = Folder::new("a_dead_region");
    let cloud = Cloud::start(HEALTHY + THROTTLED, 5).await;
    let ids: Vec<_> = (HEALTHY..HEALTHY + THROTTLED).map(|at| cloud.id(at)).collect();
    cloud.set_faults(json!([{"name": "throttled", "clusters": ids}])).await;
    let (dead_url, taken) = dead_port().await;
    let [mut dead, mut healthy, mut throttled] =
        ["dead", "healthy", "throttled"].map(|name| project(name, &cloud));
    dead["region"] = json!("cn-south-1");
    dead["api_endpoints"]["css"] = json!(dead_url);
    let all = healthy["clusters"].as_array_mut().expect("a list");
    throttled["clusters"] = all.split_off(HEALTHY).into();
    dead["clusters"] = (0..THROTTLED)
        .map(|at| json!({"id": format!("00000000-0000-4000-8000-{at:012}")}))
        .collect::<Value>();
    for project in [&mut dead, &mut throttled] {
        project["rate_limit"] = json!(null);
    }
    // The dead one first: the others must not wait for it, although they use the same key.
    let configuration = json!({
        "poll": {"interval": "5s", "timeout": "4900ms", "stale_after": "10m", "concurrency": 8},
        "projects": [dead, throttled, healthy],
    });
    let started = Instant::now();
    let serve = Serve::start(&folder, "serve", &configuration, &[]).await;
    let of_healthy = [("project", "healthy")];
    serve
        .page_where("the healthy ones are read, and the others were tried", |page| {
            let up = |project| page.all("huaweicloud_css_vpcep_up", &[("project", project)]).len();
            page.all(LAST_SUCCESS, &of_healthy).len() == HEALTHY
                && up("dead") > 0
                && up("throttled") > 0
        })
        .await;

    let oldest = Arc::new(Mutex::new(0.0_f64));
    let seen = oldest.clone();
    let before = serve.metrics().await;
    let scraper = Scraper::start(&serve.public, move |scraped, page, _| {
        let of_healthy = page.all(LAST_SUCCESS, &of_healthy);
        let asked = scraped.done - scraped.asked.elapsed().as_secs_f64();
        let ages = of_healthy.iter().map(|sample| asked - sample.value);
        let age = ages.fold(0.0, f64::max);
        let mut oldest = seen.lock().expect("not poisoned");
        *oldest = oldest.max(age);
        match (of_healthy.len(), age) {
            (HEALTHY, ..OLDEST) => Ok(()),
            other => Err(format!("healthy clusters and the age of the oldest: {other:?}")),
        }
    });
    // So long it is watched; nothing is waited for.
    sleep_until(Instant::now() + Duration::from_secs_f64(2.0 * INTERVAL)).await;
    let pages = scraper.stop().await;
    println!("{pages} pages, the oldest data {} s old", oldest.lock().unwrap());
    assert!(pages > 3, "{pages}");
    let after = serve.metrics().await;
    let polls = |project| {
        let labels = [("project", project)];
        let name = "css_vpcep_exporter_polls_total";
        after.sum(name, &labels) - before.sum(name, &labels)
    };
    assert!(polls("healthy") >= HEALTHY as f64, "{}", polls("healthy"));
    assert!(polls("dead") > 0.0 && polls("throttled") > 0.0, "they are not given up either");

    let allowed = BURST + PER_SECOND * started.elapsed().as_secs_f64() + 1.0;
    let taken = taken.load(Ordering::Relaxed);
    let faults = cloud.control(Method::GET, "faults", &json!({})).await;
    let asked = faults["active"][0]["hits"].as_u64().expect("a number");
    println!(
        "{taken} connections to the dead one, {asked} requests to the throttled one, {allowed} allowed"
    );
    assert!((1.0..=allowed).contains(&(taken as f64)), "{taken} connections, {allowed} allowed");
    // Throttling slows the bucket down: far fewer than the full rate allows.
    assert!((1.0..=allowed * 0.7).contains(&(asked as f64)), "{asked} requests, {allowed} allowed");

    // The throttled one comes back by itself.
    cloud.set_faults(json!([])).await;
    eventually("the throttled project recovers", async || {
        let page = serve.metrics().await;
        let up = page.sum("huaweicloud_css_vpcep_up", &[("project", "throttled")]);
        if up > 0.0 { Ok(()) } else { Err(format!("{up}")) }
    })
    .await;
}
