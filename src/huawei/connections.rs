//! The connections of a cluster: all of its pages, made one list; and the decision about some of them.

use std::sync::Arc;

use super::{
    api::{Api, Call},
    codes,
    effort::Effort,
    operation::Operation,
    page_limits::PageLimits,
    page_memory::{PageDigest, PageMemory},
    paging::{self, FALLBACK_LIMIT, LargeLimit, Page, Pages},
    wire::{self, Surprise, Surprises},
};
use crate::{
    cloud::CloudError,
    model::{ClusterId, ConnectionList, Decision, EndpointId},
    secret::Secret,
};

/// Reads all connections of a cluster: whole, or not at all.
pub(super) async fn read(
    api: &Api,
    limits: &PageLimits,
    memory: &PageMemory,
    cluster: &ClusterId,
    effort: &mut Effort,
) -> Result<Arc<ConnectionList>, CloudError> {
    let known = limits.recall(cluster);
    let mut large_limit = known;
    let mut pages = ClusterPages { api, memory, cluster, decoded: None, effort };
    let walked = paging::walk(&api.settings.paging, &mut large_limit, &mut pages).await;
    if large_limit != known {
        learn(api, limits, cluster, large_limit);
    }
    let ClusterPages { decoded, effort, .. } = pages;
    match walked {
        Ok(walked) => {
            if let (1, 0, Some((digest, surprises))) =
                (effort.trace.pages, walked.duplicates, decoded)
            {
                memory.remember(cluster, digest, &walked.list, surprises);
            }
            let mut surprises = Surprises::default();
            surprises.count(Surprise::DuplicateId, walked.duplicates);
            if let Some(id) = walked.duplicate_id {
                surprises.note(Surprise::DuplicateId, "id", &id);
            }
            api.report(Operation::Connections, Some(cluster), surprises, None);
            Ok(walked.list)
        }
        Err(error) if effort.trace.pages == 0 && codes::says_not_enabled(&error) => {
            Ok(Arc::new(ConnectionList::service_not_enabled()))
        }
        Err(error) => Err(error),
    }
}

/// Accepts or rejects connections, once. The answer has no body (CSS API Reference, "Updating an Endpoint
/// Connection").
pub(super) async fn decide(
    api: &Api,
    cluster: &ClusterId,
    decision: Decision,
    connections: &[EndpointId],
    effort: &mut Effort,
) -> Result<(), CloudError> {
    let body = Secret::new(wire::decision(decision, connections));
    let call = Call {
        operation: Operation::UpdateConnections,
        cluster: Some(cluster),
        path: &path(cluster),
        query: &[],
        body: Some(&body),
    };
    api.send(&call, effort).await.map(drop)
}

fn path(cluster: &ClusterId) -> String {
    format!("clusters/{cluster}/vpcepservice/connections")
}

fn learn(api: &Api, limits: &PageLimits, cluster: &ClusterId, limit: LargeLimit) {
    if limits.learn(cluster, limit) {
        tracing::warn!(
            project = &*api.settings.name,
            cluster_id = cluster.as_str(),
            limit = api.settings.paging.limit,
            "the cloud refuses the page limit, so pages of {FALLBACK_LIMIT} rows are read; setting \
             paging.limit in the project saves one refused request an hour"
        );
    }
}

struct ClusterPages<'a> {
    api: &'a Api,
    memory: &'a PageMemory,
    cluster: &'a ClusterId,
    /// The last page, unless it was remembered.
    decoded: Option<(PageDigest, Surprises)>,
    effort: &'a mut Effort,
}

impl Pages for &mut ClusterPages<'_> {
    async fn page(&mut self, offset: u32, limit: u32) -> Result<Page, CloudError> {
        let parameter = self.api.settings.paging.parameter.as_str();
        let query = [(parameter, &*offset.to_string()), ("limit", &*limit.to_string())];
        let call = Call {
            operation: Operation::Connections,
            cluster: Some(self.cluster),
            path: &path(self.cluster),
            query: &query,
            body: None,
        };
        let is_first = self.effort.trace.pages == 0;
        let decode = |body: &[u8]| {
            let digest = PageDigest::of(body);
            let remembered = self.memory.recall(self.cluster, digest).filter(|_| is_first);
            if let Some((list, surprises)) = remembered {
                return Ok((Page { whole: Some(list), ..Page::default() }, surprises));
            }
            let (page, surprises) = wire::page(body)?;
            self.decoded = Some((digest, surprises.clone()));
            Ok((page, surprises))
        };
        let (page, _) = self.api.read(call, decode, self.effort).await?;
        self.effort.trace.pages += 1;
        Ok(page)
    }
}
