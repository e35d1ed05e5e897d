//! The collection: CPU time of the client for each connection that it reads, against a server that
//! answers prepared bytes, and against a client that reads the same answers and drops them.
//!
//! `cargo bench --bench collection` measures; `cargo bench --bench collection -- serve-pages --port 0
//! --clusters 1000 --connections 100 --bodies 4` only serves, for other clients: it prints its
//! address and reads requests signed or not. Each request for a cluster takes the next of its bodies,
//! so one body is a cluster that never changes.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

#[path = "support/mod.rs"]
mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use css_vpcep_exporter::{
    board::Board,
    clock::Clock,
    cloud::CloudError,
    exposition::Store,
    huawei::{
        Client, Common, Pacers, Settings,
        credentials::{SecretText, Source},
        endpoints::{BaseUrl, Endpoints},
        network::Network,
        paging::Paging,
        transport::Transport,
    },
    model::{ClusterId, ProjectId, RegionId},
    pacing::{Pacer, RateLimit},
    poll,
    secret::Secret,
    stats::Stats,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const PROJECT_ID: &str = "6e9dfd51d1124e8d8498dce894923a0d";
/// Polls, or requests, in flight.
const CONCURRENCY: usize = 8;
/// CPU time after which a figure is steady.
const ENOUGH: Duration = Duration::from_millis(1500);
/// Bodies of a cluster that changes with each poll.
const BODIES: u32 = 4;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = args.iter().position(|arg| arg == name);
        at.map_or(default, |at| args[at + 1].parse().unwrap())
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if args.iter().any(|arg| arg == "serve-pages") {
        let (clusters, connections) = (number("--clusters", 1000), number("--connections", 100));
        let bodies = number("--bodies", 1) as u32;
        let port = number("--port", 0) as u16;
        runtime.block_on(serve(port, clusters, connections, bodies));
        return;
    }
    if let Some(at) = args.iter().position(|arg| arg == "profile") {
        // Against a server that runs already, for a profiler: `profile <URL>`.
        let server = Server {
            process: None,
            url: args[at + 1].clone(),
            clusters: number("--clusters", 1000),
            connections: number("--connections", 100),
        };
        runtime.block_on(collect(&server, args.iter().any(|arg| arg == "--page")));
        return;
    }
    println!("CPU of the client, µs a connection");
    println!("{:<16}{:<11}{:>9}{:>9}{:>11}", "clusters", "pages", "floor", "board", "and page");
    for (clusters, connections) in [(1000, 100), (20, 1000)] {
        for (bodies, pages) in [(BODIES, "changed"), (1, "unchanged")] {
            let server = Server::start(clusters, connections, bodies);
            let rows = (clusters * connections) as f64;
            let micros = |round: Duration| round.as_secs_f64() * 1e6 / rows;
            let floor = micros(runtime.block_on(floor(&server)));
            let board = micros(runtime.block_on(collect(&server, false)));
            let page = micros(runtime.block_on(collect(&server, true)));
            let size = format!("{clusters} × {connections}");
            println!("{size:<16}{pages:<11}{floor:>9.3}{board:>9.3}{page:>11.3}");
            let line = json!({
                "clusters": clusters, "connections": connections, "pages": pages,
                "floor_us": floor, "board_us": board, "board_and_page_us": page,
            });
            println!("{line}");
        }
    }
}

/// A server in a process of its own, so that its time is not ours.
struct Server {
    process: Option<Child>,
    url: String,
    clusters: usize,
    connections: usize,
}

