//! The equation: PUTs and decisions that the cloud saw = attempts in the audit log = answers to callers.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::BufReader,
    path::PathBuf,
};

use css_vpcep_exporter::{
    audit::{self, Kind, Record},
    model::Field,
};
use serde_json::Value;

use crate::support::daemon::sha256;

/// A PUT, or a POST about connections, that reached the cloud, or somebody in its place.
#[derive(Debug)]
pub(crate) struct Put {
    /// The service, or the cluster.
    pub(crate) service: String,
    pub(crate) body_sha256: String,
    pub(crate) applied: bool,
    /// Where an answer was meant to be sent.
    pub(crate) request_id: Option<String>,
}

impl Put {
    /// As the simulator notes it.
    pub(crate) fn of(noted: &Value) -> Self {
        let text = |name: &str| noted[name].as_str().expect("a text").to_owned();
        Self {
            service: text(if noted["service_id"].is_string() {
                "service_id"
            } else {
                "cluster_id"
            }),
            body_sha256: text("body_sha256"),
            applied: noted["applied"].as_bool().expect("a bool"),
            request_id: noted["answered"].as_bool().expect("a bool").then(|| text("request_id")),
        }
    }
}

/// What is allowed beyond one PUT, one pair of records and one answer for each change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct But {
    /// PUTs that the gateway stopped, and that were therefore sent once more.
    pub(crate) stopped_at_the_gateway: usize,
    /// Changes whose callers did not get the answer.
    pub(crate) unheard: usize,
    /// The process was killed: an intent may be all there is of a change, and what became of it was
    /// found out later.
    pub(crate) killed: bool,
}

/// All records of a log in several files, oldest first; the chain holds over all of them.
pub(crate) fn records(files: &[PathBuf]) -> Vec<Record> {
    let mut head = None;
    let mut records = Vec::new();
    for path in files {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read = audit::read(BufReader::new(file), head, |record, _| records.push(record));
        let read = read.unwrap_or_else(|broken| panic!("{}: {broken}", path.display()));
        assert_eq!(read.torn, b"", "{}", path.display());
        head = Some(read.head);
    }
    records
}

/// Holds the three against each other.
pub(crate) fn check(puts: &[Put], records: &[Record], answers: &[Value], but: But) {
    let changes = Changes::of(records);
    let shown = || format!("{puts:#?}\n{:#?}\n{answers:#?}", changes.0);
    let sent: Vec<_> = changes.0.values().filter(|change| change.outcome != "not_sent").collect();
    let attempts = sent.len() + but.stopped_at_the_gateway;
    assert!(puts.len() == attempts || but.killed, "PUTs, attempts: {}", shown());
    for put in puts {
        let is_its =
            |change: &&Change| change.service == put.service && change.body == put.body_sha256;
        assert!(changes.0.values().any(|change| is_its(&change)), "{put:?}: {}", shown());
    }
    for change in &sent {
        let of_it = |put: &&Put| put.service == change.service && put.body_sha256 == change.body;
        let own: Vec<_> = puts.iter().filter(of_it).collect();
        let same =
            |other: &&&Change| (&other.service, &other.body) == (&change.service, &change.body);
        let expected = sent.iter().filter(same).count() + but.stopped_at_the_gateway;
        let never_left = but.killed && own.is_empty() && change.outcome == "not_applied";
        if never_left {
            continue;
        }
        assert_eq!(own.len(), expected, "PUTs of {change:?}: {}", shown());
        let last = own.last().expect("there is one");
        match &*change.outcome {
            "applied" => assert!(own.iter().any(|put| put.applied), "{}", shown()),
            "rejected" | "not_applied" => assert!(!last.applied, "{}", shown()),
            "partial" | "unknown" if !but.killed => {}
            other => panic!("{other}: {}", shown()),
        }
        if let Some(id) = &change.request_id {
            let has_it = |put: &&Put| put.request_id.as_deref() == Some(id);
            assert!(own.iter().any(has_it), "{id}: {}", shown());
        }
    }
    let mut heard = 0;
    for answer in answers.iter().filter(|answer| answer["change_id"].is_string()) {
        let id = answer["change_id"].as_str().expect("a text");
        if ["planned", "unchanged"].iter().any(|word| answer["outcome"] == *word) {
            assert!(!changes.0.contains_key(id), "{}", shown());
            continue;
        }
        let change = changes.0.get(id).unwrap_or_else(|| panic!("{id}: {}", shown()));
        assert_eq!(answer["outcome"], *change.outcome, "{}", shown());
        assert_eq!(answer["sent"], change.outcome != "not_sent", "{}", shown());
        heard += 1;
    }
    assert_eq!(heard + but.unheard, changes.0.len(), "answers, changes: {}", shown());
}

