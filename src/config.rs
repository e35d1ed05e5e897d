//! The configuration: the only place that sees the YAML file and environment variables.
//!
//! `file` is what a person writes, as loose as YAML is; [`Config`] is what the program means, with
//! every text turned into a type of the module that uses it: `convert` does that, with a file for
//! each section. Syntax errors are reported one at a time. Bad values are reported all at once, each
//! with its key, whose place `places` finds. `effective` writes a configuration out again, without its
//! secrets. `web` reads the other file, that of TLS and users, which other exporters have too.

mod admin;
mod convert;
mod credentials;
mod effective;
mod file;
mod notes;
mod places;
mod poll;
mod project;
mod web;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use notes::Notes;
pub(crate) use notes::check_name;
pub use poll::{LONGEST_INTERVAL, Poll};
pub use web::{WebConfig, load_web, parse_web};

use sha2::{Digest, Sha256};

use crate::{
    admin::AdminSettings,
    board::{ClusterMeta, ServiceMeta},
    exposition,
    files::{Others, read_capped},
    huawei,
    model::ServiceId,
    pacing::RateLimit,
    poll::Shard,
    text,
    web::WebSettings,
};

/// A configuration file has some hundred bytes a cluster; this is room for 50,000 of them.
const LARGEST_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// What the program means to do.
#[derive(Debug)]
pub struct Config {
    /// What is shown, and for how long.
    pub exposition: exposition::Settings,
    /// Where the board is kept over a restart, if it is.
    pub state_file: Option<PathBuf>,
    /// Which part of the clusters this process polls. The rate limits are its part already.
    pub shard: Shard,
    /// The projects, in the order of the file, with the clusters of all shards.
    pub projects: Vec<Project>,
    /// The admin listener, if there is one.
    pub admin: Option<AdminSettings>,
    /// TLS and users of the public listener; [`load_with_web`] fills it.
    pub web: WebSettings,
    /// Where changes are recorded, if there is an admin listener; without a record none is made.
    pub audit_log: Option<PathBuf>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// What is accepted, but should be changed.
    pub warnings: Vec<String>,
    /// How clusters are polled.
    pub poll: Poll,
}

/// A project to poll.
#[derive(Debug)]
pub struct Project {
    /// How to call it.
    pub cloud: huawei::Settings,
    /// How fast CSS may be called.
    pub css_rate_limit: RateLimit,
    /// How fast VPCEP may be called.
    pub vpcep_rate_limit: RateLimit,
    /// What to poll.
    pub clusters: Vec<ClusterMeta>,
    /// The only endpoint services that may be changed.
    pub endpoint_services: Vec<EndpointService>,
}

/// An endpoint service that may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointService {
    /// Its id.
    pub id: ServiceId,
    /// Its configured name, unique in the project; the id where there is none.
    pub name: Arc<str>,
}

/// What is wrong with a configuration, in lines fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    load_as(path, Some(lookup))
}

fn load_as(path: &Path, lookup: Option<Lookup<'_>>) -> Result<Config, ConfigError> {
    let text = read(path)
        .map_err(|what| ConfigError { mistakes: vec![format!("{}:{what}", path.display())] })?;
    parse_as(&text, path, lookup)
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
    let web = web.map(load_web).transpose();
    with_web(load(path, lookup), web)
}

/// Reads the two files and nothing else: no file that they name, no credentials, no environment
/// variable. The result can be inspected, but not run.
///
/// # Errors
/// Every mistake that was found in either file.
pub fn check_syntax(path: &Path, web: Option<&Path>) -> Result<Config, ConfigError> {
    let web = web.map(|web| web::load(web, true)).transpose();
    with_web(load_as(path, None), web)
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

/// The text of a file, or what is wrong with the file as it follows its name and a colon.
fn read(path: &Path) -> Result<String, String> {
    let bytes = read_capped(path, LARGEST_FILE_BYTES, Others::MayRead)
        .map_err(|error| format!(" {error}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        format!("{line}:{column}: not UTF-8")
    })?;
    Ok(text.to_owned())
}

/// Reads a configuration from its text. `path` is for messages and for relative paths in it.
///
/// # Errors
/// Every mistake that was found.
pub fn parse(text: &str, path: &Path, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    parse_as(text, path, Some(lookup))
}

fn parse_as(text: &str, path: &Path, lookup: Option<Lookup<'_>>) -> Result<Config, ConfigError> {
    let name = path.display();
    if text.trim().is_empty() {
        return Err(ConfigError {
            mistakes: vec![format!("{name}: empty, projects are expected")],
        });
    }
    let file = file::parse(text)
        .map_err(|mistake| ConfigError { mistakes: vec![format!("{name}:{mistake}")] })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let converted = convert::convert(Notes::new(path, text), file, folder, lookup)
        .map_err(|mistakes| ConfigError { mistakes })?;
    let sha256 = Sha256::digest(text.as_bytes());
    let (admin, audit_log) = converted.admin.map(|admin| (admin.listener, admin.audit_log)).unzip();
    Ok(Config {
        exposition: converted.exposition,
        state_file: converted.state_file,
        shard: converted.shard,
        projects: converted.projects,
        admin,
        web: WebSettings::default(),
        audit_log: audit_log.flatten(),
        sha256: text::to_hex(&sha256),
        warnings: converted.warnings,
        poll: converted.poll,
    })
}

impl Config {
    /// The clusters of this shard.
    pub fn own_clusters(&self) -> impl Iterator<Item = &ClusterMeta> {
        let shard = self.shard;
        self.clusters().filter(move |cluster| shard.owns(&cluster.id))
    }

    /// All clusters of all projects.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterMeta> {
        self.projects.iter().flat_map(|project| &project.clusters)
    }

    /// The endpoint services of all projects. Only shard 0 reads and changes them.
    pub fn own_services(&self) -> impl Iterator<Item = ServiceMeta> {
        let projects = self.projects.iter().filter(|_| self.shard.index == 0);
        projects.flat_map(|project| {
            let huawei::Settings { name, region, .. } = &project.cloud;
            project.endpoint_services.iter().map(|service| ServiceMeta {
                region: region.clone(),
                project: name.clone(),
                id: service.id.clone(),
                name: service.name.clone(),
            })
        })
    }

    /// The whole configuration as YAML, with every default filled in and every secret left out.
    pub fn effective(&self) -> String {
        effective::yaml(self)
    }
}
