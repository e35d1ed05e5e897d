//! `serve`: the daemon.

use std::{fmt, sync::Arc};

use clap::{Args, builder::FalseyValueParser};

use super::{
    args::{ConfigArgs, ListenAddress, WebArgs, parse_listen_address},
    exit::{FINE, Failure},
    log::LogArgs,
    signals,
};
use crate::{
    app::{App, Loader, Options, Supervisor},
    change::Timings,
    clock::Clock,
    config::{self, Config},
    huawei::METADATA_URL,
    stats::{REVISION, VERSION},
};

#[derive(Args, Debug)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The address to serve the metrics on; :PORT means every address
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

/// True for the public and for the admin listener if they have TLS.
pub(super) fn tls(config: &Config) -> [bool; 2] {
    let admin = config.admin.as_ref();
    [config.web.tls.is_some(), admin.is_some_and(|admin| admin.web.tls.is_some())]
}

/// The first line of the daemon's log.
pub(super) fn begin(app: &App, config_file: impl fmt::Display, [public_tls, admin_tls]: [bool; 2]) {
    let admin = app.admin_address();
    tracing::info!(
        version = VERSION,
        revision = REVISION,
        %config_file,
        // With those that were discovered before a restart.
        clusters = app.board().snapshot().clusters().len(),
        public = %app.public_address(),
        public_tls,
        admin = admin.map(tracing::field::display),
        admin_tls = admin.map(|_| admin_tls),
        "listening"
    );
}

pub(super) async fn run(args: ServeArgs) -> Result<u8, Failure> {
    args.log.init();
    let (source, web) = (args.config, args.web.file());
    let config_file = source.config_file.display().to_string();
    let load: Loader = Arc::new(move || source.load(web.as_deref()));
    let config = load()?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let tls = tls(&config);
    let mut signals = signals::listen()?;
    let options = Options {
        listen: args.listen.0,
        admin_fallback: None,
        telemetry_path: args.telemetry_path,
        lifecycle: args.lifecycle,
        load,
        metadata_url: METADATA_URL.into(),
        clock: Clock::system(),
        changes: Timings::DEFAULT,
    };
    let app = tokio::select! {
        bound = App::bind(config, options) => bound?,
        () = signals.end() => return Ok(FINE),
    };
    begin(&app, config_file, tls);
    let supervisor = Supervisor::of_environment(&config::process_environment);
    let supervisor = supervisor.unwrap_or_else(|why| {
        tracing::warn!("the service manager cannot be notified: {why}");
        None
    });
    let (reload, app) = (app.reload_handle(), app.supervised_by(supervisor));
    let ended = signals.during(Some(reload), |shutdown| app.run(shutdown)).await;
    ended.map_err(|died| died.to_string())?;
    Ok(FINE)
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
