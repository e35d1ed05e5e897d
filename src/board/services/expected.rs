//! What changes of ours asked for and no reading has shown yet: when it shows, it is our doing.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::ServiceFields;

/// The cloud shows what it did within seconds, and a gateway gives a request up within minutes: what
/// shows later than this is somebody else's doing.
const EXPLAINED_FOR: Duration = Duration::from_secs(3600);
/// Changes of one service of which something may be awaited; beyond that the oldest is forgotten. One
/// that shows nothing takes a quarter of a minute, so that these are minutes of trying in vain.
const MOST: usize = 16;

/// What was asked for and not seen, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected(Vec<(Instant, ServiceFields)>);

impl Expected {
    /// A change may have done this.
    pub(super) fn ask(&mut self, asked: &ServiceFields) {
        self.0.push((Instant::now(), asked.clone()));
        if self.0.len() > MOST {
            self.0.remove(0);
        }
    }

    /// A reading shows this; what is seen is awaited no longer.
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

    /// Whether every field that two readings tell differently is what was asked for.
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
