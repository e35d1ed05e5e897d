//! The client of the real cloud over the wire, against the simulated one: credentials (rotation,
//! expiry, tokens, back-off), the endpoint services in `services`, and connections in `decisions`.

use std::{sync::Arc, time::Duration};

use css_vpcep_exporter::{
    board::{Board, ClusterMeta},
    clock::Clock,
    cloud::{Budget, Cloud, CloudError, Fate, Reason, Services, Traced},
    huawei::{
        self, Client, Common, Pacers,
        credentials::{Environment, SecretText, Source},
        endpoints::{BaseUrl, Endpoints},
        network::Network,
        paging::Paging,
        transport::Transport,
    },
    model::{ClusterId, ConnectionList, ProjectId, RegionId, ServiceFields, ServiceId},
    pacing::{Pacer, Priority, RateLimit},
    poll,
    secret::Secret,
    stats::Stats,
};
use serde_json::{Value, json};

use crate::support::{cloud::Cloud as SimulatedCloud, process::Folder};

mod cases;
mod clusters;
mod decisions;
mod network;
mod pages;
mod providers;
mod services;

struct World {
    cloud: SimulatedCloud,
    clusters: Vec<ClusterId>,
    common: Common,
    clock: Clock,
}

async fn world(clusters: usize, connections: usize) -> World {
    let cloud = SimulatedCloud::start(clusters, connections).await;
    let clock = Clock::system();
    let stats = Arc::new(Stats::default());
    stats.add_project("p");
    let transport = Arc::new(Transport::new(clock.clone(), stats.clone()).unwrap());
    let clusters = cloud.clusters.iter().map(|(id, _)| ClusterId::parse(id).unwrap()).collect();
    let metadata = Arc::new(huawei::Metadata::at(&*cloud.url));
    let common = Common { transport, guard: Arc::default(), metadata, stats };
    World { cloud, clusters, common, clock }
}

impl World {
    async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        self.cloud.control(method.parse().unwrap(), path, &body).await
    }

    /// What happens to an operation from now on.
    async fn mode(&self, operation: &str, name: &str) {
        let faults = json!({"faults": [{"name": name, "operation": operation}]});
        self.control("PUT", "faults", faults).await;
    }

    /// Changes that the cloud has seen, and those that it applied.
    async fn ledger(&self) -> (u64, u64) {
        let ledger = self.control("GET", "puts", json!({})).await;
        (ledger["total"].as_u64().unwrap(), ledger["applied"].as_u64().unwrap())
    }

    async fn sent(&self, operation: &str) -> u64 {
        let requests = self.control("GET", "requests", json!({})).await;
        requests["by_operation"][operation].as_u64().unwrap_or(0)
    }

    fn settings(&self, name: &str, credentials: Source) -> huawei::Settings {
        let url = BaseUrl::parse(&self.cloud.url).unwrap();
        huawei::Settings {
            name: name.into(),
            region: RegionId::parse("sim-region-1").unwrap(),
            project_id: None,
            domain_id: None,
            network: Network::default(),
            endpoints: Endpoints {
                css: url.clone(),
                vpcep: url.clone(),
                iam: url.clone(),
                sts: url,
            },
            credentials,
            paging: Paging::default(),
        }
    }

    fn project(&self, credentials: Source) -> Client {
        Client::new(self.settings("p", credentials), &self.common, pacers())
    }

    async fn poll(&self, project: &Client) -> Traced<Arc<ConnectionList>> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
        project.connections(&self.clusters[0], budget).await
    }
}

fn fast() -> Pacer {
    Pacer::new(RateLimit { requests_per_second: 1000.0, burst: 1000 })
}

fn pacers() -> Pacers {
    Pacers { css: fast(), vpcep: fast() }
}

fn inline(secret: &str) -> SecretText {
    SecretText::Inline(Secret::new(secret))
}

fn keys(secret: SecretText) -> Source {
    Source::Static {
        access_key: "SIMAK0123456789ABCDE".into(),
        secret_key: secret,
        security_token: None,
    }
}

