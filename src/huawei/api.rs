//! The APIs of one project: every request to them has its credentials, its pace and its metrics.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{
    effort::Effort,
    endpoints::BaseUrl,
    iam,
    operation::Operation,
    session::Session,
    settings::{Common, Pacers, Settings},
    surprise_log::SurpriseLog,
    transport::{Answer, Method, Request},
    wire::Surprises,
};
use crate::{
    cloud::CloudError,
    model::{ClusterId, ProjectId},
    pacing::Pacer,
    secret::Secret,
    stats::Stats,
};

/// A request, but for what the project knows.
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) method: Method,
    /// The path below the project.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Secret>,
}

impl<'a> Call<'a> {
    /// A request that only reads.
    pub(super) fn get(
        operation: Operation,
        path: &'a str,
        query: &'a [(&'a str, &'a str)],
    ) -> Self {
        Self { operation, method: Method::GET, path, query, body: None }
    }
}

/// The services as one project may call them.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) settings: Arc<Settings>,
    pub(super) session: Session,
    pacers: Pacers,
    stats: Arc<Stats>,
    project_id: OnceCell<ProjectId>,
    surprises: SurpriseLog,
}

impl Api {
    pub(super) fn new(settings: Settings, common: &Common, pacers: Pacers) -> Self {
        let settings = Arc::new(settings);
        Self {
            session: Session::new(settings.clone(), common.clone()),
            pacers,
            stats: common.stats.clone(),
            project_id: OnceCell::new_with(settings.project_id.clone()),
            surprises: SurpriseLog::default(),
            settings,
        }
    }

    /// Sends a request to CSS.
    pub(super) async fn css(
        &self,
        call: Call<'_>,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let base = &self.settings.endpoints.css;
        self.send(call, "v1.0", base, &self.pacers.css, effort).await
    }

    /// Sends a request to VPCEP.
    pub(super) async fn vpcep(
        &self,
        call: Call<'_>,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let base = &self.settings.endpoints.vpcep;
        self.send(call, "v1", base, &self.pacers.vpcep, effort).await
    }

    async fn send(
        &self,
        Call { operation, method, path, query, body }: Call<'_>,
        version: &str,
        base: &BaseUrl,
        pacer: &Pacer,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let project_id = self.project_id(effort).await;
        let is_change = method == Method::PUT;
        let project_id =
            project_id.map_err(|error| if is_change { error.unsent() } else { error })?;
        let request = Request {
            project: &self.settings.name,
            operation,
            method,
            base,
            path: format!("/{version}/{project_id}/{path}"),
            query,
            body,
            secret: None,
            project_id: Some(project_id),
            pacer,
        };
        self.session.send(&request, effort).await
    }

    /// The project id: as configured, else as IAM says, once.
    async fn project_id(&self, effort: &mut Effort) -> Result<&ProjectId, CloudError> {
        self.project_id
            .get_or_try_init(async || {
                let Settings { name, region, .. } = &*self.settings;
                let answer = self.session.ask_for_projects(effort).await?;
                let id = iam::one_project(&answer, region)?;
                tracing::debug!(project = &**name, project_id = id.as_str(), "project id found");
                Ok(id)
            })
            .await
    }

    /// Decodes an answer, and reports what was odd about it.
    pub(super) fn decoded<T>(
        &self,
        operation: Operation,
        cluster: Option<&ClusterId>,
        answer: &Answer,
        decode: impl FnOnce(&[u8]) -> Result<(T, Surprises), CloudError>,
    ) -> Result<T, CloudError> {
        let (decoded, surprises) = decode(&answer.body).map_err(|error| answer.explain(error))?;
        self.report(operation, cluster, surprises, Some(answer));
        Ok(decoded)
    }

    /// Counts surprises, and logs those that are new. `answer`: the one that they came in.
    pub(super) fn report(
        &self,
        operation: Operation,
        cluster: Option<&ClusterId>,
        surprises: Surprises,
        answer: Option<&Answer>,
    ) {
        for (kind, times) in surprises.counts() {
            self.stats.api_surprise(kind, times);
        }
        self.surprises.tell(&self.settings.name, operation, cluster, surprises.oddities, answer);
    }
}
