//! The command line: flags in, a command run, an exit code out.

mod admin_api;
mod args;
mod audit;
mod check_config;
mod collect;
mod connection;
mod demo;
mod examples;
mod exit;
mod log;
mod man;
mod poll_once;
mod serve;
mod service;
mod signals;
mod simulate;
mod terminal;
mod token;

use std::{process::ExitCode, sync::LazyLock};

use clap::{Parser, Subcommand};

use self::{
    exit::{FAILED, FINE, Failure, USAGE},
    terminal::{complain, print},
};
use crate::stats::{REVISION, VERSION};

static VERSION_LINE: LazyLock<String> =
    LazyLock::new(|| format!("{VERSION} (revision {REVISION})"));

/// Prometheus exporter for the VPC endpoint connections of Huawei Cloud CSS clusters.
///
/// Without a command it serves, as `serve` does. `demo` needs no configuration and no account.
#[derive(Debug, Parser)]
#[command(name = "css-vpcep-exporter", version = &**VERSION_LINE, args_conflicts_with_subcommands = true, after_help = examples::of("css-vpcep-exporter"))]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Polls the configured clusters and serves their metrics (the default)
    #[command(after_help = examples::of("serve"))]
    Serve(serve::ServeArgs),
    /// Runs everything on a simulated cloud; needs no account and no configuration
    #[command(after_help = examples::of("demo"))]
    Demo(demo::DemoArgs),
    /// Runs the simulated cloud alone
    #[command(after_help = examples::of("simulate"))]
    Simulate(simulate::SimulateArgs),
    /// Polls every configured cluster once and prints the metrics
    #[command(after_help = examples::of("collect"))]
    Collect(collect::CollectArgs),
    /// Checks the configuration file and estimates the cost of its polls
    #[command(after_help = examples::of("check-config"))]
    CheckConfig(check_config::CheckConfigArgs),
    /// Shows and changes endpoint services, through the admin listener
    #[command(after_help = examples::of("service"))]
    Service(service::ServiceArgs),
    /// Lists, accepts and rejects connections of clusters, through the admin listener
    #[command(after_help = examples::of("connection"))]
    Connection(connection::ConnectionArgs),
    /// Verifies or shows the audit log
    #[command(after_help = examples::of("audit"))]
    Audit(audit::AuditArgs),
    /// Prints a script that completes commands and flags in a shell
    #[command(after_help = examples::of("completions"))]
    Completions(man::CompletionsArgs),
    /// Prints the manual page of the program or of one of its commands
    #[command(after_help = examples::of("man"))]
    Man(man::ManArgs),
    /// Creates an admin token
    #[command(after_help = examples::of("token"))]
    Token(token::TokenArgs),
}

/// Two, so that an answer need not wait for a page that is decoded. A fleet of 2,000 clusters needs a fiftieth
/// of one processor, and each further thread keeps memory of its own: with 8 the same fleet takes 120 MiB, not
/// 98.
const WORKERS: usize = 2;

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { FINE });
        }
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let ended = runtime.block_on(run(cli.command.unwrap_or(Command::Serve(cli.serve))));
    // A name lookup that hangs runs on a thread of its own and must not delay the end.
    runtime.shutdown_background();
    ExitCode::from(ended.unwrap_or_else(|Failure { code, text }| {
        complain(&text);
        code
    }))
}

async fn run(command: Command) -> Result<u8, Failure> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Simulate(args) => simulate::run(args).await,
        Command::Collect(args) => collect::run(args).await,
        Command::CheckConfig(args) => check_config::run(args).await,
        Command::Audit(args) => Ok(audit::run(args)),
        Command::Completions(args) => Ok(man::completions(&args)),
        Command::Man(args) => man::man(&args),
        Command::Service(args) => service::run(args).await,
        Command::Connection(args) => connection::run(args).await,
        Command::Token(args) => token::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