fn password(password: &str) -> Source {
    Source::Password {
        domain: "sim-domain".into(),
        user: "sim-user".into(),
        password: inline(password),
    }
}

fn reason(outcome: Traced<Arc<ConnectionList>>) -> Result<usize, Reason> {
    let read = outcome.result.map(|list| list.connections.len());
    read.map_err(|CloudError { reason, .. }| reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_two_hundred_clusters_on_a_wrong_key_sends_one_request() {
    let world = world(200, 1).await;
    let mut projects = Vec::new();
    for name in ["one", "two"] {
        let mut settings = world.settings(name, keys(inline("wrong")));
        settings.project_id = ProjectId::parse("0123456789abcdef0123456789abcdef").ok();
        let half = if name == "one" { &world.clusters[..100] } else { &world.clusters[100..] };
        projects.push(poll::Target {
            name: name.into(),
            region: RegionId::parse("sim-region-1").unwrap(),
            cloud: Client::new(settings, &world.common, pacers()),
            pacer: fast(),
            concurrency: 8,
            timeout: Duration::from_secs(10),
            discovery: None,
            clusters: half.iter().map(|id| (id.clone(), Duration::from_secs(60))).collect(),
        });
    }
    let metas = world.clusters.iter().map(|id| ClusterMeta {
        region: RegionId::parse("sim-region-1").unwrap(),
        project: "p".into(),
        id: id.clone(),
        name: id.as_str().into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    });
    let board = Board::new(metas.collect::<Vec<_>>());
    let mut reasons = Vec::new();
    poll::once(projects, &board, &world.clock, &world.common.stats, |_, error| {
        reasons.push(error.map(|error| error.reason));
    })
    .await;
    assert_eq!(reasons, vec![Some(Reason::Auth); 200]);
    let requests = world.control("GET", "requests", json!({})).await;
    assert_eq!(requests["bad_signatures"], 1, "the key is not burned");
}

#[tokio::test]
async fn a_secret_file_that_was_rotated_is_read_again_at_the_first_refusal() {
    let world = world(1, 3).await;
    let folder = Folder::new("rotated-secret-key");
    let file = folder.write("secret", &world.cloud.secret_key);
    let project = world.project(keys(SecretText::File(file.clone())));
    assert_eq!(reason(world.poll(&project).await), Ok(3));

    world.control("PUT", "credentials", json!({ "secret_key": "new-secret-key" })).await;
    std::fs::write(&file, "new-secret-key\n").unwrap();
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    let requests = world.control("GET", "requests", json!({})).await;
    assert_eq!(requests["bad_signatures"], 1);

    world.control("PUT", "credentials", json!({ "secret_key": "another" })).await;
    let before = world.sent("css_connections").await;
    assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
    assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth), "the key is in back-off");
    assert_eq!(world.sent("css_connections").await, before + 1);
}

#[tokio::test]
async fn a_refused_key_is_in_back_off_though_its_file_cannot_be_read_any_more() {
    let world = world(1, 3).await;
    let folder = Folder::new("vanished-secret-key");
    let file = folder.write("secret", &world.cloud.secret_key);
    let project = world.project(keys(SecretText::File(file.clone())));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    std::fs::remove_file(file).unwrap();
    assert_eq!(reason(world.poll(&project).await), Ok(3), "a key that works is kept");
    world.control("PUT", "credentials", json!({ "secret_key": "another" })).await;
    for _ in 0..10 {
        assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
    }
    let requests = world.control("GET", "requests", json!({})).await;
    assert_eq!(requests["bad_signatures"], 1);
}

