//! What a service manager hears, on a socket like that of systemd.

use std::os::{
    linux::net::SocketAddrExt as _,
    unix::net::{SocketAddr, UnixDatagram as Bound},
};

use reqwest::Method;
use tokio::{
    net::UnixDatagram,
    time::{Duration, Instant, timeout},
};

use crate::support::{
    Answer, DEADLINE, ask,
    cloud::Cloud,
    daemon::configuration,
    process::{Folder, Process, exporter},
};

/// How long the manager waits for a sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Manager {
        let socket = Bound::bind_addr(address).expect("the name is free");
        socket.set_nonblocking(true).expect("a socket");
        Manager(UnixDatagram::from_std(socket).expect("a socket"))
    }

    async fn hears(&self) -> String {
        let mut message = [0; 4_096];
        let received = timeout(DEADLINE, self.0.recv(&mut message)).await;
        let length = received.expect("the daemon says something").expect("a message");
        String::from_utf8(message[..length].to_vec()).expect("text")
    }
}

async fn scrape(address: &str) -> Answer {
    let url = format!("http://{address}/metrics");
    ask(Method::GET, &url, &[], String::new()).await.expect("it listens")
}

/// A life under a manager, from the first word to the last.
async fn life(test: &str, name: &str, manager: &Manager) {
    let folder = Folder::new(test);
    let cloud = Cloud::start(1, 1).await;
    let file = folder.write("config.yml", configuration(&cloud).to_string());
    let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.arg("--config.file").arg(file);
    serve.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", PATIENCE.as_micros().to_string());
    let started = Instant::now();
    let mut process = Process::start(&folder, "serve", serve);

    let ready = manager.hears().await;
    let address = ready.strip_prefix("READY=1\nSTATUS=listening on ").expect(&ready);
    let scraped = scrape(address).await;
    assert_eq!(scraped.status, 200, "{scraped:?}");

    for _ in 0..4 {
        let asked = Instant::now();
        assert_eq!(manager.hears().await, "WATCHDOG=1");
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    }
    // The first comes at once, the others at half the time.
    assert!(started.elapsed() > PATIENCE, "{:?}", started.elapsed());

    process.terminate().await;
    let last = async {
        loop {
            let message = manager.hears().await;
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    };
    assert_eq!(last.await, "STOPPING=1\nSTATUS=shutting down");
    assert_eq!(process.end().await.code(), Some(0), "{}", process.err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_with_a_path_hears_everything() {
    // The path of a socket has 107 bytes at most, a target folder's may have more.
    let path = std::env::temp_dir().join(format!("css-vpcep-{}.sock", std::process::id()));
    let manager = Manager::at(&SocketAddr::from_pathname(&path).expect("a short path"));
    life("a_manager_with_a_path", path.to_str().expect("UTF-8"), &manager).await;
    std::fs::remove_file(path).expect("it was there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_with_an_abstract_name_hears_everything() {
    let name = format!("css-vpcep-{}", std::process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).expect("a name"));
    life("a_manager_with_an_abstract_name", &format!("@{name}"), &manager).await;
}

#[tokio::test]
async fn a_manager_that_cannot_be_told_is_a_warning() {
    let folder = Folder::new("a_manager_that_cannot_be_told");
    let cloud = Cloud::start(1, 1).await;
    let file = folder.write("config.yml", configuration(&cloud).to_string());
    let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.arg("--config.file").arg(file).env("NOTIFY_SOCKET", "/nowhere/notify");
    let mut process = Process::start(&folder, "serve", serve);
    let address = process.address("public").await;
    assert_eq!(scrape(&address).await.status, 200);
    assert!(process.err().contains("NOTIFY_SOCKET"), "{}", process.err());
}
