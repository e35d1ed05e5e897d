//! Temporary keys: from IAM and STS, for a token or of an agency, and from the platform that a server or a pod
//! runs on (ECS metadata service, pod identity agent).

use serde_json::{Value, json};

use super::request::{Answer, Request};
use crate::sim::{
    account::{AGENCY, DOMAIN_ID, DOMAIN_NAME, IDP_ID, USER_ID, USER_NAME},
    cloud::State,
    errors::{keystone, sts},
    gate::TemporaryKeys,
    reply::{Reply, TEXT},
    signature::same,
};

/// The text of a metadata token. Real ones look different; no client depends on that.
const METADATA_TOKEN: &str = "sim-metadata-token";

/// Obtaining a Temporary Access Key and Security Token, through a token or of an agency.
pub(super) fn security_tokens(state: &mut State, request: &Request<'_>) -> Answer {
    let body = request.json().ok_or_else(|| keystone(400, "The request body is invalid."))?;
    let identity = &body["auth"]["identity"];
    let method = &identity["methods"];
    let duration = if method == &json!(["token"]) {
        let sent = identity["token"]["id"].as_str().or(request.header("x-auth-token"));
        if !state.gate.knows_token(sent.unwrap_or_default(), request.now) {
            return Err(keystone(401, "The token must be updated."));
        }
        &identity["token"]["duration_seconds"]
    } else if method == &json!(["assume_role"]) {
        state.gate.admit(request.received, None, request.now)?;
        let role = &identity["assume_role"];
        if role["agency_name"] != AGENCY || role["domain_name"] != DOMAIN_NAME {
            return Err(keystone(403, "You have no right to do this action"));
        }
        &role["duration_seconds"]
    } else {
        return Err(keystone(400, "The method is not supported."));
    };
    judge_duration(duration, 86_400).map_err(|why| keystone(400, why))?;
    Ok(Reply::json(201, &credential(&state.gate.issue_keys(request.now))))
}

/// Keys as IAM and the metadata service write them.
fn credential(keys: &TemporaryKeys) -> Value {
    json!({"credential": {
        "access": keys.access_key,
        "secret": keys.secret_key,
        "securitytoken": keys.security_token,
        "expires_at": format!("{:.6}", keys.expires),
    }})
}

/// AssumeAgency.
pub(super) fn assume(state: &mut State, request: &Request<'_>) -> Answer {
    let body = request.json().ok_or_else(|| sts(400, "STS5.0004", "Invalid body."))?;
    assumed(state, request, &body)
}

/// AssumeAgencyWithOIDC.
pub(super) fn assume_with_oidc(state: &mut State, request: &Request<'_>) -> Answer {
    let body = request.json().ok_or_else(|| sts(400, "STS5.0004", "Invalid body."))?;
    let token = body["id_token"].as_str().unwrap_or_default();
    if body["provider_urn"] != format!("iam::{DOMAIN_ID}:oidc-provider:{IDP_ID}")
        || !same(token, &state.gate.credentials.id_token)
    {
        return Err(sts(403, "STS5.0013", "The OIDC token is invalid or expired."));
    }
    assumed(state, request, &body)
}

fn assumed(state: &mut State, request: &Request<'_>, body: &Value) -> Answer {
    let session = body["agency_session_name"].as_str().unwrap_or_default();
    if !(2..=128).contains(&session.len()) {
        return Err(sts(400, "STS5.0004", "Invalid agency_session_name."));
    }
    judge_duration(&body["duration_seconds"], 43_200).map_err(|why| sts(400, "STS5.0004", why))?;
    if body["agency_urn"] != format!("iam::{DOMAIN_ID}:agency:{AGENCY}") {
        return Err(sts(403, "STS5.0012", "The agency does not trust the caller."));
    }
    let keys = state.gate.issue_keys(request.now);
    let body = json!({
        "assumed_agency": {
            "urn": format!("sts::{DOMAIN_ID}:assumed-agency:{AGENCY}/{session}"),
            "id": format!("{USER_ID}:{session}"),
        },
        "credentials": {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "security_token": keys.security_token,
            "expiration": format!("{:.3}", keys.expires),
        },
    });
    Ok(Reply::json(200, &body))
}

/// GetCallerIdentity.
pub(super) fn caller() -> Answer {
    let body = json!({
        "account_id": DOMAIN_ID,
        "principal_id": USER_ID,
        "principal_urn": format!("iam::{DOMAIN_ID}:user:{USER_NAME}"),
    });
    Ok(Reply::json(200, &body))
}

/// Refuses a duration of less than 15 minutes or of more than this; it may be absent.
fn judge_duration(seconds: &Value, most: u64) -> Result<(), &'static str> {
    match seconds.as_u64() {
        Some(seconds) if (900..=most).contains(&seconds) => Ok(()),
        None if seconds.is_null() => Ok(()),
        _ => Err("duration_seconds is out of range."),
    }
}

/// Obtaining a metadata token, if the service gives any.
pub(super) fn metadata_token(state: &State, request: &Request<'_>) -> Answer {
    if !state.gate.credentials.has_metadata_tokens {
        return Err(Reply::new(404, TEXT, "404 Not Found"));
    }
    let seconds = request.header("x-metadata-token-ttl-seconds");
    let seconds = seconds.and_then(|seconds| seconds.parse::<u32>().ok());
    if !seconds.is_some_and(|seconds| (1..=21_600).contains(&seconds)) {
        return Err(Reply::new(400, TEXT, "400 Bad Request"));
    }
    Ok(Reply::new(200, TEXT, METADATA_TOKEN))
}

/// The keys of the server's agency.
pub(super) fn metadata_keys(state: &mut State, request: &Request<'_>) -> Answer {
    let credentials = &state.gate.credentials;
    let token = request.header("x-metadata-token");
    if credentials.has_metadata_tokens && token != Some(METADATA_TOKEN) {
        return Err(Reply::new(401, TEXT, "401 Unauthorized"));
    }
    if !credentials.has_agency {
        let text = "401 Unauthorized\n\nPlease configure Cloud Service Agency first";
        return Err(Reply::new(401, TEXT, text));
    }
    Ok(Reply::json(200, &credential(&state.gate.keys_of_server(request.now))))
}

/// The keys of a pod.
pub(super) fn pod_identity(state: &mut State, request: &Request<'_>) -> Answer {
    let token = request.header("authorization").unwrap_or_default();
    if !same(token, &state.gate.credentials.pod_token) {
        return Err(Reply::json(401, &json!({"error_msg": "the token is invalid"})));
    }
    let keys = state.gate.issue_keys(request.now);
    let body = json!({
        "assumedAgency": {
            "urn": format!("sts::{DOMAIN_ID}:assumed-agency:{AGENCY}/cce-sim-pod"),
            "id": "sim",
        },
        "audience": "service.cce.pods",
        "credentials": {
            "accessKeyId": keys.access_key,
            "secretAccessKey": keys.secret_key,
            "securityToken": keys.security_token,
            "expiration": format!("{:.3}", keys.expires),
        },
        "podIdentityAssociationId": "sim",
        "subject": {"namespace": "default", "serviceAccount": "exporter"},
    });
    Ok(Reply::json(200, &body))
}
