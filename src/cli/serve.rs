//! `serve`: the daemon.

use std::sync::Arc;

use clap::{Args, builder::FalseyValueParser};

use super::{
    Beginning, ConfigArgs, FAILED, FINE, ListenAddress, USAGE, WebArgs, complain, log::LogArgs,
    parse_listen_address, signals,
};
use crate::{
    app::{App, Loader, Options, StartError, Supervisor},
    change::Timings,
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
    #[command(flatten)]
    web: WebArgs,
    /// The path of the metrics
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        env = "CSS_VPCEP_EXPORTER_WEB_TELEMETRY_PATH",
        default_value = "/metrics",
        value_parser = parse_telemetry_path
    )]
    telemetry_path: String,
    /// Lets POST and PUT on /-/reload reload the configuration, as SIGHUP does
    #[arg(long = "web.enable-lifecycle", env = "CSS_VPCEP_EXPORTER_WEB_ENABLE_LIFECYCLE", value_parser = FalseyValueParser::new())]
    lifecycle: bool,
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
    match serve(args).await {
        Ok(()) => FINE,
        Err(failure) => {
            complain(&failure.text);
            failure.code
        }
    }
}

struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(code: u8, text: impl std::fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }
}

async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let (file, web) = (args.config.config_file, args.web.file());
    let config_file = file.display().to_string();
    let load: Loader = Arc::new(move || {
        config::load_with_web(&file, web.as_deref(), &config::process_environment)
    });
    let config = load().map_err(|mistakes| Failure::new(USAGE, mistakes))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let beginning = Beginning::of(&config);
    let mut signals = signals::listen().map_err(|error| Failure::new(FAILED, error))?;
    let options = Options {
        listen: args.listen.0,
        admin_fallback: None,
        telemetry_path: args.telemetry_path,
        lifecycle: args.lifecycle,
        load,
        clock: Clock::system(),
        changes: Timings::DEFAULT,
    };
    let bound = tokio::select! {
        bound = App::bind(config, options) => bound,
        () = signals.end() => return Ok(()),
    };
    let app = bound.map_err(|error| match error {
        StartError::Configuration(_) => Failure::new(USAGE, error),
        StartError::Machine(_) => Failure::new(FAILED, error),
    })?;
    beginning.log(&app, config_file);
    let supervisor = Supervisor::of_environment(&config::process_environment);
    let supervisor = supervisor.unwrap_or_else(|why| {
        tracing::warn!("the service manager cannot be told how it goes: {why}");
        None
    });
    let app = app.supervised_by(supervisor);
    let (shutdown, others) = signals.split(Some(app.reload_handle()));
    tokio::select! {
        ended = app.run(shutdown) => ended.map_err(|died| Failure::new(FAILED, died)),
        never = others => match never {},
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
