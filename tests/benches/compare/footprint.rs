//! The finished program: how long it takes to the first scrape, its memory, its size.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    client::is_fine,
    process::Process,
    report::{Report, folder, median},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_css-vpcep-exporter");

pub(crate) fn measure(report: &mut Report) {
    let mut idle = 0;
    let times = (0..15).map(|_| {
        let (process, time) = start();
        std::thread::sleep(Duration::from_millis(300));
        idle = process.resident();
        time
    });
    let first = median(times.collect());
    report.row(
        "start to first scrape, idle memory",
        "ours",
        json!({
            "first_scrape_ms": first, "idle_mib": super::mib(idle),
        }),
    );
    let dist = Path::new(PROGRAM).with_file_name("../dist/css-vpcep-exporter");
    for (name, path) in [("release", Path::new(PROGRAM)), ("dist", &dist)] {
        match fs::metadata(path) {
            Ok(file) => {
                report.row("size of the program", name, json!({ "mib": super::mib(file.len()) }))
            }
            Err(_) => report.missing("size of the program", name, "not built"),
        }
    }
}

/// With one cluster, whose cloud nobody is. The time is in milliseconds.
fn start() -> (Process, f64) {
    let folder = folder().join("footprint");
    fs::create_dir_all(&folder).unwrap();
    let [address, nobody] =
        [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let secret_key = folder.join("secret_key");
    fs::write(&secret_key, "secret").unwrap();
    fs::set_permissions(secret_key, Permissions::from_mode(0o600)).unwrap();
    let configuration = format!(
        "projects:\n  - name: prod\n    region: cn-north-4\n    project_id: 6e9dfd51d1124e8d8498dce894923a0d\n    \
         credentials: {{ static: {{ access_key: AK, secret_key_file: secret_key }} }}\n    \
         api_endpoints: {{ css: \"http://{nobody}\" }}\n    \
         clusters: [ {{ id: 5c77b71c-5b35-4f50-8984-76387e42451a, name: logs }} ]\n"
    );
    let file = folder.join("css-vpcep-exporter.yml");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("--config.file").arg(file);
    command.arg("--web.listen-address").arg(address.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let process = Process::at(address, command);
    while !is_fine(address, "/metrics") {
        assert!(began.elapsed() < Duration::from_secs(10), "it does not start");
        std::thread::sleep(Duration::from_micros(200));
    }
    (process, began.elapsed().as_secs_f64() * 1e3)
}
