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

pub(crate) use self::{
    admin::Words,
    diagnostics::{check_name, human},
};

/// The process's own environment.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads a configuration file, a web configuration file for the public listener if there is one, and all
/// that they name: secret files, environment variables. Without a way to look up these, the two files and
/// nothing else: the result can be inspected, but not run.
///
/// # Errors
/// Every mistake that was found in either file.
pub fn load(
    path: &Path,
    web: Option<&Path>,
    lookup: Option<Lookup<'_>>,
) -> Result<Config, ConfigError> {
    let loaded = yaml::read(path).and_then(|text| convert::parse(&text, path, lookup));
    let web = web.map(|web| load_web(web, lookup.is_none())).transpose();
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
