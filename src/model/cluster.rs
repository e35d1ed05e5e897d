//! The description of a cluster in the cloud's list, and the labels that people give it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::ClusterId;

/// A row of the list of clusters (CSS API Reference, "Querying the Cluster List"). Its texts are fit to
/// be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedCluster {
    /// The cluster.
    pub id: ClusterId,
    /// Its name; empty where the cloud gives none.
    pub name: Box<str>,
    /// `datastore.type`, such as `elasticsearch`; empty where there is none.
    pub engine: Box<str>,
    /// `datastore.version`; empty where there is none.
    pub engine_version: Box<str>,
    /// Empty where enterprise projects are off.
    pub enterprise_project_id: Box<str>,
    /// Tags by their keys.
    pub tags: BTreeMap<Box<str>, Box<str>>,
}

/// The clusters of a project, as one reading of the list found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterList {
    /// Each cluster once.
    pub clusters: Vec<ListedCluster>,
    /// Why clusters may be missing; `None` if the list is whole.
    pub incomplete: Option<String>,
}

/// Labels of a cluster for `cluster_labels`, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Arc<[Label]>);

/// A label. Its name is made of its key, and is valid in Prometheus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    key: Box<str>,
    /// The name, unique among the labels of a cluster.
    pub name: Box<str>,
    /// The value.
    pub value: Box<str>,
}

impl Labels {
    /// Labels with these keys and values; of two with the same key, the last one stays.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
        let names = names(pairs.keys().copied());
        let label = |((key, value), name): ((&str, &str), String)| Label {
            key: key.into(),
            name: name.into(),
            value: value.into(),
        };
        Self(pairs.into_iter().zip(names).map(label).collect())
    }

    /// These labels, and those of `others` whose keys they have not.
    #[must_use]
    pub fn or<'a>(&'a self, others: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::of(others.into_iter().chain(self.pairs()))
    }

    /// Keys and values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|label| (&*label.key, &*label.value))
    }

    /// The labels.
    pub fn as_slice(&self) -> &[Label] {
        &self.0
    }
}

/// The names that kube-state-metrics gives to labels with these keys, which are sorted: `label_` and the
/// key in snake case, with `_` for each character that a name cannot have. Names that are then equal are
/// numbered: `label_a_b_conflict1`, `label_a_b_conflict2`.
fn names<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = keys.map(name).collect();
    // A numbered name may in turn be equal to another; each round makes the equal ones longer.
    loop {
        let mut places = BTreeMap::<String, Vec<usize>>::new();
        for (at, name) in names.iter().enumerate() {
            places.entry(name.clone()).or_default().push(at);
        }
        places.retain(|_, at| at.len() > 1);
        if places.is_empty() {
            return names;
        }
        for at in places.into_values() {
            for (number, at) in at.into_iter().enumerate() {
                names[at].push_str(&format!("_conflict{}", number + 1));
            }
        }
    }
}

fn name(key: &str) -> String {
    let mut name = String::from("label_");
    let mut before = '_';
    for character in key.chars() {
        if character.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_digit())
        {
            name.push('_');
        }
        let valid = character.is_ascii_alphanumeric();
        name.push(if valid { character.to_ascii_lowercase() } else { '_' });
        before = character;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: &[&str]) -> Vec<String> {
        let labels = Labels::of(keys.iter().map(|key| (*key, "x")));
        labels.as_slice().iter().map(|label| label.name.to_string()).collect()
    }

    #[test]
    fn names_are_those_of_kube_state_metrics() {
        let cases = [
            ("team", "label_team"),
            ("app.kubernetes.io/name", "label_app_kubernetes_io_name"),
            ("camelCase", "label_camel_case"),
            ("v1Beta", "label_v1_beta"),
            ("ABC", "label_abc"),
            ("0a", "label_0a"),
            ("é-x", "label___x"),
            ("", "label_"),
        ];
        for (key, expected) in cases {
            assert_eq!(names(&[key]), [expected], "{key}");
        }
    }

    #[test]
    fn equal_names_are_numbered_in_the_order_of_their_keys() {
        assert_eq!(
            names(&["a.b", "c", "a-b"]),
            ["label_a_b_conflict1", "label_a_b_conflict2", "label_c"]
        );
        // A key may look like a numbered name: no label is there twice all the same.
        assert_eq!(
            names(&["a-b", "a.b", "a_b_conflict1"]),
            [
                "label_a_b_conflict1_conflict1",
                "label_a_b_conflict2",
                "label_a_b_conflict1_conflict2"
            ]
        );
    }

    #[test]
    fn labels_win_over_others_with_the_same_key() {
        let own = Labels::of([("team", "search"), ("tier", "1")]);
        let all = own.or([("team", "tag"), ("env", "prod")]);
        let pairs: Vec<_> = all.pairs().collect();
        assert_eq!(pairs, [("env", "prod"), ("team", "search"), ("tier", "1")]);
    }
}
