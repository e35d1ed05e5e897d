//! The truth about the world, plainly typed, and changes that a test makes to it.
//!
//! Owns the JSON of `/__sim/world` and of the bodies under `/__sim/clusters`. Keys that are missing
//! from a body leave things as they are.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sim::clock::whole_seconds;
use crate::sim::errors::{Reply, control};
use crate::sim::patch::present;
use crate::sim::world::{ACCEPTED, CREATING, Cluster, Connection, Field, PENDING, World};

/// Everything, as it is.
pub(super) fn world(world: &World, now: Timestamp) -> Value {
    json!({
        "step": world.step,
        "start": world.start.to_string(),
        "now": now.to_string(),
        "clusters": world.live().map(cluster).collect::<Vec<_>>(),
    })
}

fn cluster(cluster: &Cluster) -> Value {
    let permissions = cluster.permissions.iter().map(|one| {
        json!({
            "id": one.id,
            "permission": one.permission,
            "created_at": one.created_at.to_string(),
        })
    });
    json!({
        "id": cluster.id,
        "name": cluster.name,
        "created": cluster.created.to_string(),
        "vpcep_enabled": cluster.vpcep_enabled,
        "update_switch": cluster.update_switch,
        "service_name": cluster.service_name,
        "permissions": permissions.collect::<Vec<_>>(),
        "connections": cluster.connections.iter().map(connection).collect::<Vec<_>>(),
    })
}

fn connection(one: &Connection) -> Value {
    json!({
        "id": one.id,
        "status": one.status,
        "max_sessions": one.max_sessions,
        "specification_name": one.specification_name,
        "created_at": one.created_at.to_string(),
        "update_at": one.update_at.value().map(Timestamp::to_string),
        "ip": one.ip().value(),
        "ipv6": one.ipv6().value(),
        "dns_name": one.dns_name.value(),
        "domain_id": &*one.domain_id,
    })
}

/// What a test may replace of a cluster.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterPatch {
    /// All connections; one with a known id keeps what is not named.
    connections: Option<Vec<ConnectionPatch>>,
    vpcep_enabled: Option<bool>,
    /// Sent as it stands, of whatever type.
    #[serde(default, deserialize_with = "present")]
    update_switch: Option<Value>,
    service_name: Option<String>,
    name: Option<String>,
}

/// What a test may set of a connection.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionPatch {
    id: Option<String>,
    status: Option<String>,
    max_sessions: Option<u32>,
    specification_name: Option<String>,
    created_at: Option<String>,
    #[serde(default, deserialize_with = "present")]
    update_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    ip: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    ipv6: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    dns_name: Option<Option<String>>,
    domain_id: Option<String>,
}

/// Replaces parts of a cluster.
pub(super) fn put_cluster(
    world: &mut World,
    id: &str,
    patch: ClusterPatch,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let at = *world.by_id.get(id).ok_or_else(|| unknown(id))?;
    let old = world.cluster(id).ok_or_else(|| unknown(id))?.clone();
    let mut new = old.clone();
    if let Some(rows) = patch.connections {
        new.connections = Vec::with_capacity(rows.len());
        for row in rows {
            let known = row
                .id
                .as_deref()
                .and_then(|id| old.connections.iter().find(|connection| &*connection.id == id));
            let mut connection = match known {
                Some(known) => known.clone(),
                None => fresh(world, at, row.status.as_deref(), now),
            };
            row.apply(&mut connection, old.updated(whole_seconds(now)))?;
            new.connections.push(connection);
        }
    }
    new.vpcep_enabled = patch.vpcep_enabled.unwrap_or(new.vpcep_enabled);
    new.update_switch = patch.update_switch.unwrap_or(new.update_switch);
    new.service_name = patch.service_name.unwrap_or(new.service_name);
    new.name = patch.name.unwrap_or(new.name);
    let reply = Reply::json(200, &cluster(&new));
    if let Some(place) = world.cluster_mut(id) {
        // Numbers given to new connections stay given.
        new.made = place.made;
        *place = new;
    }
    Ok(reply)
}

/// A connection that a test made: accepted, unless the test says that it is still pending.
fn fresh(world: &mut World, cluster: usize, status: Option<&str>, now: Timestamp) -> Connection {
    let mut connection = world.new_connection(cluster, now);
    if !matches!(status, Some(CREATING | PENDING)) {
        connection.take_status(Cow::Borrowed(ACCEPTED));
    }
    connection
}

