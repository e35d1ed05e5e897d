//! The page limit that the API accepts for each cluster, remembered for an hour.
//!
//! It is kept for each cluster: an answer for one says nothing about the others, and a passing fault of
//! the cloud must not make a whole project read pages of a hundred.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::paging::LargeLimit;
use crate::model::ClusterId;

/// A limit is remembered for this time. A region that refuses one goes on refusing it, and trying again
/// costs one request: at the usual interval less than one in a hundred. A wrong conclusion lasts no longer.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// The page limits that the clusters of a project accept.
#[derive(Debug, Default)]
pub(super) struct PageLimits {
    clusters: Mutex<HashMap<ClusterId, (LargeLimit, Instant)>>,
}

impl PageLimits {
    pub(super) fn recall(&self, cluster: &ClusterId) -> LargeLimit {
        match self.clusters.lock().get(cluster) {
            Some((limit, learnt)) if learnt.elapsed() < KNOWN_FOR => *limit,
            _ => LargeLimit::Usual,
        }
    }

    /// Remembers a result. Returns true for the first refused limit of the project, which is logged
    /// once.
    pub(super) fn learn(&self, cluster: &ClusterId, limit: LargeLimit) -> bool {
        let mut all = self.clusters.lock();
        let is_refused = |(limit, _): &(LargeLimit, Instant)| *limit == LargeLimit::Refused;
        let is_first = limit == LargeLimit::Refused && !all.values().any(is_refused);
        all.insert(cluster.clone(), (limit, Instant::now()));
        is_first
    }

    /// Forgets all clusters except these.
    pub(super) fn keep_only(&self, clusters: &HashSet<&ClusterId>) {
        self.clusters.lock().retain(|cluster, _| clusters.contains(cluster));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_learnt_is_the_clusters_own_and_ends() {
        let limits = PageLimits::default();
        let [one, two] = [1, 2].map(|number| {
            ClusterId::parse(&format!("00000000-0000-4000-8000-{number:012}")).unwrap()
        });
        assert_eq!(limits.recall(&one), LargeLimit::Usual);
        assert!(!limits.learn(&two, LargeLimit::NotTheCause));
        assert!(limits.learn(&one, LargeLimit::Refused), "told");
        assert!(!limits.learn(&two, LargeLimit::Refused), "told once");
        assert_eq!(limits.recall(&one), LargeLimit::Refused);
        advance(KNOWN_FOR).await;
        assert_eq!(limits.recall(&one), LargeLimit::Usual);
        assert!(!limits.learn(&one, LargeLimit::Refused), "learnt again, and not told again");
        limits.keep_only(&HashSet::from([&two]));
        assert_eq!(limits.recall(&one), LargeLimit::Usual);
    }
}
