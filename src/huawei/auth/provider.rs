//! The provider of each identity.

use super::{
    Auth,
    issued::{Issued, Lifetime},
    issuer::Issuer,
    metadata::NoKeys,
    whole,
};
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        credentials::{CredentialsError, Identity, PodIdentity},
        effort::Effort,
        settings::Common,
    },
};

/// Exchanges an identity for a proof.
pub(super) async fn issue(
    issuer: &Issuer,
    identity: &Identity,
    effort: &mut Effort,
) -> Result<Issued, CloudError> {
    let Identity::Assumed { base, agency } = identity else {
        return own(issuer, identity, effort).await;
    };
    let base = own(issuer, base, effort).await?;
    issuer.keys_of_agency(&base.auth, agency, effort).await.map_err(|error| {
        let message = format!("the agency is not assumed: {}", error.message);
        CloudError { message, ..error }
    })
}

/// The same for one that is not that of an agency.
async fn own(
    issuer: &Issuer,
    identity: &Identity,
    effort: &mut Effort,
) -> Result<Issued, CloudError> {
    let credentials = whole(identity);
    let permanent = |auth| Ok(Issued { auth, lifetime: Lifetime::Permanent, is_of_pod: false });
    match identity {
        Identity::Keys(keys) => permanent(Auth::keys(keys)),
        Identity::Token(token) => permanent(Auth::token(token.clone())),
        Identity::Password(login) => issuer.token_for_password(login, credentials, effort).await,
        Identity::IdToken(token) => issuer.keys_for_id_token(token, credentials, effort).await,
        Identity::Oidc(token) => issuer.keys_for_oidc(token, credentials, effort).await,
        Identity::PodIdentity(pod) => issuer.keys_of_pod(pod).await,
        Identity::Metadata => metadata(issuer).await.map_err(|no_keys| match no_keys {
            NoKeys::Absent(why) => none(&why),
            NoKeys::Failed(error) => error,
        }),
        Identity::Platform { tried, pod } => platform(issuer, tried, pod).await,
        // An agency that another one assumes has no form in the configuration.
        Identity::Assumed { .. } => {
            Err(CloudError::new(Reason::Internal, "an agency of an agency"))
        }
    }
}

async fn metadata(issuer: &Issuer) -> Result<Issued, NoKeys> {
    let Common { metadata, transport, .. } = &issuer.common;
    metadata.issue(transport, &issuer.settings.name).await
}

/// The end of a chain.
async fn platform(
    issuer: &Issuer,
    tried: &str,
    pod: &Result<PodIdentity, CredentialsError>,
) -> Result<Issued, CloudError> {
    let absent = match metadata(issuer).await {
        Ok(issued) => return Ok(issued),
        Err(NoKeys::Failed(error)) => return Err(error),
        Err(NoKeys::Absent(why)) => why,
    };
    match pod {
        Ok(pod) => issuer.keys_of_pod(pod).await,
        Err(CredentialsError::Absent(why)) => Err(none(&format!("{tried}; {absent}; {why}"))),
        Err(CredentialsError::Broken(why)) => Err(none(why)),
    }
}

/// There are no credentials.
pub(super) fn none(why: &str) -> CloudError {
    CloudError::new(Reason::Auth, format!("no credentials: {why}"))
}
