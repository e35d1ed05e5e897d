//! The truth about the world, plainly typed, and changes that a test makes to it.
//!
//! Keys that are missing from a body leave things as they are.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::{
    clock::whole_seconds,
    errors::{control, unreadable},
    patch::{Patch, patched},
    reply::Reply,
    world::{
        Cluster, World,
        connection::{ACCEPTED, CREATING, Connection, PENDING},
    },
};

/// A test that makes more connections at once has made a mistake.
const MOST_CONNECTIONS: usize = 10_000;

/// Everything, as it is.
pub(super) fn world(world: &World, now: Timestamp) -> Value {
    let (start, now) = (world.start.to_string(), now.to_string());
    let clusters: Vec<&Cluster> = world.live().collect();
    json!({"step": world.step, "start": start, "now": now, "clusters": clusters})
}

/// Each service as it is, however the cloud shows it.
pub(super) fn services(world: &World) -> Value {
    let services = world.services().map(|(service, cluster)| {
        let mut plain = json!(service);
        plain["cluster_id"] = json!(cluster.id);
        plain
    });
    json!({"services": services.collect::<Vec<_>>()})
}

/// Replaces parts of a service.
pub(super) fn put_service(
    world: &mut World,
    id: &str,
    mut patch: Patch,
    now: Timestamp,
) -> Result<Value, Reply> {
    let known = world.service(id);
    let service = known.ok_or_else(|| control(404, format!("there is no service {id:?}")))?;
    patch.entry("updated_at").or_insert_with(|| json!(whole_seconds(now)));
    let new = patched(service, patch)?;
    let body = json!(new);
    world.replace_service(id, new);
    Ok(body)
}

/// Replaces parts of a cluster, but for its id; all of its connections, of which one with a known id keeps
/// what is not named.
pub(super) fn put_cluster(
    world: &mut World,
    id: &str,
    mut patch: Patch,
    now: Timestamp,
) -> Result<Value, Reply> {
    let old = world.cluster(id).ok_or_else(|| unknown(id))?.clone();
    let connections = match patch.remove("connections") {
        None => old.connections.clone(),
        Some(rows) => {
            let rows: Vec<Patch> = serde_json::from_value(rows).map_err(unreadable)?;
            let row = |row| replaced(world, &old, row, now);
            rows.into_iter().map(row).collect::<Result<_, Reply>>()?
        }
    };
    let place = world.cluster_mut(id).ok_or_else(|| unknown(id))?;
    patch.insert("id".to_owned(), json!(id));
    let bare = Cluster { connections: Vec::new(), made: place.made, ..old };
    *place = Cluster { connections, ..patched(&bare, patch)? };
    Ok(json!(place))
}

fn replaced(
    world: &mut World,
    cluster: &Cluster,
    patch: Patch,
    now: Timestamp,
) -> Result<Connection, Reply> {
    let named = |one: &&Connection| patch.get("id").is_some_and(|id| *id == *one.id);
    let known = cluster.connections.iter().find(named).cloned();
    let connection = known.or_else(|| {
        let mut new = world.new_connections(&cluster.id, 1, now).pop()?;
        // One that a test makes is accepted, unless the test says that it is still pending.
        if patch.get("status").is_none_or(|status| *status != CREATING && *status != PENDING) {
            new.take_status(Cow::Borrowed(ACCEPTED));
        }
        Some(new)
    });
    changed(connection.ok_or_else(|| unknown(&cluster.id))?, cluster, patch, now)
}

/// Changes one connection.
pub(super) fn post_connection(
    world: &mut World,
    id: &str,
    endpoint_id: &str,
    patch: Patch,
    now: Timestamp,
) -> Result<Value, Reply> {
    let cluster = world.cluster_mut(id).ok_or_else(|| unknown(id))?;
    let at = cluster.connections.iter().position(|one| *one.id == *endpoint_id);
    let at =
        at.ok_or_else(|| control(404, format!("cluster {id} has no connection {endpoint_id:?}")))?;
    let new = changed(cluster.connections[at].clone(), cluster, patch, now)?;
    cluster.connections[at] = new;
    Ok(json!(cluster.connections[at]))
}

