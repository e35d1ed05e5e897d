//! VPC endpoint services: what stands behind the `vpcServiceName` of each cluster.
//!
//! Owns what a service is, how it begins and how it is found and replaced. A service lives as long as
//! its cluster has VPCEP enabled. What a PUT may do to one is in `api::service_rules`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::REGION;
use super::clock::{shifted, whole_seconds};
use super::errors::{Reply, control};
use super::patch::present;
use super::rng::Rng;
use super::world::{Cluster, World};

/// The only status in which a service can be changed (error code 3045).
pub(crate) const AVAILABLE: &str = "available";
/// The stream of chance of the first service; each next one has the next, so that a world made by
/// the same seed before there were services is still the same.
const STREAM_SERVICES: u64 = 6 << 40;

/// One mapping (Modifying a VPC Endpoint Service, Table 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    #[serde(default = "tcp")]
    pub(crate) protocol: String,
}

fn tcp() -> String {
    "TCP".to_owned()
}

/// One VPC endpoint service (Modifying a VPC Endpoint Service, Table 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) port_id: String,
    /// A second port of the same load balancer or server, to which the service may be moved.
    pub(crate) spare_port_id: String,
    /// The full name, `<region>.<name>.<id>`.
    pub(crate) service_name: String,
    pub(crate) server_type: String,
    pub(crate) vpc_id: String,
    pub(crate) pool_id: Option<String>,
    pub(crate) approval_enabled: bool,
    pub(crate) status: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) ip: Option<String>,
    pub(crate) ports: Vec<Port>,
    pub(crate) tcp_proxy: String,
    pub(crate) description: String,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) enable_policy: bool,
}

impl Service {
    /// The service that a cluster has at the start of the world.
    pub(crate) fn behind(cluster: &Cluster, index: usize, seed: u64) -> Service {
        let mut rng = Rng::new(seed, STREAM_SERVICES + index as u64);
        let id = cluster.service_name.rsplit('.').next().unwrap_or_default().to_owned();
        let part = cluster.id.split('-').next().unwrap_or_default();
        let created_at = shifted(cluster.created, 600);
        let mapping = |port| Port { client_port: port, server_port: port, protocol: tcp() };
        // As with clusters, the first is never odd.
        let mut odd = |percent| rng.chance(percent) && index > 0;
        let server_type = if odd(25) { "VM" } else { "LB" };
        let ip = odd(30).then(|| format!("172.16.{}.{}", index / 250 % 256, index % 250 + 2));
        let tcp_proxy = if odd(20) { "proxy_open" } else { "close" };
        let approval_enabled = !odd(30);
        Service {
            id,
            port_id: rng.uuid(),
            spare_port_id: rng.uuid(),
            service_name: cluster.service_name.clone(),
            server_type: server_type.to_owned(),
            // The same VPC that the list of clusters names.
            vpc_id: format!("{part}-0000-4000-8000-000000000001"),
            pool_id: rng.chance(50).then(|| rng.uuid()),
            approval_enabled,
            status: AVAILABLE.to_owned(),
            created_at,
            updated_at: shifted(created_at, rng.below(86_400) as i64),
            ip,
            ports: [9200, 5601, 9300].into_iter().take(1 + rng.index(3)).map(mapping).collect(),
            tcp_proxy: tcp_proxy.to_owned(),
            description: format!("Made by CSS for {}", cluster.name),
            tags: vec![("cluster".to_owned(), cluster.name.clone())],
            enable_policy: false,
        }
    }

    /// Takes a short name; an empty one is left out of the full name.
    pub(crate) fn rename(&mut self, name: &str) {
        let dot = if name.is_empty() { "" } else { "." };
        self.service_name = format!("{REGION}{dot}{name}.{}", self.id);
    }

    /// The truth, plainly.
    pub(crate) fn plain(&self) -> Value {
        let tags = self.tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
        json!({
            "id": self.id,
            "port_id": self.port_id,
            "spare_port_id": self.spare_port_id,
            "service_name": self.service_name,
            "server_type": self.server_type,
            "vpc_id": self.vpc_id,
            "pool_id": self.pool_id,
            "approval_enabled": self.approval_enabled,
            "status": self.status,
            "created_at": self.created_at.to_string(),
            "updated_at": self.updated_at.to_string(),
            "ip": self.ip,
            "ports": self.ports,
            "tcp_proxy": self.tcp_proxy,
            "description": self.description,
            "tags": tags.collect::<Vec<_>>(),
            "enable_policy": self.enable_policy,
        })
    }
}

