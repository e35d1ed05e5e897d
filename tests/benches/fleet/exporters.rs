//! The exporters that read the simulated cloud.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::{client, process::Process, simulator::Simulator};

/// The program to measure: EXPORTER_BINARY, as in the tests, or the one built with this benchmark.
pub(crate) fn program() -> OsString {
    let built = env!("CARGO_BIN_EXE_css-vpcep-exporter");
    std::env::var_os("EXPORTER_BINARY").unwrap_or_else(|| built.into())
}

/// How often it is asked whether all clusters were polled.
const ASKED_EVERY: Duration = Duration::from_millis(50);

/// A folder of this benchmark below the target folder.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fleet");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `serve`, with every cluster polled once. Its clusters are configured, or discovered.
pub(crate) fn ours(simulator: &Simulator, discovers: bool) -> Process {
    let folder = folder();
    let secret_key = folder.join("secret_key");
    fs::write(&secret_key, &simulator.secret_key).unwrap();
    fs::set_permissions(&secret_key, Permissions::from_mode(0o600)).unwrap();
    let Simulator { url, access_key, project_id, region, .. } = simulator;
    let mut configuration = format!(
        "projects:\n  - name: prod\n    region: {region}\n    project_id: {project_id}\n    \
         credentials: {{ static: {{ access_key: {access_key}, secret_key_file: secret_key }} }}\n    \
         api_endpoints: {{ css: \"{url}\", vpcep: \"{url}\", iam: \"{url}\" }}\n    \
         rate_limit: {{ css: {{ requests_per_second: 1000, burst: 1000 }} }}\n"
    );
    if discovers {
        configuration += "    discovery: {}\n";
    } else {
        configuration += "    clusters:\n";
        for (number, id) in simulator.cluster_ids.iter().enumerate() {
            writeln!(configuration, "      - {{ id: {id}, name: cluster-{number} }}").unwrap();
        }
    }
    let file = folder.join("css-vpcep-exporter.yml");
    fs::write(&file, configuration).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(program());
    command.arg("serve").arg("--config.file").arg(file);
    command.arg("--web.listen-address").arg(address.to_string());
    command.stdout(Stdio::null()).stderr(File::create(folder.join("serve.log")).unwrap());
    let process = Process::at(address, command);
    while !client::is_fine(address, "/-/ready") {
        thread::sleep(ASKED_EVERY);
    }
    process
}

/// The exporter written in Python, with every cluster polled once.
pub(crate) fn peer(simulator: &Simulator, python: &str) -> Result<Process, String> {
    let imports = "import huaweicloudsdkcss, prometheus_client";
    let tried = Command::new(python).args(["-c", imports]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        return Err(format!("{python} does not import huaweicloudsdkcss and prometheus_client"));
    }
    let ids = folder().join("cluster-ids");
    fs::write(&ids, simulator.cluster_ids.join("\n")).unwrap();
    let Simulator { url, access_key, secret_key, project_id, region, .. } = simulator;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/benches/fleet/peer.py"));
    command.args([url, project_id, region, access_key, secret_key]).arg(ids);
    Ok(Process::start(command))
}
