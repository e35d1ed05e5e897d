//! Flags win over environment variables, and those over the defaults.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use super::*;

/// A running daemon and what it writes to its log.
struct Daemon {
    child: Child,
    /// Its configuration is there for as long as it runs.
    _folder: Folder,
}

impl Daemon {
    /// Starts it with a configuration that calls nobody.
    fn start(name: &str, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let folder = Folder::new(name);
        let nobody = "projects: [{ name: a, region: cn-north-4, \
                      project_id: 6e9dfd51d1124e8d8498dce894923a0d }]\n";
        let path = folder.write("config.yml", nobody);
        let mut command = program();
        command.arg("--config.file").arg(path).args(flags).envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child, _folder: folder }
    }

    /// The log up to the line about the listener; ends the daemon.
    fn log(mut self) -> String {
        let mut log = String::new();
        let stderr = BufReader::new(self.child.stderr.take().unwrap());
        for line in stderr.lines().map_while(Result::ok) {
            log += &format!("{line}\n");
            if line.contains("listening") {
                break;
            }
        }
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LISTEN: &str = "CSS_VPCEP_EXPORTER_WEB_LISTEN_ADDRESS";
const LEVEL: &str = "CSS_VPCEP_EXPORTER_LOG_LEVEL";
const FILE: &str = "CSS_VPCEP_EXPORTER_CONFIG_FILE";

#[test]
fn the_listen_address_of_the_flag_wins() {
    let environment = [(LISTEN, "127.0.0.3:0")];
    let by_environment = Daemon::start("listen-environment", &[], &environment).log();
    assert!(by_environment.contains("127.0.0.3:"), "{by_environment}");
    let flags = ["--web.listen-address", "127.0.0.2:0"];
    let by_flag = Daemon::start("listen-flag", &flags, &environment).log();
    assert!(by_flag.contains("127.0.0.2:") && !by_flag.contains("127.0.0.3:"), "{by_flag}");
}

#[test]
fn the_log_level_of_the_flag_wins() {
    let listen = (LISTEN, "127.0.0.1:0");
    let flags = ["--log.level", "info"];
    let loud = Daemon::start("level-info", &flags, &[listen, (LEVEL, "error")]).log();
    assert!(loud.contains("listening"), "{loud}");
    // A level that the environment alone decides; the address is taken, so that the daemon ends.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let warns = |flags: &[&str], level| {
        let daemon = Daemon::start("level", flags, &[(LISTEN, &address), (LEVEL, level)]);
        daemon.log().contains("there are none")
    };
    assert!(!warns(&[], "error"));
    assert!(warns(&[], "warn"));
    assert!(warns(&["--log.level", "warn"], "error"));
    assert!(!warns(&["--log.level", "error"], "warn"));
}

#[test]
fn the_configuration_file_of_the_flag_wins() {
    let folder = Folder::new("file-flag");
    let check = |flags: &[&str], environment: &[(&str, &str)]| {
        let mut command = program();
        command.current_dir(&folder.path).arg("check-config").args(flags);
        let (code, _, stderr) = output(command.envs(environment.iter().copied()));
        assert_eq!(code, Some(64));
        stderr
    };
    let environment = [(FILE, "environment.yml")];
    assert!(check(&[], &[]).starts_with("css-vpcep-exporter.yml: "));
    assert!(check(&[], &environment).starts_with("environment.yml: "));
    assert!(check(&["--config.file", "flag.yml"], &environment).starts_with("flag.yml: "));
}
