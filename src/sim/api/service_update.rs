//! Modifying a VPC Endpoint Service (VPCEP API Reference): rules, faults, effect, answer.

use super::{request::Request, service_body::Wanted, service_rules, services};
use crate::sim::{
    clock::whole_seconds,
    cloud::State,
    errors::vpcep,
    faults::{active::Hits, fault::Fault, kind::Kind},
    patch::{Patch, patched},
    put_log::Effect,
    reply::{Fate, Reply},
    world::service::Service,
};

const LOST: [Kind; 3] =
    [Kind::NotAppliedThen500, Kind::NotAppliedThenHang, Kind::NotAppliedThenReset];

/// Changes a service, as far as rules and faults let it.
pub(super) fn update(
    state: &mut State,
    request: &Request<'_>,
    effect: &mut Effect,
) -> Result<Reply, Reply> {
    let wanted = Wanted::read(request.body)?;
    let service = state.world.service(request.service()).ok_or_else(|| vpcep("0005"))?;
    service_rules::judge(&wanted, service, &state.world).map_err(vpcep)?;
    let hits = state.faults.draw_for_change(&request.route);
    effect.faults.extend(hits.names());
    carry_out(state, request, wanted, &hits, effect)
}

fn carry_out(
    state: &mut State,
    request: &Request<'_>,
    mut wanted: Wanted,
    hits: &Hits,
    effect: &mut Effect,
) -> Result<Reply, Reply> {
    let id = request.service();
    if hits.has(Kind::ForbiddenState) {
        return Err(vpcep("3045"));
    }
    if let Some(second) = hits.find(Kind::SecondWriter) {
        meddle(state, request, second);
    }
    let before = state.world.service(id).cloned().ok_or_else(|| vpcep("0005"))?;
    if is_lost(hits) {
        return Ok(answer(&before, hits));
    }
    if hits.has(Kind::ApprovalReset) {
        // As the document's "Default: true" may be understood, and one client's users met it.
        wanted.approval_enabled.get_or_insert(true);
    }
    let mut after = before.clone();
    effect.applied = true;
    let changed = wanted.apply(&mut after, hits.has(Kind::Partial));
    effect.changed = changed.into_iter().map(str::to_owned).collect();
    after.updated_at = whole_seconds(request.now);
    state.world.replace_service(id, after.clone());
    if let Some(Fault { gets, ms, .. }) = hits.find(Kind::Delayed) {
        let until_ms = ms.map(|ms| request.now_ms.saturating_add(ms));
        state.faults.shown.keep(before.clone(), *gets, until_ms);
    }
    if let Some(second) = hits.find(Kind::SecondWriterAfter) {
        meddle(state, request, second);
    }
    // The document's example answers with the values from before the change.
    Ok(answer(if hits.has(Kind::EchoNew) { &after } else { &before }, hits))
}

fn answer(service: &Service, hits: &Hits) -> Reply {
    failed_as_told(services::changed(service), hits)
}

/// The change does nothing, whatever its answer.
pub(super) fn is_lost(hits: &Hits) -> bool {
    hits.any(&LOST)
}

/// The answer to a change, or what becomes of it by its faults.
pub(super) fn failed_as_told(mut reply: Reply, hits: &Hits) -> Reply {
    if hits.any(&[Kind::AppliedThen500, Kind::NotAppliedThen500]) {
        reply = vpcep("0001");
    }
    if hits.any(&[Kind::AppliedThenHang, Kind::NotAppliedThenHang]) {
        reply.fate = Fate::Hangs;
    } else if hits.any(&[Kind::AppliedThenReset, Kind::NotAppliedThenReset]) {
        reply.fate = Fate::Resets;
    }
    reply
}

/// Someone else's change: the one that the fault names, otherwise another description.
fn meddle(state: &mut State, request: &Request<'_>, second: &Fault) {
    let id = request.service();
    let usual = || Patch::from_iter([("description".to_owned(), "changed by someone else".into())]);
    let mut change = second.change.clone().unwrap_or_else(usual);
    let now = || whole_seconds(request.now).to_string().into();
    change.entry("updated_at").or_insert_with(now);
    // A change that does not fit was refused when the fault was set.
    let new = state.world.service(id).and_then(|service| patched(service, change).ok());
    if let Some(new) = new {
        state.world.replace_service(id, new);
    }
}
