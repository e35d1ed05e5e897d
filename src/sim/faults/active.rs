//! The faults that are active now, and whom each of them hits.
//!
//! Owns the counting (`times`, `after`) and the chance (`percent`, drawn from the seeded generator).
//! It does not know what a fault does.

use std::collections::HashSet;

use super::{Fault, Kind};
use crate::sim::calls::Operation;
use crate::sim::rng::Rng;

/// One active fault.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) kind: Kind,
    pub(crate) percent: u8,
    pub(crate) operation: Operation,
    /// Only these clusters; all where absent.
    pub(crate) clusters: Option<Vec<String>>,
    /// Hits left; without end where absent.
    pub(crate) times: Option<u64>,
    /// Matching requests to leave alone first.
    pub(crate) after: u64,
    pub(crate) hits: u64,
    /// Clusters of which `total-moves-once` has taken its row.
    moved: HashSet<String>,
}

impl Active {
    /// A fault that hits every request for connections in its percentage.
    pub(crate) fn new(fault: &Fault) -> Active {
        Active {
            kind: fault.kind,
            percent: fault.percent,
            operation: Operation::CssConnections,
            clusters: None,
            times: None,
            after: 0,
            hits: 0,
            moved: HashSet::new(),
        }
    }

    fn hits(&mut self, operation: Operation, cluster: Option<&str>, rng: &mut Rng) -> bool {
        let named = self.clusters.as_ref().is_none_or(|clusters| {
            cluster.is_some_and(|cluster| clusters.iter().any(|one| one == cluster))
        });
        if operation != self.operation || !named || self.times == Some(0) {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        if !rng.chance(self.percent) {
            return false;
        }
        self.times = self.times.map(|times| times - 1);
        self.hits += 1;
        true
    }
}

/// All active faults.
#[derive(Debug)]
pub(crate) struct ActiveFaults {
    pub(crate) list: Vec<Active>,
    rng: Rng,
}

impl ActiveFaults {
    pub(crate) fn new(faults: &[Fault], rng: Rng) -> ActiveFaults {
        ActiveFaults { list: faults.iter().map(Active::new).collect(), rng }
    }

    /// The faults that hit this request.
    pub(crate) fn draw(&mut self, operation: Operation, cluster: Option<&str>) -> Hits {
        let rng = &mut self.rng;
        let hit = self.list.iter_mut().filter_map(|one| {
            let hit = one.hits(operation, cluster, rng);
            hit.then_some(one.kind)
        });
        Hits(hit.collect())
    }

    /// True the first time for each cluster.
    pub(crate) fn moves_now(&mut self, cluster: &str) -> bool {
        let mut once = self.list.iter_mut().filter(|one| one.kind == Kind::TotalMovesOnce);
        once.next().is_some_and(|one| one.moved.insert(cluster.to_owned()))
    }
}

/// The faults that hit one request, in the order in which they were named.
#[derive(Debug, Default)]
pub(crate) struct Hits(pub(crate) Vec<Kind>);

impl Hits {
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, change: impl FnOnce(&mut Active)) -> ActiveFaults {
        let mut faults = ActiveFaults::new(&[name.parse().expect("a name")], Rng::new(1, 1));
        if let Some(first) = faults.list.first_mut() {
            change(first);
        }
        faults
    }

    fn hits(faults: &mut ActiveFaults, cluster: &str, count: usize) -> Vec<bool> {
        let draw = |_| !faults.draw(Operation::CssConnections, Some(cluster)).0.is_empty();
        (0..count).map(draw).collect()
    }

    #[test]
    fn counts_what_it_skips_and_what_it_hits() {
        let mut some = faults("throttled", |one| {
            one.after = 2;
            one.times = Some(2);
            one.clusters = Some(vec!["a".to_owned()]);
        });
        assert_eq!(hits(&mut some, "b", 3), [false, false, false]);
        assert_eq!(hits(&mut some, "a", 6), [false, false, true, true, false, false]);
        assert!(some.draw(Operation::CssClusters, None).0.is_empty());
    }

    #[test]
    fn percentages_are_kept_and_repeat() {
        let count = |mut some: ActiveFaults| {
            hits(&mut some, "a", 1_000).into_iter().filter(|hit| *hit).count()
        };
        let first = count(faults("slow:20", |_| ()));
        assert!((150..=250).contains(&first), "{first}");
        assert_eq!(first, count(faults("slow:20", |_| ())));
    }

    #[test]
    fn a_row_is_taken_once_per_cluster() {
        let mut some = faults("total-moves-once", |_| ());
        let moves: Vec<bool> = ["a", "a", "b", "b"].map(|id| some.moves_now(id)).into();
        assert_eq!(moves, [true, false, true, false]);
    }
}
