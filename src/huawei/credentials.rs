//! Credentials and their sources.
//!
//! A [`Source`] is configured; [`Source::resolve`] reads it, and reads it again when the cloud refuses
//! the credentials. It makes no calls: an [`Identity`] may still have to be exchanged for keys. In a chain, a
//! source that is not configured hands on to the next one; a source that is configured but broken stops
//! the chain with its mistake.

mod checks;
mod environment;
mod place;
mod profile;
mod secret_text;
mod source;

use std::{fmt, time::Duration};

pub use self::{
    checks::check_printable, environment::Environment, profile::PROFILE_SECTION,
    secret_text::SecretText, source::Source,
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
    /// The ECS metadata service gives keys of the server's agency.
    Metadata,
    /// The pod identity agent of CCE gives keys.
    PodIdentity(PodIdentity),
    /// IAM gives keys for the token of an identity provider.
    IdToken(IdToken),
    /// STS gives keys for the token of an OIDC provider.
    Oidc(Oidc),
    /// The end of a chain: the metadata service, then pod identity; the first that is there.
    Platform {
        /// The attempts before, for the error if there is nothing here either.
        tried: String,
        /// Pod identity, or why there is none. It is broken only if the metadata service is not there.
        pod: Result<PodIdentity, CredentialsError>,
    },
    /// Keys of an agency, given to those of another identity.
    Assumed {
        /// The identity that asks.
        base: Box<Identity>,
        /// The agency.
        agency: Agency,
    },
}

/// The agent that CCE runs beside a pod.
#[derive(Clone, PartialEq, Eq)]
pub struct PodIdentity {
    /// Its address, as the platform put it into the environment.
    pub url: String,
    /// The token of the pod.
    pub token: Secret,
}

/// The token of an identity provider that IAM knows ("Obtaining a Token with an OpenID Connect ID Token").
#[derive(Clone, PartialEq, Eq)]
pub struct IdToken {
    /// The id of the identity provider.
    pub idp_id: String,
    /// Its token.
    pub id_token: Secret,
}

/// The token of an OIDC provider that STS knows.
#[derive(Clone, PartialEq, Eq)]
pub struct Oidc {
    /// The provider.
    pub provider_urn: String,
    /// The agency whose keys are wanted.
    pub agency_urn: String,
    /// The provider's token.
    pub id_token: Secret,
}

/// An agency to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Its name.
    pub name: AgencyName,
    /// The life of its keys.
    pub duration: Duration,
}

/// The name of an agency decides which API gives its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgencyName {
    /// STS, by `iam::<account id>:agency:<name>`.
    Urn(String),
    /// IAM, by its name and the name of the account that delegates.
    OfDomain {
        /// The agency's name.
        agency: String,
        /// The account's name.
        domain: String,
    },
}

/// The settings of an environment or a profile other than credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The project's id.
    pub project_id: Option<String>,
    /// The account's id.
    pub domain_id: Option<String>,
    /// The address of IAM.
    pub iam_endpoint: Option<String>,
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
        f.write_str("Identity")
    }
}
