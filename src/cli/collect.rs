//! `collect`: every cluster once, then the metrics on stdout.

mod recording;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::recording::RecordingFile;
use super::{
    args::ConfigArgs,
    exit::{self, Failure},
    log::LogArgs,
    poll_once::{MOST_NAMED, Outage, Round, in_part, outages, poll_once},
    signals,
    terminal::print,
};
use crate::{
    board::{ClusterMeta, Snapshot},
    clock::Clock,
    config::Config,
    exposition::{self, Format, Sources, Store},
};

#[derive(Args, Debug)]
pub(super) struct CollectArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also writes the cloud's answers to this new file: no secrets, and other ids, names and addresses
    #[arg(long, value_name = "FILE", env = "CSS_VPCEP_EXPORTER_RECORD")]
    record: Option<PathBuf>,
    #[command(flatten)]
    log: LogArgs,
}

pub(super) async fn run(args: CollectArgs) -> Result<u8, Failure> {
    let bar = ProgressBar::hidden();
    args.log.init_above(bar.clone());
    let config = args.config.load(None)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let recording = args.record.map(|path| RecordingFile::create(path, &config)).transpose()?;
    let collected = async |shutdown| {
        tokio::select! {
            collected = collect(config, recording, bar) => collected,
            () = shutdown => Err("interrupted".into()),
        }
    };
    Ok(exit::code(signals::listen()?.during(None, collected).await?))
}

/// Prints the page; false if a cluster or a list of clusters was not read, or not whole.
async fn collect(
    mut config: Config,
    recording: Option<RecordingFile>,
    bar: ProgressBar,
) -> Result<bool, Failure> {
    let recorder = recording.as_ref().map(|file| file.recorder.clone());
    let known = |clusters| show(&bar, clusters as u64);
    let round = poll_once(&mut config, recorder, known, || bar.inc(1)).await?;
    let Round { board, stats, is_all_discovered, .. } = round;
    bar.finish_and_clear();
    let snapshot = board.snapshot();
    tell(&snapshot);
    let page = Store::default().page(&board, &config.exposition, Clock::system().now());
    print(exposition::text(page, &Sources::own(stats), Format::Text004).trim_end());
    recording.map(RecordingFile::write).transpose()?;
    Ok(is_all_discovered && snapshot.clusters().iter().all(|state| state.is_whole()))
}

/// Prints why clusters were not read, or not completely.
fn tell(snapshot: &Snapshot) {
    for states in snapshot.clusters().chunk_by(|one, other| one.meta.project == other.meta.project)
    {
        for Outage { error, clusters } in outages(states) {
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
        let in_part = in_part(states);
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
