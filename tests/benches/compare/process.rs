//! A server in a process of its own, seen from outside.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// A server; the last of its clones ends it.
#[derive(Clone)]
pub(crate) struct Process(Arc<Running>);

struct Running {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// This program with other arguments. The first line that it prints is its address.
    pub(crate) fn this(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(arguments);
        Self::start(command)
    }

    /// A server that prints its address.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().parse().unwrap();
        Self(Arc::new(Running { child, address }))
    }

    /// A server whose address is known.
    pub(crate) fn at(address: SocketAddr, mut command: Command) -> Self {
        Self(Arc::new(Running { child: command.spawn().unwrap(), address }))
    }

    pub(crate) fn again(&self) -> Self {
        self.clone()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Time of the processor since its start, as exact as the system tells (10 ms).
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.read("stat");
        // The name of the program, in parentheses, may hold blanks.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        let ticks = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>();
        Duration::from_millis(ticks * 10)
    }

    pub(crate) fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most memory since its start, or since that was forgotten.
    pub(crate) fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    pub(crate) fn forget_peak(&self) {
        fs::write(self.path("clear_refs"), "5").unwrap();
    }

    fn memory(&self, name: &str) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn path(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0.child.id())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
