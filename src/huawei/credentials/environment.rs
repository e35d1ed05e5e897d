//! The environment variables that matter, and the credentials in them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    CredentialsError, Defaults, Identity, PodIdentity, place::Place, secret_text::read_token,
};
use crate::secret::Secret;

/// The names that the official SDK reads, then those of the API documents' sample code.
const KEY_VARIABLES: [(&str, &str, Option<&str>); 2] = [
    ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", Some("HUAWEICLOUD_SDK_SECURITY_TOKEN")),
    ("CLOUD_SDK_AK", "CLOUD_SDK_SK", None),
];
const IDP: &str = "HUAWEICLOUD_SDK_IDP_ID";
const ID_TOKEN_FILE: &str = "HUAWEICLOUD_SDK_ID_TOKEN_FILE";
const PROJECT_ID: &str = "HUAWEICLOUD_SDK_PROJECT_ID";
const DOMAIN_ID: &str = "HUAWEICLOUD_SDK_DOMAIN_ID";
const IAM_ENDPOINT: &str = "HUAWEICLOUD_SDK_IAM_ENDPOINT";
const STS_ENDPOINT: &str = "HUAWEICLOUD_SDK_STS_ENDPOINT";
/// The two that CCE puts into a pod which has a pod identity.
const POD_URL: &str = "HC_CONTAINER_CREDENTIALS_FULL_URI";
const POD_TOKEN_FILE: &str = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// The variable that names the official SDK's profile file, and the file below the home without it.
pub(super) const PROFILE_VARIABLE: &str = "HUAWEICLOUD_SDK_CREDENTIALS_FILE";
const PROFILE_DEFAULT: &str = ".huaweicloud/credentials";
const OTHERS: [&str; 16] = [
    IDP,
    ID_TOKEN_FILE,
    PROJECT_ID,
    DOMAIN_ID,
    IAM_ENDPOINT,
    STS_ENDPOINT,
    POD_URL,
    POD_TOKEN_FILE,
    PROFILE_VARIABLE,
    "HOME",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// The environment variables that matter here, as they were when the configuration was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<&'static str, Secret>);

impl Environment {
    /// Takes the variables that matter, read through `lookup`. An empty one is no variable.
    pub fn capture(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let keys = KEY_VARIABLES.into_iter();
        let names = keys.flat_map(|(access, secret, token)| [Some(access), Some(secret), token]);
        let names = names.flatten().chain(OTHERS);
        let value = |name: &'static str| Some((name, Secret::new(lookup(name)?)));
        Self(names.filter_map(value).filter(|(_, value)| !value.expose().is_empty()).collect())
    }

    /// The identity provider's token, else the keys.
    pub(super) fn identity(&self) -> Result<Identity, CredentialsError> {
        if let Some(identity) = self.id_token(IDP, ID_TOKEN_FILE)? {
            return Ok(identity);
        }
        for (access, secret, token) in KEY_VARIABLES {
            if let Some(keys) = self.keys(access, secret, token)? {
                return Ok(keys);
            }
        }
        let names = KEY_VARIABLES.map(|(access, secret, _)| format!("{access} and {secret}"));
        Err(CredentialsError::Absent(format!("neither {}", names.join(" nor "))))
    }

    /// The agent beside the pod, if the platform says that there is one.
    pub(super) fn pod_identity(&self) -> Result<PodIdentity, CredentialsError> {
        match (self.get(POD_URL), self.get(POD_TOKEN_FILE)) {
            (Some(url), Some(file)) => {
                Ok(PodIdentity { url: url.to_owned(), token: read_token(Path::new(file))? })
            }
            _ => {
                let why = format!("no {POD_URL} with {POD_TOKEN_FILE}");
                Err(CredentialsError::Absent(why))
            }
        }
    }

    /// The settings in it other than credentials.
    pub(super) fn defaults(&self) -> Defaults {
        Defaults {
            project_id: self.get(PROJECT_ID).map(str::to_owned),
            domain_id: self.get(DOMAIN_ID).map(str::to_owned),
            iam_endpoint: self.iam_endpoint(),
        }
    }

    /// The address of IAM, with any source of credentials.
    pub fn iam_endpoint(&self) -> Option<String> {
        self.get(IAM_ENDPOINT).map(str::to_owned)
    }

    /// The address of STS.
    pub fn sts_endpoint(&self) -> Option<String> {
        self.get(STS_ENDPOINT).map(str::to_owned)
    }

    /// A variable that programs know in upper and in lower case, such as `HTTPS_PROXY`.
    pub fn either_case(&self, upper: &str) -> Option<&Secret> {
        self.0.get(upper).or_else(|| self.0.get(&*upper.to_ascii_lowercase()))
    }

    /// The profile file that the official SDK would read.
    pub fn profile_file(&self) -> Option<PathBuf> {
        match (self.get(PROFILE_VARIABLE), self.get("HOME")) {
            (Some(file), _) => Some(file.into()),
            (None, Some(home)) => Some(Path::new(home).join(PROFILE_DEFAULT)),
            (None, None) => None,
        }
    }

    /// A path that may begin with `~/`.
    pub fn expand_home(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.get("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.into(),
        }
    }
}

impl Place for Environment {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }

    fn half(&self, has: &str, lacks: &str) -> String {
        format!("{has} without {lacks}")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Keys, *};

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Environment::capture(&|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    fn keys(environment: &Environment) -> Result<Keys, CredentialsError> {
        environment.identity().map(|identity| match identity {
            Identity::Keys(keys) => keys,
            other => panic!("{other:?}"),
        })
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
        let found = keys(&all).unwrap();
        assert_eq!((found.access_key.as_str(), found.secret_key.expose()), ("sdk", "sdk-secret"));
        assert_eq!(found.security_token.as_ref().map(Secret::expose), Some("token"));
        assert!(!format!("{found:?} {all:?}").contains("sdk-secret"));
        let documents = environment(&[("CLOUD_SDK_AK", "doc"), ("CLOUD_SDK_SK", "s")]);
        assert_eq!(keys(&documents).unwrap().access_key, "doc");
    }

    #[test]
    fn nothing_is_absent_and_half_a_pair_is_broken() {
        let empty = environment(&[("HUAWEICLOUD_SDK_AK", ""), ("HUAWEICLOUD_SDK_SK", "")]);
        assert!(matches!(keys(&empty), Err(CredentialsError::Absent(_))));
        let half = keys(&environment(&[("HUAWEICLOUD_SDK_AK", "canary")])).unwrap_err();
        let text = "HUAWEICLOUD_SDK_AK without HUAWEICLOUD_SDK_SK";
        assert_eq!(half, CredentialsError::Broken(text.into()));
        let line = keys(&environment(&[("CLOUD_SDK_AK", "a"), ("CLOUD_SDK_SK", "canary\n")]));
        assert!(matches!(&line, Err(CredentialsError::Broken(text)) if !text.contains("canary")));
    }
}
