//! The client of one project: the operations of the traits in `cloud`.

use std::{collections::HashSet, future::Future, sync::Arc};

use tokio::time::Instant;

use super::{
    api::Api,
    clusters, connections,
    effort::Effort,
    page_limits::PageLimits,
    page_memory::PageMemory,
    services,
    settings::{Common, Pacers, Settings},
};
use crate::{
    cloud::{Budget, Cloud, CloudError, Decisions, Directory, Listed, Reason, Services, Traced},
    model::{
        ClusterId, ClusterList, ConnectionList, Decision, EndpointId, EndpointService,
        ServiceFields, ServiceId,
    },
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

/// The result of an operation, or that it did not end in its time.
async fn within<T>(
    deadline: Instant,
    what: &str,
    operation: impl Future<Output = Result<T, CloudError>>,
) -> Result<T, CloudError> {
    let late = || CloudError::new(Reason::Timeout, format!("{what} did not end in its time"));
    tokio::time::timeout_at(deadline, operation).await.unwrap_or_else(|_| Err(late()))
}
