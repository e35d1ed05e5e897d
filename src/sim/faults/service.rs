//! Services that are still shown as they were before a change.

use std::collections::HashMap;

use crate::sim::world::service::Service;

/// The number of GETs for which `delayed` shows an old state, unless it names another.
const GETS: u64 = 2;

/// An old state of a service. It is shown until a time if there is one, otherwise for a number of GETs.
#[derive(Debug)]
struct Old {
    service: Service,
    gets: u64,
    until_ms: Option<u64>,
}

/// The old states that are still shown, by the ids of their services.
#[derive(Debug, Default)]
pub(crate) struct Shown(HashMap<String, Old>);

impl Shown {
    /// Goes on showing a service as it was, for this many GETs or until this time. The older of two old
    /// states wins.
    pub(crate) fn keep(&mut self, service: Service, gets: Option<u64>, until_ms: Option<u64>) {
        let id = service.id.clone();
        let service = self.0.remove(&id).map_or(service, |old| old.service);
        self.0.insert(id, Old { service, gets: gets.unwrap_or(GETS), until_ms });
    }

    /// The service as it is shown now; counts a `get` of it.
    pub(crate) fn of<'a>(
        &'a mut self,
        service: &'a Service,
        get: bool,
        now_ms: u64,
    ) -> &'a Service {
        self.0.retain(|_, old| old.until_ms.map_or(old.gets > 0, |until| now_ms < until));
        match self.0.get_mut(&service.id) {
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
