//! Reloads the configuration while everything runs: whole, or not at all.

use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::sync::{mpsc, watch};

use super::{Loader, projects::Projects};
use crate::{
    audit::Audit,
    board::ServiceBoard,
    change,
    clock::{Clock, unix_seconds},
    cloud::Clouds,
    config::{Config, ConfigError},
    http::{Access, Live, ReloadRequest, WebSettings},
    huawei,
    poll::RosterHandle,
    stats::Stats,
};

/// Everything that a new configuration changes.
pub(super) struct Reloader {
    pub(super) load: Loader,
    pub(super) requests: mpsc::Receiver<ReloadRequest>,
    pub(super) projects: Projects,
    pub(super) services: ServiceBoard,
    pub(super) roster: RosterHandle<huawei::Client>,
    pub(super) live: watch::Sender<Live>,
    pub(super) access: watch::Sender<Access>,
    pub(super) public_web: watch::Sender<WebSettings>,
    pub(super) admin_web: watch::Sender<WebSettings>,
    pub(super) clouds: watch::Sender<Clouds<huawei::Client>>,
    pub(super) for_changes: watch::Sender<change::Projects<huawei::Client>>,
    pub(super) audit: Option<Audit>,
    pub(super) admin_address: Option<SocketAddr>,
    pub(super) fixed: Fixed,
    pub(super) clock: Clock,
    pub(super) stats: Arc<Stats>,
}

/// What only a restart changes.
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
    /// Reloads whenever it is asked to, until `shutdown` is ready. Whoever asked while a reload was
    /// under way is answered by the next one: a storm of requests is one reload.
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
            // Not given up half-way: a reload takes some milliseconds, and then ends.
            let result = self.reload().await;
            // Rotation: whoever renamed the log says so by the same signal, be the file good or not.
            self.audit.iter().for_each(Audit::reopen);
            for request in asked {
                request.answer(result.clone().map_err(|error| error.to_string()));
            }
        }
    }

    /// The keys whose new values need a restart.
    async fn reload(&mut self) -> Result<Vec<&'static str>, ConfigError> {
        let load = self.load.clone();
        let loaded = tokio::task::spawn_blocking(move || load()).await;
        let config = match loaded {
            Ok(Ok(config)) => config,
            Ok(Err(error)) => {
                self.stats.config_rejected();
                for mistake in &error.mistakes {
                    tracing::error!("the configuration is not reloaded: {mistake}");
                }
                return Err(error);
            }
            Err(_) => {
                self.stats.config_rejected();
                let mistakes = vec!["reading the configuration failed by a fault".to_owned()];
                return Err(ConfigError { mistakes });
            }
        };
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let pending = self.fixed.differences(&Fixed::of(&config));
        if !pending.is_empty() {
            tracing::warn!("in effect only after a restart: {}", pending.join(", "));
        }
        self.take(config, &pending).await;
        Ok(pending)
    }

    async fn take(&mut self, config: Config, pending: &[&str]) {
        self.stats.config_loaded(&config.sha256, unix_seconds(self.clock.now()));
        self.stats.shard(config.shard.index, config.shard.count);
        let note = match pending {
            [] => String::new(),
            keys => format!("# In effect only after a restart: {}\n", keys.join(", ")),
        };
        let live = Live::of(&config.exposition, note + &config.effective());
        let clusters = config.own_clusters().count();
        let metas = config.own_clusters().cloned().collect();
        self.services.reconfigure(config.own_services());
        let before = self.projects.names();
        let projects = self.projects.replace(config.projects, &config.poll, config.shard);
        self.roster.replace(projects, metas).await;
        self.clouds.send_replace(self.projects.clouds());
        self.for_changes.send_replace(self.projects.for_changes());
        self.live.send_replace(live);
        self.public_web.send_modify(|web| *web = config.web.after(web));
        if let (Some(admin), Some(address)) = (config.admin, self.admin_address) {
            self.access.send_replace(Access::of(&admin, address));
            self.admin_web.send_modify(|web| *web = admin.web.after(web));
        } else {
            // Whoever was taken out of the configuration may not enter any more.
            self.access.send_replace(Access::default());
        }
        // Nobody polls them any more, so nothing brings their series back.
        let now = self.projects.names();
        for gone in before.iter().filter(|name| !now.contains(name)) {
            self.stats.remove_project(gone);
        }
        tracing::info!(clusters, "configuration reloaded");
    }
}
