//! The APIs of one project: every request to them has its credentials, its pace and its metrics.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{
    effort::Effort,
    iam,
    session::Session,
    settings::{Common, Pacers, Settings},
    surprise_log::SurpriseLog,
    transport::{Answer, Method, Request},
    wire::Surprises,
};
use crate::{
    cloud::CloudError,
    model::{ClusterId, ProjectId},
    stats::Stats,
};

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

    /// Asks CSS for one page of the connections of a cluster.
    pub(super) async fn connections(
        &self,
        operation: &'static str,
        cluster: &ClusterId,
        (offset, limit): (u32, u32),
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let project_id = self.project_id(effort).await?;
        let settings = &self.settings;
        let request = Request {
            project: &settings.name,
            operation,
            method: Method::Get,
            base: &settings.endpoints.css,
            path: format!("/v1.0/{project_id}/clusters/{cluster}/vpcepservice/connections"),
            query: &[
                (settings.paging.parameter.as_str(), &offset.to_string()),
                ("limit", &limit.to_string()),
            ],
            project_id: Some(project_id),
            pacer: &self.pacers.css,
        };
        self.session.send(&request, effort).await
    }

    /// Calls VPCEP, at a path `below` the endpoint services.
    pub(super) async fn endpoint_services(
        &self,
        (operation, method): (&'static str, Method<'_>),
        below: &str,
        query: &[(&str, &str)],
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let project_id = self.project_id(effort).await;
        let project_id =
            project_id.map_err(|error| if method.is_change() { error.unsent() } else { error })?;
        let request = Request {
            project: &self.settings.name,
            operation,
            method,
            base: &self.settings.endpoints.vpcep,
            path: format!("/v1/{project_id}/vpc-endpoint-services{below}"),
            query,
            project_id: Some(project_id),
            pacer: &self.pacers.vpcep,
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
        operation: &'static str,
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
        operation: &'static str,
        cluster: Option<&ClusterId>,
        surprises: Surprises,
        answer: Option<&Answer>,
    ) {
        for (kind, times) in surprises.counts() {
            self.stats.api_surprise(kind.as_str(), times);
        }
        self.surprises.tell(&self.settings.name, operation, cluster, surprises.oddities, answer);
    }
}
