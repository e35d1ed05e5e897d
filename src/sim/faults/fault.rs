//! A fault, and the requests that it strikes.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::kind::{Group, Kind, NAMES};
use crate::sim::{
    operations::{Operation, Route},
    patch::Patch,
    rng::Rng,
};

/// A fault, as the control API writes and reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    #[serde(rename = "name")]
    pub(super) kind: Kind,
    #[serde(default = "always")]
    percent: u8,
    /// Absent only for `not-yours`, which strikes all operations on one service.
    operation: Option<Operation>,
    /// The ids of the clusters or services that it strikes; absent: all.
    #[serde(alias = "services")]
    clusters: Option<Vec<String>>,
    /// The number of requests that it has yet to strike; absent: no end.
    times: Option<u64>,
    /// The number of matching requests that it first leaves alone.
    #[serde(default)]
    after: u64,
    /// The number of GETs for which `delayed` still shows the old state; 2 if this and `ms` are absent.
    pub(crate) gets: Option<u64>,
    /// The milliseconds for which `delayed` still shows the old state.
    pub(crate) ms: Option<u64>,
    /// The change that a second writer makes; absent: another description.
    pub(crate) change: Option<Patch>,
    #[serde(skip_deserializing)]
    hits: u64,
}

fn always() -> u8 {
    100
}

impl FromStr for Fault {
    type Err = String;

    /// Reads `NAME` or `NAME:PERCENT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, percent) = text.split_once(':').unwrap_or((text, "100"));
        let kind = Kind::named(name).ok_or_else(|| format!("there is no fault {name:?}"))?;
        let number = percent.parse().ok().filter(|number| (1..=100).contains(number));
        let wrong = || format!("{percent:?} is no percentage from 1 to 100");
        Ok(Self::new(kind, number.ok_or_else(wrong)?))
    }
}

impl Fault {
    /// Every fault: its name and what it does, in one line.
    pub const NAMES: &'static [(&'static str, &'static str)] = NAMES;

    /// A fault that strikes every request of its usual operation in this percentage.
    pub(super) fn new(kind: Kind, percent: u8) -> Self {
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

    /// The fault with its usual operation if it names none, or the mistake in it.
    pub(crate) fn judged(mut self) -> Result<Self, String> {
        let (kind, usual) = (self.kind, usual_operation(self.kind));
        let second = matches!(kind, Kind::SecondWriter | Kind::SecondWriterAfter);
        let fits = |operation: Operation| match (kind.group(), operation) {
            (Group::Http | Group::Wire, _) => true,
            (Group::Refusal, _) => operation.is_vpcep(),
            // Of the faults of changes, the POST about connections has these and `partial`.
            (Group::Applied | Group::NotApplied, Operation::CssUpdateConnections) => true,
            (_, Operation::CssUpdateConnections) => kind == Kind::Partial,
            _ => Some(operation) == usual,
        };
        let mistakes = [
            (!(1..=100).contains(&self.percent), "percent is from 1 to 100"),
            (!self.operation.is_none_or(fits), "it cannot be about this operation"),
            (
                self.clusters.is_some() && !self.operation.is_none_or(Operation::names_one),
                "this operation is about no single cluster or service",
            ),
            (
                (self.gets.is_some() || self.ms.is_some()) && kind != Kind::Delayed,
                "gets and ms are for delayed",
            ),
            (self.change.is_some() && !second, "change is for a second writer"),
        ];
        if let Some((_, mistake)) = mistakes.iter().find(|(made, _)| *made) {
            return Err(format!("{}: {mistake}", kind.name()));
        }
        self.operation = self.operation.or(usual);
        Ok(self)
    }

    /// True if the fault is about this request, and has strikes left.
    pub(super) fn concerns(&self, route: &Route<'_>) -> bool {
        let id = route.cluster.or(route.service);
        let named = |ids: &Vec<String>| id.is_some_and(|id| ids.iter().any(|one| one == id));
        self.clusters.as_ref().is_none_or(named)
            && self.operation.map_or(route.service.is_some(), |only| only == route.operation)
            && self.times != Some(0)
    }

    /// True if the fault strikes this request; counts the request.
    pub(super) fn strikes(&mut self, route: &Route<'_>, rng: &mut Rng) -> bool {
        if !self.concerns(route) {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        let strikes = rng.chance(self.percent);
        if strikes {
            self.times = self.times.map(|times| times - 1);
            self.hits += 1;
        }
        strikes
    }
}

fn usual_operation(kind: Kind) -> Option<Operation> {
    match kind.group() {
        _ if kind == Kind::NotYours => None,
        Group::Paging | Group::Content | Group::Http | Group::Wire => {
            Some(Operation::CssConnections)
        }
        _ => Some(Operation::VpcepUpdate),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_read_and_written() {
        let mut seen = HashSet::new();
        for (name, meaning) in Fault::NAMES {
            let fault: Fault = name.parse().expect("a known name");
            assert_eq!((fault.kind.name(), fault.percent), (*name, 100));
            assert!(seen.insert(name) && !meaning.is_empty());
        }
        let some: Fault = "throttled:20".parse().expect("a known name");
        assert_eq!((some.kind, some.percent), (Kind::Throttled, 20));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "Throttled", "throttled ", ":20", "unknown"] {
            let error = text.parse::<Fault>().expect_err(text);
            assert!(error.starts_with("there is no fault"), "{error}");
        }
        for text in ["throttled:", "throttled:0", "throttled:101", "throttled:-1", "throttled:x"] {
            let error = text.parse::<Fault>().expect_err(text);
            assert!(error.ends_with("is no percentage from 1 to 100"), "{error}");
        }
    }

    #[test]
    fn faults_are_read_strictly() {
        let good = |text: &str| {
            let fault = serde_json::from_str::<Fault>(text);
            fault.is_ok_and(|fault| fault.judged().is_ok())
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
