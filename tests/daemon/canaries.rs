//! Secrets stay inside: at TRACE, in both formats of the log, with a cloud that refuses, redirects,
//! and repeats what it was sent, nothing that is secret comes out of the process again.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::support::{
    ask,
    cloud::Cloud,
    daemon::{configuration, project, sha256},
    eventually,
    process::{Folder, Process, exporter, run},
};

const FILE_KEY: &str = "canary+file+key/0123456789abcdefghijklmnop";
const FILE_TOKEN: &str = "canaryFileToken0123456789ABCDEFGHIJKLMNOP==";
const ENV_KEY: &str = "canary+environment+key/0123456789abcdefgh";
const ENV_TOKEN: &str = "canaryEnvironmentToken0123456789ABCDEFGH==";
const ADMIN_TOKEN: &str = "canary-admin-token-0123456789";
const BAD_ADMIN_TOKEN: &str = "canary-bad-admin-token-0123456789";

/// Clusters of the cloud that repeats what it was sent.
const ECHOED: [&str; 6] = [
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "00000000-0000-4000-8000-000000000003",
    "00000000-0000-4000-8000-000000000004",
    "00000000-0000-4000-8000-000000000005",
    "00000000-0000-4000-8000-000000000006",
];

/// A cloud whose errors repeat the request, as debugging gateways and proxies do.
struct Echo {
    url: String,
    signatures: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    async fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let signatures = Arc::new(Mutex::new(Vec::new()));
        let noted = signatures.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, noted.clone()));
            }
        });
        Echo { url, signatures }
    }
}

async fn answer(mut stream: TcpStream, signatures: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let request = String::from_utf8(request).ok()?;
    let (_, signature) = request.split_once("Signature=")?;
    signatures.lock().ok()?.push(signature.split_whitespace().next()?.to_owned());
    // The secrets first: messages are cut at their end.
    let header = |name: &str| {
        let line = request.lines().find(|line| line.to_lowercase().starts_with(name));
        line.unwrap_or_default().to_owned()
    };
    let sent = [header("x-security-token:"), header("authorization:")].join("|");
    let (status, location, body) = match ECHOED.iter().position(|id| request.contains(id))? {
        0 => (
            "401 Unauthorized",
            "",
            json!({"error_code": "APIGW.0301", "error_msg": sent}).to_string(),
        ),
        1 => ("500 Internal Server Error", "", format!("<h1>You sent</h1><pre>{sent}</pre>")),
        2 => ("302 Found", "http://127.0.0.1:1/?", String::new()),
        3 => {
            // Where messages are cut, half a secret is one too.
            let text = format!("{}{sent}", "x".repeat(260));
            (
                "400 Bad Request",
                "",
                json!({"errCode": "CSS.0001", "externalMessage": text}).to_string(),
            )
        }
        4 => {
            // A surprise, which is logged with its value.
            let long = format!("{}{sent}", "x".repeat(60));
            let body = json!({"connections": [], "total_count": 0, "new": sent, "newer": long});
            ("200 OK", "", body.to_string())
        }
        _ => ("200 OK", "", format!("{{\"connections\": {sent}")),
    };
    let location = match location {
        "" => String::new(),
        start => format!("Location: {start}{}\r\n", sent.replace(' ', "")),
    };
    let head = format!("HTTP/1.1 {status}\r\n{location}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.ok()
}

/// Texts that came out of the exporter, each with a word for where.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn places_of(&self, needle: &str) -> Vec<&str> {
        let hits = self.0.iter().filter(|(_, text)| text.contains(needle));
        hits.map(|(place, _)| place.as_str()).collect()
    }

    async fn ask(&mut self, method: Method, url: &str, headers: &[(&str, &str)]) -> u16 {
        let answer = ask(method, url, headers, String::new()).await.expect("an answer");
        self.add(url, format!("{:?}\n{}", answer.headers, answer.text));
        answer.status
    }

    /// None of the secrets, and no signature.
    fn assert_silent(&self, cloud: &Cloud, echo: &Echo) {
        let signatures = echo.signatures.lock().expect("not poisoned").clone();
        assert!(signatures.iter().all(|signature| signature.len() == 64), "{signatures:?}");
        assert!(signatures.len() >= ECHOED.len(), "{signatures:?}");
        let secrets =
            [FILE_KEY, FILE_TOKEN, ENV_KEY, ENV_TOKEN, ADMIN_TOKEN, BAD_ADMIN_TOKEN, "Signature="];
        let secrets = secrets.into_iter().chain([&*cloud.secret_key]);
        // The beginning of a secret is too much already.
        let all = secrets
            .chain(signatures.iter().map(String::as_str))
            .map(|text| &text[..text.len().min(12)]);
        let leaks: Vec<_> = all
            .flat_map(|secret| {
                self.places_of(secret).into_iter().map(move |place| format!("{secret} in {place}"))
            })
            .collect();
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    }
}

