//! Reading credentials from where they are configured to be.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{CredentialsError, Identity, Keys, Login, SecretText, profile};
use crate::secret::Secret;

/// The names that the official SDK reads, then those of the API documents' sample code.
const KEY_VARIABLES: [(&str, &str, Option<&str>); 2] = [
    ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", Some("HUAWEICLOUD_SDK_SECURITY_TOKEN")),
    ("CLOUD_SDK_AK", "CLOUD_SDK_SK", None),
];
/// The variable that names the official SDK's profile file, and the file below the home without it.
const PROFILE_VARIABLE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
const PROFILE_DEFAULT: &str = ".huaweicloud/credentials";
/// The section of the profile file that is for one region and project (the other is `global`).
pub const PROFILE_SECTION: &str = "basic";

/// A source of credentials, as configured.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// The environment, then the profile file: the first that is there.
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
    /// Keys from environment variables.
    Environment(Environment),
    /// Keys from a profile file of the official SDK.
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
    /// A token that somebody else keeps fresh in a file.
    Token(SecretText),
}

/// The environment variables that matter here, as they were when the configuration was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<&'static str, Secret>);

/// The kind only: access keys and users name an account.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain(_) => "Source::Chain",
            Self::Static { .. } => "Source::Static",
            Self::Environment(_) => "Source::Environment",
            Self::Profile { .. } => "Source::Profile",
            Self::Password { .. } => "Source::Password",
            Self::Token(_) => "Source::Token",
        })
    }
}

impl Environment {
    /// Takes the variables that matter, read through `lookup`. An empty one is no variable.
    pub fn capture(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let keys = KEY_VARIABLES.into_iter();
        let names = keys.flat_map(|(access, secret, token)| [Some(access), Some(secret), token]);
        let names = names.flatten().chain([PROFILE_VARIABLE, "HOME"]);
        let value = |name: &'static str| Some((name, Secret::new(lookup(name)?)));
        Self(names.filter_map(value).filter(|(_, value)| !value.expose().is_empty()).collect())
    }

    fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    fn keys(&self) -> Result<Keys, CredentialsError> {
        for (access_key, secret_key, security_token) in KEY_VARIABLES {
            let half =
                |set, missing| Err(CredentialsError::Broken(format!("{set} without {missing}")));
            match (self.get(access_key), self.get(secret_key)) {
                (Some(access), Some(secret)) => {
                    return checked(Keys {
                        access_key: access.expose().to_owned(),
                        secret_key: secret.clone(),
                        security_token: security_token.and_then(|name| self.get(name)).cloned(),
                    });
                }
                (Some(_), None) => return half(access_key, secret_key),
                (None, Some(_)) => return half(secret_key, access_key),
                (None, None) => {}
            }
        }
        let names = KEY_VARIABLES.map(|(access, secret, _)| format!("{access} and {secret}"));
        Err(CredentialsError::Absent(format!("neither {}", names.join(" nor "))))
    }

    /// The profile file that the official SDK would read.
    pub fn profile_file(&self) -> Option<PathBuf> {
        match (self.get(PROFILE_VARIABLE), self.get("HOME")) {
            (Some(file), _) => Some(file.expose().into()),
            (None, Some(home)) => Some(Path::new(home.expose()).join(PROFILE_DEFAULT)),
            (None, None) => None,
        }
    }

    /// A path that may begin with `~/`.
    pub fn expand_home(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home.expose()).join(rest),
            _ => path.into(),
        }
    }
}

impl Source {
    /// Reads the credentials as they are now. Files are read anew at each call.
    ///
    /// # Errors
    /// The part that is absent or broken; a chain lists every attempt.
    pub fn resolve(&self) -> Result<Identity, CredentialsError> {
        match self {
            Self::Chain(environment) => chain(environment),
            Self::Static { access_key, secret_key, security_token } => {
                let security_token = security_token.as_ref().map(SecretText::read).transpose()?;
                checked(Keys {
                    access_key: access_key.clone(),
                    secret_key: secret_key.read()?,
                    security_token,
                })
                .map(Identity::Keys)
            }
            Self::Environment(environment) => environment.keys().map(Identity::Keys),
            Self::Profile { file, section } => {
                profile::keys(file, section).and_then(checked).map(Identity::Keys)
            }
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
        }
    }
}

