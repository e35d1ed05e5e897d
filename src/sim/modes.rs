//! Named modes: the odd ways in which VPCEP may treat a change, on demand.
//!
//! Owns the list of names with their meaning, which are active and whom they hit, and the old state
//! that is still shown while an effect is delayed. What a mode does to a PUT is in
//! `api::service_update`. Faults, which hit any operation, are another list.

use std::collections::HashMap;

use super::calls::Operation;
use super::service::{Service, ServicePatch};

macro_rules! modes {
    ($($mode:ident $name:literal $meaning:literal)*) => {
        /// One odd way.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Mode {
            $(#[doc = $meaning] $mode,)*
        }

        impl Mode {
            const ALL: &'static [Mode] = &[$(Mode::$mode),*];

            /// Every mode: its name and what it does, in one line.
            pub(crate) const NAMES: &'static [(&'static str, &'static str)] =
                &[$(($name, $meaning)),*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Mode::$mode => $name,)* }
            }
        }
    };
}

modes! {
    EchoOld "echo-old" "the answer to a PUT shows the values from before it, as without any mode"
    EchoNew "echo-new" "the answer to a PUT shows the new values"
    ApprovalReset "approval-reset" "approval_enabled becomes true where a PUT leaves it out"
    Partial "partial" "only the first field that a PUT changes is changed"
    Delayed "delayed" "the old state is shown for `gets` more GETs (2 unless given), or for `ms`"
    AppliedThenHang "applied-then-hang" "the PUT is applied and never answered"
    AppliedThenReset "applied-then-reset" "the PUT is applied and the connection closed"
    AppliedThen500 "applied-then-500" "the PUT is applied and answered with 500 EndPoint.0001"
    NotAppliedThenHang "not-applied-then-hang" "the PUT is not applied and never answered"
    NotAppliedThenReset "not-applied-then-reset" "the PUT is not applied and the connection closed"
    NotAppliedThen500 "not-applied-then-500" "the PUT is not applied: 500 EndPoint.0001"
    SecondWriter "second-writer" "right before the PUT somebody else makes another `change`"
    SecondWriterAfter "second-writer-after" "right after the PUT somebody else makes another `change`"
    ForbiddenState "forbidden-state" "the state of the service forbids changes: 400 EndPoint.3045"
    Throttled400 "throttled-400" "400 EndPoint.0022"
    Unauthorized "unauthorized" "401 EndPoint.0003, from the service and not from the gateway"
    NotAllowed "not-allowed" "403 EndPoint.0004"
    NotYours "not-yours" "another project's service: 404 EndPoint.0005, also for GET; not listed"
    NotThere "not-there" "a service that does not exist, in other words: 400 EndPoint.2003"
}

impl Mode {
    /// The mode with this name.
    pub(crate) fn named(name: &str) -> Option<Mode> {
        Mode::ALL.iter().copied().find(|mode| mode.name() == name)
    }

    /// The error code of a mode that refuses a request before it is read.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match self {
            Mode::Throttled400 => Some("0022"),
            Mode::Unauthorized => Some("0003"),
            Mode::NotAllowed => Some("0004"),
            Mode::NotYours => Some("0005"),
            Mode::NotThere => Some("2003"),
            _ => None,
        }
    }
}

/// One active mode.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) mode: Mode,
    /// Only these services; all where absent.
    pub(crate) services: Option<Vec<String>>,
    /// Of a refusal: only this operation.
    pub(crate) operation: Option<Operation>,
    /// Hits left; without end where absent.
    pub(crate) times: Option<u64>,
    /// Matching requests to leave alone first.
    pub(crate) after: u64,
    pub(crate) gets: u64,
    pub(crate) ms: Option<u64>,
    /// What a second writer does; another description where absent.
    pub(crate) change: Option<ServicePatch>,
    pub(crate) hits: u64,
}

impl Active {
    pub(crate) fn new(mode: Mode) -> Active {
        Active {
            mode,
            services: None,
            operation: None,
            times: None,
            after: 0,
            gets: 2,
            ms: None,
            change: None,
            hits: 0,
        }
    }

    fn concerns(&self, operation: Operation, service: Option<&str>) -> bool {
        let named = self.services.as_ref().is_none_or(|services| {
            service.is_some_and(|service| services.iter().any(|one| one == service))
        });
        let meant = match self.operation {
            Some(only) => operation == only,
            None if self.mode == Mode::NotYours => service.is_some(),
            None => operation == Operation::VpcepUpdate,
        };
        named && meant && self.times != Some(0)
    }

    fn hits(&mut self) -> bool {
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        self.hits += 1;
        true
    }
}

/// The modes that hit one request, as they were then.
#[derive(Debug, Default)]
pub(crate) struct Hits(Vec<Active>);

