//! Bodies that hold to every rule, and bodies with what is wrong with them.

use serde_json::{Value, json};

use super::EXAMPLE;

fn mappings(count: u32) -> String {
    let ports: Vec<Value> =
        (1..=count).map(|port| json!({ "client_port": port, "server_port": 80 })).collect();
    json!({ "ports": ports }).to_string()
}

pub(super) fn with(field: &str, value: impl Into<Value>) -> String {
    json!({ field: value.into() }).to_string()
}

fn port(client_port: &str) -> String {
    format!(r#"{{"ports":[{{"client_port":{client_port},"server_port":80}}]}}"#)
}

/// Bodies that hold to every rule.
pub(super) fn good() -> Vec<String> {
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
pub(super) fn bad() -> Vec<(String, Vec<&'static str>)> {
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
    bodies.extend(fields(
        "description",
        &["\"a\u{2028}b\"", "\"\\u2029\"", "\"\u{202e}\"", "\"\\u2066\""],
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
