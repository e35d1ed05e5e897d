//! What makes changes of endpoint services, where there is an admin listener: the engine, the audit
//! log, and what they need of the other parts.

use std::{future::Future, path::Path, sync::Arc};

use tokio::sync::watch;

use super::StartError;
use crate::{
    audit::{Audit, AuditStats, AuditWriter, Kind, Recovered},
    board::{Board, ServiceBoard, ServiceMeta},
    change::{Changes, Engine, Parts, PollBehind, Projects},
    clock::Clock,
    huawei,
    model::ClusterId,
    poll::PollHandle,
    stats::{AuditReading, Stats},
};

/// The parts that run.
pub(super) struct Changing {
    pub(super) engine: Engine<huawei::Client, Option<Audit>>,
    pub(super) writer: Option<AuditWriter>,
}

/// What others hold of them.
pub(super) struct Handles {
    pub(super) changes: Changes,
    /// `None`: not configured, and no change is made.
    pub(super) audit: Option<Audit>,
}

/// What they are made of.
pub(super) struct Needs {
    pub(super) projects: watch::Receiver<Projects<huawei::Client>>,
    pub(super) services: ServiceBoard,
    pub(super) board: Board,
    pub(super) polls: PollHandle,
    pub(super) clock: Clock,
    pub(super) stats: Arc<Stats>,
}

/// Opens the audit log and makes the engine.
///
/// # Errors
/// A log that cannot be used.
pub(super) async fn open(
    audit_log: Option<&Path>,
    needs: Needs,
) -> Result<(Changing, Handles), StartError> {
    let Needs { projects, services, board, polls, clock, stats } = needs;
    let (audit, writer, dangling) = match audit_log {
        Some(path) => {
            let (audit, writer, recovered) = open_log(path, &clock).await?;
            let reader = audit.stats();
            stats.watch_audit(Arc::new(move || reading(&reader)));
            (Some(audit), Some(writer), recovered.unresolved)
        }
        None => {
            tracing::warn!("admin.audit_log is not configured: no endpoint service can be changed");
            (None, None, Vec::new())
        }
    };
    let (engine, changes) = Engine::new(Parts {
        projects,
        board: services,
        recorder: audit.clone(),
        clock,
        stats,
        poll_behind: poll_behind(board, polls),
        dangling,
    });
    Ok((Changing { engine, writer }, Handles { changes, audit }))
}

async fn open_log(
    path: &Path,
    clock: &Clock,
) -> Result<(Audit, AuditWriter, Recovered), StartError> {
    let (path, clock) = (path.to_owned(), clock.clone());
    let opened = tokio::task::spawn_blocking(move || Audit::open(&path, clock)).await;
    let opened = opened.map_err(|_| "opening the audit log failed by a fault".to_owned());
    let (audit, writer, recovered) = opened
        .and_then(|opened| opened.map_err(|error| error.to_string()))
        .map_err(StartError::Configuration)?;
    if let Some(torn) = &recovered.torn {
        tracing::warn!(
            file = %torn.display(),
            "the last line of the audit log was not written to its end; it was put aside"
        );
    }
    Ok((audit, writer, recovered))
}

fn reading(stats: &AuditStats) -> AuditReading {
    let records = Kind::ALL.into_iter().map(Kind::as_str).zip(stats.records());
    AuditReading {
        healthy: stats.is_healthy(),
        records: records.collect(),
        write_failures: stats.write_failures(),
        last_sequence: stats.last_sequence(),
    }
}

/// After a change the clusters behind the service are polled at once.
fn poll_behind(board: Board, polls: PollHandle) -> PollBehind {
    Box::new(move |service: &ServiceMeta| {
        let behind = clusters_behind(&board, service);
        if !behind.is_empty() && !polls.poll_soon(behind) {
            tracing::debug!("the scheduler is busy; clusters behind a service wait for their turn");
        }
    })
}

fn clusters_behind(board: &Board, service: &ServiceMeta) -> Vec<ClusterId> {
    let snapshot = board.snapshot();
    let clusters = snapshot.clusters().iter().filter(|state| {
        let name = state.observation.as_ref().and_then(|seen| seen.list.service_name.as_ref());
        name.is_some_and(|name| name.service_id() == service.id.as_str())
    });
    clusters.map(|state| state.meta.id.clone()).collect()
}

/// Keeps the audit log's writer until `all_recorded`, then lets it write what waits.
pub(super) async fn keep_log(mut writer: AuditWriter, all_recorded: impl Future<Output = ()>) {
    tokio::pin!(all_recorded);
    tokio::select! {
        () = &mut all_recorded => {}
        () = writer.ended() => {
            tracing::error!(
                "the writer of the audit log ended by a fault of the exporter: no change is made \
                 until it is started anew"
            );
            all_recorded.await;
        }
    }
    if writer.close().await.is_err() {
        tracing::error!("the writer of the audit log panicked");
    }
}
