//! An observation as it stands in a cluster's line: its list's facts, and its connections as objects.
//!
//! The rest of a line is derived where the types are. Of an observation, memory shares all texts and
//! keeps the dates of changes apart from the connections; in the file each connection stands for itself.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    board::{Observation, Rejection},
    label,
    model::{
        Connection, ConnectionFields, ConnectionList, Connections, EndpointId, ServiceName, Status,
    },
};

type Text<'a> = Cow<'a, str>;

#[derive(Serialize, Deserialize)]
struct ObservationRecord<'a> {
    at: Timestamp,
    service_enabled: bool,
    complete: bool,
    reported: Option<u64>,
    update_switch: Option<bool>,
    permissions: Option<u64>,
    service_name: Option<ServiceName>,
    #[serde(borrow)]
    connections: Vec<ConnectionRecord<'a>>,
}

/// Connections are most of the file; leaving out what is absent saves a third of it.
#[derive(Serialize, Deserialize)]
struct ConnectionRecord<'a> {
    #[serde(borrow)]
    endpoint_id: Text<'a>,
    #[serde(with = "label::serde")]
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_changed: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected_here: Option<Rejection>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_sessions: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<Timestamp>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    specification_name: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    domain_id: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    ip: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    ipv6: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    dns_name: Text<'a>,
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let list = &self.list;
        let connections = list.connections.iter().zip(&*self.seen_changed);
        let record = ObservationRecord {
            at: self.at,
            service_enabled: list.service_enabled,
            complete: list.complete,
            reported: list.reported,
            update_switch: list.update_switch,
            permissions: list.permissions,
            service_name: list.service_name.clone(),
            connections: connections
                .map(|(connection, seen)| ConnectionRecord::new(connection, *seen, self))
                .collect(),
        };
        record.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Observation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = ObservationRecord::deserialize(deserializer)?;
        let mut connections = Connections::default();
        let mut seen_changed = Vec::with_capacity(record.connections.len());
        let mut rejected_here = BTreeMap::new();
        for connection in &record.connections {
            connections.push(&connection.fields());
            seen_changed.push(connection.seen_changed);
            if let Some(rejection) = &connection.rejected_here {
                let id = EndpointId::new(&connection.endpoint_id);
                rejected_here.insert(id, rejection.clone());
            }
        }
        let list = ConnectionList {
            service_enabled: record.service_enabled,
            complete: record.complete,
            reported: record.reported,
            update_switch: record.update_switch,
            permissions: record.permissions,
            service_name: record.service_name,
            connections: connections.finish(),
        };
        Ok(Self {
            at: record.at,
            list: Arc::new(list),
            seen_changed: seen_changed.into(),
            rejected_here: Arc::new(rejected_here),
        })
    }
}

impl<'a> ConnectionRecord<'a> {
    fn new(
        connection: &'a Connection,
        seen_changed: Option<Timestamp>,
        observation: &Observation,
    ) -> Self {
        let fields = connection.fields();
        Self {
            endpoint_id: fields.endpoint_id.into(),
            status: fields.status,
            seen_changed,
            rejected_here: observation.rejection(connection).cloned(),
            max_sessions: fields.max_sessions,
            created: fields.created,
            updated: fields.updated,
            specification_name: fields.specification_name.into(),
            domain_id: fields.domain_id.into(),
            ip: fields.ip.into(),
            ipv6: fields.ipv6.into(),
            dns_name: fields.dns_name.into(),
        }
    }

    fn fields(&self) -> ConnectionFields<'_> {
        ConnectionFields {
            endpoint_id: &self.endpoint_id,
            status: self.status,
            max_sessions: self.max_sessions,
            created: self.created,
            updated: self.updated,
            specification_name: &self.specification_name,
            domain_id: &self.domain_id,
            ip: &self.ip,
            ipv6: &self.ipv6,
            dns_name: &self.dns_name,
        }
    }
}
