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

/// Declares sections, which have no other keys: those that a section must have, and after a semicolon
/// those that it may have, all of these with the same attribute. `Cluster { id: String; name: String }`
/// must have an `id` and may have a `name`.
macro_rules! sections {
    (#[$of_all:meta] $(
        $(#[$attribute:meta])*
        $name:ident {
            $($key:ident: $type:ty),*;
            $($(#[$of_one:meta])* $optional:ident: $of:ty),* $(,)?
        }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $(pub(super) $key: $type,)*
            $(#[$of_all] $(#[$of_one])* pub(super) $optional: Option<$of>,)*
        }
    )*};
}

pub(super) use sections;

// A key that is unset is shown as null.
sections! {
    #[serde(default)]

    File {
        ;
        poll: Poll,
        state_file: String,
        shard: Shard,
        defaults: Defaults,
        projects: Vec<Project>,
        admin: Admin,
    }

    Poll {
        ;
        interval: String,
        timeout: String,
        concurrency: u32,
        stale_after: String,
        per_connection: bool,
        per_connection_limit: u32,
    }

    Discovery {
        ;
        interval: String,
        include: Vec<String>,
        exclude: Vec<String>,
        tags: BTreeMap<String, String>,
        enterprise_project_ids: Vec<String>,
        tag_labels: Vec<String>,
        limit: u32,
    }

    #[derive(PartialEq)]
    ApiEndpoints { ; css: String, vpcep: String, iam: String, sts: String }

    RateLimits { ; css: RateLimit, vpcep: RateLimit }

    RateLimit { ; requests_per_second: f64, burst: u32 }

    Paging { ; parameter: String, first: u32, limit: u32 }

    Cluster { id: String; name: String, interval: String, labels: BTreeMap<String, String> }

    EndpointService { id: String; name: String }

    Admin {
        listen: String;
        hosts: Vec<String>,
        web_config_file: String,
        audit_log: String,
        allow_proxy_vni: bool,
        tokens: Vec<Token>,
    }

    Token {
        name: String,
        sha256: String,
        role: String;
        services: Vec<String>,
        clusters: Vec<String>,
    }
}

// Alternatives: what is unset is not shown.
sections! {
    #[serde(skip_serializing_if = "Option::is_none")]

    // `index` and `count`, or `from` and `count`.
    Shard { ; index: u32, from: String, count: u32 }

    // Exactly one of them, perhaps with `assume`.
    CredentialKinds {
        ;
        r#static: StaticKeys,
        environment: Nothing,
        profile: Profile,
        password: Password,
        token: TokenFile,
        chain: Nothing,
        metadata: Nothing,
        pod_identity: Nothing,
        identity_provider: IdentityProvider,
        oidc: Oidc,
        assume: Assume,
    }

    StaticKeys {
        access_key: String;
        secret_key: Secret,
        secret_key_file: String,
        security_token: Secret,
        security_token_file: String,
    }

    Nothing { ; }

    Profile { ; file: String, section: String }

    Password { domain: String, user: String; password: Secret, password_file: String }

    TokenFile { file: String; }

    IdentityProvider { idp_id: String, id_token_file: String; }

    Oidc { provider_urn: String, agency_urn: String, token_file: String; }

    // `agency_urn`, or `agency_name` and `domain_name`.
    Assume { ; agency_urn: String, agency_name: String, domain_name: String, duration: String }
}

/// A project, and `defaults` for the keys that are named below.
macro_rules! project {
    ($($key:ident: $of:ty,)*) => {
        sections! {
            #[serde(default)]

            Project {
                name: String,
                region: String;
                project_id: String,
                clusters: Vec<Cluster>,
                endpoint_services: Vec<EndpointService>,
                $($key: $of,)*
            }

            Defaults { ; $($key: $of,)* }
        }

        impl Defaults {
            /// Gives a project what it does not say. Returns the keys.
            pub(super) fn fill(&self, project: &mut Project) -> Vec<&'static str> {
                let excluded = project.excluded_defaults();
                let mut keys = Vec::new();
                $(
                    let is_unset = project.$key.is_none() && self.$key.is_some();
                    if is_unset && !excluded.contains(&stringify!($key)) {
                        project.$key.clone_from(&self.$key);
                        keys.push(stringify!($key));
                    }
                )*
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

impl Project {
    /// The keys whose defaults do not fit the proxy that the project itself has: it is written, or that of
    /// the environment, never both.
    fn excluded_defaults(&self) -> &'static [&'static str] {
        match (&self.proxy_url, self.proxy_from_environment) {
            (_, Some(true)) => &["proxy_url", "no_proxy"],
            (Some(_), _) => &["proxy_from_environment"],
            (None, _) => &[],
        }
    }
}

/// The word `chain`, or exactly one kind by its name.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Credentials {
    Word(String),
    Kinds(Box<CredentialKinds>),
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
