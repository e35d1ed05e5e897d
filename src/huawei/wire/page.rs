//! One page of `vpcepservice/connections`, decoded (CSS API Reference, "Obtaining an Endpoint
//! Connection", Tables 3 to 5).
//!
//! The visitors are written by hand for two reasons: a derived one takes a JSON array in place of an
//! object, and it drops unknown fields without a count.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest, Sha256};

use super::{
    Surprise,
    meaning::{LONGEST_TEXT, Meaning},
    not_the_document,
    scalar::{Name, Scalar},
    shown,
};
use crate::{
    cloud::{CloudError, Reason},
    hex,
    huawei::paging::Page,
    model::{Connection, EndpointId, ServiceName, Status},
};

/// Longer ids of the cloud are cut: they are short.
const LONGEST_ID: usize = 128;

/// A page, and what was odd about it.
#[derive(Debug)]
pub struct DecodedPage {
    /// The page.
    pub page: Page,
    /// How often each kind of surprise was met, in the order of [`Surprise::ALL`].
    pub surprises: [u64; Surprise::ALL.len()],
}

/// Decodes a page.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
/// No part of the body is in the error's text.
pub fn page(body: &[u8]) -> Result<DecodedPage, CloudError> {
    let raw: RawPage<'_> =
        serde_json::from_slice(body).map_err(|error| not_the_document(&error))?;
    let mut meaning = Meaning::default();
    meaning.count(Surprise::UnknownField, raw.unknown_fields);
    let total = meaning.number(raw.total_count, true);
    let rows = match (raw.connections, total) {
        (Some(rows), _) => rows,
        (None, Some(0)) => Vec::new(),
        (None, _) => {
            return Err(CloudError::new(Reason::BadShape, "the answer has no list of connections"));
        }
    };
    let received = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let page = Page {
        rows: rows.into_iter().filter_map(|row| meaning.connection(row)).collect(),
        received,
        total,
        update_switch: meaning.switch(raw.update_switch),
        permissions: raw.permissions,
        service_name: meaning
            .text(raw.service_name, LONGEST_TEXT)
            .map(|name| ServiceName::new(&name)),
    };
    Ok(DecodedPage { page, surprises: meaning.surprises })
}

impl Meaning {
    fn status(&mut self, value: Scalar<'_>) -> Status {
        if let Scalar::Text(word) = &value
            && let Some(status) = Status::from_word(word)
        {
            return status;
        }
        self.count(Surprise::UnknownStatus, 1);
        Status::Unknown
    }

    /// A connection, if it has an id: without one it can be neither shown nor told apart.
    fn connection(&mut self, row: RawRow<'_>) -> Option<Connection> {
        self.count(Surprise::UnknownField, row.unknown_fields);
        let id = match row.id {
            Scalar::Text(id) if !id.is_empty() => id,
            _ => return self.unparsable(),
        };
        Some(Connection {
            endpoint_id: EndpointId::new(&shown_id(&id)),
            status: self.status(row.status),
            max_sessions: self.number(row.max_session, false),
            created: self.time(row.created_at),
            updated: self.time(row.update_at),
            specification_name: self.label(row.specification_name),
            domain_id: self.label(row.domain_id),
            ip: self.label(row.ip),
            ipv6: self.label(row.ipv6),
            dns_name: self.label(row.dns_name),
        })
    }
}

/// An id that can be shown. One that had to be changed for it gets a digest of the original at its
/// end, so that two ids stay two.
fn shown_id(id: &str) -> Cow<'_, str> {
    let plain = shown(id, LONGEST_ID);
    if plain == id {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    let suffix = hex::encoded(&digest[..8]);
    Cow::Owned(format!("{}-{suffix}", shown(id, LONGEST_ID - 17)))
}

struct RawPage<'a> {
    connections: Option<Vec<RawRow<'a>>>,
    service_name: Scalar<'a>,
    permissions: Option<u64>,
    update_switch: Scalar<'a>,
    total_count: Scalar<'a>,
    unknown_fields: u64,
}

struct RawRow<'a> {
    id: Scalar<'a>,
    status: Scalar<'a>,
    max_session: Scalar<'a>,
    specification_name: Scalar<'a>,
    created_at: Scalar<'a>,
    update_at: Scalar<'a>,
    domain_id: Scalar<'a>,
    ip: Scalar<'a>,
    ipv6: Scalar<'a>,
    dns_name: Scalar<'a>,
    unknown_fields: u64,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawPage<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PageVisitor)
    }
}

struct PageVisitor;

impl<'de> Visitor<'de> for PageVisitor {
    type Value = RawPage<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of connections")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut page = RawPage {
            connections: None,
            service_name: Scalar::Null,
            permissions: None,
            update_switch: Scalar::Null,
            total_count: Scalar::Null,
            unknown_fields: 0,
        };
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            match &*name.0 {
                "connections" => page.connections = fields.next_value()?,
                "vpcServiceName" => page.service_name = fields.next_value()?,
                "permissions" => page.permissions = fields.next_value::<Length>()?.0,
                "vpcepUpdateSwitch" => page.update_switch = fields.next_value()?,
                "total_count" => page.total_count = fields.next_value()?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                    page.unknown_fields += 1;
                }
            }
        }
        Ok(page)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawRow<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RawRow<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut row = RawRow {
            id: Scalar::Null,
            status: Scalar::Null,
            max_session: Scalar::Null,
            specification_name: Scalar::Null,
            created_at: Scalar::Null,
            update_at: Scalar::Null,
            domain_id: Scalar::Null,
            ip: Scalar::Null,
            ipv6: Scalar::Null,
            dns_name: Scalar::Null,
            unknown_fields: 0,
        };
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            let field = match &*name.0 {
                "id" => &mut row.id,
                "status" => &mut row.status,
                "maxSession" => &mut row.max_session,
                "specificationName" => &mut row.specification_name,
                "created_at" => &mut row.created_at,
                "update_at" => &mut row.update_at,
                "domain_id" => &mut row.domain_id,
                "vpcepIp" => &mut row.ip,
                "vpcepIpv6Address" => &mut row.ipv6,
                "vpcepDnsName" => &mut row.dns_name,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                    row.unknown_fields += 1;
                    continue;
                }
            };
            *field = fields.next_value()?;
        }
        Ok(row)
    }
}

/// The length of an array; `None` for whatever is no array.
struct Length(Option<u64>);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LengthVisitor;

        impl<'de> Visitor<'de> for LengthVisitor {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Length(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut length = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    length += 1;
                }
                Ok(Length(Some(length)))
            }
        }

        deserializer.deserialize_any(LengthVisitor)
    }
}

#[cfg(test)]
mod tests;
