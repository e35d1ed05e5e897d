//! The web configuration file as it is written: names and nesting, no meaning. The schema is that of
//! the Prometheus exporter-toolkit, `docs/web-configuration.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::file::sections;
use crate::secret::Secret;

sections! {
    #[serde(default)]

    File {
        ;
        tls_server_config: Tls,
        http_server_config: Http,
        basic_auth_users: BTreeMap<String, Secret>,
        rate_limit: RateLimit,
    }

    Tls {
        ;
        cert: Secret,
        cert_file: String,
        key: Secret,
        key_file: String,
        client_auth_type: String,
        client_ca: Secret,
        client_ca_file: String,
        client_allowed_sans: Vec<String>,
        min_version: String,
        max_version: String,
        cipher_suites: Vec<String>,
        prefer_server_cipher_suites: bool,
        curve_preferences: Vec<String>,
    }

    Http { ; http2: bool, headers: Headers }

    Headers {
        ;
        #[serde(rename = "Content-Security-Policy")]
        content_security_policy: String,
        #[serde(rename = "X-Frame-Options")]
        x_frame_options: String,
        #[serde(rename = "X-Content-Type-Options")]
        x_content_type_options: String,
        #[serde(rename = "X-XSS-Protection")]
        x_xss_protection: String,
        #[serde(rename = "Strict-Transport-Security")]
        strict_transport_security: String,
    }

    RateLimit { ; interval: String, burst: u32 }
}
