//! The faults that are active now, and the requests that each of them strikes.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{
    super::{
        operations::{Operation, Route},
        patch::Patch,
        rng::Rng,
    },
    Fault, Group, Kind,
    service::Shown,
};

/// One active fault, as the control API writes and reads it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Active {
    #[serde(rename = "name")]
    pub(crate) kind: Kind,
    #[serde(default = "always")]
    percent: u8,
    /// Absent only for `not-yours`: all that name a service.
    operation: Option<Operation>,
    /// Only these clusters or services; all where absent.
    #[serde(alias = "services")]
    clusters: Option<Vec<String>>,
    /// Requests left to strike; without end where absent.
    times: Option<u64>,
    /// Matching requests to leave alone first.
    #[serde(default)]
    after: u64,
    /// How often, or how long, `delayed` still shows the old state; twice where both are absent.
    pub(crate) gets: Option<u64>,
    pub(crate) ms: Option<u64>,
    /// The change of a second writer; another description where absent.
    pub(crate) change: Option<Patch>,
    #[serde(skip_deserializing)]
    hits: u64,
}

fn always() -> u8 {
    100
}

impl From<&Fault> for Active {
    fn from(fault: &Fault) -> Self {
        let (kind, percent) = (fault.kind, fault.percent);
        Self {
            kind,
            percent,
            operation: usual_operation(kind),
            clusters: None,
            times: None,
            after: 0,
            gets: None,
            ms: None,
            change: None,
            hits: 0,
        }
    }
}

fn usual_operation(kind: Kind) -> Option<Operation> {
    match kind.group() {
        _ if kind == Kind::NotYours => None,
        Group::Refusal | Group::Change => Some(Operation::VpcepUpdate),
        _ => Some(Operation::CssConnections),
    }
}

impl Active {
    /// The same fault with its usual operation where it names none, or the mistake in it.
    pub(crate) fn judged(mut self) -> Result<Self, String> {
        let name = self.kind.name();
        if !(1..=100).contains(&self.percent) {
            return Err(format!("percent is {}, but from 1 to 100", self.percent));
        }
        if let Some(operation) = self.operation {
            let fits = match self.kind.group() {
                Group::Http | Group::Wire => true,
                Group::Refusal => operation.is_vpcep(),
                _ => Some(operation) == usual_operation(self.kind),
            };
            if !fits {
                return Err(format!("{name} cannot be about this operation"));
            }
            if self.clusters.is_some() && !operation.names_one() {
                return Err(format!(
                    "the operation of {name} is about no single cluster or service"
                ));
            }
        }
        if (self.gets.is_some() || self.ms.is_some()) && self.kind != Kind::Delayed {
            return Err(format!("gets and ms are for delayed, not for {name}"));
        }
        let second = matches!(self.kind, Kind::SecondWriter | Kind::SecondWriterAfter);
        if self.change.is_some() && !second {
            return Err(format!("change is for a second writer, not for {name}"));
        }
        self.operation = self.operation.or_else(|| usual_operation(self.kind));
        Ok(self)
    }

    fn concerns(&self, route: &Route<'_>) -> bool {
        let id = route.cluster.or(route.service);
        let named = |ids: &Vec<String>| id.is_some_and(|id| ids.iter().any(|one| one == id));
        self.clusters.as_ref().is_none_or(named)
            && self.operation.map_or(route.service.is_some(), |only| only == route.operation)
            && self.times != Some(0)
    }

