//! A forward proxy that passes on what it is asked to, and notes it; and a server that speaks TLS before one
//! that does not.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::certificates::Issued;

/// A running proxy; it ends with the runtime of the test.
pub(crate) struct Proxy {
    pub(crate) address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) async fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens").to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, noted.clone()));
            }
        });
        Proxy { address, heads }
    }

    /// The heads of the requests so far, one for each connection.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
    }
}

/// Passes a connection on to where its first request leads.
async fn pass(mut client: TcpStream, heads: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    heads.lock().push(text.clone());
    let target = text.split(' ').nth(1)?;
    let is_tunnel = text.starts_with("CONNECT ");
    let host = target.strip_prefix("http://").unwrap_or(target);
    let mut server = TcpStream::connect(host.split('/').next()?).await.ok()?;
    if is_tunnel {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    } else {
        server.write_all(&head).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    Some(())
}

/// The address of a server that takes TLS off and passes on to `target`.
pub(crate) async fn with_tls(Issued { certificate, key }: &Issued, target: &str) -> String {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate], key).expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it listens").port();
    let target = target.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                let mut server = TcpStream::connect(target).await.ok()?;
                copy_bidirectional(&mut stream, &mut server).await.ok()
            });
        }
    });
    format!("https://localhost:{port}")
}
