//! The real cloud: one [`Project`] is a region, a project id and credentials.
//!
//! Reading order: `endpoints` (where), `credentials` (who), `sign` (how a request proves it),
//! `transport` (sending, retrying, classifying), `guard` and `session` (which credentials are in
//! force), `iam` (tokens and project ids), `wire` (JSON), `paging` (many pages, one list), `seen`
//! (pages that came before), `limits` (which page limit the API accepts), `services` (endpoint services,
//! read and changed). Only `transport` and `endpoints` know reqwest; nobody outside knows any of it.

pub mod credentials;
pub mod endpoints;
mod guard;
mod iam;
mod limits;
pub mod paging;
mod refresh;
mod seen;
mod services;
mod session;
pub mod sign;
mod surprises;
pub mod transport;
pub mod wire;

use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    sync::Arc,
};

use tokio::{sync::OnceCell, time::Instant};

use self::{
    endpoints::Endpoints,
    iam::Scope,
    limits::Limits,
    paging::{FALLBACK_LIMIT, LargeLimit, Page, Pages, Paging, says_not_enabled},
    seen::{Seen, SeenPage, Walk},
    session::{Parts, Session},
    surprises::{Logged, Place},
    transport::{Answer, Method, Request, Transport},
    wire::{Oddity, Surprise},
};
use crate::{
    cloud::{Budget, Cloud, CloudError, Reason, Trace, Traced},
    model::{ClusterId, ConnectionList, ProjectId, RegionId},
    pacing::Pacer,
    stats::Stats,
};

pub use self::{guard::KeyGuard, refresh::keep_fresh};

/// What is called, as the metrics name it.
pub const OPERATIONS: [&str; 6] = [
    CSS_CONNECTIONS,
    services::LIST,
    services::DETAIL,
    services::UPDATE,
    iam::TOKEN,
    iam::PROJECTS,
];

const CSS_CONNECTIONS: &str = "css_connections";

/// What a project is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What all projects share.
#[derive(Clone, Debug)]
pub struct Common {
    /// Sends requests.
    pub transport: Arc<Transport>,
    /// What is known of all credentials.
    pub guard: Arc<KeyGuard>,
    /// The exporter's own metrics.
    pub stats: Arc<Stats>,
}

/// How fast the services may be called, each on its own.
#[derive(Clone, Debug)]
pub struct Pacers {
    /// Every request to CSS draws from it.
    pub css: Pacer,
    /// Every request to VPCEP draws from it.
    pub vpcep: Pacer,
}

/// A project of the real cloud. Clones share its credentials and what was learnt of its region.
#[derive(Clone, Debug)]
pub struct Project(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    session: Session,
    pacers: Pacers,
    stats: Arc<Stats>,
    project_id: OnceCell<ProjectId>,
    limits: Limits,
    seen: Seen,
    surprises: Logged,
}

impl Project {
    /// A project that calls the services at the pace of `pacers`.
    pub fn new(settings: Settings, common: &Common, pacers: Pacers) -> Self {
        let session = Session::new(Parts {
            project: settings.name.clone(),
            source: settings.credentials.clone(),
            iam: settings.endpoints.iam.clone(),
            scope: match &settings.project_id {
                Some(id) => Scope::Id(id.clone()),
                None => Scope::Name(settings.region.clone()),
            },
            transport: common.transport.clone(),
            guard: common.guard.clone(),
            stats: common.stats.clone(),
        });
        Self(Arc::new(Inner {
            project_id: OnceCell::new_with(settings.project_id.clone()),
            settings,
            session,
            pacers,
            stats: common.stats.clone(),
            limits: Limits::default(),
            seen: Seen::new(),
            surprises: Logged::default(),
        }))
    }

    /// Reads secret files anew, as a reload of the configuration asks.
    pub fn reread_credentials(&self) {
        self.0.session.reread();
    }

    /// Forgets what came of clusters that are not among these.
    pub fn keep_only<'a>(&self, clusters: impl IntoIterator<Item = &'a ClusterId>) {
        let clusters = clusters.into_iter().collect::<HashSet<_>>();
        self.0.seen.keep_only(&clusters);
        self.0.limits.keep_only(&clusters);
    }

    /// What the project was made of.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }
}

