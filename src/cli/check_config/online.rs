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

/// How many clusters of a project are named at most; more would push the next error out of sight.
const MOST_NAMED: usize = 10;

/// One cause, and the clusters that were not read because of it.
#[derive(Debug)]
pub(super) struct Failure {
    /// The error of the first of them.
    error: CloudError,
    pub(super) clusters: Vec<Arc<ClusterMeta>>,
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
    let (mut known, mut failed) = (HashMap::new(), Vec::new());
    for state in board.snapshot().clusters() {
        if let Some(observation) = &state.observation {
            let read = observation.list.connections.len() as u64;
            let reported = observation.list.reported.unwrap_or(read).max(read);
            known.insert(state.meta.id.clone(), Count { reported, read });
            continue;
        }
        let died = || CloudError::new(Reason::Internal, "the poll ended without a result");
        let error = errors.remove(&state.meta.id).unwrap_or_else(died);
        failed.push((state.meta.clone(), error));
    }
    let expected = Expected::of(known, default, !failed.is_empty());
    Ok((expected, by_cause(failed)))
}

/// Merges failures with the same cause, in the order of their first occurrence.
fn by_cause(failed: Vec<(Arc<ClusterMeta>, CloudError)>) -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    for (cluster, error) in failed {
        match failures.iter_mut().find(|failure| is_same_cause(&failure.error, &error)) {
            Some(failure) => failure.clusters.push(cluster),
            None => failures.push(Failure { error, clusters: vec![cluster] }),
        }
    }
    failures
}

/// Messages of the cloud may contain the request id, so codes are compared where there is one.
fn is_same_cause(one: &CloudError, other: &CloudError) -> bool {
    one.reason == other.reason
        && match (&one.code, &other.code) {
            (None, None) => one.message == other.message,
            (code, other) => code == other,
        }
}

impl Failure {
    /// What happened, where, and what to do about it. `projects` says how many clusters each has.
    pub(super) fn lines(&self, projects: &[(Arc<str>, usize)]) -> Vec<String> {
        let error = &self.error;
        let mut line = format!("error: {}", error.reason.as_str());
        for (word, value) in [("code", &error.code), ("request id", &error.request_id)] {
            if let Some(value) = value {
                line.push_str(&format!(", {word} {value}"));
            }
        }
        let mut lines = vec![format!("{line}: {error}")];
        for (project, all) in projects {
            let clusters = self.clusters.iter().filter(|cluster| cluster.project == *project);
            let clusters: Vec<_> = clusters.collect();
            if !clusters.is_empty() {
                lines.push(format!("  project {project}: {}", listed(&clusters, *all)));
            }
        }
        lines.push(format!("  to do: {}", to_do(error.reason)));
        lines
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::RegionId;

    fn failed(project: &str, number: u32, error: &CloudError) -> (Arc<ClusterMeta>, CloudError) {
        let cluster = ClusterMeta {
            region: RegionId::parse("cn-north-4").unwrap(),
            project: project.into(),
            id: ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap(),
            name: format!("c{number}").into(),
            interval: Duration::from_secs(60),
        };
        let request_id = Some(format!("request-{number}"));
        (Arc::new(cluster), CloudError { request_id, ..error.clone() })
    }

    #[test]
    fn one_cause_is_told_once_with_all_it_concerns() {
        let of_cloud = |reason, code: &str, message: &str| CloudError {
            status: Some(401),
            code: Some(code.into()),
            ..CloudError::new(reason, message)
        };
        let wrong_key = of_cloud(Reason::Auth, "APIGW.0301", "verify aksk signature fail");
        let elsewhere = of_cloud(Reason::Auth, "APIGW.0301", "fail, canonicalRequest:GET|/v1.0/2");
        let forbidden = of_cloud(Reason::Forbidden, "CSS.0015", "no permission");
        let timeout = CloudError::new(Reason::Timeout, "no answer in time");
        let dns = CloudError::new(Reason::Dns, "no such host a");
        let other_dns = CloudError::new(Reason::Dns, "no such host b");
        let mut all: Vec<_> = (0..120).map(|number| failed("prod", number, &wrong_key)).collect();
        all.extend((200..213).map(|number| failed("test", number, &forbidden)));
        all.push(failed("test", 300, &elsewhere));
        all.push(failed("test", 301, &timeout));
        all.push(failed("test", 302, &dns));
        all.push(failed("test", 303, &other_dns));
        let failures = by_cause(all);
        let clusters: Vec<_> = failures.iter().map(|failure| failure.clusters.len()).collect();
        assert_eq!(clusters, [121, 13, 1, 1, 1]);
        let projects = [("prod".into(), 120), ("test".into(), 20)];
        let lines = failures[0].lines(&projects);
        let expected = [
            "error: auth, code APIGW.0301, request id request-0: verify aksk signature fail \
             (HTTP 401, APIGW.0301)",
            "  project prod: all 120 clusters",
            "  project test: 1 of 20 clusters: c300 (0000012c-5b35-4f50-8984-76387e42451a)",
            "  to do: check the credentials: the key may be wrong, disabled or locked",
        ];
        assert_eq!(lines, expected);
        let lines = failures[1].lines(&projects);
        assert!(lines[1].starts_with("  project test: 13 of 20 clusters: c200 ("), "{lines:?}");
        assert!(lines[1].contains("c209 (") && !lines[1].contains("c210 ("), "{lines:?}");
        assert!(lines[1].ends_with("), and 3 more"), "{lines:?}");
    }
}
