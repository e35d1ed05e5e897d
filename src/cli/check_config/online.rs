//! Every cluster once against the real cloud: the proof of credentials, project and cluster.

use std::{collections::HashMap, sync::Arc};

use super::cost::{Count, Expected};
use crate::{
    app::{self, Collector},
    board::ClusterMeta,
    cli::random_seed,
    clock::Clock,
    cloud::{CloudError, Reason},
    config::Config,
    model::ClusterId,
    poll,
};

/// A cluster that was not read.
#[derive(Debug)]
pub(super) struct Failure {
    cluster: Arc<ClusterMeta>,
    error: CloudError,
}

/// Polls all clusters of the configuration, whose projects are gone afterwards.
pub(super) async fn read(
    config: &mut Config,
    default: u64,
) -> Result<(Expected, Vec<Failure>), String> {
    let clock = Clock::system();
    let collector = app::collector(config, &clock, random_seed());
    let Collector { projects, board, stats, .. } = collector.map_err(|error| error.to_string())?;
    let mut errors: HashMap<ClusterId, CloudError> = HashMap::new();
    poll::once(projects, &board, &clock, &stats, |cluster, error| {
        errors.extend(error.map(|error| (cluster.clone(), error.clone())));
    })
    .await;
    let (mut known, mut failures) = (HashMap::new(), Vec::new());
    for state in board.snapshot().clusters() {
        if let Some(observation) = &state.observation {
            let read = observation.list.connections.len() as u64;
            let reported = observation.list.reported.unwrap_or(read).max(read);
            known.insert(state.meta.id.clone(), Count { reported, read });
            continue;
        }
        let died = || CloudError::new(Reason::Internal, "the poll ended without a result");
        let error = errors.remove(&state.meta.id).unwrap_or_else(died);
        failures.push(Failure { cluster: state.meta.clone(), error });
    }
    let expected = Expected::of(known, default, !failures.is_empty());
    Ok((expected, failures))
}

impl Failure {
    /// What happened, and what to do about it.
    pub(super) fn lines(&self) -> [String; 2] {
        let Self { cluster, error } = self;
        let mut line = format!(
            "error: project {}, cluster {} ({}): {}",
            cluster.project,
            cluster.name,
            cluster.id,
            error.reason.as_str()
        );
        for (word, value) in [("code", &error.code), ("request id", &error.request_id)] {
            if let Some(value) = value {
                line.push_str(&format!(", {word} {value}"));
            }
        }
        [format!("{line}: {error}"), format!("  to do: {}", to_do(error.reason))]
    }
}

/// What helps in most cases of a reason.
const fn to_do(reason: Reason) -> &'static str {
    match reason {
        Reason::Dns => "check region and api_endpoints, and that this machine resolves names",
        Reason::Connect | Reason::Reset => {
            "check api_endpoints, and that a firewall or proxy lets this machine reach them"
        }
        Reason::Tls => "check api_endpoints, and which certificates this machine trusts",
        Reason::Timeout => "try again; if it stays, raise poll.timeout or rate_limit.css",
        Reason::Redirect => "check api_endpoints: the host answers with another place",
        Reason::Auth => "check the credentials: the key may be wrong, disabled or locked",
        Reason::ClockSkew => "set the clock of this machine; signatures hold for 15 minutes",
        Reason::Forbidden => {
            "give the user the right to read CSS clusters, and check that project_id is its project"
        }
        Reason::NotFound => "check the cluster's id, and that it is in this region and project",
        Reason::Throttled => "lower rate_limit.css: others call this API with the same account",
        Reason::Http4xx => "check project_id, paging and api_endpoints",
        Reason::Http5xx => "try again; if it stays, tell the cloud's support the request id",
        Reason::TooLarge | Reason::BadJson | Reason::BadShape => {
            "check api_endpoints: what answers there may be no CSS"
        }
        Reason::Internal => "report this: it is a fault of the exporter",
    }
}
