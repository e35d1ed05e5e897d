//! The configuration: the only place that sees the YAML file and environment variables.
//!
//! `file` is what a person writes, as loose as YAML is; [`Config`] is what the program means:
//! `convert` turns the one into the other, with a file for each section. Syntax errors are reported
//! one at a time. Bad values are reported all at once, each with its key, whose place `places` finds.
//! `web` reads the other file, that of TLS and users, which other exporters have too.

mod admin;
mod agency;
mod convert;
mod credentials;
mod diagnostics;
mod discovery;
mod endpoints;
mod file;
mod network;
mod places;
mod poll;
mod project;
mod settings;
mod web;
mod yaml;

use std::path::Path;

pub use self::{
    convert::Lookup,
    diagnostics::ConfigError,
    poll::{LONGEST_INTERVAL, Poll},
    settings::{Config, ProjectSettings},
    web::{WebConfig, load_web, parse_web},
};

pub(crate) use diagnostics::check_name;

/// The process's own environment.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads a configuration file and all that it names: secret files, environment variables.
///
/// # Errors
/// Every mistake that was found.
pub fn load(path: &Path, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    convert::parse(&yaml::read(path)?, path, Some(lookup))
}

/// The same, and a web configuration file for the public listener, if there is one.
///
/// # Errors
/// Every mistake that was found in either file.
pub fn load_with_web(
    path: &Path,
    web: Option<&Path>,
    lookup: Lookup<'_>,
) -> Result<Config, ConfigError> {
    with_web(load(path, lookup), web.map(load_web).transpose())
}

/// Reads the two files and nothing else: no file that they name, no credentials, no environment
/// variable. The result can be inspected, but not run.
///
/// # Errors
/// Every mistake that was found in either file.
pub fn check_syntax(path: &Path, web: Option<&Path>) -> Result<Config, ConfigError> {
    let loaded = yaml::read(path).and_then(|text| convert::parse(&text, path, None));
    with_web(loaded, web.map(|web| web::load(web, true)).transpose())
}

fn with_web(
    loaded: Result<Config, ConfigError>,
    web: Result<Option<WebConfig>, ConfigError>,
) -> Result<Config, ConfigError> {
    match (loaded, web) {
        (Ok(mut config), Ok(Some(web))) => {
            config.web = web.settings;
            config.warnings.extend(web.warnings);
            Ok(config)
        }
        (loaded, Ok(None)) => loaded,
        (Err(mut error), Err(web)) => {
            error.mistakes.extend(web.mistakes);
            Err(error)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Reads a configuration from its text. `path` is for messages and for relative paths in it.
///
/// # Errors
/// Every mistake that was found.
pub fn parse(text: &str, path: &Path, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    convert::parse(text, path, Some(lookup))
}
