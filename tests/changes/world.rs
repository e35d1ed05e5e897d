//! A cloud, a daemon with an audit log, and callers who change something.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Mutex,
};

use css_vpcep_exporter::{
    audit::Record,
    change::{LONGEST_CHANGE, Timings},
    clock::Clock,
};
use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::{process::Command, time::Duration};

use super::{
    front::Front,
    ledger::{self, But, Put},
};
use crate::support::{
    Answer, HTTP, ask,
    cloud::Cloud,
    daemon::{Daemon, configuration, sha256},
    page::Page,
    process::{Folder, Process, exporter},
};

/// The token that may change everything.
const EDITOR: &str = "the-editor-of-the-tests";
/// The limits of a change in the process of the test. A healthy cloud on this machine needs less.
pub(crate) const QUICK: Timings = Timings {
    update: Duration::from_secs(5),
    read_back: Duration::from_secs(3),
    settling: Duration::from_secs(1),
    last_reading: Duration::from_millis(300),
    waits: [Duration::from_millis(100); 4],
    recovery_pause: Duration::from_millis(100),
    ..Timings::DEFAULT
};
/// Longer than any change takes, with time for the way there and back.
const PATIENCE: Duration = LONGEST_CHANGE.saturating_add(Duration::from_secs(10));

/// Where a daemon takes changes, and what it answered so far.
#[derive(Default)]
pub(crate) struct Desk {
    admin: String,
    answers: Mutex<Vec<Value>>,
}

impl Desk {
    pub(crate) fn moved_to(&mut self, admin: impl ToString) {
        self.admin = admin.to_string();
    }

    pub(crate) fn address(&self) -> &str {
        &self.admin
    }

    /// Changes a service, whatever its state is.
    pub(crate) async fn change(&self, service: &str, update: &Value) -> Answer {
        self.change_if(service, "*", update).await
    }

    pub(crate) async fn change_if(&self, service: &str, tag: &str, update: &Value) -> Answer {
        let answer = self.ask_to_change(service, tag, update).await;
        answer.unwrap_or_else(|error| panic!("{service}: {error}"))
    }

    pub(crate) async fn ask_to_change(
        &self,
        service: &str,
        tag: &str,
        update: &Value,
    ) -> Result<Answer, String> {
        self.send(service, tag, &update.to_string()).await
    }

    /// The same with a body as it is.
    pub(crate) async fn send(
        &self,
        service: &str,
        tag: &str,
        body: &str,
    ) -> Result<Answer, String> {
        let url = format!("http://{}/api/v1/endpoint-services/prod/{service}", self.admin);
        let request = HTTP.put(url).header("if-match", tag);
        self.answered(request, body).await
    }

    /// Decides about connections of a cluster, which have these statuses for the caller.
    pub(crate) async fn ask_to_decide(
        &self,
        cluster: &str,
        action: &str,
        seen: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let one = |(id, status): &(&str, &str)| json!({"endpoint_id": id, "status": status});
        let seen: Vec<_> = seen.iter().map(one).collect();
        let body = json!({"action": action, "connections": seen}).to_string();
        let url = format!("http://{}/api/v1/clusters/{cluster}/connections", self.admin);
        self.answered(HTTP.post(url), &body).await
    }

    async fn answered(&self, request: RequestBuilder, body: &str) -> Result<Answer, String> {
        let request = request
            .timeout(PATIENCE)
            .bearer_auth(EDITOR)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.map_err(|error| format!("{error:?}"))?;
        let answer = Answer { status, headers, text };
        self.heard(&answer);
        Ok(answer)
    }

