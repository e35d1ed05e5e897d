//! Who serves the same page, and how they are started.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{client, process::Process, report::folder};

/// A page in files.
pub(crate) struct Pages {
    folder: PathBuf,
    identity: PathBuf,
}

impl Pages {
    pub(crate) fn of(server: &Process, series: usize) -> Self {
        let folder = folder().join(series.to_string());
        fs::create_dir_all(&folder).unwrap();
        let identity = folder.join("page");
        fs::write(&identity, client::body(server.address(), "/metrics", false)).unwrap();
        let gzip = client::body(server.address(), "/metrics", true);
        fs::write(folder.join("page.gz"), gzip).unwrap();
        Self { folder, identity }
    }
}

/// Who serves a page.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Peer {
    Ours,
    Nginx,
    CrateGauges,
    CrateCollector,
    GoGauges,
    GoCollector,
}

impl Peer {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ours,
        Self::Nginx,
        Self::CrateGauges,
        Self::CrateCollector,
        Self::GoGauges,
        Self::GoCollector,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Nginx => "nginx, ready files",
            Self::CrateGauges => "crate prometheus, GaugeVec",
            Self::CrateCollector => "crate prometheus, collector",
            Self::GoGauges => "client_golang, GaugeVec",
            Self::GoCollector => "client_golang, const metrics",
        }
    }

    pub(crate) fn path(self, gzip: bool) -> &'static str {
        match self {
            Self::Nginx if gzip => "/page.gz",
            Self::Nginx => "/page",
            _ => "/metrics",
        }
    }

    pub(crate) fn start(self, pages: &Pages) -> Result<Process, String> {
        let page = pages.identity.to_str().unwrap();
        match self {
            Self::Ours => Err("runs already".into()),
            Self::Nginx => nginx(&pages.folder),
            Self::CrateGauges => Ok(Process::this(&["serve-crate", "gauges", page])),
            Self::CrateCollector => Ok(Process::this(&["serve-crate", "collector", page])),
            Self::GoGauges => go("gaugevec", page),
            Self::GoCollector => go("collector", page),
        }
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg(if program == "go" { "version" } else { "-v" }).output().is_ok()
}

fn go(kind: &str, page: &str) -> Result<Process, String> {
    let program = folder().join("compare-go");
    if !program.exists() {
        if !is_installed("go") {
            return Err("not installed: go".into());
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/benches/go");
        let built =
            Command::new("go").current_dir(source).args(["build", "-o"]).arg(&program).output();
        let built = built.map_err(|error| error.to_string())?;
        if !built.status.success() {
            return Err(format!("not built: {}", String::from_utf8_lossy(&built.stderr).trim()));
        }
    }
    let mut command = Command::new(program);
    command.args([kind, page]);
    Ok(Process::start(command))
}

fn nginx(folder: &Path) -> Result<Process, String> {
    if !is_installed("nginx") {
        return Err("not installed: nginx".into());
    }
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let root = folder.display();
    let configuration = format!(
        "daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/nginx.log;\n\
         events {{}}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; server {{ listen {address}; root {root}; }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-e").arg(folder.join("nginx.log")).arg("-c").arg(file);
    let process = Process::at(address, command);
    for _ in 0..100 {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(process);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("does not start".into())
}
