//! The admin listener over a real socket, with an engine and an audit log of the test behind it.

mod command;
mod connections;
mod conversation;
mod openapi;
mod raw;
mod walk;

use std::{
    fs::{self, File},
    io::BufReader,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use css_vpcep_exporter::{
    admin::{self, Access, AdminSettings, AdminToken, Parts, Role},
    audit::{self, Audit, AuditWriter, ChangeId, Content, Kind},
    board::{Board, ClusterMeta, ServiceBoard, ServiceMeta},
    change::{
        ChangeRequest, Changes, Command, Condition, Current, Effect, Outcome, Refusal, Report,
        ServiceEffect, Wanted,
    },
    clock::Clock,
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, EndpointService, PortMapping,
        RegionId, ServiceFields, ServiceId, ServiceName, ServiceStatus, Status,
    },
    poll::Scheduler,
    stats::Stats,
    web::{Bound, Limits, WebSettings},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    io::AsyncWriteExt as _,
    sync::{mpsc, watch},
};

use super::read_to_end;
use crate::support::eventually;

/// A service of project `prod` that is called `logs`.
const LOGS: &str = "4189d3c2-8882-4871-a3c2-d380272eed88";
/// A service of project `test` that is called `other`.
const OTHER: &str = "5189d3c2-8882-4871-a3c2-d380272eed88";
/// A service of project `lab` that is called as the id of one that is no longer configured.
const HEIR: &str = "6189d3c2-8882-4871-a3c2-d380272eed88";
const GONE: &str = "7189d3c2-8882-4871-a3c2-d380272eed88";
/// A cluster of project `prod` that is called `search`.
const SEARCH: &str = "8189d3c2-8882-4871-a3c2-d380272eed88";
/// Changes of them.
const CHANGE_OF_LOGS: &str = "0190b1f2-7c3e-7a41-8c21-000000000001";
const OLDER_CHANGE_OF_LOGS: &str = "0190b1f2-7c3e-7a41-8c21-000000000000";
const CHANGE_OF_OTHER: &str = "0190b1f2-7c3e-7a41-8c21-000000000002";
const CHANGE_OF_GONE: &str = "0190b1f2-7c3e-7a41-8c21-000000000003";

const VIEWER: &str = "token-of-a-viewer";
const EDITOR: &str = "token-of-an-editor";
const ELSEWHERE: &str = "token-of-an-editor-of-other-services";
const NOWHERE: &str = "token-of-an-editor-of-nothing";
const OF_HEIR: &str = "token-of-a-viewer-of-one-id";

const ETAG: &str = "state-1";

struct Admin {
    address: SocketAddr,
    stats: Arc<Stats>,
    /// What the engine was asked to change.
    asked: Arc<Mutex<Vec<ChangeRequest>>>,
    log: PathBuf,
    writer: AuditWriter,
}

/// Reason, source, token and service of requests that were turned away.
type DeniedRow = [Option<Box<str>>; 4];

