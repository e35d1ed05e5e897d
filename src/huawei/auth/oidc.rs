//! OIDC: STS gives keys of an agency for the token of an OIDC provider.

use serde_json::json;

use super::{
    issued::Issued,
    issuer::{Exchange, Issuer},
};
use crate::{
    cloud::CloudError,
    huawei::{credentials::Oidc, effort::Effort, key_guard::Credentials, operation::Operation},
};

/// As the official SDK for Python asks for.
const SECONDS: u32 = 60 * 60;
/// The name of the session in the cloud's own logs (CTS).
pub(super) const SESSION: &str = "css-vpcep-exporter";

/// Asks STS for keys ("AssumeAgencyWithOIDC").
pub(super) async fn issue(
    issuer: &Issuer,
    Oidc { provider_urn, agency_urn, id_token }: &Oidc,
    credentials: Credentials,
    effort: &mut Effort,
) -> Result<Issued, CloudError> {
    let sts = &issuer.settings.endpoints.sts;
    let body = json!({
        "provider_urn": provider_urn,
        "agency_urn": agency_urn,
        "agency_session_name": SESSION,
        "id_token": id_token.expose(),
        "duration_seconds": SECONDS,
    });
    let path = "/v5/agencies/assume-with-oidc";
    let exchange = Exchange {
        hidden: Some(id_token),
        ..Exchange::new(Operation::AssumeWithOidc, sts, path, &body, credentials)
    };
    issuer.ask_for_keys(exchange, effort).await
}