impl Server {
    fn start(clusters: usize, connections: usize, bodies: u32) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["serve-pages", "--port", "0", "--clusters", &clusters.to_string()])
            .args(["--connections", &connections.to_string(), "--bodies", &bodies.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        Self { process: Some(process), url: url.trim().to_owned(), clusters, connections }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The mean CPU time of a round, after one that warms up.
async fn mean<F: Future<Output = ()>>(mut round: impl FnMut() -> F) -> Duration {
    round().await;
    let start = cpu_time();
    let mut rounds = 0;
    while cpu_time() - start < ENOUGH {
        round().await;
        rounds += 1;
    }
    (cpu_time() - start) / rounds
}

/// The CPU time of all threads of this process, to the nanosecond (proc_pid_schedstat).
fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// Reads all pages and drops them.
async fn floor(server: &Server) -> Duration {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    mean(async || {
        let next = Arc::new(AtomicU32::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CONCURRENCY {
            let (http, next) = (http.clone(), next.clone());
            let (url, clusters) = (server.url.clone(), server.clusters);
            tasks.spawn(async move {
                loop {
                    let cluster = next.fetch_add(1, Ordering::Relaxed) as usize;
                    if cluster >= clusters {
                        break;
                    }
                    let id = support::id(cluster);
                    let path = format!("clusters/{id}/vpcepservice/connections");
                    let url = format!("{url}/v1.0/{PROJECT_ID}/{path}?limit=1000&offset=0");
                    let mut response = http.get(url).send().await.unwrap();
                    while response.chunk().await.unwrap().is_some() {}
                }
            });
        }
        tasks.join_all().await;
    })
    .await
}

/// Polls all clusters, to the board, and with `page` on to a page with all of its blocks made.
async fn collect(server: &Server, page: bool) -> Duration {
    let clock = Clock::system();
    let stats = Arc::new(Stats::default());
    stats.add_project("production");
    let transport = Arc::new(Transport::new(clock.clone(), stats.clone()).unwrap());
    let common =
        Common { transport, guard: Arc::default(), metadata: Arc::default(), stats: stats.clone() };
    let pacer = || Pacer::new(RateLimit { requests_per_second: 1e9, burst: 1_000_000 });
    let pacers = Pacers { css: pacer(), vpcep: pacer() };
    let css_pacer = pacers.css.clone();
    let url = BaseUrl::parse(&server.url).unwrap();
    let settings = Settings {
        name: "production".into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        project_id: Some(ProjectId::parse(PROJECT_ID).unwrap()),
        domain_id: None,
        network: Network::default(),
        endpoints: Endpoints { css: url.clone(), vpcep: url.clone(), iam: url.clone(), sts: url },
        credentials: Source::Static {
            access_key: "SIMAK0123456789ABCDE".into(),
            secret_key: SecretText::Inline(Secret::new("a-secret-key-of-forty-characters-length")),
            security_token: None,
        },
        paging: Paging::default(),
    };
    let cloud = Client::new(settings, &common, pacers);
    let board = Board::new((0..server.clusters).map(support::meta));
    let store = Store::default();
    let every = Duration::from_secs(60);
    let mean = mean(async || {
        let project = poll::Target {
            name: "production".into(),
            region: RegionId::parse("cn-north-4").unwrap(),
            cloud: cloud.clone(),
            pacer: css_pacer.clone(),
            concurrency: CONCURRENCY,
            timeout: Duration::from_secs(30),
            discovery: None,
            clusters: (0..server.clusters).map(|number| (support::id(number), every)).collect(),
        };
        let (on, by, told) = (board.clone(), clock.clone(), stats.clone());
        // As a task among the others, as the daemon has it: else each poll's end wakes a thread.
        let round = async move {
            let ended = |_: &ClusterId, error: Option<&CloudError>| assert_eq!(error, None);
            poll::once(vec![project], &on, &by, &told, ended).await;
        };
        tokio::spawn(round).await.unwrap();
        if page {
            store.page(&board, &support::SETTINGS, clock.now());
        }
    })
    .await;
    for state in board.snapshot().clusters() {
        let list = &state.observation.as_ref().unwrap().list;
        assert!(list.complete && list.connections.len() == server.connections);
    }
    mean
}

/// Answers `GET /v1.0/{project}/clusters/{cluster}/vpcepservice/connections` for the clusters of
/// [`support::id`], and anything else with 404.
async fn serve(port: u16, clusters: usize, connections: usize, bodies: u32) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let pages: Vec<_> = (0..clusters)
        .map(|cluster| Pages {
            bodies: (0..bodies)
                .map(|round| {
                    http_answer("200 OK", &support::body(cluster, connections, round.into()))
                })
                .collect(),
            served: AtomicU32::new(0),
        })
        .collect();
    let pages = Arc::new(pages);
    println!("http://{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(talk(stream, pages.clone()));
    }
}

/// The answers for one cluster.
struct Pages {
    bodies: Vec<Vec<u8>>,
    served: AtomicU32,
}

async fn talk(mut stream: TcpStream, pages: Arc<Vec<Pages>>) {
    stream.set_nodelay(true).unwrap();
    let empty = http_answer("200 OK", br#"{"connections":[],"total_count":0}"#);
    let unknown = http_answer("404 Not Found", br#"{"errCode":"CSS.0015"}"#);
    let mut request = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let Ok(read @ 1..) = stream.read(&mut chunk).await else { return };
        request.extend_from_slice(&chunk[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let line = String::from_utf8_lossy(request.split(|&byte| byte == b'\r').next().unwrap());
        let id = line.split("/clusters/").nth(1).and_then(|rest| rest.get(24..36));
        let pages = id
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .and_then(|number| pages.get(number));
        let first = !line.contains("offset=") || line.contains("offset=0");
        let answer = match pages {
            Some(pages) if first => {
                let served = pages.served.fetch_add(1, Ordering::Relaxed) as usize;
                &pages.bodies[served % pages.bodies.len()]
            }
            Some(_) => &empty,
            None => &unknown,
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
        request.clear();
    }
}

fn http_answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
         date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         x-request-id: 9a5e0c4b1f0d4a6fb3d1b1d0f9f5b0d1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
