//! An assumed agency: the keys of one identity ask for those of an agency.

use serde_json::{Value, json};

use super::{
    Auth, Proof,
    issued::Issued,
    issuer::{Exchange, Issuer},
    oidc::SESSION,
};
use crate::{
    cloud::CloudError,
    huawei::{
        credentials::{Agency, AgencyName},
        effort::Effort,
        operation::Operation,
    },
};

/// STS gives no longer life to keys that temporary keys ask for.
const MOST_FOR_TEMPORARY: u64 = 60 * 60;

/// Asks STS ("AssumeAgency") or IAM ("Obtaining a Temporary Access Key and Security Token of an Agency").
pub(super) async fn issue(
    issuer: &Issuer,
    base: &Auth,
    Agency { name, duration }: &Agency,
    effort: &mut Effort,
) -> Result<Issued, CloudError> {
    let is_temporary = matches!(&base.proof, Proof::Keys(keys) if keys.security_token.is_some());
    let most = if is_temporary { MOST_FOR_TEMPORARY } else { u64::MAX };
    let endpoints = &issuer.settings.endpoints;
    let (operation, host, path, body) = match name {
        AgencyName::Urn(urn) => {
            let body = json!({
                "agency_urn": urn,
                "agency_session_name": SESSION,
                "duration_seconds": duration.as_secs().min(most),
            });
            (Operation::Assume, &endpoints.sts, "/v5/agencies/assume", body)
        }
        AgencyName::OfDomain { agency, domain } => {
            let path = "/v3.0/OS-CREDENTIAL/securitytokens";
            let body = by_name(agency, domain, duration.as_secs());
            (Operation::SecurityTokens, &endpoints.iam, path, body)
        }
    };
    let exchange = Exchange {
        auth: Some(base),
        ..Exchange::new(operation, host, path, &body, base.credentials)
    };
    issuer.ask_for_keys(exchange, effort).await
}

fn by_name(agency: &str, domain: &str, seconds: u64) -> Value {
    let assume_role =
        json!({ "agency_name": agency, "domain_name": domain, "duration_seconds": seconds });
    let identity = json!({ "methods": ["assume_role"], "assume_role": assume_role });
    json!({ "auth": { "identity": identity } })
}
