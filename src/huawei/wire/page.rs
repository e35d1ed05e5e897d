//! One page of `vpcepservice/connections`, decoded (CSS API Reference, "Obtaining an Endpoint
//! Connection", Tables 3 to 5).
//!
//! The visitors are written by hand for two reasons: a derived one takes a JSON array in place of an
//! object, and it drops unknown fields without a count.

mod fast;

use std::{borrow::Cow, fmt, mem::take};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use sha2::{Digest, Sha256};

use super::{
    Oddity, Surprise,
    meaning::{LONGEST_TEXT, Meaning, UnknownFields, is_plain},
    not_the_document,
    scalar::{Name, Scalar},
    shown,
};
use crate::{
    cloud::{CloudError, Reason},
    huawei::paging::Page,
    model::{ConnectionFields, Connections, ServiceName, Status},
    text,
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
    /// The surprises, each once.
    pub oddities: Vec<Oddity>,
}

/// Decodes a page.
///
/// # Errors
/// [`Reason::BadJson`] if it is not JSON, [`Reason::BadShape`] if it is not the documented object.
/// No part of the body is in the error's text.
pub fn page(body: &[u8]) -> Result<DecodedPage, CloudError> {
    match fast::page(body) {
        Some(decoded) => Ok(decoded),
        None => any_page(body),
    }
}

/// The way for every page: the fast one decodes what it does not leave to this one to the same.
fn any_page(body: &[u8]) -> Result<DecodedPage, CloudError> {
    let raw: RawPage<'_> =
        serde_json::from_slice(body).map_err(|error| not_the_document(&error))?;
    let has_list = raw.connections.0.is_some();
    let rows = raw.connections.0.unwrap_or_else(|| Rows::with_capacity(0, 0));
    rows.finish(raw.head, has_list)
        .ok_or_else(|| CloudError::new(Reason::BadShape, "the answer has no list of connections"))
}

/// The rows of a page, as they come.
struct Rows {
    meaning: Meaning,
    connections: Connections,
    received: u32,
}

impl Rows {
    fn with_capacity(rows: usize, text_bytes: usize) -> Self {
        Self {
            meaning: Meaning::default(),
            connections: Connections::with_capacity(rows, text_bytes),
            received: 0,
        }
    }

    /// Takes the values out of a row.
    fn take(&mut self, row: &mut RawRow<'_>) {
        self.received = self.received.saturating_add(1);
        self.meaning.connection(row, &mut self.connections);
    }

    /// The page of these rows; none if it has no list of them, and does not say that it is empty.
    fn finish(self, head: RawHead<'_>, has_list: bool) -> Option<DecodedPage> {
        let mut meaning = self.meaning;
        meaning.unknown(head.unknown_fields);
        let total = meaning.number("total_count", head.total_count, true);
        if !has_list && total != Some(0) {
            return None;
        }
        let page = Page {
            rows: self.connections.finish(),
            received: self.received,
            total,
            update_switch: meaning.switch("vpcepUpdateSwitch", head.update_switch),
            permissions: head.permissions,
            service_name: meaning
                .text("vpcServiceName", head.service_name, LONGEST_TEXT)
                .map(|name| ServiceName::new(&name)),
        };
        Some(DecodedPage { page, surprises: meaning.surprises, oddities: meaning.oddities })
    }
}

impl Meaning {
    fn status(&mut self, value: Scalar<'_>) -> Status {
        if let Scalar::Text(word) = &value
            && let Some(status) = Status::from_word(word)
        {
            return status;
        }
        self.odd(Surprise::UnknownStatus, "status", &value);
        Status::Unknown
    }

    /// Adds a connection, if it has an id: without one it can be neither shown nor told apart.
    fn connection(&mut self, row: &mut RawRow<'_>, connections: &mut Connections) {
        self.unknown(take(&mut row.unknown_fields));
        let id = match take(&mut row.id) {
            Scalar::Text(id) if !id.is_empty() => id,
            other => return self.odd(Surprise::UnparsableValue, "id", &other),
        };
        connections.push(&ConnectionFields {
            endpoint_id: &shown_id(&id),
            status: self.status(take(&mut row.status)),
            max_sessions: self.number("maxSession", take(&mut row.max_session), false),
            created: self.time("created_at", take(&mut row.created_at)),
            updated: self.time("update_at", take(&mut row.update_at)),
            specification_name: &self.label("specificationName", take(&mut row.specification_name)),
            domain_id: &self.label("domain_id", take(&mut row.domain_id)),
            ip: &self.label("vpcepIp", take(&mut row.ip)),
            ipv6: &self.label("vpcepIpv6Address", take(&mut row.ipv6)),
            dns_name: &self.label("vpcepDnsName", take(&mut row.dns_name)),
        });
    }
}

