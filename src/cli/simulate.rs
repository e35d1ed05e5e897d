//! `simulate`: the simulated cloud alone, for whoever wants to try a client against it.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};

use super::{FAILED, FINE, complain, offered::Offering, print, signals};
use crate::sim::{Fault, Pace, Settings, Sim};

/// Changes come slowly enough to be followed, and fast enough not to wait for.
const STEP: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[command(after_long_help = fault_names())]
pub(super) struct SimulateArgs {
    /// Where the simulated cloud listens; a loopback address
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CSS_VPCEP_EXPORTER_LISTEN",
        default_value = "127.0.0.1:10069",
        value_parser = parse_loopback
    )]
    listen: SocketAddr,
    /// How many clusters there are
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_CLUSTERS", default_value_t = 5)]
    clusters: usize,
    /// About how many connections each cluster has
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_CONNECTIONS", default_value_t = 8)]
    connections: usize,
    /// The same seed makes the same world
    #[arg(long, value_name = "N", env = "CSS_VPCEP_EXPORTER_SEED", default_value_t = 1)]
    seed: u64,
    /// Whether the world changes by itself, or only by POST /__sim/step
    #[arg(long, value_name = "PACE", env = "CSS_VPCEP_EXPORTER_PACE", default_value = "auto")]
    pace: PaceArg,
    /// Faults to begin with: each NAME or NAME:PERCENT, several with blanks or commas between them
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
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PaceArg {
    Auto,
    Explicit,
}

fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err("it accepts anybody's changes, so only a loopback address is allowed".into()),
        Err(error) => Err(format!("{error}; expected an address like 127.0.0.1:10069")),
    }
}

fn faults() -> Vec<&'static str> {
    Fault::NAMES.iter().map(|(name, _)| *name).collect()
}

fn fault_names() -> String {
    let lines = Fault::NAMES.iter().map(|(name, what)| format!("  {name:<24} {what}"));
    format!("Faults:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

pub(super) async fn run(args: SimulateArgs) -> u8 {
    let settings = Settings {
        listen: args.listen,
        clusters: args.clusters,
        connections: args.connections,
        seed: args.seed,
        pace: match args.pace {
            PaceArg::Auto => Pace::Auto { step: STEP },
            PaceArg::Explicit => Pace::Explicit,
        },
        faults: args.fault,
        fixed_now: None,
    };
    match start(settings).await {
        Ok(()) => FINE,
        Err(error) => {
            complain(&error);
            FAILED
        }
    }
}

async fn start(settings: Settings) -> Result<(), String> {
    let listen = settings.listen;
    let sim =
        Sim::bind(settings).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let (shutdown, others) = signals::listen()?.split(None);
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
    tokio::select! {
        ended = sim.run(shutdown) => {
            ended.map_err(|error| format!("the simulated cloud ended: {error}"))
        }
        never = others => match never {},
    }
}
