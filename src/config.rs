//! The configuration: the only place that sees the YAML file and environment variables.
//!
//! `file` is what a person writes, as loose as YAML is; [`Config`] is what the program means, with
//! every text turned into a type of the module that uses it. Mistakes of shape name line and column
//! and come one at a time; mistakes of value name the key and come all together.

mod convert;
mod file;

use std::{fmt, path::Path, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use crate::{board::ClusterMeta, exposition, http::AdminSettings, huawei, pacing::RateLimit};

/// A configuration file has some hundred bytes a cluster; this is room for 50,000 of them.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// What the program means to do.
#[derive(Debug)]
pub struct Config {
    /// What is shown, and for how long.
    pub exposition: exposition::Settings,
    /// The projects, in the order of the file.
    pub projects: Vec<Project>,
    /// The admin listener, if there is one.
    pub admin: Option<AdminSettings>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// What is accepted, but should be changed.
    pub warnings: Vec<String>,
}

/// A project to poll.
#[derive(Debug)]
pub struct Project {
    /// How to call it.
    pub cloud: huawei::Settings,
    /// How fast.
    pub css_rate_limit: RateLimit,
    /// Polls in flight at most.
    pub concurrency: usize,
    /// One whole poll.
    pub timeout: Duration,
    /// What to poll.
    pub clusters: Vec<ClusterMeta>,
}

/// What is wrong with a configuration, in lines fit for a terminal.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The mistakes; each begins with the file's name.
    pub mistakes: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistakes.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// How environment variables are read; tests pass a map.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own environment.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads a configuration file and whatever it names (secret files, environment variables).
///
/// # Errors
/// Every mistake that was found.
pub fn load(path: &Path, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    let fail = |what: String| ConfigError { mistakes: vec![format!("{}: {what}", path.display())] };
    let size = std::fs::metadata(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    if size.len() > LARGEST_FILE {
        return Err(fail(format!("larger than {} MiB", LARGEST_FILE >> 20)));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    parse(&text, path, lookup)
}

/// Reads a configuration from its text. `path` is for messages and for relative paths in it.
///
/// # Errors
/// Every mistake that was found.
pub fn parse(text: &str, path: &Path, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    let file = file::parse(text).map_err(|mistake| ConfigError {
        mistakes: vec![format!("{}:{mistake}", path.display())],
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let converted = convert::convert(file, folder, lookup);
    let sha256 = Sha256::digest(text.as_bytes());
    match converted {
        Ok(converted) => Ok(Config {
            exposition: converted.exposition,
            projects: converted.projects,
            admin: converted.admin,
            sha256: sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            warnings: prefixed(path, converted.warnings),
        }),
        Err(mistakes) => Err(ConfigError { mistakes: prefixed(path, mistakes) }),
    }
}

fn prefixed(path: &Path, lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{}: {line}", path.display())).collect()
}

impl Config {
    /// All clusters of all projects.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterMeta> {
        self.projects.iter().flat_map(|project| &project.clusters)
    }

    /// The names of the projects.
    pub fn project_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.projects.iter().map(|project| &project.cloud.name)
    }
}

#[cfg(test)]
mod tests;
