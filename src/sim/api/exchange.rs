//! Temporary keys of IAM and STS: for the token of an identity provider, for an IAM token, for an agency.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::request::Request;
use crate::sim::{
    account::{AGENCY, DOMAIN_ID, DOMAIN_NAME, IDP_ID, USER_ID, USER_NAME},
    cloud::State,
    errors::{keystone, sts},
    gate::TemporaryKeys,
    reply::Reply,
    signature::{Received, only_value, same},
};

/// Obtaining a Token with an OpenID Connect ID Token.
pub(super) fn id_token(
    state: &mut State,
    received: &Received<'_>,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let body = json_of(received.body).ok_or_else(|| bad_request("The request body is invalid."))?;
    let token = body["auth"]["id_token"]["id"].as_str().unwrap_or_default();
    if only_value(received.headers, "x-idp-id") != Some(IDP_ID)
        || !same(token, &state.gate.credentials.id_token)
    {
        return Err(keystone(401, "Unauthorized", "The token must be updated."));
    }
    let (token, expires) = state.gate.issue_token(now);
    let body = json!({"token": {
        "expires_at": format!("{expires:.6}"), "issued_at": format!("{now:.6}"),
        "methods": ["mapped"], "user": {"id": USER_ID, "name": USER_NAME},
    }});
    Ok(Reply::json(201, &body).with("X-Subject-Token", token))
}

/// Obtaining a Temporary Access Key and Security Token, through a token or of an agency.
pub(super) fn security_tokens(
    state: &mut State,
    received: &Received<'_>,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let body = json_of(received.body).ok_or_else(|| bad_request("The request body is invalid."))?;
    let identity = &body["auth"]["identity"];
    let method = &identity["methods"];
    if method == &json!(["token"]) {
        let in_header = only_value(received.headers, "x-auth-token");
        let token = identity["token"]["id"].as_str().or(in_header).unwrap_or_default();
        if !state.gate.knows_token(token, now) {
            return Err(keystone(401, "Unauthorized", "The token must be updated."));
        }
        lasts(&identity["token"]["duration_seconds"], 86_400).map_err(bad_request)?;
    } else if method == &json!(["assume_role"]) {
        state.gate.admit(received, None, now)?;
        let role = &identity["assume_role"];
        if role["agency_name"] != AGENCY || role["domain_name"] != DOMAIN_NAME {
            return Err(keystone(403, "Forbidden", "You have no right to do this action"));
        }
        lasts(&role["duration_seconds"], 86_400).map_err(bad_request)?;
    } else {
        return Err(bad_request("The method is not supported."));
    }
    Ok(Reply::json(201, &credential(&state.gate.issue_keys(now))))
}

/// IAM and the metadata service spell keys so.
pub(super) fn credential(keys: &TemporaryKeys) -> Value {
    json!({"credential": {
        "access": keys.access_key,
        "secret": keys.secret_key,
        "securitytoken": keys.security_token,
        "expires_at": format!("{:.6}", keys.expires),
    }})
}

/// AssumeAgency.
pub(super) fn assume(state: &mut State, request: &Request<'_>) -> Result<Reply, Reply> {
    let body = json_of(request.body).ok_or_else(|| sts(400, "STS5.0004", "Invalid body."))?;
    assumed(state, &body, request.now)
}

/// AssumeAgencyWithOIDC.
pub(super) fn assume_with_oidc(state: &mut State, request: &Request<'_>) -> Result<Reply, Reply> {
    let body = json_of(request.body).ok_or_else(|| sts(400, "STS5.0004", "Invalid body."))?;
    let token = body["id_token"].as_str().unwrap_or_default();
    if body["provider_urn"].as_str() != Some(&*format!("iam::{DOMAIN_ID}:oidc-provider:{IDP_ID}"))
        || !same(token, &state.gate.credentials.id_token)
    {
        return Err(sts(403, "STS5.0013", "The OIDC token is invalid or expired."));
    }
    assumed(state, &body, request.now)
}

fn assumed(state: &mut State, body: &Value, now: Timestamp) -> Result<Reply, Reply> {
    let urn = format!("iam::{DOMAIN_ID}:agency:{AGENCY}");
    let session = body["agency_session_name"].as_str().unwrap_or_default();
    if !(2..=128).contains(&session.len()) {
        return Err(sts(400, "STS5.0004", "Invalid agency_session_name."));
    }
    lasts(&body["duration_seconds"], 43_200).map_err(|why| sts(400, "STS5.0004", why))?;
    if body["agency_urn"].as_str() != Some(&*urn) {
        return Err(sts(403, "STS5.0012", "The agency does not trust the caller."));
    }
    let keys = state.gate.issue_keys(now);
    Ok(Reply::json(
        200,
        &json!({
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
        }),
    ))
}

/// GetCallerIdentity.
pub(super) fn caller() -> Reply {
    Reply::json(
        200,
        &json!({
            "account_id": DOMAIN_ID,
            "principal_id": USER_ID,
            "principal_urn": format!("iam::{DOMAIN_ID}:user:{USER_NAME}"),
        }),
    )
}

/// A life of 15 minutes or more.
fn lasts(seconds: &Value, most: u64) -> Result<(), &'static str> {
    match seconds.as_u64() {
        Some(seconds) if (900..=most).contains(&seconds) => Ok(()),
        None if seconds.is_null() => Ok(()),
        _ => Err("duration_seconds is out of range."),
    }
}

fn json_of(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn bad_request(message: &str) -> Reply {
    keystone(400, "Bad Request", message)
}
