//! The exchanges of an identity for keys or a token: the questions to IAM, to STS, and to the agent beside a
//! pod.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{
    Auth, Proof,
    issued::{Issued, Lifetime},
    issuer::{Exchange, Issuer},
};
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        credentials::{Agency, AgencyName, IdToken, Login, Oidc, PodIdentity},
        effort::Effort,
        endpoints::Endpoints,
        key_guard::Credentials,
        operation::Operation,
        transport::{Answer, PlatformAnswer, PlatformRequest},
    },
    secret::Secret,
};

/// Stands for all IAM hosts: IAM locks a user at all of them, after fewer refusals than a key.
const IAM_HOSTS: &str = "every IAM host";
const SECURITY_TOKENS: &str = "/v3.0/OS-CREDENTIAL/securitytokens";
/// As long as the official SDKs ask for where the keys are for the token of an identity provider: six hours.
const FOR_ID_TOKEN_SECONDS: u32 = 6 * 60 * 60;
/// As the official SDK for Python asks for where it is one of an OIDC provider.
const FOR_OIDC_SECONDS: u32 = 60 * 60;
/// STS gives no longer life to keys that temporary keys ask for.
const MOST_FOR_TEMPORARY: u64 = 60 * 60;
/// As long as the official SDKs wait for the agent beside a pod.
const AGENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The name of the session in the cloud's own logs (CTS).
const SESSION: &str = "css-vpcep-exporter";

