//! The body of a decision about connections.

use super::{BodyError, Checks, Rule, quoted, read};
use crate::{
    change::{DecisionRequest, Seen, strict_json::Node},
    label::Label,
    model::{Decision, EndpointId, Status},
};

/// Connections in one request: more than a person reviews before deciding.
const MOST_CONNECTIONS: usize = 100;
/// Characters of an endpoint's id; those of the cloud are UUIDs.
const LONGEST_ID: usize = 64;

const FIELDS: [&str; 2] = ["action", "connections"];
const CONNECTION_FIELDS: [&str; 2] = ["endpoint_id", "status"];

/// The decision that a body requests.
///
/// # Errors
/// The mistake in the JSON, or all rules that the body breaks.
pub fn validate_decision(body: &[u8]) -> Result<DecisionRequest, BodyError> {
    let mut checks = Checks::default();
    let request = checks.decision(read(body)?);
    checks.end(request)
}

impl Checks {
    fn decision(&mut self, node: Node) -> Option<DecisionRequest> {
        let members = self.object("", node, &FIELDS)?;
        self.require("", &FIELDS, &members);
        let (mut action, mut connections) = (None, None);
        for (name, node) in members {
            match name {
                "action" => action = self.word("/action", node, &Decision::ALL),
                _ => connections = self.connections(node),
            }
        }
        Some(DecisionRequest { action: action?, connections: connections? })
    }

    fn connections(&mut self, node: Node) -> Option<Vec<Seen>> {
        let at = "/connections";
        let entries = self.entries(at, node, ["connections"; 2], MOST_CONNECTIONS)?;
        if entries.is_empty() {
            self.wrong(at, Rule::NotEmpty, "expected at least one connection");
        }
        let mut all: Vec<Seen> = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let at = format!("{at}/{index}");
            let Some(seen) = self.connection(&at, entry) else { continue };
            if all.iter().any(|other| other.endpoint_id == seen.endpoint_id) {
                let message = format!("{} is in the list more than once", seen.endpoint_id);
                self.wrong(&format!("{at}/endpoint_id"), Rule::Unique, message);
            }
            all.push(seen);
        }
        Some(all)
    }

    fn connection(&mut self, at: &str, entry: Node) -> Option<Seen> {
        let members = self.object(at, entry, &CONNECTION_FIELDS)?;
        self.require(at, &CONNECTION_FIELDS, &members);
        let (mut endpoint_id, mut status) = (None, None);
        for (name, node) in members {
            let at = format!("{at}/{name}");
            match name {
                "endpoint_id" => endpoint_id = self.endpoint_id(&at, node),
                _ => status = self.word(&at, node, &Status::ALL),
            }
        }
        Some(Seen { endpoint_id: endpoint_id?, status: status? })
    }

    fn endpoint_id(&mut self, at: &str, node: Node) -> Option<EndpointId> {
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let expected = "letters, digits, - and _ (of ASCII)";
        let id = self.limited(at, node, 1..=LONGEST_ID, ok, expected)?;
        Some(EndpointId::new(&id))
    }

    fn word<L: Label>(&mut self, at: &str, node: Node, all: &[L]) -> Option<L> {
        let text = self.text(at, node, "a string")?;
        let found = L::from_str(&text);
        if found.is_none() {
            let words: Vec<_> = all.iter().map(|one| one.as_str()).collect();
            let message = format!("{}; expected one of {}", quoted(&text), words.join(", "));
            self.wrong(at, Rule::OneOf, message);
        }
        found
    }
}
