//! The simulator over a real socket: routing, credentials, faults and control.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::{
    account::{DOMAIN_NAME, PASSWORD, USER_NAME},
    *,
};

struct Running {
    url: String,
    clusters: Vec<String>,
    client: Client,
    token: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

async fn start(faults: &[&str]) -> Running {
    let sim = Sim::bind(Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        clusters: 2,
        connections: 25,
        seed: 11,
        step: None,
        churn: 0,
        faults: faults.iter().map(|name| name.parse().expect("a fault")).collect(),
        fixed_now: "2024-06-11T09:36:24Z".parse().ok(),
    })
    .await
    .expect("a free port");
    let url = sim.url();
    let clusters = sim.clusters().into_iter().map(|(id, _)| id).collect();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(sim.run(async {
        stopped.await.ok();
    }));
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("a client");
    let mut running = Running { url, clusters, client, token: String::new(), stop, task };
    running.token = running.log_in().await;
    running
}

impl Running {
    async fn log_in(&self) -> String {
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": USER_NAME, "password": PASSWORD, "domain": {"name": DOMAIN_NAME}
            }}},
            "scope": {"project": {"name": REGION}}
        }});
        let address = format!("{}/v3/auth/tokens?nocatalog=true", self.url);
        let answer = self.client.post(address).body(body.to_string()).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::CREATED);
        let token = answer.headers().get("x-subject-token").expect("a token").clone();
        let body: Value = json_of(answer).await;
        assert_eq!(body["token"]["expires_at"], "2024-06-12T09:36:24.000000Z");
        token.to_str().expect("text").to_owned()
    }

    async fn ask(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        let request = self.client.get(format!("{}{path}", self.url));
        request.header("X-Auth-Token", &self.token).send().await
    }

    async fn connections(&self, query: &str) -> reqwest::Result<reqwest::Response> {
        self.ask(&self.path(0, query)).await
    }

    fn path(&self, cluster: usize, query: &str) -> String {
        let id = &self.clusters[cluster];
        format!("/v1.0/{PROJECT_ID}/clusters/{id}/vpcepservice/connections{query}")
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}/__sim/{path}", self.url));
        let answer = request.body(body.to_string()).send().await.expect("an answer");
        (answer.status().as_u16(), json_of(answer).await)
    }

    async fn put_faults(&self, faults: Value) {
        let (status, body) = self.control(Method::PUT, "faults", json!({"faults": faults})).await;
        assert_eq!(status, 200, "{body}");
    }

    async fn end(self) {
        self.stop.send(()).expect("still running");
        let ended = timeout(Duration::from_secs(5), self.task).await.expect("it ends promptly");
        ended.expect("joined").expect("no error");
    }
}

async fn json_of(answer: reqwest::Response) -> Value {
    let text = answer.text().await.expect("a body");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let error = Sim::bind(Settings::empty(([0, 0, 0, 0], 0).into())).await.expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn pages_tell_the_truth() {
    let sim = start(&[]).await;
    let mut ids = Vec::new();
    for offset in [0, 10, 20, 30] {
        let answer = sim.connections(&format!("?limit=10&offset={offset}")).await.expect("sent");
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["date"], "Tue, 11 Jun 2024 09:36:24 GMT");
        assert_eq!(answer.headers()["x-request-id"].len(), 32);
        let body = json_of(answer).await;
        assert_eq!(body["total_count"], 25);
        let rows = body["connections"].as_array().expect("rows").clone();
        ids.extend(rows.iter().map(|row| row["id"].clone()));
    }
    let (_, world) = sim.control(Method::GET, "world", json!({})).await;
    let truth = world["clusters"][0]["connections"].as_array().expect("rows").clone();
    assert_eq!(ids, truth.iter().map(|row| row["id"].clone()).collect::<Vec<_>>());
    let (_, log) = sim.control(Method::GET, "requests", json!({})).await;
    assert_eq!(log["by_operation"]["css_connections"], 4);
    assert_eq!((&log["max_offset"], &log["max_limit"]), (&json!(30), &json!(10)));
    assert_eq!(log["last"][4]["status"], 200);
    sim.end().await;
}

