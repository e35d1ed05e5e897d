//! Clients that are slow, silent, greedy or too many, and the end of the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    routing::{get, post},
};
use css_vpcep_exporter::web::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{LONG, Server, read_answer, read_to_end};

pub(super) const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
pub(super) const GET_LARGE: &str = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
/// More than the system's buffers between two sockets hold.
pub(super) const LARGE: usize = 32 * 1024 * 1024;

/// Limits under which nothing ends by itself while a test runs.
pub(super) const PATIENT: Limits =
    Limits { header: LONG, idle: LONG, body: LONG, write: LONG, drain: LONG, ..Limits::PUBLIC };

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn router() -> Router {
    let large = Bytes::from(vec![b'x'; LARGE]);
    Router::new()
        .route("/", get(async || "hello"))
        .route("/large", get(async move || large))
        .route(
            "/slow",
            get(async || {
                sleep(millis(1000)).await;
                "slow"
            }),
        )
        .route("/size", post(async |body: Bytes| body.len().to_string()))
}

/// Sends the bytes one by one until the other side has enough.
async fn drip(stream: &mut TcpStream, bytes: &str, pause: Duration) {
    for byte in bytes.as_bytes() {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        sleep(pause).await;
    }
}

#[tokio::test]
async fn a_header_must_be_there_in_time() {
    let limits = Limits { header: millis(300), ..PATIENT };
    let server = Server::start(router(), limits).await;
    for start in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let began = Instant::now();
        let mut stream = server.send(start).await;
        assert_eq!(read_to_end(&mut stream).await, "", "{start}");
        let took = began.elapsed();
        assert!(took >= millis(290) && took < millis(3000), "{start}: {took:?}");
    }

    let began = Instant::now();
    let mut stream = server.connect().await;
    let slow = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}", "y".repeat(1000));
    drip(&mut stream, &slow, millis(20)).await;
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(began.elapsed() < millis(5000), "{:?}", began.elapsed());
}

/// While the machine stands still, one client has asked, and another wants its place.
#[tokio::test]
async fn who_has_asked_does_not_give_way_although_nobody_had_the_time_to_look() {
    let limits = Limits { connections: 1, patience: millis(50), ..PATIENT };
    let server = Server::start(router(), limits).await;
    let mut first = server.send(GET).await;
    read_answer(&mut first).await;
    let second = std::net::TcpStream::connect(server.address).unwrap();
    assert_eq!(first.try_write(GET.as_bytes()).unwrap(), GET.len());
    // There is one thread for everything here.
    std::thread::sleep(millis(200));
    assert!(read_answer(&mut first).await.ends_with("hello"));
    drop(second);
}

