//! The owner of credentials, in words for a person who checks a configuration: never a secret.

use jiff::Timestamp;

use super::{
    Proof,
    issued::{Issued, Lifetime},
};
use crate::{
    huawei::credentials::{AgencyName, Identity},
    text::shown,
};

/// So much of an access key's id is shown at its beginning and at its end, …
const SHOWN_OF_KEY: usize = 4;
/// … if that is at most half of it.
const LONG_KEY: usize = 4 * SHOWN_OF_KEY;
/// Names and addresses of the configuration and the environment are not longer than this.
const LONGEST_NAME: usize = 300;

/// The owner of the credentials in force, and their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name: the access key's id, shortened, and the user, agency or provider, if there is one.
    pub name: String,
    /// The end of the credentials; `None`: there is none, or it cannot be known.
    pub expires: Option<Timestamp>,
    /// At the end of a chain: pod identity gave them, not the metadata service.
    pub is_of_pod: bool,
}

impl Account {
    pub(super) fn of(identity: &Identity, issued: &Issued) -> Self {
        let expires = match issued.lifetime {
            Lifetime::Until { end, .. } => Some(end),
            Lifetime::Permanent | Lifetime::Unreadable => None,
        };
        let proof = match &issued.auth.proof {
            Proof::Keys(keys) => format!("access key {}", shortened(&keys.access_key)),
            Proof::Token(_) => "a token".to_owned(),
        };
        let owner = owner(identity, issued.is_of_pod);
        let name = match owner {
            Some(owner) => format!("{}, {proof}", shown(&owner, LONGEST_NAME)),
            None => proof,
        };
        Self { name, expires, is_of_pod: issued.is_of_pod }
    }
}

/// The name that the configuration or the platform gives the owner, if any.
fn owner(identity: &Identity, is_of_pod: bool) -> Option<String> {
    Some(match identity {
        Identity::Keys(_) | Identity::Token(_) | Identity::Metadata => return None,
        Identity::Platform { pod: Ok(pod), .. } if is_of_pod => format!("the agent at {}", pod.url),
        Identity::Platform { .. } => return None,
        Identity::Password(login) => format!("user {} of {}", login.user, login.domain),
        Identity::PodIdentity(pod) => format!("the agent at {}", pod.url),
        Identity::IdToken(token) => format!("identity provider {}", token.idp_id),
        Identity::Oidc(token) => format!("agency {}", token.agency_urn),
        Identity::Assumed { agency, .. } => match &agency.name {
            AgencyName::Urn(urn) => format!("agency {urn}"),
            AgencyName::OfDomain { agency, domain } => format!("agency {agency} of {domain}"),
        },
    })
}

/// Enough of an access key's id to recognize it among others.
fn shortened(access_key: &str) -> String {
    let characters: Vec<_> = access_key.chars().collect();
    if characters.len() < LONG_KEY {
        return "…".to_owned();
    }
    let (first, last) =
        (&characters[..SHOWN_OF_KEY], &characters[characters.len() - SHOWN_OF_KEY..]);
    first.iter().chain(&['…']).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::{
        auth::Auth,
        credentials::{Agency, IdToken, Keys, Login, PodIdentity},
    };

    fn named(identity: &Identity, auth: Auth) -> String {
        let issued = Issued { auth, lifetime: Lifetime::Permanent, is_of_pod: false };
        Account::of(identity, &issued).name
    }

    #[test]
    fn an_owner_is_named_without_a_secret() {
        let keys = Keys {
            access_key: "HPUAABCDEFGHIJKLWXYZ".into(),
            secret_key: "CANARY".into(),
            security_token: Some("CANARY".into()),
        };
        let short = Keys { access_key: "SHORT".into(), ..keys.clone() };
        let login =
            Login { domain: "acme".into(), user: "exporter".into(), password: "CANARY".into() };
        let pod = PodIdentity { url: "http://127.0.0.1:1/keys".into(), token: "CANARY".into() };
        let agency = |name| Agency { name, duration: std::time::Duration::from_secs(3600) };
        let assumed =
            |name| Identity::Assumed { base: Box::new(Identity::Metadata), agency: agency(name) };
        let of_domain = AgencyName::OfDomain { agency: "reader".into(), domain: "acme".into() };
        let id_token = IdToken { idp_id: "idp".into(), id_token: "CANARY".into() };
        let of_keys = "access key HPUA…WXYZ";
        let cases = [
            (Identity::Keys(keys.clone()), of_keys.to_owned()),
            (Identity::Metadata, of_keys.to_owned()),
            (
                Identity::PodIdentity(pod),
                format!("the agent at http://127.0.0.1:1/keys, {of_keys}"),
            ),
            (Identity::IdToken(id_token), format!("identity provider idp, {of_keys}")),
            (assumed(AgencyName::Urn("urn".into())), format!("agency urn, {of_keys}")),
            (assumed(of_domain), format!("agency reader of acme, {of_keys}")),
        ];
        for (identity, expected) in cases {
            assert_eq!(named(&identity, Auth::keys(&keys)), expected);
        }
        assert_eq!(named(&Identity::Keys(short.clone()), Auth::keys(&short)), "access key …");
        let token = Auth::token("CANARY".into());
        assert_eq!(named(&Identity::Password(login), token), "user exporter of acme, a token");
    }
}
