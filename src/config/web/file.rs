//! The web configuration file as it is written: names and nesting, no meaning. The schema is that of
//! the Prometheus exporter-toolkit, `docs/web-configuration.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::{config::file::or_default, secret::Secret};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) tls_server_config: Option<Tls>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) http_server_config: Http,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) basic_auth_users: BTreeMap<String, Hidden>,
    pub(super) rate_limit: Option<RateLimit>,
}

/// A text that no message shows.
pub(super) struct Hidden(pub(super) Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert: Option<Hidden>,
    pub(super) cert_file: Option<String>,
    pub(super) key: Option<Hidden>,
    pub(super) key_file: Option<String>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_ca: Option<Hidden>,
    pub(super) client_ca_file: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) client_allowed_sans: Vec<String>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) cipher_suites: Vec<String>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) curve_preferences: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub(super) http2: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) headers: Headers,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Headers {
    #[serde(rename = "Content-Security-Policy")]
    pub(super) content_security_policy: Option<String>,
    #[serde(rename = "X-Frame-Options")]
    pub(super) x_frame_options: Option<String>,
    #[serde(rename = "X-Content-Type-Options")]
    pub(super) x_content_type_options: Option<String>,
    #[serde(rename = "X-XSS-Protection")]
    pub(super) x_xss_protection: Option<String>,
    #[serde(rename = "Strict-Transport-Security")]
    pub(super) strict_transport_security: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    pub(super) interval: Option<String>,
    pub(super) burst: Option<u32>,
}
