//! `collect`: every cluster once, then the metrics on stdout.

use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    ConfigArgs, FAILED, FINE, USAGE, complain,
    failures::{Failure, MOST_NAMED, failures},
    log::LogArgs,
    print, signals,
};
use crate::{
    app::{self, Collector},
    board::{ClusterMeta, Snapshot},
    clock::Clock,
    config::Config,
    exposition::{self, Format, Sources, Store},
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
    let bar = ProgressBar::hidden();
    args.log.init_above(bar.clone());
    let Some(config) = args.config.load(None) else { return USAGE };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let collected = async {
        let (shutdown, others) = signals::listen()?.split(None);
        tokio::select! {
            collected = collect(config, bar) => collected,
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
async fn collect(mut config: Config, bar: ProgressBar) -> Result<bool, String> {
    let clock = Clock::system();
    let clusters = config.own_clusters().count();
    let settings = config.exposition;
    let collector = app::collector(&mut config, &clock);
    let Collector { projects, board, stats, .. } = collector.map_err(|error| error.to_string())?;
    show(&bar, clusters as u64);
    poll::once(projects, &board, &clock, &stats, |_, _| bar.inc(1)).await;
    bar.finish_and_clear();
    let snapshot = board.snapshot();
    tell(&snapshot);
    let page = Store::default().page(&board, &settings, clock.now());
    print(exposition::text(page, &Sources::own(stats), Format::Text004).trim_end());
    Ok(snapshot.clusters().iter().all(|state| state.is_whole()))
}

/// Says why clusters were not read, or not whole.
fn tell(snapshot: &Snapshot) {
    for states in snapshot.clusters().chunk_by(|one, other| one.meta.project == other.meta.project)
    {
        for Failure { error, clusters } in failures(states) {
            let (first, cluster_names) = named(&clusters);
            tracing::error!(
                project = &*first.project,
                cluster_id = first.id.as_str(),
                clusters = clusters.len(),
                cluster_names,
                reason = error.reason.as_str(),
                code = error.code,
                request_id = error.request_id,
                "clusters cannot be read: {error}"
            );
        }
        let in_part =
            states.iter().filter(|state| state.observation.is_some() && !state.is_whole());
        let in_part: Vec<_> = in_part.map(|state| state.meta.clone()).collect();
        if !in_part.is_empty() {
            let (first, cluster_names) = named(&in_part);
            tracing::error!(
                project = &*first.project,
                cluster_id = first.id.as_str(),
                clusters = in_part.len(),
                cluster_names,
                "not every connection of these clusters could be read"
            );
        }
    }
}

/// The first of some clusters, and the names of so many that one sees what they have in common; the
/// metric `up` has them all.
fn named(clusters: &[Arc<ClusterMeta>]) -> (&ClusterMeta, String) {
    let named = clusters.iter().take(MOST_NAMED).map(|cluster| &*cluster.name);
    let mut names = named.collect::<Vec<_>>().join(", ");
    if clusters.len() > MOST_NAMED {
        names.push_str(", …");
    }
    (&clusters[0], names)
}

/// Drawn on stderr, and only where that is a terminal.
fn show(bar: &ProgressBar, clusters: u64) {
    let style = ProgressStyle::with_template(
        "{bar:40} {pos}/{len} clusters, {elapsed} elapsed, {eta} to go",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_length(clusters);
    bar.set_draw_target(ProgressDrawTarget::stderr());
}