#[tokio::test]
async fn a_kept_connection_may_rest_longer_but_not_for_ever() {
    let limits = Limits { header: millis(200), idle: millis(800), ..PATIENT };
    let server = Server::start(router(), limits).await;
    let mut stream = server.send(GET).await;
    assert!(read_answer(&mut stream).await.ends_with("hello"));
    sleep(millis(400)).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    assert!(read_answer(&mut stream).await.ends_with("hello"), "longer than a header may take");
    let began = Instant::now();
    assert_eq!(read_to_end(&mut stream).await, "");
    let took = began.elapsed();
    assert!(took >= millis(700) && took < millis(3000), "{took:?}");

    let mut stream = server.send(GET).await;
    read_answer(&mut stream).await;
    let began = Instant::now();
    stream.write_all(b"GET /").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(began.elapsed() < millis(700), "half a header counts as a header");
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_deadline() {
    let limits = Limits { body: millis(300), body_bytes: 1000, ..PATIENT };
    let server = Server::start(router(), limits).await;
    let post = |length: &str| format!("POST /size HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n");
    let fits = post("Content-Length: 1000") + &"x".repeat(1000);
    assert!(read_answer(&mut server.send(&fits).await).await.ends_with("\r\n\r\n1000"));

    let too_long = read_to_end(&mut server.send(&post("Content-Length: 1001")).await).await;
    assert!(too_long.starts_with("HTTP/1.1 413 "), "{too_long}");
    let chunks = post("Transfer-Encoding: chunked") + "3e9\r\n" + &"x".repeat(1001) + "\r\n";
    let too_long = read_to_end(&mut server.send(&chunks).await).await;
    assert!(too_long.starts_with("HTTP/1.1 413 "), "{too_long}");

    let began = Instant::now();
    let half = post("Content-Length: 10") + "12345";
    let too_late = read_to_end(&mut server.send(&half).await).await;
    assert!(too_late.starts_with("HTTP/1.1 400 "), "{too_late}");
    let took = began.elapsed();
    assert!(took >= millis(290) && took < millis(3000), "{took:?}");
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_not_waited_for() {
    let server = Server::start(router(), PATIENT).await;
    let request = "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\nsome of it";
    let began = Instant::now();
    let answer = read_to_end(&mut server.send(request).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(began.elapsed() < millis(3000));
}

#[tokio::test]
async fn an_answer_may_take_its_time_but_must_get_on() {
    let limits = Limits { write: millis(400), ..PATIENT };
    let server = Server::start(router(), limits).await;
    let mut stalled = server.send(GET_LARGE).await;
    let mut steady = server.send(GET_LARGE).await;

    let began = Instant::now();
    let (mut taken, mut buffer) = (0, vec![0; LARGE / 16]);
    while taken < LARGE {
        let read = steady.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "cut after {taken} bytes");
        taken += read;
        sleep(millis(50)).await;
    }
    assert!(began.elapsed() > millis(600), "it took longer than the client may rest");
    assert!(read_to_end(&mut stalled).await.len() < LARGE, "the stalled one was cut");
}

#[tokio::test]
async fn a_thousand_silent_or_dripping_sockets_do_not_keep_a_scraper_out() {
    allow_many_sockets();
    let server = Server::start(router(), Limits::PUBLIC).await;
    let mut strangers = Vec::new();
    for number in 0..1000 {
        let mut stream = server.connect().await;
        strangers.push(tokio::spawn(async move {
            if number % 2 == 0 {
                drip(&mut stream, &GET.repeat(100).replace("\r\n\r\n", "\r\n"), millis(200)).await;
            }
            read_to_end(&mut stream).await
        }));
    }
    for _ in 0..5 {
        let began = Instant::now();
        assert!(server.get("/").await.ends_with("hello"));
        assert!(began.elapsed() < millis(5000), "{:?}", began.elapsed());
    }
    for stranger in strangers {
        stranger.abort();
    }
}

/// The usual limit is about a thousand files; the clients of a test are in one process.
pub(super) fn allow_many_sockets() {
    let pid = std::process::id().to_string();
    let raised =
        std::process::Command::new("prlimit").args(["--nofile=4096:", "--pid", &pid]).status();
    assert!(raised.is_ok_and(|status| status.success()), "prlimit (util-linux) raises the limit");
}

#[tokio::test]
async fn who_is_being_served_does_not_give_way() {
    let limits = Limits { connections: 2, patience: millis(100), ..PATIENT };
    let server = Server::start(router(), limits).await;
    let mut served = server.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(millis(100)).await;
    let mut silent = server.connect().await;
    sleep(millis(200)).await;
    assert!(server.get("/").await.ends_with("hello"));
    assert_eq!(read_to_end(&mut silent).await, "");
    assert!(read_answer(&mut served).await.ends_with("slow"));
}

#[tokio::test]
async fn answers_that_nobody_takes_do_not_pile_up() {
    let limits = Limits { unsent_bytes: 2 * LARGE as u64, patience: millis(100), ..PATIENT };
    let server = Server::start(router(), limits).await;
    let mut stalled = Vec::new();
    for _ in 0..5 {
        stalled.push(server.send(GET_LARGE).await);
        sleep(millis(150)).await;
    }
    let (first, last) = stalled.split_at_mut(3);
    for stream in first {
        assert!(read_to_end(stream).await.len() < LARGE, "the oldest are cut");
    }
    let mut buffer = vec![0; LARGE];
    for stream in last {
        stream.read_exact(&mut buffer).await.expect("the newest are not");
    }
}

/// A client may send many requests at once and take no answer: they must not all be answered.
#[tokio::test]
async fn requests_sent_ahead_wait_until_answers_are_taken() {
    let handled = Arc::new(AtomicUsize::new(0));
    let counter = handled.clone();
    let large = Bytes::from(vec![b'x'; LARGE]);
    let handler = async move || {
        counter.fetch_add(1, Ordering::Relaxed);
        large
    };
    let server = Server::start(Router::new().route("/", get(handler)), PATIENT).await;
    let _greedy = server.send(&GET.repeat(50)).await;
    sleep(millis(500)).await;
    assert_eq!(handled.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn at_the_end_idle_clients_go_at_once() {
    let server = Server::start(router(), PATIENT).await;
    let mut idle = server.send(GET).await;
    read_answer(&mut idle).await;
    let mut half = server.send("GET / HTT").await;
    let mut silent = server.connect().await;
    sleep(millis(100)).await;
    let began = Instant::now();
    server.stop().await.unwrap();
    assert!(began.elapsed() < millis(1000), "{:?}", began.elapsed());
    for stream in [&mut idle, &mut half, &mut silent] {
        assert_eq!(read_to_end(stream).await, "");
    }
}

#[tokio::test]
async fn at_the_end_answers_under_way_are_finished() {
    let server = Server::start(router(), PATIENT).await;
    let mut waiting = server.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut taking = server.send(GET_LARGE).await;
    sleep(millis(100)).await;
    let ended = server.stop();
    assert!(read_to_end(&mut waiting).await.ends_with("slow"));
    assert!(read_to_end(&mut taking).await.len() > LARGE);
    ended.await.unwrap();
}

#[tokio::test]
async fn at_the_end_a_stalled_client_is_not_waited_for_long() {
    let limits = Limits { drain: millis(400), ..PATIENT };
    let server = Server::start(router(), limits).await;
    let mut stalled = server.send(GET_LARGE).await;
    sleep(millis(100)).await;
    let began = Instant::now();
    server.stop().await.unwrap();
    let took = began.elapsed();
    assert!(took >= millis(390) && took < millis(2000), "{took:?}");
    assert!(read_to_end(&mut stalled).await.len() < LARGE);
}

/// Cargo unifies features: any dependency can switch HTTP/2 on in hyper. It must stay off here.
#[tokio::test]
async fn nobody_speaks_http_2() {
    let server = Server::start(router(), Limits { header: millis(500), ..PATIENT }).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let answer = read_to_end(&mut server.send(preface).await).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 "), "{answer:?}");

    let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    assert!(read_answer(&mut server.send(upgrade).await).await.starts_with("HTTP/1.1 200 "));
}