#[tokio::test]
async fn a_security_token_is_signed_and_sent() {
    let world = world(1, 3).await;
    world.control("PUT", "credentials", json!({ "security_token": "temporary" })).await;
    let with = |token: &str| Source::Static {
        access_key: "SIMAK0123456789ABCDE".into(),
        secret_key: inline(&world.cloud.secret_key),
        security_token: Some(inline(token)),
    };
    assert_eq!(reason(world.poll(&world.project(with("temporary"))).await), Ok(3));
    assert_eq!(reason(world.poll(&world.project(with("stale"))).await), Err(Reason::Auth));
    let environment = Environment::capture(&|name| match name {
        "HUAWEICLOUD_SDK_AK" => Some("SIMAK0123456789ABCDE".into()),
        "HUAWEICLOUD_SDK_SK" => Some(world.cloud.secret_key.clone()),
        "HUAWEICLOUD_SDK_SECURITY_TOKEN" => Some("temporary".into()),
        _ => None,
    });
    let project = world.project(Source::Chain(environment));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
}

#[tokio::test]
async fn a_token_that_expires_at_any_request_of_a_walk_costs_one_refresh() {
    let world = world(1, 2500).await;
    // The project id is looked up first; then there are two walks of two pages.
    for requests_before in 0..5 {
        let project = world.project(password("sim-Password-1"));
        let logins = world.sent("iam_token").await;
        let tokens_end_after = json!({ "tokens_end_after": requests_before });
        world.control("PUT", "credentials", tokens_end_after).await;
        assert_eq!(reason(world.poll(&project).await), Ok(2000), "{requests_before}");
        assert_eq!(world.sent("iam_token").await, logins + 2, "{requests_before}");
    }
}

#[tokio::test]
async fn polls_in_flight_share_one_refresh() {
    let world = world(1, 3).await;
    let project = world.project(password("sim-Password-1"));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    world.control("PUT", "credentials", json!({ "end_tokens": true })).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (project, cluster) = (project.clone(), world.clusters[0].clone());
        tasks.spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
            reason(project.connections(&cluster, budget).await)
        });
    }
    while let Some(polled) = tasks.join_next().await {
        assert_eq!(polled.unwrap(), Ok(3));
    }
    assert_eq!(world.sent("iam_token").await, 2);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_is_in_back_off() {
    let world = world(1, 3).await;
    let project = world.project(password("wrong"));
    assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
    assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
    assert_eq!(world.sent("iam_token").await, 1);
    assert_eq!(world.sent("css_connections").await, 0);
}

#[tokio::test]
async fn a_token_file_is_read_again_when_its_token_is_refused() {
    let world = world(1, 3).await;
    let folder = Folder::new("token-file");
    let file = folder.write("token", world.cloud.log_in().await);
    let project = world.project(Source::Token(SecretText::File(file.clone())));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    world.control("PUT", "credentials", json!({ "end_tokens": true })).await;
    std::fs::write(&file, world.cloud.log_in().await).unwrap();
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    world.control("PUT", "credentials", json!({ "end_tokens": true })).await;
    assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
}

#[tokio::test]
async fn a_wrong_clock_is_told_apart_from_a_wrong_key() {
    let world = world(1, 3).await;
    let project = world.project(keys(inline(&world.cloud.secret_key)));
    let put_clock = async |seconds: i64| {
        world.control("PUT", "clock", json!({ "skew_seconds": seconds })).await;
    };
    put_clock(14 * 60).await;
    assert_eq!(reason(world.poll(&project).await), Ok(3), "14 minutes are within the window");
    put_clock(16 * 60).await;
    assert_eq!(reason(world.poll(&project).await), Err(Reason::ClockSkew));
    let families = world.common.stats.gather();
    let skew = families.iter().find(|family| family.name().ends_with("clock_skew_seconds"));
    let seconds = skew.unwrap().get_metric()[0].get_gauge().get_value();
    assert!((958.0..962.0).contains(&seconds), "{seconds}");
    let sent = world.sent("css_connections").await;
    assert_eq!(reason(world.poll(&project).await), Err(Reason::ClockSkew), "in back-off");
    assert_eq!(world.sent("css_connections").await, sent);
}

/// How many requests to the cloud the metrics have counted with a code.
fn counted(world: &World, code: &str) -> f64 {
    let families = world.common.stats.gather();
    let family = families.iter().find(|family| family.name().ends_with("_api_requests_total"));
    let all = family.unwrap().get_metric().iter();
    let with_code = all.filter(|one| {
        one.get_label().iter().any(|label| label.name() == "code" && label.value() == code)
    });
    with_code.map(|one| one.get_counter().get_value()).sum()
}

