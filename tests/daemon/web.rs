//! The web configuration of a running daemon: users, headers, limits, TLS on both listeners, and
//! what a reload changes of them.

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::support::{
    Answer, DEADLINE, ask,
    certificates::Authority,
    daemon::sha256,
    eventually,
    process::{Folder, exporter, run},
    serve::Serve,
};

/// Of cost 4, the cheapest that there is.
static HASHES: LazyLock<[String; 2]> = LazyLock::new(|| {
    ["apple", "banana"].map(|password| bcrypt::hash(password, 4).expect("a hash"))
});

/// A daemon that polls nothing.
fn nobody() -> Value {
    json!({ "projects": [{
        "name": "a",
        "region": "cn-north-4",
        "project_id": "6e9dfd51d1124e8d8498dce894923a0d",
        "credentials": { "static": { "access_key": "A", "secret_key": "canary-secret-key" } },
    }]})
}

struct Web {
    serve: Serve,
    file: PathBuf,
    folder: Folder,
}

impl Web {
    async fn start(test: &str, web: &Value) -> Web {
        let folder = Folder::new(test);
        let file = folder.write("web.yml", web.to_string());
        let flags = ["--web.enable-lifecycle", "--web.config.file", file.to_str().expect("text")];
        let serve = Serve::start(&folder, "serve", &nobody(), &flags).await;
        Web { serve, file, folder }
    }

    fn write(&self, web: &Value) {
        self.folder.write("web.yml", web.to_string());
    }

    async fn get(&self, path: &str, authorization: Option<&str>) -> Answer {
        self.ask(Method::GET, path, authorization).await
    }

    async fn ask(&self, method: Method, path: &str, authorization: Option<&str>) -> Answer {
        let url = format!("http://{}{path}", self.serve.public);
        let headers: Vec<_> =
            authorization.map(|value| ("authorization", value)).into_iter().collect();
        ask(method, &url, &headers, String::new()).await.expect("the daemon answers")
    }
}

