//! Reading credentials from where they are configured to be.

use std::{fmt, path::PathBuf};

use super::{
    Agency, CredentialsError, Defaults, Environment, IdToken, Identity, Keys, Login, Oidc,
    PROFILE_SECTION, SecretText,
    checks::{checked, checked_text},
    environment::PROFILE_VARIABLE,
    profile::Profile,
    secret_text::read_token,
};

const ENVIRONMENT: &str = "environment";
const PROFILE: &str = "profile";
const METADATA: &str = "metadata";

/// A source of credentials, as configured.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The environment, the profile file, the ECS metadata service, pod identity: the first that is there.
    Chain(Environment),
    /// Keys from the configuration.
    Static {
        /// The access key id.
        access_key: String,
        /// The secret access key.
        secret_key: SecretText,
        /// Present with temporary keys.
        security_token: Option<SecretText>,
    },
    /// An identity provider or keys from environment variables.
    Environment(Environment),
    /// An identity provider or keys from a profile file of the official SDK.
    Profile {
        /// The file.
        file: PathBuf,
        /// The section of the file.
        section: String,
    },
    /// A token that IAM gives for a user and a password.
    Password {
        /// The account's name.
        domain: String,
        /// The IAM user's name.
        user: String,
        /// The IAM user's password.
        password: SecretText,
    },
    /// A token that someone else keeps fresh in a file.
    Token(SecretText),
    /// Keys of the server's agency, from the ECS metadata service.
    Metadata,
    /// Keys from the pod identity agent that the environment names.
    PodIdentity(Environment),
    /// Keys that IAM gives for the token of an identity provider.
    IdentityProvider {
        /// The id of the identity provider.
        idp_id: String,
        /// The file that the platform keeps its token in.
        id_token_file: PathBuf,
    },
    /// Keys that STS gives for the token of an OIDC provider.
    Oidc {
        /// The provider.
        provider_urn: String,
        /// The agency whose keys are wanted.
        agency_urn: String,
        /// The file that the platform keeps the token in.
        token_file: PathBuf,
    },
    /// Keys of an agency, for which the credentials of another source ask.
    Assumed {
        /// The other source.
        base: Box<Source>,
        /// The agency.
        agency: Agency,
    },
}

/// Shows nothing of it: access keys and users name an account.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

impl Source {
    /// Reads the credentials as they are now. Files are read anew at each call.
    ///
    /// # Errors
    /// The part that is absent or broken; a chain lists every attempt.
    pub fn resolve(&self) -> Result<Identity, CredentialsError> {
        match self {
            Self::Chain(environment) => chain(environment).0,
            Self::Static { access_key, secret_key, security_token } => {
                let security_token = security_token.as_ref().map(SecretText::read).transpose()?;
                checked(Keys {
                    access_key: access_key.clone(),
                    secret_key: secret_key.read()?,
                    security_token,
                })
                .map(Identity::Keys)
            }
            Self::Environment(environment) => environment.identity(),
            Self::Profile { file, section } => Profile::read(file, section)?.identity(),
            Self::Password { domain, user, password } => Ok(Identity::Password(Login {
                domain: domain.clone(),
                user: user.clone(),
                password: password.read()?,
            })),
            Self::Token(token) => {
                let token = token.read()?;
                checked_text("a token", token.expose())?;
                Ok(Identity::Token(token))
            }
            Self::Metadata => Ok(Identity::Metadata),
            Self::PodIdentity(environment) => environment.pod_identity().map(Identity::PodIdentity),
            Self::IdentityProvider { idp_id, id_token_file } => Ok(Identity::IdToken(IdToken {
                idp_id: idp_id.clone(),
                id_token: read_token(id_token_file)?,
            })),
            Self::Oidc { provider_urn, agency_urn, token_file } => Ok(Identity::Oidc(Oidc {
                provider_urn: provider_urn.clone(),
                agency_urn: agency_urn.clone(),
                id_token: read_token(token_file)?,
            })),
            Self::Assumed { base, agency } => {
                Ok(Identity::Assumed { base: Box::new(base.resolve()?), agency: agency.clone() })
            }
        }
    }

