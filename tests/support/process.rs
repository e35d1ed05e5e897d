//! The finished binary as a process, with files for what it says and for what it reads.

use std::{
    ffi::OsStr,
    fmt::Display,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{DEADLINE, eventually};

/// A folder for one test. It stays if the test fails: it has what every process said.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    /// It is below the target folder, which is on a disk; a temporary folder may be in memory.
    pub(crate) fn new(test: &str) -> Folder {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let (process, number) = (std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let name = format!("{test}-{process}-{number}");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A process of an earlier run may have had the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Folder { path }
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file for nobody else's eyes: the exporter insists on that where it holds a secret.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        self.write_for(0o600, name, text)
    }

    /// A file with these permissions.
    pub(crate) fn write_for(&self, mode: u32, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        let parent = path.parent().expect("a file is in a folder");
        fs::create_dir_all(parent).expect("the folder can be written");
        fs::write(&path, text).expect("the folder can be written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the file is ours");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Names another build of the binary to test.
const BINARY: &str = "EXPORTER_BINARY";

/// The exporter with these arguments.
pub(crate) fn exporter(arguments: &[&str]) -> Command {
    let built = || env!("CARGO_BIN_EXE_css-vpcep-exporter").into();
    let mut command = bare(std::env::var_os(BINARY).unwrap_or_else(built));
    command.args(arguments);
    command
}

/// A command that does not see the keys, settings and proxies of whoever runs the tests.
pub(crate) fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        let ours = ["HUAWEICLOUD_", "CLOUD_SDK_", "CSS_VPCEP_EXPORTER_"];
        if ours.iter().any(|prefix| upper.starts_with(prefix)) || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The test with this name, as a process of its own: what it prints goes to its standard output.
pub(crate) fn this_test(name: &str) -> std::process::Command {
    let program = std::env::current_exe().expect("the tests are a program");
    let mut command = std::process::Command::new(program);
    command.args(["--exact", name, "--nocapture"]);
    command
}

/// Whether this process runs nothing but this test, so that it may read its own memory. Where it does not, the
/// test runs in a process of its own before this returns, and fails here if it failed there.
pub(crate) fn is_alone(test: &str) -> bool {
    const ALONE: &str = "THE_ONLY_TEST_OF_THIS_PROCESS";
    let is_alone = std::env::var_os(ALONE).is_some();
    if !is_alone {
        let ended = this_test(test).env(ALONE, "").status().expect("the tests are a program");
        assert!(ended.success(), "it failed in its own process");
    }
    is_alone
}

/// The resident memory of a process, in KiB; that of this one is that of `self`.
pub(crate) fn resident_kib(process: impl Display) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    number.expect("a line for VmRSS").trim().parse().expect("a number")
}

/// A process in the background; it ends with the test.
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts a command. What it says goes to files with this name.
    pub(crate) fn start(folder: &Folder, name: &str, mut command: Command) -> Process {
        // Files, because nobody has to keep emptying them.
        let [out, err] = ["out", "err"].map(|kind| folder.path.join(format!("{name}.{kind}")));
        let create = |path: &Path| File::create(path).expect("the folder can be written");
        command.current_dir(&folder.path).stdout(create(&out)).stderr(create(&err));
        // What it leaves behind when it is killed goes with the folder.
        command.env("TMPDIR", &folder.path);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Process { child, out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it was not waited for")
    }

    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).expect("output is UTF-8")
    }

    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).expect("output is UTF-8")
    }

    /// Where a daemon listens: `public` or `admin`.
    pub(crate) async fn address(&mut self, listener: &str) -> String {
        let [logfmt, json] = [format!(" {listener}="), format!(",\"{listener}\":\"")];
        self.line(Process::err, |line| {
            let line = Some(line).filter(|line| line.contains("listening"))?;
            let (_, rest) = line.split_once(&logfmt).or_else(|| line.split_once(&json))?;
            rest.split([' ', '"']).next().map(str::to_owned)
        })
        .await
    }

    /// What `find` makes of the first line that it knows, of what the process has said.
    pub(crate) async fn line(
        &mut self,
        said: fn(&Process) -> String,
        find: impl Fn(&str) -> Option<String>,
    ) -> String {
        eventually("a line of the process", async || {
            let ended = self.child.try_wait().expect("a child can be asked");
            let text = said(self);
            // The last line may be half written.
            let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            match (lines.find_map(&find), ended) {
                (Some(found), _) => Ok(found),
                (None, Some(status)) => panic!("{status}: {}", self.err()),
                (None, None) => Err(self.err()),
            }
        })
        .await
    }

    /// Asks the process to end, as a supervisor does.
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    pub(crate) async fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        let status = Command::new("kill").args([signal, self.id().to_string()]).status().await;
        assert!(status.expect("kill starts").success());
    }

    /// Waits for the end.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let ended = timeout(DEADLINE, self.child.wait()).await;
        ended.expect("it ends").expect("a child can be waited for")
    }
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command) -> Ended {
    let output = timeout(DEADLINE * 3, command.output()).await;
    let output = output.expect("it ends").expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
