//! The proof of the sender of a request, and its providers.
//!
//! `issued` is the result of every provider, `account` finds the account that it belongs to, `life` decides
//! when it is renewed. `issuer` asks IAM and STS, `exchanges` has the questions, and `metadata` is the service
//! that is asked on a server. `provider` finds the provider of an identity, `keeper` keeps a project's
//! credentials in force.

mod account;
mod exchanges;
mod issued;
mod issuer;
mod keeper;
mod life;
mod metadata;
mod provider;

pub use self::{
    account::Account,
    metadata::{METADATA_URL, Metadata},
};
pub(super) use self::{issuer::tell, keeper::Keeper};

use super::{
    credentials::{AgencyName, IdToken, Identity, Keys, Login, Oidc},
    key_guard::{Credentials, Fingerprint},
};
use crate::secret::Secret;

/// A proof, and the credentials behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Auth {
    pub(super) proof: Proof,
    /// The same, as the guard knows it.
    pub(super) credentials: Credentials,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A signature.
    Keys(Keys),
    /// `X-Auth-Token`.
    Token(Secret),
}

impl Auth {
    pub(super) fn keys(keys: &Keys) -> Self {
        let access_key = Secret::new(keys.access_key.as_str());
        let mut parts = vec![&access_key, &keys.secret_key];
        parts.extend(&keys.security_token);
        let lockable = Fingerprint::of(&[&access_key]);
        let credentials = Credentials { whole: Fingerprint::of(&parts), lockable };
        Self { proof: Proof::Keys(keys.clone()), credentials }
    }

    pub(super) fn token(token: Secret) -> Self {
        let credentials = all_lockable(std::slice::from_ref(&token));
        Self { proof: Proof::Token(token), credentials }
    }
}

/// An identity, where it is exchanged for keys or a token.
fn whole(identity: &Identity) -> Credentials {
    all_lockable(&parts_of(identity))
}

/// The fresh result of an exchange, at a host that refuses it: the exchange went well, so this says
/// nothing about other hosts.
fn fresh_at(identity: &Identity, host: &str) -> Credentials {
    let mut parts = parts_of(identity);
    parts.push(host.into());
    all_lockable(&parts)
}

/// The texts that make an identity another one.
fn parts_of(identity: &Identity) -> Vec<Secret> {
    match identity {
        Identity::Keys(keys) => vec![keys.access_key.as_str().into(), keys.secret_key.clone()],
        Identity::Token(token) => vec![token.clone()],
        Identity::Password(Login { domain, user, password }) => {
            vec![domain.as_str().into(), user.as_str().into(), password.clone()]
        }
        Identity::Metadata | Identity::Platform { .. } => vec!["the platform".into()],
        Identity::PodIdentity(pod) => vec![pod.url.as_str().into(), pod.token.clone()],
        Identity::IdToken(IdToken { idp_id, id_token }) => {
            vec![idp_id.as_str().into(), id_token.clone()]
        }
        Identity::Oidc(Oidc { provider_urn, agency_urn, id_token }) => {
            vec![provider_urn.as_str().into(), agency_urn.as_str().into(), id_token.clone()]
        }
        Identity::Assumed { base, agency } => {
            let mut parts = parts_of(base);
            match &agency.name {
                AgencyName::Urn(urn) => parts.push(urn.as_str().into()),
                AgencyName::OfDomain { agency, domain } => {
                    parts.extend([agency.as_str().into(), domain.as_str().into()]);
                }
            }
            parts
        }
    }
}

fn all_lockable(parts: &[Secret]) -> Credentials {
    let whole = Fingerprint::of(&parts.iter().collect::<Vec<_>>());
    Credentials { whole, lockable: whole }
}
