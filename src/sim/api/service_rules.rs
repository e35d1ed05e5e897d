//! Rules of a change that need the service and its neighbours (VPCEP API Reference, Error Codes).

use super::service_body::Wanted;
use crate::sim::world::{
    World,
    service::{AVAILABLE, Port, Service},
};

/// Refuses a change that the service as it is does not allow. The error is a code.
pub(super) fn judge(wanted: &Wanted, service: &Service, world: &World) -> Result<(), &'static str> {
    if service.status != AVAILABLE {
        return Err("3045");
    }
    if let Some(port_id) = wanted.port_id.as_ref().filter(|id| **id != service.port_id) {
        port_id_allowed(port_id, service, world)?;
    }
    if wanted.ip.is_some() && wanted.ip != service.ip {
        // Only services in VLAN scenarios have one (Table 3).
        if service.ip.is_none() {
            return Err("3055");
        }
        if others(service, world).any(|other| other.ip == wanted.ip) {
            return Err("3046");
        }
    }
    ports_free(wanted, service, world)
}

/// All services but this one.
fn others<'a>(service: &Service, world: &'a World) -> impl Iterator<Item = &'a Service> {
    let id = service.id.clone();
    world.serving().map(|cluster| &cluster.service).filter(move |other| other.id != id)
}

/// Refuses a port of another VPC or of another kind of backend.
fn port_id_allowed(port_id: &str, service: &Service, world: &World) -> Result<(), &'static str> {
    if port_id == service.spare_port_id {
        return Ok(());
    }
    let owner =
        others(service, world).find(|one| one.port_id == port_id || one.spare_port_id == port_id);
    let owner = owner.ok_or("3063")?;
    if owner.vpc_id != service.vpc_id {
        return Err("3042");
    }
    if owner.server_type == service.server_type { Ok(()) } else { Err("3054") }
}

/// Refuses ports that are taken: services that share a port id may share neither service ports nor terminal
/// ports of the same protocol (Table 3, `ports`).
fn ports_free(wanted: &Wanted, service: &Service, world: &World) -> Result<(), &'static str> {
    if wanted.ports.is_none() && wanted.port_id.is_none() {
        return Ok(());
    }
    let port_id = wanted.port_id.as_ref().unwrap_or(&service.port_id);
    let ports = wanted.ports.as_ref().unwrap_or(&service.ports);
    let clash = |a: &Port, b: &Port| {
        a.protocol == b.protocol
            && (a.server_port == b.server_port || a.client_port == b.client_port)
    };
    let taken = others(service, world)
        .filter(|other| other.port_id == *port_id)
        .flat_map(|other| &other.ports)
        .any(|theirs| ports.iter().any(|ours| clash(ours, theirs)));
    if taken { Err("3044") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::{Cluster, first};

    fn world() -> World {
        let start = "2024-06-11T09:36:24Z".parse().expect("a time");
        let mut world = first::world(1, 3, 0, start);
        for Cluster { service, .. } in &mut world.clusters {
            (service.server_type, service.ip) = ("LB".to_owned(), None);
        }
        world
    }

    fn ask(world: &World, wanted: Wanted) -> Result<(), &'static str> {
        judge(&wanted, &world.clusters[0].service, world)
    }

    fn to_port(id: &str) -> Wanted {
        Wanted { port_id: Some(id.to_owned()), ..Wanted::default() }
    }

    #[test]
    fn only_an_available_service_changes() {
        let mut world = world();
        let wanted = || Wanted { approval_enabled: Some(true), ..Wanted::default() };
        assert_eq!(ask(&world, wanted()), Ok(()));
        for status in ["creating", "failed", "deleting"] {
            world.clusters[0].service.status = status.to_owned();
            assert_eq!(ask(&world, wanted()), Err("3045"));
        }
    }

    #[test]
    fn a_port_moves_within_its_kind() {
        let mut world = world();
        let (own, spare) =
            (&world.clusters[0].service.port_id, &world.clusters[0].service.spare_port_id);
        assert_eq!(ask(&world, to_port(own)), Ok(()));
        assert_eq!(ask(&world, to_port(spare)), Ok(()));
        assert_eq!(ask(&world, to_port("unknown")), Err("3063"));
        let other = world.clusters[1].service.spare_port_id.clone();
        assert_eq!(ask(&world, to_port(&other)), Err("3042"));
        world.clusters[1].service.vpc_id = world.clusters[0].service.vpc_id.clone();
        assert_eq!(ask(&world, to_port(&other)), Ok(()));
        world.clusters[1].service.server_type = "VM".to_owned();
        assert_eq!(ask(&world, to_port(&other)), Err("3054"));
    }

    #[test]
    fn neighbours_on_the_same_port_share_no_ports() {
        let mut world = world();
        world.clusters[1].service.port_id = world.clusters[0].service.port_id.clone();
        world.clusters[1].service.ports =
            vec![Port { client_port: 10, server_port: 20, protocol: "TCP".to_owned() }];
        for (client_port, server_port, wanted) in
            [(10, 1, Err("3044")), (1, 20, Err("3044")), (20, 10, Ok(()))]
        {
            let ports = Some(vec![Port { client_port, server_port, protocol: "TCP".to_owned() }]);
            assert_eq!(ask(&world, Wanted { ports, ..Wanted::default() }), wanted);
        }
    }

    #[test]
    fn only_a_service_with_an_address_gets_another() {
        let mut world = world();
        let wanted = || Wanted { ip: Some("10.0.0.1".to_owned()), ..Wanted::default() };
        assert_eq!(ask(&world, wanted()), Err("3055"));
        world.clusters[0].service.ip = Some("10.0.0.2".to_owned());
        assert_eq!(ask(&world, wanted()), Ok(()));
        world.clusters[2].service.ip = Some("10.0.0.1".to_owned());
        assert_eq!(ask(&world, wanted()), Err("3046"));
    }
}
