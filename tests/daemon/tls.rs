//! An API with a faulty certificate or handshake: the error says what is wrong.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use crate::support::{
    certificates::{Authority, Issued},
    process::{Folder, exporter, run},
};

/// How a server answers the first message of a handshake.
#[derive(Clone)]
enum Peer {
    Presents(TlsAcceptor),
    Says(&'static [u8]),
    Hangs,
}

impl Peer {
    fn with(Issued { certificate, key }: &Issued) -> Peer {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
        let chain = chain.collect::<Result<_, _>>().expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(chain, key).expect("they belong together");
        Peer::Presents(TlsAcceptor::from(Arc::new(config)))
    }

    async fn answer(self, mut stream: TcpStream) {
        match self {
            Peer::Presents(acceptor) => {
                // The client closes the connection to a server that it does not trust.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 1024]).await;
                    let _ =
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
                }
            }
            Peer::Hangs => while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {},
            Peer::Says(words) => {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(words).await;
            }
        }
    }

    /// Returns its port, and a counter of accepted connections.
    async fn listen(self) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(self.clone().answer(stream));
            }
        });
        (port, taken)
    }
}

/// A fatal alert `protocol_version` in a record of TLS 1.1 (RFC 5246, sections 6.2.1 and 7.2), as sent by a
/// server that speaks no newer version.
const ONLY_TLS_1_1: &[u8] = &[21, 3, 2, 0, 2, 2, 70];

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_and_asked_about_once() {
    let folder = Folder::new("what_is_wrong_with_a_certificate");
    let (trusted, foreign) = (Authority::new("trusted"), Authority::new("foreign"));
    let ours = folder.write("trusted.pem", trusted.certificate());
    let local = &["localhost"];
    let presents = |issued: Issued| Peer::with(&issued);
    let cases = [
        ("good", presents(trusted.issue(local)), ""),
        (
            "expired",
            presents(trusted.issue_expired(local)),
            "the certificate of the API expired at 2001-02-03",
        ),
        (
            "early",
            presents(trusted.issue_not_yet_valid(local)),
            "the certificate of the API is not valid before 2999-01-01",
        ),
        (
            "other-name",
            presents(trusted.issue(&["portal.example.com"])),
            "the certificate of the API is for another host name",
        ),
        (
            "self-signed",
            presents(Authority::self_signed(local, true)),
            "the certificate of the API cannot be that of a server",
        ),
        (
            "foreign",
            presents(foreign.issue(local)),
            "the certificate of the API is not signed by any authority that is trusted here",
        ),
        ("old", Peer::Says(ONLY_TLS_1_1), "the API speaks neither TLS 1.2 nor TLS 1.3"),
        (
            "no-tls",
            Peer::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "the server does not speak TLS",
        ),
        ("silent", Peer::Says(b""), "the API closed the connection during the TLS handshake"),
    ];
    check(&folder, &ours, "tls", &cases, 1).await;
}

/// A handshake has a time limit of its own, so there is time for another try.
#[tokio::test]
async fn a_handshake_that_hangs_is_given_up_and_tried_again() {
    let folder = Folder::new("a_handshake_that_hangs");
    let ours = folder.write("trusted.pem", Authority::new("trusted").certificate());
    let cases = [("hangs", Peer::Hangs, "no connection to the API within 5 s")];
    check(&folder, &ours, "connect", &cases, 3).await;
}

/// Reads a cluster behind each of the peers, and checks the reported errors and the number of connections.
async fn check(
    folder: &Folder,
    authorities: &Path,
    reason: &str,
    cases: &[(&str, Peer, &str)],
    tries: usize,
) {
    let mut projects = Vec::new();
    let mut counts = Vec::new();
    for (number, (name, peer, _)) in cases.iter().enumerate() {
        let (port, taken) = peer.clone().listen().await;
        let url = format!("https://localhost:{port}");
        counts.push(taken);
        projects.push(json!({
            "name": name,
            "region": "cn-north-4",
            "project_id": "6e9dfd51d1124e8d8498dce894923a0d",
            "credentials": {"static": {"access_key": "AK", "secret_key": "SK"}},
            "api_endpoints": {"css": url, "vpcep": url, "iam": url},
            "clusters": [{"id": cluster(number), "name": name}],
        }));
    }
    let configuration = json!({ "projects": projects }).to_string();
    let file = folder.write("config.yml", &configuration);
    let mut collect = exporter(&["collect", "--log.format", "json", "--config.file"]);
    collect.arg(file).env("SSL_CERT_FILE", authorities).env_remove("SSL_CERT_DIR");
    let collected = run(collect).await;

    for (number, ((name, _, message), taken)) in cases.iter().zip(counts).enumerate() {
        let id = cluster(number);
        let line = collected.err.lines().find(|line| line.contains(&id));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", collected.err));
        // With the good certificate the request gets an answer, which is not as documented.
        let reason = if message.is_empty() { "bad_shape" } else { reason };
        assert!(line.contains(&format!(r#""reason":"{reason}""#)), "{name}: {line}");
        assert!(line.contains(message), "{name}: {line}");
        assert!(!line.contains("localhost"), "no URL: {line}");
        assert_eq!(taken.load(Ordering::Relaxed), tries, "{name}: tries");
    }
}

fn cluster(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}
