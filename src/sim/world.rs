//! The simulated world: one project's clusters, their connections and their endpoint services.

pub(super) mod connection;
pub(super) mod first;
pub(super) mod service;
pub(super) mod step;

use std::{borrow::Cow, collections::BTreeMap, iter};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::{
    connection::{Connection, Field},
    service::Service,
};
use super::{clock::whole_seconds, rng::Rng};

/// An entry of a cluster's whitelist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permission {
    pub(super) id: String,
    pub(super) permission: String,
    pub(super) permission_type: Cow<'static, str>,
    pub(super) created_at: Timestamp,
}

impl Permission {
    /// An account that may connect, or all of them.
    pub(super) fn new(id: String, permission: String, created_at: Timestamp) -> Self {
        Self { id, permission, permission_type: Cow::Borrowed("domainId"), created_at }
    }
}

/// A CSS cluster. Its JSON is the truth for tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) datastore: Cow<'static, str>,
    pub(super) enterprise_project_id: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) vpcep_enabled: bool,
    /// `vpcepUpdateSwitch` as the API sends it: a boolean, unless a test sets something else.
    pub(super) update_switch: Value,
    pub(super) service_name: String,
    pub(super) permissions: Vec<Permission>,
    pub(super) connections: Vec<Connection>,
    /// The number of connections stays around this.
    pub(super) target: usize,
    /// True for an odd cluster that never tells when a connection was updated.
    pub(super) update_always_null: bool,
    /// The number of connections ever made, from which the next one takes its address.
    pub(super) made: u32,
    /// The number of clusters made before it, from which its connections take their addresses.
    #[serde(skip)]
    pub(super) number: usize,
    /// The endpoint service behind it, which exists only while it is enabled.
    #[serde(skip)]
    pub(super) service: Service,
}

impl Cluster {
    /// Makes a connection, as if it had just been asked for. The caller adds it.
    pub(super) fn new_connection(
        &mut self,
        rng: &mut Rng,
        domains: &[Box<str>],
        now: Timestamp,
    ) -> Connection {
        self.made += 1;
        Connection::new(rng, self.number, self.made, whole_seconds(now), domains)
    }

    /// Gives the connection at this index a new status, and dates it.
    pub(super) fn set_status(&mut self, at: usize, status: &'static str, now: Timestamp) {
        let update_at = self.updated(now);
        let connection = &mut self.connections[at];
        connection.take_status(Cow::Borrowed(status));
        connection.update_at = update_at;
    }

    /// The `update_at` of a connection that changes now: the time, unless the cluster hides it.
    pub(super) fn updated(&self, now: Timestamp) -> Field<Timestamp> {
        Some((!self.update_always_null).then(|| whole_seconds(now)))
    }

    /// The number of connections that have this status.
    pub(super) fn count(&self, status: &str) -> usize {
        self.connections.iter().filter(|connection| connection.status == status).count()
    }
}

/// Everything that the simulated project holds.
#[derive(Debug)]
pub(super) struct World {
    pub(super) start: Timestamp,
    pub(super) step: u64,
    pub(super) clusters: Vec<Cluster>,
    /// The number of steps after which a cluster is made, renamed or deleted; 0: never.
    pub(super) churn: u64,
    /// The number of clusters at the start.
    first_clusters: usize,
    /// The number of clusters ever made.
    made: usize,
    /// The accounts that own endpoints.
    domains: Vec<Box<str>>,
    rng: Rng,
}