    /// The kind of the source that has the credentials now, as the configuration names it, and why those
    /// before it in a chain have none. The end of a chain is `metadata`, although it may be pod identity.
    pub fn origin(&self) -> (&'static str, Vec<String>) {
        let kind = match self {
            Self::Chain(environment) => {
                let (_, kind, attempts) = chain(environment);
                return (kind, attempts);
            }
            Self::Assumed { base, .. } => return base.origin(),
            Self::Static { .. } => "static",
            Self::Environment(_) => ENVIRONMENT,
            Self::Profile { .. } => PROFILE,
            Self::Password { .. } => "password",
            Self::Token(_) => "token",
            Self::Metadata => METADATA,
            Self::PodIdentity(_) => "pod_identity",
            Self::IdentityProvider { .. } => "identity_provider",
            Self::Oidc { .. } => "oidc",
        };
        (kind, Vec::new())
    }

    /// The settings of the source other than credentials; for a chain, those of the first source that has any.
    pub fn defaults(&self) -> Defaults {
        let profile = |file, section: &str| {
            Profile::read(file, section).map(|profile| profile.defaults()).unwrap_or_default()
        };
        match self {
            Self::Chain(environment) => {
                match (environment.identity(), environment.profile_file()) {
                    (Err(CredentialsError::Absent(_)), Some(file)) => {
                        profile(&file, PROFILE_SECTION)
                    }
                    (Err(CredentialsError::Absent(_)), None) => Defaults::default(),
                    _ => environment.defaults(),
                }
            }
            Self::Environment(environment) => environment.defaults(),
            Self::Profile { file, section } => profile(file, section),
            Self::Assumed { base, .. } => base.defaults(),
            _ => Defaults::default(),
        }
    }
}

/// The credentials of a chain, the kind of the source that has them, and why those before it have none.
fn chain(
    environment: &Environment,
) -> (Result<Identity, CredentialsError>, &'static str, Vec<String>) {
    let mut attempts = Vec::new();
    match environment.identity() {
        Err(CredentialsError::Absent(why)) => attempts.push(why),
        found => return (found, ENVIRONMENT, attempts),
    }
    match environment.profile_file() {
        Some(file) => {
            match Profile::read(&file, PROFILE_SECTION).and_then(|profile| profile.identity()) {
                Err(CredentialsError::Absent(why)) => attempts.push(why),
                found => return (found, PROFILE, attempts),
            }
        }
        None => attempts.push(format!("neither {PROFILE_VARIABLE} nor HOME is set")),
    }
    let (tried, pod) = (attempts.join("; "), environment.pod_identity());
    (Ok(Identity::Platform { tried, pod }), METADATA, attempts)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::secret_text::tests::Home, *};

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Environment::capture(&|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    fn access_key(source: &Source) -> String {
        match source.resolve() {
            Ok(Identity::Keys(keys)) => keys.access_key,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_chain_goes_on_past_what_is_absent_and_stops_at_what_is_broken() {
        let home = Home::new("chain");
        let path = home.0.to_str().unwrap().to_owned();
        let only_home = Source::Chain(environment(&[("HOME", &path)]));
        let Ok(Identity::Platform { tried, pod: Err(_) }) = only_home.resolve() else {
            panic!("the metadata service comes next")
        };
        assert!(tried.contains("neither HUAWEICLOUD_SDK_AK") && tried.contains(".huaweicloud"));

        home.write(".huaweicloud/credentials", "[basic]\nak = file\nsk = s\n", 0o600);
        assert_eq!(access_key(&only_home), "file");
        let both = environment(&[("HOME", &path), ("CLOUD_SDK_AK", "env"), ("CLOUD_SDK_SK", "s")]);
        assert_eq!(access_key(&Source::Chain(both)), "env");
        let broken = environment(&[("HOME", &path), ("CLOUD_SDK_AK", "env")]);
        let error = Source::Chain(broken).resolve().unwrap_err();
        assert!(matches!(error, CredentialsError::Broken(_)), "the file must not hide it");

        home.write(".huaweicloud/credentials", "[basic]\nak = file\n", 0o600);
        assert!(matches!(only_home.resolve(), Err(CredentialsError::Broken(_))));
    }

    #[test]
    fn files_are_read_anew_at_each_call() {
        let home = Home::new("anew");
        let secret_key = SecretText::File(home.write("sk", "one", 0o600));
        let source = Source::Static { access_key: "AK".into(), secret_key, security_token: None };
        let secret = |source: &Source| match source.resolve() {
            Ok(Identity::Keys(keys)) => keys.secret_key.expose().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(secret(&source), "one");
        home.write("sk", "two", 0o600);
        assert_eq!(secret(&source), "two");
    }
}
