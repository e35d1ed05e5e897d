//! Every cluster once against the real cloud: the proof of credentials, project and cluster.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    calls::Needs,
    cost::{Count, Expected},
    report::{Call, Cluster, Credentials, Discovery, FoundId, Online, Outcome},
};
use crate::{
    app::StartError,
    board::{ClusterMeta, ClusterState},
    cli::poll_once::{MOST_NAMED, Outage, Round, in_part, is_same_cause, outages, poll_once},
    cloud::{Budget, CloudError, Reason, Services},
    config::{Config, ProjectSettings},
    huawei::{Account, Client, Operation},
    model::{ClusterId, ProjectId},
    pacing::Priority,
    poll::{Found, Target},
    stats::Stats,
};

/// Each call beside the polls may take so long, as they may.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The findings of one round.
pub(super) struct Read {
    pub(super) expected: Expected,
    /// One for each project.
    pub(super) projects: Vec<Online>,
    outages: Vec<Outage>,
    /// Clusters that were read, but not whole.
    incomplete: Vec<Arc<ClusterMeta>>,
    /// Failures of other calls, and the places of each.
    others: Vec<(CloudError, Vec<String>)>,
}

/// Polls all clusters of the configuration, whose projects are gone afterwards, and those that are
/// discovered, which `projects` have then too. Makes each other call that reads once.
pub(super) async fn read(
    config: &mut Config,
    projects: &mut [ProjectSettings],
    needs: &[Needs],
    default: u64,
) -> Result<Read, StartError> {
    let round = poll_once(config, None, |_| {}, || {}).await?;
    let snapshot = round.board.snapshot();
    let mut known = HashMap::new();
    for state in snapshot.clusters() {
        if let Some(observation) = &state.observation {
            let read = observation.list.connections.len() as u64;
            let reported = observation.list.reported.unwrap_or(read).max(read);
            known.insert(state.meta.id.clone(), Count { reported, read });
        }
    }
    let outages = outages(snapshot.clusters());
    let mut read = Read {
        expected: Expected { known, default, any_assumed: !outages.is_empty() },
        projects: Vec::new(),
        incomplete: in_part(snapshot.clusters()),
        outages,
        others: Vec::new(),
    };
    let targets = round.fleet.polled().targets;
    for ((project, needs), target) in projects.iter_mut().zip(needs).zip(&targets) {
        let own = snapshot.clusters().iter().filter(|state| state.meta.project == target.name);
        let states: Vec<_> = own.cloned().collect();
        let proof = Proof::of(target, project, needs, &round).await;
        let online = proof.online(project, needs, &states);
        project.clusters = states.iter().map(|state| (*state.meta).clone()).collect();
        for (error, place) in proof.failures() {
            read.add(error, format!("  project {}: {place}", target.name));
        }
        read.projects.push(online);
    }
    Ok(read)
}

