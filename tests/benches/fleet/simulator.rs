//! The simulated cloud, in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::exporters::program;

pub(crate) struct Simulator {
    child: Child,
    address: SocketAddr,
    pub(crate) url: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) project_id: String,
    pub(crate) region: String,
    pub(crate) cluster_ids: Vec<String>,
}

impl Simulator {
    /// A world that moves only when it is told to.
    pub(crate) fn start(clusters: usize, connections: usize) -> Self {
        let mut child = Command::new(program())
            .args(["simulate", "--listen", "127.0.0.1:0", "--pace", "explicit"])
            .args(["--clusters", &clusters.to_string(), "--connections", &connections.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut value_of = |word: &str| {
            let line = lines.next().unwrap().unwrap();
            let (said, value) = line.split_once(' ').unwrap();
            assert_eq!(said, word);
            value.to_owned()
        };
        let url = value_of("cloud");
        let mut simulator = Self {
            child,
            address: url.strip_prefix("http://").unwrap().parse().unwrap(),
            url,
            access_key: value_of("access_key"),
            secret_key: value_of("secret_key"),
            project_id: value_of("project_id"),
            region: value_of("region"),
            cluster_ids: Vec::new(),
        };
        let world = simulator.ask("GET", "world", "");
        let ids = world["clusters"].as_array().unwrap().iter().map(|cluster| &cluster["id"]);
        simulator.cluster_ids = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        simulator
    }

    /// Moves the world.
    pub(crate) fn steps(&self, steps: u64) {
        self.ask("POST", "step", &format!("{{\"steps\": {steps}}}"));
    }

    /// How many pages of connections were asked for.
    pub(crate) fn polls(&self) -> u64 {
        self.ask("GET", "requests", "")["by_operation"]["css_connections"].as_u64().unwrap_or(0)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{method} /__sim/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer[end + 4..]).unwrap()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
