//! The APIs of one project: every request to them has its credentials, its pace and its metrics.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{
    effort::Effort,
    iam,
    operation::Operation,
    session::Session,
    settings::{Common, Pacers, Settings},
    surprise_log::SurpriseLog,
    transport::{Answer, Request},
    wire::Surprises,
};
use crate::{
    cloud::CloudError,
    model::{ClusterId, ProjectId},
    secret::Secret,
    stats::Stats,
};

/// A request, but for what the project knows.
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    /// The cluster that it is about, for the log.
    pub(super) cluster: Option<&'a ClusterId>,
    /// The path below the project.
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<&'a Secret>,
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

    /// Sends a call to its service, and decodes the answer.
    pub(super) async fn read<T>(
        &self,
        call: Call<'_>,
        decode: impl FnOnce(&[u8]) -> Result<(T, Surprises), CloudError>,
        effort: &mut Effort,
    ) -> Result<(T, Answer), CloudError> {
        let answer = self.send(&call, effort).await?;
        let (decoded, surprises) = decode(&answer.body).map_err(|error| answer.explain(error))?;
        self.report(call.operation, call.cluster, surprises, Some(&answer));
        Ok((decoded, answer))
    }

    /// Sends a call to its service.
    pub(super) async fn send(
        &self,
        call: &Call<'_>,
        effort: &mut Effort,
    ) -> Result<Answer, CloudError> {
        let Settings { name, endpoints, .. } = &*self.settings;
        // IAM is asked by the session.
        let (base, version, pacer) = match call.operation {
            Operation::Connections | Operation::UpdateConnections | Operation::Clusters => {
                (&endpoints.css, "v1.0", &self.pacers.css)
            }
            _ => (&endpoints.vpcep, "v1", &self.pacers.vpcep),
        };
        let is_change = call.operation.is_change();
        let project_id = self.project_id(effort).await;
        let project_id =
            project_id.map_err(|error| if is_change { error.unsent() } else { error })?;
        let request = Request {
            project: name,
            operation: call.operation,
            base,
            path: format!("/{version}/{project_id}/{}", call.path),
            query: call.query,
            body: call.body,
            secret: None,
            header: None,
            project_id: Some(project_id),
            pacer,
        };
        self.session.send(&request, effort).await
    }

    /// The project id: as configured, else as IAM says, once.
    pub(super) async fn project_id(&self, effort: &mut Effort) -> Result<&ProjectId, CloudError> {
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
