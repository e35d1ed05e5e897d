//! The configuration as people meet it: files, their mistakes, flags, and what `check-config` says.

mod check_config;
mod effective;
mod files;
mod fixtures;
mod flags;
mod reference;
mod web;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{here, process::Folder};
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
    config::load(path, None, Some(&|name| variables.get(name).cloned()))
}

/// The program, with credentials in its environment and nothing of this process's but the path.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"));
    command.env_clear().envs(variables(&[]));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    (status.code(), text(&stdout), text(&stderr))
}
