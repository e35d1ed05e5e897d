//! Compares states: the effect of a change, the entity tag of a state, and the outcome of a change.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Outcome, json::Difference};
use crate::{
    model::{EndpointService, Field, FieldValue, PortMapping, ServiceFields, ServiceStatus},
    text,
};

/// Half of a SHA-256: enough to distinguish states, short enough to be typed.
const ETAG_DIGITS: usize = 32;
/// Ports by which machines are administered: SSH and Remote Desktop.
const ADMIN_PORTS: [u16; 2] = [22, 3389];

/// The effect that a change would have.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The requested fields that differ; empty if everything already matches.
    pub diff: Vec<Difference>,
    /// Risks of the change, for the caller.
    pub warnings: Vec<String>,
}

/// Compares the present state with the requested one.
pub fn plan(current: &EndpointService, update: &ServiceFields) -> Plan {
    let (is, wanted) = (current.state(), update.canonical());
    let differs = update.present().filter(|field| is.get(*field) != wanted.get(*field));
    let diff: Vec<_> = differs.map(|field| difference(field, [&is, &wanted], update)).collect();
    let mut warnings = Vec::new();
    for change in &diff {
        match change.field {
            Field::ApprovalEnabled if change.to == Some(FieldValue::Flag(false)) => warnings.push(
                "approval_enabled becomes false: endpoints connect without approval".to_owned(),
            ),
            Field::Ports => warn_of_ports(&is, &wanted, &mut warnings),
            _ => {}
        }
    }
    if !diff.is_empty() && current.status != ServiceStatus::Available {
        let status = current.status.as_str();
        warnings.push(format!(
            "the service is {status}; the cloud changes a service only while it is available"
        ));
    }
    Plan { diff, warnings }
}

fn warn_of_ports(is: &ServiceFields, wanted: &ServiceFields, warnings: &mut Vec<String>) {
    let (before, after) = (ports(is), ports(wanted));
    let gone = before.iter().filter(|mapping| !after.contains(mapping));
    let gone: Vec<_> = gone.map(ToString::to_string).collect();
    if !gone.is_empty() {
        let gone = gone.join(", ");
        warnings.push(format!("ports replaces the whole list; these mappings are removed: {gone}"));
    }
    for mapping in after.iter().filter(|mapping| !before.contains(mapping)) {
        if ADMIN_PORTS.contains(&mapping.client_port) || ADMIN_PORTS.contains(&mapping.server_port)
        {
            warnings.push(format!("{mapping} exposes a port of remote administration"));
        }
    }
    for (at, mapping) in after.iter().enumerate() {
        let same = |other: &&PortMapping| {
            (other.server_port, &other.protocol) == (mapping.server_port, &mapping.protocol)
        };
        if let Some(other) = after[..at].iter().find(same) {
            warnings.push(format!(
                "{other} and {mapping} lead to the same port of the backend, which the cloud may refuse"
            ));
        }
    }
}

fn ports(fields: &ServiceFields) -> &[PortMapping] {
    fields.ports.as_deref().unwrap_or_default()
}

/// The entity tag of a state: a digest of the fields that can be changed. HTTP puts it in quotes.
pub fn etag(service: &EndpointService) -> String {
    let state = service.state();
    let mut digest = Sha256::new();
    for field in Field::ALL {
        // Values are JSON, so no text can look like two fields; a mapping is an array, because the
        // order of members of an object is not ours to say.
        let mapping =
            |port: &PortMapping| json!([port.client_port, port.server_port, port.protocol]);
        let value = match field {
            Field::Ports => ports(&state).iter().map(mapping).collect::<Value>(),
            _ => json!(state.get(field)),
        };
        digest.update(format!("{field} {value}\n"));
    }
    let mut tag = text::to_hex(&digest.finalize());
    tag.truncate(ETAG_DIGITS);
    tag
}

/// The judgment of a reading after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Applied, not applied, partial or unknown.
    pub(super) outcome: Outcome,
    pub(super) warnings: Vec<String>,
}

/// A requested field, as it is found afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It has the requested value, and had another before.
    Wanted,
    /// It has the requested value, and had it before.
    Kept,
    /// It still has the old value, which is not the requested one.
    Before,
    /// The cloud reported its value neither before nor after.
    Unreported,
    /// It has neither the requested value nor the old one.
    Other,
}

/// Judges a change by the states before and after it.
pub(super) fn judge(
    before: &ServiceFields,
    update: &ServiceFields,
    after: &EndpointService,
) -> Verdict {
    let (was, wanted, is) = (before.canonical(), update.canonical(), after.state());
    let look = |field: Field| {
        let [was, wanted, is] = [&was, &wanted, &is].map(|fields| fields.get(field));
        let found = if is == wanted {
            if was == wanted { Found::Kept } else { Found::Wanted }
        } else if is.is_none() && was.is_none() && field.is_never_empty() {
            Found::Unreported
        } else if is == was {
            Found::Before
        } else {
            Found::Other
        };
        (field, found)
    };
    let found: Vec<_> = update.present().map(look).collect();
    let outcome = outcome(found.iter().map(|(_, found)| *found));
    let mut warnings = Vec::new();
    if matches!(outcome, Outcome::Partial | Outcome::Unknown) {
        warnings.extend(found.iter().filter_map(|(field, found)| match found {
            Found::Wanted | Found::Kept => None,
            Found::Before => Some(format!("{field} is as before")),
            Found::Unreported => Some(format!("the cloud does not report {field}")),
            Found::Other => Some(format!("{field} has neither the old nor the requested value")),
        }));
    }
    if found.iter().any(|(_, found)| *found == Found::Other) {
        warnings.push("conflict suspected: someone else may have changed the service".to_owned());
    }
    warnings.extend(side_effects(&was, update, after));
    Verdict { outcome, warnings }
}

fn outcome(found: impl Iterator<Item = Found> + Clone) -> Outcome {
    let has = |wanted| found.clone().any(|found| found == wanted);
    match (has(Found::Wanted), has(Found::Before), has(Found::Other)) {
        (_, false, false) if !has(Found::Unreported) => Outcome::Applied,
        (true, before, other) if before || other => Outcome::Partial,
        (false, true, false) => Outcome::NotApplied,
        _ => Outcome::Unknown,
    }
}

/// The fields that changed although the request does not contain it.
fn side_effects(
    was: &ServiceFields,
    update: &ServiceFields,
    after: &EndpointService,
) -> Vec<String> {
    let moved = differences(was, after).into_iter();
    let moved = moved.filter(|change| update.get(change.field).is_none());
    let warning = |Difference { field, from, to }: Difference| match field {
        Field::ApprovalEnabled | Field::TcpProxy => {
            let (from, to) = (json!(from), json!(to));
            format!(
                "{field} was changed from {from} to {to} although the request does not contain it"
            )
        }
        _ => format!("{field} was changed although the request does not contain it"),
    };
    moved.map(warning).collect()
}

/// The fields that differ afterwards; a field that was not reported before or after is left out.
pub(super) fn differences(was: &ServiceFields, after: &EndpointService) -> Vec<Difference> {
    let (was, is) = (was.canonical(), after.state());
    was.moved(&is).map(|field| difference(field, [&was, &is], &after.fields)).collect()
}

/// A field that differs between two states in canonical form. An empty text or list is shown as `raw`
/// has it: as requested, or as the cloud has it.
fn difference(field: Field, [from, to]: [&ServiceFields; 2], raw: &ServiceFields) -> Difference {
    let to = to.get(field).or_else(|| raw.get(field));
    Difference { field, from: from.get(field), to }
}
