//! The body of Modifying a VPC Endpoint Service (VPCEP API Reference, Tables 3 and 4).
//!
//! Rules that need the service or its neighbours are in `service_rules`. Where the sources say nothing, the
//! reader is strict: it refuses unknown keys, repeated keys and null.

use std::{collections::HashSet, net::Ipv4Addr};

use serde::Deserialize;
use serde_json::Value;

use crate::sim::{
    errors::vpcep,
    patch::Patch,
    reply::Reply,
    world::service::{Port, Service, tcp},
};

const NAME: usize = 16;
const PORTS: usize = 200;
const PORT_ID: usize = 64;
const DESCRIPTION: usize = 512;
/// The last one is not in the document, but in the SDK and in the OpenAPI definition.
const TCP_PROXY: [&str; 5] = ["close", "toa_open", "proxy_open", "open", "proxy_vni"];

/// The changes that a PUT asks for. A missing key leaves its field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) approval_enabled: Option<bool>,
    pub(super) service_name: Option<String>,
    /// The ports before they are judged.
    #[serde(rename = "ports")]
    pub(super) rows: Option<Vec<Value>>,
    #[serde(skip)]
    pub(super) ports: Option<Vec<Port>>,
    pub(super) port_id: Option<String>,
    pub(super) tcp_proxy: Option<String>,
    pub(super) description: Option<String>,
    pub(super) ip: Option<String>,
}

impl Wanted {
    /// Reads a body, or refuses it for the first rule that it breaks.
    pub(super) fn read(body: &[u8]) -> Result<Self, Reply> {
        if body.trim_ascii().is_empty() {
            return Err(vpcep("0011"));
        }
        // The derived reader also takes an array in the order of the keys, and null for a missing key:
        // the body is read as an object first.
        let object: Patch = serde_json::from_slice(body).map_err(|_| vpcep("0002"))?;
        if object.is_empty() || object.values().any(Value::is_null) {
            return Err(vpcep("0002"));
        }
        let mut wanted: Self = serde_json::from_slice(body).map_err(|_| vpcep("0002"))?;
        wanted.ports = wanted.rows.take().as_deref().map(ports).transpose().map_err(vpcep)?;
        wanted.judge().map_err(vpcep)?;
        Ok(wanted)
    }

    fn judge(&self) -> Result<(), &'static str> {
        let broken = |rule: bool, code| if rule { Err(code) } else { Ok(()) };
        let word =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if let Some(name) = &self.service_name {
            broken(!word(name), "1003")?;
            // Empty is allowed: minimum 0. Terraform sends it for services without a name.
            broken(name.len() > NAME, "3076")?;
        }
        if let Some(id) = &self.port_id {
            broken(id.is_empty() || id.len() > PORT_ID || !word(id), "3003")?;
        }
        if let Some(proxy) = &self.tcp_proxy {
            broken(!TCP_PROXY.contains(&&**proxy), "0002")?;
        }
        if let Some(text) = &self.description {
            broken(text.contains(['<', '>']) || text.chars().count() > DESCRIPTION, "0002")?;
        }
        if let Some(ip) = &self.ip {
            let numeric = ip.contains(':') || ip.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            broken(numeric && ip.parse::<Ipv4Addr>().is_err(), "3010")?;
            broken(!numeric && !is_domain(ip), "3058")?;
        }
        broken(self.port_id.is_some() && self.ip.is_some(), "3052")
    }

    /// Changes a service and returns the names of the fields that are now different.
    ///
    /// With `only_first`, as soon as one is different the rest stays as it is.
    pub(super) fn apply(&self, service: &mut Service, only_first: bool) -> Vec<String> {
        let differs = |(_, set): &(_, Setter)| {
            let before = service.clone();
            set(self, service);
            *service != before
        };
        let changed = SETTERS.into_iter().filter(differs).map(|(name, _)| name.to_owned());
        changed.take(if only_first { 1 } else { SETTERS.len() }).collect()
    }
}

/// Sets one field of a service, if the change is about it.
type Setter = fn(&Wanted, &mut Service);

const SETTERS: [(&str, Setter); 7] = [
    ("approval_enabled", |new, old| set(&new.approval_enabled, &mut old.approval_enabled)),
    ("service_name", |new, old| new.service_name.iter().for_each(|name| old.rename(name))),
    ("ports", |new, old| set(&new.ports, &mut old.ports)),
    ("port_id", |new, old| new.port_id.iter().for_each(|id| old.move_to(id))),
    ("tcp_proxy", |new, old| set(&new.tcp_proxy, &mut old.tcp_proxy)),
    ("description", |new, old| set(&new.description, &mut old.description)),
    ("ip", |new, old| new.ip.iter().for_each(|ip| old.ip = Some(ip.clone()))),
];

