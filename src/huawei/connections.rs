//! The connections of a cluster: all of its pages, made one list; and the decision about some of them.

use super::{
    api::{Api, Call},
    codes,
    effort::Effort,
    operation::Operation,
    page_limits::PageLimits,
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
    cluster: &ClusterId,
    effort: &mut Effort,
) -> Result<ConnectionList, CloudError> {
    let known = limits.recall(cluster);
    let mut large_limit = known;
    let mut pages = ClusterPages { api, cluster, effort };
    let walked = paging::walk(&api.settings.paging, &mut large_limit, &mut pages).await;
    if large_limit != known {
        learn(api, limits, cluster, large_limit);
    }
    match walked {
        Ok(walked) => {
            let mut surprises = Surprises::default();
            surprises.count(Surprise::DuplicateId, walked.duplicates);
            if let Some(id) = walked.duplicate_id {
                surprises.note(Surprise::DuplicateId, "id", &id);
            }
            api.report(Operation::Connections, Some(cluster), surprises, None);
            Ok(walked.list)
        }
        Err(error) if effort.trace.pages == 0 && codes::says_not_enabled(&error) => {
            Ok(ConnectionList::service_not_enabled())
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
    cluster: &'a ClusterId,
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
        let (page, _) = self.api.read(call, wire::page, self.effort).await?;
        self.effort.trace.pages += 1;
        Ok(page)
    }
}
