//! `collect`: every cluster once, then the metrics on stdout.

use std::collections::BTreeMap;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{ConfigArgs, FAILED, FINE, USAGE, complain, log::LogArgs, print, random_seed, signals};
use crate::{
    app::{self, Collector},
    board::{ClusterState, Snapshot},
    clock::Clock,
    cloud::CloudError,
    config::Config,
    exposition::{self, Format, Small, Store},
    poll,
};

/// Enough names to see a pattern; the metric `up` has them all.
const MOST_NAMED: usize = 10;

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
    let collector = app::collector(&mut config, &clock, random_seed());
    let Collector { projects, board, stats, .. } = collector.map_err(|error| error.to_string())?;
    show(&bar, clusters as u64);
    poll::once(projects, &board, &clock, &stats, |_, _| bar.inc(1)).await;
    bar.finish_and_clear();
    let snapshot = board.snapshot();
    for (cause, clusters) in causes(&snapshot) {
        tell(cause, &clusters);
    }
    let page = Store::default().page(&snapshot, &settings, clock.now());
    print(exposition::text(page, &Small::own(stats), Format::Text004).trim_end());
    Ok(snapshot.clusters().iter().all(|state| state.is_whole()))
}

/// Why clusters were not read, or only in part: project, reason and code.
type Cause<'a> = (&'a str, Option<(&'a str, Option<&'a str>)>);

/// Logs failures with the same cause together, so that an outage is one line.
fn causes(snapshot: &Snapshot) -> BTreeMap<Cause<'_>, Vec<&ClusterState>> {
    let mut causes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for state in snapshot.clusters().iter().filter(|state| !state.is_whole()) {
        let error = error_of(state).map(|error| (error.reason.as_str(), error.code.as_deref()));
        causes.entry((&*state.meta.project, error)).or_default().push(&**state);
    }
    causes
}

fn error_of(state: &ClusterState) -> Option<&CloudError> {
    state.last_poll().and_then(|poll| poll.error.as_ref())
}

fn tell((project, _): Cause<'_>, clusters: &[&ClusterState]) {
    let named = clusters.iter().take(MOST_NAMED).map(|state| &*state.meta.name);
    let mut cluster_names = named.collect::<Vec<_>>().join(", ");
    if clusters.len() > MOST_NAMED {
        cluster_names.push_str(", …");
    }
    let Some(first) = clusters.first() else { return };
    match error_of(first) {
        Some(error) => tracing::error!(
            project,
            cluster_id = first.meta.id.as_str(),
            clusters = clusters.len(),
            cluster_names,
            reason = error.reason.as_str(),
            code = error.code,
            request_id = error.request_id,
            "clusters cannot be read: {error}"
        ),
        None => tracing::error!(
            project,
            cluster_id = first.meta.id.as_str(),
            clusters = clusters.len(),
            cluster_names,
            "not every connection of these clusters could be read"
        ),
    }
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
