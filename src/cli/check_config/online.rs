//! Every cluster once against the real cloud, and every other call that reads: the proof of credentials,
//! project and cluster, and each error once.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;

use super::{
    calls::Needs,
    cost::{Count, Expected},
    proof::{Proof, prove},
    report::Online,
};
use crate::{
    app::StartError,
    board::ClusterMeta,
    cli::poll_once::{MOST_NAMED, Outage, by_cause, in_part, is_same_cause, outages, poll_once},
    cloud::{CloudError, Reason},
    config::{Config, ProjectSettings},
    huawei::Client,
    poll::Target,
};

/// The findings of one round.
pub(super) struct Read {
    pub(super) expected: Expected,
    /// The findings about each project.
    pub(super) projects: Vec<Online>,
    outages: Vec<Outage<Arc<ClusterMeta>>>,
    /// Clusters that were read, but not whole.
    incomplete: Vec<Arc<ClusterMeta>>,
    /// Failures of other calls than polls, unless they are those of the polls too: their places.
    others: Vec<Outage<String>>,
}

/// Polls all clusters of the configuration, whose projects are gone afterwards, and those that are
/// discovered, which `projects` have then too. Makes each other call that reads once.
pub(super) async fn read(
    config: &mut Config,
    projects: &mut [ProjectSettings],
    needs: &[Needs],
    default: u64,
) -> Result<Read, StartError> {
    let (collector, _) = poll_once(config, None, |_| {}, || {}).await?;
    let snapshot = collector.board.snapshot();
    let mut known = HashMap::new();
    for state in snapshot.clusters() {
        if let Some(observation) = &state.observation {
            let read = observation.list.connections.len() as u64;
            let reported = observation.list.reported.unwrap_or(read).max(read);
            known.insert(state.meta.id.clone(), Count { reported, read });
        }
    }
    let outages = outages(snapshot.clusters());
    let targets = collector.fleet.polled().targets;
    let states = |target: &Target<Client>| -> Vec<_> {
        let own = snapshot.clusters().iter().filter(|state| state.meta.project == target.name);
        own.cloned().collect()
    };
    let states: Vec<_> = targets.iter().map(states).collect();
    let each = projects.iter().zip(needs).zip(targets.iter().zip(&states));
    let proofs = each.map(|((project, needs), (target, states))| {
        prove(target, project, needs, &collector, states)
    });
    // A dead region keeps no other one waiting.
    let proofs = join_all(proofs).await;
    let (mut onlines, mut others) = (Vec::new(), Vec::new());
    for ((project, states), Proof { online, failures }) in
        projects.iter_mut().zip(states).zip(proofs)
    {
        project.clusters = states.iter().map(|state| (*state.meta).clone()).collect();
        let place = |place| format!("  project {}: {place}", project.cloud.name);
        others.extend(failures.into_iter().map(|(error, at)| (place(at), error)));
        onlines.push(online);
    }
    others.retain(|(_, error)| !outages.iter().any(|one| is_same_cause(&one.error, error)));
    Ok(Read {
        expected: Expected { known, default, any_assumed: !outages.is_empty() },
        projects: onlines,
        incomplete: in_part(snapshot.clusters()),
        outages,
        others: by_cause(others.into_iter()),
    })
}

impl Read {
    /// True if every call went well, and every cluster was read whole.
    pub(super) fn is_whole(&self) -> bool {
        self.others.is_empty() && self.outages.is_empty() && self.incomplete.is_empty()
    }

    /// The lines of the report: the projects, the clusters that were read, and each error with its remedy.
    pub(super) fn lines(&self, projects: &[ProjectSettings]) -> Vec<String> {
        let sizes = projects.iter().map(|project| (&*project.cloud.name, project.clusters.len()));
        let sizes: Vec<_> = sizes.collect();
        let all: usize = sizes.iter().map(|(_, clusters)| clusters).sum();
        let failed: usize = self.outages.iter().map(|outage| outage.failed.len()).sum();
        let about = projects.iter().zip(&self.projects);
        let mut lines: Vec<_> =
            about.flat_map(|(project, online)| online.lines(&project.cloud.name)).collect();
        lines.push(format!("read {} of {all} clusters", all - failed));
        for Outage { error, failed } in &self.outages {
            lines.extend(told(&in_full(error), &places(failed, &sizes), to_do(error.reason)));
        }
        for Outage { error, failed } in &self.others {
            lines.extend(told(&in_full(error), failed, to_do(error.reason)));
        }
        if !self.incomplete.is_empty() {
            let to_do = "check paging.parameter and paging.first; of a cluster with more than about 2000 \
                         connections the API lets no one read the rest";
            let places = places(&self.incomplete, &sizes);
            lines.extend(told("the list of connections is incomplete", &places, to_do));
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

/// An error, its places and its remedy.
fn told(what: &str, places: &[String], to_do: &str) -> Vec<String> {
    let mut lines = vec![format!("error: {what}")];
    lines.extend_from_slice(places);
    lines.push(format!("  to do: {to_do}"));
    lines
}

/// The clusters, by their projects. `projects` says how many clusters each has.
fn places(clusters: &[Arc<ClusterMeta>], projects: &[(&str, usize)]) -> Vec<String> {
    let place = |(project, all): &(&str, usize)| {
        let own = clusters.iter().filter(|cluster| *cluster.project == **project);
        let own: Vec<_> = own.collect();
        (!own.is_empty()).then(|| format!("  project {project}: {}", listed(&own, *all)))
    };
    projects.iter().filter_map(place).collect()
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
        let told = |Outage { error, failed }: &Outage<_>| {
            told(&in_full(error), &places(failed, &projects), to_do(error.reason))
        };
        let first = told(&outages[0]);
        let expected = [
            "error: auth, request id request-0: verify aksk signature fail (HTTP 401, APIGW.0301)",
            "  project prod: all 120 clusters",
            "  project test: 1 of 20 clusters: c300 (0000012c-5b35-4f50-8984-76387e42451a)",
            "  to do: check the credentials: the key may be wrong, disabled or locked",
        ];
        assert_eq!(first, expected);
        let second = told(&outages[1]);
        assert!(second[1].starts_with("  project test: 13 of 20 clusters: c200 ("), "{second:?}");
        assert!(second[1].contains("c209 (") && !second[1].contains("c210 ("), "{second:?}");
        assert!(second[1].ends_with("), and 3 more"), "{second:?}");
    }
}