/// Projects with keys in files, that the cloud refuses; with a key in the configuration, whose
/// clusters have faults; with keys in the environment, of the cloud that repeats them; and with keys
/// of their own for its refusal, because keys that were refused rest.
fn all_projects(folder: &Folder, cloud: &Cloud, echo: &Echo) -> Value {
    let mut all = configuration(cloud);
    all["admin"]["tokens"][0]["sha256"] = json!(sha256(ADMIN_TOKEN));
    let mut inline = project("inline", cloud);
    let mut refused = project("refused", cloud);
    refused["clusters"] = json!([inline["clusters"].as_array_mut().expect("a list").pop()]);
    refused["credentials"] = json!({"static": {
        "access_key": cloud.access_key,
        "secret_key_file": folder.write("secret_key", FILE_KEY),
        "security_token_file": folder.write("security_token", format!("{FILE_TOKEN}\n")),
    }});
    let mut echoed = project("echoed", cloud);
    echoed["credentials"] = json!({"environment": {}});
    echoed["api_endpoints"] = json!({"css": echo.url});
    echoed["clusters"] = ECHOED.map(|id| json!({ "id": id })).to_vec().into();
    let mut echoed_refusal = echoed.clone();
    echoed_refusal["name"] = json!("echoed_refusal");
    echoed_refusal["credentials"] = refused["credentials"].clone();
    echoed_refusal["credentials"]["static"]["access_key"] = json!("AKECHOED");
    let clusters = echoed["clusters"].as_array_mut().expect("a list");
    echoed_refusal["clusters"] = json!([clusters.remove(0)]);
    all["projects"] = json!([inline, refused, echoed, echoed_refusal]);
    all
}

fn with_keys(mut command: Command) -> Command {
    command.env("HUAWEICLOUD_SDK_AK", "AKENVIRONMENT").env("HUAWEICLOUD_SDK_SK", ENV_KEY);
    command.env("HUAWEICLOUD_SDK_SECURITY_TOKEN", ENV_TOKEN);
    command
}

const FAULTS: [&str; 5] = ["unauthorized", "redirect", "junk", "server-error", "error-in-200"];

async fn faulty_cloud() -> Cloud {
    let cloud = Cloud::start(FAULTS.len() + 2, 3).await;
    break_all_but(&cloud, 0).await;
    cloud
}

