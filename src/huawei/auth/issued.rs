//! The result of a provider: a proof, and its lifetime.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Auth;
use crate::{
    clock::Clock,
    cloud::{CloudError, Reason},
    huawei::credentials::{Keys, check_printable},
    secret::Secret,
};

/// A proof of the sender of a request, fresh from its provider.
#[derive(Clone, Debug)]
pub(in crate::huawei) struct Issued {
    pub(super) auth: Auth,
    pub(super) lifetime: Lifetime,
    /// The pod identity agent gave it, which the end of a chain does not tell.
    pub(super) is_of_pod: bool,
}

/// The lifetime of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// It has no end that is known before it comes.
    Permanent,
    /// It ends.
    Until {
        /// By the cloud's clock.
        end: Timestamp,
        /// The time until then.
        left: Duration,
    },
    /// It ends at a time that could not be read.
    Unreadable,
}

/// The answers of all APIs that give temporary keys: IAM and the metadata service, STS, and the pod identity
/// agent have each a spelling of their own.
#[derive(Deserialize)]
struct Body {
    #[serde(alias = "credential")]
    credentials: Fields,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(alias = "access", alias = "accessKeyId")]
    access_key_id: String,
    #[serde(alias = "secret", alias = "secretAccessKey")]
    secret_access_key: Secret,
    #[serde(alias = "securitytoken", alias = "securityToken")]
    security_token: Secret,
    #[serde(default, alias = "expires_at")]
    expiration: serde_json::Value,
}

impl Issued {
    /// The temporary keys in an answer. The clock of the one who answered is so many seconds ahead of ours.
    pub(super) fn keys(body: &[u8], ours: &Clock, seconds_ahead: f64) -> Result<Self, CloudError> {
        let ahead = SignedDuration::try_from_secs_f64(seconds_ahead).unwrap_or_default();
        let now = ours.now();
        let now = now.checked_add(ahead).unwrap_or(now);
        let bad = |what| CloudError::new(Reason::BadShape, format!("the answer has {what}"));
        let Body { credentials } =
            serde_json::from_slice(body).map_err(|_| bad("no temporary keys"))?;
        let Fields { access_key_id, secret_access_key, security_token, expiration } = credentials;
        for text in [&*access_key_id, secret_access_key.expose(), security_token.expose()] {
            check_printable(text).map_err(|_| bad("keys with characters that no key has"))?;
        }
        let keys = Keys {
            access_key: access_key_id,
            secret_key: secret_access_key,
            security_token: Some(security_token),
        };
        let end = expiration.as_str().and_then(|text| text.parse().ok());
        let lifetime = end.map_or(Lifetime::Unreadable, |end: Timestamp| Lifetime::Until {
            end,
            left: Duration::try_from(end.duration_since(now)).unwrap_or_default(),
        });
        Ok(Self { auth: Auth::keys(&keys), lifetime, is_of_pod: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::auth::Proof;

    const SHAPES: [&str; 3] = [
        r#"{"credential":{"access":"AK","secret":"SK","securitytoken":"T","expires_at":END}}"#,
        r#"{"assumed_agency":{"urn":"u","id":"i"},"credentials":{"access_key_id":"AK",
            "secret_access_key":"SK","security_token":"T","expiration":END}}"#,
        r#"{"audience":"service.cce.pods","credentials":{"accessKeyId":"AK",
            "secretAccessKey":"SK","securityToken":"T","expiration":END},"subject":{}}"#,
    ];

    #[test]
    fn keys_are_read_in_the_spelling_of_every_api() {
        let clock = Clock::manual("2020-01-08T03:00:00Z".parse().unwrap());
        let ends = [
            (r#""2020-01-08T03:50:07.574000Z""#, Some(3_007)),
            (r#""2020-01-08T03:50:07Z""#, Some(3_007)),
            (r#""2020-01-08T02:00:00Z""#, Some(0)),
            (r#""soon""#, None),
            ("7", None),
            ("null", None),
        ];
        for shape in SHAPES {
            for (end, expected) in ends {
                let Issued { auth, lifetime, .. } =
                    Issued::keys(shape.replace("END", end).as_bytes(), &clock, 0.0).unwrap();
                let Proof::Keys(keys) = auth.proof else { panic!("keys are expected") };
                assert_eq!((&*keys.access_key, keys.secret_key.expose()), ("AK", "SK"));
                assert_eq!(keys.security_token.as_ref().map(Secret::expose), Some("T"));
                let left = match lifetime {
                    Lifetime::Until { left, .. } => Some(left.as_secs()),
                    _ => None,
                };
                assert_eq!(left, expected, "{end}");
            }
        }
    }

    #[test]
    fn an_answer_without_whole_keys_is_no_answer_and_is_not_shown() {
        let canaries = [
            r#"{"credential":{"access":"CANARY","secret":"CANARY"}}"#,
            r#"{"credential":{"access":"CANARY","secret":"","securitytoken":"CANARY"}}"#,
            r#"{"credential":{"access":"CANARY\n","secret":"CANARY","securitytoken":"CANARY"}}"#,
            r#"{"credential":null,"CANARY":1}"#,
            "CANARY",
        ];
        for body in canaries {
            let error = Issued::keys(body.as_bytes(), &Clock::system(), 0.0).unwrap_err();
            assert_eq!(error.reason, Reason::BadShape, "{body}");
            assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
        }
    }
}
