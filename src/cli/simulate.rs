//! `simulate`: the simulated cloud alone, to try a client against it.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    args::Offering,
    examples,
    exit::{FINE, Failure},
    signals,
    terminal::print,
};
use crate::{
    files::{self, Others},
    sim::{Fault, Settings, Sim},
};

/// Changes come slowly enough to be followed, and fast enough not to wait for.
const STEP: Duration = Duration::from_secs(2);
/// As large as the largest that is made.
const LARGEST_RECORDING: u64 = 32 << 20;

#[derive(Args, Debug)]
#[command(after_long_help = fault_names())]
pub(super) struct SimulateArgs {
    /// The loopback address that the simulated cloud listens on
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CSS_VPCEP_EXPORTER_LISTEN",
        default_value = "127.0.0.1:10069",
        value_parser = parse_loopback
    )]
    listen: SocketAddr,
    /// The number of clusters
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_CLUSTERS", default_value_t = 5)]
    clusters: usize,
    /// The approximate number of connections in each cluster
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_CONNECTIONS", default_value_t = 8)]
    connections: usize,
    /// The same seed makes the same world
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_SEED", default_value_t = 1)]
    seed: u64,
    /// Changes happen by themselves (auto), or only by POST /__sim/step (explicit)
    #[arg(
        long,
        value_name = "PACE",
        env = "CSS_VPCEP_EXPORTER_PACE",
        default_value = "auto",
        value_parser = ["auto", "explicit"]
    )]
    pace: String,
    /// Number of steps after which a cluster is created, renamed or deleted; 0: never
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_CHURN", default_value_t = 0)]
    churn: u64,
    /// Initial faults: each NAME or NAME:PERCENT, separated by blanks or commas
    #[arg(
        long,
        value_name = "NAME",
        env = "CSS_VPCEP_EXPORTER_FAULT",
        num_args = 1..,
        value_delimiter = ',',
        value_parser = Offering { parser: str::parse::<Fault>, words: faults },
        hide_possible_values = true
    )]
    fault: Vec<Fault>,
    /// Answers from this recording, made by collect --record, instead of simulating
    #[arg(
        long,
        value_name = "FILE",
        env = "CSS_VPCEP_EXPORTER_REPLAY",
        conflicts_with_all = ["clusters", "connections", "seed", "pace", "churn", "fault"]
    )]
    replay: Option<PathBuf>,
}

fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => {
            Err("it accepts changes from anyone, so only a loopback address is allowed".into())
        }
        Err(error) => Err(format!("{error}; expected an address like 127.0.0.1:10069")),
    }
}

fn faults() -> Vec<&'static str> {
    Fault::NAMES.iter().map(|(name, _)| *name).collect()
}

fn fault_names() -> String {
    let lines = Fault::NAMES.iter().map(|(name, what)| format!("  {name:<24} {what}"));
    format!("Faults:\n{}\n\n{}", lines.collect::<Vec<_>>().join("\n"), examples::of("simulate"))
}

pub(super) async fn run(args: SimulateArgs) -> Result<u8, Failure> {
    let sim = match &args.replay {
        Some(file) => replay(args.listen, file).await?,
        None => simulated(args).await?,
    };
    let signals = signals::listen()?;
    let lines = [
        ("cloud", sim.url()),
        ("access_key", sim.access_key().to_owned()),
        ("secret_key", sim.secret_key().to_owned()),
        ("project_id", sim.project_id().to_owned()),
        ("region", sim.region().to_owned()),
    ];
    for (word, value) in lines {
        print(&format!("{word} {value}"));
    }
    let ended = signals.during(None, |shutdown| sim.run(shutdown)).await;
    ended.map_err(|error| format!("the simulated cloud ended: {error}"))?;
    Ok(FINE)
}

async fn simulated(args: SimulateArgs) -> Result<Sim, Failure> {
    let listen = args.listen;
    let settings = Settings {
        listen,
        clusters: args.clusters,
        connections: args.connections,
        seed: args.seed,
        step: (args.pace == "auto").then_some(STEP),
        churn: args.churn,
        faults: args.fault,
        fixed_now: None,
    };
    let sim = Sim::bind(settings).await;
    Ok(sim.map_err(|error| format!("cannot listen on {listen}: {error}"))?)
}

async fn replay(listen: SocketAddr, file: &Path) -> Result<Sim, Failure> {
    let unusable = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let text = files::read_capped(file, LARGEST_RECORDING, Others::MayAll);
    let text = text.map_err(|error| unusable(error.to_string()))?;
    let text = str::from_utf8(&text).map_err(|error| unusable(error.to_string()))?;
    Sim::replay(listen, text).await.map_err(|error| match error.kind() {
        ErrorKind::InvalidData => unusable(error.to_string()),
        _ => format!("cannot listen on {listen}: {error}").into(),
    })
}
