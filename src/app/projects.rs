//! The projects in use. A reload keeps a project whose settings did not change, with its token, its rate
//! limiter and its knowledge of the region; it builds the others anew.

use std::{collections::HashMap, sync::Arc};

use crate::{
    change,
    cloud::Clouds,
    config,
    huawei::{self, Common, Pacers},
    pacing::{Pacer, RateLimit},
    poll,
};

/// The projects in use.
pub(super) struct Projects {
    common: Common,
    known: HashMap<Arc<str>, Known>,
}

struct Known {
    cloud: huawei::Client,
    pacers: Pacers,
    limits: [RateLimit; 2],
}

impl Projects {
    pub(super) fn new(common: Common) -> Self {
        Self { common, known: HashMap::new() }
    }

    /// The projects and clusters of a configuration, whose projects are gone afterwards.
    pub(super) fn configured(
        &mut self,
        config: &mut config::Config,
    ) -> poll::Polled<huawei::Client> {
        let clusters = config.own_clusters().cloned().collect();
        let targets = self.replace(std::mem::take(&mut config.projects), &config.poll);
        poll::Polled { targets, clusters }
    }

    fn replace(
        &mut self,
        configured: Vec<config::ProjectSettings>,
        settings: &config::Poll,
    ) -> Vec<poll::Target<huawei::Client>> {
        let ended = self.common.guard.reloaded();
        if ended > 0 {
            tracing::info!(
                ended,
                "the reload ends back-offs: the credentials get one more attempt"
            );
        }
        let mut before = std::mem::take(&mut self.known);
        let mut projects = Vec::new();
        for project in configured {
            let name = project.cloud.name.clone();
            let known = match before.remove(&name) {
                Some(known) if known.is(&project) => {
                    known.cloud.reread_credentials();
                    known
                }
                _ => self.make(&project),
            };
            projects.push(poll::Target {
                name: name.clone(),
                region: project.cloud.region.clone(),
                cloud: known.cloud.clone(),
                pacer: known.pacers.css.clone(),
                concurrency: settings.concurrency,
                timeout: settings.timeout,
                discovery: project.discovery.map(Arc::new),
                clusters: Vec::new(),
            });
            self.known.insert(name, known);
        }
        projects
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.known.keys().cloned().collect()
    }

    /// All of them by name, for the renewal of tokens and the reading of endpoint services.
    pub(super) fn clouds(&self) -> Clouds<huawei::Client> {
        let clouds = self.known.iter().map(|(name, known)| (name.clone(), known.cloud.clone()));
        Arc::new(clouds.collect())
    }

    /// All of them by name, for changes.
    pub(super) fn for_changes(&self) -> change::Projects<huawei::Client> {
        let project = |known: &Known| change::PacedCloud {
            cloud: Arc::new(known.cloud.clone()),
            vpcep: known.pacers.vpcep.clone(),
            css: known.pacers.css.clone(),
        };
        Arc::new(self.known.iter().map(|(name, known)| (name.clone(), project(known))).collect())
    }

    fn make(&self, project: &config::ProjectSettings) -> Known {
        let name = &project.cloud.name;
        self.common.stats.add_project(name);
        // A token of the credentials before is no longer in use.
        self.common.stats.forget_expiry(name);
        let limits = limits(project);
        let [css, vpcep] = limits.map(Pacer::new);
        let pacers = Pacers { css, vpcep };
        let cloud = huawei::Client::new(project.cloud.clone(), &self.common, pacers.clone());
        Known { cloud, pacers, limits }
    }
}

impl Known {
    fn is(&self, configured: &config::ProjectSettings) -> bool {
        *self.cloud.settings() == configured.cloud && self.limits == limits(configured)
    }
}

fn limits(project: &config::ProjectSettings) -> [RateLimit; 2] {
    [project.css_rate_limit, project.vpcep_rate_limit]
}
