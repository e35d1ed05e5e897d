//! The JSON objects of endpoint services, taken apart field by field.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::huawei::wire::{
    meaning::UnknownFields,
    scalar::{Name, Scalar},
};

/// Known fields that say nothing to us.
const UNUSED: [&str; 15] = [
    "server_type",
    "vpc_id",
    "pool_id",
    "service_type",
    "project_id",
    "domain_id",
    "tags",
    "error",
    "supported_editions",
    "public_border_group",
    "enable_policy",
    "cidr_type",
    "ip_version",
    "snat_network_id",
    "vip_port_id",
];

#[derive(Default)]
pub(super) struct RawList<'a> {
    pub(super) services: Option<Vec<RawService<'a>>>,
    pub(super) total_count: Scalar<'a>,
    pub(super) unknown_fields: UnknownFields<'a>,
}

#[derive(Default)]
pub(super) struct RawService<'a> {
    pub(super) id: Scalar<'a>,
    pub(super) service_name: Scalar<'a>,
    pub(super) status: Scalar<'a>,
    pub(super) approval_enabled: Scalar<'a>,
    pub(super) ports: Option<Vec<RawPort<'a>>>,
    pub(super) port_id: Scalar<'a>,
    pub(super) tcp_proxy: Scalar<'a>,
    pub(super) description: Scalar<'a>,
    pub(super) ip: Scalar<'a>,
    pub(super) connection_count: Scalar<'a>,
    pub(super) created_at: Scalar<'a>,
    pub(super) updated_at: Scalar<'a>,
    pub(super) unknown_fields: UnknownFields<'a>,
}

#[derive(Default)]
pub(super) struct RawPort<'a> {
    pub(super) client_port: Scalar<'a>,
    pub(super) server_port: Scalar<'a>,
    pub(super) protocol: Scalar<'a>,
    pub(super) unknown_fields: UnknownFields<'a>,
}

/// A JSON object whose fields are taken one by one; an array in its place is refused.
trait Object<'de>: Default {
    const WHAT: &'static str;

    /// Takes the value of a field. False where the field is not known; its value is then still there.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error>;

    /// Takes the fields that are not known.
    fn unknown(&mut self) -> &mut UnknownFields<'de>;
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let mut object = T::default();
        while let Some(name) = fields.next_key::<Name<'de>>()? {
            if !object.take(&name.0, &mut fields)? {
                let value = fields.next_value()?;
                object.unknown().push(name.0, value);
            }
        }
        Ok(object)
    }
}

impl<'de> Object<'de> for RawList<'de> {
    const WHAT: &'static str = "a page of services";

    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        match name {
            "endpoint_services" => self.services = fields.next_value()?,
            "total_count" => self.total_count = fields.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn unknown(&mut self) -> &mut UnknownFields<'de> {
        &mut self.unknown_fields
    }
}

impl<'de> Object<'de> for RawService<'de> {
    const WHAT: &'static str = "an endpoint service";

    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        let field = match name {
            "ports" => {
                self.ports = fields.next_value()?;
                return Ok(true);
            }
            "id" => &mut self.id,
            "service_name" => &mut self.service_name,
            "status" => &mut self.status,
            "approval_enabled" => &mut self.approval_enabled,
            "port_id" => &mut self.port_id,
            "tcp_proxy" => &mut self.tcp_proxy,
            "description" => &mut self.description,
            "ip" => &mut self.ip,
            "connection_count" => &mut self.connection_count,
            "created_at" => &mut self.created_at,
            "updated_at" => &mut self.updated_at,
            known if UNUSED.contains(&known) => {
                fields.next_value::<IgnoredAny>()?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *field = fields.next_value()?;
        Ok(true)
    }

    fn unknown(&mut self) -> &mut UnknownFields<'de> {
        &mut self.unknown_fields
    }
}

impl<'de> Object<'de> for RawPort<'de> {
    const WHAT: &'static str = "a port mapping";

    fn take<A: MapAccess<'de>>(&mut self, name: &str, fields: &mut A) -> Result<bool, A::Error> {
        let field = match name {
            "client_port" => &mut self.client_port,
            "server_port" => &mut self.server_port,
            "protocol" => &mut self.protocol,
            _ => return Ok(false),
        };
        *field = fields.next_value()?;
        Ok(true)
    }

    fn unknown(&mut self) -> &mut UnknownFields<'de> {
        &mut self.unknown_fields
    }
}

macro_rules! deserialize_objects {
    ($($object:ident),*) => {
        $(impl<'de: 'a, 'a> Deserialize<'de> for $object<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(ObjectVisitor(PhantomData))
            }
        })*
    };
}

deserialize_objects!(RawList, RawService, RawPort);
