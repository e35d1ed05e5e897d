//! The page, as promtool and the parsers of the official client for Python read it.

use std::{collections::BTreeMap, fs::File};

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    binary::{Demo, PREFIX, Simulator, serving, wait_until_whole},
    parts::{part, python, said},
    samples::WORLD_METRICS,
    support::{
        HTTP, eventually,
        process::{Folder, run},
    },
};

#[tokio::test]
async fn promtool_is_silent_on_the_whole_page() {
    let folder = Folder::new("promtool_is_silent_on_the_whole_page");
    let cloud = Simulator::start(&folder, 3, 25).await;
    let exporter = serving(&folder, &cloud, &[]).await;
    let demo = Demo::start(&folder).await;

    for (name, address) in [("serve", &exporter.public), ("demo", &demo.address)] {
        let page = wait_until_whole(address).await;

        let page = File::open(folder.write(name, &page)).expect("the page was just written");
        let mut promtool = part("WITNESS_PROMTOOL");
        promtool.args(["check", "metrics"]).stdin(page);
        let verdict = run(promtool).await;
        assert!(verdict.code == Some(0), "{name}: {}", said(&verdict));
        assert!(verdict.out.is_empty() && verdict.err.is_empty(), "{name}: {}", said(&verdict));
    }
}

/// Metrics that the scraping itself moves, or that the machine moves.
const MOVING: [&str; 4] = [
    "process_",
    "css_vpcep_exporter_http_requests",
    "css_vpcep_exporter_http_request_duration_seconds",
    "css_vpcep_exporter_exposition_",
];

#[tokio::test]
async fn official_parsers_read_the_same_in_both_formats() {
    let folder = Folder::new("official_parsers_read_the_same_in_both_formats");
    let cloud = Simulator::start(&folder, 3, 25).await;
    // One that is read well, one that has no endpoint service, and one that cannot be read.
    let world = cloud.world().await;
    let cluster = |at: usize| format!("clusters/{}", world[at].id);
    cloud.control(Method::PUT, &cluster(1), &json!({ "vpcep_enabled": false })).await;
    let fault = json!({ "faults": [{ "name": "server-error", "clusters": [world[2].id] }] });
    cloud.control(Method::PUT, "faults", &fault).await;
    let exporter = serving(&folder, &cloud, &[]).await;
    let url = format!("http://{}/metrics", exporter.public);
    wait_until_whole(&exporter.public).await;

    // A poll may come between two scrapes; then the pages before and after it differ.
    let (text, openmetrics) = eventually("no poll between three scrapes", async || {
        let before = parsed(&folder, "text", &url).await?;
        let between = parsed(&folder, "openmetrics", &url).await?;
        let after = parsed(&folder, "text", &url).await?;
        if before == after { Ok((before, between)) } else { Err("there was one".into()) }
    })
    .await;
    assert_eq!(openmetrics.families, text.families);
    assert_eq!(openmetrics.samples.len(), text.samples.len());
    for (one, other) in openmetrics.samples.iter().zip(&text.samples) {
        assert_eq!(one, other);
    }
    let of_cluster = |name: &str, id: &str| {
        let ours = |sample: &&Sample| sample.0 == name && sample.1["cluster_id"] == id;
        openmetrics.samples.iter().filter(ours).count()
    };
    let rows = world[0].connections.len();
    assert_eq!(of_cluster(&format!("{PREFIX}connection_status"), &world[0].id), rows);
    assert_eq!(of_cluster(&format!("{PREFIX}up"), &world[2].id), 1);
    for (name, kind) in &openmetrics.families {
        let is_counter = ["_transitions", "_polls", "_requests"].iter();
        let is_counter = is_counter.clone().any(|end| name.ends_with(end));
        assert!(!is_counter || kind == "counter", "{name} is a {kind}");
        // What is of type info in the conventions of others stays a gauge.
        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{name}: {kind}");
    }
}

#[tokio::test]
async fn official_parsers_read_the_demo() {
    let folder = Folder::new("official_parsers_read_the_demo");
    let demo = Demo::start(&folder).await;
    wait_until_whole(&demo.address).await;
    let url = format!("http://{}/metrics", demo.address);
    let text = parsed(&folder, "text", &url).await.expect("a page");
    let openmetrics = parsed(&folder, "openmetrics", &url).await.expect("a page");
    let [text, openmetrics] = [&text, &openmetrics].map(|page| {
        let ours = page.families.iter().filter(|(name, _)| name.starts_with(PREFIX));
        ours.collect::<Vec<_>>()
    });
    assert_eq!(text, openmetrics);
    assert!(text.len() > WORLD_METRICS.len(), "{text:?}");
}

/// A name, the labels, the value as Python writes it.
type Sample = (String, BTreeMap<String, String>, String);

/// What the parser of the official client understood, without what moves by itself.
#[derive(Deserialize, PartialEq)]
struct Parsed {
    families: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

/// Asks for a page in a format and has it read.
async fn parsed(folder: &Folder, format: &str, url: &str) -> Result<Parsed, String> {
    let (accept, media_type) = match format {
        "openmetrics" => (
            "application/openmetrics-text;version=1.0.0",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        _ => ("text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"),
    };
    let answer = HTTP.get(url).header("accept", accept).send().await;
    let answer = answer.map_err(|error| error.to_string())?;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], media_type);
    let page = answer.text().await.map_err(|error| error.to_string())?;
    let mut script = python("openmetrics.py");
    script.arg(format).arg(folder.write(&format!("page.{format}"), &page));
    let read = run(script).await;
    assert!(read.code == Some(0), "{}\n{page}", said(&read));
    let mut read: Parsed = serde_json::from_str(&read.out).expect("the script prints JSON");
    read.samples.retain(|sample| !MOVING.iter().any(|start| sample.0.starts_with(start)));
    read.families.retain(|name, _| !MOVING.iter().any(|start| name.starts_with(start)));
    Ok(read)
}