fn chain(environment: &Environment) -> Result<Identity, CredentialsError> {
    let mut attempts = Vec::new();
    match environment.keys() {
        Ok(keys) => return Ok(Identity::Keys(keys)),
        Err(CredentialsError::Absent(why)) => attempts.push(why),
        Err(broken) => return Err(broken),
    }
    match environment.profile_file() {
        Some(file) => match profile::keys(&file, PROFILE_SECTION).and_then(checked) {
            Ok(keys) => return Ok(Identity::Keys(keys)),
            Err(CredentialsError::Absent(why)) => attempts.push(why),
            Err(broken) => return Err(broken),
        },
        None => attempts.push(format!("neither {PROFILE_VARIABLE} nor HOME is set")),
    }
    Err(CredentialsError::Absent(attempts.join("; ")))
}

fn checked(keys: Keys) -> Result<Keys, CredentialsError> {
    checked_text("an access key", &keys.access_key)?;
    checked_text("a secret key", keys.secret_key.expose())?;
    if let Some(token) = &keys.security_token {
        checked_text("a security token", token.expose())?;
    }
    Ok(keys)
}

fn checked_text(what: &str, text: &str) -> Result<(), CredentialsError> {
    let broken = |found| CredentialsError::Broken(format!("{what} with {found}"));
    check_printable(text).map_err(broken)
}

/// Keys and tokens become header values, so they must be printable; a stray line break is the usual
/// mistake.
///
/// # Errors
/// The fault of the text, without the text itself.
pub fn check_printable(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("an empty text"),
        text if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err("characters that no key has"),
    }
}

#[cfg(test)]
mod tests {
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
    fn the_sdk_names_come_before_those_of_the_documents() {
        let all = environment(&[
            ("CLOUD_SDK_AK", "doc"),
            ("CLOUD_SDK_SK", "doc-secret"),
            ("HUAWEICLOUD_SDK_AK", "sdk"),
            ("HUAWEICLOUD_SDK_SK", "sdk-secret"),
            ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "token"),
        ]);
        let keys = all.keys().unwrap();
        assert_eq!((keys.access_key.as_str(), keys.secret_key.expose()), ("sdk", "sdk-secret"));
        assert_eq!(keys.security_token.as_ref().map(Secret::expose), Some("token"));
        assert!(!format!("{keys:?} {all:?}").contains("sdk-secret"));
        let documents = environment(&[("CLOUD_SDK_AK", "doc"), ("CLOUD_SDK_SK", "s")]);
        assert_eq!(documents.keys().unwrap().access_key, "doc");
    }

    #[test]
    fn nothing_is_absent_and_half_a_pair_is_broken() {
        let empty = environment(&[("HUAWEICLOUD_SDK_AK", ""), ("HUAWEICLOUD_SDK_SK", "")]);
        assert!(matches!(empty.keys(), Err(CredentialsError::Absent(_))));
        let half = environment(&[("HUAWEICLOUD_SDK_AK", "canary")]).keys().unwrap_err();
        let text = "HUAWEICLOUD_SDK_AK without HUAWEICLOUD_SDK_SK";
        assert_eq!(half, CredentialsError::Broken(text.into()));
        let line = environment(&[("CLOUD_SDK_AK", "a"), ("CLOUD_SDK_SK", "canary\n")]).keys();
        assert!(matches!(&line, Err(CredentialsError::Broken(text)) if !text.contains("canary")));
    }

    #[test]
    fn a_chain_goes_on_past_what_is_absent_and_stops_at_what_is_broken() {
        let home = Home::new("chain");
        let path = home.0.to_str().unwrap().to_owned();
        let only_home = Source::Chain(environment(&[("HOME", &path)]));
        let error = only_home.resolve().unwrap_err().to_string();
        assert!(error.contains("neither HUAWEICLOUD_SDK_AK") && error.contains(".huaweicloud"));

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
