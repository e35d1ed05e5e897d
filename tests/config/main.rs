//! The configuration as people meet it: files and their mistakes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod fixtures;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use css_vpcep_exporter::config::{self, Config, ConfigError};

/// A value that stands for a secret: it must not be in anything that is shown.
const CANARY: &str = "canary";

/// Environment variables by name.
type Variables = HashMap<String, String>;

/// An environment with credentials, and nothing else.
fn variables(more: &[(&str, &str)]) -> Variables {
    let keys = [("HUAWEICLOUD_SDK_AK", "AKEXAMPLE"), ("HUAWEICLOUD_SDK_SK", CANARY)];
    let all = keys.iter().chain(more);
    all.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn load(path: &Path, variables: &Variables) -> Result<Config, ConfigError> {
    config::load(path, &|name| variables.get(name).cloned())
}

/// The path of something in this repository.
fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
