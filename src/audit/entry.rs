//! The entries that callers have recorded, and the receipt that they get.

use serde_json::Value;

use super::{
    ChangeId,
    record::{Content, Hash, Kind},
};
use crate::model::ServiceId;

/// The outcome of an intent that nothing followed.
pub const NOT_SENT: &str = "not_sent";

/// Whose change it is, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The change.
    pub change_id: ChangeId,
    /// The name of the token.
    pub actor: Box<str>,
    /// Where the request came from.
    pub remote: Box<str>,
    /// The name of the project.
    pub project: Box<str>,
    /// The endpoint service.
    pub service_id: ServiceId,
    /// The configured name of the service; absent if the intent comes from an older version without it.
    pub service_name: Option<Box<str>>,
}

/// What is about to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Whose change it is.
    pub subject: Subject,
    /// The state before.
    pub before: Value,
    /// What is asked for.
    pub request: Value,
    /// What that changes.
    pub diff: Value,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeEntry {
    /// Whose change it is.
    pub subject: Subject,
    /// The state before, where no intent has told it.
    pub before: Option<Value>,
    /// What was asked for, where no intent has told it.
    pub request: Option<Value>,
    /// What did change.
    pub diff: Option<Value>,
    /// What the cloud answered.
    pub cloud: Option<Value>,
    /// The word for it.
    pub outcome: Box<str>,
}

impl Subject {
    pub(super) fn content(self, kind: Kind) -> Content {
        Content {
            change_id: Some(self.change_id),
            actor: Some(self.actor),
            remote: Some(self.remote),
            project: Some(self.project),
            service_id: Some(self.service_id),
            service_name: self.service_name,
            ..Content::empty(kind)
        }
    }
}

/// A record that is on the disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The outcome that is due if nobody acts on an intent.
pub(super) fn not_sent(intent: Content) -> Option<Content> {
    let unsent = Content {
        kind: Kind::Outcome,
        before: None,
        request: None,
        diff: None,
        outcome: Some(NOT_SENT.into()),
        ..intent
    };
    (intent.kind == Kind::Intent).then_some(unsent)
}