/// Changes one connection.
pub(super) fn post_connection(
    world: &mut World,
    id: &str,
    endpoint_id: &str,
    patch: ConnectionPatch,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let cluster = world.cluster_mut(id).ok_or_else(|| unknown(id))?;
    let updated = cluster.updated(whole_seconds(now));
    let found = cluster.connections.iter_mut().find(|one| &*one.id == endpoint_id);
    let place = found
        .ok_or_else(|| control(404, format!("cluster {id} has no connection {endpoint_id:?}")))?;
    let mut new = place.clone();
    patch.apply(&mut new, updated)?;
    *place = new;
    Ok(Reply::json(200, &connection(place)))
}

/// From now on the cluster is not there.
pub(super) fn delete_cluster(world: &mut World, id: &str) -> Result<Reply, Reply> {
    let cluster = world.cluster_mut(id).ok_or_else(|| unknown(id))?;
    cluster.deleted = true;
    Ok(Reply::json(200, &json!({})))
}

fn unknown(id: &str) -> Reply {
    control(404, format!("there is no cluster {id:?}"))
}

impl ConnectionPatch {
    /// Sets what is named; a new status also sets the time of the update, unless that is named.
    fn apply(self, one: &mut Connection, updated: Field<Timestamp>) -> Result<(), Reply> {
        if let Some(id) = self.id {
            one.id = id.into();
        }
        if let Some(status) = self.status.filter(|status| *status != one.status) {
            one.take_status(Cow::Owned(status));
            one.update_at = updated;
        }
        one.max_sessions = self.max_sessions.unwrap_or(one.max_sessions);
        if let Some(name) = self.specification_name {
            one.specification_name = Cow::Owned(name);
        }
        if let Some(text) = self.created_at {
            one.created_at = time(&text)?;
        }
        if let Some(text) = self.update_at {
            one.update_at = match text {
                Some(text) => Field::Value(time(&text)?),
                None => Field::Null,
            };
        }
        // An address that a test sets is always shown.
        one.was_accepted |= self.ip.is_some() || self.ipv6.is_some();
        for (value, field) in
            [(self.ip, &mut one.ip), (self.ipv6, &mut one.ipv6), (self.dns_name, &mut one.dns_name)]
        {
            if let Some(value) = value {
                *field = value.map_or(Field::Null, |text| Field::Value(text.into()));
            }
        }
        if let Some(domain) = self.domain_id {
            one.domain_id = Arc::from(domain);
        }
        Ok(())
    }
}

fn time(text: &str) -> Result<Timestamp, Reply> {
    text.parse().map_err(|_| control(400, format!("{text:?} is no time of RFC 3339")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    fn put(world: &mut World, text: &str) -> Result<Reply, Reply> {
        let id = world.clusters[0].id.clone();
        put_cluster(world, &id, serde_json::from_str(text).expect("a patch"), now())
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let mut world = World::new(1, 1, 3, now());
        let before = world.clusters[0].clone();
        put(&mut world, "{}").expect("taken");
        assert_eq!(world.clusters[0], before);
        put(&mut world, r#"{"update_switch":null,"vpcep_enabled":false}"#).expect("taken");
        assert_eq!(world.clusters[0].update_switch, Value::Null);
        assert!(!world.clusters[0].vpcep_enabled);
        let kept = before.connections[1].clone();
        let text = format!(
            r#"{{"connections":[{{"id":"{}","max_sessions":7}},{{"status":"frozen","ip":null}}]}}"#,
            kept.id
        );
        put(&mut world, &text).expect("taken");
        let rows = &world.clusters[0].connections;
        assert_eq!(rows[0], Connection { max_sessions: 7, ..kept });
        assert_eq!((&*rows[1].status, &rows[1].ip), ("frozen", &Field::Null));
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_bad_patch_changes_nothing() {
        let mut world = World::new(1, 1, 3, now());
        let before = world.clusters[0].connections.clone();
        let text = r#"{"connections":[{"created_at":"yesterday"}]}"#;
        assert_eq!(put(&mut world, text).expect_err("refused").status, 400);
        assert_eq!(world.clusters[0].connections, before);
        assert_eq!(delete_cluster(&mut world, "no").expect_err("refused").status, 404);
    }

    #[test]
    fn a_new_status_is_dated() {
        let mut world = World::new(1, 1, 1, now());
        let (id, row) = (world.clusters[0].id.clone(), world.clusters[0].connections[0].id.clone());
        world.clusters[0].update_always_null = false;
        let patch = ConnectionPatch { status: Some("failed".to_owned()), ..Default::default() };
        post_connection(&mut world, &id, &row, patch, now()).expect("taken");
        assert_eq!(world.clusters[0].connections[0].update_at, Field::Value(now()));
    }
}
