//! The real cloud: one [`Project`] is a region, a project id and credentials.
//!
//! Reading order: `endpoints` (where), `credentials` (who), `sign` (how a request proves it),
//! `transport` (sending, retrying, classifying), `wire` (JSON), `paging` (many pages, one list).
//! Only `transport` and `endpoints` know reqwest; nobody outside knows any of it.

pub mod credentials;
pub mod endpoints;
pub mod paging;
pub mod sign;
pub mod transport;
pub mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use self::{
    credentials::Keys,
    endpoints::Endpoints,
    paging::{Page, Pages, Paging},
    transport::{Get, Transport},
    wire::{SERVICE_NOT_ENABLED, Surprise},
};
use crate::{
    cloud::{Budget, Cloud, CloudError, Reason, Trace, Traced},
    model::{ClusterId, ConnectionList, ProjectId, RegionId},
    pacing::Pacer,
    stats::Stats,
};

/// What is called, as the metrics name it.
pub const OPERATIONS: [&str; 1] = [CSS_CONNECTIONS];

const CSS_CONNECTIONS: &str = "css_connections";

/// What a project is made of.
#[derive(Debug)]
pub struct Settings {
    /// The configured name, for metrics and logs.
    pub name: Arc<str>,
    /// The region.
    pub region: RegionId,
    /// The project id; `None`: IAM is asked for the project that is named like the region.
    pub project_id: Option<ProjectId>,
    /// Where the services are.
    pub endpoints: Endpoints,
    /// Where credentials come from.
    pub credentials: credentials::Source,
    /// How the region wants to be paged.
    pub paging: Paging,
}

/// A project of the real cloud.
#[derive(Debug)]
pub struct Project {
    settings: Settings,
    transport: Arc<Transport>,
    css_pacer: Pacer,
    stats: Arc<Stats>,
    /// The region has refused the largest limit and taken the fallback: asked for from now on.
    large_limit_refused: AtomicBool,
}

impl Project {
    /// A project that draws from `css_pacer` for every request to CSS.
    pub fn new(
        settings: Settings,
        transport: Arc<Transport>,
        css_pacer: Pacer,
        stats: Arc<Stats>,
    ) -> Self {
        Self { settings, transport, css_pacer, stats, large_limit_refused: AtomicBool::new(false) }
    }

    async fn walk(
        &self,
        cluster: &ClusterId,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<ConnectionList, CloudError> {
        let mut paging = self.settings.paging.clone();
        if self.large_limit_refused.load(Ordering::Relaxed) {
            paging.limit = paging.limit.min(paging::FALLBACK_LIMIT);
        }
        let pages = ClusterPages { project: self, cluster, budget, trace };
        match paging::walk(&paging, pages).await {
            Ok(walked) => {
                self.count(Surprise::DuplicateId, walked.duplicates);
                if walked.limit_was_refused {
                    self.large_limit_refused.store(true, Ordering::Relaxed);
                }
                Ok(walked.list)
            }
            Err(error) if error.has_code(SERVICE_NOT_ENABLED) => {
                Ok(ConnectionList::service_not_enabled())
            }
            Err(error) => Err(error),
        }
    }

    fn count(&self, kind: Surprise, times: u64) {
        if times > 0 {
            self.stats.api_surprise(kind.as_str(), times);
        }
    }
}

/// The pages of one cluster.
struct ClusterPages<'a> {
    project: &'a Project,
    cluster: &'a ClusterId,
    budget: &'a mut Budget,
    trace: &'a mut Trace,
}

impl Pages for ClusterPages<'_> {
    async fn page(&mut self, offset: u32, limit: u32) -> Result<Page, CloudError> {
        let Project { settings, transport, css_pacer, .. } = self.project;
        let call = Get {
            project: &settings.name,
            operation: CSS_CONNECTIONS,
            base: &settings.endpoints.css,
            path: format!(
                "/v1.0/{}/clusters/{}/vpcepservice/connections",
                settings.project_id, self.cluster
            ),
            query: &[
                (settings.paging.parameter.as_str(), &offset.to_string()),
                ("limit", &limit.to_string()),
            ],
            project_id: Some(&settings.project_id),
            keys: &settings.keys,
            pacer: css_pacer,
        };
        let answer = transport.get(&call, self.budget, self.trace).await?;
        let decoded = wire::page(&answer.body).map_err(|error| answer.explain(error))?;
        for kind in Surprise::ALL {
            self.project.count(kind, decoded.surprises[kind as usize]);
        }
        self.trace.pages += 1;
        Ok(decoded.page)
    }
}

impl Cloud for Project {
    async fn connections(&self, cluster: &ClusterId, mut budget: Budget) -> Traced<ConnectionList> {
        let mut trace = Trace::default();
        let deadline = budget.deadline;
        let walk = self.walk(cluster, &mut budget, &mut trace);
        let result = match tokio::time::timeout_at(deadline, walk).await {
            Ok(result) => result,
            Err(_) => Err(CloudError::new(Reason::Timeout, "the poll did not end in its time")),
        };
        Traced { result, trace }
    }
}
