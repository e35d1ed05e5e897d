//! A scraper that only counts bytes.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::Instant,
};

/// One scrape, in milliseconds from the request on.
pub(crate) struct Scrape {
    pub(crate) first: f64,
    pub(crate) whole: f64,
    pub(crate) bytes: usize,
}

fn ask(address: SocketAddr, path: &str, gzip: bool) -> (TcpStream, Instant) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let began = Instant::now();
    let encoding = if gzip { "Accept-Encoding: gzip\r\n" } else { "" };
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{encoding}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    (stream, began)
}

fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// Reads the whole answer.
pub(crate) fn scrape(address: SocketAddr, path: &str, gzip: bool) -> Scrape {
    let (mut stream, began) = ask(address, path, gzip);
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = stream.read(&mut buffer).unwrap();
    let first = since(began);
    // Python's server speaks HTTP/1.0.
    assert_eq!(&buffer[8..13], b" 200 ", "{}", String::from_utf8_lossy(&buffer[..200]));
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return Scrape { first, whole: since(began), bytes },
            more => bytes += more,
        }
    }
}

/// Hangs up after the first byte.
pub(crate) fn first_byte(address: SocketAddr, path: &str, gzip: bool) -> f64 {
    let (mut stream, began) = ask(address, path, gzip);
    stream.read_exact(&mut [0]).unwrap();
    since(began)
}

/// Asks and then takes nothing.
pub(crate) fn stalled(address: SocketAddr, path: &str, gzip: bool) -> TcpStream {
    ask(address, path, gzip).0
}

/// The same at once.
pub(crate) fn held<T: Send>(times: usize, work: impl Fn() -> T + Sync) {
    thread::scope(|scope| {
        for _ in 0..times {
            scope.spawn(&work);
        }
    });
}

/// The body of an answer.
pub(crate) fn body(address: SocketAddr, path: &str, gzip: bool) -> Vec<u8> {
    let mut answer = Vec::new();
    ask(address, path, gzip).0.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    answer.split_off(end + 4)
}

/// Whether somebody listens, and answers with 200.
pub(crate) fn is_fine(address: SocketAddr, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_end(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.1 200 ")
}
