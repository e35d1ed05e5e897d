//! TLS on a real socket: who is believed, what is refused, and in what time.

use std::{fs, io, path::PathBuf, sync::Arc};

use css_vpcep_exporter::{config::load_web, web::Limits};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        sign::{CertifiedKey, SingleCertAndKey},
        version::{TLS12, TLS13},
    },
};

use super::{
    LONG, Server,
    listener::{GET, GET_LARGE, LARGE, PATIENT, allow_many_sockets, millis, router},
    read_to_end,
};
use crate::support::{
    certificates::{Authority, Issued, place},
    process,
};

/// A folder with a certificate and its key.
pub(super) struct Pair(process::Folder);

impl Pair {
    pub(super) fn new(test: &str, issued: &Issued) -> Pair {
        let pair = Pair(process::Folder::new(test));
        pair.put(issued);
        pair
    }

    pub(super) fn put(&self, issued: &Issued) {
        place(&self.file("server.crt"), &issued.certificate);
        place(&self.file("server.key"), &issued.key);
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.file(name)
    }

    /// A server with these further lines in its `tls_server_config`.
    pub(super) async fn serve(&self, lines: &[&str], limits: Limits) -> Server {
        let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        let text =
            format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{lines}");
        fs::write(self.file("web.yml"), text).unwrap();
        let web = load_web(&self.file("web.yml"), false).unwrap_or_else(|error| panic!("{error}"));
        Server::start_with(router(), limits, watch::channel(web.settings).1).await
    }
}

/// A client that believes one authority.
pub(super) struct Client {
    authority: String,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
}

impl Client {
    pub(super) fn of(authority: &Authority) -> Client {
        let versions = vec![&TLS13, &TLS12];
        Client { authority: authority.certificate(), versions, alpn: Vec::new() }
    }

    pub(super) fn connector(&self, own: Option<&Issued>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(Issued { certificate, key }) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                // Without looking whether the two belong together: a thief would not either.
                let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
                let own = SingleCertAndKey::from(CertifiedKey::new(chain, key));
                builder.with_client_cert_resolver(Arc::new(own))
            }
        };
        config.alpn_protocols.clone_from(&self.alpn);
        TlsConnector::from(Arc::new(config))
    }

    pub(super) async fn connect(&self, server: &Server) -> io::Result<TlsStream<TcpStream>> {
        connect(&self.connector(None), server).await
    }
}

pub(super) async fn connect(
    connector: &TlsConnector,
    server: &Server,
) -> io::Result<TlsStream<TcpStream>> {
    let name = "localhost".try_into().unwrap();
    timeout(LONG, connector.connect(name, server.connect().await)).await.expect("it ends")
}

/// The answer to a request, or why there is none. With TLS 1.3 a client hears only now that its own
/// certificate is not taken.
pub(super) async fn get(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    stream.write_all(GET.as_bytes()).await?;
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.ends_with("hello") {
        let read = timeout(LONG, stream.read(&mut buffer)).await.expect("it ends")?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        text += &String::from_utf8_lossy(&buffer[..read]);
    }
    Ok(text)
}

pub(super) fn presented(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

pub(super) fn der(issued: &Issued) -> Vec<u8> {
    CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap().to_vec()
}

#[tokio::test]
async fn a_client_that_knows_the_authority_is_served() {
    let authority = Authority::new("a");
    let issued = authority.issue(&["localhost"]);
    let folder = Pair::new("served", &issued);
    let server = folder.serve(&[], Limits::PUBLIC).await;
    for (alpn, agreed) in [
        (vec![], None),
        (vec![b"http/1.1".to_vec()], Some(&b"http/1.1"[..])),
        (vec![b"h2".to_vec(), b"http/1.1".to_vec()], Some(b"http/1.1")),
    ] {
        let client = Client { alpn, ..Client::of(&authority) };
        let mut stream = client.connect(&server).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed);
        assert_eq!(presented(&stream), der(&issued));
        for _ in 0..3 {
            assert!(get(&mut stream).await.unwrap().starts_with("HTTP/1.1 200 "));
        }
    }
    let only_h2 = Client { alpn: vec![b"h2".to_vec()], ..Client::of(&authority) };
    assert!(only_h2.connect(&server).await.is_err());

    let stranger = Client::of(&Authority::new("b")).connect(&server).await.unwrap_err();
    assert!(stranger.to_string().contains("UnknownIssuer"), "{stranger}");
    assert!(get(&mut Client::of(&authority).connect(&server).await.unwrap()).await.is_ok());
}