/// The calls of a project beside its polls, each made once.
struct Proof<'a> {
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
    async fn of(
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
        let ids: Vec<_> = project.endpoint_services.iter().map(|meta| meta.id.clone()).collect();
        let services = match project_id.is_ok() && needs.reading.contains(&Operation::Services) {
            true => Some(
                cloud
                    .services(&ids, budget())
                    .await
                    .result
                    .map(|listed| listed.into_iter().find_map(Result::err)),
            ),
            false => None,
        };
        let service = match ids.first().filter(|_| needs.changing.contains(&Operation::Service)) {
            Some(id) if project_id.is_ok() => {
                Some(cloud.service(id, budget()).await.result.map(drop))
            }
            _ => None,
        };
        let mut found = found.filter(|(name, _)| **name == target.name);
        let found = found.next().map(|(_, found)| found);
        Self { cloud, stats: &round.stats, account, project_id, found, services, service }
    }

    fn online(
        &self,
        project: &ProjectSettings,
        needs: &Needs,
        states: &[Arc<ClusterState>],
    ) -> Online {
        let mut calls = self.exchanges();
        let outcome = |operation| (operation, None, self.outcome(operation, states));
        calls.extend(needs.all().map(outcome));
        let configured: Vec<_> = project.clusters.iter().map(|meta| &meta.id).collect();
        let looked_up = project.cloud.project_id.is_none();
        let id = project.cloud.project_id.as_ref().or(self.project_id.as_ref().ok());
        Online {
            credentials: self.credentials(),
            project_id: FoundId { id: id.map(ToString::to_string), looked_up },
            calls: calls.into_iter().map(call).collect(),
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
    fn exchanges(&self) -> Vec<(Operation, Option<String>, Outcome)> {
        let all = self.cloud.exchanges();
        let name = &self.cloud.settings().name;
        let was_sent = |operation| self.stats.was_sent(name, operation);
        let last = all.iter().rposition(|(operation, _)| was_sent(*operation));
        let outcome = |at: usize| match &self.account {
            Ok(account) if all[at].0 == Operation::PodIdentity && !account.is_of_pod => {
                Outcome::NotTried { why: "the provider before it has credentials" }
            }
            Ok(account) if all[at].0 == Operation::Metadata && account.is_of_pod => {
                Outcome::NotTried { why: "it is not there" }
            }
            Err(error) if Some(at) == last => Outcome::Failed { error: error.into() },
            Err(_) if last.is_none_or(|last| at > last) => {
                Outcome::NotTried { why: "there are no credentials for it" }
            }
            _ => Outcome::Ok,
        };
        let outcomes: Vec<_> = (0..all.len()).map(outcome).collect();
        all.into_iter().zip(outcomes).map(|((one, path), outcome)| (one, path, outcome)).collect()
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
            _ => self.service.as_ref().map(|read| read.as_ref().map(|()| ())),
        };
        result.map_or(Outcome::NotTried { why: "there is nothing to read" }, of)
    }

    /// Every failure of a call that is no poll, and its place.
    fn failures(&self) -> impl Iterator<Item = (&CloudError, &'static str)> {
        let named = |error, place| Some((error, place));
        let id = self.project_id.as_ref().err().filter(|_| self.account.is_ok());
        let found = self.found.and_then(|found| found.failure.as_ref());
        let service = self.service.as_ref().and_then(|read| read.as_ref().err());
        [
            self.account.as_ref().err().and_then(|error| named(error, "the credentials")),
            id.and_then(|error| named(error, "the project id")),
            found.and_then(|error| named(error, "the list of clusters")),
            self.services.as_ref().and_then(|read| match read {
                Ok(one) => one.as_ref().and_then(|error| named(error, "an endpoint service")),
                Err(error) => named(error, "the list of endpoint services"),
            }),
            service.and_then(|error| named(error, "an endpoint service by itself")),
        ]
        .into_iter()
        .flatten()
    }
}

fn budget() -> Budget {
    let deadline = Instant::now() + CALL_TIMEOUT;
    Budget { deadline, first_token: None, priority: Priority::Begun }
}

