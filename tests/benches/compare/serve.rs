//! The servers that are written in Rust.

use std::{collections::HashMap, fs, io::Write as _, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::get,
};
use css_vpcep_exporter::{
    board::ServiceBoard,
    clock::Clock,
    public::{self, Events, Live, Readiness, Shared, keep_pages_made},
    web::{Bound, Limits, WebSettings},
};
use flate2::{Compression, write::GzEncoder};
use prometheus::{
    Encoder as _, GaugeVec, Opts, Registry, TextEncoder,
    core::{Collector, Desc},
    proto::{Gauge, LabelPair, Metric, MetricFamily, MetricType},
};
use tokio::{runtime::Runtime, sync::watch};

use super::support::{SETTINGS, World};

/// Clusters that have about so many series together, behind the listener; one of them changes
/// every so many milliseconds, or never (0).
pub(crate) fn ours(clusters: usize, series: usize, connections: usize, publish_every: u64) {
    Runtime::new().unwrap().block_on(async {
        let world = World::recent(clusters, series);
        world.page();
        let clock = Clock::system();
        let stats = world.sources.stats.clone();
        let shared = Shared {
            board: world.board.clone(),
            services: ServiceBoard::new([]),
            pages: world.store.clone(),
            events: Events::new(clock.now()),
            live: watch::channel(Live::of(&SETTINGS, String::new())).1,
            stats,
            clock,
        };
        let readiness = Readiness::from_now();
        let (_web, web) = watch::channel(WebSettings::default());
        tokio::spawn(keep_pages_made(shared.clone(), std::future::pending()));
        let router = public::router(shared, readiness, "/metrics", None, web);
        let limits = Limits { connections, ..Limits::PUBLIC };
        let bound = Bound::listen(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        println!("{}", bound.address());
        if publish_every > 0 {
            tokio::task::spawn_blocking(move || {
                for cluster in (0..world.clusters()).cycle() {
                    std::thread::sleep(Duration::from_millis(publish_every));
                    let list = world.changed(cluster);
                    world.record(cluster, list);
                }
            });
        }
        bound.with_limits(limits).serve(router, std::future::pending()).await;
    });
}

/// A family of a page.
struct Family {
    name: String,
    help: String,
    labels: Vec<String>,
    samples: Vec<(Vec<String>, f64)>,
}

/// The data metrics of a page, whose values hold no quote and no backslash.
fn read(page: &str) -> Vec<Family> {
    let (mut families, mut helps) = (Vec::<Family>::new(), HashMap::new());
    for line in page.lines() {
        if let Some((name, help)) =
            line.strip_prefix("# HELP ").and_then(|line| line.split_once(' '))
        {
            helps.insert(name, help);
            continue;
        }
        let Some((name, rest)) = line.split_once('{') else { continue };
        if !name.starts_with("huaweicloud_css_vpcep_") {
            continue;
        }
        let (labels, value) = rest.split_once("} ").unwrap();
        let parts: Vec<_> = labels.split('"').collect();
        if families.last().is_none_or(|family| family.name != name) {
            families.push(Family {
                name: name.into(),
                help: helps[name].into(),
                labels: parts
                    .chunks_exact(2)
                    .map(|part| part[0].trim_matches([',', '=']).into())
                    .collect(),
                samples: Vec::new(),
            });
        }
        let values = parts.chunks_exact(2).map(|part| part[1].to_owned()).collect();
        families.last_mut().unwrap().samples.push((values, value.parse().unwrap()));
    }
    families
}

/// Makes its metrics anew for each scrape.
struct Anew(Vec<Family>, Vec<Desc>);

impl Collector for Anew {
    fn desc(&self) -> Vec<&Desc> {
        self.1.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let pair = |name: &String, value: &String| {
            let mut pair = LabelPair::default();
            pair.set_name(name.clone());
            pair.set_value(value.clone());
            pair
        };
        let families = self.0.iter().map(|family| {
            let mut all = MetricFamily::default();
            all.set_name(family.name.clone());
            all.set_help(family.help.clone());
            all.set_field_type(MetricType::GAUGE);
            let metrics = family.samples.iter().map(|(values, value)| {
                let pairs = family.labels.iter().zip(values).map(|(name, value)| pair(name, value));
                let mut metric = Metric::from_label(pairs.collect());
                let mut gauge = Gauge::default();
                gauge.set_value(*value);
                metric.set_gauge(gauge);
                metric
            });
            all.set_metric(metrics.collect());
            all
        });
        families.collect()
    }
}

/// The crate `prometheus` behind axum.
pub(crate) fn crate_prometheus(kind: &str, page: &str) {
    let families = read(&fs::read_to_string(page).unwrap());
    let registry = Registry::new();
    if kind == "gauges" {
        for family in families {
            let labels: Vec<_> = family.labels.iter().map(String::as_str).collect();
            let gauges = GaugeVec::new(Opts::new(family.name, family.help), &labels).unwrap();
            for (values, value) in &family.samples {
                gauges.with_label_values(values).set(*value);
            }
            registry.register(Box::new(gauges)).unwrap();
        }
    } else {
        let desc = |family: &Family| {
            let Family { name, help, labels, .. } = family;
            Desc::new(name.clone(), help.clone(), labels.clone(), HashMap::new()).unwrap()
        };
        let descs = families.iter().map(desc).collect();
        registry.register(Box::new(Anew(families, descs))).unwrap();
    }
    let metrics = async move |headers: HeaderMap| {
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
        if headers.contains_key(header::ACCEPT_ENCODING) {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&text).unwrap();
            return ([(header::CONTENT_ENCODING, "gzip")], gzip.finish().unwrap()).into_response();
        }
        text.into_response()
    };
    Runtime::new().unwrap().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, Router::new().route("/metrics", get(metrics))).await.unwrap();
    });
}
