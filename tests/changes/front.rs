//! Somebody between the daemon and the cloud, who passes requests on, or spoils what becomes of them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

use super::ledger::Put;
use crate::support::{daemon::sha256, eventually};

/// An answer that does not come from the cloud.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    pub(crate) status: u16,
    pub(crate) headers: &'static str,
    pub(crate) body: String,
}

impl Says {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: "", body: body.into() }
    }
}

/// What becomes of a PUT, or of a POST about connections.
#[derive(Clone, Debug)]
pub(crate) enum Puts {
    PassedOn,
    /// The cloud never sees it.
    Answered(Says),
    /// The cloud has done it; its answer is replaced.
    DoneAndAnswered(Says),
    /// The cloud never sees it, and nobody answers.
    Swallowed,
    /// The cloud has done it, and nobody answers.
    DoneInSilence,
    /// The cloud sees it a little later.
    Late,
    /// The cloud sees it once it is let go.
    Held,
}

/// What becomes of the reading of one service, or of a cluster's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    PassedOn,
    /// Nobody answers.
    Held,
    /// Nobody answers once there was a PUT.
    HeldAfterPut,
    /// 503 once there was a PUT.
    FailingAfterPut,
    /// The first is the last request that this port ever answers.
    Last,
    /// It takes a little longer.
    Late,
}

/// What a little is: many times what a change takes otherwise.
const A_LITTLE: Duration = Duration::from_millis(300);

#[derive(Debug)]
struct Plan {
    puts: Puts,
    reads: Reads,
    reads_seen: usize,
    /// PUTs that arrived whole.
    puts_seen: usize,
    /// Those that the cloud has answered.
    puts_done: usize,
    /// The body of the last one.
    last_put: String,
    /// Those that the cloud never saw.
    kept: Vec<(String, String)>,
}

/// The one in the middle.
pub(crate) struct Front {
    pub(crate) url: String,
    plan: Arc<Mutex<Plan>>,
    held: watch::Sender<bool>,
    task: AbortHandle,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    pub(crate) async fn before(cloud: &str) -> Self {
        let cloud: SocketAddr =
            cloud.trim_start_matches("http://").parse().expect("an address of this machine");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it has one"));
        let plan = Arc::new(Mutex::new(Plan {
            puts: Puts::PassedOn,
            reads: Reads::PassedOn,
            reads_seen: 0,
            puts_seen: 0,
            puts_done: 0,
            last_put: String::new(),
            kept: Vec::new(),
        }));
        let (held, holding) = watch::channel(false);
        let task = tokio::spawn(accept(listener, cloud, plan.clone(), holding)).abort_handle();
        Self { url, plan, held, task }
    }

    pub(crate) fn set(&self, puts: Puts, reads: Reads) {
        let mut plan = self.plan.lock().unwrap();
        (plan.puts, plan.reads) = (puts, reads);
        (plan.puts_seen, plan.puts_done, plan.reads_seen) = (0, 0, 0);
        self.held.send_replace(true);
    }

    /// From now on no PUT is held.
    pub(crate) fn let_go(&self) {
        self.held.send_replace(false);
    }

    /// PUTs that arrived and are not done.
    pub(crate) fn held_now(&self) -> usize {
        let plan = self.plan.lock().unwrap();
        plan.puts_seen - plan.puts_done
    }

    pub(crate) async fn until_reads_seen(&self, count: usize) {
        self.until("a reading", |plan| plan.reads_seen >= count).await;
    }

    pub(crate) async fn until_put_seen(&self) {
        self.until("a PUT", |plan| plan.puts_seen > 0).await;
    }

    pub(crate) async fn until_put_done(&self) {
        self.until("a PUT that is done", |plan| plan.puts_done > 0).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Plan) -> bool) {
        eventually(what, async || {
            let plan = self.plan.lock().unwrap();
            if is_so(&plan) { Ok(()) } else { Err(format!("{plan:?}")) }
        })
        .await;
    }

    /// The body of the last PUT.
    pub(crate) fn last_put(&self) -> String {
        self.plan.lock().unwrap().last_put.clone()
    }

    /// The PUTs that the cloud never saw.
    pub(crate) fn kept(&self) -> Vec<Put> {
        let plan = self.plan.lock().unwrap();
        let put = |(service, body_sha256): &(String, String)| Put {
            service: service.clone(),
            body_sha256: body_sha256.clone(),
            applied: false,
            request_id: Some(REQUEST_ID.to_owned()),
        };
        plan.kept.iter().map(put).collect()
    }
}

const REQUEST_ID: &str = "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0";

