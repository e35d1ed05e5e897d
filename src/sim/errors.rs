//! Answers of the cloud, and its errors in the shapes of those who give them.
//!
//! Owns the wording and the JSON of errors: the gateway's, CSS's, IAM's and VPCEP's differ. Who gives which
//! error when is decided elsewhere.

mod vpcep;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::vpcep::vpcep;
use super::calls::Operation;
use super::clock::basic_date;

/// What is sent back, before the server adds its headers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// A gateway error repeats the request id in its body, where it is filled in at the end.
    pub(crate) names_request: bool,
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const HTML: &str = "text/html;charset=utf-8";
pub(crate) const TEXT: &str = "text/plain;charset=utf-8";

/// Stands in a body for the request id, which only the server knows.
const REQUEST_ID: &str = "@request-id@";

impl Reply {
    /// An answer with a body of this kind.
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        let body = body.into();
        Reply { status, content_type, headers: Vec::new(), body, names_request: false }
    }

    /// An answer with a JSON body.
    pub(crate) fn json(status: u16, body: &Value) -> Reply {
        Reply::new(status, JSON, body.to_string())
    }

    /// The same answer with one more header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// The body with the request id where it belongs.
    pub(crate) fn into_body(self, request_id: &str) -> Vec<u8> {
        if !self.names_request {
            return self.body;
        }
        String::from_utf8_lossy(&self.body).replace(REQUEST_ID, request_id).into_bytes()
    }
}

/// An error of the API gateway.
pub(crate) fn gateway(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"error_msg": message, "error_code": code, "request_id": REQUEST_ID});
    Reply { names_request: true, ..Reply::json(status, &body) }
}

/// An error of CSS, whose message repeats the code (CSS error codes).
pub(crate) fn css(status: u16, code: &str, message: &str) -> Reply {
    let text = format!("{code} : {message}");
    Reply::json(status, &json!({"errCode": code, "externalMessage": text}))
}

/// An error of IAM, as Keystone words it.
pub(crate) fn keystone(status: u16, title: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": status, "message": message, "title": title}}))
}

/// A refused control request.
pub(crate) fn control(status: u16, message: impl Into<String>) -> Reply {
    Reply::json(status, &json!({"error": message.into()}))
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoCredentials,
    Malformed(String),
    UnknownKey(String),
    Locked,
    Expired { signed: String, server: Timestamp },
    Mismatch { canonical_request: Vec<u8> },
    BadToken,
    OldToken,
    OtherProject,
}

impl Refusal {
    /// The gateway's answer (signing guide, error codes of IAM authentication).
    pub(crate) fn reply(&self) -> Reply {
        let detail = match self {
            Refusal::NoCredentials => "x-auth-token not found".to_owned(),
            Refusal::Malformed(what) => what.clone(),
            Refusal::UnknownKey(key) => format!("ak {key} not exist"),
            Refusal::Locked => "AK access failed to reach the limit,forbidden".to_owned(),
            Refusal::Expired { signed, server } => format!(
                "calc aksk signature fail:signature expired, signature time:{signed},server time:{}",
                basic_date(*server)
            ),
            Refusal::Mismatch { canonical_request } => {
                let text = String::from_utf8_lossy(canonical_request).replace('\n', "|");
                format!("verify aksk signature fail, canonicalRequest:{text}")
            }
            Refusal::BadToken => "decrypt token fail".to_owned(),
            Refusal::OldToken => return unauthorized("APIGW.0307", "The token must be updated."),
            Refusal::OtherProject => "x-project-id does not match the project".to_owned(),
        };
        let message = format!("Incorrect IAM authentication information: {detail}");
        unauthorized("APIGW.0301", &message)
    }
}

/// A refusal of the gateway, which closes the connection after it.
fn unauthorized(code: &str, message: &str) -> Reply {
    gateway(401, code, message).with("Server", "api-gateway").with("Connection", "close")
}

/// No published API has this address and method.
pub(crate) fn no_such_api() -> Reply {
    let message = "The API does not exist or has not been published in the environment";
    gateway(404, "APIGW.0101", message)
}

/// The user's policies do not allow this action of an operation. Each service reports it in its own way.
pub(crate) fn not_permitted(operation: Operation, action: &str) -> Reply {
    if operation.is_css() && action.starts_with("css:") {
        let message = format!("The current policy does not allow the {action} operation.");
        css(400, "CSS.0051", &message)
    } else if operation.is_css() {
        // CSS acts at VPCEP in the user's name.
        let message = "Insufficient permissions on the VPC endpoint. Check whether the user has the \
            VPC endpoint administrator role.";
        css(400, "CSS.5313", message)
    } else if operation.is_vpcep() {
        vpcep("0004")
    } else {
        keystone(403, "Forbidden", "You have no right to do this action")
    }
}

/// A parameter that cannot be read.
pub(crate) fn bad_parameter(message: &str) -> Reply {
    css(400, "CSS.0001", message)
}

/// A parameter beyond its range.
pub(crate) fn out_of_range(name: &str) -> Reply {
    css(400, "CSS.5038", &format!("The value of parameter {name} is out of range."))
}

/// A cluster that is not there, was deleted, or is somebody else's: 403, not 404.
pub(crate) fn no_such_cluster() -> Reply {
    css(403, "CSS.0015", "Resource not found or permission denied.")
}

/// A cluster without a VPC endpoint service.
pub(crate) fn not_enabled() -> Reply {
    css(400, "CSS.5182", "The VPC endpoint service is not enabled.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_refusals_as_the_gateway_does() {
        let server = "2021-12-17T06:58:04.5Z".parse().expect("a time");
        let expired = Refusal::Expired { signed: "20211217T064303Z".to_owned(), server };
        let mismatch = Refusal::Mismatch { canonical_request: b"GET\n/\n\n".to_vec() };
        for (refusal, wanted) in [
            (
                expired,
                "calc aksk signature fail:signature expired, signature time:20211217T064303Z,\
                 server time:20211217T065804Z",
            ),
            (mismatch, "verify aksk signature fail, canonicalRequest:GET|/||"),
            (Refusal::UnknownKey("AK".to_owned()), "ak AK not exist"),
            (Refusal::BadToken, "decrypt token fail"),
        ] {
            let body: Value =
                serde_json::from_slice(&refusal.reply().into_body("abc")).expect("JSON");
            let text = format!("Incorrect IAM authentication information: {wanted}");
            assert_eq!(body["error_msg"], text);
            assert_eq!(body["error_code"], "APIGW.0301");
            assert_eq!(body["request_id"], "abc");
        }
    }

    #[test]
    fn css_repeats_its_code() {
        let body = String::from_utf8(not_enabled().into_body("abc")).expect("text");
        assert!(body.starts_with(r#"{"errCode":"CSS.5182","externalMessage":"CSS.5182 : "#));
    }
}
