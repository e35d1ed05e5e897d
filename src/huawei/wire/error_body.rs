//! Error bodies: the services of the cloud have at least six shapes for the same three facts: a code,
//! a message and sometimes a request id. Proxies on the way add HTML, plain text and nothing at all.

use serde_json::Value;

use crate::text::shown;

/// The content of an error body, capped and fit to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The error code, such as `CSS.0015` or `APIGW.0308`.
    pub code: Option<String>,
    /// The message; the start of the body where it is no JSON.
    pub message: Option<String>,
    /// `request_id`, as the gateway puts it into its bodies.
    pub request_id: Option<String>,
}

const LONGEST_CODE: usize = 64;
const LONGEST_MESSAGE: usize = 300;
/// Only the start of a large body is looked at; true error bodies have some hundred bytes.
const LARGEST_BODY: usize = 16 * 1024;
/// OpenStack's shapes nest once, Keystone's once; deeper ones are not looked into.
const DEEPEST: usize = 2;

/// Reads an error body of any shape. `hide` removes from a text what no one may see; it is asked
/// before the text is cut.
pub fn error_body(body: &[u8], hide: Hide<'_>) -> ErrorBody {
    let body = &body[..body.len().min(LARGEST_BODY)];
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => from_json(&value, DEEPEST, hide).unwrap_or_default(),
        Err(_) => ErrorBody { message: from_text(body, hide), ..ErrorBody::default() },
    }
}

/// Removes secrets from a text.
pub type Hide<'a> = &'a dyn Fn(&str) -> String;

fn from_json(value: &Value, depth: usize, hide: Hide<'_>) -> Option<ErrorBody> {
    let object = value.as_object()?;
    let first = |names: &[&str], cap| {
        names.iter().find_map(|name| object.get(*name)).and_then(|value| scalar(value, cap, hide))
    };
    let found = ErrorBody {
        code: first(&["errCode", "error_code", "errorCode", "code"], LONGEST_CODE),
        message: first(&["externalMessage", "error_msg", "errorMsg", "message"], LONGEST_MESSAGE),
        request_id: first(&["request_id"], LONGEST_CODE),
    };
    if found != ErrorBody::default() {
        return Some(found);
    }
    let deeper = depth.checked_sub(1)?;
    object.values().find_map(|inner| from_json(inner, deeper, hide))
}

fn scalar(value: &Value, cap: usize, hide: Hide<'_>) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(shown(&hide(text), cap)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The words of a page or a plain text, without its tags.
fn from_text(body: &[u8], hide: Hide<'_>) -> Option<String> {
    let text = hide(&String::from_utf8_lossy(body));
    let mut words = String::new();
    let mut inside_tag = false;
    for character in text.chars() {
        match character {
            '<' => inside_tag = true,
            '>' => {
                inside_tag = false;
                words.push(' ');
            }
            _ if !inside_tag => words.push(character),
            _ => {}
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    // A secret may have been cut by tags.
    (!words.is_empty()).then(|| shown(&hide(&words), LONGEST_MESSAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_gives_code_and_message() {
        let cases = [
            (
                r#"{"errCode":"CSS.0015","externalMessage":"no"}"#,
                Some("CSS.0015"),
                Some("no"),
                None,
            ),
            (
                r#"{"error_code":"EndPoint.0002","error_msg":"bad"}"#,
                Some("EndPoint.0002"),
                Some("bad"),
                None,
            ),
            (
                r#"{"error_msg":"x","error_code":"APIGW.0308","request_id":"r1"}"#,
                Some("APIGW.0308"),
                Some("x"),
                Some("r1"),
            ),
            (r#"{"errorCode":"CSS.6000","errorMsg":"y"}"#, Some("CSS.6000"), Some("y"), None),
            (r#"{"code":"A.1","message":"z"}"#, Some("A.1"), Some("z"), None),
            (
                r#"{"error":{"code":401,"message":"The token…","title":"Unauthorized"}}"#,
                Some("401"),
                Some("The token…"),
                None,
            ),
            (r#"{"badRequest":{"code":400,"message":"m"}}"#, Some("400"), Some("m"), None),
            (r#"{"itemNotFound":{"message":"gone"}}"#, None, Some("gone"), None),
            ("<html><h1>HTTP 500</h1>Tomcat\n</html>", None, Some("HTTP 500 Tomcat"), None),
            ("upstream  connect error", None, Some("upstream connect error"), None),
            ("", None, None, None),
            ("[1,2]", None, None, None),
            ("null", None, None, None),
            (r#"{"error":{"a":{"b":{"code":"too deep"}}}}"#, None, None, None),
            (r#"{"error_code":null,"error_msg":{}}"#, None, None, None),
        ];
        for (body, code, message, request_id) in cases {
            let expected = ErrorBody {
                code: code.map(str::to_owned),
                message: message.map(str::to_owned),
                request_id: request_id.map(str::to_owned),
            };
            assert_eq!(error_body(body.as_bytes(), &str::to_owned), expected, "{body}");
        }
    }

    #[test]
    fn what_is_to_be_hidden_is_hidden_before_the_text_is_cut() {
        let hide = |text: &str| text.replace("canary", "<secret>");
        let bodies = [
            format!(r#"{{"code":"canary","message":"{}canary"}}"#, "x".repeat(297)),
            format!("<p>{}canary</p>", "x".repeat(297)),
        ];
        for body in bodies {
            let read = error_body(body.as_bytes(), &hide);
            assert!(!format!("{read:?}").contains("can"), "{read:?}");
        }
    }

    #[test]
    fn long_and_hostile_bodies_are_cut() {
        let body = format!(r#"{{"code":"{0}","message":"{0}\n"}}"#, "x".repeat(5000));
        let read = error_body(body.as_bytes(), &str::to_owned);
        assert_eq!(read.code.map(|code| code.len()), Some(LONGEST_CODE));
        assert_eq!(read.message.map(|message| message.len()), Some(LONGEST_MESSAGE));
        assert!(
            error_body(&vec![0xff; 1 << 20], &str::to_owned)
                .message
                .is_some_and(|text| text.len() <= 300)
        );
        error_body("[".repeat(100_000).as_bytes(), &str::to_owned);
    }
}
