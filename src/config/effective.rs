//! A configuration written out again: every key with the value that it has, and no secret.
//!
//! It has the form of the file. What identifies an account (access keys) is left out too: the page
//! that shows this can be open to everybody in the network.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use super::{Config, EndpointService, Project, notes::human};
use crate::{
    admin::{AdminToken, Role},
    board::ClusterMeta,
    exposition,
    huawei::credentials::{SecretText, Source},
    pacing::RateLimit,
};

const SECRET: &str = "<secret>";
const ACCESS_KEY: &str = "<access key>";
const DIGEST: &str = "<digest>";

pub(super) fn yaml(config: &Config) -> String {
    let shard = config.shard;
    let note = if shard.count > 1 {
        format!("# Rate limits are the part of shard {} of {}.\n", shard.index, shard.count)
    } else {
        String::new()
    };
    // Texts, numbers and lists of them: nothing that YAML cannot hold.
    let yaml = serde_saphyr::to_string(&File::of(config))
        .unwrap_or_else(|error| format!("# cannot be written as YAML: {error}\n"));
    note + &yaml
}

#[derive(Serialize)]
struct File<'a> {
    poll: Poll,
    state_file: Option<String>,
    shard: Shard,
    projects: Vec<OneProject<'a>>,
    admin: Option<Admin<'a>>,
}

impl<'a> File<'a> {
    fn of(config: &'a Config) -> Self {
        Self {
            poll: Poll::of(&config.poll, &config.exposition),
            state_file: config.state_file.as_ref().map(|path| path.display().to_string()),
            shard: Shard { index: config.shard.index, count: config.shard.count },
            projects: config.projects.iter().map(OneProject::of).collect(),
            admin: Admin::of(config),
        }
    }
}

#[derive(Serialize)]
struct Poll {
    interval: String,
    timeout: String,
    concurrency: usize,
    stale_after: String,
    per_connection: bool,
    per_connection_limit: usize,
}

impl Poll {
    fn of(poll: &super::poll::Poll, exposition: &exposition::Settings) -> Self {
        Self {
            interval: human(poll.interval),
            timeout: human(poll.timeout),
            concurrency: poll.concurrency,
            stale_after: human(exposition.stale_after),
            per_connection: exposition.per_connection,
            per_connection_limit: exposition.per_connection_limit,
        }
    }
}

#[derive(Serialize)]
struct Shard {
    index: u32,
    count: u32,
}

#[derive(Serialize)]
struct OneProject<'a> {
    name: &'a str,
    region: &'a str,
    project_id: Option<&'a str>,
    credentials: Credentials,
    api_endpoints: ApiEndpoints,
    rate_limit: RateLimits,
    paging: Paging,
    clusters: Vec<Cluster<'a>>,
    endpoint_services: Vec<Service<'a>>,
}

