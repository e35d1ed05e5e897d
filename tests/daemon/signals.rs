//! How the process begins and ends: exit codes, signals, and what it says to the terminal.

use css_vpcep_exporter::stats::{REVISION, VERSION};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use crate::support::{
    Answer, ask,
    cloud::Cloud,
    daemon::{TOKEN, configuration},
    eventually,
    process::{Ended, Folder, Process, exporter, run},
};

fn serve(folder: &Folder, configuration: &Value) -> Command {
    let file = folder.write("config.yml", configuration.to_string());
    let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.arg("--config.file").arg(file);
    serve
}

async fn poll(admin: &str, id: &str) -> Result<Answer, String> {
    let url = format!("http://{admin}/api/v1/clusters/{id}/poll");
    let token = format!("Bearer {TOKEN}");
    ask(Method::POST, &url, &[("authorization", &*token)], String::new()).await
}

/// A daemon with a poll under way that hangs, a client with half a request, and a scraper that does
/// not read the answer.
struct Stuck {
    process: Process,
    _clients: [TcpStream; 2],
    _cloud: Cloud,
    _folder: Folder,
}

impl Stuck {
    async fn start(test: &str) -> Stuck {
        let folder = Folder::new(test);
        // A page of five times 1,000 connections is more than sockets hold back for a lazy reader.
        let cloud = Cloud::start(6, 1_000).await;
        let hanging = cloud.id(5).to_owned();
        cloud.break_clusters(&[(&hanging, "hang")]).await;
        let mut configuration = configuration(&cloud);
        configuration["poll"]["timeout"] = json!("1h");
        let mut process = Process::start(&folder, "serve", serve(&folder, &configuration));
        let address = process.address("public").await;
        let admin = process.address("admin").await;
        for cluster in 0..5 {
            assert_eq!(poll(&admin, cloud.id(cluster)).await.expect("it answers").status, 200);
        }
        let under_way = hanging.clone();
        tokio::spawn(async move { poll(&admin, &under_way).await });
        eventually("the poll hangs", async || {
            let requests = cloud.requests().await;
            let mut requests = requests["last"].as_array().expect("a list").iter();
            let hangs = requests.any(|one| one["cluster_id"] == *hanging);
            if hangs { Ok(()) } else { Err("not asked yet".into()) }
        })
        .await;

        let mut half = TcpStream::connect(&address).await.expect("it listens");
        half.write_all(b"GET /metrics HTTP/1.1\r\nHost: x").await.expect("it reads");
        let small = TcpSocket::new_v4().expect("a socket");
        small.set_recv_buffer_size(4_096).expect("a small buffer");
        let mut lazy =
            small.connect(address.parse().expect("an address")).await.expect("it listens");
        lazy.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
        let mut start = [0; 15];
        lazy.read_exact(&mut start).await.expect("it answers");
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        Stuck { process, _clients: [half, lazy], _cloud: cloud, _folder: folder }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_within_five_seconds_whatever_hangs() {
    let mut stuck = Stuck::start("sigterm_ends_within_five_seconds").await;
    let asked = Instant::now();
    stuck.process.terminate().await;
    let status = stuck.process.end().await;
    let took = asked.elapsed();
    assert_eq!(status.code(), Some(0), "{}", stuck.process.err());
    assert!(took < Duration::from_secs(5), "{took:?}");
    // Else nothing was stuck, and the test showed nothing.
    assert!(took > Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_ends_at_once() {
    let mut stuck = Stuck::start("a_second_sigterm_ends_at_once").await;
    stuck.process.terminate().await;
    eventually("it drains", async || {
        let err = stuck.process.err();
        if err.contains("shutting down") { Ok(()) } else { Err(err) }
    })
    .await;
    let asked = Instant::now();
    stuck.process.terminate().await;
    let status = stuck.process.end().await;
    assert_eq!(status.code(), Some(1), "{}", stuck.process.err());
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn sigterm_of_an_idle_daemon_ends_at_once() {
    let folder = Folder::new("sigterm_of_an_idle_daemon");
    let cloud = Cloud::start(1, 1).await;
    let mut process = Process::start(&folder, "serve", serve(&folder, &configuration(&cloud)));
    process.address("public").await;
    let asked = Instant::now();
    process.terminate().await;
    assert_eq!(process.end().await.code(), Some(0), "{}", process.err());
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(process.out(), "", "results go to stdout, and there are none");
}

#[tokio::test]
async fn an_address_in_use_is_one_line_and_exit_code_1() {
    let folder = Folder::new("an_address_in_use");
    let cloud = Cloud::start(1, 1).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut admin_too = configuration(&cloud);
    admin_too["admin"]["listen"] = json!(address);
    for (configuration, public) in [(configuration(&cloud), &*address), (admin_too, "127.0.0.1:0")]
    {
        let mut command = exporter(&["serve", "--log.level", "error"]);
        let file = folder.write("config.yml", configuration.to_string());
        command.arg("--config.file").arg(file).args(["--web.listen-address", public]);
        let asked = Instant::now();
        let ended = run(command).await;
        // It does not poll first, which may take as long as a timeout.
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{ended:?}");
        let lines: Vec<&str> = ended.err.lines().collect();
        assert_eq!(lines.len(), 1, "{ended:?}");
        assert!(lines[0].contains(&address) && lines[0].contains("in use"), "{}", lines[0]);
    }
}

#[tokio::test]
async fn a_bad_configuration_is_exit_code_64_and_names_the_mistake() {
    let folder = Folder::new("a_bad_configuration");
    let cloud = Cloud::start(1, 1).await;
    let mut bad_value = configuration(&cloud);
    bad_value["poll"]["interval"] = json!("soon");
    bad_value["projects"][0]["clusters"][0]["id"] = json!("../x");
    let mut unknown_key = configuration(&cloud);
    unknown_key["poll"]["intervall"] = json!("1m");
    let cases = [
        (None, vec!["missing.yml", "No such file"]),
        (Some("projects: [".to_owned()), vec!["bad.yml:1:"]),
        (Some(String::new()), vec!["bad.yml", "project"]),
        (Some(bad_value.to_string()), vec!["poll.interval", "soon", "projects[0].clusters[0].id"]),
        (Some(unknown_key.to_string()), vec!["intervall", "bad.yml:1:"]),
    ];
    for (text, words) in cases {
        let file = match &text {
            Some(text) => folder.write("bad.yml", text),
            None => folder.path.join("missing.yml"),
        };
        for command in ["serve", "collect"] {
            let mut command = exporter(&[command]);
            command.arg("--config.file").arg(&file);
            let ended = run(command).await;
            assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{text:?}: {ended:?}");
            for word in &words {
                assert!(ended.err.contains(word), "{text:?}: {word} is not in {}", ended.err);
            }
        }
    }
}

#[tokio::test]
async fn usage_is_exit_code_64_and_help_is_0() {
    let says = async |arguments: &[&str]| -> Ended { run(exporter(arguments)).await };
    for arguments in [
        &["--no-such-flag"][..],
        &["serve", "--no-such-flag"],
        &["no-such-command"],
        &["serve", "--web.listen-address", "nowhere"],
        &["serve", "--web.telemetry-path", "metrics"],
        &["serve", "--log.level", "loud"],
        &["collect", "extra"],
        &["simulate", "--fault", "no-such-fault"],
    ] {
        let ended = says(arguments).await;
        assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{arguments:?}: {ended:?}");
        assert!(!ended.err.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["serve", "--help"], &["collect", "--help"], &["help"]] {
        let ended = says(arguments).await;
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{arguments:?}: {ended:?}");
        assert!(ended.out.contains("Usage: css-vpcep-exporter"), "{arguments:?}: {ended:?}");
    }
    let ended = says(&["--version"]).await;
    let version = format!("css-vpcep-exporter {VERSION} (revision {REVISION})\n");
    assert_eq!((ended.code, ended.out), (Some(0), version));
}
