//! The configuration file as it is written: names and nesting, no meaning.
//!
//! A key that is written without a value (`poll:` with everything below it commented out) is as good
//! as absent.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::{
    Error, UserMessageFormatter,
    budget::BudgetBreach,
    options::{MergeKeyPolicy, NonFiniteFloatPolicy, Options},
};

use crate::secret::Secret;

/// The file's own nesting is 7 deep.
const DEEPEST: usize = 16;
/// A cluster takes 7 nodes; this is as much as the largest file can hold.
const MOST_NODES: usize = 2_000_000;

/// Reads the YAML.
///
/// # Errors
/// The first mistake of shape, as `line:column: what`. No value of the file is in it.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let place = error.location().map(|at| format!("{}:{}: ", at.line(), at.column()));
        format!("{}{}", place.unwrap_or_else(|| " ".into()), plain_message(&error))
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        // A snippet of the file in the message could show a secret.
        with_snippet: false,
        emit_comments: false,
        strict_booleans: true,
        merge_keys: MergeKeyPolicy::Error,
        // The checks of values refuse these, and say what is expected.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_nodes: MOST_NODES,
            max_events: 2 * MOST_NODES,
            // A file that repeats itself by reference cannot be read from top to bottom, and can
            // be made to grow without bound.
            max_anchors: 0,
            max_aliases: 0,
        },
    }
}

fn plain_message(error: &Error) -> String {
    let error = error.without_snippet();
    match error {
        Error::Budget {
            breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. },
            ..
        }
        | Error::UnknownAnchor { .. } => {
            return "anchors and aliases are not supported; write the value out".into();
        }
        Error::MergeKeyNotAllowed { .. } => {
            return "merge keys (<<) are not supported; write the values out".into();
        }
        Error::InvalidBooleanStrict { .. } => return "expected true or false".into(),
        Error::MultipleDocuments { .. } => return "expected one document, found another".into(),
        _ => {}
    }
    let message = error.render_with_formatter(&UserMessageFormatter);
    let line = message.lines().next().unwrap_or_default();
    // The place comes first, as compilers write it.
    let line = line.rsplit_once(" at line ").map_or(line, |(what, _)| what);
    match line {
        "expected mapping start" => "expected a mapping (key: value)".into(),
        "expected sequence start" => "expected a list (- item)".into(),
        "expected string scalar" => "expected a text".into(),
        "invalid u32" => format!("expected a whole number, 0 to {}", u32::MAX),
        "invalid floating point" => "expected a number".into(),
        // What was found could be a secret that is in the wrong place.
        line if line.starts_with("invalid type: ") || line.starts_with("invalid value: ") => line
            .rsplit_once(", expected ")
            .map_or_else(String::new, |(_, what)| format!("expected {what}")),
        line => line.to_owned(),
    }
}

/// What is written, or the default where nothing is.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) poll: Poll,
    pub(super) state_file: Option<String>,
    pub(super) shard: Option<Shard>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) projects: Vec<Project>,
    pub(super) admin: Option<Admin>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Poll {
    pub(super) interval: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) concurrency: Option<u32>,
    pub(super) stale_after: Option<String>,
    pub(super) per_connection: Option<bool>,
    pub(super) per_connection_limit: Option<u32>,
}

/// `index` and `count`, or `from` and `count`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    pub(super) index: Option<u32>,
    pub(super) from: Option<String>,
    pub(super) count: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) project_id: Option<String>,
    pub(super) credentials: Option<Credentials>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) api_endpoints: ApiEndpoints,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) rate_limit: RateLimits,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) paging: Paging,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) clusters: Vec<Cluster>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) endpoint_services: Vec<EndpointService>,
}

/// The word `chain`, or exactly one kind by its name.
pub(super) enum Credentials {
    Word(String),
    Kinds(Box<CredentialKinds>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialKinds {
    #[serde(rename = "static")]
    pub(super) fixed: Option<StaticKeys>,
    pub(super) environment: Option<Nothing>,
    pub(super) profile: Option<Profile>,
    pub(super) password: Option<Password>,
    pub(super) token: Option<TokenFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticKeys {
    pub(super) access_key: String,
    #[serde(default, deserialize_with = "secret")]
    pub(super) secret_key: Option<Secret>,
    pub(super) secret_key_file: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    pub(super) security_token: Option<Secret>,
    pub(super) security_token_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) file: Option<String>,
    pub(super) section: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    pub(super) domain: String,
    pub(super) user: String,
    #[serde(default, deserialize_with = "secret")]
    pub(super) password: Option<Secret>,
    pub(super) password_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenFile {
    pub(super) file: String,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiEndpoints {
    pub(super) css: Option<String>,
    pub(super) vpcep: Option<String>,
    pub(super) iam: Option<String>,
}

impl ApiEndpoints {
    pub(super) fn is_empty(&self) -> bool {
        self.css.is_none() && self.vpcep.is_none() && self.iam.is_none()
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimits {
    pub(super) css: Option<RateLimit>,
    pub(super) vpcep: Option<RateLimit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    pub(super) requests_per_second: Option<f64>,
    pub(super) burst: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) parameter: Option<String>,
    pub(super) first: Option<u32>,
    pub(super) limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) interval: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointService {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: String,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) web_config_file: Option<String>,
    pub(super) audit_log: Option<String>,
    pub(super) allow_proxy_vni: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) tokens: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) role: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) services: Vec<String>,
}

// An untagged enum would lose the place of a mistake inside it.
impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CredentialsVisitor;

        impl<'de> Visitor<'de> for CredentialsVisitor {
            type Value = Credentials;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the word chain, or a mapping with one kind of credentials")
            }

            fn visit_str<E>(self, word: &str) -> Result<Self::Value, E> {
                Ok(Credentials::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                CredentialKinds::deserialize(MapAccessDeserializer::new(map))
                    .map(|kinds| Credentials::Kinds(Box::new(kinds)))
            }
        }

        deserializer.deserialize_any(CredentialsVisitor)
    }
}
