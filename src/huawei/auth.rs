//! The proof of who sends a request.

use super::{
    credentials::{Keys, Login},
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
        let credentials = all_lockable(&[&token]);
        Self { proof: Proof::Token(token), credentials }
    }
}

/// The credentials of a login at IAM.
pub(super) fn login(login: &Login) -> Credentials {
    tokens_of(login, "")
}

/// The tokens of a login at a host that refuses them fresh from IAM: IAM took the password, so this
/// says nothing of it at other hosts.
pub(super) fn tokens_of(Login { domain, user, password }: &Login, host: &str) -> Credentials {
    all_lockable(&[&domain.as_str().into(), &user.as_str().into(), password, &host.into()])
}

fn all_lockable(parts: &[&Secret]) -> Credentials {
    let whole = Fingerprint::of(parts);
    Credentials { whole, lockable: whole }
}
