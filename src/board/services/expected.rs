//! Effects that our changes asked for and that no reading has shown yet. When they show, they are ours.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::ServiceFields;

/// The cloud shows an effect within seconds, and a gateway gives up a request within minutes. An effect
/// that shows later than this is someone else's.
const EXPLAINED_FOR: Duration = Duration::from_secs(3600);
/// At most this many changes of one service are awaited; beyond that the oldest is forgotten. A change
/// without effect takes a quarter of a minute, so this covers minutes of failed attempts.
const MOST: usize = 16;

/// Effects that were asked for and not seen yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected(Vec<(Instant, ServiceFields)>);

impl Expected {
    /// Adds an effect that a change may have had.
    pub(super) fn ask(&mut self, asked: &ServiceFields) {
        self.0.push((Instant::now(), asked.clone()));
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// Takes a reading: effects that it shows are no longer awaited.
    pub(super) fn see(&mut self, seen: &ServiceFields) {
        fn forget<T: PartialEq>(asked: &mut Option<T>, seen: &Option<T>) {
            asked.take_if(|asked| Some(&*asked) == seen.as_ref());
        }
        let now = Instant::now();
        self.0.retain_mut(|(at, asked)| {
            forget(&mut asked.approval_enabled, &seen.approval_enabled);
            forget(&mut asked.service_name, &seen.service_name);
            forget(&mut asked.ports, &seen.ports);
            forget(&mut asked.port_id, &seen.port_id);
            forget(&mut asked.tcp_proxy, &seen.tcp_proxy);
            forget(&mut asked.description, &seen.description);
            forget(&mut asked.ip, &seen.ip);
            is_awaited(*at, now) && *asked != ServiceFields::default()
        });
    }

    /// Whether every field that differs between two readings was asked for.
    pub(super) fn explains(&self, before: &ServiceFields, after: &ServiceFields) -> bool {
        let now = Instant::now();
        let awaited = self.0.iter().filter(|(at, _)| is_awaited(*at, now));
        let awaited: Vec<_> = awaited.map(|(_, asked)| asked).collect();
        macro_rules! is_explained {
            ($($field:ident),*) => {
                $({
                    let (from, to) = (&before.$field, &after.$field);
                    let moved = from.is_some() && to.is_some() && from != to;
                    !moved || awaited.iter().any(|asked| asked.$field == *to)
                })&&*
            };
        }
        is_explained!(approval_enabled, service_name, ports, port_id, tcp_proxy, description, ip)
    }
}

fn is_awaited(at: Instant, now: Instant) -> bool {
    now - at < EXPLAINED_FOR
}