/// What the engine of a test says to a change.
type Says = Box<dyn Fn(&ChangeRequest) -> Result<Report, Refusal> + Send>;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap_or(0), head: head.to_owned(), body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A refusal is a problem document, whatever it is.
    fn expect_problem(&self, what: &str) {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{what}");
        assert_eq!(json["status"], self.status, "{what}");
        for member in ["type", "title", "detail"] {
            assert!(json[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: {json}");
        }
    }
}

impl Admin {
    async fn start() -> Self {
        Self::start_with(Box::new(|request| Ok(report(request)))).await
    }

    async fn start_with(says: Says) -> Self {
        let stats = Arc::new(Stats::default());
        let board = Board::new([ClusterMeta {
            region: RegionId::parse("cn-north-4").unwrap(),
            project: "prod".into(),
            id: ClusterId::parse(SEARCH).unwrap(),
            name: "search".into(),
            interval: Duration::from_secs(60),
            labels: Default::default(),
            listed: None,
        }]);
        let clock = Clock::system();
        let (scheduler, polls, _roster) = Scheduler::<css_vpcep_exporter::huawei::Client>::new(
            Vec::new(),
            board.clone(),
            clock.clone(),
            stats.clone(),
        );
        tokio::spawn(scheduler.run(std::future::pending()));
        let services = ServiceBoard::new([
            meta("prod", LOGS, "logs"),
            meta("test", OTHER, "other"),
            meta("lab", HEIR, GONE),
        ]);
        let bound = Bound::listen(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = bound.address();
        let token = |name: &str, text: &str, role, services: &[&str]| AdminToken {
            name: name.into(),
            sha256: Sha256::digest(text).into(),
            role,
            services: services.iter().map(|&pattern| pattern.to_owned()).collect(),
            clusters: services.iter().map(|pattern| pattern.replace("logs", "search")).collect(),
        };
        let (_, web) = tokio::sync::watch::channel(WebSettings::default());
        let admin = AdminSettings {
            web: WebSettings::default(),
            allow_proxy_vni: false,
            listen: address,
            hosts: vec![address.to_string(), format!("localhost:{}", address.port())],
            tokens: vec![
                token("viewer", VIEWER, Role::Viewer, &["prod/*"]),
                token("editor", EDITOR, Role::Editor, &["prod/logs"]),
                token("elsewhere", ELSEWHERE, Role::Editor, &["test/*"]),
                token("nowhere", NOWHERE, Role::Editor, &[]),
                token("heir", OF_HEIR, Role::Viewer, &[&format!("lab/{HEIR}")]),
            ],
        };
        let (access, may_enter) =
            watch::channel(Access::of(&admin, address, Duration::from_secs(60)));
        let (changes, commands) = Changes::channel();
        let asked = Arc::<Mutex<Vec<ChangeRequest>>>::default();
        tokio::spawn(engine(commands, asked.clone(), says));
        // Its port is nobody else's.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let log = folder.join(format!("admin-{}.jsonl", address.port()));
        let (audit, writer) = open_log(&log).await;
        let (audit, own) = (Some(audit), stats.clone());
        let parts = Parts { board, services, polls, changes, audit, stats: own, clock };
        let router = admin::router(parts, may_enter, web);
        tokio::spawn(async move {
            // What a reload would change lives as long as the listener.
            let _kept = access;
            bound.with_limits(Limits::ADMIN).serve(router, std::future::pending()).await;
        });
        Self { address, stats, asked, log, writer }
    }

    async fn until_a_denial_is_recorded(&self) {
        eventually("a recorded denial", async || {
            let log = fs::read_to_string(&self.log).unwrap();
            if log.contains(r#""denied""#) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    /// Ends the log; its records of refusals.
    async fn denied(self) -> Vec<DeniedRow> {
        self.writer.close().await.unwrap();
        let mut rows = Vec::new();
        let file = BufReader::new(File::open(self.log).unwrap());
        let read = audit::read(file, None, |record, _| {
            let content = record.content;
            if content.kind == Kind::Denied {
                rows.push([content.outcome, content.remote, content.actor, content.service_name]);
            }
        });
        read.unwrap();
        rows
    }

    /// Sends these bytes and reads until the connection ends.
    async fn raw(&self, request: &str) -> Answer {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        Answer::of(&read_to_end(&mut stream).await)
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        if let Some(token) = token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        self.raw(&format!("{request}\r\n{body}")).await
    }

    /// A change as an editor makes it.
    async fn put(&self, query: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let path = format!("/api/v1/endpoint-services/prod/logs{query}");
        let headers = [&[("Content-Type", "application/json")], headers].concat();
        self.ask("PUT", &path, Some(EDITOR), &headers, body).await
    }

    fn denials(&self, reason: &str) -> f64 {
        let families = self.stats.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "css_vpcep_exporter_admin_denied_total")
            .unwrap();
        let mut metrics = family.get_metric().iter();
        let of_reason = |metric: &&prometheus::proto::Metric| {
            metric.get_label().iter().any(|label| label.value() == reason)
        };
        metrics.find(of_reason).unwrap().get_counter().get_value()
    }
}

fn meta(project: &str, id: &str, name: &str) -> ServiceMeta {
    ServiceMeta {
        region: RegionId::parse("cn-north-4").unwrap(),
        project: project.into(),
        id: ServiceId::parse(id).unwrap(),
        name: name.into(),
    }
}

fn service() -> EndpointService {
    EndpointService {
        id: ServiceId::parse(LOGS).unwrap(),
        full_name: ServiceName::new(&format!("cn-north-4.logs.{LOGS}")),
        status: ServiceStatus::Available,
        fields: ServiceFields {
            approval_enabled: Some(true),
            ports: Some(vec![PortMapping {
                client_port: 9200,
                server_port: 9200,
                protocol: "TCP".into(),
            }]),
            ..ServiceFields::default()
        },
        connections: Some(2),
        created: None,
        updated: None,
    }
}

fn current() -> Current {
    Current { service: service(), etag: ETAG.into() }
}

fn report(request: &ChangeRequest) -> Report {
    Report {
        change_id: CHANGE_OF_LOGS.into(),
        outcome: if request.dry_run { Outcome::Planned } else { Outcome::Applied },
        sent: !request.dry_run,
        safe_to_retry: true,
        effect: Effect::Service(Box::new(ServiceEffect {
            before: service(),
            after: (!request.dry_run).then(service),
            diff: Vec::new(),
        })),
        failure: None,
        cloud: None,
        warnings: Vec::new(),
    }
}

/// Two connections, one of which is rejected.
fn connections() -> Arc<ConnectionList> {
    let one = |id, status| Connection::from(ConnectionFields::bare(id, status));
    Arc::new(ConnectionList {
        service_enabled: true,
        connections: vec![one("e1", Status::Accepted), one("e2", Status::Rejected)],
        ..ConnectionList::service_not_enabled()
    })
}

/// The effect on the service that a report is about.
fn effect(report: &mut Report) -> &mut ServiceEffect {
    match &mut report.effect {
        Effect::Service(effect) => effect,
        other => panic!("{other:?}"),
    }
}

/// The condition of a request about a service.
fn condition(request: &ChangeRequest) -> &Condition {
    match &request.wanted {
        Wanted::Service { condition, .. } => condition,
        other => panic!("{other:?}"),
    }
}

async fn engine(
    mut commands: mpsc::Receiver<Command>,
    asked: Arc<Mutex<Vec<ChangeRequest>>>,
    says: Says,
) {
    while let Some(command) = commands.recv().await {
        match command {
            Command::Read { answer, .. } => {
                let _ = answer.send(Ok(current()));
            }
            Command::ReadConnections { answer, .. } => {
                let _ = answer.send(Ok(connections()));
            }
            Command::Change(request, answer) => {
                let said = match &request.wanted {
                    Wanted::Connections { .. } => says(&request),
                    Wanted::Service { condition, .. } => match condition {
                        _ if request.dry_run => says(&request),
                        Condition::None => Err(Refusal::ConditionRequired(Box::new(current()))),
                        Condition::Tags(tags) if !tags.contains(&ETAG.to_owned()) => {
                            Err(Refusal::ConditionFailed(Box::new(current())))
                        }
                        _ => says(&request),
                    },
                };
                asked.lock().unwrap().push(*request);
                let _ = answer.send(said);
            }
        }
    }
}

/// A log in which `other` was changed last, before it `logs`, twice, and first of all the service that is
/// gone.
async fn open_log(log: &Path) -> (Audit, AuditWriter) {
    let _ = fs::remove_file(log);
    let (audit, writer, _) = Audit::open(log, Clock::system()).unwrap();
    for (change_id, project, service_id) in [
        (CHANGE_OF_GONE, "lab", GONE),
        (OLDER_CHANGE_OF_LOGS, "prod", LOGS),
        (CHANGE_OF_LOGS, "prod", LOGS),
        (CHANGE_OF_OTHER, "test", OTHER),
    ] {
        let content = Content {
            change_id: ChangeId::parse(change_id),
            actor: Some("oncall".into()),
            remote: Some("127.0.0.1".into()),
            project: Some(project.into()),
            service_id: ServiceId::parse(service_id).ok(),
            service_name: Some("logs".into()),
            outcome: Some("applied".into()),
            ..Content::empty(Kind::Outcome)
        };
        audit.outcome(content).await.unwrap();
    }
    (audit, writer)
}
