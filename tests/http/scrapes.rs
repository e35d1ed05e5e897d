//! Scrapes of a large page: HEAD, and clients that take nothing of their answers.

use std::time::Duration;

use css_vpcep_exporter::{
    board::{Attempt, Board, ClusterMeta},
    clock::Clock,
    cloud::{Trace, Traced},
    model::{ClusterId, Connection, ConnectionFields, ConnectionList, RegionId, Status},
    web::Limits,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{Server, read_to_end};
use crate::support::process::{is_alone, resident_kib};

/// All of a page is much larger than the system's buffers between two sockets.
const CLUSTERS: u32 = 12;
const CONNECTIONS: u32 = 1000;

fn id(number: u32) -> ClusterId {
    ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012x}")).unwrap()
}

fn connection(number: u32) -> Connection {
    Connection::from(ConnectionFields {
        endpoint_id: &format!("{number:08x}-31a1-40d0-862b-ac85b83ab2da"),
        status: Status::Accepted,
        max_sessions: Some(3000),
        created: None,
        updated: None,
        specification_name: "default",
        domain_id: "db9b76a0d9ae431f8e85e89da2ca867c",
        ip: "10.0.0.1",
        ipv6: "",
        dns_name: &"x".repeat(250),
    })
}

/// An exporter that polled everything once.
async fn exporter(limits: Limits) -> Server {
    let clock = Clock::system();
    let board = Board::new((0..CLUSTERS).map(|number| ClusterMeta {
        id: id(number),
        name: "logs".into(),
        project: "prod".into(),
        region: RegionId::parse("cn-north-4").unwrap(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }));
    for number in 0..CLUSTERS {
        let list = ConnectionList {
            connections: (0..CONNECTIONS).map(connection).collect(),
            ..ConnectionList::service_not_enabled()
        };
        let outcome = Traced { result: Ok(list.into()), trace: Trace::default() };
        let attempt = Attempt { at: clock.now(), duration: Duration::from_millis(5), outcome };
        board.record(&id(number), attempt, clock.now());
    }
    Server::showing(board, clock, limits).await
}

fn request(method: &str, encoding: &str) -> String {
    format!(
        "{method} /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let server = exporter(Limits::PUBLIC).await;
    for encoding in ["identity", "gzip"] {
        let answer = async |method| {
            let mut stream = server.send(&request(method, encoding)).await;
            read_to_end(&mut stream).await
        };
        // The exporter counts its own answers, so lengths may differ by some digits.
        let headers = |answer: &str| {
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            let (mut lines, mut length) = (Vec::new(), 0_usize);
            for line in head.lines() {
                match line.strip_prefix("content-length: ") {
                    Some(number) => length = number.parse().unwrap(),
                    None if line.starts_with("date: ") => {}
                    None => lines.push(line.to_owned()),
                }
            }
            (lines, length)
        };
        // The families of the route's own metrics are there from the second answer on.
        answer("HEAD").await;
        let (head, get) = (answer("HEAD").await, answer("GET").await);
        let ((head_lines, head_length), (get_lines, get_length)) = (headers(&head), headers(&get));
        assert_eq!(head_lines, get_lines);
        assert!(head_length > 10_000 && head_length.abs_diff(get_length) < 500, "{get_length}");
        assert!(head.ends_with("\r\n\r\n"), "no body");
    }
}

/// A client that asks and then takes nothing.
async fn stalled(server: &Server, encoding: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // As small as the system allows.
    socket.set_recv_buffer_size(1024).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    stream.write_all(request("GET", encoding).as_bytes()).await.unwrap();
    let mut byte = [0; 1];
    stream.read_exact(&mut byte).await.unwrap();
    stream
}

/// Longer than all scrapers of a test need to connect.
const FOR_EVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn scrapers_that_take_nothing_share_one_page() {
    const STALLED: usize = 300;
    /// One inflated piece, what a connection needs anyway, and as much again for chance. A page of its own
    /// would be a hundred times as much.
    const EACH_KIB: u64 = 128;
    if !is_alone("http::scrapes::scrapers_that_take_nothing_share_one_page") {
        return;
    }
    let limits = Limits { connections: 400, write: FOR_EVER, patience: FOR_EVER, ..Limits::PUBLIC };
    let server = exporter(limits).await;
    let mut first = server.send(&request("GET", "identity")).await;
    let page = read_to_end(&mut first).await.len() as u64;
    drop(first);
    assert!(page > 10 * 1024 * 1024, "{page}");
    let before = resident_kib("self");
    let mut clients = Vec::new();
    for number in 0..STALLED {
        clients.push(stalled(&server, if number % 10 == 0 { "identity" } else { "gzip" }).await);
    }
    let more = resident_kib("self").saturating_sub(before);
    println!("{STALLED} stalled scrapers of {page} bytes: {more} KiB more");
    assert!(more < STALLED as u64 * EACH_KIB, "{more}");
    let answer = server.get("/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "another scraper is served");
}

#[tokio::test]
async fn scrapers_that_hold_too_much_give_way() {
    const STALLED: usize = 30;
    /// Enough for at least 4 scrapers that hold two inflated pieces, and at most 8 that hold one.
    const UNSENT: u64 = 256 * 1024;
    let patience = Duration::from_millis(200);
    let limits = Limits { unsent_bytes: UNSENT, patience, write: FOR_EVER, ..Limits::PUBLIC };
    let server = exporter(limits).await;
    let whole = server.get("/metrics").await.len();
    let mut clients = Vec::new();
    for _ in 0..STALLED {
        clients.push(stalled(&server, "identity").await);
    }
    tokio::time::sleep(2 * patience).await;
    // The exporter's own metrics grow a little.
    let is_whole = |answer: String| answer.len().abs_diff(whole) < 10_000;
    assert!(is_whole(server.get("/metrics").await), "another scraper is served");
    let mut served = 0;
    for client in &mut clients {
        served += usize::from(is_whole(read_to_end(client).await));
    }
    assert!((3..=9).contains(&served), "{served}");
}