#[tokio::test]
async fn during_back_off_the_refusal_that_caused_it_stays() {
    let world = world(1, 3).await;
    let mut settings = world.settings("p", keys(inline("wrong")));
    settings.project_id = ProjectId::parse("0123456789abcdef0123456789abcdef").ok();
    let project = Client::new(settings, &world.common, pacers());
    let Traced { result, trace } = world.poll(&project).await;
    let refusal = result.unwrap_err();
    assert_eq!((refusal.status, refusal.code.as_deref()), (Some(401), Some("APIGW.0301")));
    assert!(refusal.request_id.is_some() && refusal.retry_at.is_some(), "{refusal:?}");
    assert_eq!((trace.requests, counted(&world, "401")), (1, 1.0));
    for _ in 0..3 {
        let Traced { result, trace } = world.poll(&project).await;
        let remembered = result.unwrap_err();
        let retry_at = remembered.retry_at.expect("it says when the key is tried again");
        let left = retry_at.duration_since(world.clock.now()).as_secs();
        assert!((280..=300).contains(&left), "{left}");
        let expected = CloudError { retry_at: Some(retry_at), never_sent: true, ..refusal.clone() };
        assert_eq!(remembered, expected);
        assert_eq!(trace.requests, 0);
    }
    let update = ServiceFields::default();
    let service = ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let budget = Budget { deadline, first_token: None, priority: Priority::Admin };
    let Traced { result, trace } = project.update_service(&service.unwrap(), &update, budget).await;
    let error = result.unwrap_err();
    assert_eq!(error.fate_of_write(&trace), Fate::NotSent);
    assert_eq!(error.code, refusal.code);
    assert_eq!(counted(&world, "401"), 1.0, "what is remembered is no answer of the cloud");
    assert_eq!(world.control("GET", "requests", json!({})).await["bad_signatures"], 1);
}

#[tokio::test]
async fn a_region_that_refuses_a_key_does_not_blind_another() {
    let (north, south) = (world(6, 3).await, world(1, 3).await);
    let project = |world: &World| {
        Client::new(
            world.settings("p", keys(inline(&world.cloud.secret_key))),
            &north.common,
            pacers(),
        )
    };
    let (of_north, of_south) = (project(&north), project(&south));
    assert_eq!(north.cloud.secret_key, south.cloud.secret_key, "one key for both");
    assert_eq!(reason(north.poll(&of_north).await), Ok(3));
    assert_eq!(reason(south.poll(&of_south).await), Ok(3));
    north.control("PUT", "credentials", json!({ "secret_key": "another" })).await;
    let mut polls = tokio::task::JoinSet::new();
    for cluster in north.clusters.clone() {
        let project = of_north.clone();
        polls.spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
            reason(project.connections(&cluster, budget).await)
        });
    }
    assert_eq!(polls.join_all().await, [Err(Reason::Auth); 6]);
    assert_eq!(reason(south.poll(&of_south).await), Ok(3), "the south goes on");
    // Other hosts of the same key that have not said anything yet are asked, one request each.
    let east = world(1, 3).await;
    assert_eq!(reason(east.poll(&project(&east)).await), Ok(3));
}

#[tokio::test]
async fn a_key_that_is_wrong_in_every_region_is_refused_four_times() {
    let first = world(1, 3).await;
    let mut refused = 0;
    for _ in 0..7 {
        let region = world(1, 3).await;
        let mut settings = region.settings("p", keys(inline("wrong")));
        settings.project_id = ProjectId::parse("0123456789abcdef0123456789abcdef").ok();
        let project = Client::new(settings, &first.common, pacers());
        for _ in 0..2 {
            let error = region.poll(&project).await.result.unwrap_err();
            assert_eq!(error.code.as_deref(), Some("APIGW.0301"));
        }
        let requests = region.control("GET", "requests", json!({})).await;
        refused += requests["bad_signatures"].as_u64().unwrap();
    }
    assert_eq!(refused, 4);
}