impl<'a> OneProject<'a> {
    fn of(project: &'a Project) -> Self {
        let cloud = &project.cloud;
        Self {
            name: &cloud.name,
            region: cloud.region.as_str(),
            project_id: cloud.project_id.as_ref().map(|id| id.as_str()),
            credentials: Credentials::of(&cloud.credentials),
            api_endpoints: ApiEndpoints {
                css: cloud.endpoints.css.to_string(),
                vpcep: cloud.endpoints.vpcep.to_string(),
                iam: cloud.endpoints.iam.to_string(),
            },
            rate_limit: RateLimits {
                css: Limit::of(project.css_rate_limit),
                vpcep: Limit::of(project.vpcep_rate_limit),
            },
            paging: Paging {
                parameter: cloud.paging.parameter.as_str(),
                first: cloud.paging.first,
                limit: cloud.paging.limit,
            },
            clusters: project.clusters.iter().map(Cluster::of).collect(),
            endpoint_services: project.endpoint_services.iter().map(Service::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct ApiEndpoints {
    css: String,
    vpcep: String,
    iam: String,
}

#[derive(Serialize)]
struct RateLimits {
    css: Limit,
    vpcep: Limit,
}

#[derive(Serialize)]
struct Limit {
    requests_per_second: f64,
    burst: u32,
}

impl Limit {
    fn of(limit: RateLimit) -> Self {
        Self { requests_per_second: limit.requests_per_second, burst: limit.burst }
    }
}

#[derive(Serialize)]
struct Paging {
    parameter: &'static str,
    first: u32,
    limit: u32,
}

#[derive(Serialize)]
struct Cluster<'a> {
    id: &'a str,
    name: &'a str,
    interval: String,
}

impl<'a> Cluster<'a> {
    fn of(cluster: &'a ClusterMeta) -> Self {
        Self { id: cluster.id.as_str(), name: &cluster.name, interval: human(cluster.interval) }
    }
}

#[derive(Serialize)]
struct Service<'a> {
    id: &'a str,
    name: &'a str,
}

impl<'a> Service<'a> {
    fn of(service: &'a EndpointService) -> Self {
        Self { id: service.id.as_str(), name: &service.name }
    }
}

/// The word `chain`, or a kind and its keys.
#[derive(Serialize)]
#[serde(untagged)]
enum Credentials {
    Word(&'static str),
    Kind(BTreeMap<&'static str, BTreeMap<&'static str, String>>),
}

impl Credentials {
    fn of(source: &Source) -> Self {
        let text = |path: &Path| path.display().to_string();
        let (kind, keys) = match source {
            Source::Chain(_) => return Self::Word("chain"),
            Source::Static { secret_key, security_token, .. } => {
                let token = security_token
                    .as_ref()
                    .map(|token| secret(("security_token", "security_token_file"), token));
                let keys = [
                    ("access_key", ACCESS_KEY.to_owned()),
                    secret(("secret_key", "secret_key_file"), secret_key),
                ];
                ("static", keys.into_iter().chain(token).collect())
            }
            Source::Environment(_) => ("environment", BTreeMap::new()),
            Source::Profile { file, section } => {
                ("profile", BTreeMap::from([("file", text(file)), ("section", section.clone())]))
            }
            Source::Password { domain, user, password } => (
                "password",
                BTreeMap::from([
                    ("domain", domain.clone()),
                    ("user", user.clone()),
                    secret(("password", "password_file"), password),
                ]),
            ),
            Source::Token(token) => ("token", BTreeMap::from([secret(("token", "file"), token)])),
        };
        Self::Kind(BTreeMap::from([(kind, keys)]))
    }
}

/// The file that a secret is in, or that there is one: the two have different keys.
fn secret(
    (inline_key, file_key): (&'static str, &'static str),
    secret: &SecretText,
) -> (&'static str, String) {
    match secret {
        SecretText::Inline(_) => (inline_key, SECRET.to_owned()),
        SecretText::File(path) => (file_key, path.display().to_string()),
    }
}

#[derive(Serialize)]
struct Admin<'a> {
    listen: String,
    hosts: &'a [String],
    web_config_file: Option<String>,
    audit_log: Option<String>,
    allow_proxy_vni: bool,
    tokens: Vec<Token<'a>>,
}

impl<'a> Admin<'a> {
    fn of(config: &'a Config) -> Option<Self> {
        let admin = config.admin.as_ref()?;
        Some(Self {
            listen: admin.listen.to_string(),
            hosts: &admin.hosts,
            web_config_file: admin.web.file.as_ref().map(|path| path.display().to_string()),
            audit_log: config.audit_log.as_ref().map(|path| path.display().to_string()),
            allow_proxy_vni: admin.allow_proxy_vni,
            tokens: admin.tokens.iter().map(Token::of).collect(),
        })
    }
}

#[derive(Serialize)]
struct Token<'a> {
    name: &'a str,
    sha256: &'static str,
    role: &'static str,
    services: &'a [String],
}

impl<'a> Token<'a> {
    fn of(token: &'a AdminToken) -> Self {
        let role = match token.role {
            Role::Viewer => "viewer",
            Role::Editor => "editor",
        };
        Self { name: &token.name, sha256: DIGEST, role, services: &token.services }
    }
}
