//! An audit log in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    audit::{AuditError, Content, Kind},
    change::{Outcome, Recorder},
    label::Label as _,
};

/// A record that an audit log was told of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) content: Content,
    pub(super) outcome: Option<Outcome>,
}

impl Entry {
    fn of(content: Content) -> Self {
        let outcome = content.outcome.as_deref();
        let outcome = outcome.map(|word| Outcome::from_str(word).expect("a word that is known"));
        Self { content, outcome }
    }

    pub(super) fn change_id(&self) -> &str {
        self.content.change_id.as_ref().expect("an id").as_str()
    }

    /// The change that this intent speaks of: fields of a service, or the decision and whom it is about.
    pub(super) fn sends(&self) -> Option<Value> {
        let request = self.content.request.as_ref()?;
        if self.content.service_id.is_some() {
            return Some(request["update"].clone());
        }
        let due = self.content.diff.as_ref()?.as_array()?;
        let ids: Vec<_> = due.iter().map(|one| one["endpoint_id"].clone()).collect();
        Some(json!({ "action": request["action"], "ids": ids }))
    }
}

/// An audit log in memory.
#[derive(Clone, Default)]
pub(super) struct Log {
    pub(super) entries: Arc<Mutex<Vec<(Instant, Entry)>>>,
    /// The kinds of records that it refuses.
    pub(super) refuses: Arc<Mutex<Vec<Kind>>>,
}

impl Recorder for Log {
    async fn intent(&self, intent: Content) -> Result<(), AuditError> {
        self.append(Entry::of(intent)).await
    }

    async fn outcome(&self, outcome: Content) -> Result<(), AuditError> {
        self.append(Entry::of(outcome)).await
    }
}

impl Log {
    async fn append(&self, entry: Entry) -> Result<(), AuditError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.refuses.lock().unwrap().contains(&entry.content.kind) {
            return Err(AuditError::Unavailable("the disk is full".to_owned()));
        }
        self.entries.lock().unwrap().push((Instant::now(), entry));
        Ok(())
    }

    pub(super) fn of(&self, kind: Kind) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        entries
            .iter()
            .filter(|(_, entry)| entry.content.kind == kind)
            .map(|(_, e)| e.clone())
            .collect()
    }
}
