//! Services that are still shown as they were before a change.

use std::collections::HashMap;

use crate::sim::world::service::Service;

/// The GETs for which `delayed` shows an old state, unless it says otherwise.
const GETS: u64 = 2;

/// The state of a service that is still shown, and for how long.
#[derive(Debug)]
struct Old {
    service: Service,
    gets: u64,
    until_ms: Option<u64>,
}

/// Each service as it is shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    old: HashMap<String, Old>,
}

impl Shown {
    /// From now on shows a service as it was, for this many GETs or until this time. The older of two
    /// old states wins.
    pub(crate) fn keep(&mut self, service: Service, gets: Option<u64>, until_ms: Option<u64>) {
        let id = service.id.clone();
        let service = self.old.remove(&id).map_or(service, |old| old.service);
        self.old.insert(id, Old { service, gets: gets.unwrap_or(GETS), until_ms });
    }

    /// The service as it is shown now; a `get` of it counts.
    pub(crate) fn of<'a>(
        &'a mut self,
        service: &'a Service,
        get: bool,
        now_ms: u64,
    ) -> &'a Service {
        let over = self.old.get(&service.id).is_some_and(|old| match old.until_ms {
            Some(until) => now_ms >= until,
            None => old.gets == 0,
        });
        if over {
            self.old.remove(&service.id);
        }
        match self.old.get_mut(&service.id) {
            None => service,
            Some(old) => {
                old.gets = old.gets.saturating_sub(u64::from(get));
                &old.service
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::first;

    fn service() -> Service {
        let start = "2024-06-11T09:36:24Z".parse().expect("a time");
        first::world(1, 1, 0, start).clusters.remove(0).service
    }

    #[test]
    fn an_old_state_is_shown_for_a_while() {
        let (old, mut new) = (service(), service());
        new.description = "new".to_owned();
        let mut shown = Shown::default();
        shown.keep(old.clone(), None, None);
        for (get, is_old) in [(true, true), (false, true), (true, true), (true, false)] {
            assert_eq!(*shown.of(&new, get, 0) == old, is_old);
        }
        shown.keep(old.clone(), None, Some(150));
        for (now, is_old) in [(100, true), (149, true), (149, true), (150, false)] {
            assert_eq!(*shown.of(&new, true, now) == old, is_old);
        }
    }
}