/// What a test, or a second writer, may set of a service, with no rule to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServicePatch {
    port_id: Option<String>,
    /// The full name.
    service_name: Option<String>,
    server_type: Option<String>,
    vpc_id: Option<String>,
    approval_enabled: Option<bool>,
    status: Option<String>,
    updated_at: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ip: Option<Option<String>>,
    ports: Option<Vec<Port>>,
    tcp_proxy: Option<String>,
    description: Option<String>,
    enable_policy: Option<bool>,
}

impl ServicePatch {
    /// What a second writer does if nothing else is said.
    pub(crate) fn usual() -> ServicePatch {
        let description = Some("changed by somebody else".to_owned());
        ServicePatch { description, ..ServicePatch::default() }
    }

    /// Reads the time, the only part that can be wrong.
    pub(crate) fn judge(&self) -> Result<Option<Timestamp>, Reply> {
        let Some(text) = &self.updated_at else { return Ok(None) };
        let wrong = |_| control(400, format!("{text:?} is no time of RFC 3339"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Sets what is named, and the time of it unless that is named too.
    pub(crate) fn apply(&self, service: &mut Service, now: Timestamp) -> Result<(), Reply> {
        let updated_at = self.judge()?.unwrap_or_else(|| whole_seconds(now));
        let texts = [
            (&self.port_id, &mut service.port_id),
            (&self.service_name, &mut service.service_name),
            (&self.server_type, &mut service.server_type),
            (&self.vpc_id, &mut service.vpc_id),
            (&self.status, &mut service.status),
            (&self.tcp_proxy, &mut service.tcp_proxy),
            (&self.description, &mut service.description),
        ];
        for (new, place) in texts {
            if let Some(new) = new {
                place.clone_from(new);
            }
        }
        service.approval_enabled = self.approval_enabled.unwrap_or(service.approval_enabled);
        service.enable_policy = self.enable_policy.unwrap_or(service.enable_policy);
        if let Some(ip) = &self.ip {
            service.ip.clone_from(ip);
        }
        if let Some(ports) = &self.ports {
            service.ports.clone_from(ports);
        }
        service.updated_at = updated_at;
        Ok(())
    }
}

impl World {
    /// The services that exist, each with its cluster.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&Service, &Cluster)> {
        let pairs = self.services.iter().zip(&self.clusters);
        pairs.filter(|(_, cluster)| !cluster.deleted && cluster.vpcep_enabled)
    }

    /// A service that exists, by its id.
    pub(crate) fn service(&self, id: &str) -> Option<&Service> {
        self.services().map(|(service, _)| service).find(|service| service.id == id)
    }

    /// Puts a changed service in the place of the one with its id.
    pub(crate) fn replace_service(&mut self, new: Service) {
        let Some(at) = self.services.iter().position(|one| one.id == new.id) else { return };
        // CSS shows the name that VPCEP holds, unless a test has set another one.
        if self.services[at].service_name != new.service_name {
            self.clusters[at].service_name.clone_from(&new.service_name);
        }
        self.services[at] = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    #[test]
    fn each_cluster_has_the_service_that_it_names() {
        let world = World::new(1, 40, 1, start());
        assert_eq!(world.services().count(), 40);
        for (service, cluster) in world.services() {
            assert_eq!(service.service_name, cluster.service_name);
            assert!(service.service_name.ends_with(&format!(".{}", service.id)));
            assert!(!service.ports.is_empty() && service.created_at <= service.updated_at);
        }
        assert_eq!(world.services, World::new(1, 40, 1, start()).services);
        assert_eq!(world.services[..3], World::new(1, 3, 1, start()).services);
        let has = |test: fn(&Service) -> bool| world.services.iter().any(test);
        assert!(has(|one| one.ip.is_some()) && has(|one| one.ip.is_none()));
        assert!(has(|one| !one.approval_enabled) && has(|one| one.server_type == "VM"));
        assert!(has(|one| one.pool_id.is_none()) && has(|one| one.tcp_proxy != "close"));
    }

    #[test]
    fn a_service_goes_with_its_cluster() {
        let mut world = World::new(1, 2, 1, start());
        let ids: Vec<String> = world.services.iter().map(|one| one.id.clone()).collect();
        world.clusters[0].deleted = true;
        world.clusters[1].vpcep_enabled = false;
        assert!(ids.iter().all(|id| world.service(id).is_none()));
        world.clusters[1].vpcep_enabled = true;
        assert!(world.service(&ids[1]).is_some());
    }

    #[test]
    fn a_new_name_is_the_clusters_too() {
        let mut world = World::new(1, 1, 1, start());
        let mut service = world.services[0].clone();
        service.rename("new");
        world.replace_service(service.clone());
        assert_eq!(world.clusters[0].service_name, format!("{REGION}.new.{}", service.id));
        service.rename("");
        assert_eq!(service.service_name, format!("{REGION}.{}", service.id));
    }
}