fn set<T: Clone>(new: &Option<T>, place: &mut T) {
    if let Some(new) = new {
        place.clone_from(new);
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

/// Reads the mappings, which replace all old ones. The document sets no minimum.
fn ports(rows: &[Value]) -> Result<Vec<Port>, &'static str> {
    if rows.len() > PORTS {
        return Err("3074");
    }
    let ports = rows.iter().map(port).collect::<Result<Vec<Port>, _>>()?;
    let different: HashSet<&Port> = ports.iter().collect();
    if different.len() < ports.len() { Err("0002") } else { Ok(ports) }
}

fn port(row: &Value) -> Result<Port, &'static str> {
    const KEYS: [&str; 3] = ["client_port", "server_port", "protocol"];
    let row = row.as_object().ok_or("0002")?;
    if row.keys().any(|key| !KEYS.contains(&&**key)) {
        return Err("0002");
    }
    let number = |key: &str, code| match row.get(key) {
        None => Err("2028"),
        // 8081.0 is no integer; an integer that does not fit is out of range.
        Some(Value::Number(number)) if !number.is_f64() => {
            let port = number.as_u64().and_then(|number| u16::try_from(number).ok());
            port.filter(|port| *port > 0).ok_or(code)
        }
        Some(_) => Err("0002"),
    };
    let (client_port, server_port) =
        (number("client_port", "3004")?, number("server_port", "3043")?);
    match row.get("protocol") {
        Some(Value::String(text)) if *text != tcp() => Err("3075"),
        None | Some(Value::String(_)) => Ok(Port { client_port, server_port, protocol: tcp() }),
        Some(_) => Err("0002"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(body: &str) -> Option<String> {
        let reply = Wanted::read(body.as_bytes()).err()?;
        let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
        body["error_code"].as_str().map(|code| code.trim_start_matches("EndPoint.").to_owned())
    }

    fn mappings(count: u16) -> String {
        let rows = (1..=count).map(|port| json!({"client_port": port, "server_port": port}));
        json!({"ports": rows.collect::<Vec<_>>()}).to_string()
    }

    #[test]
    fn good_bodies_are_taken() {
        let long = json!({"description": "é".repeat(512)}).to_string();
        for body in [
            r#" {"approval_enabled":false} "#,
            r#"{"service_name":"abc_DEF-12345678"}"#,
            r#"{"service_name":""}"#,
            r#"{"ports":[]}"#,
            &*mappings(200),
            r#"{"port_id":"4189d3c2-8882-4871-a3c2-d380272eed88"}"#,
            r#"{"tcp_proxy":"proxy_open"}"#,
            r#"{"description":""}"#,
            &*long,
            r#"{"ip":"10.0.0.1"}"#,
            r#"{"ip":"es.example.com"}"#,
        ] {
            assert_eq!(code(body), None, "{body}");
        }
        let wanted = Wanted::read(br#"{"ports":[{"client_port":1,"server_port":65535}]}"#);
        let ports = wanted.expect("taken").ports.expect("ports");
        assert_eq!((ports[0].server_port, &*ports[0].protocol), (65_535, "TCP"));
    }

    #[test]
    fn every_rule_has_its_code() {
        let port = |row: &str| format!(r#"{{"ports":[{row}]}}"#);
        let long = json!({"description": "x".repeat(513)}).to_string();
        let long_id = json!({"port_id": "x".repeat(65)}).to_string();
        let twice = r#"{"client_port":1,"server_port":2},{"client_port":1,"server_port":2,"protocol":"TCP"}"#;
        let cases = [
            ("", "0011"),
            (" \n", "0011"),
            ("{}", "0002"),
            ("no", "0002"),
            ("[true]", "0002"),
            ("null", "0002"),
            (r#"{"approval_enabled":"false"}"#, "0002"),
            (r#"{"approval_enabled":null}"#, "0002"),
            (r#"{"aproval_enabled":true}"#, "0002"),
            (r#"{"description":"a","description":"b"}"#, "0002"),
            (r#"{"description":"a"} x"#, "0002"),
            (r#"{"description":"a<b"}"#, "0002"),
            (r#"{"description":"a>b"}"#, "0002"),
            (&long, "0002"),
            (r#"{"service_name":"a.b"}"#, "1003"),
            (r#"{"service_name":"é"}"#, "1003"),
            (r#"{"service_name":"abcdefghijklmnopq"}"#, "3076"),
            (r#"{"tcp_proxy":"closed"}"#, "0002"),
            (r#"{"port_id":""}"#, "3003"),
            (r#"{"port_id":"a b"}"#, "3003"),
            (&long_id, "3003"),
            (r#"{"ip":"10.0.0.256"}"#, "3010"),
            (r#"{"ip":""}"#, "3010"),
            (r#"{"ip":"fe80::1"}"#, "3010"),
            (r#"{"ip":"under_score.example"}"#, "3058"),
            (r#"{"ip":"10.0.0.1","port_id":"a"}"#, "3052"),
            (&mappings(201), "3074"),
            (&port(r#"{"client_port":0,"server_port":1}"#), "3004"),
            (&port(r#"{"client_port":65536,"server_port":1}"#), "3004"),
            (&port(r#"{"client_port":1,"server_port":-1}"#), "3043"),
            (&port(r#"{"client_port":1,"server_port":65536}"#), "3043"),
            (&port(r#"{"client_port":"1","server_port":1}"#), "0002"),
            (&port(r#"{"client_port":1.0,"server_port":1}"#), "0002"),
            (&port(r#"{"client_port":1}"#), "2028"),
            (&port(r#"{"client_port":1,"server_port":1,"protocol":"UDP"}"#), "3075"),
            (&port(r#"{"client_port":1,"server_port":1,"protocol":"tcp"}"#), "3075"),
            (&port(r#"{"client_port":1,"server_port":1,"x":1}"#), "0002"),
            (&port("[1,1]"), "0002"),
            (&port(twice), "0002"),
        ];
        for (body, wanted) in cases {
            assert_eq!(code(body).as_deref(), Some(wanted), "{body}");
        }
    }
}
