//! The calls that a configuration needs, and the least policies that allow them.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    admin::{AdminSettings, Role, can_fit},
    config::ProjectSettings,
    huawei::Operation,
};

/// The calls that a project needs beside those for its credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) project: Arc<str>,
    pub(super) reading: Vec<Operation>,
    pub(super) discovering: Vec<Operation>,
    pub(super) changing: Vec<Operation>,
}

impl Needs {
    /// `admin`: the admin listener, if this process opens it.
    pub(super) fn of(project: &ProjectSettings, admin: Option<&AdminSettings>) -> Self {
        let has_clusters = !project.clusters.is_empty() || project.discovery.is_some();
        let has_services = !project.endpoint_services.is_empty();
        let rights = Rights::of(project, admin);
        let chosen = |all: &[(bool, Operation)]| {
            let needed = all.iter().filter(|(is_needed, _)| *is_needed);
            needed.map(|(_, operation)| *operation).collect()
        };
        Self {
            project: project.cloud.name.clone(),
            reading: chosen(&[
                (project.cloud.project_id.is_none(), Operation::Projects),
                (has_clusters, Operation::Connections),
                (has_services, Operation::Services),
            ]),
            discovering: chosen(&[(project.discovery.is_some(), Operation::Clusters)]),
            changing: chosen(&[
                (rights.sees_services, Operation::Service),
                (rights.edits_services, Operation::UpdateService),
                (rights.edits_clusters, Operation::UpdateConnections),
            ]),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Operation> {
        [&self.reading, &self.discovering, &self.changing].into_iter().flatten().copied()
    }
}

/// The rights of all tokens together in a project.
struct Rights {
    sees_services: bool,
    edits_services: bool,
    edits_clusters: bool,
}

impl Rights {
    fn of(project: &ProjectSettings, admin: Option<&AdminSettings>) -> Self {
        let name = &*project.cloud.name;
        let services = project.endpoint_services.iter();
        let services = words(services.map(|meta| (meta.id.as_str(), &*meta.name)));
        let clusters = project.clusters.iter();
        let clusters = words(clusters.map(|meta| (meta.id.as_str(), &*meta.name)));
        // Whatever its name is, a cluster that is discovered may be the one.
        let may_come = |pattern: &str| {
            let of_project = |(of, _)| can_fit(&format!("{of}/*"), name, &[]);
            project.discovery.is_some()
                && (can_fit(pattern, name, &[]) || pattern.split_once('/').is_some_and(of_project))
        };
        let is_known =
            |pattern: &str, words: &[String]| !words.is_empty() && can_fit(pattern, name, words);
        let mut rights =
            Self { sees_services: false, edits_services: false, edits_clusters: false };
        for token in admin.iter().flat_map(|admin| &admin.tokens) {
            let is_editor = token.role == Role::Editor;
            let sees = token.services.iter().any(|pattern| is_known(pattern, &services));
            let decides = |pattern: &String| is_known(pattern, &clusters) || may_come(pattern);
            rights.sees_services |= sees;
            rights.edits_services |= sees && is_editor;
            rights.edits_clusters |= is_editor && token.clusters.iter().any(decides);
        }
        rights
    }
}

fn words<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    all.flat_map(|(id, name)| [id.to_owned(), name.to_owned()]).collect()
}

/// An identity policy, and the projects whose credentials need it.
#[derive(Debug, Serialize)]
pub(super) struct Needed {
    pub(super) purpose: &'static str,
    pub(super) projects: Vec<Arc<str>>,
    pub(super) policy: Policy,
}

/// IAM API Reference, "Identity Policies".
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: Vec<&'static str>,
}

/// The least policies; projects that need the same share one.
pub(super) fn policies(projects: &[Needs]) -> Vec<Needed> {
    let mut all: Vec<Needed> = Vec::new();
    for purpose in ["reading", "discovering", "changing"] {
        for needs in projects {
            let operations = match purpose {
                "reading" => &needs.reading,
                "discovering" => &needs.discovering,
                _ => &needs.changing,
            };
            let action: Vec<_> =
                operations.iter().flat_map(|one| one.described().actions).copied().collect();
            if action.is_empty() {
                continue;
            }
            let is_same = |other: &&mut Needed| {
                other.purpose == purpose && other.policy.statement[0].action == action
            };
            match all.iter_mut().find(is_same) {
                Some(same) => same.projects.push(needs.project.clone()),
                None => all.push(Needed {
                    purpose,
                    projects: vec![needs.project.clone()],
                    policy: Policy {
                        version: "5.0",
                        statement: [Statement { effect: "Allow", action }],
                    },
                }),
            }
        }
    }
    all
}

impl Needed {
    pub(super) fn lines(&self) -> Vec<String> {
        let head = format!("policy for {}, needed by {}:", self.purpose, self.projects.join(", "));
        let text = serde_json::to_string_pretty(&self.policy).unwrap_or_default();
        [head, text].into()
    }
}
