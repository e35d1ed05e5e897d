//! Endpoint services at VPCEP: listed, read, changed.

use std::collections::HashMap;

use super::{
    Inner, Project, Request,
    surprises::Place,
    transport::{Answer, Method},
    wire::{self, DecodedServices},
    within,
};
use crate::{
    cloud::{Budget, CloudError, Listed, Reason, Services, Trace, Traced},
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
        let project_id = self.project_id(budget, trace).await;
        let project_id =
            project_id.map_err(|error| if method.is_change() { error.unsent() } else { error })?;
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
        operation: &str,
        answer: &Answer,
        decode: impl FnOnce(&[u8]) -> Result<DecodedServices, CloudError>,
    ) -> Result<DecodedServices, CloudError> {
        let mut decoded = decode(&answer.body).map_err(|error| answer.explain(error))?;
        self.count_all(&decoded.surprises);
        let oddities = std::mem::take(&mut decoded.oddities);
        let place = Place { project: &self.settings.name, operation, cluster_id: None };
        self.surprises.tell(place, oddities, Some(answer));
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
        let decoded = self.decoded(DETAIL, &answer, wire::service)?;
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
    ) -> Result<Listed, CloudError> {
        let mut found: HashMap<ServiceId, Result<EndpointService, CloudError>> = HashMap::new();
        // Why a service that is missing from the list may still exist.
        let mut doubt = Some(format!("only the first {MAX_PAGES} pages of the list are read"));
        let (mut received, mut without_id) = (0_u32, 0);
        for _ in 0..MAX_PAGES {
            let (offset, limit) = (received.to_string(), PAGE_LIMIT.to_string());
            let mut query = vec![("limit", limit.as_str()), ("offset", &offset)];
            if let [only] = wanted {
                query.push(("id", only.as_str()));
            }
            let answer = self.vpcep((LIST, Method::Get), "", &query, budget, trace).await?;
            let page = self.decoded(LIST, &answer, wire::services)?;
            trace.pages += 1;
            received = received.saturating_add(page.received);
            without_id += page.without_id;
            let read = page.services.into_iter().map(|service| (service.id.clone(), Ok(service)));
            let unreadable = page.unreadable.into_iter().map(|id| {
                (id, Err(bad_shape("its row in the list of endpoint services cannot be read")))
            });
            for (id, row) in read.chain(unreadable).filter(|(id, _)| wanted.contains(id)) {
                found.entry(id).or_insert(row);
            }
            match page.total {
                Some(total) if u64::from(received) >= total => doubt = None,
                Some(total) if page.received == 0 => {
                    doubt = Some(format!("the list ends after {received} of {total} rows"));
                }
                None if page.received == 0 => doubt = None,
                _ if found.len() == wanted.len() => {}
                _ => continue,
            }
            break;
        }
        if without_id > 0 {
            doubt = Some("the list has rows without a readable id".to_owned());
        }
        let missing = || match &doubt {
            None => CloudError::new(Reason::NotFound, "the project has no such endpoint service"),
            Some(why) => bad_shape(&format!(
                "the endpoint service is not in the list, which does not mean that it is gone: {why}"
            )),
        };
        let one = |id| found.get(id).cloned().unwrap_or_else(|| Err(missing()));
        Ok(wanted.iter().map(one).collect())
    }
}

fn bad_shape(message: &str) -> CloudError {
    CloudError::new(Reason::BadShape, message)
}

impl Services for Project {
    async fn service(&self, service: &ServiceId, mut budget: Budget) -> Traced<EndpointService> {
        let mut trace = Trace::default();
        let deadline = budget.deadline;
        let reading = self.0.service(service, &mut budget, &mut trace);
        let result = within(deadline, "the reading of the service", reading).await;
        Traced { result, trace }
    }

    async fn services(&self, wanted: &[ServiceId], mut budget: Budget) -> Traced<Listed> {
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