/// Enables each fault for its cluster, except the first few.
async fn break_all_but(cloud: &Cloud, spared: usize) {
    let faults = FAULTS.iter().enumerate().map(|(at, name)| (cloud.id(at), *name));
    cloud.break_clusters(&faults.skip(spared).collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_says_no_secret() {
    for (format, trace) in [("logfmt", "level=trace"), ("json", "\"level\":\"trace\"")] {
        let folder = Folder::new(&format!("the_daemon_says_no_secret_{format}"));
        let (cloud, echo) = (faulty_cloud().await, Echo::start().await);
        let configuration = all_projects(&folder, &cloud, &echo);
        let file = folder.write("config.yml", configuration.to_string());
        // A refusal in the first round would put the other clusters' key in back-off too.
        break_all_but(&cloud, 1).await;
        let mut serve = with_keys(exporter(&["serve", "--log.level", "trace"]));
        serve.args(["--log.format", format, "--web.listen-address", "127.0.0.1:0"]);
        serve.arg("--config.file").arg(file);
        let mut process = Process::start(&folder, "serve", serve);
        let public = process.address("public").await;
        let admin = process.address("admin").await;
        eventually("the first round is over", async || {
            let url = format!("http://{public}/-/ready");
            let answer = ask(Method::GET, &url, &[], String::new()).await?;
            if answer.status == 200 { Ok(()) } else { Err(answer.text) }
        })
        .await;
        break_all_but(&cloud, 0).await;

        let mut heard = Heard::default();
        let bearer = [ADMIN_TOKEN, BAD_ADMIN_TOKEN].map(|token| format!("Bearer {token}"));
        // Refusals last: a key that was refused may be given a rest.
        let ids = cloud.clusters.iter().map(|(id, _)| id.as_str()).rev();
        let mut ids: Vec<&str> = ids.skip(1).chain(ECHOED).collect();
        ids.push(cloud.id(FAULTS.len() + 1));
        for id in &ids {
            let url = format!("http://{admin}/api/v1/clusters/{id}/poll");
            let good = [("authorization", &*bearer[0])];
            assert_eq!(heard.ask(Method::POST, &url, &good).await, 200);
            let bad = [("authorization", &*bearer[1])];
            // Whoever fails too often is held up.
            assert!([401, 429].contains(&heard.ask(Method::POST, &url, &bad).await));
            let evil = [("authorization", &*bearer[0]), ("host", "evil.example")];
            assert_eq!(heard.ask(Method::POST, &url, &evil).await, 421);
            for path in [format!("/api/v1/clusters/{id}"), format!("/clusters/{id}")] {
                heard.ask(Method::GET, &format!("http://{public}{path}"), &good).await;
            }
        }
        for path in ["/", "/metrics", "/config", "/api/v1/clusters", "/-/ready", "/-/healthy"] {
            let headers = [("authorization", &*bearer[1])];
            heard.ask(Method::GET, &format!("http://{public}{path}"), &headers).await;
            heard.ask(Method::GET, &format!("http://{admin}{path}"), &headers).await;
        }
        let cmdline = std::fs::read(format!("/proc/{}/cmdline", process.id())).unwrap();
        heard.add("cmdline", String::from_utf8_lossy(&cmdline));
        process.terminate().await;
        assert_eq!(process.end().await.code(), Some(0));
        heard.add("stdout", process.out());
        heard.add("stderr", process.err());

        heard.assert_silent(&cloud, &echo);
        // What is no secret is found by the same search: this test does not listen to nothing.
        assert_eq!(heard.places_of(trace), ["stderr"]);
        assert_eq!(heard.places_of("--config.file"), ["cmdline"]);
        for id in ids {
            let places = heard.places_of(id);
            assert!(places.contains(&"stderr"), "{id}: {places:?}");
            assert!(places.iter().any(|place| place.ends_with("/metrics")), "{id}: {places:?}");
            assert!(places.iter().any(|place| place.ends_with(id)), "{id}: {places:?}");
        }
        let reasons = ["auth", "redirect", "bad_json", "http_5xx", "bad_shape", "http_4xx"];
        for reason in reasons {
            let places = heard.places_of(&format!("\"reason\":\"{reason}\""));
            assert!(places.iter().any(|place| place.starts_with("http")), "{reason}: {places:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collect_says_no_secret() {
    for format in ["logfmt", "json"] {
        let folder = Folder::new(&format!("collect_says_no_secret_{format}"));
        let (cloud, echo) = (faulty_cloud().await, Echo::start().await);
        let configuration = all_projects(&folder, &cloud, &echo);
        let file = folder.write("config.yml", configuration.to_string());
        let mut collect = with_keys(exporter(&["collect", "--log.level", "trace"]));
        collect.args(["--log.format", format]).arg("--config.file").arg(file);
        let recording = folder.file("recording.jsonl");
        collect.arg("--record").arg(&recording);
        let ended = run(collect).await;
        assert_eq!(ended.code, Some(1));
        let mut heard = Heard::default();
        heard.add("stdout", ended.out);
        heard.add("stderr", ended.err);
        let recording = std::fs::read_to_string(recording).unwrap();
        assert!(recording.lines().count() > FAULTS.len() + ECHOED.len(), "{recording}");
        heard.add("recording", recording);
        heard.assert_silent(&cloud, &echo);
        for id in ECHOED {
            assert_eq!(heard.places_of(id), ["stdout", "stderr"]);
        }
    }
}

/// Mistakes in the very places where secrets are written.
#[tokio::test]
async fn a_broken_configuration_says_no_secret() {
    const SECRET: &str = "canary0123456789";
    const NUMBER: &str = "8675309867530986753";
    let folder = Folder::new("a_broken_configuration_says_no_secret");
    let two_lines = folder.write("two_lines", format!("{SECRET}\n{SECRET}\n"));
    let keys = |rest: &str| format!("credentials: {{ static: {{ access_key: AK, {rest} }} }}");
    let mistakes = [
        keys(&format!("secret_key: [{SECRET}]")),
        keys(&format!("secret_key: {{ a: {SECRET} }}")),
        keys(&format!("secret_key: {SECRET}, secret_key: {SECRET}")),
        keys(&format!("secret_key: {SECRET}, secret_key_file: x")),
        keys(&format!("secret_key: {SECRET}, security_tokens: {SECRET}")),
        keys(&format!("secret_key: \"{SECRET}")),
        keys(&format!("secret_key: '{SECRET}' '{SECRET}'")),
        keys(&format!("secret_key: *{SECRET}")),
        keys(&format!("secret_key: !!int {SECRET}")),
        keys(&format!("secret_key: !!binary {SECRET}")),
        keys(&format!("secret_key: {NUMBER}, security_token: [{NUMBER}]")),
        keys(&format!("secret_key_file: {}", two_lines.display())),
        format!("credentials: {SECRET}"),
        format!("credentials: [{SECRET}]"),
        format!("credentials: {{ environment: {SECRET} }}"),
        format!("credentials: {{ static: {SECRET} }}"),
        format!("credentials: {{ environment: {{}} }}\n  secret_key: {SECRET}"),
        format!(
            "credentials: {{ environment: {{}} }}\n  api_endpoints: {{ css: 'https://u:{SECRET}@h' }}"
        ),
    ];
    let mut leaked = Vec::new();
    for mistake in mistakes {
        let text = format!(
            "projects:\n- name: prod\n  region: cn-north-4\n  \
             project_id: 6e9dfd51d1124e8d8498dce894923a0d\n  {mistake}\n\
             admin: {{ listen: '127.0.0.1:0', tokens: [{{ name: a, sha256: {SECRET}, role: viewer }}] }}\n"
        );
        let file = folder.write("config.yml", &text);
        for command in ["serve", "collect"] {
            let mut command = exporter(&[command, "--log.level", "trace"]);
            command.env("HUAWEICLOUD_SDK_SK", SECRET).arg("--config.file").arg(&file);
            let ended = run(command).await;
            assert_eq!((ended.code, &*ended.out), (Some(64), ""), "{mistake}: {ended:?}");
            let leaks = [SECRET, NUMBER].iter().any(|secret| ended.err.contains(secret));
            leaked.extend(leaks.then(|| format!("{mistake}:\n{}", ended.err)));
            assert!(ended.err.contains("config.yml:"), "{mistake}: {}", ended.err);
        }
    }
    assert!(leaked.is_empty(), "{}", leaked.join("\n"));
}