async fn accept(
    listener: TcpListener,
    cloud: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    held: watch::Receiver<bool>,
) {
    let (close, mut closing) = watch::channel(false);
    let (closed, _) = watch::channel(false);
    let close = Arc::new(close);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("it listens");
                let (close, closed) = (close.clone(), closed.subscribe());
                let end = End { close, closed, held: held.clone() };
                tokio::spawn(converse(stream, cloud, plan.clone(), end));
            }
            _ = closing.wait_for(|close| *close) => break,
        }
    }
    drop(listener);
    closed.send_replace(true);
    closed.closed().await;
}

/// The end of listening, and of holding.
struct End {
    close: Arc<watch::Sender<bool>>,
    closed: watch::Receiver<bool>,
    held: watch::Receiver<bool>,
}

async fn converse(mut stream: TcpStream, cloud: SocketAddr, plan: Arc<Mutex<Plan>>, mut end: End) {
    while let Some(request) = message(&mut stream).await {
        let text = String::from_utf8_lossy(&request).into_owned();
        let line = text.lines().next().unwrap_or_default();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let about_connections = path.strip_suffix("/vpcepservice/connections");
        // The service, or the cluster.
        let service = about_connections.unwrap_or(path).rsplit('/').next().unwrap_or_default();
        let service = service.to_owned();
        let is_put =
            line.starts_with("PUT ") || line.starts_with("POST ") && about_connections.is_some();
        let answer = if is_put {
            let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            let digest = sha256(body);
            let puts = {
                let mut plan = plan.lock().unwrap();
                plan.puts_seen += 1;
                body.clone_into(&mut plan.last_put);
                if matches!(plan.puts, Puts::Answered(_) | Puts::Swallowed) {
                    plan.kept.push((service, digest));
                }
                plan.puts.clone()
            };
            match puts {
                Puts::Late => tokio::time::sleep(A_LITTLE).await,
                Puts::Held => {
                    end.held.wait_for(|held| !held).await.expect("somebody lets go");
                }
                _ => {}
            }
            let done = match puts {
                Puts::Late
                | Puts::Held
                | Puts::PassedOn
                | Puts::DoneAndAnswered(_)
                | Puts::DoneInSilence => Some(pass_on(cloud, &request).await),
                Puts::Answered(_) | Puts::Swallowed => None,
            };
            plan.lock().unwrap().puts_done += usize::from(done.is_some());
            match (puts, done) {
                (Puts::PassedOn | Puts::Late | Puts::Held, Some(answer)) => answer,
                (Puts::DoneAndAnswered(says), Some(answer)) => written(&says, &request_id(&answer)),
                (Puts::Answered(says), _) => written(&says, REQUEST_ID),
                _ => std::future::pending().await,
            }
        } else if line.starts_with("GET ") && service.len() == 36 {
            let (reads, put) = {
                let mut plan = plan.lock().unwrap();
                plan.reads_seen += 1;
                (plan.reads, plan.puts_seen > 0)
            };
            match reads {
                Reads::Held => std::future::pending().await,
                Reads::HeldAfterPut if put => std::future::pending().await,
                Reads::Late => {
                    tokio::time::sleep(A_LITTLE).await;
                    pass_on(cloud, &request).await
                }
                Reads::FailingAfterPut if put => written(&Says::new(503, ""), REQUEST_ID),
                Reads::Last => {
                    let answer = pass_on(cloud, &request).await;
                    end.close.send_replace(true);
                    end.closed.wait_for(|closed| *closed).await.expect("it closes");
                    let answer = String::from_utf8(answer).expect("JSON is text");
                    let closing = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                    let _ = stream.write_all(closing.as_bytes()).await;
                    return;
                }
                _ => pass_on(cloud, &request).await,
            }
        } else {
            pass_on(cloud, &request).await
        };
        // Nothing where the cloud closed the connection.
        if answer.is_empty() || stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn request_id(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let id = text.lines().find_map(|line| line.strip_prefix("X-Request-Id: "));
    id.unwrap_or_else(|| panic!("the cloud names every request: {text}")).to_owned()
}

fn written(Says { status, headers, body }: &Says, request_id: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Said\r\nx-request-id: {request_id}\r\ncontent-length: {length}\r\n\
         {headers}\r\n{body}"
    )
    .into_bytes()
}

async fn pass_on(cloud: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(cloud).await.expect("the cloud listens");
    stream.write_all(request).await.expect("the cloud reads");
    message(&mut stream).await.unwrap_or_default()
}

/// Head and body of one message; `None` where the stream ends before it does.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = head + length.map_or(0, |length| length.trim().parse().expect("a number"));
    while bytes.len() < whole {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(bytes)
}
