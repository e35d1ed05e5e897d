//! The change side, where there is an admin listener: the engine that makes changes, the audit log, and
//! the listener itself.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc};

use axum::Router;
use tokio::sync::watch;

use super::{error::StartError, listen::bind, options::Options, read_side::ReadSide, tasks::Tasks};
use crate::{
    admin::{self, Access},
    audit::{Audit, AuditStats, AuditWriter, Kind, Record, Recovered},
    change::{self, Engine, Env, PollSoon},
    clock::Clock,
    config::Config,
    huawei,
    model::ClusterId,
    poll::PollHandle,
    stats::{AuditReading, ReadAudit},
    web::{Bound, Limits, WebSettings},
};

/// The change side, bound but not running.
pub(super) struct ChangeSide {
    listener: (Bound, Router),
    engine: Engine<huawei::Client, Option<Audit>>,
    writer: Option<AuditWriter>,
}

/// The parts of the change side that a reload changes.
pub(super) struct ChangeControls {
    projects: watch::Sender<change::Projects<huawei::Client>>,
    access: watch::Sender<Access>,
    web: watch::Sender<WebSettings>,
    address: SocketAddr,
    audit: Option<Audit>,
}

impl ChangeSide {
    /// Builds it and takes its socket. It is absent without an admin listener in the configuration, and in
    /// every shard but the first, so that there is one place where changes are made.
    ///
    /// # Errors
    /// An address or an audit log that cannot be used.
    pub(super) async fn bind(
        config: &mut Config,
        options: &Options,
        read: &ReadSide,
        projects: change::Projects<huawei::Client>,
    ) -> Result<Option<(Self, ChangeControls)>, StartError> {
        let Some(settings) = config.admin.take() else { return Ok(None) };
        if config.shard.index > 0 {
            tracing::info!(shard = config.shard.index, "shard 0 has the admin listener");
            return Ok(None);
        }
        let (audit, writer, dangling) = open_log(config.audit_log.as_deref(), read).await?;
        let shared = &read.shared;
        let (projects, projects_in_force) = watch::channel(projects);
        let env = Env {
            services: shared.services.clone(),
            clusters: shared.board.clone(),
            recorder: audit.clone(),
            clock: shared.clock.clone(),
            stats: shared.stats.clone(),
            poll_soon: poll_soon(read.polls.clone()),
            timings: options.changes,
        };
        let (engine, changes) = Engine::new(env, projects_in_force, dangling);
        let addresses: Vec<_> =
            [settings.listen].into_iter().chain(options.admin_fallback).collect();
        let (web, web_in_force) = watch::channel(settings.web.clone());
        let bound =
            bind(&addresses).await?.with_limits(Limits::ADMIN).with_web(web_in_force.clone());
        let address = bound.address();
        let stale_after = config.exposition.stale_after;
        let (access, access_in_force) = watch::channel(Access::of(&settings, address, stale_after));
        let parts = admin::Parts {
            board: shared.board.clone(),
            services: shared.services.clone(),
            polls: read.polls.clone(),
            changes,
            audit: audit.clone(),
            stats: shared.stats.clone(),
            clock: shared.clock.clone(),
        };
        let listener = (bound, admin::router(parts, access_in_force, web_in_force));
        let controls = ChangeControls { projects, access, web, address, audit };
        Ok(Some((Self { listener, engine, writer }, controls)))
    }

    /// The address of the admin listener.
    pub(super) fn address(&self) -> SocketAddr {
        self.listener.0.address()
    }

    /// Starts its tasks.
    pub(super) fn spawn(self, tasks: &mut Tasks) {
        let Self { listener: (bound, router), engine, writer } = self;
        tasks.admin.spawn("admin listener", |stop| bound.serve(router, stop));
        tasks.changes.spawn("maker of changes", |stop| engine.run(stop));
        if let Some(writer) = writer {
            tasks.keepers.spawn("audit log", |stop| keep_log(writer, stop));
        }
    }
}

impl ChangeControls {
    /// Takes over a new configuration.
    pub(super) fn take(&self, config: &mut Config, projects: change::Projects<huawei::Client>) {
        self.projects.send_replace(projects);
        let Some(admin) = config.admin.take() else {
            // Without configured tokens no one may enter.
            self.access.send_replace(Access::default());
            return;
        };
        let stale_after = config.exposition.stale_after;
        self.access.send_replace(Access::of(&admin, self.address, stale_after));
        self.web.send_modify(|in_force| *in_force = admin.web.after(in_force));
    }

    /// Opens the audit log again, in case it was renamed.
    pub(super) fn reopen_log(&self) {
        self.audit.iter().for_each(Audit::reopen);
    }
}

/// Opens the configured audit log; the third part are the changes that an earlier process left open.
async fn open_log(
    path: Option<&Path>,
    read: &ReadSide,
) -> Result<(Option<Audit>, Option<AuditWriter>, Vec<Record>), StartError> {
    let Some(path) = path else {
        tracing::warn!("admin.audit_log is not configured: nothing can be changed");
        return Ok((None, None, Vec::new()));
    };
    let (audit, writer, recovered) = recover_log(path, &read.shared.clock).await?;
    let reader = audit.stats();
    read.shared.stats.watch_audit(ReadAudit(Arc::new(move || reading(&reader))));
    Ok((Some(audit), Some(writer), recovered.unresolved))
}

async fn recover_log(
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

/// Polls the clusters of a change at once after it.
fn poll_soon(polls: PollHandle) -> PollSoon {
    Box::new(move |clusters: Vec<ClusterId>| {
        if !clusters.is_empty() && !polls.poll_soon(clusters) {
            tracing::debug!("the scheduler is busy; the clusters of a change wait for their turn");
        }
    })
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