impl Inner {
    /// The project id: as configured, else as IAM says, once.
    async fn project_id(
        &self,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<&ProjectId, CloudError> {
        self.project_id
            .get_or_try_init(async || {
                let Settings { name, region, endpoints, .. } = &self.settings;
                let request = Request {
                    project: name,
                    operation: iam::PROJECTS,
                    method: Method::Get,
                    base: &endpoints.iam,
                    path: "/v3/projects".into(),
                    query: &[("name", region.as_str())],
                    project_id: None,
                    pacer: self.session.iam_pacer(),
                };
                // A token for CSS does not pay for a request to IAM.
                let mut own = Budget { first_token: None, ..*budget };
                let answer = self.session.send(&request, &mut own, trace).await?;
                let id = iam::one_project(&answer, region)?;
                tracing::debug!(project = &**name, project_id = id.as_str(), "project id found");
                Ok(id)
            })
            .await
    }

    async fn walk(
        &self,
        cluster: &ClusterId,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Arc<ConnectionList>, CloudError> {
        let paging = &self.settings.paging;
        let known = self.limits.recall(cluster);
        let mut large_limit = known;
        let project_id = self.project_id(budget, trace).await?;
        let pages_before = trace.pages;
        let mut pages = ClusterPages {
            project: self,
            project_id,
            cluster,
            budget,
            trace: &mut *trace,
            ahead: VecDeque::new(),
            failed_ahead: None,
            read: Vec::new(),
            surprises: [0; Surprise::ALL.len()],
        };
        let before = self.seen.recall(cluster);
        if let Some((walk, list)) = &before
            && walk.pages.first().is_some_and(|first| first.limit == known.in_force(paging.limit))
            && pages.are_those_of(walk).await
        {
            self.count_all(&walk.surprises);
            return Ok(list.clone());
        }
        let walked = paging::walk(paging, &mut large_limit, &mut pages).await;
        if large_limit != known {
            self.learnt(cluster, large_limit);
        }
        match walked {
            Ok(walked) => {
                let ClusterPages { read, mut surprises, .. } = pages;
                surprises[Surprise::DuplicateId as usize] += walked.duplicates;
                self.count(Surprise::DuplicateId, walked.duplicates);
                let twice = walked.duplicate_id.map(|value| Oddity {
                    kind: Surprise::DuplicateId,
                    field: "id".to_owned(),
                    value,
                });
                self.surprises.tell(self.place(cluster), twice.into_iter().collect(), None);
                // Other bytes may mean the same; what is shown stays what it is.
                let list = match before {
                    Some((_, list)) if *list == walked.list => list,
                    _ => Arc::new(walked.list),
                };
                if walked.at_once {
                    self.seen.remember(cluster, Walk::new(read, surprises, &list));
                } else {
                    self.seen.forget(cluster);
                }
                Ok(list)
            }
            Err(error) if pages_before == trace.pages && says_not_enabled(&error) => {
                Ok(Arc::new(ConnectionList::service_not_enabled()))
            }
            Err(error) => Err(error),
        }
    }

    fn learnt(&self, cluster: &ClusterId, limit: LargeLimit) {
        if self.limits.learn(cluster, limit) {
            tracing::warn!(
                project = &*self.settings.name,
                cluster_id = cluster.as_str(),
                limit = self.settings.paging.limit,
                "the cloud refuses the page limit, so pages of {FALLBACK_LIMIT} rows are read; setting \
                 paging.limit in the project saves one refused request an hour"
            );
        }
    }

    fn place<'a>(&'a self, cluster: &'a ClusterId) -> Place<'a> {
        let cluster_id = Some(cluster.as_str());
        Place { project: &self.settings.name, operation: CSS_CONNECTIONS, cluster_id }
    }

    fn count_all(&self, surprises: &[u64; Surprise::ALL.len()]) {
        for kind in Surprise::ALL {
            self.count(kind, surprises[kind as usize]);
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
    project: &'a Inner,
    project_id: &'a ProjectId,
    cluster: &'a ClusterId,
    budget: &'a mut Budget,
    trace: &'a mut Trace,
    /// Answers that came and were not decoded yet.
    ahead: VecDeque<(SeenPage, Answer)>,
    /// What failed after them.
    failed_ahead: Option<CloudError>,
    /// The pages that were decoded.
    read: Vec<SeenPage>,
    surprises: [u64; Surprise::ALL.len()],
}

impl ClusterPages<'_> {
    /// Asks for the pages of an earlier walk, until one differs. Those that came are kept: a walk asks
    /// for the same ones, as it is decided by nothing but the bytes of the pages before.
    async fn are_those_of(&mut self, walk: &Walk) -> bool {
        for expected in &walk.pages {
            match self.ask(expected.offset, expected.limit).await {
                Ok((page, answer)) => {
                    self.ahead.push_back((page, answer));
                    if page != *expected {
                        return false;
                    }
                }
                Err(error) => {
                    self.failed_ahead = Some(error);
                    return false;
                }
            }
        }
        self.trace.pages += walk.pages.len() as u32;
        true
    }

    async fn ask(&mut self, offset: u32, limit: u32) -> Result<(SeenPage, Answer), CloudError> {
        let Inner { settings, session, pacers, seen, .. } = self.project;
        let (project_id, cluster) = (self.project_id, self.cluster);
        let request = Request {
            project: &settings.name,
            operation: CSS_CONNECTIONS,
            method: Method::Get,
            base: &settings.endpoints.css,
            path: format!("/v1.0/{project_id}/clusters/{cluster}/vpcepservice/connections"),
            query: &[
                (settings.paging.parameter.as_str(), &offset.to_string()),
                ("limit", &limit.to_string()),
            ],
            project_id: Some(project_id),
            pacer: &pacers.css,
        };
        let answer = session.send(&request, self.budget, self.trace).await?;
        let digest = seen.digest(&answer.body);
        Ok((SeenPage { offset, limit, digest }, answer))
    }

    /// The next answer: one that has come already, or a new one.
    async fn next(&mut self, offset: u32, limit: u32) -> Result<(SeenPage, Answer), CloudError> {
        match self.ahead.pop_front() {
            Some(next) if (next.0.offset, next.0.limit) == (offset, limit) => return Ok(next),
            Some(_) => self.ahead.clear(),
            None => {}
        }
        match self.failed_ahead.take() {
            Some(error) => Err(error),
            None => self.ask(offset, limit).await,
        }
    }
}

impl Pages for &mut ClusterPages<'_> {
    async fn page(&mut self, offset: u32, limit: u32) -> Result<Page, CloudError> {
        let (page, answer) = self.next(offset, limit).await?;
        let decoded = wire::page(&answer.body).map_err(|error| answer.explain(error))?;
        self.project.count_all(&decoded.surprises);
        let place = self.project.place(self.cluster);
        self.project.surprises.tell(place, decoded.oddities, Some(&answer));
        for (sum, more) in self.surprises.iter_mut().zip(decoded.surprises) {
            *sum += more;
        }
        self.trace.pages += 1;
        self.read.push(page);
        Ok(decoded.page)
    }
}

impl Cloud for Project {
    async fn connections(
        &self,
        cluster: &ClusterId,
        mut budget: Budget,
    ) -> Traced<Arc<ConnectionList>> {
        let mut trace = Trace::default();
        let deadline = budget.deadline;
        let walk = self.0.walk(cluster, &mut budget, &mut trace);
        let result = within(deadline, "the poll", walk).await;
        Traced { result, trace }
    }
}

/// The result of an operation, or that it did not end in its time.
async fn within<T>(
    deadline: Instant,
    what: &str,
    operation: impl Future<Output = Result<T, CloudError>>,
) -> Result<T, CloudError> {
    let late = || CloudError::new(Reason::Timeout, format!("{what} did not end in its time"));
    tokio::time::timeout_at(deadline, operation).await.unwrap_or_else(|_| Err(late()))
}
