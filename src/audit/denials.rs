//! Requests that were refused: the first of a kind is recorded at once, the others are counted and
//! recorded once a minute. A flood can neither fill the disk nor delay a change.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::record::{Content, Kind};
use crate::model::ServiceId;

/// As many kinds are told apart in a minute, which bounds the log's growth to some 30 KiB a minute.
const MAX_KEYS: usize = 64;
/// The remote of all kinds beyond that.
const OTHERS: &str = "others";
/// How often the count of a kind is recorded.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);
/// A stranger chooses these texts; an address and a token's name are shorter.
const MAX_TEXT_BYTES: usize = 128;

/// A request that was refused.
#[derive(Clone, Debug)]
pub struct Denial<'a> {
    /// Why: one of a closed list.
    pub reason: &'static str,
    /// Where it came from.
    pub remote: &'a str,
    /// The name of the token, where one was known.
    pub actor: Option<&'a str>,
    /// The project, where one was named that is configured.
    pub project: Option<&'a str>,
    /// The endpoint service, likewise.
    pub service_id: Option<&'a ServiceId>,
}

#[derive(Debug)]
struct Counted {
    content: Content,
    /// Not recorded yet.
    count: u64,
    from: Timestamp,
    to: Timestamp,
    /// When it was recorded last.
    recorded: Option<Timestamp>,
}

impl Counted {
    fn is_due(&self, now: Timestamp) -> bool {
        let passed = |since: Timestamp| {
            let passed = now.duration_since(since);
            // A clock that was set back must not hold records up.
            passed >= WINDOW || passed.is_negative()
        };
        self.count > 0 && self.recorded.is_none_or(passed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Denials(HashMap<(&'static str, Box<str>), Counted>);

impl Denials {
    pub(super) fn count(&mut self, denial: &Denial<'_>, now: Timestamp) {
        let mut key = (denial.reason, shortened(denial.remote));
        if !self.0.contains_key(&key) && self.0.len() >= MAX_KEYS {
            key.1 = OTHERS.into();
        }
        let counted = self.0.entry(key).or_insert_with_key(|(reason, remote)| {
            let is_one = &**remote != OTHERS;
            let content = Content {
                actor: denial.actor.filter(|_| is_one).map(shortened),
                remote: Some(remote.clone()),
                project: denial.project.filter(|_| is_one).map(Into::into),
                service_id: denial.service_id.filter(|_| is_one).cloned(),
                outcome: Some((*reason).into()),
                ..Content::empty(Kind::Denied)
            };
            Counted { content, count: 0, from: now, to: now, recorded: None }
        });
        if counted.count == 0 {
            counted.from = now;
        }
        counted.count += 1;
        counted.to = now;
    }

    /// One that is to be recorded now. `all` is for the end, when no later time comes.
    pub(super) fn due(&mut self, now: Timestamp, all: bool) -> Option<Content> {
        self.0.retain(|_, counted| {
            let passed = counted.recorded.map(|at| now.duration_since(at));
            counted.count > 0 || passed.is_some_and(|passed| passed < WINDOW)
        });
        let due = |counted: &&mut Counted| counted.is_due(now) || all && counted.count > 0;
        let counted = self.0.values_mut().find(due)?;
        let mut content = counted.content.clone();
        content.request = Some(json!({
            "count": counted.count,
            "from": format!("{:.3}", counted.from),
            "to": format!("{:.3}", counted.to),
        }));
        counted.count = 0;
        counted.recorded = Some(now);
        Some(content)
    }
}

fn shortened(text: &str) -> Box<str> {
    text[..text.floor_char_boundary(MAX_TEXT_BYTES)].into()
}
