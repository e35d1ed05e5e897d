//! Workload identity: IAM gives keys for the token of an identity provider, in two steps.

use serde_json::{Value, json};

use super::{
    issued::Issued,
    issuer::{Exchange, Issuer},
};
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        credentials::IdToken, effort::Effort, key_guard::Credentials, operation::Operation,
        settings::Settings,
    },
    secret::Secret,
};

/// As long as the official SDKs ask for: six hours.
const SECONDS: u32 = 6 * 60 * 60;

/// Asks IAM for a token (IAM API Reference, "Obtaining a Token with an OpenID Connect ID Token"), and with it
/// for keys ("Obtaining a Temporary Access Key and Security Token Through a Token").
pub(super) async fn issue(
    issuer: &Issuer,
    id_token: &IdToken,
    credentials: Credentials,
    effort: &mut Effort,
) -> Result<Issued, CloudError> {
    let token = token(issuer, id_token, credentials, effort).await?;
    let identity = json!({
        "methods": ["token"],
        "token": { "id": token.expose(), "duration_seconds": SECONDS },
    });
    let body = json!({ "auth": { "identity": identity } });
    let (iam, path) = (&issuer.settings.endpoints.iam, "/v3.0/OS-CREDENTIAL/securitytokens");
    let exchange = Exchange {
        hidden: Some(&token),
        ..Exchange::new(Operation::SecurityTokens, iam, path, &body, credentials)
    };
    issuer.ask_for_keys(exchange, effort).await
}

async fn token(
    issuer: &Issuer,
    IdToken { idp_id, id_token }: &IdToken,
    credentials: Credentials,
    effort: &mut Effort,
) -> Result<Secret, CloudError> {
    let (iam, path) = (&issuer.settings.endpoints.iam, "/v3.0/OS-AUTH/id-token/tokens");
    let body = body(id_token, &issuer.settings);
    let exchange = Exchange {
        hidden: Some(id_token),
        header: Some(("x-idp-id", idp_id)),
        ..Exchange::new(Operation::IdToken, iam, path, &body, credentials)
    };
    let answer = issuer.ask(exchange, effort).await?;
    answer.subject_token.ok_or_else(|| CloudError {
        request_id: answer.request_id,
        ..CloudError::new(Reason::BadShape, "IAM gave no token for that of the identity provider")
    })
}

/// Without a project id the keys are for all projects of the account, if its id is known.
fn body(id_token: &Secret, settings: &Settings) -> Value {
    let mut auth = json!({ "id_token": { "id": id_token.expose() } });
    match (&settings.project_id, &settings.domain_id) {
        (Some(id), _) => auth["scope"] = json!({ "project": { "id": id.as_str() } }),
        (None, Some(id)) => auth["scope"] = json!({ "domain": { "id": &**id } }),
        (None, None) => {}
    }
    json!({ "auth": auth })
}
