//! The calls of a project beside its polls, each made once, and what they say of it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    calls::Needs,
    report::{Call, Cluster, Credentials, Discovery, FoundId, Online, Outcome},
};
use crate::{
    app::Collector,
    board::ClusterState,
    cloud::{Budget, CloudError, Services},
    config::ProjectSettings,
    huawei::{Account, Client, Operation},
    model::ClusterId,
    pacing::Priority,
    poll::Target,
    stats::Stats,
};

/// Each call may take so long, as a poll may.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const NOTHING_TO_READ: Outcome = Outcome::NotTried { why: "there is nothing to read" };

/// The findings about a project, once each of its calls was made.
pub(super) struct Proof {
    pub(super) online: Online,
    /// Every failure of a call that is no poll, and its place.
    pub(super) failures: Vec<(CloudError, &'static str)>,
}

/// Makes the calls of a project beside its polls, whose ends `states` has.
pub(super) async fn prove(
    target: &Target<Client>,
    project: &ProjectSettings,
    needs: &Needs,
    collector: &Collector,
    states: &[Arc<ClusterState>],
) -> Proof {
    let cloud = &target.cloud;
    let account = cloud.account(budget()).await;
    let project_id = match &account {
        Ok(_) => cloud.project_id(budget()).await,
        Err(error) => Err(error.clone()),
    };
    let mut found = collector.fleet.found().filter(|(name, _)| **name == target.name);
    let found = found.next().map(|(_, found)| found);
    let not_listed = found.and_then(|found| found.failure.as_ref());
    let of_id = project_id.as_ref().err().filter(|_| account.is_ok());
    let failures = [
        (account.as_ref().err(), "the credentials"),
        (of_id, "the project id"),
        (not_listed, "the list of clusters"),
    ];
    let failures = failures.into_iter().filter_map(|(error, place)| Some((error?.clone(), place)));
    let mut failures: Vec<_> = failures.collect();
    let mut calls = exchanges(cloud, &collector.stats, &account);
    let ids: Vec<_> = project.endpoint_services.iter().map(|meta| meta.id.clone()).collect();
    for &operation in &needs.operations {
        let outcome = match operation {
            _ if operation.is_change() => Outcome::NotTried { why: "it changes something" },
            _ if account.is_err() => Outcome::NotTried { why: "there are no credentials" },
            Operation::Projects => Outcome::of(project_id.as_ref().err()),
            _ if project_id.is_err() => Outcome::NotTried { why: "no project id" },
            Operation::Connections => polled(states),
            // A list that is read, but not taken, was permitted.
            Operation::Clusters => found.map_or(NOTHING_TO_READ, |found| {
                Outcome::of(not_listed.filter(|_| found.listed == 0))
            }),
            Operation::Services => {
                let read = cloud.services(&ids, budget()).await.result;
                let outcome = Outcome::of(read.as_ref().err());
                let (failure, place) = match read {
                    Ok(listed) => (listed.into_iter().find_map(Result::err), "an endpoint service"),
                    Err(error) => (Some(error), "the list of endpoint services"),
                };
                failures.extend(failure.map(|error| (error, place)));
                outcome
            }
            _ => match ids.first() {
                Some(id) => {
                    let read = cloud.service(id, budget()).await.result;
                    let outcome = Outcome::of(read.as_ref().err());
                    failures
                        .extend(read.err().map(|error| (error, "an endpoint service by itself")));
                    outcome
                }
                None => NOTHING_TO_READ,
            },
        };
        calls.push(call(operation, None, outcome));
    }
    let configured: Vec<_> = project.clusters.iter().map(|meta| &meta.id).collect();
    let id = project.cloud.project_id.as_ref().or(project_id.as_ref().ok());
    let online = Online {
        credentials: credentials(cloud, &account),
        project_id: FoundId {
            id: id.map(ToString::to_string),
            looked_up: project.cloud.project_id.is_none(),
        },
        calls,
        discovery: found.map(|found| Discovery {
            listed: found.listed,
            wanted: found.wanted,
            new: found.new,
            error: not_listed.map(Into::into),
        }),
        clusters: states.iter().map(|state| cluster(state, &configured)).collect(),
    };
    Proof { online, failures }
}

fn credentials(cloud: &Client, account: &Result<Account, CloudError>) -> Credentials {
    let (mut provider, mut tried) = cloud.settings().credentials.origin();
    let error = account.as_ref().err().map(Into::into);
    let account = account.as_ref().ok();
    if account.is_some_and(|account| account.is_of_pod) && provider == "metadata" {
        tried.push("no metadata service".to_owned());
        provider = "pod_identity";
    }
    Credentials {
        provider,
        tried,
        name: account.map(|account| account.name.clone()),
        expires: account.and_then(|account| account.expires),
        error,
    }
}

/// The exchanges for credentials: of those that were sent, the last one failed if one did.
fn exchanges(cloud: &Client, stats: &Stats, account: &Result<Account, CloudError>) -> Vec<Call> {
    let all = cloud.exchanges();
    let was_sent = |operation| stats.was_sent(&cloud.settings().name, operation);
    let last = all.iter().rposition(|(operation, _)| was_sent(*operation));
    let outcome = |at, operation| match account {
        Ok(account) if operation == Operation::PodIdentity && !account.is_of_pod => {
            Outcome::NotTried { why: "the provider before it has credentials" }
        }
        Ok(account) if operation == Operation::Metadata && account.is_of_pod => {
            Outcome::NotTried { why: "it is not there" }
        }
        Err(error) if Some(at) == last => Outcome::of(Some(error)),
        Err(_) if last.is_none_or(|last| at > last) => {
            Outcome::NotTried { why: "there are no credentials for it" }
        }
        _ => Outcome::Ok,
    };
    let all = all.into_iter().enumerate();
    all.map(|(at, (operation, path))| call(operation, path, outcome(at, operation))).collect()
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
fn polled(states: &[Arc<ClusterState>]) -> Outcome {
    if states.iter().any(|state| state.observation.is_some()) {
        return Outcome::Ok;
    }
    let error = states.iter().find_map(|state| state.last_error());
    error.map_or(NOTHING_TO_READ, |error| Outcome::of(Some(error)))
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