impl World {
    /// The cluster with this id.
    pub(super) fn cluster(&self, id: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.id == id)
    }

    /// The cluster with this id, to be changed.
    pub(super) fn cluster_mut(&mut self, id: &str) -> Option<&mut Cluster> {
        self.clusters.iter_mut().find(|cluster| cluster.id == id)
    }

    /// Makes a cluster, the newest of all, whose connections are still being created. Returns its id.
    pub(super) fn create_cluster(&mut self, connections: usize, now: Timestamp) -> String {
        let rng = Rng::new(self.rng.next(), self.made as u64);
        let mut cluster = first::newcomer(rng, self.made, now, &self.domains);
        self.made += 1;
        cluster.target = connections;
        for _ in 0..connections {
            let new = cluster.new_connection(&mut self.rng, &self.domains, now);
            cluster.connections.push(new);
        }
        let id = cluster.id.clone();
        self.clusters.push(cluster);
        id
    }

    /// Takes a cluster out of the world. False if there is none with this id.
    pub(super) fn delete_cluster(&mut self, id: &str) -> bool {
        let before = self.clusters.len();
        self.clusters.retain(|cluster| cluster.id != id);
        self.clusters.len() < before
    }

    /// Makes connections for a cluster, as if they had just been asked for. The caller adds them.
    pub(super) fn new_connections(
        &mut self,
        cluster_id: &str,
        count: usize,
        now: Timestamp,
    ) -> Vec<Connection> {
        let mut clusters = self.clusters.iter_mut();
        let Some(cluster) = clusters.find(|one| one.id == cluster_id) else { return Vec::new() };
        let new = || cluster.new_connection(&mut self.rng, &self.domains, now);
        iter::repeat_with(new).take(count).collect()
    }

    /// A new id for a part of the world.
    pub(super) fn new_id(&mut self) -> String {
        self.rng.uuid()
    }

    /// The clusters whose endpoint services exist.
    pub(super) fn serving(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().filter(|cluster| cluster.vpcep_enabled)
    }

    /// The cluster whose endpoint service has this id, if the service exists.
    pub(super) fn behind(&self, service_id: &str) -> Option<&Cluster> {
        self.serving().find(|cluster| cluster.service.id == service_id)
    }

    /// Puts a changed service in the place of the one with this id.
    pub(super) fn replace_service(&mut self, id: &str, new: Service) {
        let mut clusters = self.clusters.iter_mut();
        let Some(cluster) = clusters.find(|cluster| cluster.service.id == id) else { return };
        // CSS shows the name that VPCEP holds, unless a test has set another one.
        if cluster.service.service_name != new.service_name {
            cluster.service_name.clone_from(&new.service_name);
        }
        cluster.service = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::account::REGION;

    fn start() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    #[test]
    fn each_cluster_has_the_service_that_it_names() {
        let world = first::world(1, 40, 1, start());
        assert_eq!(world.serving().count(), 40);
        let services = |world: &World| -> Vec<Service> {
            world.clusters.iter().map(|cluster| cluster.service.clone()).collect()
        };
        for cluster in world.serving() {
            let service = &cluster.service;
            assert_eq!(service.service_name, cluster.service_name);
            assert!(service.service_name.ends_with(&format!(".{}", service.id)));
            assert!(!service.ports.is_empty() && service.created_at <= service.updated_at);
        }
        let all = services(&world);
        assert_eq!(all, services(&first::world(1, 40, 1, start())));
        assert_eq!(all[..3], services(&first::world(1, 3, 1, start())));
        let has = |test: fn(&Service) -> bool| all.iter().any(test);
        assert!(has(|one| one.ip.is_some()) && has(|one| one.ip.is_none()));
        assert!(has(|one| !one.approval_enabled) && has(|one| one.server_type == "VM"));
        assert!(has(|one| one.pool_id.is_none()) && has(|one| one.tcp_proxy != "close"));
    }

    #[test]
    fn a_service_goes_with_its_cluster() {
        let mut world = first::world(1, 2, 1, start());
        let ids: Vec<String> = world.clusters.iter().map(|one| one.service.id.clone()).collect();
        let first = world.clusters[0].id.clone();
        assert!(world.delete_cluster(&first) && !world.delete_cluster(&first));
        world.clusters[0].vpcep_enabled = false;
        assert!(ids.iter().all(|id| world.behind(id).is_none()));
        world.clusters[0].vpcep_enabled = true;
        assert!(world.behind(&ids[1]).is_some());
    }

    #[test]
    fn a_new_name_is_the_clusters_too() {
        let mut world = first::world(1, 1, 1, start());
        let mut service = world.clusters[0].service.clone();
        service.rename("new");
        world.replace_service(&service.id, service.clone());
        assert_eq!(world.clusters[0].service_name, format!("{REGION}.new.{}", service.id));
        service.rename("");
        assert_eq!(service.service_name, format!("{REGION}.{}", service.id));
    }
}
