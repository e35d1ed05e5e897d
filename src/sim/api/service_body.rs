//! The body of Modifying a VPC Endpoint Service (VPCEP API Reference, Tables 3 and 4).
//!
//! Owns every rule that can be judged by the body alone, and the code with which each is refused.
//! Rules that need the service or its neighbours are in `service_rules`.
//!
//! Where the sources are silent it is strict: unknown keys, repeated keys and null are refused.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::Value;

use crate::sim::errors::{Reply, vpcep};
use crate::sim::patch::present;
use crate::sim::service::{Port, Service};

const NAME: usize = 16;
const PORTS: usize = 200;
const PORT_ID: usize = 64;
const DESCRIPTION: usize = 512;
/// The last one is not in the document, but in the SDK and in the OpenAPI definition.
const TCP_PROXY: [&str; 5] = ["close", "toa_open", "proxy_open", "open", "proxy_vni"];

/// Brings one field into a service.
type Step = fn(&Wanted, &mut Service);

/// What a PUT asks for. Missing keys leave things as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) approval_enabled: Option<bool>,
    pub(super) service_name: Option<String>,
    pub(super) ports: Option<Vec<Port>>,
    pub(super) port_id: Option<String>,
    pub(super) tcp_proxy: Option<String>,
    pub(super) description: Option<String>,
    pub(super) ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default, deserialize_with = "present")]
    approval_enabled: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    service_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ports: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "present")]
    port_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    tcp_proxy: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ip: Option<String>,
}

impl Wanted {
    /// Reads a body, or refuses it for the first rule that it breaks.
    pub(super) fn read(body: &[u8]) -> Result<Wanted, Reply> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Err(vpcep("0011"));
        }
        // An array in the order of the keys would be read as well.
        if !body.starts_with(b"{") {
            return Err(vpcep("0002"));
        }
        let raw: Raw = serde_json::from_slice(body).map_err(|_| vpcep("0002"))?;
        let wanted = Wanted {
            approval_enabled: raw.approval_enabled,
            service_name: raw.service_name,
            ports: raw.ports.as_deref().map(ports).transpose()?,
            port_id: raw.port_id,
            tcp_proxy: raw.tcp_proxy,
            description: raw.description,
            ip: raw.ip,
        };
        if wanted == Wanted::default() {
            return Err(vpcep("0002"));
        }
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
    pub(super) fn apply(&self, service: &mut Service, only_first: bool) -> Vec<&'static str> {
        let steps: [(&'static str, Step); 7] = [
            ("approval_enabled", |new, service| {
                set(&new.approval_enabled, &mut service.approval_enabled)
            }),
            ("service_name", |new, service| {
                if let Some(name) = &new.service_name {
                    service.rename(name);
                }
            }),
            ("ports", |new, service| set(&new.ports, &mut service.ports)),
            ("port_id", Wanted::move_port),
            ("tcp_proxy", |new, service| set(&new.tcp_proxy, &mut service.tcp_proxy)),
            ("description", |new, service| set(&new.description, &mut service.description)),
            ("ip", |new, service| {
                if new.ip.is_some() {
                    service.ip.clone_from(&new.ip);
                }
            }),
        ];
        let mut changed = Vec::new();
        for (name, step) in steps {
            let before = service.clone();
            step(self, service);
            if *service != before {
                changed.push(name);
                if only_first {
                    break;
                }
            }
        }
        changed
    }

    /// The port that is left becomes the spare one: a service can be moved back.
    fn move_port(&self, service: &mut Service) {
        if let Some(new) = self.port_id.as_ref().filter(|new| **new != service.port_id) {
            service.spare_port_id = std::mem::replace(&mut service.port_id, new.clone());
        }
    }
}

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

/// The whole list of mappings, which replaces the old one. The document sets no minimum.
fn ports(rows: &[Value]) -> Result<Vec<Port>, Reply> {
    if rows.len() > PORTS {
        return Err(vpcep("3074"));
    }
    let ports: Vec<Port> = rows.iter().map(port).collect::<Result<_, _>>().map_err(vpcep)?;
    let different: HashSet<&Port> = ports.iter().collect();
    if different.len() < ports.len() {
        return Err(vpcep("0002"));
    }
    Ok(ports)
}

fn port(row: &Value) -> Result<Port, &'static str> {
    const KEYS: [&str; 3] = ["client_port", "server_port", "protocol"];
    let row = row.as_object().ok_or("0002")?;
    if row.keys().any(|key| !KEYS.contains(&&**key)) {
        return Err("0002");
    }
    let number = |key: &str, code| match row.get(key) {
        None => Err("2028"),
        // 8081.0 is not an integer; what is one, but does not fit, is out of range.
        Some(Value::Number(number)) if !number.is_f64() => {
            let port = number.as_u64().and_then(|number| u16::try_from(number).ok());
            port.filter(|port| *port > 0).ok_or(code)
        }
        Some(_) => Err("0002"),
    };
    let (client_port, server_port) =
        (number("client_port", "3004")?, number("server_port", "3043")?);
    let protocol = match row.get("protocol") {
        None => "TCP",
        Some(Value::String(text)) if text == "TCP" => text,
        Some(Value::String(_)) => return Err("3075"),
        Some(_) => return Err("0002"),
    };
    Ok(Port { client_port, server_port, protocol: protocol.to_owned() })
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
