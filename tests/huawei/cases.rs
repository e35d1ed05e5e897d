//! The cases of `tests/data/credentials`: an environment, files, the exchanges in their order, and what comes
//! of it. `SERVER` stands for the address of the server that plays the cloud and its platform, `FOLDER` for
//! that of the files. `sdk` is there if the official SDK does the same, true or but for what it says. A header of a request may end in `*` for anything, or be null: it must not be there.

use std::{collections::VecDeque, fs, path::Path};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response},
};
use css_vpcep_exporter::config::{self, Config};
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::*;
use crate::support::here;

/// More than any request of a case.
const LARGEST_BODY: usize = 64 * 1024;

/// The exchanges to come, and what was wrong with those that came.
#[derive(Default)]
struct Script {
    exchanges: VecDeque<Value>,
    complaints: Vec<String>,
}

async fn play(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response<String> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_else(|_| Bytes::new());
    let mut script = script.lock();
    let line = format!("{} {}", parts.method, parts.uri);
    let Some(exchange) = script.exchanges.pop_front() else {
        script.complaints.push(format!("{line}: no more requests are expected"));
        return Response::builder().status(500).body(String::new()).unwrap();
    };
    let wanted = &exchange["request"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if line != format!("{} {}", text(&wanted["method"]), text(&wanted["path"])) {
        script.complaints.push(format!("{line}: {wanted} is expected"));
    }
    script.complaints.extend(complaints_about(&parts.headers, &wanted["headers"]));
    let sent = String::from_utf8_lossy(&body).into_owned();
    let sent = serde_json::from_str(&sent).unwrap_or(Value::String(sent));
    if wanted.get("body").is_some_and(|wanted| *wanted != sent) {
        script.complaints.push(format!("{line} with {sent}: {} is expected", wanted["body"]));
    }
    let answer = &exchange["response"];
    let mut response = Response::builder().status(answer["status"].as_u64().unwrap() as u16);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, text(value));
    }
    let body = answer["body"].as_str().map_or_else(|| answer["body"].to_string(), str::to_owned);
    response.body(body).unwrap()
}

fn complaints_about(headers: &HeaderMap, wanted: &Value) -> Vec<String> {
    let wrong = |(name, wanted): (&String, &Value)| {
        let found = headers.get(name).map(|value| value.to_str().unwrap());
        let fits = match (found, wanted.as_str()) {
            (Some(found), Some(wanted)) => match wanted.strip_suffix('*') {
                Some(start) => found.starts_with(start.trim_end_matches(", ")),
                None => found == wanted,
            },
            (found, wanted) => found == wanted,
        };
        (!fits).then(|| format!("{name}: {found:?}, {wanted} is expected"))
    };
    wanted.as_object().into_iter().flatten().filter_map(wrong).collect()
}

/// A case, as it is written down, with the places of this run.
struct Case {
    server: String,
    script: Arc<Mutex<Script>>,
    written: Value,
    folder: Folder,
}

impl Case {
    async fn read(path: &Path) -> Case {
        let name = path.file_name().unwrap().to_str().unwrap();
        let folder = Folder::new(&format!("credentials-{name}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let here = folder.path.display().to_string();
        let read = |path: &Path| {
            let text = fs::read_to_string(path).unwrap();
            text.replace("SERVER", &server).replace("FOLDER", &here)
        };
        for file in fs::read_dir(path).unwrap().map(|file| file.unwrap().path()) {
            folder.write(file.file_name().unwrap().to_str().unwrap(), read(&file));
        }
        let written: Value = serde_json::from_str(&read(&path.join("case.json"))).unwrap();
        let exchanges = written["exchanges"].as_array().unwrap().iter().cloned().collect();
        let script = Arc::new(Mutex::new(Script { exchanges, ..Script::default() }));
        let router = Router::new().fallback(play).with_state(script.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        Case { server, script, written, folder }
    }

    fn config(&self) -> Result<Config, config::ConfigError> {
        let server = &self.server;
        let project = json!({
            "name": "p", "region": "cn-north-4", "project_id": self.written["project_id"],
            "credentials": self.written["credentials"],
            "api_endpoints": { "css": server, "iam": server, "sts": server },
            "clusters": [{ "id": "5c77b71c-5b35-4f50-8984-76387e42451a" }],
        });
        let lookup = |name: &str| self.written["environment"][name].as_str().map(str::to_owned);
        let text = json!({ "projects": [project] }).to_string();
        config::parse(&text, &self.folder.path.join("config.yml"), &lookup)
    }

    /// What differs from what is written down.
    async fn complaints(&self) -> Vec<String> {
        let text = |key: &str| self.written[key].as_str().map(str::to_owned);
        let config = match (self.config(), text("mistake")) {
            (Ok(config), None) => config,
            (Err(error), Some(mistake)) if error.to_string().contains(&mistake) => {
                return Vec::new();
            }
            (outcome, _) => return vec![format!("{:?}", outcome.map(|_| "no mistake"))],
        };
        let clock = Clock::system();
        let stats = Arc::new(Stats::default());
        let transport = Arc::new(Transport::new(clock, stats.clone()).unwrap());
        let metadata = Arc::new(huawei::Metadata::at(&*self.server));
        let common = Common { transport, guard: Arc::default(), metadata, stats };
        let project = config.projects.into_iter().next().unwrap();
        let client = Client::new(project.cloud, &common, pacers());
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let budget = Budget { deadline, first_token: None, priority: Priority::Poll };
        let polled = client.connections(&project.clusters[0].id, budget).await;
        let mut script = self.script.lock();
        let mut complaints = std::mem::take(&mut script.complaints);
        complaints.extend(script.exchanges.iter().map(|one| format!("{one} did not come")));
        let outcome = polled.result.map(|_| ()).map_err(|error| error.to_string());
        match (outcome, text("error")) {
            (Ok(()), None) => {}
            (Err(found), Some(wanted)) if found.contains(&wanted) => {}
            (outcome, wanted) => complaints.push(format!("{outcome:?}, {wanted:?} is expected")),
        }
        complaints
    }
}

#[tokio::test]
async fn every_case_of_credentials_goes_as_it_is_written_down() {
    let mut paths: Vec<_> = fs::read_dir(here("tests/data/credentials"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 30, "only {}", paths.len());
    let mut failed = Vec::new();
    for path in paths {
        let case = Case::read(&path).await;
        assert!(case.written["what"].as_str().is_some_and(|what| what.ends_with('.')));
        let complaints = case.complaints().await;
        failed.extend(complaints.into_iter().map(|one| format!("{}: {one}", path.display())));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