fn call((operation, address, outcome): (Operation, Option<String>, Outcome)) -> Call {
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

impl Read {
    /// True if every call went well, and every cluster was read whole.
    pub(super) fn is_whole(&self) -> bool {
        self.others.is_empty() && self.outages.is_empty() && self.incomplete.is_empty()
    }

    /// Takes a failure of a call that is no poll, unless it is that of the polls too.
    fn add(&mut self, error: &CloudError, place: String) {
        if self.outages.iter().any(|outage| is_same_cause(&outage.error, error)) {
            return;
        }
        match self.others.iter_mut().find(|(other, _)| is_same_cause(other, error)) {
            Some((_, places)) => places.push(place),
            None => self.others.push((error.clone(), vec![place])),
        }
    }

    /// The lines of the report: the projects, the clusters that were read, and each error with its remedy.
    pub(super) fn lines(&self, projects: &[ProjectSettings]) -> Vec<String> {
        let sizes = projects.iter().map(|project| (&*project.cloud.name, project.clusters.len()));
        let sizes: Vec<_> = sizes.collect();
        let all: usize = sizes.iter().map(|(_, clusters)| clusters).sum();
        let failed: usize = self.outages.iter().map(|outage| outage.clusters.len()).sum();
        let about = projects.iter().zip(&self.projects);
        let mut lines: Vec<_> =
            about.flat_map(|(project, online)| online.lines(&project.cloud.name)).collect();
        lines.push(format!("read {} of {all} clusters", all - failed));
        lines.extend(self.outages.iter().flat_map(|outage| told_outage(outage, &sizes)));
        for (error, places) in &self.others {
            lines.push(format!("error: {}", in_full(error)));
            lines.extend(places.iter().cloned());
            lines.push(format!("  to do: {}", to_do(error.reason)));
        }
        if !self.incomplete.is_empty() {
            lines.extend(told(
                "the list of connections is incomplete",
                &self.incomplete,
                "check paging.parameter and paging.first; of a cluster with more than about 2000 \
                 connections the API lets no one read the rest",
                &sizes,
            ));
        }
        lines
    }
}

/// The reason, the request and the message.
fn in_full(error: &CloudError) -> String {
    let id = error.request_id.as_ref();
    let request = id.map_or_else(String::new, |id| format!(", request id {id}"));
    format!("{}{request}: {error}", error.reason.as_str())
}

fn told_outage(outage: &Outage, projects: &[(&str, usize)]) -> Vec<String> {
    let error = &outage.error;
    told(&in_full(error), &outage.clusters, to_do(error.reason), projects)
}

/// An error, its place and its remedy. `projects` says how many clusters each has.
fn told(
    what: &str,
    clusters: &[Arc<ClusterMeta>],
    to_do: &str,
    projects: &[(&str, usize)],
) -> Vec<String> {
    let mut lines = vec![format!("error: {what}")];
    for (project, all) in projects {
        let clusters: Vec<_> =
            clusters.iter().filter(|cluster| *cluster.project == **project).collect();
        if !clusters.is_empty() {
            lines.push(format!("  project {project}: {}", listed(&clusters, *all)));
        }
    }
    lines.push(format!("  to do: {to_do}"));
    lines
}

/// The number of a project's clusters that failed, and their names.
fn listed(clusters: &[&Arc<ClusterMeta>], all: usize) -> String {
    if clusters.len() == all && all > MOST_NAMED {
        return format!("all {all} clusters");
    }
    let named = clusters.iter().take(MOST_NAMED);
    let names: Vec<_> = named.map(|cluster| format!("{} ({})", cluster.name, cluster.id)).collect();
    let more = match clusters.len() - names.len() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("{} of {all} clusters: {}{more}", clusters.len(), names.join(", "))
}

/// The usual remedy for a reason.
const fn to_do(reason: Reason) -> &'static str {
    match reason {
        Reason::Dns => "check region and api_endpoints, and that this machine resolves names",
        Reason::Connect | Reason::Reset => {
            "check api_endpoints, and that a firewall or proxy lets this machine reach them"
        }
        Reason::Tls => "check api_endpoints, and which certificates this machine trusts",
        Reason::Timeout => "try again; if it persists, raise poll.timeout or rate_limit.css",
        Reason::Redirect => "check api_endpoints: the host answers with a redirect",
        Reason::Auth => "check the credentials: the key may be wrong, disabled or locked",
        Reason::ClockSkew => "set the clock of this machine; signatures are valid for 15 minutes",
        Reason::Forbidden => {
            "give the user the policies below, and check that project_id is its project"
        }
        Reason::NotFound => "check the cluster's id, and that it is in this region and project",
        Reason::Throttled => "lower rate_limit.css: others call this API with the same account",
        Reason::Http4xx => "check project_id, paging and api_endpoints",
        Reason::Http5xx => {
            "try again; if it persists, report the request id to the cloud's support"
        }
        Reason::TooLarge | Reason::BadJson | Reason::BadShape => {
            "check api_endpoints: the server there may not be CSS"
        }
        Reason::Internal => "report this: it is a fault of the exporter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::poll_once::tests::some;

    #[test]
    fn an_error_names_its_clusters_and_what_to_do() {
        let outages = some();
        let projects = [("prod", 120), ("test", 20)];
        let first = told_outage(&outages[0], &projects);
        let expected = [
            "error: auth, request id request-0: verify aksk signature fail (HTTP 401, APIGW.0301)",
            "  project prod: all 120 clusters",
            "  project test: 1 of 20 clusters: c300 (0000012c-5b35-4f50-8984-76387e42451a)",
            "  to do: check the credentials: the key may be wrong, disabled or locked",
        ];
        assert_eq!(first, expected);
        let second = told_outage(&outages[1], &projects);
        assert!(second[1].starts_with("  project test: 13 of 20 clusters: c200 ("), "{second:?}");
        assert!(second[1].contains("c209 (") && !second[1].contains("c210 ("), "{second:?}");
        assert!(second[1].ends_with("), and 3 more"), "{second:?}");
    }
}
