//! Every limit at n-1, n and n+1, every rule broken, and a fuzz of the document's example.

use serde_json::{Value, json};

use super::*;
use crate::change::{fields_to_json, tests::Random};

/// The document's example request.
pub(crate) const EXAMPLE: &str = r#"{
  "approval_enabled" : true,
  "service_name" : "test",
  "ports" : [ {
    "client_port" : 8081,
    "server_port" : 22,
    "protocol" : "TCP"
  }, {
    "client_port" : 8082,
    "server_port" : 23,
    "protocol" : "TCP"
  } ]
}"#;

/// What a body breaks, as `pointer rule`, in their order; `syntax`; or nothing.
fn broken(body: &str) -> Vec<String> {
    match validate(body.as_bytes(), false) {
        Ok(fields) => {
            assert_eq!(complaint(&fields, false), None, "{body}");
            Vec::new()
        }
        Err(BodyError::Syntax { message }) => {
            assert!(message.contains("line") && message.contains("column"), "{message}");
            vec!["syntax".to_owned()]
        }
        Err(BodyError::Violations(violations)) => {
            assert!(!violations.is_empty());
            for violation in &violations {
                assert!(RULES.contains(&violation.rule), "{violation:?}");
                assert!(!violation.message.is_empty());
            }
            let one = |violation: &Violation| format!("{} {}", violation.pointer, violation.rule);
            violations.iter().map(one).collect()
        }
    }
}

/// An independent check of what was accepted: what is wrong with it, in a word.
fn complaint(fields: &ServiceFields, allow_proxy_vni: bool) -> Option<&'static str> {
    let json = fields_to_json(fields);
    if json.is_empty() {
        return Some("empty");
    }
    if fields.port_id.is_some() && fields.ip.is_some() {
        return Some("both targets");
    }
    let text = |name: &str| json.get(name).map(|value| value.as_str().unwrap().to_owned());
    let word = |text: &str, extra: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.as_bytes().contains(&b))
    };
    if text("service_name")
        .is_some_and(|name| name.is_empty() || name.len() > 16 || !word(&name, "-_"))
    {
        return Some("service_name");
    }
    if text("port_id").is_some_and(|id| id.is_empty() || id.len() > 64 || !word(&id, "-")) {
        return Some("port_id");
    }
    if text("description").is_some_and(|text| {
        text.chars().count() > 512 || text.contains(['<', '>']) || text.contains(char::is_control)
    }) {
        return Some("description");
    }
    let words = ["close", "toa_open", "proxy_open", "open", "proxy_vni"];
    let allowed = if allow_proxy_vni { &words[..] } else { &words[..4] };
    if text("tcp_proxy").is_some_and(|proxy| !allowed.contains(&&*proxy)) {
        return Some("tcp_proxy");
    }
    if text("ip").is_some_and(|ip| {
        let last = ip.rsplit('.').next().unwrap_or_default();
        let is_address = ip.parse::<std::net::Ipv4Addr>().is_ok();
        let number = last.starts_with(|c: char| c.is_ascii_digit())
            && (last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x"));
        !word(&ip, "-.") || last.is_empty() || ip.starts_with("127.") || (number && !is_address)
    }) {
        return Some("ip");
    }
    let ports = fields.ports.as_deref().unwrap_or_default();
    let mut sockets: Vec<_> = ports.iter().map(|port| port.client_port).collect();
    sockets.dedup();
    if ports.len() > 200 || sockets.len() != ports.len() || !ports.is_sorted() {
        return Some("ports");
    }
    let bad = |port: &PortMapping| {
        port.client_port == 0 || port.server_port == 0 || &*port.protocol != "TCP"
    };
    ports.iter().any(bad).then_some("port")
}

fn mappings(count: u32) -> String {
    let ports: Vec<Value> =
        (1..=count).map(|port| json!({ "client_port": port, "server_port": 80 })).collect();
    json!({ "ports": ports }).to_string()
}

fn with(field: &str, value: impl Into<Value>) -> String {
    json!({ field: value.into() }).to_string()
}

