//! The platform that a server or a pod runs on: the ECS metadata service and the pod identity agent.

use jiff::Timestamp;
use serde_json::json;

use super::exchange::credential;
use crate::sim::{
    account::{AGENCY, DOMAIN_ID},
    cloud::State,
    reply::{Reply, TEXT},
    signature::{Received, only_value, same},
};

/// The text of a metadata token; real ones differ, which no one may lean on.
const TOKEN: &str = "sim-metadata-token";

/// Obtaining a metadata token, where the service gives any.
pub(super) fn token(state: &State, received: &Received<'_>) -> Result<Reply, Reply> {
    if !state.gate.credentials.has_metadata_tokens {
        return Err(Reply::new(404, TEXT, "404 Not Found"));
    }
    let seconds = only_value(received.headers, "x-metadata-token-ttl-seconds");
    let seconds = seconds.and_then(|seconds| seconds.parse::<u32>().ok());
    if !seconds.is_some_and(|seconds| (1..=21_600).contains(&seconds)) {
        return Err(Reply::new(400, TEXT, "400 Bad Request"));
    }
    Ok(Reply::new(200, TEXT, TOKEN))
}

/// The keys of the server's agency.
pub(super) fn keys(
    state: &mut State,
    received: &Received<'_>,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let wants_token = state.gate.credentials.has_metadata_tokens;
    if wants_token && only_value(received.headers, "x-metadata-token") != Some(TOKEN) {
        return Err(Reply::new(401, TEXT, "401 Unauthorized"));
    }
    if !state.gate.credentials.has_agency {
        let text = "401 Unauthorized\n\nPlease configure Cloud Service Agency first";
        return Err(Reply::new(401, TEXT, text));
    }
    Ok(Reply::json(200, &credential(&state.gate.keys_of_server(now))))
}

/// The keys of a pod.
pub(super) fn pod_identity(
    state: &mut State,
    received: &Received<'_>,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let token = only_value(received.headers, "authorization").unwrap_or_default();
    if !same(token, &state.gate.credentials.pod_token) {
        return Err(Reply::json(401, &json!({"error_msg": "the token is invalid"})));
    }
    let keys = state.gate.issue_keys(now);
    Ok(Reply::json(
        200,
        &json!({
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
        }),
    ))
}
