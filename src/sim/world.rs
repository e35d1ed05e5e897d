//! The simulated world: one project's clusters and the endpoint connections of each.
//!
//! Owns the state and how to find things in it. How a world begins is in `genesis`, how it moves in
//! `evolve`, how it is written as the API writes it in `api`, and as tests want it in `control`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::rng::Rng;
use super::service::Service;

/// Statuses that connections of the simulated world take by themselves
/// (VPCEP API Reference, Querying Connections of a VPC Endpoint Service).
pub(crate) const ACCEPTED: &str = "accepted";
pub(crate) const REJECTED: &str = "rejected";
pub(crate) const CREATING: &str = "creating";
pub(crate) const PENDING: &str = "pendingAcceptance";
pub(crate) const DELETING: &str = "deleting";

/// Something the API leaves out, sends as null, or sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    /// What is known, whichever way the API would say that it is not.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }
}

/// One VPC endpoint connected to the endpoint service of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) id: Box<str>,
    /// Any text, so that a test can set what the cloud may send one day.
    pub(crate) status: Cow<'static, str>,
    pub(crate) max_sessions: u32,
    pub(crate) specification_name: Cow<'static, str>,
    pub(crate) created_at: Timestamp,
    pub(crate) update_at: Field<Timestamp>,
    pub(crate) domain_id: Arc<str>,
    /// Whether addresses are shown: true from the first acceptance on.
    pub(crate) was_accepted: bool,
    pub(crate) ip: Field<Box<str>>,
    pub(crate) ipv6: Field<Box<str>>,
    pub(crate) dns_name: Field<Box<str>>,
}

impl Connection {
    /// Sets a status; the addresses appear with the first acceptance.
    pub(crate) fn take_status(&mut self, status: Cow<'static, str>) {
        self.was_accepted |= status == ACCEPTED;
        self.status = status;
    }

    /// The IPv4 address, if it is shown.
    pub(crate) fn ip(&self) -> &Field<Box<str>> {
        if self.was_accepted { &self.ip } else { &Field::Absent }
    }

    /// The IPv6 address, if it is shown.
    pub(crate) fn ipv6(&self) -> &Field<Box<str>> {
        if self.was_accepted { &self.ipv6 } else { &Field::Absent }
    }
}

/// One entry of a cluster's whitelist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permission {
    pub(crate) id: String,
    pub(crate) permission: String,
    pub(crate) created_at: Timestamp,
}

/// One CSS cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) datastore: &'static str,
    pub(crate) vpcep_enabled: bool,
    /// The value in the API's answer: a boolean, unless a test sets something else.
    pub(crate) update_switch: Value,
    pub(crate) service_name: String,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) connections: Vec<Connection>,
    /// The number of connections that the cluster stays around.
    pub(crate) target: usize,
    /// An odd cluster that never tells when a connection was updated.
    pub(crate) update_always_null: bool,
    /// Connections ever made: numbers the next one's address.
    pub(crate) made: u32,
    pub(crate) deleted: bool,
}

impl Cluster {
    /// Gives a connection a new status, with the time of the change unless the cluster hides it.
    pub(crate) fn set_status(&mut self, at: usize, status: Cow<'static, str>, now: Timestamp) {
        let update_at = self.updated(now);
        if let Some(connection) = self.connections.get_mut(at) {
            connection.take_status(status);
            connection.update_at = update_at;
        }
    }

    /// What `update_at` says of a change made now.
    pub(crate) fn updated(&self, now: Timestamp) -> Field<Timestamp> {
        if self.update_always_null { Field::Null } else { Field::Value(now) }
    }

    /// How many connections have this status.
    pub(crate) fn count(&self, status: &str) -> usize {
        self.connections.iter().filter(|connection| connection.status == status).count()
    }
}

/// Everything that the simulated project holds.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) start: Timestamp,
    pub(crate) step: u64,
    pub(crate) clusters: Vec<Cluster>,
    /// The endpoint service of each cluster, in the order of the clusters.
    pub(crate) services: Vec<Service>,
    pub(crate) by_id: HashMap<String, usize>,
    /// Accounts that own endpoints.
    pub(crate) domains: Vec<Arc<str>>,
    pub(crate) rng: Rng,
}

impl World {
    /// The clusters that exist.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().filter(|cluster| !cluster.deleted)
    }

    /// A cluster that exists, by its id.
    pub(crate) fn cluster(&self, id: &str) -> Option<&Cluster> {
        self.clusters.get(*self.by_id.get(id)?).filter(|cluster| !cluster.deleted)
    }

    /// A cluster that exists, by its id, to be changed.
    pub(crate) fn cluster_mut(&mut self, id: &str) -> Option<&mut Cluster> {
        self.clusters.get_mut(*self.by_id.get(id)?).filter(|cluster| !cluster.deleted)
    }

    /// A new row in front of all others, so that every row moves to the next offset.
    pub(crate) fn insert_first(&mut self, id: &str, now: Timestamp) {
        let Some(&at) = self.by_id.get(id) else { return };
        let connection = self.new_connection(at, now);
        if let Some(cluster) = self.clusters.get_mut(at) {
            cluster.connections.insert(0, connection);
        }
    }

    /// Removes the first row, so that every other row moves to the previous offset.
    pub(crate) fn remove_first(&mut self, id: &str) {
        if let Some(cluster) = self.cluster_mut(id).filter(|found| !found.connections.is_empty()) {
            cluster.connections.remove(0);
        }
    }
}
