//! Faults that spoil a good answer about connections: its fields, its rows or the whole body.

use serde_json::{Map, Value, json};

use super::{Hits, Kind};
use crate::sim::{
    errors::css,
    reply::{HTML, JSON, Reply},
};

/// These stand for text that a JSON value cannot hold, until the answer is written.
const DEEP: &str = "@deep@";
const SURROGATE: &str = "@surrogate@";
const DEPTH: usize = 100_000;

/// Quotes, backslashes, line ends, control characters, U+2028, emoji, and marks that turn the direction.
const ODD_TEXT: &str = "a\"b\\c\nd\re\tf\u{1}g\u{7f}h\u{2028}i\u{1f980}{j}='k'\u{202e}l\u{2066}";

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Login</title></head><body>\
    <form method=\"post\" action=\"/authui/login\"><input name=\"user\"></form></body></html>\n";

/// The answer after all the faults that strike it.
pub(crate) fn spoiled(mut page: Value, hits: &Hits) -> Reply {
    for kind in hits.kinds() {
        spoil(&mut page, kind);
    }
    if let Some(reply) = hits.kinds().find_map(|kind| replacement(kind, &page)) {
        return reply;
    }
    let mut text = page.to_string();
    if hits.has(Kind::DeepJson) {
        let deep = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
        text = text.replace(&format!("\"{DEEP}\""), &deep);
    }
    if hits.has(Kind::LoneSurrogate) {
        text = text.replace(SURROGATE, "half \\ud83e pair");
    }
    Reply::new(200, JSON, text)
}

fn replacement(kind: Kind, page: &Value) -> Option<Reply> {
    Some(match kind {
        Kind::Junk => Reply::new(200, JSON, "{\"connections\": [{\"id\": oops"),
        Kind::EmptyBody => Reply::new(200, JSON, ""),
        Kind::Html => Reply::new(200, HTML, LOGIN_PAGE),
        Kind::ErrorIn200 => css(200, "CSS.0001", "The system is busy. Try again later."),
        Kind::ArrayBody => Reply::json(200, &page["connections"]),
        _ => return None,
    })
}

fn spoil(page: &mut Value, kind: Kind) {
    match kind {
        Kind::TotalWrong => page["total_count"] = json!(total(page) + 3),
        Kind::TotalMissing => {
            page.as_object_mut().and_then(|page| page.remove("total_count"));
        }
        Kind::TotalText => page["total_count"] = json!(total(page).to_string()),
        Kind::TotalNegative => page["total_count"] = json!(-1),
        Kind::SwitchText => {
            let text = page["vpcepUpdateSwitch"].to_string();
            page["vpcepUpdateSwitch"] = json!(text.trim_matches('"'));
        }
        Kind::UnknownField => {
            page["vpcepFlavor"] = json!({"name": "new", "levels": [1, 2.5, null]});
            for row in rows(page) {
                row.insert("ipVersion".to_owned(), json!("dualstack"));
            }
        }
        Kind::UnknownStatus => first_row(page, "status", json!("frozen")),
        Kind::SessionJunk => first_row(page, "maxSession", json!("lots")),
        Kind::MissingId => {
            rows(page).into_iter().take(1).for_each(|row| {
                row.remove("id");
            });
        }
        Kind::NullList => page["connections"] = Value::Null,
        Kind::DeepJson => page["vpcepExtension"] = json!(DEEP),
        Kind::LoneSurrogate => first_row(page, "specificationName", json!(SURROGATE)),
        Kind::ControlCharacters => odd_texts(page),
        _ => {}
    }
}

fn odd_texts(page: &mut Value) {
    let service = page["vpcServiceName"].as_str().unwrap_or_default();
    page["vpcServiceName"] = json!(format!("{ODD_TEXT}.{service}"));
    for row in rows(page) {
        for name in ["specificationName", "vpcepDnsName", "domain_id", "vpcepIp"] {
            row.insert(name.to_owned(), json!(ODD_TEXT));
        }
    }
}

fn total(page: &Value) -> i64 {
    page["total_count"].as_i64().unwrap_or_default()
}

fn rows(page: &mut Value) -> Vec<&mut Map<String, Value>> {
    let rows = page["connections"].as_array_mut();
    rows.into_iter().flatten().filter_map(Value::as_object_mut).collect()
}

fn first_row(page: &mut Value, name: &str, value: Value) {
    if let Some(row) = rows(page).into_iter().next() {
        row.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Value {
        json!({
            "connections": [{"id": "1", "status": "accepted"}, {"id": "2", "status": "accepted"}],
            "vpcServiceName": "r.n.i", "vpcepUpdateSwitch": false, "total_count": 2
        })
    }

    fn text(kind: Kind) -> String {
        String::from_utf8(spoiled(page(), &Hits::of(&[kind])).body).expect("UTF-8")
    }

    #[test]
    fn fields_are_spoiled() {
        let value = |kind| serde_json::from_str::<Value>(&text(kind)).expect("JSON");
        assert_eq!(value(Kind::TotalWrong)["total_count"], 5);
        assert_eq!(value(Kind::TotalMissing).get("total_count"), None);
        assert_eq!(value(Kind::TotalText)["total_count"], "2");
        assert_eq!(value(Kind::TotalNegative)["total_count"], -1);
        assert_eq!(value(Kind::SwitchText)["vpcepUpdateSwitch"], "false");
        assert_eq!(value(Kind::UnknownStatus)["connections"][0]["status"], "frozen");
        assert_eq!(value(Kind::UnknownStatus)["connections"][1]["status"], "accepted");
        assert_eq!(value(Kind::SessionJunk)["connections"][0]["maxSession"], "lots");
        assert_eq!(value(Kind::MissingId)["connections"][0].get("id"), None);
        assert_eq!(value(Kind::NullList)["connections"], Value::Null);
        assert_eq!(value(Kind::ControlCharacters)["connections"][1]["vpcepIp"], ODD_TEXT);
        assert!(value(Kind::ArrayBody).is_array());
    }

    #[test]
    fn bodies_are_spoiled() {
        assert!(text(Kind::LoneSurrogate).contains(r#""specificationName":"half \ud83e pair""#));
        assert!(text(Kind::DeepJson).contains("[[[[[[") && text(Kind::DeepJson).len() > 200_000);
        assert!(serde_json::from_str::<Value>(&text(Kind::Junk)).is_err());
        assert_eq!(text(Kind::EmptyBody), "");
        assert!(text(Kind::Html).contains("<html>"));
    }
}