    fn heard(&self, answer: &Answer) {
        self.answers.lock().unwrap().push(answer.json());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.admin);
        let token = format!("Bearer {EDITOR}");
        let answer = ask(Method::GET, &url, &[("authorization", &token)], String::new()).await;
        answer.expect("the daemon answers")
    }

    /// The newest changes, newest first.
    pub(crate) async fn changes(&self) -> Vec<Value> {
        let list = self.get("/api/v1/changes").await.json();
        list["changes"].as_array().unwrap_or_else(|| panic!("{list}")).clone()
    }

    /// One request as bytes, for those who do not stay.
    pub(crate) fn request(&self, service: &str, update: &Value) -> String {
        let (admin, body) = (&self.admin, update.to_string());
        let length = body.len();
        format!(
            "PUT /api/v1/endpoint-services/prod/{service} HTTP/1.1\r\nhost: {admin}\r\n\
             authorization: Bearer {EDITOR}\r\ncontent-type: application/json\r\n\
             if-match: *\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    }
}

/// A cloud with endpoint services, and what is configured for them.
pub(crate) struct Place {
    pub(crate) cloud: Cloud,
    pub(crate) front: Front,
    /// The ids of the services.
    pub(crate) services: Vec<String>,
    pub(crate) folder: Folder,
    /// Where the audit log is.
    pub(crate) log: PathBuf,
    pub(crate) configuration: Value,
    pub(crate) desk: Desk,
}

impl Place {
    pub(crate) async fn new(test: &str, services: usize) -> Self {
        Self::with(test, services, 1).await
    }

    /// The same, with so many connections for each cluster.
    pub(crate) async fn with(test: &str, services: usize, connections: usize) -> Self {
        let cloud = Cloud::start(services, connections).await;
        let front = Front::before(&cloud.url).await;
        let all = cloud.control(Method::GET, "services", &json!({})).await;
        let all = all["services"].as_array().expect("a list");
        let services: Vec<_> =
            all.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
        let folder = Folder::new(test);
        let log = folder.path.join("audit.jsonl");
        let mut configuration = configuration(&cloud);
        let project = &mut configuration["projects"][0];
        project["api_endpoints"]["vpcep"] = json!(front.url);
        project["rate_limit"]["vpcep"] = json!({"requests_per_second": 1000, "burst": 1000});
        project["endpoint_services"] = services
            .iter()
            .enumerate()
            .map(|(at, id)| json!({"id": id, "name": format!("s{at}")}))
            .collect();
        let admin = &mut configuration["admin"];
        admin["audit_log"] = json!(log);
        admin["tokens"] = json!([{
            "name": "test", "sha256": sha256(EDITOR), "role": "editor", "services": ["*"], "clusters": ["*"],
        }]);
        let desk = Desk::default();
        Self { cloud, front, services, folder, log, configuration, desk }
    }

    pub(crate) async fn modes(&self, modes: Value) {
        self.cloud.set_faults(modes).await;
    }

    /// Faults of the gateway and the wire that strike PUTs.
    pub(crate) async fn faults(&self, names: &[&str]) {
        let fault = |name: &&str| json!({"name": name, "operation": "vpcep_update"});
        self.cloud.set_faults(names.iter().map(fault).collect()).await;
    }

    /// What a service really is.
    pub(crate) async fn truth(&self, service: usize) -> Value {
        let all = self.cloud.control(Method::GET, "services", &json!({})).await;
        all["services"][service].clone()
    }

    /// Makes a service what it is.
    pub(crate) async fn set(&self, service: usize, patch: &Value) {
        let path = format!("services/{}", self.services[service]);
        self.cloud.control(Method::PUT, &path, patch).await;
    }

    pub(crate) async fn puts(&self) -> Vec<Put> {
        let noted = self.cloud.control(Method::GET, "puts", &json!({})).await;
        let noted = noted["puts"].as_array().expect("a list").iter().map(Put::of);
        noted.chain(self.front.kept()).collect()
    }

    pub(crate) async fn balance(&self, but: But) -> Vec<Record> {
        self.balance_over(std::slice::from_ref(&self.log), but).await
    }

    /// The same where the log has several files.
    pub(crate) async fn balance_over(&self, files: &[PathBuf], but: But) -> Vec<Record> {
        let records = ledger::records(files);
        let answers = self.desk.answers.lock().unwrap().clone();
        ledger::check(&self.puts().await, &records, &answers, but);
        records
    }

    /// Starts the finished binary here.
    pub(crate) async fn serve(&mut self, name: &str) -> Running {
        self.serve_with(name, &[]).await
    }

    /// The same, with these variables in its environment.
    pub(crate) async fn serve_with(&mut self, name: &str, set: &[(&str, &Path)]) -> Running {
        let file = self.folder.write("config.yml", self.configuration.to_string());
        let mut serve = exporter(&["serve", "--web.listen-address", "127.0.0.1:0"]);
        serve.arg("--config.file").arg(file).envs(set.iter().copied());
        let serve = with_usual_signals(&serve);
        let mut process = Process::start(&self.folder, name, serve);
        let public = process.address("public").await;
        self.desk.moved_to(process.address("admin").await);
        Running { process, public }
    }
}

/// The same command, whatever whoever runs the tests ignores: a process hands that on.
fn with_usual_signals(command: &Command) -> Command {
    let command = command.as_std();
    let mut usual = Command::new("env");
    usual.arg("--default-signal=XFSZ").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => usual.env(name, value),
            None => usual.env_remove(name),
        };
    }
    usual.stdin(Stdio::null()).kill_on_drop(true);
    usual
}

