//! `serve`: the daemon.

use clap::Args;

use super::{
    ConfigArgs, FAILED, FINE, ListenAddress, USAGE, complain, log::LogArgs, parse_listen_address,
    random_seed, signals,
};
use crate::{
    app::{App, Options},
    clock::Clock,
    config,
};

#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the metrics are served; :PORT means on every address
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        env = "CSS_VPCEP_EXPORTER_WEB_LISTEN_ADDRESS",
        default_value = ":10067",
        value_parser = parse_listen_address
    )]
    listen: ListenAddress,
    /// The path of the metrics
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        env = "CSS_VPCEP_EXPORTER_WEB_TELEMETRY_PATH",
        default_value = "/metrics",
        value_parser = parse_telemetry_path
    )]
    telemetry_path: String,
    #[command(flatten)]
    log: LogArgs,
}

fn parse_telemetry_path(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let taken = ["/-", "/api", "/clusters", "/config"];
    let is_taken = |prefix: &str| text == prefix || text.starts_with(&format!("{prefix}/"));
    if !text.starts_with('/') || !text.bytes().all(plain) {
        return Err("expected a path like /metrics".into());
    }
    match taken.into_iter().find(|prefix| is_taken(prefix)) {
        Some(prefix) => Err(format!("paths below {prefix} are taken")),
        None => Ok(text.to_owned()),
    }
}

pub(super) async fn run(args: ServeArgs) -> u8 {
    args.log.init();
    let config = match config::load(&args.config.config_file, &config::process_environment) {
        Ok(config) => config,
        Err(mistakes) => {
            complain(&mistakes.to_string());
            return USAGE;
        }
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let shutdown = match signals::shutdown() {
        Ok(shutdown) => shutdown,
        Err(error) => {
            complain(&format!("signals cannot be handled: {error}"));
            return FAILED;
        }
    };
    let options = Options {
        listen: args.listen.0,
        admin_fallback: None,
        telemetry_path: args.telemetry_path,
        clock: Clock::system(),
        seed: random_seed(),
    };
    let app = match App::bind(config, options).await {
        Ok(app) => app,
        Err(error) => {
            complain(&error);
            return FAILED;
        }
    };
    match app.run(shutdown).await {
        Ok(()) => FINE,
        Err(error) => {
            tracing::error!("{error}");
            FAILED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_paths_are_plain_and_take_nobody_elses_place() {
        for good in ["/metrics", "/", "/a/b-c_d.e~f", "/apis"] {
            assert_eq!(parse_telemetry_path(good), Ok(good.to_owned()));
        }
        for bad in ["", "metrics", "/a b", "/{x}", "/-/healthy", "/api/v1/clusters", "/-", "/a?b"] {
            assert!(parse_telemetry_path(bad).is_err(), "{bad}");
        }
    }
}
