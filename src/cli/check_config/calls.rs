//! The calls that a configuration needs, and the least policies that allow them.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    admin::{AdminSettings, Role},
    config::{ProjectSettings, Words},
    huawei::Operation,
};

/// The calls that a project needs beside those for its credentials.
#[derive(Debug)]
pub(super) struct Needs {
    project: Arc<str>,
    pub(super) operations: Vec<Operation>,
}

impl Needs {
    /// `admin`: the admin listener, if this process opens it.
    pub(super) fn of(project: &ProjectSettings, admin: Option<&AdminSettings>) -> Self {
        let ProjectSettings { cloud, clusters, discovery, endpoint_services: services, .. } =
            project;
        let words = services.iter().map(|meta| (meta.id.as_str(), Some(&*meta.name)));
        let service_words = Words::new(&cloud.name, words, false);
        let words = clusters.iter().map(|meta| (meta.id.as_str(), Some(&*meta.name)));
        let cluster_words = Words::new(&cloud.name, words, discovery.is_some());
        let has = |words: &Words, patterns: &[String]| {
            !words.is_empty() && patterns.iter().any(|pattern| words.can_fit(pattern))
        };
        let tokens = || admin.iter().flat_map(|admin| &admin.tokens);
        let editors = || tokens().filter(|token| token.role == Role::Editor);
        let sees_services = tokens().any(|token| has(&service_words, &token.services));
        let edits_services = editors().any(|token| has(&service_words, &token.services));
        let edits_clusters = editors().any(|token| has(&cluster_words, &token.clusters));
        let all = [
            (cloud.project_id.is_none(), Operation::Projects),
            (!clusters.is_empty() || discovery.is_some(), Operation::Connections),
            (!services.is_empty(), Operation::Services),
            (discovery.is_some(), Operation::Clusters),
            (sees_services, Operation::Service),
            (edits_services, Operation::UpdateService),
            (edits_clusters, Operation::UpdateConnections),
        ];
        let operations = all.into_iter().filter_map(|(needs, one)| needs.then_some(one)).collect();
        Self { project: cloud.name.clone(), operations }
    }
}

const PURPOSES: [&str; 3] = ["reading", "discovering", "changing"];

/// The purpose that the exporter makes a call for.
const fn purpose(operation: Operation) -> &'static str {
    match operation {
        Operation::Clusters => "discovering",
        // A service by itself is read before it is changed.
        Operation::Service | Operation::UpdateService | Operation::UpdateConnections => "changing",
        _ => "reading",
    }
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
    let each = PURPOSES.iter().flat_map(|purpose| projects.iter().map(move |one| (*purpose, one)));
    for (purpose, needs) in each {
        let operations = needs.operations.iter().filter(|one| self::purpose(**one) == purpose);
        let action: Vec<_> = operations.flat_map(|one| one.described().actions).copied().collect();
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
    all
}

impl Needed {
    pub(super) fn lines(&self) -> Vec<String> {
        let head = format!("policy for {}, needed by {}:", self.purpose, self.projects.join(", "));
        let text = serde_json::to_string_pretty(&self.policy).unwrap_or_default();
        [head, text].into()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Config};

    const CLUSTERS: &str = "clusters: [{ id: 5c77b71c-5b35-4f50-8984-76387e42451a, name: logs }]";
    const SERVICES: &str =
        "endpoint_services: [{ id: 4189d3c2-8882-4871-a3c2-d380272eed88, name: one }]";
    const ID: &str = "project_id: 6e9dfd51d1124e8d8498dce894923a0d";

    fn config(projects: &[String], token: &str) -> Config {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let admin = match token {
            "" => String::new(),
            token => format!(
                "admin: {{ listen: '127.0.0.1:1', audit_log: a, tokens: [{{ name: a, sha256: {digest}, {token} }}] }}"
            ),
        };
        let text = format!("projects: [{}]\n{admin}\n", projects.join(", "));
        let variables = |name: &str| match name {
            "HUAWEICLOUD_SDK_AK" | "HUAWEICLOUD_SDK_SK" => Some("key".to_owned()),
            _ => None,
        };
        config::parse(&text, Path::new("c.yml"), &variables).unwrap()
    }

    fn project(name: &str, keys: &[&str]) -> String {
        format!("{{ name: {name}, region: cn-north-4, {} }}", keys.join(", "))
    }

    fn needs(config: &Config) -> Vec<Needs> {
        let of = |project| Needs::of(project, config.admin.as_ref());
        config.projects.iter().map(of).collect()
    }

    #[test]
    fn a_project_needs_the_calls_of_its_configuration_and_no_others() {
        use Operation::*;
        let discovery = "discovery: {}";
        let viewer = "role: viewer, services: ['prod/*'], clusters: ['prod/*']";
        let editor = "role: editor, services: ['prod/*'], clusters: ['prod/*']";
        let named = "role: editor, clusters: [prod/orders]";
        let by_id = "role: editor, services: [prod/4189d3c2-8882-4871-a3c2-d380272eed88]";
        let cases: [(&[&str], &str, &[Operation]); 9] = [
            (&[ID, CLUSTERS], "", &[Connections]),
            (&[CLUSTERS], "", &[Projects, Connections]),
            (&[ID, discovery], "", &[Connections, Clusters]),
            (&[ID, CLUSTERS, SERVICES], "", &[Connections, Services]),
            (&[ID, SERVICES], "role: viewer, services: []", &[Services]),
            (&[ID, CLUSTERS, SERVICES], viewer, &[Connections, Services, Service]),
            (
                &[ID, CLUSTERS, SERVICES],
                editor,
                &[Connections, Services, Service, UpdateService, UpdateConnections],
            ),
            (&[ID, discovery], named, &[Connections, Clusters, UpdateConnections]),
            (&[ID, SERVICES], by_id, &[Services, Service, UpdateService]),
        ];
        for (keys, token, expected) in cases {
            let needs = needs(&config(&[project("prod", keys)], token));
            assert_eq!(needs[0].operations, expected, "{keys:?} {token}");
        }
    }

    #[test]
    fn projects_that_need_the_same_share_a_policy() {
        let projects = [
            project("a", &[ID, "clusters: []", "discovery: {}"]),
            project("b", &[ID, CLUSTERS]),
            project("c", &[SERVICES]),
        ];
        let policies = policies(&needs(&config(&projects, "")));
        let said: Vec<_> = policies
            .iter()
            .map(|one| (one.purpose, one.projects.join(","), &*one.policy.statement[0].action))
            .collect();
        let connections = ["css:VPCEndpoint:listConnection", "vpcep:endpoints:get"];
        let expected: [(_, _, &[_]); 3] = [
            ("reading", "a,b".to_owned(), &connections),
            ("reading", "c".to_owned(), &["iam:projects:list", "vpcep:endpointServices:list"]),
            ("discovering", "a".to_owned(), &["css:cluster:list"]),
        ];
        assert_eq!(said, expected);
    }
}
