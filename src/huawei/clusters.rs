//! The list of a project's clusters: all of its pages, made one.

use std::collections::BTreeMap;

use super::{
    api::{Api, Call},
    codes,
    effort::Effort,
    operation::Operation,
    paging::{FALLBACK_LIMIT, LARGEST_LIMIT, LARGEST_OFFSET},
    wire::{self, ClusterPage},
};
use crate::{
    cloud::{CloudError, Reason},
    model::{ClusterList, ListedCluster},
};

/// With the largest page two are enough for all that can be reached; a server with pages of ten rows, its
/// default, needs 101.
const MAX_PAGES: u32 = 110;
/// Five times what can be reached by the document: more is not a true answer.
const MAX_CLUSTERS: usize = 10_000;
/// The list counts its rows from one (CSS API Reference, "Querying the Cluster List").
const FIRST: u32 = 1;

/// Reads the list. Rows beyond the largest start cannot be reached: a longer list is never whole.
pub(super) async fn list(api: &Api, effort: &mut Effort) -> Result<ClusterList, CloudError> {
    let mut clusters = BTreeMap::new();
    let (mut start, mut received, mut without_id, mut total) = (FIRST, 0_u32, 0, None);
    let (mut reached_the_end, mut limit) = (false, LARGEST_LIMIT);
    for _ in 0..MAX_PAGES {
        let page = match page(api, start, limit, effort).await {
            // Rows have all nodes of their clusters: a thousand of these may be too much for one answer.
            Err(error) if limit > FALLBACK_LIMIT && is_too_much(&error) => {
                limit = FALLBACK_LIMIT;
                page(api, start, limit, effort).await?
            }
            other => other?,
        };
        received = received.saturating_add(page.received);
        without_id += page.without_id;
        total = page.total.or(total);
        let known = clusters.len();
        clusters.extend(page.clusters.into_iter().map(|cluster| (cluster.id.clone(), cluster)));
        if clusters.len() > MAX_CLUSTERS {
            let message = format!("the cloud lists more than {MAX_CLUSTERS} clusters");
            return Err(CloudError::new(Reason::TooLarge, message));
        }
        reached_the_end = page.received == 0;
        let has_all = total.is_some_and(|total| clusters.len() as u64 >= total);
        let next = FIRST.saturating_add(received).min(LARGEST_OFFSET);
        if has_all || clusters.len() == known || next <= start {
            break;
        }
        start = next;
    }
    let clusters: Vec<ListedCluster> = clusters.into_values().collect();
    let incomplete = match total {
        _ if without_id > 0 => Some(format!("{without_id} of its rows have no readable id")),
        Some(total) if clusters.len() as u64 != total => {
            Some(format!("it has {} clusters, and the API counts {total}", clusters.len()))
        }
        None if !reached_the_end => Some("its end was not reached".into()),
        _ => None,
    };
    Ok(ClusterList { clusters, incomplete })
}

fn is_too_much(error: &CloudError) -> bool {
    error.reason == Reason::TooLarge || codes::refuses_a_parameter(error)
}

async fn page(
    api: &Api,
    start: u32,
    limit: u32,
    effort: &mut Effort,
) -> Result<ClusterPage, CloudError> {
    // The older name of `offset`, which every client sent until 2025 and some still send.
    let query = [("start", &*start.to_string()), ("limit", &*limit.to_string())];
    let operation = Operation::Clusters;
    let call = Call { operation, cluster: None, path: "clusters", query: &query, body: None };
    let (page, _) = api.read(call, wire::clusters, effort).await?;
    effort.trace.pages += 1;
    Ok(page)
}
