//! Validates the body of a change: strict JSON, known fields, and every limit of the document
//! (VPCEP API Reference, "Modifying a VPC Endpoint Service", Tables 3 and 4). All mistakes are
//! reported at once.

mod connections;
mod values;

#[cfg(test)]
mod tests;

use std::fmt::Display;

pub use self::connections::validate_decision;

use super::{Violation, strict_json::Node};
use crate::{
    label::labels,
    model::{Field, PortMapping, ServiceFields},
};

/// Number of mistakes that are listed for one body: more do not help, and a body is not trusted.
const MOST_VIOLATIONS: usize = 1000;
/// Characters of a value or a key that a message quotes.
const MOST_QUOTED: usize = 64;
/// Mappings in one request (Table 3, `ports`).
const MOST_PORTS: usize = 200;
/// An unknown name with at most this many wrong letters counts as a typing error.
const TYPING_ERROR: usize = 2;

const PORT_FIELDS: [&str; 3] = ["client_port", "server_port", "protocol"];

/// A body that is not a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is no JSON text.
    Syntax {
        /// The mistake, with line and column.
        message: String,
    },
    /// It breaks these rules; at least one.
    Violations(Vec<Violation>),
}

labels! {
    /// A rule that a body may break.
    pub enum Rule {
        /// The value has another JSON type.
        Type = "type",
        /// The value is null.
        Null = "null",
        /// The field is not known.
        UnknownField = "unknown_field",
        /// The field occurs more than once.
        DuplicateField = "duplicate_field",
        /// A field is missing.
        Required = "required",
        /// There is nothing to change.
        NotEmpty = "not_empty",
        /// The text is too short or too long.
        Length = "length",
        /// The text has a character that it may not have.
        Characters = "characters",
        /// The number is too small or too large.
        Range = "range",
        /// The word is not among those that are allowed.
        OneOf = "one_of",
        /// The list is too long.
        MaxItems = "max_items",
        /// An item occurs more than once.
        Unique = "unique",
        /// The text is no address of a backend.
        Address = "address",
        /// The field occurs together with one that excludes it.
        Exclusive = "exclusive",
    }
}

/// The change that a body requests, its ports in canonical order. `allow_proxy_vni` lets `tcp_proxy`
/// be `proxy_vni`, which only the SDK knows.
///
/// # Errors
/// The mistake in the JSON, or all rules that the body breaks.
pub fn validate(body: &[u8], allow_proxy_vni: bool) -> Result<ServiceFields, BodyError> {
    let mut checks = Checks { allow_proxy_vni, ..Checks::default() };
    let fields = checks.body(read(body)?);
    checks.end(fields)
}

fn read(body: &[u8]) -> Result<Node, BodyError> {
    let syntax = |message: String| BodyError::Syntax { message };
    if body.starts_with(b"\xEF\xBB\xBF") {
        return Err(syntax("a byte order mark at line 1 column 1; leave it out".to_owned()));
    }
    // The texts of these errors name what JSON expects, never the text that was found.
    serde_json::from_slice(body).map_err(|error| syntax(error.to_string()))
}

/// Collects the mistakes.
#[derive(Default)]
struct Checks {
    violations: Vec<Violation>,
    allow_proxy_vni: bool,
}

impl Checks {
    /// The values that were read, if there is no mistake.
    fn end<T>(mut self, read: Option<T>) -> Result<T, BodyError> {
        match read {
            Some(read) if self.violations.is_empty() => Ok(read),
            _ => {
                self.violations.truncate(MOST_VIOLATIONS);
                Err(BodyError::Violations(self.violations))
            }
        }
    }

    fn wrong(&mut self, pointer: &str, rule: Rule, message: impl Into<String>) {
        self.violations.push(Violation {
            pointer: pointer.to_owned(),
            rule: rule.as_str().into(),
            message: message.into(),
        });
    }

    fn body(&mut self, node: Node) -> Option<ServiceFields> {
        let members = self.object("", node, &Field::ALL)?;
        if members.is_empty() {
            let names = Field::ALL.map(Field::as_str).join(", ");
            self.wrong("", Rule::NotEmpty, format!("expected at least one of {names}"));
        }
        let has = |field| members.iter().any(|(key, _)| *key == field);
        let both_targets = has(Field::PortId) && has(Field::Ip);
        let mut fields = ServiceFields::default();
        for (field, node) in members {
            let at = format!("/{field}");
            match field {
                Field::ApprovalEnabled => fields.approval_enabled = self.boolean(&at, &node),
                Field::ServiceName => fields.service_name = self.name(&at, node),
                Field::Ports => fields.ports = self.ports(node),
                Field::PortId => fields.port_id = self.port_id(&at, node),
                Field::TcpProxy => fields.tcp_proxy = self.tcp_proxy(&at, node),
                Field::Description => fields.description = self.description(&at, node),
                Field::Ip => fields.ip = self.address(&at, node),
            }
        }
        if both_targets {
            let message = "port_id and ip exclude each other (EndPoint.3052); leave one out";
            self.wrong("/ip", Rule::Exclusive, message);
        }
        Some(fields)
    }

