//! Reloads the configuration while everything runs: whole, or not at all.

use std::{future::Future, net::SocketAddr, path::PathBuf};

use tokio::sync::mpsc;

use super::{change_side::ChangeControls, options::Loader, read_side::ReadControls};
use crate::{
    config::{Config, ConfigError},
    public::ReloadRequest,
};

/// Reads the configuration again and gives it to both sides.
pub(super) struct Reloader {
    pub(super) load: Loader,
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    pub(super) fixed: Fixed,
    pub(super) read: ReadControls,
    pub(super) change: Option<ChangeControls>,
}

/// The settings that only a restart changes.
#[derive(Debug)]
pub(super) struct Fixed {
    state_file: Option<PathBuf>,
    public_tls: bool,
    /// Only shard 0 opens an admin listener.
    is_first_shard: bool,
    admin: Option<FixedAdmin>,
}

#[derive(Debug)]
struct FixedAdmin {
    listen: SocketAddr,
    tls: bool,
    audit_log: Option<PathBuf>,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        let admin = config.admin.as_ref().map(|admin| FixedAdmin {
            listen: admin.listen,
            tls: admin.web.tls.is_some(),
            audit_log: config.audit_log.clone(),
        });
        Self {
            state_file: config.state_file.clone(),
            public_tls: config.web.tls.is_some(),
            is_first_shard: config.shard.index == 0,
            admin,
        }
    }

    /// The keys whose value in `now` differs from the one in force.
    fn differences(&self, now: &Self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        let mut compare = |key, differs: bool| keys.extend(differs.then_some(key));
        compare("state_file", self.state_file != now.state_file);
        compare("tls_server_config of --web.config.file", self.public_tls != now.public_tls);
        match (&self.admin, &now.admin) {
            (Some(_), Some(_)) if self.is_first_shard != now.is_first_shard => {
                compare("shard.index", true);
            }
            (Some(before), Some(after)) if self.is_first_shard => {
                compare("admin.listen", before.listen != after.listen);
                let tls = "tls_server_config of admin.web_config_file";
                compare(tls, before.tls != after.tls);
                compare("admin.audit_log", before.audit_log != after.audit_log);
            }
            (None, Some(_)) if now.is_first_shard => compare("admin", true),
            (Some(_), None) if self.is_first_shard => compare("admin", true),
            _ => {}
        }
        keys
    }
}

impl Reloader {
    /// Reloads on request, until `shutdown` is ready. Requests that come during a reload are answered by the
    /// next one together: a storm of requests is one reload.
    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        loop {
            let first = tokio::select! {
                () = &mut shutdown => return,
                Some(request) = self.requests.recv() => request,
            };
            let mut asked = vec![first];
            while let Ok(request) = self.requests.try_recv() {
                asked.push(request);
            }
            // Not cancelled by a shutdown: it ends within milliseconds.
            let result = self.reload().await;
            // The same signal means that the audit log was renamed, also if the reload failed.
            self.change.iter().for_each(ChangeControls::reopen_log);
            for request in asked {
                request.answer(result.clone().map_err(|error| error.to_string()));
            }
        }
    }

    /// Reloads, and returns the keys whose new values need a restart.
    async fn reload(&mut self) -> Result<Vec<&'static str>, ConfigError> {
        let load = self.load.clone();
        let loaded = tokio::task::spawn_blocking(move || load()).await.unwrap_or_else(|_| {
            Err(ConfigError {
                mistakes: vec!["reading the configuration failed by a fault".into()],
            })
        });
        let mut config = loaded.inspect_err(|error| {
            self.read.rejected();
            for mistake in &error.mistakes {
                tracing::error!("the configuration is not reloaded: {mistake}");
            }
        })?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let pending = self.fixed.differences(&Fixed::of(&config));
        if !pending.is_empty() {
            tracing::warn!("in effect only after a restart: {}", pending.join(", "));
        }
        let clusters = config.own_clusters().count();
        self.read.take(&mut config, &pending).await;
        if let Some(change) = &self.change {
            change.take(&mut config, self.read.for_changes());
        }
        tracing::info!(clusters, "configuration reloaded");
        Ok(pending)
    }
}
