//! Control of endpoint services: the truth about them, the modes, and the ledger of changes.
//!
//! Owns the JSON of `/__sim/services`, `/__sim/modes` and `/__sim/puts`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sim::calls::Operation;
use crate::sim::cloud::State;
use crate::sim::errors::{Reply, control};
use crate::sim::modes::{Active, Mode, Modes};
use crate::sim::service::ServicePatch;
use crate::sim::world::World;

/// Every service as it is, however the cloud shows it.
pub(super) fn services(world: &World) -> Value {
    let services = world.services().map(|(service, cluster)| {
        let mut plain = service.plain();
        plain["cluster_id"] = json!(cluster.id);
        plain
    });
    json!({"services": services.collect::<Vec<_>>()})
}

/// Replaces parts of a service.
pub(super) fn put_service(
    world: &mut World,
    id: &str,
    patch: &ServicePatch,
    now: Timestamp,
) -> Result<Reply, Reply> {
    let known = world.service(id).cloned();
    let mut service = known.ok_or_else(|| control(404, format!("there is no service {id:?}")))?;
    patch.apply(&mut service, now)?;
    let reply = Reply::json(200, &service.plain());
    world.replace_service(service);
    Ok(reply)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    modes: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    services: Option<Vec<String>>,
    operation: Option<String>,
    times: Option<u64>,
    #[serde(default)]
    after: u64,
    gets: Option<u64>,
    ms: Option<u64>,
    change: Option<ServicePatch>,
}

/// Replaces all modes; old states that are still shown end with the old ones.
pub(super) fn put_modes(state: &mut State, entries: Entries) -> Result<Reply, Reply> {
    let list = entries.modes.into_iter().map(active).collect::<Result<_, Reply>>()?;
    state.modes = Modes::new(list);
    Ok(Reply::json(200, &modes_active(state)))
}

fn active(entry: Entry) -> Result<Active, Reply> {
    let refused = |message: String| control(400, message);
    let mode = Mode::named(&entry.name)
        .ok_or_else(|| refused(format!("no mode is called {:?}", entry.name)))?;
    let mut active = Active::new(mode);
    if let Some(name) = &entry.operation {
        let known = Operation::named(name).filter(|operation| operation.is_vpcep());
        if known.is_none() || mode.refusal().is_none() {
            return Err(refused(format!("{} cannot be about {name:?}", entry.name)));
        }
        if entry.services.is_some() && !known.is_some_and(Operation::names_a_service) {
            return Err(refused(format!("{name} is about no single service")));
        }
        active.operation = known;
    }
    if (entry.gets.is_some() || entry.ms.is_some()) && mode != Mode::Delayed {
        return Err(refused(format!("gets and ms are for delayed, not for {}", entry.name)));
    }
    if let Some(change) = &entry.change {
        if !matches!(mode, Mode::SecondWriter | Mode::SecondWriterAfter) {
            return Err(refused(format!("change is for a second writer, not for {}", entry.name)));
        }
        change.judge()?;
    }
    active.services = entry.services;
    active.times = entry.times;
    active.after = entry.after;
    active.gets = entry.gets.unwrap_or(active.gets);
    active.ms = entry.ms;
    active.change = entry.change;
    Ok(active)
}

/// The modes that are active and all that there are.
pub(super) fn modes(state: &State) -> Value {
    let known = Mode::NAMES
        .iter()
        .map(|(name, meaning)| json!({"name": name, "description": meaning}))
        .collect::<Vec<_>>();
    let mut body = modes_active(state);
    body["known"] = json!(known);
    body
}

fn modes_active(state: &State) -> Value {
    let active = state.modes.list.iter().map(|one| {
        json!({
            "name": one.mode.name(),
            "services": one.services,
            "operation": one.operation.map(Operation::name),
            "times": one.times,
            "after": one.after,
            "hits": one.hits,
        })
    });
    json!({"active": active.collect::<Vec<_>>()})
}

/// Every PUT so far.
pub(super) fn puts(state: &State) -> Value {
    json!(state.puts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_strictly() {
        let entry = |text: &str| {
            let entry = serde_json::from_str::<Entry>(text);
            entry.is_ok_and(|entry| active(entry).is_ok())
        };
        for good in [
            r#"{"name":"echo-old"}"#,
            r#"{"name":"delayed","gets":0}"#,
            r#"{"name":"delayed","ms":50,"times":1,"after":2,"services":[]}"#,
            r#"{"name":"second-writer","change":{"description":""}}"#,
            r#"{"name":"throttled-400","operation":"vpcep_service"}"#,
        ] {
            assert!(entry(good), "{good}");
        }
        for bad in [
            r#"{}"#,
            r#"{"name":"no"}"#,
            r#"{"name":"partial","gets":1}"#,
            r#"{"name":"partial","change":{}}"#,
            r#"{"name":"partial","operation":"vpcep_service"}"#,
            r#"{"name":"not-yours","operation":"css_clusters"}"#,
            r#"{"name":"not-yours","operation":"vpcep_quotas","services":["a"]}"#,
            r#"{"name":"second-writer","change":{"updated_at":"yesterday"}}"#,
            r#"{"name":"second-writer","percent":5}"#,
        ] {
            assert!(!entry(bad), "{bad}");
        }
    }
}
