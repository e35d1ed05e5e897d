//! Credentials and their sources.
//!
//! A [`Source`] is configured; [`Source::resolve`] reads it, and reads it again when the cloud refuses
//! the credentials. In a chain, a source that is not configured hands on to the next one; a source
//! that is configured but broken stops the chain with its mistake.

mod profile;
mod secret_text;
mod source;

use std::fmt;

pub use self::{
    secret_text::SecretText,
    source::{Environment, PROFILE_SECTION, Source, check_printable},
};

use crate::secret::Secret;

/// An access key with its secret, permanent or temporary.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key id. It is no secret, but names an account, so it stays out of `Debug`.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: Secret,
    /// Present with temporary keys.
    pub security_token: Option<Secret>,
}

/// The credentials that a source gives.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// Requests are signed.
    Keys(Keys),
    /// Requests carry this as `X-Auth-Token`.
    Token(Secret),
    /// IAM gives a token for these (IAM API Reference, "Obtaining a User Token Through Password
    /// Authentication").
    Password(Login),
}

/// An IAM user with a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The account's name.
    pub domain: String,
    /// The IAM user's name.
    pub user: String,
    /// The IAM user's password.
    pub password: Secret,
}

/// The reason why there are no credentials. The text has names of variables and files, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// Nothing is configured at this place.
    Absent(String),
    /// Something is configured, and it is wrong.
    Broken(String),
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CredentialsError {}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys(_) => "Identity::Keys",
            Self::Token(_) => "Identity::Token",
            Self::Password(_) => "Identity::Password",
        })
    }
}
