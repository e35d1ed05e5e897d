//! `demo`: a simulated cloud and the daemon in one process, on loopback; only the public listener can be
//! elsewhere.
//!
//! The two speak over HTTP as strangers do; the daemon is configured as it always is, from a text.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{
    args::{ListenAddress, parse_listen_address},
    exit::{FINE, Failure},
    log::LogArgs,
    serve::{begin, tls},
    signals::{self, Signals},
    terminal::print,
    token::{random_hex, token},
};
use crate::{
    app::{App, Loader, Options},
    change::Timings,
    clock::Clock,
    config,
    sim::{Settings, Sim},
    text,
};

/// A cluster comes, is renamed or goes about every two minutes.
const STEPS_BETWEEN_CLUSTERS: u64 = 60;
const METRICS_PORT: u16 = 10067;
const ADMIN_PORT: u16 = 10068;
const CLOUD_PORT: u16 = 10069;

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// The address to serve the metrics on instead of loopback, as in a container; :PORT means every address
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        env = "CSS_VPCEP_EXPORTER_WEB_LISTEN_ADDRESS",
        value_parser = parse_listen_address
    )]
    listen: Option<ListenAddress>,
    #[command(flatten)]
    log: LogArgs,
}

pub(super) async fn run(args: DemoArgs) -> Result<u8, Failure> {
    args.log.init();
    let signals = signals::listen()?;
    let sim = cloud().await?;
    let token = token()?;
    let folder = Folder::new()?;
    let load = loader(configuration(&sim, &token, &folder));
    let config = load()?;
    let tls = tls(&config);
    let options = Options {
        listen: args.listen.map_or_else(
            || vec![loopback(METRICS_PORT), loopback(0)],
            |ListenAddress(given)| given,
        ),
        admin_fallback: Some(loopback(0)),
        telemetry_path: "/metrics".into(),
        lifecycle: false,
        load,
        metadata_url: sim.url(),
        clock: Clock::system(),
        changes: Timings::DEFAULT,
    };
    let app = App::bind(config, options).await?;
    let public = reachable(app.public_address());
    let admin = app.admin_address().ok_or("the demo has no admin listener")?;
    let lines = [
        ("metrics", format!("http://{public}/metrics")),
        ("status", format!("http://{public}/")),
        ("admin", format!("http://{admin}/")),
        ("token", token),
        ("cloud", sim.url()),
    ];
    for (word, value) in lines {
        print(&format!("{word} {value}"));
    }
    begin(&app, "none: this is the demo", tls);
    run_both(app, sim, signals).await?;
    Ok(FINE)
}

/// HOST:PORT for a URL on this machine: an address that stands for all of them cannot be called.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// Runs the daemon until a signal, and the cloud until the daemon has ended.
async fn run_both(app: App, sim: Sim, signals: Signals) -> Result<(), String> {
    let reload = app.reload_handle();
    let (stop, stopped) = oneshot::channel::<()>();
    let (app, sim) = tokio::join!(
        async {
            let ended = signals.during(Some(reload), |shutdown| app.run(shutdown)).await;
            drop(stop);
            ended
        },
        sim.run(async {
            let _ = stopped.await;
        }),
    );
    sim.map_err(|error| format!("the simulated cloud ended: {error}"))?;
    app.map_err(|error| error.to_string())
}

async fn cloud() -> Result<Sim, String> {
    let settings = |port| Settings {
        listen: loopback(port),
        clusters: 5,
        connections: 8,
        seed: 1,
        step: Some(Duration::from_secs(2)),
        churn: STEPS_BETWEEN_CLUSTERS,
        faults: Vec::new(),
        fixed_now: None,
    };
    if let Ok(sim) = Sim::bind(settings(CLOUD_PORT)).await {
        return Ok(sim);
    }
    let sim = Sim::bind(settings(0)).await;
    sim.map_err(|error| format!("the simulated cloud cannot listen: {error}"))
}

/// The text that a person would write in a file: JSON is YAML too.
fn configuration(sim: &Sim, token: &str, folder: &Folder) -> String {
    let url = sim.url();
    let services = sim.services().into_iter();
    let services = services.map(|(id, name)| json!({ "id": id, "name": name }));
    let configuration = json!({
        "poll": { "interval": "2s", "timeout": "1s", "stale_after": "1m" },
        "state_file": folder.0.join("state").display().to_string(),
        "admin": {
            "listen": loopback(ADMIN_PORT),
            "audit_log": folder.0.join("audit.jsonl").display().to_string(),
            "tokens": [{
                "name": "demo",
                "sha256": text::to_hex(&Sha256::digest(token)),
                "role": "editor",
                "services": ["*"],
                "clusters": ["*"],
            }],
        },
        "projects": [{
            "name": "demo",
            "region": sim.region(),
            "project_id": sim.project_id(),
            "credentials": { "metadata": {} },
            "api_endpoints": { "css": url, "vpcep": url, "iam": url },
            "discovery": { "interval": "1m", "tag_labels": ["env", "team"] },
            "endpoint_services": services.collect::<Vec<_>>(),
        }],
    });
    configuration.to_string()
}

/// Reads that text as a file is read. The keys are those of the agency of a simulated server.
fn loader(text: String) -> Loader {
    Arc::new(move || config::parse(&text, Path::new("demo"), &|_| None))
}

/// A folder of this process alone, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("css-vpcep-exporter-{}", random_hex()?));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("cannot make the folder {}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover is no worse than those of other programs.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