/// A client that left its certificate at home today must not come in on the strength of yesterday.
#[tokio::test]
async fn no_session_is_resumed() {
    let authority = Authority::new("a");
    let folder = Pair::new("resumed", &authority.issue(&["localhost"]));
    let server = folder.serve(&[], Limits::PUBLIC).await;
    for versions in [vec![&TLS13], vec![&TLS12]] {
        let connector = Client { versions, ..Client::of(&authority) }.connector(None);
        for _ in 0..3 {
            let mut stream = connect(&connector, &server).await.unwrap();
            get(&mut stream).await.unwrap();
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn versions_are_those_that_are_configured() {
    let authority = Authority::new("a");
    let folder = Pair::new("versions", &authority.issue(&["localhost"]));
    for (lines, tls12, tls13) in [
        (&[][..], true, true),
        (&["min_version: TLS13"], false, true),
        (&["max_version: TLS12"], true, false),
    ] {
        let server = folder.serve(lines, Limits::PUBLIC).await;
        for (versions, agreed, expected) in [
            (vec![&TLS12], ProtocolVersion::TLSv1_2, tls12),
            (vec![&TLS13], ProtocolVersion::TLSv1_3, tls13),
        ] {
            let client = Client { versions, ..Client::of(&authority) };
            match client.connect(&server).await {
                Ok(stream) => {
                    assert!(expected, "{lines:?}");
                    assert_eq!(stream.get_ref().1.protocol_version(), Some(agreed));
                }
                Err(error) => assert!(!expected, "{lines:?}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn suites_and_curves_are_those_that_are_configured() {
    let authority = Authority::new("a");
    let folder = Pair::new("suites", &authority.issue(&["localhost"]));
    let lines = [
        "cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]",
        "curve_preferences: [CurveP384]",
    ];
    let server = folder.serve(&lines, Limits::PUBLIC).await;
    let client = Client { versions: vec![&TLS12], ..Client::of(&authority) };
    let stream = client.connect(&server).await.unwrap();
    let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(format!("{suite:?}"), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    let stream = Client::of(&authority).connect(&server).await.unwrap();
    let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(format!("{group:?}"), "secp384r1");
}

/// A greeting as RFC 4346 has it; no library of ours would send one.
#[tokio::test]
async fn tls_1_1_is_refused_by_name() {
    let authority = Authority::new("a");
    let folder = Pair::new("old", &authority.issue(&["localhost"]));
    let server = folder.serve(&[], Limits::PUBLIC).await;
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session; TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA and its RSA sister; no compression.
    hello.extend([0, 0, 4, 0xc0, 0x09, 0xc0, 0x13, 1, 0]);
    // Extensions: supported_groups (secp256r1), signature_algorithms (ecdsa_secp256r1_sha256).
    hello.extend([0, 16, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    let mut stream = server.connect().await;
    stream.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    // An alert: fatal, protocol_version.
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]), "{answer:?}");
}

#[tokio::test]
async fn plain_http_is_told_where_it_is() {
    let authority = Authority::new("a");
    let folder = Pair::new("plain", &authority.issue(&["localhost"]));
    let server = folder.serve(&[], PATIENT).await;
    let began = Instant::now();
    let answer = server.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    assert!(!answer.contains("hello"), "{answer}");
    let answer = read_to_end(&mut server.send(GET).await).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("connection: close"));
    for junk in ["\u{16}", "\u{16}\u{3}\u{1}\0\u{2}xx", "\0\0\0\0", "SSH-2.0-x\r\n\r\n"] {
        let mut stream = server.send(junk).await;
        stream.shutdown().await.unwrap();
        assert!(!read_to_end(&mut stream).await.contains("hello"), "{junk:?}");
    }
    assert!(began.elapsed() < millis(5000), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_handshake_must_be_done_in_time() {
    let authority = Authority::new("a");
    let folder = Pair::new("handshake", &authority.issue(&["localhost"]));
    let limits = Limits { handshake: millis(300), ..PATIENT };
    let server = folder.serve(&[], limits).await;
    for start in ["", "\u{16}", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7c}"] {
        let began = Instant::now();
        let mut stream = server.send(start).await;
        assert_eq!(read_to_end(&mut stream).await, "", "{start:?}");
        let took = began.elapsed();
        assert!(took >= millis(290) && took < millis(3000), "{start:?}: {took:?}");
    }
    // One byte at a time wins nothing.
    let began = Instant::now();
    let mut stream = server.send("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7c}").await;
    for _ in 0..100 {
        if stream.write_all(&[3]).await.is_err() {
            break;
        }
        sleep(millis(20)).await;
    }
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(began.elapsed() < millis(1500), "{:?}", began.elapsed());

    // After it, the deadline of a header.
    let limits = Limits { header: millis(300), ..PATIENT };
    let server = folder.serve(&[], limits).await;
    let mut stream = Client::of(&authority).connect(&server).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.expect("it is cut");
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_thousand_silent_handshakes_do_not_keep_a_scraper_out() {
    allow_many_sockets();
    let authority = Authority::new("a");
    let folder = Pair::new("silent", &authority.issue(&["localhost"]));
    let server = folder.serve(&[], Limits::PUBLIC).await;
    let mut strangers = Vec::new();
    for number in 0..1000 {
        strangers.push(server.send(if number % 2 == 0 { "" } else { "\u{16}\u{3}\u{1}" }).await);
    }
    for _ in 0..5 {
        let began = Instant::now();
        let mut stream = Client::of(&authority).connect(&server).await.unwrap();
        assert!(get(&mut stream).await.unwrap().ends_with("hello"));
        assert!(began.elapsed() < millis(5000), "{:?}", began.elapsed());
    }
}

/// Above TLS a write goes to a buffer: the deadline must be about the bytes below it.
#[tokio::test]
async fn an_answer_under_tls_must_get_on_too() {
    let authority = Authority::new("a");
    let folder = Pair::new("stalled", &authority.issue(&["localhost"]));
    let limits = Limits { write: millis(400), ..PATIENT };
    let server = folder.serve(&[], limits).await;
    let mut stalled = Client::of(&authority).connect(&server).await.unwrap();
    stalled.write_all(GET_LARGE.as_bytes()).await.unwrap();
    let mut steady = Client::of(&authority).connect(&server).await.unwrap();
    steady.write_all(GET_LARGE.as_bytes()).await.unwrap();
    let (mut taken, mut buffer) = (0, vec![0; 16 * 1024]);
    let mut rested = Instant::now();
    while taken < LARGE {
        let read = timeout(LONG, steady.read(&mut buffer)).await.unwrap().unwrap();
        assert_ne!(read, 0, "cut after {taken} bytes");
        taken += read;
        if taken / (LARGE / 16) != (taken - read) / (LARGE / 16) {
            sleep(millis(50)).await;
        }
    }
    rested += millis(600);
    assert!(Instant::now() > rested, "it took longer than the client may rest");
    let mut rest = Vec::new();
    let _ = timeout(LONG, stalled.read_to_end(&mut rest)).await.expect("it ends");
    assert!(rest.len() < LARGE, "the stalled one was cut");
}

#[tokio::test]
async fn at_the_end_handshakes_are_not_waited_for() {
    let authority = Authority::new("a");
    let folder = Pair::new("end", &authority.issue(&["localhost"]));
    let server = folder.serve(&[], Limits { handshake: LONG, ..PATIENT }).await;
    let mut silent = server.connect().await;
    let mut half = server.send("\u{16}\u{3}\u{1}").await;
    let mut idle = Client::of(&authority).connect(&server).await.unwrap();
    get(&mut idle).await.unwrap();
    let began = Instant::now();
    server.stop().await.unwrap();
    assert!(began.elapsed() < millis(1000), "{:?}", began.elapsed());
    for stream in [&mut silent, &mut half] {
        assert_eq!(read_to_end(stream).await, "");
    }
}
