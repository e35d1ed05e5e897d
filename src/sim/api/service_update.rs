//! Modifying a VPC Endpoint Service (VPCEP API Reference): rules, faults, effect, answer.

use super::{
    request::{Answer, Request},
    service_body::Wanted,
    service_rules, services,
};
use crate::sim::{
    clock::whole_seconds,
    cloud::State,
    errors::vpcep,
    faults::{Fault, Group, Kind, transport},
    patch::{Patch, patched},
};

/// Changes a service, as far as rules and faults let it.
pub(super) fn update(state: &mut State, request: &Request<'_>) -> Answer {
    let mut wanted = Wanted::read(request.received.body)?;
    let service = &services::behind(&state.world, request)?.service;
    service_rules::judge(&wanted, service, &state.world).map_err(vpcep)?;
    let hits = state.struck(&request.route, Group::is_of_changes);
    if hits.has(Kind::ForbiddenState) {
        return Err(vpcep("3045"));
    }
    if let Some(second) = hits.find(Kind::SecondWriter) {
        meddle(state, request, second);
    }
    let before = services::behind(&state.world, request)?.service.clone();
    if transport::is_lost(&hits) {
        return Ok(transport::of_change(services::changed(&before), &hits));
    }
    if hits.has(Kind::ApprovalReset) {
        // The document's "Default: true" can be read so, and users of one client met it.
        wanted.approval_enabled.get_or_insert(true);
    }
    let mut after = before.clone();
    state.effect.applied = true;
    state.effect.changed = wanted.apply(&mut after, hits.has(Kind::Partial));
    after.updated_at = whole_seconds(request.now);
    // The document's example answers with the values from before the change.
    let echo = services::changed(if hits.has(Kind::EchoNew) { &after } else { &before });
    state.world.replace_service(request.service(), after);
    if let Some(Fault { gets, ms, .. }) = hits.find(Kind::Delayed) {
        let until_ms = ms.map(|ms| request.now_ms.saturating_add(ms));
        state.faults.shown.keep(before, *gets, until_ms);
    }
    if let Some(second) = hits.find(Kind::SecondWriterAfter) {
        meddle(state, request, second);
    }
    Ok(transport::of_change(echo, &hits))
}

/// Makes the change of someone else: the one that the fault names, otherwise of the description.
fn meddle(state: &mut State, request: &Request<'_>, second: &Fault) {
    let usual = || Patch::from_iter([("description".to_owned(), "changed by someone else".into())]);
    let mut change = second.change.clone().unwrap_or_else(usual);
    let now = || whole_seconds(request.now).to_string().into();
    change.entry("updated_at").or_insert_with(now);
    // A change that does not fit was refused when the fault was set.
    let old = services::behind(&state.world, request);
    if let Ok(new) = old.and_then(|cluster| patched(&cluster.service, change)) {
        state.world.replace_service(request.service(), new);
    }
}