    /// The members of an object that are known, each once, and not null. All else is a mistake.
    fn object<K: Copy + Display + PartialEq>(
        &mut self,
        at: &str,
        node: Node,
        known: &[K],
    ) -> Option<Vec<(K, Node)>> {
        let Node::Object(members) = node else {
            self.wrong_type(at, &node, "an object");
            return None;
        };
        let names: Vec<_> = known.iter().map(ToString::to_string).collect();
        let mut found: Vec<(K, Node)> = Vec::new();
        for (key, node) in members {
            if self.violations.len() >= MOST_VIOLATIONS {
                break;
            }
            let at = format!("{at}/{}", pointer_token(&key));
            let Some(place) = names.iter().position(|name| *name == key) else {
                self.wrong(&at, Rule::UnknownField, unknown_field(&key, &names));
                continue;
            };
            if found.iter().any(|(other, _)| *other == known[place]) {
                let message = format!("{key} is here more than once");
                self.wrong(&at, Rule::DuplicateField, message);
            } else {
                found.push((known[place], node));
            }
        }
        Some(found)
    }

    /// The entries of a list, which is not too long. `nouns`: in full, and in short.
    fn entries(
        &mut self,
        at: &str,
        node: Node,
        nouns: [&str; 2],
        most: usize,
    ) -> Option<Vec<Node>> {
        let Node::Array(entries) = node else {
            self.wrong_type(at, &node, &format!("an array of {}", nouns[0]));
            return None;
        };
        if entries.len() > most {
            let message = format!("{} {}; expected at most {most}", entries.len(), nouns[1]);
            self.wrong(at, Rule::MaxItems, message);
            return None;
        }
        Some(entries)
    }

    fn ports(&mut self, node: Node) -> Option<Vec<PortMapping>> {
        let entries = self.entries("/ports", node, ["port mappings", "mappings"], MOST_PORTS)?;
        let mut ports: Vec<PortMapping> = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let at = format!("/ports/{index}");
            let Some(mapping) = self.port_mapping(&at, entry) else { continue };
            let taken = ports.iter().any(|other| {
                (other.client_port, &other.protocol) == (mapping.client_port, &mapping.protocol)
            });
            if ports.contains(&mapping) {
                let message = format!("the mapping {mapping} is in the list more than once");
                self.wrong(&at, Rule::Unique, message);
            } else if taken {
                let port = mapping.client_port;
                let message = format!("client_port {port} is mapped more than once");
                self.wrong(&format!("{at}/client_port"), Rule::Unique, message);
            }
            ports.push(mapping);
        }
        ports.sort();
        Some(ports)
    }

    fn port_mapping(&mut self, at: &str, entry: Node) -> Option<PortMapping> {
        let members = self.object(at, entry, &PORT_FIELDS)?;
        self.require(at, &["client_port", "server_port"], &members);
        let (mut client_port, mut server_port, mut protocol) = (None, None, Some("TCP"));
        for (name, node) in members {
            let at = format!("{at}/{name}");
            match name {
                "client_port" => client_port = self.port(&at, &node),
                "server_port" => server_port = self.port(&at, &node),
                _ => protocol = self.protocol(&at, node),
            }
        }
        Some(PortMapping {
            client_port: client_port?,
            server_port: server_port?,
            protocol: protocol?.into(),
        })
    }

    fn require(&mut self, at: &str, names: &[&str], members: &[(&str, Node)]) {
        for name in names {
            if !members.iter().any(|(key, _)| key == name) {
                self.wrong(at, Rule::Required, format!("{name} is missing"));
            }
        }
    }

    fn wrong_type(&mut self, at: &str, node: &Node, expected: &str) {
        match node {
            Node::Null => {
                let message = format!("null is no value; expected {expected}, or omit the field");
                let message =
                    if at.is_empty() { "null; expected an object".into() } else { message };
                self.wrong(at, Rule::Null, message);
            }
            other => {
                let message = format!("{}; expected {expected}", other.kind());
                self.wrong(at, Rule::Type, message);
            }
        }
    }
}

fn unknown_field(key: &str, known: &[String]) -> String {
    let distance = |name: &&String| strsim::damerau_levenshtein(&key.to_lowercase(), name);
    let short = key.len() <= MOST_QUOTED;
    let nearest = known.iter().filter(|_| short).min_by_key(|name| distance(name));
    match nearest.filter(|name| distance(name) <= TYPING_ERROR) {
        Some(name) => format!("unknown field {}; did you mean {name}?", quoted(key)),
        None => format!("unknown field {}; known are {}", quoted(key), known.join(", ")),
    }
}

/// A key as a token of a JSON pointer (RFC 6901, section 3), cut if it is too long.
fn pointer_token(key: &str) -> String {
    let mut token = key.replace('~', "~0").replace('/', "~1");
    if let Some((end, _)) = token.char_indices().nth(MOST_QUOTED) {
        token.truncate(end);
        token.push('…');
    }
    token
}

/// An untrusted text: in quotes, without control characters, and not too long.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST_QUOTED).flat_map(char::escape_debug).collect();
    // Escaping makes it longer.
    if let Some((end, _)) = shown.char_indices().nth(MOST_QUOTED) {
        shown.truncate(end);
        return format!("\"{shown}…\"");
    }
    match text.chars().nth(MOST_QUOTED) {
        Some(_) => format!("\"{shown}…\""),
        None => format!("\"{shown}\""),
    }
}
