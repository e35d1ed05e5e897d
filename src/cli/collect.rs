//! `collect`: every cluster once, then the metrics on stdout.

mod recording;

use std::{fmt, path::PathBuf, sync::Arc};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::recording::RecordingFile;
use super::{
    args::ConfigArgs,
    exit::{self, Failure},
    log::LogArgs,
    poll_once::{MOST_NAMED, Outage, in_part, outages, poll_once},
    signals,
    terminal::print,
};
use crate::{
    app::Collector,
    board::{ClusterMeta, Snapshot},
    clock::Clock,
    cloud::CloudError,
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
    let (collector, is_all_discovered) =
        poll_once(&mut config, recorder, known, || bar.inc(1)).await?;
    let Collector { board, stats, .. } = collector;
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
        for Outage { error, failed } in outages(states) {
            tell_of(&failed, Some(&error), format_args!("clusters cannot be read: {error}"));
        }
        let in_part = in_part(states);
        if !in_part.is_empty() {
            let what = format_args!("not every connection of these clusters could be read");
            tell_of(&in_part, None, what);
        }
    }
}

/// Names the first of some clusters, and so many others that one sees what they have in common; the metric
/// `up` has them all.
fn tell_of(clusters: &[Arc<ClusterMeta>], error: Option<&CloudError>, what: fmt::Arguments<'_>) {
    let named = clusters.iter().take(MOST_NAMED).map(|cluster| &*cluster.name);
    let mut cluster_names = named.collect::<Vec<_>>().join(", ");
    if clusters.len() > MOST_NAMED {
        cluster_names.push_str(", …");
    }
    tracing::error!(
        project = &*clusters[0].project,
        cluster_id = clusters[0].id.as_str(),
        clusters = clusters.len(),
        cluster_names,
        reason = error.map(|error| error.reason.as_str()),
        code = error.and_then(|error| error.code.as_deref()),
        request_id = error.and_then(|error| error.request_id.as_deref()),
        "{what}"
    );
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
