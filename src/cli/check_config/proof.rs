//! The calls of a project beside its polls, each made once, and what they say of it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    calls::Needs,
    report::{Call, Cluster, Credentials, Discovery, FoundId, Online, Outcome},
};
use crate::{
    board::ClusterState,
    cli::poll_once::Round,
    cloud::{Budget, CloudError, Services},
    config::ProjectSettings,
    huawei::{Account, Client, Operation},
    model::{ClusterId, ProjectId},
    pacing::Priority,
    poll::{Found, Target},
    stats::Stats,
};

/// Each call may take so long, as a poll may.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The calls of a project beside its polls, each made once.
pub(super) struct Proof<'a> {
    cloud: &'a Client,
    stats: &'a Stats,
    account: Result<Account, CloudError>,
    project_id: Result<ProjectId, CloudError>,
    found: Option<&'a Found>,
    /// The list of endpoint services, and the first failure to read one of them.
    services: Option<Result<Option<CloudError>, CloudError>>,
    service: Option<Result<(), CloudError>>,
}

impl<'a> Proof<'a> {
    pub(super) async fn of(
        target: &'a Target<Client>,
        project: &ProjectSettings,
        needs: &Needs,
        round: &'a Round,
    ) -> Self {
        let (cloud, found) = (&target.cloud, round.fleet.found());
        let account = cloud.account(budget()).await;
        let project_id = match &account {
            Ok(_) => cloud.project_id(budget()).await,
            Err(error) => Err(error.clone()),
        };
        let needs = |operation| project_id.is_ok() && needs.operations.contains(&operation);
        let ids: Vec<_> = project.endpoint_services.iter().map(|meta| meta.id.clone()).collect();
        let services = match needs(Operation::Services) {
            true => {
                let listed = cloud.services(&ids, budget()).await.result;
                Some(listed.map(|listed| listed.into_iter().find_map(Result::err)))
            }
            false => None,
        };
        let service = match ids.first().filter(|_| needs(Operation::Service)) {
            Some(id) => Some(cloud.service(id, budget()).await.result.map(drop)),
            None => None,
        };
        let mut found = found.filter(|(name, _)| **name == target.name);
        let found = found.next().map(|(_, found)| found);
        Self { cloud, stats: &round.stats, account, project_id, found, services, service }
    }

    pub(super) fn online(
        &self,
        project: &ProjectSettings,
        needs: &Needs,
        states: &[Arc<ClusterState>],
    ) -> Online {
        let mut calls = self.exchanges();
        let operations = needs.operations.iter();
        calls.extend(operations.map(|one| call(*one, None, self.outcome(*one, states))));
        let configured: Vec<_> = project.clusters.iter().map(|meta| &meta.id).collect();
        let looked_up = project.cloud.project_id.is_none();
        let id = project.cloud.project_id.as_ref().or(self.project_id.as_ref().ok());
        Online {
            credentials: self.credentials(),
            project_id: FoundId { id: id.map(ToString::to_string), looked_up },
            calls,
            discovery: self.found.map(|found| Discovery {
                listed: found.listed,
                wanted: found.wanted,
                new: found.new,
                error: found.failure.as_ref().map(Into::into),
            }),
            clusters: states.iter().map(|state| cluster(state, &configured)).collect(),
        }
    }

    fn credentials(&self) -> Credentials {
        let (mut provider, mut tried) = self.cloud.settings().credentials.origin();
        let account = self.account.as_ref().ok();
        if account.is_some_and(|account| account.is_of_pod) && provider == "metadata" {
            tried.push("no metadata service".to_owned());
            provider = "pod_identity";
        }
        Credentials {
            provider,
            tried,
            name: account.map(|account| account.name.clone()),
            expires: account.and_then(|account| account.expires),
            error: self.account.as_ref().err().map(Into::into),
        }
    }

