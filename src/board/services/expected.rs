//! Effects of our changes that no reading has shown yet. A field that changes to such a
//! value was changed by us.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{EndpointService, Field, ServiceFields};

/// The cloud shows an effect within seconds, and a gateway gives up a request within minutes. An effect
/// that shows later than this is not ours.
const EXPLAINED_FOR: Duration = Duration::from_secs(3600);
/// At most this many changes of one service are awaited; beyond that the oldest is forgotten. A change
/// without effect takes a quarter of a minute, so this covers minutes of failed attempts.
const MOST: usize = 16;

/// Requested effects that were not seen yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected(Vec<Asked>);

/// The requested effect of one change.
#[derive(Clone, Debug)]
struct Asked {
    at: Instant,
    /// The fields that no reading has shown yet.
    awaited: Vec<Field>,
    /// In canonical form.
    wanted: ServiceFields,
}

impl Asked {
    fn explains(&self, field: Field, is: &ServiceFields) -> bool {
        self.awaited.contains(&field) && self.wanted.get(field) == is.get(field)
    }
}

impl Expected {
    /// Adds an effect that a change may have had.
    pub(super) fn ask(&mut self, asked: &ServiceFields) {
        let awaited = asked.present().collect();
        self.0.push(Asked { at: Instant::now(), awaited, wanted: asked.canonical() });
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// Drops the effects that a reading shows.
    pub(super) fn see(&mut self, seen: &EndpointService) {
        let (seen, now) = (seen.state(), Instant::now());
        self.0.retain_mut(|Asked { at, awaited, wanted }| {
            awaited.retain(|field| wanted.get(*field) != seen.get(*field));
            is_awaited(*at, now) && !awaited.is_empty()
        });
    }

    /// True if every field that differs between two readings got a requested value.
    pub(super) fn explains(&self, before: &EndpointService, after: &EndpointService) -> bool {
        let (before, after, now) = (before.state(), after.state(), Instant::now());
        let is_explained = |field| {
            let mut awaited = self.0.iter().filter(|asked| is_awaited(asked.at, now));
            awaited.any(|asked| asked.explains(field, &after))
        };
        before.moved(&after).all(is_explained)
    }
}

fn is_awaited(at: Instant, now: Instant) -> bool {
    now - at < EXPLAINED_FOR
}