    fn strikes(&mut self, route: &Route<'_>, rng: &mut Rng) -> bool {
        if !self.concerns(route) {
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
    /// The services that are shown as they were before a change.
    pub(crate) shown: Shown,
    /// Clusters of which `total-moves-once` has taken its row.
    moved: HashSet<String>,
    rng: Rng,
}

impl ActiveFaults {
    pub(crate) fn new(list: Vec<Active>, rng: Rng) -> Self {
        Self { list, shown: Shown::default(), moved: HashSet::new(), rng }
    }

    /// The faults that strike this request when it is let in.
    pub(crate) fn draw(&mut self, route: &Route<'_>) -> Hits {
        self.drawn(route, |group| group != Group::Change)
    }

    /// The faults that strike this PUT, which keeps every rule.
    pub(crate) fn draw_for_change(&mut self, route: &Route<'_>) -> Hits {
        self.drawn(route, |group| group == Group::Change)
    }

    fn drawn(&mut self, route: &Route<'_>, of: impl Fn(Group) -> bool) -> Hits {
        let rng = &mut self.rng;
        let due = self.list.iter_mut().filter(|one| of(one.kind.group()));
        Hits(due.filter_map(|one| one.strikes(route, rng).then(|| one.clone())).collect())
    }

    /// Whether a service is left out of the list.
    pub(crate) fn hides(&self, service: &str) -> bool {
        let service = Some(service);
        let route = Route { operation: Operation::VpcepService, service, ..Route::default() };
        self.list.iter().any(|one| one.kind == Kind::NotYours && one.concerns(&route))
    }

    /// True the first time for each cluster.
    pub(crate) fn moves_now(&mut self, cluster: &str) -> bool {
        self.moved.insert(cluster.to_owned())
    }
}

/// The faults that strike one request, in the order in which they were named.
#[derive(Debug, Default)]
pub(crate) struct Hits(Vec<Active>);

impl Hits {
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.0.iter().map(|one| one.kind)
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.find(kind).is_some()
    }

    pub(crate) fn find(&self, kind: Kind) -> Option<&Active> {
        self.0.iter().find(|one| one.kind == kind)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds().map(Kind::name)
    }
}

#[cfg(test)]
impl Hits {
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        let fault = |kind: &Kind| Active::from(&Fault { kind: *kind, percent: 100 });
        Self(kinds.iter().map(fault).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> ActiveFaults {
        let list: Vec<Active> = serde_json::from_str(text).expect("faults");
        let list = list.into_iter().map(|one| one.judged().expect("a good fault")).collect();
        ActiveFaults::new(list, Rng::new(1, 1))
    }

    fn route(operation: Operation, id: &str) -> Route<'_> {
        let id = Some(id).filter(|id| !id.is_empty());
        let (cluster, service) = if operation.is_css() { (id, None) } else { (None, id) };
        Route { operation, cluster, service, ..Route::default() }
    }

    fn hits(faults: &mut ActiveFaults, cluster: &str, count: usize) -> Vec<bool> {
        let route = route(Operation::CssConnections, cluster);
        (0..count).map(|_| faults.draw(&route).kinds().next().is_some()).collect()
    }

    #[test]
    fn counts_what_it_skips_and_what_it_strikes() {
        let mut some = faults(r#"[{"name":"throttled","after":2,"times":2,"clusters":["a"]}]"#);
        assert_eq!(hits(&mut some, "b", 3), [false, false, false]);
        assert_eq!(hits(&mut some, "a", 6), [false, false, true, true, false, false]);
        assert!(!some.draw(&route(Operation::CssClusters, "")).has(Kind::Throttled));
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
            assert!(!some.draw(&route).has(Kind::Partial));
            some.draw_for_change(&route).has(Kind::Partial)
        };
        assert_eq!(["b", "a", "a", "a"].map(&mut strikes), [false, false, true, false]);
    }

    #[test]
    fn refusals_concern_changes_unless_told_otherwise() {
        let mut some = faults(r#"[{"name":"not-allowed"}]"#);
        assert!(!some.draw(&route(Operation::VpcepService, "a")).has(Kind::NotAllowed));
        assert!(some.draw(&route(Operation::VpcepUpdate, "a")).has(Kind::NotAllowed));
        let mut some = faults(r#"[{"name":"not-yours"}]"#);
        assert!(some.draw(&route(Operation::VpcepService, "a")).has(Kind::NotYours));
        assert!(some.hides("a"));
        assert!(!some.draw(&route(Operation::VpcepServices, "")).has(Kind::NotYours));
    }

    #[test]
    fn faults_are_read_strictly() {
        let good = |text: &str| {
            let active = serde_json::from_str::<Active>(text);
            active.is_ok_and(|active| active.judged().is_ok())
        };
        for text in [
            r#"{"name":"hang"}"#,
            r#"{"name":"slow","percent":1,"times":0,"after":3,"clusters":[]}"#,
            r#"{"name":"slow","operation":"iam_token"}"#,
            r#"{"name":"delayed","gets":0}"#,
            r#"{"name":"delayed","ms":50,"times":1,"after":2,"services":[]}"#,
            r#"{"name":"second-writer","change":{"description":""}}"#,
            r#"{"name":"not-allowed","operation":"vpcep_service"}"#,
            r#"{"name":"partial","operation":"vpcep_update"}"#,
        ] {
            assert!(good(text), "{text}");
        }
        for text in [
            r#"{}"#,
            r#"{"name":"no"}"#,
            r#"{"name":"hang","percent":0}"#,
            r#"{"name":"hang","percent":101}"#,
            r#"{"name":"hang","times":-1}"#,
            r#"{"name":"hang","time":1}"#,
            r#"{"name":"hang","operation":"unknown"}"#,
            r#"{"name":"total-wrong","operation":"css_clusters"}"#,
            r#"{"name":"partial","gets":1}"#,
            r#"{"name":"partial","change":{}}"#,
            r#"{"name":"partial","operation":"vpcep_service"}"#,
            r#"{"name":"not-yours","operation":"css_clusters"}"#,
            r#"{"name":"not-yours","operation":"vpcep_quotas","services":["a"]}"#,
        ] {
            assert!(!good(text), "{text}");
        }
    }
}