/// An id that can be shown. One that had to be changed for it gets a digest of the original at its
/// end, so that two ids stay two.
fn shown_id(id: &str) -> Cow<'_, str> {
    if is_plain(id, LONGEST_ID) {
        return Cow::Borrowed(id);
    }
    let plain = shown(id, LONGEST_ID);
    if plain == id {
        return Cow::Borrowed(id);
    }
    let digest = Sha256::digest(id.as_bytes());
    let suffix = text::to_hex(&digest[..8]);
    Cow::Owned(format!("{}-{suffix}", shown(id, LONGEST_ID - 17)))
}

struct RawPage<'a> {
    connections: RowList,
    head: RawHead<'a>,
}

/// What a page has beside its rows.
#[derive(Default)]
struct RawHead<'a> {
    service_name: Scalar<'a>,
    permissions: Option<u64>,
    update_switch: Scalar<'a>,
    total_count: Scalar<'a>,
    unknown_fields: UnknownFields<'a>,
}

#[derive(Default)]
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
    unknown_fields: UnknownFields<'a>,
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
        let mut page = RawPage { connections: RowList(None), head: RawHead::default() };
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            match &*name.0 {
                "connections" => page.connections = fields.next_value()?,
                "vpcServiceName" => page.head.service_name = fields.next_value()?,
                "permissions" => page.head.permissions = fields.next_value::<Length>()?.0,
                "vpcepUpdateSwitch" => page.head.update_switch = fields.next_value()?,
                "total_count" => page.head.total_count = fields.next_value()?,
                _ => {
                    let value = fields.next_value()?;
                    page.head.unknown_fields.push(name.0, value);
                }
            }
        }
        Ok(page)
    }
}

/// The rows of a list, each taken before the next is read: a raw row is larger than a short one of the
/// answer. None for `null`.
struct RowList(Option<Rows>);

impl<'de> Deserialize<'de> for RowList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowListVisitor;

        impl<'de> Visitor<'de> for RowListVisitor {
            type Value = RowList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of connections")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(RowList(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut rows = Rows::with_capacity(0, 0);
                while let Some(mut row) = items.next_element::<RawRow<'de>>()? {
                    rows.take(&mut row);
                }
                Ok(RowList(Some(rows)))
            }
        }

        deserializer.deserialize_any(RowListVisitor)
    }
}

/// A field of a row.
#[derive(Clone, Copy)]
enum Field {
    Id,
    Status,
    MaxSession,
    SpecificationName,
    CreatedAt,
    UpdateAt,
    DomainId,
    Ip,
    Ipv6,
    DnsName,
    Unknown,
}

impl Field {
    fn of(name: &str) -> Self {
        match name {
            "id" => Self::Id,
            "status" => Self::Status,
            "maxSession" => Self::MaxSession,
            "specificationName" => Self::SpecificationName,
            "created_at" => Self::CreatedAt,
            "update_at" => Self::UpdateAt,
            "domain_id" => Self::DomainId,
            "vpcepIp" => Self::Ip,
            "vpcepIpv6Address" => Self::Ipv6,
            "vpcepDnsName" => Self::DnsName,
            _ => Self::Unknown,
        }
    }
}

impl<'a> RawRow<'a> {
    /// The place of a field's value; none for an unknown one.
    fn field(&mut self, field: Field) -> Option<&mut Scalar<'a>> {
        Some(match field {
            Field::Id => &mut self.id,
            Field::Status => &mut self.status,
            Field::MaxSession => &mut self.max_session,
            Field::SpecificationName => &mut self.specification_name,
            Field::CreatedAt => &mut self.created_at,
            Field::UpdateAt => &mut self.update_at,
            Field::DomainId => &mut self.domain_id,
            Field::Ip => &mut self.ip,
            Field::Ipv6 => &mut self.ipv6,
            Field::DnsName => &mut self.dns_name,
            Field::Unknown => return None,
        })
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
        let mut row = RawRow::default();
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            let Some(field) = row.field(Field::of(&name.0)) else {
                let value = fields.next_value()?;
                row.unknown_fields.push(name.0, value);
                continue;
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
