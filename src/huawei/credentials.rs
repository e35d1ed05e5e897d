//! Who calls: access keys, and where they come from.

use std::fmt;

use crate::secret::Secret;

/// An access key with its secret, permanent or temporary.
#[derive(Clone)]
pub struct Keys {
    /// The access key id. It is no secret, but names an account, so it stays out of `Debug`.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: Secret,
    /// Present with temporary keys.
    pub security_token: Option<Secret>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// The names that the official SDK reads, then those of the API documents' sample code.
const ENVIRONMENT: [(&str, &str, Option<&str>); 2] = [
    ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", Some("HUAWEICLOUD_SDK_SECURITY_TOKEN")),
    ("CLOUD_SDK_AK", "CLOUD_SDK_SK", None),
];

/// Takes keys from environment variables, read through `lookup`. `None` where there are none.
///
/// # Errors
/// Half a pair of keys is a mistake, not an absence; the text names the variables only.
pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Keys>, String> {
    let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
    for (access_key, secret_key, security_token) in ENVIRONMENT {
        match (lookup(access_key), lookup(secret_key)) {
            (Some(access), Some(secret)) => {
                return Ok(Some(Keys {
                    access_key: access,
                    secret_key: Secret::new(secret),
                    security_token: security_token.and_then(lookup).map(Secret::new),
                }));
            }
            (Some(_), None) => return Err(format!("{access_key} is set, but {secret_key} is not")),
            (None, Some(_)) => return Err(format!("{secret_key} is set, but {access_key} is not")),
            (None, None) => {}
        }
    }
    Ok(None)
}

/// The environment variables that [`from_environment`] looks for, for messages.
pub fn environment_names() -> String {
    ENVIRONMENT.map(|(access, secret, _)| format!("{access} and {secret}")).join(", or ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Option<Keys>, String> {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        from_environment(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_sdk_names_come_before_those_of_the_documents() {
        let keys = from(&[
            ("CLOUD_SDK_AK", "doc"),
            ("CLOUD_SDK_SK", "doc-secret"),
            ("HUAWEICLOUD_SDK_AK", "sdk"),
            ("HUAWEICLOUD_SDK_SK", "sdk-secret"),
            ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "token"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!((keys.access_key.as_str(), keys.secret_key.expose()), ("sdk", "sdk-secret"));
        assert_eq!(keys.security_token.as_ref().map(Secret::expose), Some("token"));
        assert_eq!(format!("{keys:?}"), "Keys { .. }");

        let keys = from(&[("CLOUD_SDK_AK", "doc"), ("CLOUD_SDK_SK", "s")]).unwrap().unwrap();
        assert_eq!(keys.access_key, "doc");
    }

    #[test]
    fn nothing_is_absent_and_half_a_pair_is_broken() {
        assert!(from(&[]).unwrap().is_none());
        assert!(from(&[("HUAWEICLOUD_SDK_AK", ""), ("HUAWEICLOUD_SDK_SK", "")]).unwrap().is_none());
        let error = from(&[("HUAWEICLOUD_SDK_AK", "canary")]).unwrap_err();
        assert_eq!(error, "HUAWEICLOUD_SDK_AK is set, but HUAWEICLOUD_SDK_SK is not");
        assert!(from(&[("CLOUD_SDK_SK", "canary")]).unwrap_err().contains("CLOUD_SDK_AK is not"));
    }
}
