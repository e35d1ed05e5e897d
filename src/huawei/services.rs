//! Endpoint services at VPCEP: listed, read, changed.

use std::collections::HashMap;

use super::{
    api::{Api, Call},
    effort::Effort,
    operation::Operation,
    wire::{self, ServicePage},
};
use crate::{
    cloud::{CloudError, Listed, Reason},
    model::{EndpointService, ServiceFields, ServiceId},
    secret::Secret,
};

const SERVICES: &str = "vpc-endpoint-services";

/// The largest page (VPCEP API Reference, "Querying VPC Endpoint Services").
const PAGE_LIMIT: u32 = 1000;
/// The default quota of a project is 20 services; this is room for 10,000.
const MAX_PAGES: u32 = 10;

/// Reads one endpoint service.
pub(super) async fn read(
    api: &Api,
    service: &ServiceId,
    effort: &mut Effort,
) -> Result<EndpointService, CloudError> {
    let path = format!("{SERVICES}/{service}");
    let call = call(Operation::Service, &path, &[]);
    let (found, answer) = api.read(call, wire::service, effort).await?;
    if found.id != *service {
        return Err(answer.explain(bad_shape("the answer is about another service")));
    }
    Ok(found)
}

/// Sends a change, once.
pub(super) async fn update(
    api: &Api,
    service: &ServiceId,
    update: &ServiceFields,
    effort: &mut Effort,
) -> Result<(), CloudError> {
    let body = Secret::new(wire::update(update));
    let path = format!("{SERVICES}/{service}");
    let call = Call { body: Some(&body), ..call(Operation::UpdateService, &path, &[]) };
    api.send(&call, effort).await?;
    // The echo is not trusted: the document's own example answers with the values from before.
    Ok(())
}

/// Reads several services. A single one is read by its id; several are picked out
/// of the whole list.
pub(super) async fn list(
    api: &Api,
    wanted: &[ServiceId],
    effort: &mut Effort,
) -> Result<Listed, CloudError> {
    let mut found: HashMap<ServiceId, Result<EndpointService, CloudError>> = HashMap::new();
    // A service that is missing from the list may still exist: the list may be incomplete.
    let mut doubt = Some(format!("only the first {MAX_PAGES} pages of the list are read"));
    let (mut received, mut without_id) = (0_u32, 0);
    for _ in 0..MAX_PAGES {
        let page = page(api, wanted, received, effort).await?;
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

async fn page(
    api: &Api,
    wanted: &[ServiceId],
    offset: u32,
    effort: &mut Effort,
) -> Result<ServicePage, CloudError> {
    let (offset, limit) = (offset.to_string(), PAGE_LIMIT.to_string());
    let mut query = vec![("limit", limit.as_str()), ("offset", &offset)];
    if let [only] = wanted {
        query.push(("id", only.as_str()));
    }
    let call = call(Operation::Services, SERVICES, &query);
    let (page, _) = api.read(call, wire::services, effort).await?;
    effort.trace.pages += 1;
    Ok(page)
}

fn call<'a>(operation: Operation, path: &'a str, query: &'a [(&'a str, &'a str)]) -> Call<'a> {
    Call { operation, cluster: None, path, query, body: None }
}

fn bad_shape(message: &str) -> CloudError {
    CloudError::new(Reason::BadShape, message)
}
