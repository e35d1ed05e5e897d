//! The document's example, damaged at random; and a second opinion on what is accepted.

use std::cell::Cell;

use proptest::{char::range, collection::vec, prelude::*, sample::select};

use super::{super::validate, EXAMPLE};
use crate::{
    change::json::value,
    model::{PortMapping, ServiceFields},
    random_tests::check,
};

/// An independent check of what was accepted: what is wrong with it, in a word.
pub(super) fn complaint(fields: &ServiceFields, allow_proxy_vni: bool) -> Option<&'static str> {
    let json = value(fields);
    if *fields == ServiceFields::default() {
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
        text.chars().count() > 512
            || text.contains(['<', '>'])
            || !text.chars().all(crate::text::may_be_shown)
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

/// A damage at a byte: such that a hand or a program may do, or that none would.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Inserted(&'static str),
    Digit(char),
    Repeated(usize),
    Flipped(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
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
    prop_oneof![
        (0..12_usize).prop_map(Damage::Cut),
        select(PIECES.to_vec()).prop_map(Damage::Inserted),
        range('0', '9').prop_map(Damage::Digit),
        (0..12_usize).prop_map(Damage::Repeated),
        (0..8_u8).prop_map(Damage::Flipped),
    ]
}

fn damaged(damages: Vec<(usize, Damage)>) -> Vec<u8> {
    let mut body = EXAMPLE.as_bytes().to_vec();
    for (at, damage) in damages {
        let end_of_body = body.len();
        let at = at.min(end_of_body);
        let end = |length: usize| (at + length).min(end_of_body);
        match damage {
            Damage::Cut(length) => drop(body.drain(at..end(length))),
            Damage::Inserted(piece) => drop(body.splice(at..at, piece.bytes())),
            Damage::Digit(digit) => body.insert(at, digit as u8),
            Damage::Repeated(length) => {
                let copy = body[at..end(length)].to_vec();
                body.splice(at..at, copy);
            }
            Damage::Flipped(bit) => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }
    body
}

#[test]
fn whatever_is_accepted_holds_to_the_rules() {
    let accepted = Cell::new(0);
    check(20_000, &vec((0..=EXAMPLE.len(), damage()), 1..=4), |damages| {
        let body = damaged(damages);
        if let Ok(fields) = validate(&body, false) {
            accepted.set(accepted.get() + 1);
            let text = String::from_utf8_lossy(&body);
            assert_eq!(complaint(&fields, false), None, "{text}");
            let again = value(&fields).to_string();
            assert_eq!(validate(again.as_bytes(), false), Ok(fields), "{text}");
        }
    });
    let accepted = accepted.get();
    assert!(accepted > 200, "the damage is so great that nothing is tried: {accepted}");
}