impl Hits {
    pub(crate) fn has(&self, mode: Mode) -> bool {
        self.find(mode).is_some()
    }

    pub(crate) fn find(&self, mode: Mode) -> Option<&Active> {
        self.0.iter().find(|one| one.mode == mode)
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|one| one.mode.name()).collect()
    }
}

/// The state of a service that is still shown, and for how long.
#[derive(Debug)]
struct Old {
    service: Service,
    gets: u64,
    until_ms: Option<u64>,
}

/// All active modes.
#[derive(Debug, Default)]
pub(crate) struct Modes {
    pub(crate) list: Vec<Active>,
    old: HashMap<String, Old>,
}

impl Modes {
    pub(crate) fn new(list: Vec<Active>) -> Modes {
        Modes { list, old: HashMap::new() }
    }

    /// The code with which a request is refused before it is read, where one is.
    pub(crate) fn refusal(
        &mut self,
        operation: Operation,
        service: Option<&str>,
    ) -> Option<(Mode, &'static str)> {
        let concerned = self.list.iter_mut().filter(|one| one.concerns(operation, service));
        concerned
            .filter_map(|one| Some((one.mode.refusal()?, one)))
            .find_map(|(code, one)| one.hits().then_some((one.mode, code)))
    }

    /// The modes that hit a PUT which keeps every rule.
    pub(crate) fn draw(&mut self, service: &str) -> Hits {
        let hit = self.list.iter_mut().filter(|one| {
            one.mode.refusal().is_none() && one.concerns(Operation::VpcepUpdate, Some(service))
        });
        Hits(hit.filter_map(|one| one.hits().then(|| one.clone())).collect())
    }

    /// Whether a service is left out of the list.
    pub(crate) fn hides(&self, service: &str) -> bool {
        let mut all = self.list.iter();
        all.any(|one| {
            one.mode == Mode::NotYours && one.concerns(Operation::VpcepService, Some(service))
        })
    }

    /// From now on shows a service as it was; the older of two old states wins.
    pub(crate) fn show_old(&mut self, service: Service, delay: &Active, now_ms: u64) {
        let until_ms = delay.ms.map(|ms| now_ms.saturating_add(ms));
        let id = service.id.clone();
        let service = self.old.remove(&id).map_or(service, |old| old.service);
        self.old.insert(id, Old { service, gets: delay.gets, until_ms });
    }

    /// The service as it is shown now; a `get` of it counts.
    pub(crate) fn shown<'a>(
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
    use crate::sim::world::World;

    fn service() -> Service {
        let start = "2024-06-11T09:36:24Z".parse().expect("a time");
        World::new(1, 1, 0, start).services.remove(0)
    }

    #[test]
    fn names_are_their_modes() {
        assert!(Mode::NAMES.iter().all(|(name, _)| Mode::named(name).is_some()));
        assert_eq!(Mode::named("no"), None);
    }

    #[test]
    fn counts_whom_it_hits() {
        let mut partial = Active::new(Mode::Partial);
        (partial.times, partial.after) = (Some(1), 1);
        partial.services = Some(vec!["a".to_owned()]);
        let mut modes = Modes::new(vec![partial]);
        let mut hit = |id| modes.draw(id).has(Mode::Partial);
        assert_eq!(["b", "a", "a", "a"].map(&mut hit), [false, false, true, false]);
    }

    #[test]
    fn refusals_concern_changes_unless_told_otherwise() {
        let mut modes = Modes::new(vec![Active::new(Mode::Throttled400)]);
        assert!(modes.refusal(Operation::VpcepService, Some("a")).is_none());
        let hit = modes.refusal(Operation::VpcepUpdate, Some("a"));
        assert_eq!(hit, Some((Mode::Throttled400, "0022")));
        modes.list = vec![Active::new(Mode::NotYours)];
        assert!(modes.refusal(Operation::VpcepService, Some("a")).is_some() && modes.hides("a"));
        assert!(modes.refusal(Operation::VpcepServices, None).is_none());
    }

    #[test]
    fn an_old_state_is_shown_for_a_while() {
        let (old, mut new) = (service(), service());
        new.description = "new".to_owned();
        let mut modes = Modes::default();
        let mut delay = Active::new(Mode::Delayed);
        modes.show_old(old.clone(), &delay, 0);
        for (get, is_old) in [(true, true), (false, true), (true, true), (true, false)] {
            assert_eq!(*modes.shown(&new, get, 0) == old, is_old);
        }
        delay.ms = Some(50);
        modes.show_old(old.clone(), &delay, 100);
        for (now, is_old) in [(100, true), (149, true), (149, true), (150, false)] {
            assert_eq!(*modes.shown(&new, true, now) == old, is_old);
        }
    }
}
