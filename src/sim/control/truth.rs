//! The truth about the world, plainly typed, and changes that a test makes to it.
//!
//! A key that is missing from a body leaves its field as it is.

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

/// The world at the moment of a control request.
pub(super) struct Truth<'a> {
    pub(super) world: &'a mut World,
    pub(super) now: Timestamp,
}

impl Truth<'_> {
    /// Shows everything.
    pub(super) fn world(&self) -> Value {
        let (start, now) = (self.world.start.to_string(), self.now.to_string());
        let (step, clusters) = (self.world.step, &self.world.clusters);
        json!({"step": step, "start": start, "now": now, "clusters": clusters})
    }

    /// Shows each service as it is, however the cloud shows it.
    pub(super) fn services(&self) -> Value {
        let services = self.world.serving().map(|cluster| {
            let mut plain = json!(cluster.service);
            plain["cluster_id"] = json!(cluster.id);
            plain
        });
        json!({"services": services.collect::<Vec<_>>()})
    }

    /// Replaces parts of a service.
    pub(super) fn put_service(&mut self, id: &str, mut patch: Patch) -> Result<Value, Reply> {
        let behind = self.world.behind(id);
        let behind = behind.ok_or_else(|| control(404, format!("there is no service {id:?}")))?;
        patch.entry("updated_at").or_insert_with(|| json!(whole_seconds(self.now)));
        let new = patched(&behind.service, patch)?;
        let body = json!(new);
        self.world.replace_service(id, new);
        Ok(body)
    }

    /// Makes a cluster with `connections` connections; the other keys replace its parts.
    pub(super) fn post_cluster(&mut self, mut patch: Patch) -> Result<Value, Reply> {
        let count = patch.remove("connections").unwrap_or(json!(0));
        let count: usize = serde_json::from_value(count).map_err(unreadable)?;
        if count > MOST_CONNECTIONS {
            let message = format!("connections is {count}, but at most {MOST_CONNECTIONS}");
            return Err(control(400, message));
        }
        let id = self.world.create_cluster(count, self.now);
        let put = self.put_cluster(&id, patch);
        if put.is_err() {
            self.world.delete_cluster(&id);
        }
        put
    }

    /// Replaces parts of a cluster, but not its id. `connections` replaces all of them; one with a known id
    /// keeps the fields that it does not name.
    pub(super) fn put_cluster(&mut self, id: &str, mut patch: Patch) -> Result<Value, Reply> {
        let old = self.cluster(id)?.clone();
        let connections = match patch.remove("connections") {
            None => old.connections.clone(),
            Some(rows) => {
                let rows: Vec<Patch> = serde_json::from_value(rows).map_err(unreadable)?;
                let row = |row| self.replaced(&old, row);
                rows.into_iter().map(row).collect::<Result<_, Reply>>()?
            }
        };
        let place = self.cluster(id)?;
        patch.insert("id".to_owned(), json!(id));
        // The JSON of a cluster lacks its number and its service, and the connections would be too many in it.
        let (number, service) = (old.number, old.service.clone());
        let bare = Cluster { connections: Vec::new(), made: place.made, ..old };
        *place = Cluster { connections, number, service, ..patched(&bare, patch)? };
        Ok(json!(place))
    }

    fn replaced(&mut self, cluster: &Cluster, patch: Patch) -> Result<Connection, Reply> {
        let named = |one: &&Connection| patch.get("id").is_some_and(|id| *id == *one.id);
        let known = cluster.connections.iter().find(named).cloned();
        let connection = known.or_else(|| {
            let mut new = self.world.new_connections(&cluster.id, 1, self.now).pop()?;
            // A connection that a test makes is accepted, unless the test says that it is still pending.
            if patch.get("status").is_none_or(|status| *status != CREATING && *status != PENDING) {
                new.take_status(Cow::Borrowed(ACCEPTED));
            }
            Some(new)
        });
        changed(connection.ok_or_else(|| unknown(&cluster.id))?, cluster, patch, self.now)
    }

    /// Takes a cluster away.
    pub(super) fn delete_cluster(&mut self, id: &str) -> Result<Value, Reply> {
        if self.world.delete_cluster(id) { Ok(json!({})) } else { Err(unknown(id)) }
    }

    /// Changes one connection.
    pub(super) fn post_connection(
        &mut self,
        id: &str,
        endpoint_id: &str,
        patch: Patch,
    ) -> Result<Value, Reply> {
        let now = self.now;
        let cluster = self.cluster(id)?;
        let at = cluster.connections.iter().position(|one| *one.id == *endpoint_id);
        let message = || format!("cluster {id} has no connection {endpoint_id:?}");
        let at = at.ok_or_else(|| control(404, message()))?;
        let new = changed(cluster.connections[at].clone(), cluster, patch, now)?;
        let body = json!(new);
        cluster.connections[at] = new;
        Ok(body)
    }

    fn cluster(&mut self, id: &str) -> Result<&mut Cluster, Reply> {
        self.world.cluster_mut(id).ok_or_else(|| unknown(id))
    }
}

/// A connection after a patch. A new status also sets the time of the update, unless the patch names it.
fn changed(
    mut one: Connection,
    cluster: &Cluster,
    patch: Patch,
    now: Timestamp,
) -> Result<Connection, Reply> {
    if let Some(status) = patch.get("status").filter(|status| **status != *one.status) {
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

fn unknown(id: &str) -> Reply {
    control(404, format!("there is no cluster {id:?}"))
}

#[cfg(test)]
mod tests {
    use super::{super::super::world::first, *};

    fn now() -> Timestamp {
        "2024-06-11T09:36:24Z".parse().expect("a time")
    }

    fn of(world: &mut World) -> Truth<'_> {
        Truth { world, now: now() }
    }

    fn put(world: &mut World, text: &str) -> Result<Value, Reply> {
        let id = world.clusters[0].id.clone();
        of(world).put_cluster(&id, serde_json::from_str(text).expect("a patch"))
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
        assert_eq!(of(&mut world).delete_cluster("no").expect_err("refused").status, 404);
    }

    #[test]
    fn a_cluster_can_be_made_and_deleted() {
        let mut world = first::world(1, 1, 0, now());
        let patch = |text: &str| serde_json::from_str(text).expect("a patch");
        let new = r#"{"name":"new","connections":2,"tags":{"env":"x"}}"#;
        let body = of(&mut world).post_cluster(patch(new)).expect("made");
        let id = body["id"].as_str().expect("an id");
        assert_eq!((&body["name"], &body["tags"]["env"]), (&json!("new"), &json!("x")));
        assert_eq!(body["connections"].as_array().map(Vec::len), Some(2));
        assert!(world.serving().any(|cluster| cluster.id == id));
        of(&mut world).delete_cluster(id).expect("deleted");
        assert!(world.cluster(id).is_none());
        of(&mut world).post_cluster(patch(r#"{"tags":1}"#)).expect_err("refused");
        assert_eq!(world.clusters.len(), 1);
    }

    #[test]
    fn a_new_status_is_dated() {
        let mut world = first::world(1, 1, 1, now());
        let (id, row) = (world.clusters[0].id.clone(), world.clusters[0].connections[0].id.clone());
        world.clusters[0].update_always_null = false;
        let patch = Patch::from_iter([("status".to_owned(), json!("failed"))]);
        of(&mut world).post_connection(&id, &row, patch).expect("taken");
        assert_eq!(world.clusters[0].connections[0].update_at, Some(Some(now())));
    }
}