#[tokio::test]
async fn a_reload_ends_a_back_off_once() {
    let world = world(1, 3).await;
    let project = world.project(keys(inline(&world.cloud.secret_key)));
    let rotate = async |key: &str| {
        world.control("PUT", "credentials", json!({ "secret_key": key })).await;
    };
    let bad_signatures = async || {
        world.control("GET", "requests", json!({})).await["bad_signatures"].as_u64().unwrap()
    };
    rotate("another").await;
    for expected in [1, 2, 2] {
        assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth));
        assert_eq!(bad_signatures().await, expected);
        world.common.guard.reloaded();
    }
    rotate(&world.cloud.secret_key).await;
    assert_eq!(reason(world.poll(&project).await), Err(Reason::Auth), "it goes on to its end");
}

#[tokio::test]
async fn a_cloud_that_fails_the_first_request_of_every_poll_is_read() {
    let world = world(1, 3).await;
    let mut settings = world.settings("p", keys(inline(&world.cloud.secret_key)));
    settings.project_id = ProjectId::parse("5131a7edc1004d0b9c0ffee051a1e5e0").ok();
    for poll in 0..2 {
        // Each project is new, but for the key: it was not judged before the first poll.
        let project = Client::new(settings.clone(), &world.common, pacers());
        let fault = json!({ "faults": [{ "name": "unavailable", "times": 1 }] });
        world.control("PUT", "faults", fault).await;
        let Traced { result, trace } = world.poll(&project).await;
        assert_eq!(result.map(|list| list.connections.len()), Ok(3), "{poll}");
        assert_eq!((trace.requests, trace.retries), (2, 1), "{poll}");
    }
}

#[tokio::test]
async fn an_answer_may_take_all_the_time_that_is_left() {
    let world = world(1, 3).await;
    let project = world.project(keys(inline(&world.cloud.secret_key)));
    assert_eq!(reason(world.poll(&project).await), Ok(3));
    // Two seconds, which is more than half of the time.
    world.control("PUT", "faults", json!({ "faults": [{ "name": "slow" }] })).await;
    let sent = world.sent("css_connections").await;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(3_900);
    let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
    assert_eq!(reason(project.connections(&world.clusters[0], budget).await), Ok(3));
    assert_eq!(world.sent("css_connections").await, sent + 1, "slowness is not asked again");
}

/// A project whose id is known, so that every request is one for a cluster.
fn with_id(world: &World, credentials: Source, common: &Common, pacers: Pacers) -> Client {
    let mut settings = world.settings("p", credentials);
    settings.project_id = ProjectId::parse("5131a7edc1004d0b9c0ffee051a1e5e0").ok();
    Client::new(settings, common, pacers)
}

#[tokio::test]
async fn a_back_off_stops_what_waits_for_its_turn() {
    let close = |css: &Pacer| css.throttled(Some(Duration::from_secs(2)));
    // What waits is the first try, or the second one after a throttling.
    for (retries, fault) in [(0, None), (1, Some(json!({ "name": "throttled", "times": 1 })))] {
        let world = world(1, 3).await;
        let css = fast();
        let own = Pacers { css: css.clone(), vpcep: fast() };
        let source = || keys(inline(&world.cloud.secret_key));
        let waits = with_id(&world, source(), &world.common, own);
        let other = with_id(&world, source(), &world.common, pacers());
        assert_eq!(reason(world.poll(&waits).await), Ok(3), "the host has taken the key");
        let sent = world.sent("css_connections").await;
        match &fault {
            None => close(&css),
            Some(fault) => {
                world.control("PUT", "faults", json!({ "faults": [fault] })).await;
            }
        }
        let (project, cluster) = (waits.clone(), world.clusters[0].clone());
        let waiting = tokio::spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
            project.connections(&cluster, budget).await
        });
        while world.sent("css_connections").await < sent + retries {}
        close(&css);
        world.control("PUT", "credentials", json!({ "secret_key": "rotated" })).await;
        assert_eq!(reason(world.poll(&other).await), Err(Reason::Auth));
        assert!(!waiting.is_finished(), "it still waits");
        let Traced { result, trace } = waiting.await.unwrap();
        let remembered = result.unwrap_err();
        assert_eq!(remembered.code.as_deref(), Some("APIGW.0301"), "{remembered:?}");
        assert!(remembered.retry_at.is_some(), "{remembered:?}");
        assert_eq!(u64::from(trace.requests), retries, "it was not sent any more");
        let requests = world.control("GET", "requests", json!({})).await;
        assert_eq!(requests["bad_signatures"], 1);
    }
}

