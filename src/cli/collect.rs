//! `collect`: every cluster once, then the metrics on stdout.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{ConfigArgs, FAILED, FINE, USAGE, complain, log::LogArgs, print, random_seed, signals};
use crate::{
    app::{self, Collector},
    clock::Clock,
    config::Config,
    exposition::{self, Format, Small, Store},
    poll,
};

#[derive(Args, Debug)]
pub(super) struct CollectArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    log: LogArgs,
}

pub(super) async fn run(args: CollectArgs) -> u8 {
    args.log.init();
    let Some(config) = args.config.load(None) else { return USAGE };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let collected = async {
        let (shutdown, others) = signals::listen()?.split(None);
        tokio::select! {
            collected = collect(config) => collected,
            () = shutdown => Err("interrupted".to_owned()),
            never = others => match never {},
        }
    };
    match collected.await {
        Ok(true) => FINE,
        Ok(false) => FAILED,
        Err(error) => {
            complain(&error);
            FAILED
        }
    }
}

/// Prints the page; false if a cluster was not read, or not whole.
async fn collect(mut config: Config) -> Result<bool, String> {
    let clock = Clock::system();
    let clusters = config.own_clusters().count();
    let settings = config.exposition;
    let collector = app::collector(&mut config, &clock, random_seed());
    let Collector { projects, board, stats, .. } = collector.map_err(|error| error.to_string())?;
    let bar = progress_bar(clusters as u64);
    poll::once(projects, &board, &clock, &stats, |cluster, error| {
        if let Some(error) = error {
            bar.suspend(|| {
                tracing::error!(
                    cluster_id = cluster.as_str(),
                    reason = error.reason.as_str(),
                    request_id = error.request_id,
                    "a cluster cannot be read: {error}"
                );
            });
        }
        bar.inc(1);
    })
    .await;
    bar.finish_and_clear();
    let snapshot = board.snapshot();
    let read = snapshot.clusters().iter().filter(|state| state.observation.is_some());
    for state in read.filter(|state| !state.is_whole()) {
        let meta = &state.meta;
        tracing::error!(
            project = &*meta.project,
            cluster_id = meta.id.as_str(),
            cluster_name = &*meta.name,
            "not every connection of a cluster could be read"
        );
    }
    let page = Store::default().page(&snapshot, &settings, clock.now());
    print(exposition::text(page, &Small::own(stats), Format::Text004).trim_end());
    Ok(snapshot.clusters().iter().all(|state| state.is_whole()))
}

/// Drawn on stderr, and only where that is a terminal.
fn progress_bar(clusters: u64) -> ProgressBar {
    let bar = ProgressBar::new(clusters);
    let style = ProgressStyle::with_template(
        "{bar:40} {pos}/{len} clusters, {elapsed} elapsed, {eta} to go",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
