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
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
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

/// A folder of a test's own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