#[tokio::test]
async fn a_key_with_many_wrong_secrets_is_refused_four_times() {
    let world = world(1, 3).await;
    let mut polls = tokio::task::JoinSet::new();
    for number in 0..8 {
        let source = keys(inline(&format!("wrong-{number}")));
        let project = with_id(&world, source, &world.common, pacers());
        let cluster = world.clusters[0].clone();
        polls.spawn(async move {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
            let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
            reason(project.connections(&cluster, budget).await)
        });
    }
    assert_eq!(polls.join_all().await, [Err(Reason::Auth); 8]);
    let requests = world.control("GET", "requests", json!({})).await;
    assert_eq!(requests["bad_signatures"], 4);
}

#[tokio::test]
async fn a_wrong_password_is_in_back_off_at_every_iam_host() {
    let first = world(1, 3).await;
    let mut logins = 0;
    for _ in 0..3 {
        let region = world(1, 3).await;
        let settings = region.settings("p", password("wrong"));
        let project = Client::new(settings, &first.common, pacers());
        let error = region.poll(&project).await.result.unwrap_err();
        assert_eq!(error.reason, Reason::Auth);
        logins += region.sent("iam_token").await;
    }
    assert_eq!(logins, 1, "a few more would lock the user");
}

#[tokio::test]
async fn the_turn_that_old_credentials_waited_for_is_that_of_new_ones() {
    let world = world(1, 3).await;
    let folder = Folder::new("turn-secret-key");
    let file = folder.write("secret", &world.cloud.secret_key);
    let source = || keys(SecretText::File(file.clone()));
    // A turn every 2.5 s, and time for one.
    let css = Pacer::new(RateLimit { requests_per_second: 0.4, burst: 1 });
    let waits = with_id(&world, source(), &world.common, Pacers { css, vpcep: fast() });
    let other = with_id(&world, source(), &world.common, pacers());
    for project in [&waits, &other] {
        assert_eq!(reason(world.poll(project).await), Ok(3));
    }
    let (project, cluster) = (waits.clone(), world.clusters[0].clone());
    let waiting = tokio::spawn(async move {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(4500);
        let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
        project.connections(&cluster, budget).await
    });
    world.control("PUT", "credentials", json!({ "secret_key": "rotated" })).await;
    assert_eq!(reason(world.poll(&other).await), Err(Reason::Auth));
    std::fs::write(&file, "rotated\n").unwrap();
    let Traced { result, trace } = waiting.await.unwrap();
    assert_eq!(result.map(|list| list.connections.len()), Ok(3));
    assert_eq!((trace.requests, trace.retries), (1, 0), "the old key was not tried");
}

/// The login before it was sent; the change was not.
#[tokio::test]
async fn a_change_that_gets_no_turn_was_not_sent() {
    let world = world(1, 3).await;
    let vpcep = fast();
    vpcep.throttled(Some(Duration::from_secs(60)));
    let source = password("sim-Password-1");
    let project = with_id(&world, source, &world.common, Pacers { css: fast(), vpcep });
    let service = ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88").unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    let budget = Budget { deadline, first_token: None, priority: Priority::Admin };
    let update = ServiceFields::default();
    let Traced { result, trace } = project.update_service(&service, &update, budget).await;
    let error = result.unwrap_err();
    assert!(error.own_limit, "{error:?}");
    assert_eq!((trace.requests, error.fate_of_write(&trace)), (1, Fate::NotSent));
}
