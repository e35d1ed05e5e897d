//! The control API for tests, under `/__sim`: not signed, and no part of the real cloud.

mod truth;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::truth::Truth;
use super::{
    account::{DOMAIN_NAME, PROJECT_ID, REGION, USER_NAME},
    cloud::{Cloud, State},
    errors::{control, unreadable},
    faults::{ActiveFaults, Fault, transport::TRAP},
    logs::{PutLog, RequestLog},
    patch::{Patch, patched},
    reply::Reply,
    world::step::advance,
};

/// The path of the control API; everything below it belongs to it as well.
const PREFIX: &str = "/__sim";

/// A test that asks for more steps than this has made a mistake.
const STEPS: u64 = 100_000;

/// True if a path belongs to the control API.
pub(super) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a control request.
pub(super) fn answer(cloud: &Cloud, method: &str, path: &str, body: &[u8]) -> Reply {
    let outcome = routed(cloud, method, path, body);
    outcome.map_or_else(|refused| refused, |body| Reply::json(200, &body))
}

fn routed(cloud: &Cloud, method: &str, path: &str, body: &[u8]) -> Result<Value, Reply> {
    let state = &mut *cloud.state();
    let mut truth = Truth { world: &mut state.world, now: cloud.clock.now() };
    if path == TRAP {
        state.requests.trap_hits += 1;
        return Ok(json!({}));
    }
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    match (method, &segments[..]) {
        ("POST", ["step"]) => step(truth, read(body)?),
        ("GET", ["world"]) => Ok(truth.world()),
        ("PUT", ["churn"]) => {
            let Churn { every } = read(body)?;
            truth.world.churn = every;
            Ok(json!({"every": every}))
        }
        ("POST", ["clusters"]) => truth.post_cluster(read(body)?),
        ("PUT", ["clusters", id]) => truth.put_cluster(id, read(body)?),
        ("DELETE", ["clusters", id]) => truth.delete_cluster(id),
        ("POST", ["clusters", id, "connections", endpoint_id]) => {
            truth.post_connection(id, endpoint_id, read(body)?)
        }
        ("GET", ["services"]) => Ok(truth.services()),
        ("PUT", ["services", id]) => truth.put_service(id, read(body)?),
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
            Ok(json!({"now": cloud.clock.now().to_string()}))
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

fn step(Truth { world, now }: Truth<'_>, Steps { steps }: Steps) -> Result<Value, Reply> {
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

/// Replaces all faults. The old states of services that they still showed are shown no longer.
fn put_faults(cloud: &Cloud, state: &mut State, new: Faults) -> Result<Value, Reply> {
    let judged = new.faults.into_iter().map(|one| {
        // A change that does not fit one service fits none.
        if let (Some(change), Some(cluster)) = (&one.change, state.world.clusters.first()) {
            patched(&cluster.service, change.clone())?;
        }
        one.judged().map_err(|mistake| control(400, mistake))
    });
    let list = judged.collect::<Result<_, Reply>>()?;
    state.faults = ActiveFaults::new(list, cloud.seed);
    Ok(json!({"active": state.faults.list}))
}

/// The active faults, and all that there are.
fn faults(state: &State) -> Value {
    let known = Fault::NAMES.iter();
    let known = known.map(|(name, meaning)| json!({"name": name, "description": meaning}));
    json!({"active": state.faults.list, "known": known.collect::<Vec<_>>()})
}

/// Changes the credentials that are valid. `end_tokens` and `end_keys` end all tokens and temporary keys now;
/// an empty security token makes the keys permanent again.
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
    all["project_id"] = json!(PROJECT_ID);
    all["region"] = json!(REGION);
    all["user"] = json!(USER_NAME);
    all["domain"] = json!(DOMAIN_NAME);
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
