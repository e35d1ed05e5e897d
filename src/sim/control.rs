//! The control API for tests, under `/__sim`: not signed, and no part of the real cloud.

mod truth;

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    account::{DOMAIN_NAME, PROJECT_ID, REGION, USER_NAME},
    cloud::{Cloud, State},
    errors::{control, unreadable},
    faults::{fault::Fault, transport::TRAP},
    patch::{Patch, patched},
    put_log::PutLog,
    reply::Reply,
    request_log::RequestLog,
    world::{World, step::advance},
};

/// Everything below this path is control.
const PREFIX: &str = "/__sim";

/// A test that waits for more steps than this has made a mistake.
const STEPS: u64 = 100_000;

/// True if a path belongs to the control API.
pub(super) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a control request.
pub(super) fn answer(cloud: &Cloud, method: &str, path: &str, body: &[u8]) -> Reply {
    match routed(cloud, method, path, body) {
        Ok(body) => Reply::json(200, &body),
        Err(refused) => refused,
    }
}

fn routed(cloud: &Cloud, method: &str, path: &str, body: &[u8]) -> Result<Value, Reply> {
    let state = &mut *cloud.state();
    let (world, now) = (&mut state.world, cloud.now());
    if path == TRAP {
        state.requests.trap_hits += 1;
        return Ok(json!({}));
    }
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    match (method, &segments[..]) {
        ("POST", ["step"]) => step(world, read(body)?, now),
        ("GET", ["world"]) => Ok(truth::world(world, now)),
        ("POST", ["clusters"]) => truth::post_cluster(world, read(body)?, now),
        ("PUT", ["churn"]) => {
            let Churn { every } = read(body)?;
            world.churn = every;
            Ok(json!({"every": every}))
        }
        ("PUT", ["clusters", id]) => truth::put_cluster(world, id, read(body)?, now),
        ("DELETE", ["clusters", id]) => truth::delete_cluster(world, id),
        ("POST", ["clusters", id, "connections", endpoint_id]) => {
            truth::post_connection(world, id, endpoint_id, read(body)?, now)
        }
        ("GET", ["services"]) => Ok(truth::services(world)),
        ("PUT", ["services", id]) => truth::put_service(world, id, read(body)?, now),
        ("GET", ["faults"]) => Ok(faults(state)),
        ("PUT", ["faults"]) => put_faults(cloud, state, read(body)?),
        ("GET", ["puts"]) => Ok(json!(state.puts)),
        ("DELETE", ["puts"]) => {
            state.puts = PutLog::default();
            Ok(json!({}))
        }
        ("GET", ["requests"]) => {
            let mut log = json!(state.requests);
            log["bad_signatures"] = json!(state.gate.bad_signatures);
            Ok(log)
        }
        ("DELETE", ["requests"]) => {
            state.requests = RequestLog::default();
            state.gate.bad_signatures = 0;
            Ok(json!({}))
        }
        ("GET", ["credentials"]) => Ok(credentials(state)),
        ("PUT", ["credentials"]) => put_credentials(state, read(body)?),
        ("PUT", ["clock"]) => {
            let Skew { skew_seconds } = read(body)?;
            cloud.clock.set_skew(skew_seconds);
            Ok(json!({"now": cloud.now().to_string()}))
        }
        _ => Err(control(404, format!("no control route for {method} {path}"))),
    }
}

/// Reads a JSON body; an empty one stands for an empty object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(unreadable)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    steps: Option<u64>,
}

fn step(world: &mut World, Steps { steps }: Steps, now: Timestamp) -> Result<Value, Reply> {
    let steps = steps.unwrap_or(1);
    if steps > STEPS {
        return Err(control(400, format!("steps is {steps}, but at most {STEPS}")));
    }
    for _ in 0..steps {
        advance(world, now);
    }
    Ok(json!({"step": world.step}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Churn {
    every: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skew {
    skew_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<Fault>,
}

/// Replaces all faults; old states that are still shown end with the old ones.
fn put_faults(cloud: &Cloud, state: &mut State, new: Faults) -> Result<Value, Reply> {
    let judged = new.faults.into_iter().map(|one| {
        if let (Some(change), Some(service)) = (&one.change, state.world.services.first()) {
            patched(service, change.clone())?;
        }
        one.judged().map_err(|mistake| control(400, mistake))
    });
    let list = judged.collect::<Result<_, Reply>>()?;
    state.faults = cloud.faults(list);
    Ok(json!({"active": state.faults.list}))
}

/// The faults that are active and all that there are.
fn faults(state: &State) -> Value {
    let known = Fault::NAMES.iter();
    let known = known.map(|(name, meaning)| json!({"name": name, "description": meaning}));
    json!({"active": state.faults.list, "known": known.collect::<Vec<_>>()})
}

/// Rotates and expires. `end_tokens` and `end_keys` end all tokens and temporary keys now; an empty security token makes the keys
/// permanent again.
fn put_credentials(state: &mut State, mut patch: Patch) -> Result<Value, Reply> {
    let [end_tokens, end_keys] = ["end_tokens", "end_keys"].map(|name| patch.remove(name));
    let mut new = patched(&state.gate.credentials, patch)?;
    new.security_token = new.security_token.filter(|token| !token.is_empty());
    state.gate.credentials = new;
    if end_tokens == Some(json!(true)) {
        state.gate.end_tokens();
    }
    if end_keys == Some(json!(true)) {
        state.gate.end_keys();
    }
    Ok(credentials(state))
}

fn credentials(state: &State) -> Value {
    let mut all = json!(state.gate.credentials);
    for (name, value) in [
        ("project_id", PROJECT_ID),
        ("region", REGION),
        ("user", USER_NAME),
        ("domain", DOMAIN_NAME),
    ] {
        all[name] = json!(value);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_a_whole_segment() {
        assert!(owns("/__sim") && owns("/__sim/step"));
        assert!(!owns("/__simulator") && !owns("/v3/__sim"));
    }
}