impl Issuer {
    /// Asks IAM for a token for a user and a password (IAM API Reference, "Obtaining a User Token Through
    /// Password Authentication"). Without a project id the token is for the project that is named like
    /// the region: its main project.
    pub(super) async fn token_for_password(
        &self,
        Login { domain, user, password }: &Login,
        credentials: Credentials,
        effort: &mut Effort,
    ) -> Result<Issued, CloudError> {
        let iam = &self.settings.endpoints.iam;
        let project = match &self.settings.project_id {
            Some(id) => json!({ "id": id.as_str() }),
            None => json!({ "name": self.settings.region.as_str() }),
        };
        let user = json!({
            "name": user, "password": password.expose(), "domain": { "name": domain }
        });
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": project },
        }});
        let exchange = Exchange {
            query: &[("nocatalog", "true")],
            hidden: Some(password),
            host: IAM_HOSTS,
            ..Exchange::new(Operation::Token, iam, "/v3/auth/tokens", &body, credentials)
        };
        issued(self.ask(exchange, effort).await?)
    }

    /// Asks IAM for keys for a token ("Obtaining a Temporary Access Key and Security Token Through a Token"),
    /// which it gives for that of the identity provider.
    pub(super) async fn keys_for_id_token(
        &self,
        id_token: &IdToken,
        credentials: Credentials,
        effort: &mut Effort,
    ) -> Result<Issued, CloudError> {
        let iam = &self.settings.endpoints.iam;
        let token = self.token_for_id_token(id_token, credentials, effort).await?;
        let body = json!({ "auth": { "identity": {
            "methods": ["token"],
            "token": { "id": token.expose(), "duration_seconds": FOR_ID_TOKEN_SECONDS },
        }}});
        let exchange = Exchange {
            hidden: Some(&token),
            ..Exchange::new(Operation::SecurityTokens, iam, SECURITY_TOKENS, &body, credentials)
        };
        self.ask_for_keys(exchange, effort).await
    }

    /// "Obtaining a Token with an OpenID Connect ID Token". Without a project id the keys are for all projects of
    /// the account, if its id is known.
    async fn token_for_id_token(
        &self,
        IdToken { idp_id, id_token }: &IdToken,
        credentials: Credentials,
        effort: &mut Effort,
    ) -> Result<Secret, CloudError> {
        let iam = &self.settings.endpoints.iam;
        let mut auth = json!({ "id_token": { "id": id_token.expose() } });
        match (&self.settings.project_id, &self.settings.domain_id) {
            (Some(id), _) => auth["scope"] = json!({ "project": { "id": id.as_str() } }),
            (None, Some(id)) => auth["scope"] = json!({ "domain": { "id": &**id } }),
            (None, None) => {}
        }
        let (path, body) = ("/v3.0/OS-AUTH/id-token/tokens", json!({ "auth": auth }));
        let exchange = Exchange {
            hidden: Some(id_token),
            header: Some(("x-idp-id", idp_id)),
            ..Exchange::new(Operation::IdToken, iam, path, &body, credentials)
        };
        let Answer { subject_token, request_id, .. } = self.ask(exchange, effort).await?;
        let why = "IAM gave no token for that of the identity provider";
        let none = || CloudError { request_id, ..CloudError::new(Reason::BadShape, why) };
        subject_token.ok_or_else(none)
    }

    /// Asks STS for keys for the token of an OIDC provider ("AssumeAgencyWithOIDC").
    pub(super) async fn keys_for_oidc(
        &self,
        Oidc { provider_urn, agency_urn, id_token }: &Oidc,
        credentials: Credentials,
        effort: &mut Effort,
    ) -> Result<Issued, CloudError> {
        let sts = &self.settings.endpoints.sts;
        let body = json!({
            "provider_urn": provider_urn,
            "agency_urn": agency_urn,
            "agency_session_name": SESSION,
            "id_token": id_token.expose(),
            "duration_seconds": FOR_OIDC_SECONDS,
        });
        let path = "/v5/agencies/assume-with-oidc";
        let exchange = Exchange {
            hidden: Some(id_token),
            ..Exchange::new(Operation::AssumeWithOidc, sts, path, &body, credentials)
        };
        self.ask_for_keys(exchange, effort).await
    }

    /// Asks STS ("AssumeAgency") or IAM ("Obtaining a Temporary Access Key and Security Token of an Agency")
    /// for the keys of an agency.
    pub(super) async fn keys_of_agency(
        &self,
        base: &Auth,
        Agency { name, duration }: &Agency,
        effort: &mut Effort,
    ) -> Result<Issued, CloudError> {
        let Endpoints { iam, sts, .. } = &self.settings.endpoints;
        let (seconds, credentials) = (duration.as_secs(), base.credentials);
        let exchange = match name {
            AgencyName::Urn(urn) => {
                let is_temporary =
                    matches!(&base.proof, Proof::Keys(keys) if keys.security_token.is_some());
                let most = if is_temporary { MOST_FOR_TEMPORARY } else { u64::MAX };
                let body = json!({
                    "agency_urn": urn,
                    "agency_session_name": SESSION,
                    "duration_seconds": seconds.min(most),
                });
                Exchange::new(Operation::Assume, sts, "/v5/agencies/assume", &body, credentials)
            }
            AgencyName::OfDomain { agency, domain } => {
                let body = json!({ "auth": { "identity": {
                    "methods": ["assume_role"],
                    "assume_role": {
                        "agency_name": agency, "domain_name": domain, "duration_seconds": seconds
                    },
                }}});
                Exchange::new(Operation::SecurityTokens, iam, SECURITY_TOKENS, &body, credentials)
            }
        };
        self.ask_for_keys(Exchange { auth: Some(base), ..exchange }, effort).await
    }

    /// Asks the pod identity agent of CCE for the keys of its agency.
    pub(super) async fn keys_of_pod(&self, pod: &PodIdentity) -> Result<Issued, CloudError> {
        let request = PlatformRequest {
            operation: Operation::PodIdentity,
            method: "POST",
            url: &pod.url,
            headers: &[("content-type", "application/json"), ("authorization", pod.token.expose())],
            body: "{}",
            timeout: AGENT_TIMEOUT,
        };
        let transport = &self.common.transport;
        match transport.ask_platform(&self.settings.name, request).await? {
            PlatformAnswer { status: 200, body, seconds_ahead } => {
                let body = body.expose().as_bytes();
                let issued = Issued::keys(body, transport.clock(), seconds_ahead)?;
                Ok(Issued { is_of_pod: true, ..issued })
            }
            answer => Err(answer.refusal("the pod identity agent", &pod.token)),
        }
    }
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
