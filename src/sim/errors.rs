//! Errors of the cloud: the gateway, CSS, IAM and VPCEP each have a shape of their own.

mod vpcep;

use std::fmt::Display;

use serde_json::json;

pub(super) use self::vpcep::vpcep;
use super::{
    operations::Operation,
    reply::{REQUEST_ID, Reply},
};

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

/// An error of IAM, as Keystone words it.
pub(super) fn keystone(status: u16, title: &str, message: &str) -> Reply {
    Reply::json(status, &json!({"error": {"code": status, "message": message, "title": title}}))
}

/// An error of STS.
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

/// The credentials are not accepted (signing guide, error codes of IAM authentication).
pub(super) fn unauthenticated(detail: impl Display) -> Reply {
    unauthorized("APIGW.0301", &format!("Incorrect IAM authentication information: {detail}"))
}

/// A token that was valid once.
pub(super) fn expired_token() -> Reply {
    unauthorized("APIGW.0307", "The token must be updated.")
}

/// A refusal of the gateway, which closes the connection after it.
fn unauthorized(code: &str, message: &str) -> Reply {
    gateway(401, code, message).with("Server", "api-gateway").with("Connection", "close")
}

/// No published API has this address and method.
pub(super) fn no_such_api() -> Reply {
    let message = "The API does not exist or has not been published in the environment";
    gateway(404, "APIGW.0101", message)
}

/// The user's policies do not allow this action of an operation. Each service reports it in its own way.
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
        keystone(403, "Forbidden", "You have no right to do this action")
    }
}

/// A parameter that cannot be read.
pub(super) fn bad_parameter(message: &str) -> Reply {
    css(400, "CSS.0001", message)
}

/// A parameter beyond its range.
pub(super) fn out_of_range(name: &str) -> Reply {
    css(400, "CSS.5038", &format!("The value of parameter {name} is out of range."))
}

/// A cluster that is not there, was deleted, or is someone else's: 403, not 404.
pub(super) fn no_such_cluster() -> Reply {
    css(403, "CSS.0015", "Resource not found or permission denied.")
}

/// A cluster without a VPC endpoint service.
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
    fn css_repeats_its_code() {
        let body = String::from_utf8(not_enabled().into_body("abc")).expect("text");
        assert!(body.starts_with(r#"{"errCode":"CSS.5182","externalMessage":"CSS.5182 : "#));
    }
}