#[tokio::test]
async fn the_address_decides_before_credentials_do() {
    let sim = start(&[]).await;
    let unknown = sim.clusters[0].replace(|c: char| c.is_ascii_digit(), "0");
    let (path, project) = (sim.path(0, ""), PROJECT_ID);
    for (path, status, code) in [
        ("/v9/x".to_owned(), 404, "APIGW.0101"),
        ("/v3/auth/tokens".to_owned(), 404, "APIGW.0101"),
        (format!("/v1.0/{project}/clusters/x/vpcepservice/connections"), 400, "CSS.0001"),
        (format!("/v1.0/{project}/clusters/{unknown}/vpcepservice/connections"), 403, "CSS.0015"),
        (path.replace(project, &"a".repeat(32)), 403, "APIGW.0310"),
        (format!("{path}?limit=0"), 400, "CSS.5038"),
        (format!("{path}?limit=x"), 400, "CSS.0001"),
    ] {
        let answer = sim.ask(&path).await.expect("sent");
        let (got, request_id) = (answer.status(), answer.headers()["x-request-id"].clone());
        let body = json_of(answer).await;
        let found = body.get("error_code").or_else(|| body.get("errCode"));
        assert_eq!((got.as_u16(), found), (status, Some(&json!(code))), "{path}");
        let named =
            body.get("request_id").is_none_or(|id| id == request_id.to_str().expect("text"));
        assert!(named, "{path}");
    }
    let answer = sim.client.get(format!("{}{path}", sim.url)).send().await.expect("sent");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    for (name, value) in [("connection", "close"), ("server", "api-gateway")] {
        assert_eq!(answer.headers().get(name).map(|it| it.as_bytes()), Some(value.as_bytes()));
    }
    assert_eq!(json_of(answer).await["error_code"], "APIGW.0301");
    sim.end().await;
}

#[tokio::test]
async fn signatures_are_checked_on_the_wire() {
    let sim = start(&[]).await;
    let host = sim.url.trim_start_matches("http://").to_owned();
    let signed = "host;x-project-id;x-sdk-date";
    let date = "20240611T093624Z";
    let path = sim.path(0, "");
    let canonical = format!(
        "GET\n{path}/\nlimit=5&offset=0\nhost:{host}\nx-project-id:{PROJECT_ID}\nx-sdk-date:{date}\n\n\
         {signed}\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut statuses = Vec::new();
    for key in [SECRET_KEY, "wrong"] {
        let signature = signature::signature(key, date, &canonical);
        let authorization = format!(
            "SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={signed}, Signature={signature}"
        );
        let request = sim.client.get(format!("{}{path}?offset=0&limit=5", sim.url));
        let request = request.header("X-Project-Id", PROJECT_ID).header("X-Sdk-Date", date);
        let answer = request.header("Authorization", authorization).send().await.expect("sent");
        statuses.push(answer.status().as_u16());
        let text = answer.text().await.expect("a body");
        assert!(key == SECRET_KEY || text.contains("canonicalRequest:GET|/v1.0/"), "{text}");
    }
    assert_eq!(statuses, [200, 401]);
    let (_, log) = sim.control(Method::GET, "requests", json!({})).await;
    assert_eq!(log["bad_signatures"], 1);
    sim.end().await;
}

/// Terraform signs neither the host nor the headers that say whose request it is: they are set later.
#[tokio::test]
async fn terraforms_requests_are_let_in_on_the_wire() {
    const TOKEN: &str = "token+of/temporary=keys";
    let sim = start(&[]).await;
    let temporary = json!({"security_token": TOKEN});
    assert_eq!(sim.control(Method::PUT, "credentials", temporary).await.0, 200);
    let (_, services) = sim.control(Method::GET, "services", json!({})).await;
    let id = services["services"][0]["id"].as_str().expect("an id");
    let (services, date) = (format!("/v1/{PROJECT_ID}/vpc-endpoint-services"), "20240611T093624Z");
    let service = format!("{services}/{id}");
    // Its encoder ends a body with a line end.
    let change = "{\"description\":\"by Terraform\"}\n";
    let signed = "accept;content-type;user-agent;x-sdk-date";
    let ask = async |method: Method, path: &str, query: &str, body: &str, token: &str| {
        let hash = signature::sha256(body.as_bytes());
        let canonical = format!(
            "{method}\n{path}/\n{query}\naccept:application/json\ncontent-type:application/json\n\
             user-agent:terraform\nx-sdk-date:{date}\n\n{signed}\n{hash}"
        );
        let signature = signature::signature(SECRET_KEY, date, &canonical);
        let authorization = format!(
            "SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={signed}, Signature={signature}"
        );
        let request = sim.client.request(method, format!("{}{path}?{query}", sim.url));
        let request = request.header("Accept", "application/json").header("X-Sdk-Date", date);
        let request = request.header("Content-Type", "application/json");
        let request = request.header("User-Agent", "terraform");
        let request = request.header("Authorization", authorization);
        let request = request.header("X-Project-Id", PROJECT_ID).header("X-Security-Token", token);
        let answer = request.body(body.to_owned()).send().await.expect("sent");
        (answer.status().as_u16(), json_of(answer).await)
    };

    let (status, list) = ask(Method::GET, &services, "limit=10&offset=0", "", TOKEN).await;
    assert_eq!((status, &list["total_count"]), (200, &json!(2)), "{list}");
    let (status, connections) = ask(Method::GET, &sim.path(0, ""), "limit=5", "", TOKEN).await;
    assert_eq!((status, &connections["total_count"]), (200, &json!(25)), "{connections}");
    let (status, answer) = ask(Method::PUT, &service, "", change, TOKEN).await;
    assert_eq!(status, 200, "{answer}");
    let (status, read) = ask(Method::GET, &service, "", "", TOKEN).await;
    assert_eq!((status, &read["description"]), (200, &json!("by Terraform")), "{read}");
    let (status, refused) = ask(Method::GET, &service, "", "", "another").await;
    assert_eq!((status, &refused["error_code"]), (401, &json!("APIGW.0301")), "{refused}");
    sim.end().await;
}

#[tokio::test]
async fn control_changes_the_world() {
    let sim = start(&[]).await;
    let id = sim.clusters[0].clone();
    let (_, body) = sim.control(Method::POST, "step", json!({"steps": 3})).await;
    assert_eq!(body, json!({"step": 3}));
    let patch =
        json!({"connections": [{"id": "one", "status": "rejected"}], "update_switch": "no"});
    let (status, _) = sim.control(Method::PUT, &format!("clusters/{id}"), patch).await;
    assert_eq!(status, 200);
    let body = json_of(sim.connections("").await.expect("sent")).await;
    assert_eq!(body["connections"][0]["status"], "rejected");
    assert_eq!((&body["total_count"], &body["vpcepUpdateSwitch"]), (&json!(1), &json!("no")));
    let row = format!("clusters/{id}/connections/one");
    let (status, _) = sim.control(Method::POST, &row, json!({"status": "accepted"})).await;
    assert_eq!(status, 200);
    let off = json!({"vpcep_enabled": false});
    sim.control(Method::PUT, &format!("clusters/{id}"), off).await;
    let answer = sim.connections("").await.expect("sent");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json_of(answer).await["errCode"], "CSS.5182");
    sim.control(Method::DELETE, &format!("clusters/{id}"), json!({})).await;
    assert_eq!(sim.connections("").await.expect("sent").status(), StatusCode::FORBIDDEN);
    for (path, body) in [("step", json!({"stepz": 1})), ("faults", json!({})), ("clock", json!({}))]
    {
        let method = if path == "step" { Method::POST } else { Method::PUT };
        assert_eq!(sim.control(method, path, body).await.0, 400, "{path}");
    }
    sim.control(Method::PUT, "clock", json!({"skew_seconds": 90_000})).await;
    let answer = sim.ask(&sim.path(1, "")).await.expect("sent");
    assert_eq!(json_of(answer).await["error_code"], "APIGW.0307");
    sim.end().await;
}

