//! A token for a user and a password.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Auth,
    issued::{Issued, Lifetime},
    issuer::{Exchange, Issuer},
};
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        credentials::Login, effort::Effort, key_guard::Credentials, operation::Operation,
        settings::Settings, transport::Answer,
    },
};

/// Stands for all IAM hosts: IAM locks a user at all of them, after fewer refusals than a key.
const IAM_HOSTS: &str = "every IAM host";

/// Asks IAM for a token.
pub(super) async fn issue(
    issuer: &Issuer,
    login: &Login,
    credentials: Credentials,
    effort: &mut Effort,
) -> Result<Issued, CloudError> {
    let Issuer { settings, .. } = issuer;
    let (iam, path) = (&settings.endpoints.iam, "/v3/auth/tokens");
    let body = body(login, settings);
    let exchange = Exchange {
        query: &[("nocatalog", "true")],
        hidden: Some(&login.password),
        host: IAM_HOSTS,
        ..Exchange::new(Operation::Token, iam, path, &body, credentials)
    };
    issued(issuer.ask(exchange, effort).await?)
}

/// The body that asks for a token for a user and a password (IAM API Reference, "Obtaining a User
/// Token Through Password Authentication"). Without a project id the token is for the project that is
/// named like the region: its main project.
fn body(login: &Login, settings: &Settings) -> Value {
    let Login { domain, user, password } = login;
    let project = match &settings.project_id {
        Some(id) => json!({ "id": id.as_str() }),
        None => json!({ "name": settings.region.as_str() }),
    };
    let user = json!({
        "name": user, "password": password.expose(), "domain": { "name": domain }
    });
    json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": user } },
        "scope": { "project": project },
    }})
}

/// The token in an answer.
fn issued(answer: Answer) -> Result<Issued, CloudError> {
    match (answer.subject_token, lifetime(&answer.body)) {
        (Some(token), Some(lifetime)) => {
            Ok(Issued { auth: Auth::token(token), lifetime, is_of_pod: false })
        }
        _ => Err(CloudError {
            request_id: answer.request_id,
            ..CloudError::new(Reason::BadShape, "IAM gave no token, or none that ever expires")
        }),
    }
}

/// When a token expires, and how long it lives: both ends are told by IAM's clock, so that a wrong
/// clock here makes no token look dead.
fn lifetime(body: &[u8]) -> Option<Lifetime> {
    #[derive(Deserialize)]
    struct Body {
        token: Token,
    }
    #[derive(Deserialize)]
    struct Token {
        issued_at: String,
        expires_at: String,
    }
    let Body { token } = serde_json::from_slice(body).ok()?;
    let end: Timestamp = token.expires_at.parse().ok()?;
    let left = end.duration_since(token.issued_at.parse().ok()?);
    Some(Lifetime::Until { end, left: Duration::try_from(left).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_from_when_it_was_issued() {
        let body = br#"{"token":{"issued_at":"2015-11-08T01:42:57.527363Z",
                                 "expires_at":"2015-11-09T01:42:57.527363Z"}}"#;
        let Some(Lifetime::Until { end, left }) = lifetime(body) else { panic!("it ends") };
        assert_eq!((end.as_second(), left.as_secs()), (1_447_033_377, 24 * 3600));
        let backwards = br#"{"token":{"issued_at":"2015-11-08T01:42:57Z",
                                      "expires_at":"2015-11-07T01:42:57Z"}}"#;
        assert_eq!(lifetime(backwards), None);
        assert_eq!(lifetime(b"{}"), None);
    }
}