fn port(client_port: &str) -> String {
    format!(r#"{{"ports":[{{"client_port":{client_port},"server_port":80}}]}}"#)
}

/// Bodies that hold to every rule.
fn good() -> Vec<String> {
    let mut bodies = vec![
        EXAMPLE.to_owned(),
        format!(" \t\r\n{EXAMPLE}\n "),
        r#"{"approval_enabled":false}"#.into(),
        r#"{"approval\u005fenabled":true}"#.into(),
        r#"{"ports":[]}"#.into(),
        r#"{"ports":[{"server_port":1,"client_port":65535}]}"#.into(),
        r#"{"ports":[{"client_port":1,"server_port":9},{"client_port":2,"server_port":9}]}"#.into(),
        mappings(1),
        mappings(199),
        mappings(200),
        port("1"),
        port("2"),
        port("65534"),
        port("65535"),
    ];
    for name in ["a", "_", "-", "Az09_-", &"x".repeat(15), &"x".repeat(16)] {
        bodies.push(with("service_name", name));
    }
    for id in ["a", "-", "4189d3c2-8882-4871-a3c2-d380272eed88", &"F".repeat(63), &"f".repeat(64)] {
        bodies.push(with("port_id", id));
    }
    for proxy in ["close", "toa_open", "proxy_open", "open"] {
        bodies.push(with("tcp_proxy", proxy));
    }
    for text in ["", " ", "x", "ü€😀", "a & \"b\" \\", &"x".repeat(511), &"😀".repeat(512)] {
        bodies.push(with("description", text));
    }
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    for ip in [
        "10.0.0.1",
        "192.168.0.255",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.0.1",
        "223.255.255.255",
        "240.0.0.1",
        "example.com",
        "a.b-c.example",
        "3com.example",
        "x.c0m",
        "0xa.example",
        "xn--bcher-kva.example",
        &label,
        &longest,
    ] {
        bodies.push(with("ip", ip));
    }
    bodies
}

/// Bodies with what is wrong with them.
fn bad() -> Vec<(String, Vec<&'static str>)> {
    let mut bodies: Vec<(String, Vec<&'static str>)> = Vec::new();
    for text in [
        "",
        " ",
        "{",
        "{}x",
        "{}{}",
        "{} null",
        "{\"approval_enabled\":true},",
        "\u{feff}{\"approval_enabled\":true}",
        "{'approval_enabled':true}",
        "{approval_enabled:true}",
        "{\"approval_enabled\":true,}",
        "{\"approval_enabled\":True}",
        "{\"approval_enabled\" true}",
        "{\"ports\":[1,]}",
        "{\"description\":\"\n\"}",
        "{\"description\":\"\\ud800\"}",
        "{\"description\":\"\\x\"}",
        "// c\n{}",
        "NaN",
        "{\"ports\":1e999}",
        "{\"ports\":01}",
    ] {
        bodies.push((text.into(), vec!["syntax"]));
    }
    bodies.push((format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), vec!["syntax"]));
    bodies.push((format!("{{\"ports\":{}", "{\"a\":".repeat(100_000)), vec!["syntax"]));
    for (text, rule) in [
        ("null", " null"),
        ("true", " type"),
        ("1", " type"),
        ("\"x\"", " type"),
        ("[]", " type"),
        ("[true]", " type"),
        ("[true,\"test\",[]]", " type"),
        ("[{\"approval_enabled\":true}]", " type"),
        ("{}", " not_empty"),
        (" { } ", " not_empty"),
    ] {
        bodies.push((text.into(), vec![rule]));
    }
    let fields = |field, values: &[&str], expected: &'static str| -> Vec<_> {
        let body = |value: &&str| (format!("{{\"{field}\":{value}}}"), vec![expected]);
        values.iter().map(body).collect()
    };
    bodies.extend(fields("approval_enabled", &["null"], "/approval_enabled null"));
    bodies.extend(fields(
        "approval_enabled",
        &["0", "1", "\"true\"", "\"\"", "[]", "{}", "1.0"],
        "/approval_enabled type",
    ));
    bodies.extend(fields("service_name", &["null"], "/service_name null"));
    bodies.extend(fields("service_name", &["1", "true", "[\"a\"]", "{}"], "/service_name type"));
    let (long, longer) = (format!("\"{}\"", "x".repeat(17)), format!("\"{}\"", "x".repeat(9999)));
    bodies.extend(fields("service_name", &["\"\"", &long, &longer], "/service_name length"));
    bodies.extend(fields(
        "service_name",
        &["\"a b\"", "\"a.b\"", "\"ü\"", "\"a/b\"", "\"a\\n\"", "\"a\\u0000\"", "\"٣\""],
        "/service_name characters",
    ));
    bodies.extend(fields("ports", &["null"], "/ports null"));
    bodies.extend(fields("ports", &["{}", "1", "\"8081\"", "true", "1.5"], "/ports type"));
    bodies.extend(fields("ports", &["[null]"], "/ports/0 null"));
    bodies.extend(fields(
        "ports",
        &["[[8081,22,\"TCP\"]]", "[1]", "[\"8081\"]", "[[]]", "[true]"],
        "/ports/0 type",
    ));
    bodies.push((mappings(201), vec!["/ports max_items"]));
    bodies.push((mappings(5000), vec!["/ports max_items"]));
    bodies.push((with("ports", json!([{}])), vec!["/ports/0 required"; 2]));
    bodies.push((with("ports", json!([{ "client_port": 1 }])), vec!["/ports/0 required"]));
    bodies.push((with("ports", json!([{ "server_port": 1 }])), vec!["/ports/0 required"]));
    for number in ["0", "-1", "65536", "65537", "4294967377", "9223372036854775808", "-65535"] {
        bodies.push((port(number), vec!["/ports/0/client_port range"]));
    }
    for other in
        ["8081.0", "8081e0", "1e2", "-0", "\"8081\"", "true", "[]", "{}", "99999999999999999999"]
    {
        bodies.push((port(other), vec!["/ports/0/client_port type"]));
    }
    bodies.push((port("null"), vec!["/ports/0/client_port null"]));
    let protocol = |protocol: Value| {
        with("ports", json!([{ "client_port": 1, "server_port": 2, "protocol": protocol }]))
    };
    for word in ["tcp", "UDP", "", "TCP ", "Tcp"] {
        bodies.push((protocol(word.into()), vec!["/ports/0/protocol one_of"]));
    }
    bodies.push((protocol(Value::Null), vec!["/ports/0/protocol null"]));
    bodies.push((protocol(6.into()), vec!["/ports/0/protocol type"]));
    let twice = |first: [u16; 2], second: [u16; 2]| {
        let one = |ports: [u16; 2]| json!({ "client_port": ports[0], "server_port": ports[1] });
        with("ports", json!([one(first), one(second)]))
    };
    bodies.push((twice([1, 2], [1, 2]), vec!["/ports/1 unique"]));
    bodies.push((twice([1, 2], [1, 3]), vec!["/ports/1/client_port unique"]));
    let key = |members: &str| format!("{{\"ports\":[{{{members}}}]}}");
    bodies.push((
        key("\"client_port\":1,\"client_port\":1,\"server_port\":2"),
        vec!["/ports/0/client_port duplicate_field"],
    ));
    bodies.push((
        key("\"client_port\":1,\"server_port\":2,\"proto\":\"TCP\""),
        vec!["/ports/0/proto unknown_field"],
    ));
    bodies.push((
        "{\"description\":\"a\",\"description\":\"b\"}".into(),
        vec!["/description duplicate_field"],
    ));
    bodies.push((
        "{\"description\":\"a\",\"descriptio\\u006e\":\"a\"}".into(),
        vec!["/description duplicate_field"],
    ));
    for (unknown, pointer) in [
        ("aproval_enabled", "/aproval_enabled unknown_field"),
        ("Approval_Enabled", "/Approval_Enabled unknown_field"),
        ("vip_port_id", "/vip_port_id unknown_field"),
        ("a/b~c", "/a~1b~0c unknown_field"),
        ("", "/ unknown_field"),
        ("id", "/id unknown_field"),
    ] {
        let body = json!({ unknown: null, "approval_enabled": true }).to_string();
        bodies.push((body, vec![pointer]));
    }
    bodies.extend(fields("port_id", &["null"], "/port_id null"));
    bodies.extend(fields("port_id", &["1"], "/port_id type"));
    let long = format!("\"{}\"", "a".repeat(65));
    bodies.extend(fields("port_id", &["\"\"", &long], "/port_id length"));
    bodies.extend(fields(
        "port_id",
        &["\"..\"", "\"a/b\"", "\"a_b\"", "\"a b\"", "\"ä\""],
        "/port_id characters",
    ));
    bodies.extend(fields("tcp_proxy", &["null"], "/tcp_proxy null"));
    bodies.extend(fields("tcp_proxy", &["true", "[]"], "/tcp_proxy type"));
    bodies.extend(fields(
        "tcp_proxy",
        &["\"\"", "\"Close\"", "\"closed\"", "\"proxy_vni\"", "\"open \""],
        "/tcp_proxy one_of",
    ));
    bodies.extend(fields("description", &["null"], "/description null"));
    bodies.extend(fields("description", &["5", "[]"], "/description type"));
    let long = [format!("\"{}\"", "x".repeat(513)), format!("\"{}\"", "😀".repeat(513))];
    bodies.extend(fields("description", &[&long[0], &long[1]], "/description length"));
    bodies.extend(fields(
        "description",
        &["\"<\"", "\">\"", "\"a\\nb\"", "\"\\t\"", "\"\\u0000\"", "\"\u{7f}\"", "\"\u{85}\""],
        "/description characters",
    ));
    bodies.extend(fields("ip", &["null"], "/ip null"));
    bodies.extend(fields("ip", &["1", "true"], "/ip type"));
    let (label, name) = ("a".repeat(64), format!("{}b", "a.".repeat(127)));
    for text in [
        "",
        "127.0.0.1",
        "127.255.255.255",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "::ffff:10.0.0.1",
        "[::1]",
        "10.0.0.1:80",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.1.",
        "010.0.0.1",
        "1",
        "0x7f000001",
        "0x7f.1",
        "127.0x1",
        "a.0x",
        "localhost",
        "LOCALHOST",
        "x.localhost",
        "example.com.",
        "exa_mple.com",
        "-a.example",
        "a-.example",
        "a..example",
        ".example",
        "a b.example",
        "bücher.example",
        "a.example/x",
        "user@a.example",
        "example.123",
        &label,
        &name,
    ] {
        bodies.push((with("ip", text), vec!["/ip address"]));
    }
    let both = |id: &str, ip: &str| json!({ "port_id": id, "ip": ip }).to_string();
    bodies.push((both("a", "10.0.0.1"), vec!["/ip exclusive"]));
    bodies.push((both("", "::1"), vec!["/ip address", "/port_id length", "/ip exclusive"]));
    bodies.push((
        r#"{"approval_enabled":null,"service_name":"","ports":[{"client_port":0,"x":1}],"y":2}"#
            .into(),
        vec![
            "/y unknown_field",
            "/approval_enabled null",
            "/service_name length",
            "/ports/0/x unknown_field",
            "/ports/0 required",
            "/ports/0/client_port range",
        ],
    ));
    bodies
}