#[tokio::test]
async fn answers_go_wrong_as_asked() {
    let sim = start(&["throttled-retry-after"]).await;
    let answer = sim.connections("").await.expect("sent");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "2");
    sim.put_faults(json!([{"name": "redirect", "times": 1, "clusters": [&sim.clusters[0]]}])).await;
    let answer = sim.connections("").await.expect("sent");
    let trap = answer.headers()["location"].to_str().expect("text").to_owned();
    assert_eq!(sim.client.get(trap).send().await.expect("sent").status(), StatusCode::OK);
    assert_eq!(sim.connections("").await.expect("sent").status(), StatusCode::OK);
    let (_, log) = sim.control(Method::GET, "requests", json!({})).await;
    assert_eq!(log["trap_hits"], 1);
    sim.put_faults(json!([{"name": "total-shrinks", "after": 1}])).await;
    for total in [25, 25, 24, 23] {
        let body = json_of(sim.connections("").await.expect("sent")).await;
        assert_eq!(body["total_count"], total);
    }
    sim.put_faults(json!([{"name": "endless"}])).await;
    let body = json_of(sim.connections("?offset=1000&limit=50").await.expect("sent")).await;
    assert_eq!(body["connections"].as_array().map(Vec::len), Some(50));
    sim.end().await;
}

#[tokio::test]
async fn wires_go_wrong_as_asked() {
    let sim = start(&["reset"]).await;
    assert!(sim.connections("").await.is_err());
    for name in ["cut-body", "cut-chunked"] {
        sim.put_faults(json!([{"name": name}])).await;
        let answer = sim.connections("").await.expect("a head");
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        assert!(answer.bytes().await.is_err(), "{name}");
    }
    sim.put_faults(json!([{"name": "huge-body"}])).await;
    let answer = sim.connections("").await.expect("a head");
    assert!(answer.bytes().await.expect("all of it").len() > 16 << 20);
    sim.put_faults(json!([{"name": "hang"}])).await;
    let waited = timeout(Duration::from_millis(200), sim.connections("")).await;
    assert!(waited.is_err());
    let begin = Instant::now();
    sim.end().await;
    assert!(begin.elapsed() < Duration::from_secs(2));
}
