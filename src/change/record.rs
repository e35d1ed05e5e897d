//! The seam to the audit log, and what a change tells it.

use std::{future::Future, net::IpAddr, sync::Arc};

use serde_json::Value;

use super::Outcome;
use crate::{clock::Clock, hex, model::ServiceId};

/// Where changes are recorded.
pub trait Record: Send + Sync + 'static {
    /// Writes an entry so that it outlives a crash, or says why it is not certain to. It ends within
    /// seconds, and dropping it does no harm.
    fn append(&self, entry: Entry) -> impl Future<Output = Result<(), String>> + Send;
}

/// What is recorded of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Before or after.
    pub kind: Kind,
    /// What ties both together: a UUID of version 7.
    pub change_id: String,
    /// The name of the token.
    pub actor: Arc<str>,
    /// Where the request came from.
    pub remote: IpAddr,
    /// Configured name of the project.
    pub project: Arc<str>,
    /// Which service.
    pub service: ServiceId,
    /// The service as it was read before.
    pub before: Value,
    /// `{"if_match": …, "update": …}`: the precondition (`"*"`, or a list of tags) and the body.
    pub request: Value,
    /// What differs.
    pub diff: Value,
    /// What the cloud answered; null before.
    pub cloud: Value,
    /// How it ended; `None` before.
    pub outcome: Option<Outcome>,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Written before anything is sent.
    Intent,
    /// Written after.
    Outcome,
}

/// A UUID of version 7 (RFC 9562, section 5.7): they sort by time.
pub(super) fn new_change_id(clock: &Clock) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let milliseconds = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    bytes[6] = 0x70 | (bytes[6] & 0x0F);
    bytes[8] = 0x80 | (bytes[8] & 0x3F);
    let digits = hex::encoded(&bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_uuid;

    #[test]
    fn change_ids_sort_by_time_and_differ_within_a_millisecond() {
        let clock = Clock::manual(jiff::Timestamp::from_millisecond(1_645_557_742_000).unwrap());
        let (one, other) = (new_change_id(&clock).unwrap(), new_change_id(&clock).unwrap());
        for id in [&one, &other] {
            assert!(is_uuid(id), "{id}");
            // The example of RFC 9562, appendix A.6, is of this moment.
            assert!(id.starts_with("017f22e2-79b0-7"), "{id}");
            assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        }
        assert_ne!(one, other);
    }
}