fn basic(name: &str, password: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

#[tokio::test]
async fn whoever_has_no_password_sees_only_whether_it_lives() {
    let users = json!({ "basic_auth_users": { "alice": HASHES[0], "bob": HASHES[1] } });
    let web = Web::start("web-users", &users).await;
    for good in [basic("alice", "apple"), basic("bob", "banana")] {
        for path in ["/metrics", "/", "/config", "/api/v1/clusters"] {
            assert_eq!(web.get(path, Some(&good)).await.status, 200, "{path}");
        }
        assert_eq!(web.get("/nothing", Some(&good)).await.status, 404);
    }
    let bad = [
        None,
        Some(basic("alice", "banana")),
        Some(basic("alice", "")),
        Some(basic("alice", &HASHES[0])),
        Some(basic("carol", "apple")),
        Some(basic("", "")),
        Some("Basic".to_owned()),
        Some("Basic !!!!".to_owned()),
        Some("Bearer apple".to_owned()),
    ];
    for bad in &bad {
        for path in ["/metrics", "/", "/config", "/api/v1/clusters", "/clusters/a", "/nothing"] {
            let refused = web.get(path, bad.as_deref()).await;
            assert_eq!(refused.status, 401, "{path} {bad:?}");
            let challenge = refused.header("www-authenticate");
            assert!(challenge.starts_with("Basic realm="), "{challenge}");
        }
        for path in ["/-/healthy", "/-/ready"] {
            assert_eq!(web.get(path, bad.as_deref()).await.status, 200, "{path}");
        }
        // The way in is the same for those who would change something.
        assert_eq!(web.ask(Method::POST, "/-/reload", bad.as_deref()).await.status, 401);
    }
    let page = web.get("/metrics", Some(&basic("alice", "apple"))).await.text;
    assert!(page.contains(r#"{code="401",handler="/metrics"}"#), "{page}");
    let said = web.serve.process.err() + &page;
    for secret in ["apple", "banana", HASHES[0].as_str(), HASHES[1].as_str()] {
        assert!(!said.contains(secret), "{secret} is shown");
    }
}

#[tokio::test]
async fn a_flood_of_logins_leaves_the_health_route_and_comes_to_an_end() {
    let slow = "$2y$11$csslvpcepXexporterabcOudroIEADjmOLl1BIQXaZJ9lrvxZZAQG";
    let web = Web::start("web-flood", &json!({ "basic_auth_users": { "alice": slow } })).await;
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {}\r\n\r\n",
        basic("alice", "wrong")
    );
    let mut flood = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(&web.serve.public).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it takes the request");
        flood.push(stream);
    }
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(web.get("/-/healthy", None).await.status, 200);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    let mut answers = Vec::new();
    for stream in &mut flood {
        let mut answer = String::new();
        let read = timeout(DEADLINE, stream.read_to_string(&mut answer)).await;
        read.expect("an answer comes").expect("it is whole");
        answers.push(answer);
    }
    let of = |status: &str| answers.iter().filter(|answer| answer.contains(status)).count();
    let (compared, sent_away) = (of("HTTP/1.1 401 "), of("HTTP/1.1 503 "));
    assert_eq!(compared + sent_away, 60, "{answers:?}");
    // 16 may wait, and some are done before the last one comes.
    assert!(compared >= 16 && sent_away >= 10, "{compared} were compared");
    assert_eq!(of("retry-after: 1\r\n"), sent_away);
}

#[tokio::test]
async fn a_reload_changes_users_and_a_broken_file_changes_nothing() {
    let web =
        Web::start("web-reload", &json!({ "basic_auth_users": { "alice": HASHES[0] } })).await;
    let (alice, bob) = (basic("alice", "apple"), basic("bob", "banana"));
    let reload = async |who: &str| web.ask(Method::POST, "/-/reload", Some(who)).await;
    let status = async |who: &str| web.get("/metrics", Some(who)).await.status;
    assert_eq!((status(&alice).await, status(&bob).await), (200, 401));

    web.write(&json!({ "basic_auth_users": { "bob": HASHES[1] } }));
    assert_eq!((status(&alice).await, status(&bob).await), (200, 401), "nobody has asked yet");
    assert_eq!(reload(&alice).await.status, 200);
    assert_eq!((status(&alice).await, status(&bob).await), (401, 200));

    for broken in [
        json!({ "basic_auth_users": { "bob": "canary" } }),
        json!({ "tls_server_config": { "cert_file": "missing", "key_file": "missing" } }),
        json!({ "unknown": 1 }),
    ] {
        web.write(&broken);
        let refused = reload(&bob).await;
        assert_eq!(refused.status, 500);
        assert!(refused.text.contains(web.file.to_str().expect("text")), "{}", refused.text);
        assert!(!refused.text.contains("canary"), "{}", refused.text);
        let page = web.get("/metrics", Some(&bob)).await.text;
        assert!(page.contains("css_vpcep_exporter_config_last_reload_successful 0\n"), "{page}");
        assert_eq!((status(&alice).await, status(&bob).await), (401, 200));
    }
    web.write(&json!({}));
    assert_eq!(reload(&bob).await.status, 200);
    let page = web.get("/metrics", None).await;
    assert_eq!(page.status, 200, "a file without users lets everybody in");
    assert!(page.text.contains("css_vpcep_exporter_config_last_reload_successful 1\n"));
}

#[tokio::test]
async fn headers_and_the_rate_limit_are_those_of_the_file() {
    let web = Web::start(
        "web-headers",
        &json!({
            "http_server_config": { "headers": {
                "X-Frame-Options": "sameorigin",
                "Strict-Transport-Security": "max-age=60",
            }},
            "rate_limit": { "interval": "1h", "burst": 3 },
        }),
    )
    .await;
    for (path, status) in [("/metrics", 200), ("/", 200), ("/nothing", 404), ("/metrics", 429)] {
        let answer = web.get(path, None).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-frame-options"), "sameorigin");
        assert_eq!(answer.header("strict-transport-security"), "max-age=60");
    }
    let wait = web.get("/metrics", None).await.header("retry-after").parse::<u64>();
    assert!(wait.is_ok_and(|wait| wait > 3500 && wait <= 3600));
    for _ in 0..5 {
        assert_eq!(web.get("/-/healthy", None).await.status, 200);
    }
}

fn client(authority: &Authority) -> Client {
    let root = Certificate::from_pem(authority.certificate().as_bytes()).expect("a certificate");
    Client::builder().no_proxy().tls_certs_only([root]).build().expect("a client")
}

#[tokio::test]
async fn both_listeners_speak_tls_and_no_reload_turns_it_off() {
    let folder = Folder::new("web-tls");
    let authority = Authority::new("tls of the daemon");
    let issued = authority.issue(&["localhost", "127.0.0.1"]);
    folder.write("server.crt", &issued.certificate);
    folder.write("server.key", &issued.key);
    let tls =
        json!({ "tls_server_config": { "cert_file": "server.crt", "key_file": "server.key" } });
    let mut public = tls.clone();
    public["basic_auth_users"] = json!({ "alice": HASHES[0] });
    let file = folder.write("web.yml", public.to_string());
    folder.write("admin.yml", tls.to_string());
    let mut configuration = nobody();
    configuration["admin"] = json!({
        "listen": "127.0.0.1:0",
        "web_config_file": "admin.yml",
        "tokens": [{ "name": "test", "sha256": sha256("token"), "role": "viewer" }],
    });
    let flags = ["--web.config.file", file.to_str().expect("text")];
    let mut serve = Serve::start(&folder, "serve", &configuration, &flags).await;
    let (public_address, admin) = (serve.public.clone(), serve.process.address("admin").await);
    let client = client(&authority);
    let page = async |password: &str| {
        let url = format!("https://{public_address}/metrics");
        let answer = client.get(url).basic_auth("alice", Some(password)).send().await;
        answer.map(|answer| answer.status())
    };
    assert_eq!(page("apple").await.expect("an answer"), StatusCode::OK);
    assert_eq!(page("banana").await.expect("an answer"), StatusCode::UNAUTHORIZED);
    let polled = async |authorization: &str| {
        let id = "00000000-0000-4000-8000-000000000000";
        let url = format!("https://{admin}/api/v1/clusters/{id}/poll");
        let answer = client.post(url).header("authorization", authorization).send().await;
        answer.expect("an answer").status().as_u16()
    };
    // Nobody knows the cluster; the token is asked all the same, and no password is one.
    assert_eq!(polled("Bearer token").await, 404);
    assert_eq!(polled(&basic("alice", "apple")).await, 401);
    let foreign =
        client.get(format!("https://{admin}/")).header("host", "evil.example").send().await;
    assert_eq!(foreign.expect("an answer").status(), StatusCode::MISDIRECTED_REQUEST);
    for address in [&serve.public, &admin] {
        let plain = ask(Method::GET, &format!("http://{address}/"), &[], String::new()).await;
        assert_eq!(plain.expect("an answer").status, 400);
    }

    // Users are gone with the file's contents, encryption is not.
    folder.write("web.yml", "");
    folder.write("admin.yml", "");
    serve.hang_up().await;
    let err = serve.process.err();
    for file in ["--web.config.file", "admin.web_config_file"] {
        let key = format!("tls_server_config of {file}");
        assert!(err.contains("in effect only after a restart") && err.contains(&key), "{err}");
    }
    assert_eq!(page("banana").await.expect("an answer"), StatusCode::OK);
    assert_eq!(polled("Bearer token").await, 404);
    let plain = ask(Method::GET, &format!("http://{}/", serve.public), &[], String::new()).await;
    assert_eq!(plain.expect("an answer").status, 400);
}

#[tokio::test]
async fn a_broken_rotation_is_told_once() {
    let folder = Folder::new("web-rotation");
    let authority = Authority::new("rotation");
    let issued = authority.issue(&["127.0.0.1"]);
    folder.write("server.crt", &issued.certificate);
    folder.write("server.key", &issued.key);
    let web = "tls_server_config: { cert_file: server.crt, key_file: server.key }";
    let file = folder.write("web.yml", web);
    let flags = ["--web.config.file", file.to_str().expect("text")];
    let serve = Serve::start(&folder, "serve", &nobody(), &flags).await;
    let scrape = async || {
        let url = format!("https://{}/metrics", serve.public);
        client(&authority).get(url).send().await.expect("it is still served").status()
    };
    folder.write("server.key", &authority.issue(&["127.0.0.1"]).key);
    let complaint = "cannot be read again, the one before stays: tls_server_config.key_file: found";
    eventually("the complaint", async || {
        assert_eq!(scrape().await, StatusCode::OK);
        let err = serve.process.err();
        if err.contains(complaint) { Ok(()) } else { Err(err) }
    })
    .await;
    // It is looked again each second; three looks later there is still one line.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(scrape().await, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(serve.process.err().matches(complaint).count(), 1, "{}", serve.process.err());
    folder.write("server.key", &issued.key);
    folder.write("server.crt", &issued.certificate);
    eventually("the files are read again", async || {
        assert_eq!(scrape().await, StatusCode::OK);
        let err = serve.process.err();
        if err.contains("was read again") { Ok(()) } else { Err(err) }
    })
    .await;
}

#[tokio::test]
async fn a_broken_web_configuration_starts_nothing() {
    let folder = Folder::new("web-broken");
    let config = folder.write("config.yml", nobody().to_string());
    let web = folder.write("web.yml", "basic_auth_users: { alice: canary }");
    let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.arg("--config.file").arg(config).arg("--web.config.file").arg(web);
    let ended = run(serve).await;
    assert_eq!(ended.code, Some(64), "{}", ended.err);
    assert!(ended.err.contains(r#"basic_auth_users["alice"]: found something else"#));
    assert!(!ended.err.contains("canary"), "{}", ended.err);
}
