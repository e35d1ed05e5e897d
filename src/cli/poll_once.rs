//! Polls every cluster once. Failures with the same cause are reported together, so that an outage is one
//! error and not one for each cluster.

use std::sync::Arc;

use crate::{
    app::{self, Collector, StartError},
    board::{ClusterMeta, ClusterState},
    clock::Clock,
    cloud::{CloudError, Reason},
    config::Config,
    huawei::{METADATA_URL, transport::Recorder},
    poll::{self, Polled},
};

/// Number of clusters of a project that are named; more would push the next error out of sight.
pub(super) const MOST_NAMED: usize = 10;

/// One cause, and what failed because of it, such as clusters that were not read.
#[derive(Debug)]
pub(super) struct Outage<T> {
    /// The error of the first of them.
    pub(super) error: CloudError,
    pub(super) failed: Vec<T>,
}

/// Polls all clusters of the configuration, whose projects are gone afterwards, and those that discovery
/// finds. `recorder` notes the answers; `known` is called with the number of clusters, `polled` after each.
/// Returns true if every list of clusters that discovery reads was read whole.
pub(super) async fn poll_once(
    config: &mut Config,
    recorder: Option<Arc<Recorder>>,
    known: impl Fn(usize),
    polled: impl Fn(),
) -> Result<(Collector, bool), StartError> {
    let clock = Clock::system();
    let mut collector = app::collector(config, [], &clock, METADATA_URL, recorder)?;
    let is_all_discovered = collector.fleet.read_once().await;
    let Polled { targets, clusters } = collector.fleet.polled();
    known(clusters.len());
    collector.board.reconfigure(clusters);
    poll::once(targets, &collector.board, &clock, &collector.stats, |_, _| polled()).await;
    Ok((collector, is_all_discovered))
}

/// The clusters that were read, but not whole.
pub(super) fn in_part(states: &[Arc<ClusterState>]) -> Vec<Arc<ClusterMeta>> {
    let in_part = states.iter().filter(|state| state.observation.is_some() && !state.is_whole());
    in_part.map(|state| state.meta.clone()).collect()
}

/// The reasons why clusters were not read.
pub(super) fn outages(states: &[Arc<ClusterState>]) -> Vec<Outage<Arc<ClusterMeta>>> {
    let failed = states.iter().filter(|state| state.observation.is_none());
    by_cause(failed.map(|state| {
        let died = || CloudError::new(Reason::Internal, "the poll ended without a result");
        (state.meta.clone(), state.last_error().cloned().unwrap_or_else(died))
    }))
}

/// Failures with the same cause become one, in the order of the first of each.
pub(super) fn by_cause<T>(failed: impl Iterator<Item = (T, CloudError)>) -> Vec<Outage<T>> {
    let mut outages: Vec<Outage<T>> = Vec::new();
    for (one, error) in failed {
        match outages.iter_mut().find(|outage| is_same_cause(&outage.error, &error)) {
            Some(outage) => outage.failed.push(one),
            None => outages.push(Outage { error, failed: vec![one] }),
        }
    }
    outages
}

/// The cloud's message may name the request, its code does not.
pub(super) fn is_same_cause(one: &CloudError, other: &CloudError) -> bool {
    one.reason == other.reason
        && match (&one.code, &other.code) {
            (None, None) => one.message == other.message,
            (code, other) => code == other,
        }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{ClusterId, RegionId};

    fn failed(project: &str, number: u32, error: &CloudError) -> (Arc<ClusterMeta>, CloudError) {
        let cluster = ClusterMeta {
            region: RegionId::parse("cn-north-4").unwrap(),
            project: project.into(),
            id: ClusterId::parse(&format!("{number:08x}-5b35-4f50-8984-76387e42451a")).unwrap(),
            name: format!("c{number}").into(),
            interval: Duration::from_secs(60),
            labels: Default::default(),
            listed: None,
        };
        let request_id = Some(format!("request-{number}"));
        (Arc::new(cluster), CloudError { request_id, ..error.clone() })
    }

    /// Outages of 120 clusters of one project, and of 17 of another.
    pub(in crate::cli) fn some() -> Vec<Outage<Arc<ClusterMeta>>> {
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
        by_cause(all.into_iter())
    }

    #[test]
    fn one_cause_is_told_once_with_all_it_concerns() {
        let outages = some();
        let clusters: Vec<_> = outages.iter().map(|outage| outage.failed.len()).collect();
        assert_eq!(clusters, [121, 13, 1, 1, 1]);
    }
}
