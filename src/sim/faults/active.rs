//! The faults that are active, and those of them that strike a request.

use std::collections::HashSet;

use super::{Fault, Group, Kind, service::Shown};
use crate::sim::{
    operations::{Operation, Route},
    rng::Rng,
};

const STREAM: u64 = 5 << 40;

/// All active faults.
#[derive(Debug)]
pub(crate) struct ActiveFaults {
    pub(crate) list: Vec<Fault>,
    /// The services that are still shown as they were before a change.
    pub(crate) shown: Shown,
    /// The clusters from which `total-moves-once` has removed a row.
    moved: HashSet<String>,
    rng: Rng,
}

impl ActiveFaults {
    /// These faults, none of which has struck yet; the same seed makes the same chance.
    pub(crate) fn new(list: Vec<Fault>, seed: u64) -> Self {
        let rng = Rng::new(seed, STREAM);
        Self { list, shown: Shown::default(), moved: HashSet::new(), rng }
    }

    /// The faults that strike this request, of the groups that are due now.
    pub(crate) fn draw(&mut self, route: &Route<'_>, due: impl Fn(Group) -> bool) -> Hits {
        let rng = &mut self.rng;
        let due = self.list.iter_mut().filter(|one| due(one.kind.group()));
        Hits(due.filter_map(|one| one.strikes(route, rng).then(|| one.clone())).collect())
    }

    /// True if a service is left out of the list.
    pub(crate) fn hides(&self, service: &str) -> bool {
        let service = Some(service);
        let route = Route { operation: Operation::VpcepService, service, ..Route::default() };
        self.list.iter().any(|one| one.kind == Kind::NotYours && one.concerns(&route))
    }

    /// True the first time for each cluster: `total-moves-once` removes a row.
    pub(crate) fn moves_now(&mut self, cluster: &str) -> bool {
        self.moved.insert(cluster.to_owned())
    }
}

/// The faults that strike one request, in the order in which they were named.
#[derive(Debug, Default)]
pub(crate) struct Hits(Vec<Fault>);

impl Hits {
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.0.iter().map(|one| one.kind)
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.find(kind).is_some()
    }

    pub(crate) fn any(&self, kinds: &[Kind]) -> bool {
        kinds.iter().any(|kind| self.has(*kind))
    }

    pub(crate) fn find(&self, kind: Kind) -> Option<&Fault> {
        self.0.iter().find(|one| one.kind == kind)
    }
}

#[cfg(test)]
impl Hits {
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().map(|kind| Fault::new(*kind, 100)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> ActiveFaults {
        let list: Vec<Fault> = serde_json::from_str(text).expect("faults");
        let list = list.into_iter().map(|one| one.judged().expect("a good fault")).collect();
        ActiveFaults::new(list, 1)
    }

    fn route(operation: Operation, id: &str) -> Route<'_> {
        let id = Some(id).filter(|id| !id.is_empty());
        let (cluster, service) = if operation.is_css() { (id, None) } else { (None, id) };
        Route { operation, cluster, service, ..Route::default() }
    }

    /// Those that strike a request when it is let in.
    fn draw(faults: &mut ActiveFaults, route: &Route<'_>) -> Hits {
        faults.draw(route, |group| !group.is_of_changes())
    }

    fn hits(faults: &mut ActiveFaults, cluster: &str, count: usize) -> Vec<bool> {
        let route = route(Operation::CssConnections, cluster);
        (0..count).map(|_| draw(faults, &route).kinds().next().is_some()).collect()
    }

    #[test]
    fn counts_what_it_skips_and_what_it_strikes() {
        let mut some = faults(r#"[{"name":"throttled","after":2,"times":2,"clusters":["a"]}]"#);
        assert_eq!(hits(&mut some, "b", 3), [false, false, false]);
        assert_eq!(hits(&mut some, "a", 6), [false, false, true, true, false, false]);
        assert!(!draw(&mut some, &route(Operation::CssClusters, "")).has(Kind::Throttled));
    }

    #[test]
    fn percentages_are_kept_and_repeat() {
        let count = || {
            let mut some = faults(r#"[{"name":"slow","percent":20}]"#);
            hits(&mut some, "a", 1_000).into_iter().filter(|hit| *hit).count()
        };
        let first = count();
        assert!((150..=250).contains(&first), "{first}");
        assert_eq!(first, count());
    }

    #[test]
    fn a_row_is_taken_once_per_cluster() {
        let mut some = faults(r#"[{"name":"total-moves-once"}]"#);
        let moves: Vec<bool> = ["a", "a", "b", "b"].map(|id| some.moves_now(id)).into();
        assert_eq!(moves, [true, false, true, false]);
    }

    #[test]
    fn faults_of_changes_strike_puts_that_keep_every_rule() {
        let mut some = faults(r#"[{"name":"partial","after":1,"times":1,"services":["a"]}]"#);
        let mut strikes = |id| {
            let route = route(Operation::VpcepUpdate, id);
            assert!(!draw(&mut some, &route).has(Kind::Partial));
            some.draw(&route, Group::is_of_changes).has(Kind::Partial)
        };
        assert_eq!(["b", "a", "a", "a"].map(&mut strikes), [false, false, true, false]);
    }

    #[test]
    fn refusals_concern_changes_unless_told_otherwise() {
        let mut some = faults(r#"[{"name":"not-allowed"}]"#);
        assert!(!draw(&mut some, &route(Operation::VpcepService, "a")).has(Kind::NotAllowed));
        assert!(draw(&mut some, &route(Operation::VpcepUpdate, "a")).has(Kind::NotAllowed));
        let mut some = faults(r#"[{"name":"not-yours"}]"#);
        assert!(draw(&mut some, &route(Operation::VpcepService, "a")).has(Kind::NotYours));
        assert!(some.hides("a"));
        assert!(!draw(&mut some, &route(Operation::VpcepServices, "")).has(Kind::NotYours));
    }
}
