//! The client of one project: the operations of the traits in `cloud`.

use std::{collections::HashSet, future::Future, sync::Arc};

use tokio::time::Instant;

use super::{
    api::Api,
    auth::Account,
    clusters, connections,
    credentials::{AgencyName, Identity, PodIdentity},
    effort::Effort,
    operation::Operation,
    page_limits::PageLimits,
    page_memory::PageMemory,
    services,
    settings::{Common, Pacers, Settings},
};
use crate::{
    cloud::{Budget, Cloud, CloudError, Decisions, Directory, Listed, Reason, Services, Traced},
    model::{
        ClusterId, ClusterList, ConnectionList, Decision, EndpointId, EndpointService, ProjectId,
        ServiceFields, ServiceId,
    },
    text::shown,
};

/// A client of the real cloud. Clones share its credentials and what was learnt of its region.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    api: Api,
    limits: PageLimits,
    memory: PageMemory,
}

impl Client {
    /// A client that calls the services at the pace of `pacers`.
    pub fn new(settings: Settings, common: &Common, pacers: Pacers) -> Self {
        let api = Api::new(settings, common, pacers);
        Self(Arc::new(Inner { api, limits: PageLimits::default(), memory: PageMemory::default() }))
    }

    /// Reads secret files anew, as a reload of the configuration asks.
    pub fn reread_credentials(&self) {
        self.0.api.session.keeper.reread();
    }

    /// The settings that the client was made with.
    pub fn settings(&self) -> &Settings {
        &self.0.api.settings
    }

    /// The owner of the credentials in force; they are obtained if there are none.
    ///
    /// # Errors
    /// The reason why there are none.
    pub async fn account(&self, budget: Budget) -> Result<Account, CloudError> {
        let keeper = &self.0.api.session.keeper;
        if let Some(account) = keeper.account() {
            return Ok(account);
        }
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let obtaining = keeper.auth(&self.settings().endpoints.css, &mut effort);
        within(deadline, "the obtaining of credentials", obtaining).await?;
        let none = || CloudError::new(Reason::Internal, "the credentials are gone at once");
        keeper.account().ok_or_else(none)
    }

    /// The project id, as configured or as IAM says.
    ///
    /// # Errors
    /// The failure of the question to IAM.
    pub async fn project_id(&self, budget: Budget) -> Result<ProjectId, CloudError> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let asking = self.0.api.project_id(&mut effort);
        within(deadline, "the question for the project id", asking).await.cloned()
    }

    /// The exchanges by which the credentials are obtained, in their order, each with its address if the
    /// environment decides it; none where the source cannot be read.
    pub fn exchanges(&self) -> Vec<(Operation, Option<String>)> {
        let identity = self.settings().credentials.resolve();
        identity.map(|identity| exchanges(&identity)).unwrap_or_default()
    }

    /// Replaces credentials that are to be renewed at `now`.
    pub async fn renew_if_due(&self, now: Instant) {
        self.0.api.session.keeper.renew_if_due(now).await;
    }
}

impl Cloud for Client {
    async fn connections(
        &self,
        cluster: &ClusterId,
        budget: Budget,
    ) -> Traced<Arc<ConnectionList>> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let Inner { api, limits, memory } = &*self.0;
        let reading = connections::read(api, limits, memory, cluster, &mut effort);
        let result = within(deadline, "the poll", reading).await;
        Traced { result, trace: effort.trace }
    }

    fn keep_only(&self, clusters: &HashSet<&ClusterId>) {
        self.0.limits.keep_only(clusters);
        self.0.memory.keep_only(clusters);
    }
}

impl Directory for Client {
    async fn clusters(&self, budget: Budget) -> Traced<ClusterList> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let reading = clusters::list(&self.0.api, &mut effort);
        let result = within(deadline, "the reading of the list of clusters", reading).await;
        Traced { result, trace: effort.trace }
    }
}

impl Decisions for Client {
    async fn decide(
        &self,
        cluster: &ClusterId,
        decision: Decision,
        connections: &[EndpointId],
        budget: Budget,
    ) -> Traced<()> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let sending = connections::decide(&self.0.api, cluster, decision, connections, &mut effort);
        let result = within(deadline, "the change of the connections", sending).await;
        Traced { result, trace: effort.trace }
    }
}

impl Services for Client {
    async fn service(&self, service: &ServiceId, budget: Budget) -> Traced<EndpointService> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let reading = services::read(&self.0.api, service, &mut effort);
        let result = within(deadline, "the reading of the service", reading).await;
        Traced { result, trace: effort.trace }
    }

    async fn services(&self, wanted: &[ServiceId], budget: Budget) -> Traced<Listed> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let reading = services::list(&self.0.api, wanted, &mut effort);
        let result = within(deadline, "the reading of the services", reading).await;
        Traced { result, trace: effort.trace }
    }

    async fn update_service(
        &self,
        service: &ServiceId,
        update: &ServiceFields,
        budget: Budget,
    ) -> Traced<()> {
        let mut effort = Effort::new(budget);
        let deadline = effort.budget.deadline;
        let sending = services::update(&self.0.api, service, update, &mut effort);
        let result = within(deadline, "the change of the service", sending).await;
        Traced { result, trace: effort.trace }
    }
}

/// The end of a chain asks the metadata service, and pod identity only where that is not there.
fn exchanges(identity: &Identity) -> Vec<(Operation, Option<String>)> {
    let pod_identity = |pod: &PodIdentity| (Operation::PodIdentity, Some(shown(&pod.url, 300)));
    let metadata = (Operation::Metadata, None);
    match identity {
        Identity::Keys(_) | Identity::Token(_) => vec![],
        Identity::Password(_) => vec![(Operation::Token, None)],
        Identity::Metadata | Identity::Platform { pod: Err(_), .. } => vec![metadata],
        Identity::Platform { pod: Ok(pod), .. } => vec![metadata, pod_identity(pod)],
        Identity::PodIdentity(pod) => vec![pod_identity(pod)],
        Identity::IdToken(_) => {
            vec![(Operation::IdToken, None), (Operation::SecurityTokens, None)]
        }
        Identity::Oidc(_) => vec![(Operation::AssumeWithOidc, None)],
        Identity::Assumed { base, agency } => {
            let last = match agency.name {
                AgencyName::Urn(_) => Operation::Assume,
                AgencyName::OfDomain { .. } => Operation::SecurityTokens,
            };
            [exchanges(base), vec![(last, None)]].concat()
        }
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
