//! Endpoint services at VPCEP: listed, read, changed.

use super::{
    Inner, Project, Request,
    transport::{Answer, Method},
    wire::{self, DecodedServices},
    within,
};
use crate::{
    cloud::{Budget, CloudError, Reason, Services, Trace, Traced},
    model::{EndpointService, ServiceFields, ServiceId},
};

pub(super) const LIST: &str = "vpcep_services";
pub(super) const DETAIL: &str = "vpcep_service";
pub(super) const UPDATE: &str = "vpcep_update";

/// The largest page (VPCEP API Reference, "Querying VPC Endpoint Services").
const PAGE_LIMIT: u32 = 1000;
/// The default quota of a project is 20 services; this is room for 10,000.
const MAX_PAGES: u32 = 10;

impl Inner {
    async fn vpcep(
        &self,
        (operation, method): (&'static str, Method<'_>),
        below: &str,
        query: &[(&str, &str)],
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Answer, CloudError> {
        let project_id = self.project_id(budget, trace).await?;
        let request = Request {
            project: &self.settings.name,
            operation,
            method,
            base: &self.settings.endpoints.vpcep,
            path: format!("/v1/{project_id}/vpc-endpoint-services{below}"),
            query,
            project_id: Some(project_id),
            pacer: &self.pacers.vpcep,
        };
        self.session.send(&request, budget, trace).await
    }

    fn decoded(
        &self,
        answer: &Answer,
        decode: impl FnOnce(&[u8]) -> Result<DecodedServices, CloudError>,
    ) -> Result<DecodedServices, CloudError> {
        let decoded = decode(&answer.body).map_err(|error| answer.explain(error))?;
        self.count_all(&decoded.surprises);
        Ok(decoded)
    }

    async fn service(
        &self,
        service: &ServiceId,
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<EndpointService, CloudError> {
        let get = (DETAIL, Method::Get);
        let answer = self.vpcep(get, &format!("/{service}"), &[], budget, trace).await?;
        let decoded = self.decoded(&answer, wire::service)?;
        let found = decoded.services.into_iter().find(|found| found.id == *service);
        found.ok_or_else(|| {
            let message = "the answer is about another service";
            answer.explain(CloudError::new(Reason::BadShape, message))
        })
    }

    /// One that is asked for alone is asked for by its id; several are picked out of the whole list.
    async fn services(
        &self,
        wanted: &[ServiceId],
        budget: &mut Budget,
        trace: &mut Trace,
    ) -> Result<Vec<EndpointService>, CloudError> {
        let mut found: Vec<EndpointService> = Vec::with_capacity(wanted.len());
        let mut received = 0_u32;
        for _ in 0..MAX_PAGES {
            let (offset, limit) = (received.to_string(), PAGE_LIMIT.to_string());
            let mut query = vec![("limit", limit.as_str()), ("offset", &offset)];
            if let [only] = wanted {
                query.push(("id", only.as_str()));
            }
            let answer = self.vpcep((LIST, Method::Get), "", &query, budget, trace).await?;
            let page = self.decoded(&answer, wire::services)?;
            trace.pages += 1;
            received = received.saturating_add(page.received);
            for service in page.services {
                let is_wanted = wanted.contains(&service.id);
                if is_wanted && found.iter().all(|known| known.id != service.id) {
                    found.push(service);
                }
            }
            let is_last = page.total.is_some_and(|total| u64::from(received) >= total);
            if page.received == 0 || is_last || found.len() == wanted.len() {
                break;
            }
        }
        Ok(found)
    }
}

impl Services for Project {
    async fn service(&self, service: &ServiceId, mut budget: Budget) -> Traced<EndpointService> {
        let mut trace = Trace::default();
        let deadline = budget.deadline;
        let reading = self.0.service(service, &mut budget, &mut trace);
        let result = within(deadline, "the reading of the service", reading).await;
        Traced { result, trace }
    }

    async fn services(
        &self,
        wanted: &[ServiceId],
        mut budget: Budget,
    ) -> Traced<Vec<EndpointService>> {
        let mut trace = Trace::default();
        let deadline = budget.deadline;
        let reading = self.0.services(wanted, &mut budget, &mut trace);
        let result = within(deadline, "the reading of the services", reading).await;
        Traced { result, trace }
    }

    async fn update_service(
        &self,
        service: &ServiceId,
        update: &ServiceFields,
        mut budget: Budget,
    ) -> Traced<()> {
        let mut trace = Trace::default();
        let deadline = budget.deadline;
        let body = wire::update(update);
        let put = (UPDATE, Method::Put { body: &body });
        let below = format!("/{service}");
        let sending = self.0.vpcep(put, &below, &[], &mut budget, &mut trace);
        let result = within(deadline, "the change of the service", sending).await;
        // The echo is not trusted: the document's own example answers with the values from before.
        Traced { result: result.map(drop), trace }
    }
}
