//! The web configuration file of a listener, which other exporters of the Prometheus ecosystem read
//! too: TLS, users, headers, and the rate limit.

mod file;
mod tls;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use axum::http::{HeaderName, HeaderValue};

use super::{
    diagnostics::{At, ConfigError, Context, human},
    poll::LONGEST_INTERVAL,
    yaml,
};
use crate::{
    secret::Secret,
    web::{PasswordHash, RequestLimit, Users, WebSettings},
};

/// More than this at once is no limit.
const LARGEST_BURST: u32 = 1_000_000;

/// A web configuration, and the warnings about it.
#[derive(Debug)]
pub struct WebConfig {
    /// The settings of the listener.
    pub settings: WebSettings,
    /// Warnings; each begins with the file's name.
    pub warnings: Vec<String>,
}

/// Reads a web configuration file and the files that it names; if only the text is checked, these are not
/// read, and there is no TLS.
///
/// # Errors
/// Every mistake that was found. No secret is in them.
pub fn load_web(path: &Path, text_only: bool) -> Result<WebConfig, ConfigError> {
    parse_web(&yaml::read(path)?, path, text_only)
}

/// The same from its text. `path` is for messages and for relative paths in it.
///
/// # Errors
/// Every mistake that was found.
pub fn parse_web(text: &str, path: &Path, text_only: bool) -> Result<WebConfig, ConfigError> {
    let file: file::File = match text.trim() {
        "" => file::File::default(),
        _ => yaml::parse::<Option<file::File>>(path, text)?.unwrap_or_default(),
    };
    let context = Context::new(path, text, text_only);
    let has_tls = file.tls_server_config.is_some();
    let at_tls = context.key("tls_server_config");
    let tls = file.tls_server_config.and_then(|written| tls::tls(&at_tls, written));
    let at_users = context.key("basic_auth_users");
    let users = users(&at_users, file.basic_auth_users.unwrap_or_default());
    if !users.is_empty() && !has_tls {
        at_users.warning("without tls_server_config, passwords can be read on their way");
    }
    let at_http = context.key("http_server_config");
    let http = file.http_server_config.unwrap_or_default();
    if http.http2 == Some(true) {
        let what = "HTTP/2 is not spoken, only HTTP/1.1; false says the same";
        at_http.key("http2").warning(what);
    }
    let headers = headers(&at_http.key("headers"), http.headers.unwrap_or_default());
    let at_rate_limit = context.key("rate_limit");
    let rate_limit = file.rate_limit.and_then(|written| rate_limit(&at_rate_limit, written));
    let warnings = context.finish()?;
    let settings =
        WebSettings { tls, users: Arc::new(users), headers, rate_limit: rate_limit.map(Arc::new) };
    Ok(WebConfig { settings, warnings })
}

fn users(at: &At<'_>, written: BTreeMap<String, Secret>) -> Users {
    let mut users = BTreeMap::new();
    for (name, hash) in written {
        let at = at.quoted(&name);
        if name.is_empty() || name.contains([':', '\n', '\r']) {
            at.mistake("a name that no login can have", "a name without a colon");
        }
        match PasswordHash::parse(hash) {
            Ok(hash) => drop(users.insert(name, hash)),
            Err(expected) => at.mistake("something else", expected),
        }
    }
    Users::new(users)
}

fn headers(at: &At<'_>, written: file::Headers) -> Vec<(HeaderName, HeaderValue)> {
    let all: [(&str, Option<String>, &[&str]); 5] = [
        ("Content-Security-Policy", written.content_security_policy, &[]),
        ("X-Frame-Options", written.x_frame_options, &["deny", "sameorigin"]),
        ("X-Content-Type-Options", written.x_content_type_options, &["nosniff"]),
        ("X-XSS-Protection", written.x_xss_protection, &[]),
        ("Strict-Transport-Security", written.strict_transport_security, &[]),
    ];
    let mut headers = Vec::new();
    for (name, value, allowed) in all {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        let at = at.key(name);
        if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
            at.mistake(format_args!("{value:?}"), allowed.join(" or "));
            continue;
        }
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value));
        match parsed {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => at.mistake(format_args!("{value:?}"), "the value of a header"),
        }
    }
    headers
}

fn rate_limit(at: &At<'_>, mut written: file::RateLimit) -> Option<RequestLimit> {
    let (at_interval, at_burst) = (at.key("interval"), at.key("burst"));
    // As in other exporters, a number without a unit is possible where it is 0, and means no limit.
    let interval = written.interval.as_deref().filter(|interval| *interval != "0")?;
    let interval = at_interval.duration(interval)?;
    if interval.is_zero() {
        return None;
    }
    if written.burst.is_none() {
        return at_burst.wrong("nothing", format_args!("1 to {LARGEST_BURST}"));
    }
    let burst = at_burst.between(&mut written.burst, 1, (1, LARGEST_BURST));
    if interval > LONGEST_INTERVAL {
        let expected = format!("at most {}", human(LONGEST_INTERVAL));
        return at_interval.wrong(human(interval), expected);
    }
    Some(RequestLimit::new(interval, burst))
}