/// A new status also sets the time of the update, unless that is named.
fn changed(
    mut one: Connection,
    cluster: &Cluster,
    patch: Patch,
    now: Timestamp,
) -> Result<Connection, Reply> {
    let status = patch.get("status").filter(|status| **status != *one.status);
    if let Some(status) = status {
        one.update_at = cluster.updated(now);
        if status == ACCEPTED {
            one.show_addresses();
        }
    }
    // An address that a test sets is always shown.
    if patch.contains_key("ip") || patch.contains_key("ipv6") {
        one.show_addresses();
    }
    let hidden = one.hidden.clone();
    Ok(Connection { hidden, ..patched(&one, patch)? })
}

/// From now on the cluster is not there.
pub(super) fn delete_cluster(world: &mut World, id: &str) -> Result<Value, Reply> {
    if world.delete_cluster(id) { Ok(json!({})) } else { Err(unknown(id)) }
}

/// Makes a cluster, with as many connections as asked for; the other keys replace its parts.
pub(super) fn post_cluster(
    world: &mut World,
    mut patch: Patch,
    now: Timestamp,
) -> Result<Value, Reply> {
    let connections = match patch.remove("connections") {
        None => 0,
        Some(count) => serde_json::from_value(count).map_err(unreadable)?,
    };
    if connections > MOST_CONNECTIONS {
        return Err(control(
            400,
            format!("connections is {connections}, but at most {MOST_CONNECTIONS}"),
        ));
    }
    let id = world.create_cluster(connections, now).id.clone();
    let put = put_cluster(world, &id, patch, now);
    if put.is_err() {
        world.delete_cluster(&id);
    }
    put
}

fn unknown(id: &str) -> Reply {
    control(404, format!("there is no cluster {id:?}"))
}

#[cfg(test)]
mod tests {
    use super::{super::super::world::first, *};

    fn now() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    fn put(world: &mut World, text: &str) -> Result<Value, Reply> {
        let id = world.clusters[0].id.clone();
        put_cluster(world, &id, serde_json::from_str(text).expect("a patch"), now())
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let mut world = first::world(1, 1, 3, now());
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
        assert_eq!((&*rows[1].status, &rows[1].ip), ("frozen", &Some(None)));
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn a_bad_patch_changes_nothing() {
        let mut world = first::world(1, 1, 3, now());
        let before = world.clusters[0].connections.clone();
        let text = r#"{"connections":[{"created_at":"yesterday"}]}"#;
        assert_eq!(put(&mut world, text).expect_err("refused").status, 400);
        assert_eq!(world.clusters[0].connections, before);
        assert_eq!(delete_cluster(&mut world, "no").expect_err("refused").status, 404);
    }

    #[test]
    fn a_cluster_can_be_made_and_deleted() {
        let mut world = first::world(1, 1, 0, now());
        let patch = |text: &str| serde_json::from_str(text).expect("a patch");
        let new = r#"{"name":"new","connections":2,"tags":{"env":"x"}}"#;
        let body = post_cluster(&mut world, patch(new), now()).expect("made");
        let id = body["id"].as_str().expect("an id");
        assert_eq!((&body["name"], &body["tags"]["env"]), (&json!("new"), &json!("x")));
        assert_eq!(body["connections"].as_array().map(Vec::len), Some(2));
        assert!(world.services().any(|(_, cluster)| cluster.id == id));
        delete_cluster(&mut world, id).expect("deleted");
        assert!(world.cluster(id).is_none());
        post_cluster(&mut world, patch(r#"{"tags":1}"#), now()).expect_err("refused");
        assert_eq!(world.live().count(), 1);
    }

    #[test]
    fn a_new_status_is_dated() {
        let mut world = first::world(1, 1, 1, now());
        let (id, row) = (world.clusters[0].id.clone(), world.clusters[0].connections[0].id.clone());
        world.clusters[0].update_always_null = false;
        let patch = Patch::from_iter([("status".to_owned(), json!("failed"))]);
        post_connection(&mut world, &id, &row, patch, now()).expect("taken");
        assert_eq!(world.clusters[0].connections[0].update_at, Some(Some(now())));
    }
}
