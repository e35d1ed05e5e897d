//! Errors of the cloud: the gateway, CSS, VPCEP, IAM and STS each have a shape of their own.

use std::fmt::Display;

use hyper::StatusCode;
use serde_json::json;

use super::{
    operations::Operation,
    reply::{REQUEST_ID, Reply},
};

/// The codes of VPCEP, each with its HTTP status and message (VPCEP API Reference, Error Codes, also for the 504).
const VPCEP: [(&str, u16, &str); 34] = [
    ("0001", 500, "System error. Please retry."),
    ("0002", 400, "Parameter error."),
    ("0003", 401, "Authentication failed or authentication information is invalid."),
    ("0004", 403, "Authentication information is incorrect or you have no permissions."),
    ("0005", 404, "The requested resource does not exist."),
    ("0006", 400, "Invalid limit."),
    ("0010", 400, "Invalid offset."),
    ("0011", 504, "The request body is null."),
    ("0014", 400, "Invalid project ID."),
    ("0017", 400, "Invalid sort_key."),
    ("0018", 400, "Invalid sort_dir."),
    ("0019", 400, "Invalid status."),
    ("0021", 400, "Invalid marker_id."),
    ("0022", 400, "The number of requests exceeded the limit. Please try later."),
    ("1003", 400, "Invalid service name."),
    ("2003", 400, "The endpoint service does not exist."),
    ("2028", 400, "The endpoint service port or protocol is empty."),
    ("3003", 400, "Invalid port ID."),
    ("3004", 400, "Invalid port."),
    ("3010", 400, "Invalid IP address."),
    ("3042", 400, "The port ID does not belong to the current VPC."),
    ("3043", 400, "The service port is invalid."),
    ("3044", 400, "The parameter ports conflicted with ports in an existing endpoint service."),
    ("3045", 400, "Other properties cannot be modified in the current endpoint service state."),
    ("3046", 400, "The IP address conflicted with an existing endpoint service."),
    ("3052", 400, "portId and ip cannot be modified at the same time."),
    ("3054", 400, "portId or vipPortId cannot be modified."),
    ("3055", 400, "ip cannot be modified."),
    ("3058", 400, "The domain name is invalid."),
    ("3062", 400, "Invalid endpoint service ID."),
    ("3063", 400, "Invalid port ID."),
    ("3074", 400, "The maximum of ports has been reached."),
    ("3075", 400, "The protocol is invalid."),
    ("3076", 400, "Invalid service name."),
];

/// An error of the API gateway.
pub(super) fn gateway(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"error_msg": message, "error_code": code, "request_id": REQUEST_ID});
    Reply { names_request: true, ..Reply::json(status, &body) }
}

/// An error of CSS, whose message repeats the code (CSS error codes).
pub(super) fn css(status: u16, code: &str, message: &str) -> Reply {
    let text = format!("{code} : {message}");
    Reply::json(status, &json!({"errCode": code, "externalMessage": text}))
}

/// An error of VPCEP, by its code without the prefix. Unlike the gateway's, it does not repeat the request id.
pub(super) fn vpcep(code: &str) -> Reply {
    let known = VPCEP.iter().find(|(one, ..)| *one == code);
    let (code, status, message) = known.unwrap_or(&VPCEP[0]);
    sts(*status, &format!("EndPoint.{code}"), message)
}

/// An error of IAM, as Keystone words it.
pub(super) fn keystone(status: u16, message: &str) -> Reply {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Reply::json(status, &json!({"error": {"code": status, "message": message, "title": title}}))
}

/// An error of STS, whose shape VPCEP shares.
pub(super) fn sts(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error_code": code, "error_msg": message}))
}

/// A refused control request.
pub(super) fn control(status: u16, message: impl Into<String>) -> Reply {
    Reply::json(status, &json!({"error": message.into()}))
}

/// A control request whose JSON does not fit.
pub(super) fn unreadable(error: serde_json::Error) -> Reply {
    control(400, error.to_string())
}

/// Refuses credentials (signing guide, error codes of IAM authentication).
pub(super) fn unauthenticated(detail: impl Display) -> Reply {
    unauthorized("APIGW.0301", &format!("Incorrect IAM authentication information: {detail}"))
}

/// Refuses a token that was valid once.
pub(super) fn expired_token() -> Reply {
    unauthorized("APIGW.0307", "The token must be updated.")
}

/// A refusal of the gateway, which closes the connection after it.
fn unauthorized(code: &str, message: &str) -> Reply {
    gateway(401, code, message).with("Server", "api-gateway").with("Connection", "close")
}

/// Refuses an address and method that no published API has.
pub(super) fn no_such_api() -> Reply {
    let message = "The API does not exist or has not been published in the environment";
    gateway(404, "APIGW.0101", message)
}

/// Refuses an action that the user's policies do not allow. Each service does so in its own way.
pub(super) fn not_permitted(operation: Operation, action: &str) -> Reply {
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
        keystone(403, "You have no right to do this action")
    }
}

/// Refuses a parameter that cannot be read.
pub(super) fn bad_parameter(message: &str) -> Reply {
    css(400, "CSS.0001", message)
}

/// Refuses a parameter beyond its range.
pub(super) fn out_of_range(name: &str) -> Reply {
    css(400, "CSS.5038", &format!("The value of parameter {name} is out of range."))
}

/// Refuses a cluster that does not exist, was deleted or is someone else's, with 403 and not 404.
pub(super) fn no_such_cluster() -> Reply {
    css(403, "CSS.0015", "Resource not found or permission denied.")
}

/// Refuses a cluster that has no VPC endpoint service.
pub(super) fn not_enabled() -> Reply {
    css(400, "CSS.5182", "The VPC endpoint service is not enabled.")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn words_refusals_as_the_gateway_does() {
        let body = unauthenticated("ak AK not exist").into_body("abc");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let text = "Incorrect IAM authentication information: ak AK not exist";
        let expected = json!({"error_msg": text, "error_code": "APIGW.0301", "request_id": "abc"});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_code_brings_its_status_and_no_request_id() {
        let reply = vpcep("0011");
        assert_eq!(reply.status, 504);
        assert!(!reply.names_request);
        assert_eq!(
            String::from_utf8(reply.body).expect("text"),
            r#"{"error_code":"EndPoint.0011","error_msg":"The request body is null."}"#
        );
    }

    #[test]
    fn css_repeats_its_code() {
        let body = String::from_utf8(not_enabled().into_body("abc")).expect("text");
        assert!(body.starts_with(r#"{"errCode":"CSS.5182","externalMessage":"CSS.5182 : "#));
    }
}
