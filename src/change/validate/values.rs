//! The values of the fields, one by one.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use super::{Checks, Rule, quoted};
use crate::{change::strict_json::Node, model::TcpProxy, text::may_be_shown};

/// Characters of a name (Table 3, `service_name`).
const LONGEST_NAME: usize = 16;
/// Characters of the id of a port (Table 3, `port_id`).
const LONGEST_PORT_ID: usize = 64;
/// Characters of a description (Table 3, `description`).
const LONGEST_DESCRIPTION: usize = 512;
/// Bytes of a domain name (RFC 1035, section 2.3.4, without the length bytes at both ends).
const LONGEST_DOMAIN: usize = 253;

impl Checks {
    pub(super) fn boolean(&mut self, at: &str, node: &Node) -> Option<bool> {
        match node {
            Node::Bool(value) => Some(*value),
            other => {
                self.wrong_type(at, other, "true or false");
                None
            }
        }
    }

    pub(super) fn port(&mut self, at: &str, node: &Node) -> Option<u16> {
        match node {
            Node::Integer(number) => {
                let port = u16::try_from(*number).ok().filter(|port| *port > 0);
                if port.is_none() {
                    let message = format!("{number}; expected a port from 1 to 65535");
                    self.wrong(at, Rule::Range, message);
                }
                port
            }
            other => {
                self.wrong_type(at, other, "an integer from 1 to 65535");
                None
            }
        }
    }

    pub(super) fn protocol(&mut self, at: &str, node: Node) -> Option<&'static str> {
        let word = self.text(at, node, "TCP")?;
        if &*word != "TCP" {
            self.wrong(at, Rule::OneOf, format!("{}; expected TCP", quoted(&word)));
            return None;
        }
        Some("TCP")
    }

    pub(super) fn name(&mut self, at: &str, node: Node) -> Option<Box<str>> {
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        self.limited(at, node, 1..=LONGEST_NAME, ok, "letters, digits, _ and - (of ASCII)")
    }

    pub(super) fn port_id(&mut self, at: &str, node: Node) -> Option<Box<str>> {
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-';
        self.limited(at, node, 1..=LONGEST_PORT_ID, ok, "letters, digits and - (of ASCII)")
    }

    pub(super) fn description(&mut self, at: &str, node: Node) -> Option<Box<str>> {
        let ok = |c: char| c != '<' && c != '>' && may_be_shown(c);
        let expected =
            "anything but <, >, line breaks, and what controls a terminal or a direction";
        self.limited(at, node, 0..=LONGEST_DESCRIPTION, ok, expected)
    }

    pub(super) fn tcp_proxy(&mut self, at: &str, node: Node) -> Option<Box<str>> {
        let word = self.text(at, node, "a string")?;
        match TcpProxy::ALL.into_iter().find(|proxy| proxy.as_str() == &*word) {
            Some(TcpProxy::ProxyVni) if !self.allow_proxy_vni => {
                let message = "proxy_vni is not in the API's document; \
                               admin.allow_proxy_vni in the configuration allows it";
                self.wrong(at, Rule::OneOf, message);
                None
            }
            Some(_) => Some(word),
            None => {
                let message =
                    format!("{}; expected close, toa_open, proxy_open or open", quoted(&word));
                self.wrong(at, Rule::OneOf, message);
                None
            }
        }
    }

    pub(super) fn address(&mut self, at: &str, node: Node) -> Option<Box<str>> {
        let text = self.text(at, node, "a string")?;
        match refused_address(&text) {
            None => Some(text),
            Some(reason) => {
                let message = format!(
                    "{}: {reason}; expected an IPv4 address or a domain name",
                    quoted(&text)
                );
                self.wrong(at, Rule::Address, message);
                None
            }
        }
    }

    pub(super) fn text(&mut self, at: &str, node: Node, expected: &str) -> Option<Box<str>> {
        match node {
            Node::Text(text) => Some(text.into()),
            other => {
                self.wrong_type(at, &other, expected);
                None
            }
        }
    }

    /// A text of so many characters, all of which are `ok`.
    pub(super) fn limited(
        &mut self,
        at: &str,
        node: Node,
        lengths: RangeInclusive<usize>,
        ok: impl Fn(char) -> bool,
        expected: &str,
    ) -> Option<Box<str>> {
        let text = self.text(at, node, "a string")?;
        let length = text.chars().count();
        if !lengths.contains(&length) {
            let message = match lengths.into_inner() {
                (0, most) => format!("{length} characters; expected at most {most}"),
                (least, most) => format!("{length} characters; expected {least} to {most}"),
            };
            self.wrong(at, Rule::Length, message);
            return None;
        }
        let Some(bad) = text.chars().find(|c| !ok(*c)) else { return Some(text) };
        let message =
            format!("the character {}; expected {expected}", quoted(bad.encode_utf8(&mut [0; 4])));
        self.wrong(at, Rule::Characters, message);
        None
    }
}

/// The reason why a text is not the address of a backend, if it is not.
fn refused_address(text: &str) -> Option<&'static str> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return refused_ipv4(address);
    }
    if text.parse::<Ipv6Addr>().is_ok() || text.contains(':') {
        return Some("an IPv6 address or a port");
    }
    refused_domain(text)
}

fn refused_ipv4(address: Ipv4Addr) -> Option<&'static str> {
    match address {
        _ if address.octets()[0] == 0 => Some("an unspecified address"),
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_link_local() => Some("a link-local address"),
        _ if address.is_multicast() => Some("a multicast address"),
        _ if address.is_broadcast() => Some("the broadcast address"),
        _ => None,
    }
}

/// Host names by RFC 1123, section 2.1, and RFC 1035, section 2.3.4.
fn refused_domain(text: &str) -> Option<&'static str> {
    let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if text.is_empty() {
        return Some("empty");
    }
    if text.ends_with('.') {
        return Some("a dot at the end");
    }
    if text.len() > LONGEST_DOMAIN {
        return Some("longer than 253 characters");
    }
    if !text.chars().all(ok) {
        return Some("a character that no domain name has");
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if !text.split('.').all(is_label) {
        return Some("a part that is empty, longer than 63 characters or has a hyphen at its edge");
    }
    let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if last == "localhost" {
        return Some("a loopback name");
    }
    // Resolvers take such a name for an IPv4 address in another notation.
    let hexadecimal = last.strip_prefix("0x");
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    is_number.then_some("a last part that is a number")
}