#[test]
fn every_limit_of_the_document_holds() {
    let (good, bad) = (good(), bad());
    assert!(good.len() + bad.len() >= 120, "{} and {}", good.len(), bad.len());
    for body in good {
        assert_eq!(broken(&body), Vec::<String>::new(), "{body}");
    }
    for (body, expected) in bad {
        let shown: String = body.chars().take(200).collect();
        let (mut found, mut expected) = (broken(&body), expected);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{shown}");
    }
    assert!(matches!(
        validate(b"{\"description\":\"\xff\"}", false),
        Err(BodyError::Syntax { .. })
    ));
}

#[test]
fn the_example_of_the_document_is_understood() {
    let fields = validate(EXAMPLE.as_bytes(), false).unwrap();
    let expected: Value = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(Value::from(fields_to_json(&fields)), expected);
    let reversed =
        br#"{"ports":[{"client_port":2,"server_port":1},{"client_port":1,"server_port":2}]}"#;
    let ports = validate(reversed, false).unwrap().ports.unwrap();
    let shown: Vec<_> = ports.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["1->2/TCP", "2->1/TCP"], "the canonical order, and the default protocol");
}

#[test]
fn proxy_vni_needs_to_be_allowed_and_the_message_says_how() {
    let body = with("tcp_proxy", "proxy_vni");
    let fields = validate(body.as_bytes(), true).unwrap();
    assert_eq!(fields.tcp_proxy.as_deref(), Some("proxy_vni"));
    let Err(BodyError::Violations(violations)) = validate(body.as_bytes(), false) else {
        panic!("accepted")
    };
    assert!(violations[0].message.contains("admin.allow_proxy_vni"), "{violations:?}");
}

