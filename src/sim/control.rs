//! The control API for tests, under `/__sim`: not signed, and no part of the real cloud.
//!
//! Owns its routes and the reading of its bodies. What a test may change of the world, and how it
//! sees it, is in `truth`; the same for endpoint services in `services`.

mod services;
mod truth;

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::calls::Operation;
use super::cloud::Cloud;
use super::errors::{Reply, control};
use super::faults::active::{Active, ActiveFaults};
use super::faults::transport::TRAP;
use super::faults::{Fault, Group};
use super::patch::present;
use super::puts::Ledger;
use super::{DOMAIN_NAME, PROJECT_ID, REGION, USER_NAME};

/// Everything below this path is control.
pub(crate) const PREFIX: &str = "/__sim";

/// A test that waits for more steps than this has made a mistake.
const STEPS: u64 = 100_000;

/// Whether a path belongs to the control API.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a control request.
pub(crate) fn answer(cloud: &Cloud, method: &str, path: &str, body: &[u8]) -> Reply {
    routed(cloud, method, path, body).unwrap_or_else(|refused| refused)
}

fn routed(cloud: &Cloud, method: &str, path: &str, body: &[u8]) -> Result<Reply, Reply> {
    if path == TRAP {
        cloud.state().log.trap_hits += 1;
        return Ok(ok(&json!({})));
    }
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    match (method, &segments[..]) {
        ("POST", ["step"]) => step(cloud, read(body)?),
        ("GET", ["world"]) => {
            let state = cloud.state();
            Ok(ok(&truth::world(&state.world, cloud.now())))
        }
        ("PUT", ["clusters", id]) => {
            truth::put_cluster(&mut cloud.state().world, id, read(body)?, cloud.now())
        }
        ("DELETE", ["clusters", id]) => truth::delete_cluster(&mut cloud.state().world, id),
        ("POST", ["clusters", id, "connections", endpoint_id]) => {
            let (patch, now) = (read(body)?, cloud.now());
            truth::post_connection(&mut cloud.state().world, id, endpoint_id, patch, now)
        }
        ("GET", ["faults"]) => Ok(ok(&faults(cloud))),
        ("PUT", ["faults"]) => put_faults(cloud, read(body)?),
        ("GET", ["services"]) => Ok(ok(&services::services(&cloud.state().world))),
        ("PUT", ["services", id]) => {
            let (patch, now) = (read(body)?, cloud.now());
            services::put_service(&mut cloud.state().world, id, &patch, now)
        }
        ("GET", ["modes"]) => Ok(ok(&services::modes(&cloud.state()))),
        ("PUT", ["modes"]) => services::put_modes(&mut cloud.state(), read(body)?),
        ("GET", ["puts"]) => Ok(ok(&services::puts(&cloud.state()))),
        ("DELETE", ["puts"]) => {
            cloud.state().puts = Ledger::default();
            Ok(ok(&json!({})))
        }
        ("GET", ["requests"]) => Ok(ok(&requests(cloud))),
        ("DELETE", ["requests"]) => {
            let mut state = cloud.state();
            state.log.reset();
            state.gate.bad_signatures = 0;
            Ok(ok(&json!({})))
        }
        ("GET", ["credentials"]) => Ok(ok(&credentials(cloud))),
        ("PUT", ["credentials"]) => {
            put_credentials(cloud, read(body)?);
            Ok(ok(&credentials(cloud)))
        }
        ("PUT", ["clock"]) => {
            let Skew { skew_seconds } = read(body)?;
            cloud.clock.set_skew(skew_seconds);
            Ok(ok(&json!({"now": cloud.now().to_string()})))
        }
        _ => Err(control(404, format!("no control route for {method} {path}"))),
    }
}

fn ok(body: &Value) -> Reply {
    Reply::json(200, body)
}

/// Reads a JSON body; an empty one stands for an empty object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| control(400, error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Steps {
    #[serde(default = "one")]
    steps: u64,
}

fn one() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skew {
    skew_seconds: i64,
}