#[derive(Debug)]
struct Change {
    service: String,
    /// The digest of the body that the intent speaks of.
    body: String,
    outcome: String,
    request_id: Option<String>,
}

struct Changes(BTreeMap<String, Change>);

impl Changes {
    /// Each intent with its one outcome, which comes after it.
    fn of(records: &[Record]) -> Self {
        let mut open: HashMap<String, (String, String)> = HashMap::new();
        let mut changes = BTreeMap::new();
        for Record { content, seq, .. } in records {
            let Some(id) = content.change_id.as_ref().map(|id| id.as_str().to_owned()) else {
                continue;
            };
            let service = content.service_id.as_ref().map(ToString::to_string);
            let cluster = content.cluster_id.as_ref().map(ToString::to_string);
            let is_decision = cluster.is_some();
            let service = service.or(cluster).expect("a service or a cluster");
            match (content.kind, content.outcome.as_deref()) {
                (Kind::Intent, _) => {
                    assert!(!changes.contains_key(&id), "seq {seq}: an intent after its outcome");
                    let request = content.request.as_ref().expect("a request");
                    // A new file repeats the intents that are open.
                    let digest = match is_decision {
                        true => decision_digest(request, content.diff.as_ref().expect("a diff")),
                        false => digest(&request["update"]),
                    };
                    open.insert(id, (service, digest));
                }
                (Kind::Outcome, Some("unchanged")) => assert!(!open.contains_key(&id), "seq {seq}"),
                (Kind::Outcome, outcome) => {
                    let (service, body) =
                        open.remove(&id).unwrap_or_else(|| panic!("seq {seq}: no intent"));
                    let cloud = content.cloud.as_ref();
                    let request_id = cloud.and_then(|cloud| cloud["request_id"].as_str());
                    let outcome = outcome.expect("a word").to_owned();
                    let request_id = request_id.map(str::to_owned);
                    changes.insert(id, Change { service, body, outcome, request_id });
                }
                _ => {}
            }
        }
        assert!(open.is_empty(), "intents without outcome: {open:?}");
        Self(changes)
    }
}

/// The digest of the one body that a decision is sent as.
fn decision_digest(request: &Value, due: &Value) -> String {
    let action = if request["action"] == "accept" { "receive" } else { "reject" };
    let due = due.as_array().expect("a list");
    let ids: Vec<_> = due.iter().map(|one| one["endpoint_id"].to_string()).collect();
    sha256(&format!(r#"{{"action":"{action}","endpoint_id_list":[{}]}}"#, ids.join(",")))
}

/// The digest of the one body that an update is sent as: its fields in the order of the document.
fn digest(update: &Value) -> String {
    let member = |field: &Field| {
        let name = field.as_str();
        Some(format!("{name:?}:{}", written(*field, update.get(name)?)))
    };
    let members: Vec<_> = Field::ALL.iter().filter_map(member).collect();
    let body = format!("{{{}}}", members.join(","));
    sha256(&body)
}

fn written(field: Field, value: &Value) -> String {
    if field != Field::Ports {
        return value.to_string();
    }
    let mapping = |port: &Value| {
        let [client, server, protocol] =
            ["client_port", "server_port", "protocol"].map(|name| port[name].clone());
        format!(r#"{{"client_port":{client},"server_port":{server},"protocol":{protocol}}}"#)
    };
    let all: Vec<_> = value.as_array().expect("a list").iter().map(mapping).collect();
    format!("[{}]", all.join(","))
}
