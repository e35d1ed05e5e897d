//! An audit log in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    audit::{AuditError, Intent, Kind, OutcomeEntry, Subject},
    change::{Outcome, Recorder},
};

/// What an audit log was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) subject: Subject,
    pub(super) before: Option<Value>,
    pub(super) request: Option<Value>,
    pub(super) diff: Option<Value>,
    pub(super) cloud: Option<Value>,
    pub(super) outcome: Option<Outcome>,
}

impl Entry {
    pub(super) fn change_id(&self) -> &str {
        self.subject.change_id.as_str()
    }

    pub(super) fn update(&self) -> Option<&Value> {
        self.request.as_ref().map(|request| &request["update"])
    }
}

/// An audit log in memory.
#[derive(Clone, Default)]
pub(super) struct Log {
    pub(super) entries: Arc<Mutex<Vec<(Instant, Entry)>>>,
    /// What it does not take.
    pub(super) refuses: Arc<Mutex<Vec<Kind>>>,
}

impl Recorder for Log {
    async fn intent(&self, intent: Intent) -> Result<(), AuditError> {
        let Intent { subject, before, request, diff } = intent;
        let (before, request, diff) = (Some(before), Some(request), Some(diff));
        let kind = Kind::Intent;
        self.append(Entry { kind, subject, before, request, diff, cloud: None, outcome: None })
            .await
    }

    async fn outcome(&self, entry: OutcomeEntry) -> Result<(), AuditError> {
        let OutcomeEntry { subject, before, request, diff, cloud, outcome } = entry;
        let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == &*outcome);
        assert!(outcome.is_some(), "a word that nobody knows");
        let kind = Kind::Outcome;
        self.append(Entry { kind, subject, before, request, diff, cloud, outcome }).await
    }
}

impl Log {
    async fn append(&self, entry: Entry) -> Result<(), AuditError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.refuses.lock().unwrap().contains(&entry.kind) {
            return Err(AuditError::Unavailable("the disk is full".to_owned()));
        }
        self.entries.lock().unwrap().push((Instant::now(), entry));
        Ok(())
    }

    pub(super) fn of(&self, kind: Kind) -> Vec<Entry> {
        let entries = self.entries.lock().unwrap();
        entries.iter().filter(|(_, entry)| entry.kind == kind).map(|(_, e)| e.clone()).collect()
    }
}