fn step(cloud: &Cloud, Steps { steps }: Steps) -> Result<Reply, Reply> {
    if steps > STEPS {
        return Err(control(400, format!("steps is {steps}, but at most {STEPS}")));
    }
    let mut state = cloud.state();
    for _ in 0..steps {
        state.world.step(cloud.now());
    }
    Ok(ok(&json!({"step": state.world.step})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    faults: Vec<FaultEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultEntry {
    name: String,
    clusters: Option<Vec<String>>,
    percent: Option<u8>,
    times: Option<u64>,
    #[serde(default)]
    after: u64,
    operation: Option<String>,
}

fn put_faults(cloud: &Cloud, Faults { faults }: Faults) -> Result<Reply, Reply> {
    let list: Vec<Active> = faults.into_iter().map(active).collect::<Result<_, Reply>>()?;
    let mut replacement = ActiveFaults::new(&[], cloud.fault_chance());
    replacement.list = list;
    cloud.state().faults = replacement;
    Ok(ok(&faults_active(cloud)))
}

fn active(entry: FaultEntry) -> Result<Active, Reply> {
    let mut fault: Fault = entry.name.parse().map_err(|error| control(400, format!("{error}")))?;
    if let Some(percent) = entry.percent {
        if !(1..=100).contains(&percent) {
            return Err(control(400, format!("percent is {percent}, but from 1 to 100")));
        }
        fault.percent = percent;
    }
    let mut active = Active::new(&fault);
    if let Some(name) = entry.operation {
        let operation = Operation::named(&name)
            .ok_or_else(|| control(400, format!("no operation is called {name:?}")))?;
        let anywhere = matches!(fault.kind.group(), Group::Http | Group::Wire);
        if operation != Operation::CssConnections && !anywhere {
            return Err(control(400, format!("{fault} is about css_connections only")));
        }
        active.operation = operation;
    }
    active.clusters = entry.clusters;
    active.times = entry.times;
    active.after = entry.after;
    Ok(active)
}

fn faults(cloud: &Cloud) -> Value {
    let known = Fault::NAMES
        .iter()
        .map(|(name, meaning)| json!({"name": name, "description": meaning}))
        .collect::<Vec<_>>();
    let mut body = faults_active(cloud);
    body["known"] = json!(known);
    body
}

fn faults_active(cloud: &Cloud) -> Value {
    let state = cloud.state();
    let active = state.faults.list.iter().map(|one| {
        json!({
            "name": one.kind.name(),
            "operation": one.operation.name(),
            "clusters": one.clusters,
            "percent": one.percent,
            "times": one.times,
            "after": one.after,
            "hits": one.hits,
        })
    });
    json!({"active": active.collect::<Vec<_>>()})
}

fn requests(cloud: &Cloud) -> Value {
    let state = cloud.state();
    let log = &state.log;
    json!({
        "total": log.total,
        "by_operation": log.by_operation,
        "max_offset": log.max_offset,
        "max_limit": log.max_limit,
        "bad_signatures": state.gate.bad_signatures,
        "trap_hits": log.trap_hits,
        "last": log.last,
    })
}

/// Rotates and expires. What is not named stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    access_key: Option<String>,
    secret_key: Option<String>,
    /// An empty one makes the keys permanent again.
    security_token: Option<String>,
    password: Option<String>,
    /// How long tokens live that are given from now on.
    token_seconds: Option<i64>,
    /// Ends all tokens now.
    #[serde(default)]
    end_tokens: bool,
    /// Ends all tokens, once, after so many more requests with one.
    tokens_end_after: Option<u64>,
    /// The actions that the user's policies allow; null allows everything.
    #[serde(default, deserialize_with = "present")]
    actions: Option<Option<HashSet<String>>>,
}

fn put_credentials(cloud: &Cloud, rotation: Rotation) {
    let mut state = cloud.state();
    if rotation.end_tokens {
        state.gate.end_tokens();
    }
    let valid = &mut state.gate.credentials;
    let keep = |place: &mut String, new: Option<String>| {
        if let Some(new) = new {
            *place = new;
        }
    };
    keep(&mut valid.access_key, rotation.access_key);
    keep(&mut valid.secret_key, rotation.secret_key);
    keep(&mut valid.password, rotation.password);
    if let Some(token) = rotation.security_token {
        valid.security_token = Some(token).filter(|token| !token.is_empty());
    }
    if let Some(seconds) = rotation.token_seconds {
        valid.token_seconds = seconds;
    }
    if let Some(actions) = rotation.actions {
        valid.actions = actions;
    }
    if rotation.tokens_end_after.is_some() {
        valid.tokens_end_after = rotation.tokens_end_after;
    }
}

fn credentials(cloud: &Cloud) -> Value {
    let state = cloud.state();
    let valid = &state.gate.credentials;
    json!({
        "access_key": valid.access_key,
        "secret_key": valid.secret_key,
        "security_token": valid.security_token,
        "project_id": PROJECT_ID,
        "region": REGION,
        "user": USER_NAME,
        "password": valid.password,
        "domain": DOMAIN_NAME,
        "token_seconds": valid.token_seconds,
        "actions": valid.actions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_a_whole_segment() {
        assert!(owns("/__sim") && owns("/__sim/step"));
        assert!(!owns("/__simulator") && !owns("/v3/__sim"));
    }

    #[test]
    fn faults_are_read_strictly() {
        let entry = |text: &str| read::<FaultEntry>(text.as_bytes()).and_then(active).is_ok();
        for good in [
            r#"{"name":"hang"}"#,
            r#"{"name":"slow:5"}"#,
            r#"{"name":"slow","percent":1,"times":0,"after":3,"clusters":[]}"#,
            r#"{"name":"slow","operation":"iam_token"}"#,
        ] {
            assert!(entry(good), "{good}");
        }
        for bad in [
            r#"{}"#,
            r#"{"name":"no"}"#,
            r#"{"name":"hang","percent":0}"#,
            r#"{"name":"hang","percent":101}"#,
            r#"{"name":"hang","times":-1}"#,
            r#"{"name":"hang","time":1}"#,
            r#"{"name":"hang","operation":"unknown"}"#,
            r#"{"name":"total-wrong","operation":"css_clusters"}"#,
        ] {
            assert!(!entry(bad), "{bad}");
        }
    }
}
