//! The configuration file as it is written: names and nesting, no meaning.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::secret::Secret;

/// Reads the YAML.
///
/// # Errors
/// The first mistake of shape, as `line:column: what`.
pub(super) fn parse(text: &str) -> Result<File, String> {
    // A snippet of the file in the message could show a secret.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map(|at| format!("{}:{}: ", at.line(), at.column()));
        format!("{}{}", place.unwrap_or_else(|| " ".into()), first_line(&error.to_string()))
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) poll: Poll,
    #[serde(default)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) region: String,
    pub(super) project_id: String,
    pub(super) credentials: Option<Credentials>,
    #[serde(default)]
    pub(super) api_endpoints: ApiEndpoints,
    #[serde(default)]
    pub(super) rate_limit: RateLimits,
    #[serde(default)]
    pub(super) paging: Paging,
    #[serde(default)]
    pub(super) clusters: Vec<Cluster>,
}

/// The word `chain`, or exactly one kind by its name.
pub(super) enum Credentials {
    Word(String),
    Kinds(CredentialKinds),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialKinds {
    #[serde(rename = "static")]
    pub(super) fixed: Option<StaticKeys>,
    pub(super) environment: Option<Nothing>,
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
pub(super) struct Admin {
    pub(super) listen: String,
    pub(super) hosts: Option<Vec<String>>,
    #[serde(default)]
    pub(super) tokens: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) role: String,
    #[serde(default)]
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
                    .map(Credentials::Kinds)
            }
        }

        deserializer.deserialize_any(CredentialsVisitor)
    }
}
