//! Modifying a VPC Endpoint Service (VPCEP API Reference).
//!
//! Owns the order of a change (refusals, rules, modes, effect, answer) and what each mode does to it.

use jiff::Timestamp;

use super::service_body::Wanted;
use super::{Done, service_rules, services};
use crate::sim::calls::Operation;
use crate::sim::clock::whole_seconds;
use crate::sim::cloud::State;
use crate::sim::errors::vpcep;
use crate::sim::faults::transport::Fate;
use crate::sim::modes::{Hits, Mode};
use crate::sim::puts::Trace;
use crate::sim::service::{Service, ServicePatch};

/// Changes a service, as far as rules and modes let it.
pub(super) fn update(
    state: &mut State,
    id: &str,
    body: &[u8],
    now: Timestamp,
    now_ms: u64,
) -> Done {
    if let Some((mode, code)) = state.modes.refusal(Operation::VpcepUpdate, Some(id)) {
        let trace = Trace { modes: vec![mode.name()], ..Trace::default() };
        return Done { trace, ..Done::from(vpcep(code)) };
    }
    let wanted = match Wanted::read(body) {
        Ok(wanted) => wanted,
        Err(refused) => return refused.into(),
    };
    let Some(service) = state.world.service(id) else { return vpcep("0005").into() };
    if let Err(code) = service_rules::judge(&wanted, service, &state.world) {
        return vpcep(code).into();
    }
    let hits = state.modes.draw(id);
    let mut done = carry_out(state, id, wanted, &hits, now, now_ms);
    done.trace.modes = hits.names();
    done
}

fn carry_out(
    state: &mut State,
    id: &str,
    mut wanted: Wanted,
    hits: &Hits,
    now: Timestamp,
    now_ms: u64,
) -> Done {
    if hits.has(Mode::ForbiddenState) {
        return vpcep("3045").into();
    }
    if hits.has(Mode::SecondWriter) {
        meddle(state, id, hits, Mode::SecondWriter, now);
    }
    let Some(before) = state.world.service(id).cloned() else { return vpcep("0005").into() };
    if let Some(done) = not_applied(hits, &before) {
        return done;
    }
    if hits.has(Mode::ApprovalReset) {
        // As the document's "Default: true" may be understood, and one client's users met it.
        wanted.approval_enabled.get_or_insert(true);
    }
    let mut after = before.clone();
    let changed = wanted.apply(&mut after, hits.has(Mode::Partial));
    after.updated_at = whole_seconds(now);
    state.world.replace_service(after.clone());
    if let Some(delay) = hits.find(Mode::Delayed) {
        state.modes.show_old(before.clone(), delay, now_ms);
    }
    if hits.has(Mode::SecondWriterAfter) {
        meddle(state, id, hits, Mode::SecondWriterAfter, now);
    }
    // The document's example answers with the values from before the change.
    let echo = if hits.has(Mode::EchoNew) { &after } else { &before };
    let reply =
        if hits.has(Mode::AppliedThen500) { vpcep("0001") } else { services::changed(echo) };
    let fate = if hits.has(Mode::AppliedThenHang) {
        Fate::Hangs
    } else if hits.has(Mode::AppliedThenReset) {
        Fate::Resets
    } else {
        Fate::Sent
    };
    Done { reply, fate, trace: Trace { applied: true, changed, modes: Vec::new() } }
}

fn not_applied(hits: &Hits, before: &Service) -> Option<Done> {
    let (reply, fate) = if hits.has(Mode::NotAppliedThen500) {
        (vpcep("0001"), Fate::Sent)
    } else if hits.has(Mode::NotAppliedThenHang) {
        (services::changed(before), Fate::Hangs)
    } else if hits.has(Mode::NotAppliedThenReset) {
        (services::changed(before), Fate::Resets)
    } else {
        return None;
    };
    Some(Done { reply, fate, trace: Trace::default() })
}

/// Somebody else's change: what the mode says, otherwise another description.
fn meddle(state: &mut State, id: &str, hits: &Hits, mode: Mode, now: Timestamp) {
    let Some(mut service) = state.world.service(id).cloned() else { return };
    let change =
        hits.find(mode).and_then(|one| one.change.clone()).unwrap_or_else(ServicePatch::usual);
    // A time that cannot be read was refused when the mode was set.
    if change.apply(&mut service, now).is_ok() {
        state.world.replace_service(service);
    }
}
