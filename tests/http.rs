//! What is served over HTTP, seen from the outside of a real socket.

mod admin;
mod formats;
mod listener;
mod metrics;
mod pages;
mod scrapes;
mod store;
mod tls;
mod tls_clients;
mod tls_rotation;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use css_vpcep_exporter::{
    board::{Board, ServiceBoard},
    clock::Clock,
    exposition::{Settings, Store},
    public::{self, Events, Live, Readiness, Shared},
    stats::Stats,
    web::{Bound, Limits, Web, WebSettings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

/// Longer than anything here takes: a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, limits: Limits) -> Self {
        Self::start_with(router, limits, watch::channel(WebSettings::default()).1).await
    }

    /// The public listener of an exporter with this board, which nobody polls.
    async fn showing(board: Board, clock: Clock, limits: Limits) -> Self {
        let stats = Arc::new(Stats::default());
        let exposition = Settings {
            stale_after: Duration::from_secs(900),
            per_connection: true,
            per_connection_limit: 1000,
        };
        let live = watch::channel(Live::of(&exposition, String::new())).1;
        let (services, pages) = (ServiceBoard::new([]), Store::default());
        let events = Events::new(clock.now());
        let shared = Shared { board, services, pages, events, live, stats, clock };
        let readiness = Readiness::from_now();
        let web = watch::channel(WebSettings::default()).1;
        Self::start(public::router(shared, readiness, "/metrics", None, web), limits).await
    }

    async fn start_with(router: Router, limits: Limits, web: Web) -> Self {
        let bound = Bound::listen(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = bound.address();
        let (stop, stopped) = oneshot::channel();
        let serving = bound.with_limits(limits).with_web(web).serve(router, async {
            let _ = stopped.await;
        });
        Self { address, stop, task: tokio::spawn(serving) }
    }

    async fn connect(&self) -> TcpStream {
        timeout(LONG, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }

    /// A new connection that has sent this.
    async fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    /// The answer to a request on a connection of its own.
    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        read_to_end(&mut self.send(&request).await).await
    }

    /// Begins the end.
    fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }
}

/// Everything until the other side closes, well or not.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer with a `Content-Length` on a connection that stays open.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = timeout(LONG, stream.read(&mut buffer)).await.expect("an answer comes").unwrap();
        assert_ne!(read, 0, "the connection ended: {text}");
        text += &String::from_utf8_lossy(&buffer[..read]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}
