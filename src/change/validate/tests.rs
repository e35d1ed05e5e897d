//! Every limit at n-1, n and n+1, every rule broken, and a fuzz of the document's example.

mod bodies;
mod fuzz;

use serde_json::Value;

use self::{
    bodies::{bad, good, with},
    fuzz::complaint,
};
use super::*;
use crate::{change::json::value, label::Label as _};

/// The document's example request.
const EXAMPLE: &str = include_str!("../../../tests/data/vpcep-update-example-request.json");

/// The rules that a body breaks, as `pointer rule`, in their order; `syntax`; or nothing.
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
                assert!(Rule::from_str(&violation.rule).is_some(), "{violation:?}");
                assert!(!violation.message.is_empty());
            }
            let one = |violation: &Violation| format!("{} {}", violation.pointer, violation.rule);
            violations.iter().map(one).collect()
        }
    }
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
    assert_eq!(value(&fields), expected);
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
