//! The command line: flags in, a command run, an exit code out.

mod audit;
mod check_config;
mod collect;
mod demo;
mod failures;
mod generate;
mod log;
mod offered;
mod serve;
mod service;
mod signals;
mod simulate;
mod token;
mod visible;

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::LazyLock,
};

use clap::{
    Args, Parser, Subcommand,
    builder::{OsStringValueParser, TypedValueParser as _},
};

use crate::{
    app::App,
    config::{self, Config},
    stats::{REVISION, VERSION},
};

/// Everything went well.
const FINE: u8 = 0;
/// Something failed or is incomplete.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

static VERSION_LINE: LazyLock<String> =
    LazyLock::new(|| format!("{VERSION} (revision {REVISION})"));

/// Prometheus exporter for the VPC endpoint connections of Huawei Cloud CSS clusters.
///
/// Without a command it serves, as `serve` does. `demo` needs no configuration and no account.
#[derive(Debug, Parser)]
#[command(name = "css-vpcep-exporter", version = &**VERSION_LINE, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Polls the configured clusters and serves their metrics (the default)
    Serve(serve::ServeArgs),
    /// Shows everything at work on a simulated cloud: no account, no configuration
    Demo(demo::DemoArgs),
    /// Runs the simulated cloud alone
    Simulate(simulate::SimulateArgs),
    /// Polls every configured cluster once and prints the metrics
    Collect(collect::CollectArgs),
    /// Checks the configuration file and says what it will cost
    CheckConfig(check_config::CheckConfigArgs),
    /// Looks at endpoint services and changes them, through the admin listener
    Service(service::ServiceArgs),
    /// Checks the audit log, or shows what it says
    Audit(audit::AuditArgs),
    /// Prints a script that completes commands and flags in a shell
    Completions(generate::CompletionsArgs),
    /// Prints the manual page of the program or of one of its commands
    Man(generate::ManArgs),
    /// Makes an admin token
    Token(token::TokenArgs),
}

#[derive(Args, Debug)]
struct ConfigArgs {
    /// The configuration file
    #[arg(
        long = "config.file",
        value_name = "FILE",
        env = "CSS_VPCEP_EXPORTER_CONFIG_FILE",
        default_value = "css-vpcep-exporter.yml"
    )]
    config_file: PathBuf,
}

#[derive(Args, Debug)]
struct WebArgs {
    /// TLS, users and headers of the public listener, in the format of other exporters
    #[arg(long = "web.config.file", value_name = "FILE", env = "CSS_VPCEP_EXPORTER_WEB_CONFIG_FILE", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    web_config_file: Option<PathBuf>,
}

impl WebArgs {
    /// An empty name is as good as none: other exporters have it as the default.
    fn file(&self) -> Option<PathBuf> {
        self.web_config_file.clone().filter(|file| !file.as_os_str().is_empty())
    }
}

impl ConfigArgs {
    /// The configuration; its mistakes are told to the person at the terminal.
    fn load(&self, web: Option<&Path>) -> Option<Config> {
        config::load_with_web(&self.config_file, web, &config::process_environment)
            .inspect_err(|mistakes| complain(&mistakes.to_string()))
            .ok()
    }

    /// Checks the text of the configuration alone.
    fn check_syntax(&self, web: Option<&Path>) -> Option<Config> {
        config::check_syntax(&self.config_file, web)
            .inspect_err(|mistakes| complain(&mistakes.to_string()))
            .ok()
    }
}

/// The facts about the configuration in the first line of the daemon's log.
struct Beginning {
    clusters: usize,
    public_tls: bool,
    admin_tls: bool,
}

impl Beginning {
    fn of(config: &Config) -> Self {
        Self {
            clusters: config.own_clusters().count(),
            public_tls: config.web.tls.is_some(),
            admin_tls: config.admin.as_ref().is_some_and(|admin| admin.web.tls.is_some()),
        }
    }

    fn log(self, app: &App, config_file: impl fmt::Display) {
        let admin = app.admin_address();
        tracing::info!(
            version = VERSION,
            revision = REVISION,
            %config_file,
            clusters = self.clusters,
            public = %app.public_address(),
            public_tls = self.public_tls,
            admin = admin.map(tracing::field::display),
            admin_tls = admin.map(|_| self.admin_tls),
            "listening"
        );
    }
}

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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let code = runtime.block_on(async {
        match cli.command.unwrap_or(Command::Serve(cli.serve)) {
            Command::Serve(args) => serve::run(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Simulate(args) => simulate::run(args).await,
            Command::Collect(args) => collect::run(args).await,
            Command::CheckConfig(args) => check_config::run(args).await,
            Command::Audit(args) => audit::run(args),
            Command::Completions(args) => generate::completions(&args),
            Command::Man(args) => generate::man(&args),
            Command::Service(args) => service::run(args).await,
            Command::Token(args) => token::run(&args),
        }
    });
    // A name lookup that hangs runs on a thread of its own and must not hold the end up.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// A line for the person at the terminal.
fn complain(line: &str) {
    use std::io::Write as _;
    // Nothing can be done about a terminal that is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A line of a command's result. False when nobody reads them any more.
fn print(line: &str) -> bool {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

/// Addresses to try in turn. As in other exporters, `:10067` means all addresses of the machine.
fn parse_listen_address(text: &str) -> Result<ListenAddress, String> {
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse::<u16>().map_err(|error| format!("port {port:?}: {error}"))?;
        let every = [(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()];
        return Ok(ListenAddress(every.to_vec()));
    }
    let addresses: Vec<_> = text
        .to_socket_addrs()
        .map_err(|error| format!("{error}; expected HOST:PORT or :PORT"))?
        .collect();
    Ok(ListenAddress(addresses))
}

#[derive(Clone, Debug)]
struct ListenAddress(Vec<SocketAddr>);

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn listen_addresses_are_those_of_other_exporters() {
        let parsed = |text| parse_listen_address(text).map(|ListenAddress(all)| all);
        let every = parsed(":10067").unwrap();
        assert_eq!(every.iter().map(|address| address.port()).collect::<Vec<_>>(), [10067, 10067]);
        assert!(every.iter().all(|address| address.ip().is_unspecified()));
        assert_eq!(parsed("127.0.0.1:0").unwrap(), ["127.0.0.1:0".parse().unwrap()]);
        assert_eq!(parsed("[::1]:80").unwrap(), ["[::1]:80".parse().unwrap()]);
        for text in ["", "10067", ":", ":x", ":70000", "127.0.0.1", "127.0.0.1:"] {
            assert!(parsed(text).is_err(), "{text:?}");
        }
    }
}
