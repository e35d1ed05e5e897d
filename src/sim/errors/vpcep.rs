//! Errors of VPCEP: their codes and words (VPCEP API Reference, Error Codes).
//!
//! Unlike the gateway's, these bodies do not repeat the request id.

use serde_json::json;

use crate::sim::reply::Reply;

/// Code, HTTP status and message, as the reference lists them. Two faults of a client are 504 there.
const CODES: [(&str, u16, &str); 34] = [
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

/// The answer with this code, which is written without its prefix.
pub(in crate::sim) fn vpcep(code: &str) -> Reply {
    let known = CODES.iter().find(|(one, ..)| *one == code);
    let (code, status, message) = known.unwrap_or(&CODES[0]);
    let code = format!("EndPoint.{code}");
    Reply::json(*status, &json!({"error_code": code, "error_msg": message}))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
