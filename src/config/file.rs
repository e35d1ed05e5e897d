//! The configuration file as it is written: names and nesting, no meaning. Conversion fills in every
//! default, so that what is printed is the whole configuration in the form of the file.
//!
//! A key that is written without a value (`poll:` with everything below it commented out) counts as
//! unset.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::secret::Secret;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) poll: Option<Poll>,
    pub(super) state_file: Option<String>,
    pub(super) shard: Option<Shard>,
    pub(super) defaults: Option<Defaults>,
    pub(super) projects: Option<Vec<Project>>,
    pub(super) admin: Option<Admin>,
}

#[derive(Default, Deserialize, Serialize)]
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
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    pub(super) count: Option<u32>,
}

/// A project, and `defaults` for the keys that are named below.
macro_rules! project {
    ($($key:ident: $of:ty,)*) => {
        #[derive(Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Project {
            pub(super) name: String,
            pub(super) region: String,
            pub(super) project_id: Option<String>,
            pub(super) clusters: Option<Vec<Cluster>>,
            pub(super) endpoint_services: Option<Vec<EndpointService>>,
            $(pub(super) $key: Option<$of>,)*
        }

        #[derive(Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Defaults {
            $(pub(super) $key: Option<$of>,)*
        }

        impl Defaults {
            /// Gives a project what it does not say. Returns the keys.
            pub(super) fn fill(&self, project: &mut Project) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if project.$key.is_none() && self.$key.is_some() {
                    project.$key.clone_from(&self.$key);
                    keys.push(stringify!($key));
                })*
                keys
            }

            /// The keys that are written.
            pub(super) fn keys(&self) -> Vec<&'static str> {
                let keys = [$(self.$key.is_some().then_some(stringify!($key))),*];
                keys.into_iter().flatten().collect()
            }
        }
    };
}

project! {
    credentials: Credentials,
    // It is shown without its user.
    proxy_url: String,
    no_proxy: String,
    proxy_from_environment: bool,
    ca_file: String,
    labels: BTreeMap<String, String>,
    discovery: Discovery,
    api_endpoints: ApiEndpoints,
    rate_limit: RateLimits,
    paging: Paging,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Discovery {
    pub(super) interval: Option<String>,
    pub(super) include: Option<Vec<String>>,
    pub(super) exclude: Option<Vec<String>>,
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) enterprise_project_ids: Option<Vec<String>>,
    pub(super) tag_labels: Option<Vec<String>>,
    pub(super) limit: Option<u32>,
}

/// The word `chain`, or exactly one kind by its name.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Credentials {
    Word(String),
    Kinds(Box<CredentialKinds>),
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialKinds {
    #[serde(rename = "static", skip_serializing_if = "Option::is_none")]
    pub(super) fixed: Option<StaticKeys>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Password>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<TokenFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chain: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod_identity: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identity_provider: Option<IdentityProvider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oidc: Option<Oidc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assume: Option<Assume>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdentityProvider {
    pub(super) idp_id: String,
    pub(super) id_token_file: String,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Oidc {
    pub(super) provider_urn: String,
    pub(super) agency_urn: String,
    pub(super) token_file: String,
}

/// `agency_urn`, or `agency_name` and `domain_name`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assume {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agency_urn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agency_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain_name: Option<String>,
    pub(super) duration: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticKeys {
    pub(super) access_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_key_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_token_file: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) file: Option<String>,
    pub(super) section: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    pub(super) domain: String,
    pub(super) user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password_file: Option<String>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenFile {
    pub(super) file: String,
}

#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiEndpoints {
    pub(super) css: Option<String>,
    pub(super) vpcep: Option<String>,
    pub(super) iam: Option<String>,
    pub(super) sts: Option<String>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimits {
    pub(super) css: Option<RateLimit>,
    pub(super) vpcep: Option<RateLimit>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    pub(super) requests_per_second: Option<f64>,
    pub(super) burst: Option<u32>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) parameter: Option<String>,
    pub(super) first: Option<u32>,
    pub(super) limit: Option<u32>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointService {
    pub(super) id: String,
    pub(super) name: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: String,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) web_config_file: Option<String>,
    pub(super) audit_log: Option<String>,
    pub(super) allow_proxy_vni: Option<bool>,
    pub(super) tokens: Option<Vec<Token>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) role: String,
    pub(super) services: Option<Vec<String>>,
    pub(super) clusters: Option<Vec<String>>,
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
