//! The web configuration file of a listener, which other exporters of the Prometheus ecosystem read
//! too: TLS, users, headers, and how many requests there may be.

mod file;
mod tls;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use axum::http::{HeaderName, HeaderValue};

use self::file::Hidden;
use super::{
    ConfigError, file as yaml,
    notes::{Notes, in_order},
    read,
};
use crate::web::{PasswordHash, RequestLimit, Users, WebSettings};

/// More than this at once is no limit.
const LARGEST_BURST: u32 = 1_000_000;

/// A web configuration, and what should be changed of it.
#[derive(Debug)]
pub struct WebConfig {
    /// What the listener does.
    pub settings: WebSettings,
    /// What is accepted, but should be changed; each begins with the file's name.
    pub warnings: Vec<String>,
}

/// Reads a web configuration file and the files that it names.
///
/// # Errors
/// Every mistake that was found. No secret is in them.
pub fn load_web(path: &Path) -> Result<WebConfig, ConfigError> {
    load(path, false)
}

/// The same, but if only the text is checked, the files that it names are not read, and there is no TLS.
pub(super) fn load(path: &Path, text_only: bool) -> Result<WebConfig, ConfigError> {
    let text = read(path)
        .map_err(|what| ConfigError { mistakes: vec![format!("{}:{what}", path.display())] })?;
    parse(&text, path, text_only)
}

/// Reads a web configuration from its text. `path` is for messages and for relative paths in it.
///
/// # Errors
/// Every mistake that was found.
pub fn parse_web(text: &str, path: &Path) -> Result<WebConfig, ConfigError> {
    parse(text, path, false)
}

fn parse(text: &str, path: &Path, text_only: bool) -> Result<WebConfig, ConfigError> {
    let name = path.display();
    let file: file::File = if text.trim().is_empty() {
        file::File::default()
    } else {
        yaml::parse::<Option<file::File>>(text)
            .map_err(|mistake| ConfigError { mistakes: vec![format!("{name}:{mistake}")] })?
            .unwrap_or_default()
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut notes = Notes::new(path, text);
    let has_tls = file.tls_server_config.is_some();
    let tls =
        file.tls_server_config.and_then(|written| tls::tls(&mut notes, written, folder, text_only));
    let users = users(&mut notes, file.basic_auth_users);
    if !users.is_empty() && !has_tls {
        let what = "without tls_server_config, passwords can be read on their way";
        notes.warning("basic_auth_users", what);
    }
    if file.http_server_config.http2 == Some(true) {
        let what = "HTTP/2 is not spoken, only HTTP/1.1; false says the same";
        notes.warning("http_server_config.http2", what);
    }
    let headers = headers(&mut notes, file.http_server_config.headers);
    let rate_limit = file.rate_limit.and_then(|written| rate_limit(&mut notes, &written));
    if !notes.mistakes.is_empty() {
        return Err(ConfigError { mistakes: in_order(notes.mistakes) });
    }
    let settings = WebSettings {
        file: Some(path.to_owned()),
        tls,
        users: Arc::new(users),
        headers,
        rate_limit: rate_limit.map(Arc::new),
    };
    Ok(WebConfig { settings, warnings: in_order(notes.warnings) })
}

fn users(notes: &mut Notes<'_>, written: BTreeMap<String, Hidden>) -> Users {
    let mut users = BTreeMap::new();
    for (name, Hidden(hash)) in written {
        let path = format!("basic_auth_users[{name:?}]");
        if name.is_empty() || name.contains([':', '\n', '\r']) {
            notes.mistake(&path, "a name that no login can have", "a name without a colon");
        }
        match PasswordHash::parse(hash) {
            Ok(hash) => drop(users.insert(name, hash)),
            Err(expected) => notes.mistake(&path, "something else", expected),
        }
    }
    Users::new(users)
}

fn headers(notes: &mut Notes<'_>, written: file::Headers) -> Vec<(HeaderName, HeaderValue)> {
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
        let path = format!("http_server_config.headers.{name}");
        if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
            notes.mistake(&path, format_args!("{value:?}"), allowed.join(" or "));
            continue;
        }
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value));
        match parsed {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => notes.mistake(&path, format_args!("{value:?}"), "the value of a header"),
        }
    }
    headers
}

fn rate_limit(notes: &mut Notes<'_>, written: &file::RateLimit) -> Option<RequestLimit> {
    // As in other exporters, a number without a unit is possible where it is 0, and means no limit.
    let interval = written.interval.as_deref().filter(|interval| *interval != "0");
    let interval = notes.duration("rate_limit.interval", interval)?;
    if interval.is_zero() {
        return None;
    }
    let Some(burst) = written.burst else {
        notes.mistake("rate_limit.burst", "nothing", format_args!("1 to {LARGEST_BURST}"));
        return None;
    };
    let burst = notes.between("rate_limit.burst", Some(burst), 1, (1, LARGEST_BURST));
    let longest = super::LONGEST_INTERVAL;
    if interval > longest {
        let found = super::notes::human(interval);
        let expected = format!("at most {}", super::notes::human(longest));
        notes.mistake("rate_limit.interval", found, expected);
        return None;
    }
    Some(RequestLimit::new(interval, burst))
}