/// The finished binary.
pub(crate) struct Running {
    pub(crate) process: Process,
    public: String,
}

impl Running {
    pub(crate) async fn metrics(&self) -> Page {
        page(&self.public).await
    }
}

pub(crate) async fn page(public: impl ToString) -> Page {
    let url = format!("http://{}/metrics", public.to_string());
    let answer = ask(Method::GET, &url, &[], String::new()).await.expect("the daemon answers");
    assert_eq!(answer.status, 200);
    Page::parse(&answer.text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// All of it in the process of the test.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) daemon: Daemon,
}

impl World {
    pub(crate) async fn new(test: &str, services: usize) -> Self {
        Self::of(Place::new(test, services).await).await
    }

    pub(crate) async fn of(place: Place) -> Self {
        Self::with(place, QUICK).await
    }

    pub(crate) async fn with(mut place: Place, timings: Timings) -> Self {
        let daemon = Daemon::start_with(&place.configuration, &Clock::system(), timings).await;
        place.desk.moved_to(daemon.admin);
        Self { place, daemon }
    }

    /// Changes the first service, so that it is called something else than before.
    pub(crate) async fn change(&self) -> Answer {
        self.place.desk.change(&self.place.services[0], &wanted()).await
    }

    /// How often a change ended so, as the metrics say.
    pub(crate) async fn counted(&self, outcome: &str) -> f64 {
        let page = page(self.daemon.public).await;
        let name = "css_vpcep_exporter_admin_changes_total";
        page.value(name, &[("kind", "service"), ("outcome", outcome)])
            .expect("it is counted from the start")
    }
}

/// What most callers want.
pub(crate) fn wanted() -> Value {
    json!({"description": "wanted"})
}

/// Checks what a caller was told.
#[track_caller]
pub(crate) fn told(answer: &Answer, status: u16, outcome: &str, sent: bool, safe_to_retry: bool) {
    let json = answer.json();
    let found = (
        answer.status,
        json["outcome"].as_str(),
        json["sent"].as_bool(),
        json["safe_to_retry"].as_bool(),
    );
    assert_eq!(found, (status, Some(outcome), Some(sent), Some(safe_to_retry)), "{json:#}");
}

/// Whether the answer warns of something.
#[track_caller]
pub(crate) fn warns(answer: &Answer, of: &str) {
    let warnings = &answer.json()["warnings"];
    let found = warnings.as_array().is_some_and(|all| {
        all.iter().any(|warning| warning.as_str().is_some_and(|text| text.contains(of)))
    });
    assert!(found, "{of}: {warnings}");
}

/// The last part of a problem's type.
pub(crate) fn kind(answer: &Answer) -> String {
    let json = answer.json();
    json["type"].as_str().unwrap_or_default().trim_start_matches("/problems/").to_owned()
}

/// A copy of a file, before something happens to it.
pub(crate) fn copied(file: &Path, name: &str) -> PathBuf {
    let copy = file.with_file_name(name);
    std::fs::copy(file, &copy).expect("the folder can be written");
    copy
}