#[test]
fn messages_help_and_quote_little() {
    let message = |body: &str| match validate(body.as_bytes(), false) {
        Err(BodyError::Violations(violations)) => violations[0].message.clone(),
        other => panic!("{other:?}"),
    };
    assert!(message(r#"{"aproval_enabled":true}"#).contains("did you mean approval_enabled?"));
    assert!(message(r#"{"prots":[]}"#).contains("did you mean ports?"));
    assert!(message(r#"{"colour":1}"#).contains("known are approval_enabled, service_name"));
    assert!(message(r#"{"description":null}"#).contains("omit the field"));
    let escape = message("{\"tcp_proxy\":\"\\u001b[31m\\n\\u202e\"}");
    assert!(!escape.contains(['\u{1b}', '\n', '\u{202e}']), "{escape}");
    let long = "q".repeat(64 << 10);
    for body in [with("tcp_proxy", &*long), with("ip", &*long), with(&long, 1)] {
        let Err(BodyError::Violations(violations)) = validate(body.as_bytes(), false) else {
            panic!("accepted")
        };
        let quotes = violations[0].message.matches('q').count();
        assert!((64..=65).contains(&quotes), "{}", violations[0].message);
        assert!(violations[0].pointer.len() < 100);
    }
    let controls = "\u{1}".repeat(64);
    assert!(message(&with("tcp_proxy", controls)).len() < 150);
}

#[test]
fn a_body_of_nothing_but_mistakes_has_a_bounded_answer() {
    let keys: Vec<String> = (0..5000).map(|number| format!("\"x{number}\":1")).collect();
    let Err(BodyError::Violations(violations)) =
        validate(format!("{{{}}}", keys.join(",")).as_bytes(), false)
    else {
        panic!("accepted")
    };
    assert_eq!(violations.len(), MOST_VIOLATIONS);
}

/// Damages the document's example in ways that a hand or a program may, and some that none would.
#[test]
fn whatever_is_accepted_holds_to_the_rules() {
    const PIECES: [&str; 22] = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "null",
        "true",
        "false",
        "0",
        "-",
        "65536",
        "1e3",
        "\\u0000",
        "\u{feff}",
        "\"ip\":\"10.0.0.1\",",
        "\"port_id\":\"a\",",
        "\"ports\":[],",
        "\"tcp_proxy\":\"open\",",
        "\"description\":\"<\",",
        "\"client_port\":8081,",
    ];
    let mut random = Random(0x5EED);
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut body = EXAMPLE.as_bytes().to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(body.len() + 1);
            let end = (at + random.below(12)).min(body.len());
            match random.below(5) {
                0 => drop(body.drain(at..end)),
                1 => drop(body.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
                2 => body.insert(at, b'0' + (random.below(10) as u8)),
                3 => {
                    let copy = body[at..end].to_vec();
                    body.splice(at..at, copy);
                }
                _ => {
                    if let Some(byte) = body.get_mut(at) {
                        *byte ^= 1 << random.below(8);
                    }
                }
            }
        }
        if let Ok(fields) = validate(&body, false) {
            accepted += 1;
            let text = String::from_utf8_lossy(&body);
            assert_eq!(complaint(&fields, false), None, "round {round}: {text}");
            let again = Value::from(fields_to_json(&fields)).to_string();
            assert_eq!(validate(again.as_bytes(), false), Ok(fields), "round {round}: {text}");
        }
    }
    assert!(accepted > 200, "the damage is so great that nothing is tried: {accepted}");
}
