//! A page of `vpcepservice/connections`, decoded (CSS API Reference, "Obtaining an Endpoint
//! Connection", Tables 3 to 5).

use std::borrow::Cow;

use serde::de::SeqAccess;
use sha2::{Digest, Sha256};

use super::{
    lenient::{Lenient, is_plain},
    object::{List, Object, Scalar, object},
    surprise::{Surprise, Surprises},
};
use crate::{
    cloud::{CloudError, Reason},
    huawei::paging::Page,
    model::{ConnectionFields, Connections, Decision, EndpointId, ServiceName, Status},
    text::{shown, to_hex},
};

/// Longer ids of the cloud are cut: they are short.
const LONGEST_ID: usize = 128;

const PAGE: [&str; 4] = ["vpcServiceName", "permissions", "vpcepUpdateSwitch", "total_count"];

const ROW: [&str; 10] = [
    "id",
    "status",
    "maxSession",
    "specificationName",
    "created_at",
    "update_at",
    "domain_id",
    "vpcepIp",
    "vpcepIpv6Address",
    "vpcepDnsName",
];

/// The body of the request that accepts or rejects connections ("Updating an Endpoint Connection").
pub fn decision(decision: Decision, connections: &[EndpointId]) -> String {
    let action = match decision {
        Decision::Accept => "receive",
        Decision::Reject => "reject",
    };
    serde_json::json!({ "action": action, "endpoint_id_list": connections }).to_string()
}

/// Decodes a page: a pure function of its bytes.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
/// No part of the body is in the error's text.
pub fn page(body: &[u8]) -> Result<(Page, Surprises), CloudError> {
    let bad_shape = |message| CloudError::new(Reason::BadShape, message);
    let mut head: Object<'_, 4, Rows> = object(body, &PAGE)?;
    let has_list = head.list.is_some();
    let Rows { mut lenient, connections, received } = head.list.take().unwrap_or_default();
    lenient.unknown(&head.unknown_fields);
    let total = lenient.number(head.take("total_count"));
    if !has_list && total != Some(0) {
        return Err(bad_shape("the answer has no list of connections"));
    }
    let page = Page {
        rows: connections.finish(),
        received,
        total,
        update_switch: lenient.switch(head.take("vpcepUpdateSwitch")),
        permissions: match head.take("permissions").value {
            Scalar::Null => None,
            Scalar::Array(entries) => Some(entries),
            _ => return Err(bad_shape("the answer has something else than a list of permissions")),
        },
        service_name: lenient.text(head.take("vpcServiceName")).map(|name| ServiceName::new(&name)),
        whole: None,
    };
    Ok((page, lenient.surprises))
}

/// The rows of a page, as they come.
#[derive(Default)]
struct Rows {
    lenient: Lenient,
    connections: Connections,
    received: u32,
}

impl<'de> List<'de> for Rows {
    const NAME: Option<&'static str> = Some("connections");

    fn read<A: SeqAccess<'de>>(&mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element_seed(Object::<'_, 10>::of(&ROW))? {
            self.received = self.received.saturating_add(1);
            self.take(row);
        }
        Ok(())
    }
}

impl Rows {
    /// Takes a connection if it has an id: without one it can be neither shown nor told apart.
    fn take(&mut self, mut row: Object<'_, 10>) {
        let Self { lenient, connections, .. } = self;
        lenient.unknown(&row.unknown_fields);
        let id = row.take("id");
        let endpoint_id = match &id.value {
            Scalar::Text(text) if !text.is_empty() => shown_id(text),
            _ => return lenient.odd(Surprise::UnparsableValue, &id),
        };
        let status = lenient.status(row.take("status"), Status::from_word);
        connections.push(&ConnectionFields {
            endpoint_id: &endpoint_id,
            status: status.unwrap_or(Status::Unknown),
            max_sessions: lenient.number_in_text(row.take("maxSession")),
            created: lenient.time(row.take("created_at")),
            updated: lenient.time(row.take("update_at")),
            specification_name: &lenient.label(row.take("specificationName")),
            domain_id: &lenient.label(row.take("domain_id")),
            ip: &lenient.label(row.take("vpcepIp")),
            ipv6: &lenient.label(row.take("vpcepIpv6Address")),
            dns_name: &lenient.label(row.take("vpcepDnsName")),
        });
    }
}

/// An id that can be shown. One that had to be changed for it gets a digest of the original at its
/// end, so that two ids stay two.
fn shown_id(id: &str) -> Cow<'_, str> {
    if is_plain(id, LONGEST_ID) || shown(id, LONGEST_ID) == id {
        return id.into();
    }
    let suffix = to_hex(&Sha256::digest(id)[..8]);
    format!("{}-{suffix}", shown(id, LONGEST_ID - suffix.len() - 1)).into()
}

#[cfg(test)]
mod tests;