    /// The exchanges for credentials: of those that were sent, the last one failed if one did.
    fn exchanges(&self) -> Vec<Call> {
        let all = self.cloud.exchanges();
        let name = &self.cloud.settings().name;
        let was_sent = |operation| self.stats.was_sent(name, operation);
        let last = all.iter().rposition(|(operation, _)| was_sent(*operation));
        let outcome = |at, operation| match &self.account {
            Ok(account) if operation == Operation::PodIdentity && !account.is_of_pod => {
                Outcome::NotTried { why: "the provider before it has credentials" }
            }
            Ok(account) if operation == Operation::Metadata && account.is_of_pod => {
                Outcome::NotTried { why: "it is not there" }
            }
            Err(error) if Some(at) == last => Outcome::Failed { error: error.into() },
            Err(_) if last.is_none_or(|last| at > last) => {
                Outcome::NotTried { why: "there are no credentials for it" }
            }
            _ => Outcome::Ok,
        };
        let all = all.into_iter().enumerate();
        all.map(|(at, (operation, path))| call(operation, path, outcome(at, operation))).collect()
    }

    fn outcome(&self, operation: Operation, states: &[Arc<ClusterState>]) -> Outcome {
        if operation.is_change() {
            return Outcome::NotTried { why: "it changes something" };
        }
        if self.account.is_err() {
            return Outcome::NotTried { why: "there are no credentials" };
        }
        let of = |result: Result<(), &CloudError>| match result {
            Ok(()) => Outcome::Ok,
            Err(error) => Outcome::Failed { error: error.into() },
        };
        let result = match operation {
            Operation::Projects => Some(self.project_id.as_ref().map(drop)),
            _ if self.project_id.is_err() => return Outcome::NotTried { why: "no project id" },
            Operation::Connections => polled(states),
            // A list that is read, but not taken, was permitted.
            Operation::Clusters => self.found.map(|found| match &found.failure {
                Some(error) if found.listed == 0 => Err(error),
                _ => Ok(()),
            }),
            Operation::Services => self.services.as_ref().map(|read| read.as_ref().map(drop)),
            _ => self.service.as_ref().map(|read| read.as_ref().copied()),
        };
        result.map_or(Outcome::NotTried { why: "there is nothing to read" }, of)
    }

    /// Every failure of a call that is no poll, and its place.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&CloudError, &'static str)> {
        let services = self.services.as_ref().map(|read| read.as_ref());
        let [listed, one] = match services {
            Some(Ok(one)) => [None, one.as_ref()],
            Some(Err(error)) => [Some(error), None],
            None => [None, None],
        };
        let id = self.project_id.as_ref().err().filter(|_| self.account.is_ok());
        let service = self.service.as_ref().and_then(|read| read.as_ref().err());
        [
            (self.account.as_ref().err(), "the credentials"),
            (id, "the project id"),
            (self.found.and_then(|found| found.failure.as_ref()), "the list of clusters"),
            (listed, "the list of endpoint services"),
            (one, "an endpoint service"),
            (service, "an endpoint service by itself"),
        ]
        .into_iter()
        .filter_map(|(error, place)| Some((error?, place)))
    }
}

fn budget() -> Budget {
    let deadline = Instant::now() + CALL_TIMEOUT;
    Budget { deadline, first_token: None, priority: Priority::Begun }
}

fn call(operation: Operation, address: Option<String>, outcome: Outcome) -> Call {
    let described = operation.described();
    Call {
        operation: operation.as_str(),
        method: described.method,
        service: described.service,
        path: address.unwrap_or_else(|| described.path.to_owned()),
        actions: described.actions,
        outcome,
    }
}

/// The polls of a project as one call: permitted if one of them was.
fn polled(states: &[Arc<ClusterState>]) -> Option<Result<(), &CloudError>> {
    if states.iter().any(|state| state.observation.is_some()) {
        return Some(Ok(()));
    }
    states.iter().find_map(|state| state.last_error()).map(Err)
}

fn cluster(state: &ClusterState, configured: &[&ClusterId]) -> Cluster {
    let list = state.observation.as_ref().map(|observation| &observation.list);
    Cluster {
        cluster_id: state.meta.id.to_string(),
        cluster_name: state.meta.name.to_string(),
        discovered: !configured.contains(&&state.meta.id),
        service_enabled: list.map(|list| list.service_enabled),
        complete: list.map(|list| list.complete),
        connections: list.map(|list| list.connections.len()),
        error: state.last_error().map(Into::into),
    }
}
