//! `admin`: the listener that can make changes, and its tokens.

use std::{collections::HashMap, net::SocketAddr, path::Path};

use super::{diagnostics::Context, file, web};
use crate::{
    admin::{AdminSettings, AdminToken, Role, can_fit},
    text,
    web::WebSettings,
};

/// The digest of a token grants no access, but it is not shown either.
const DIGEST: &str = "<digest>";

/// The section. `projects` has the endpoint services and the clusters that tokens may be for.
pub(super) fn admin(
    context: &mut Context<'_>,
    written: &mut file::Admin,
    projects: &[file::Project],
) -> Option<AdminSettings> {
    let has_web = written.web_config_file.is_some();
    let web = match &mut written.web_config_file {
        Some(file) => {
            let file = context.path(file);
            if context.text_only {
                Some(WebSettings::default())
            } else {
                settings_of(context, &file)
            }
        }
        None => Some(WebSettings::default()),
    };
    // The position in a broken web configuration is unknown.
    let is_unknown = web.is_none() || has_web && context.text_only;
    let may_have_tls = is_unknown || web.as_ref().is_some_and(|web| web.tls.is_some());
    let listen = listen(context, &mut written.listen, may_have_tls);
    let hosts = hosts(context, &mut written.hosts, listen);
    let known = Known {
        services: projects.iter().map(services).collect(),
        clusters: projects.iter().map(clusters).collect(),
    };
    let mut seen = Seen::default();
    let mut tokens = Vec::new();
    let written_tokens = written.tokens.get_or_insert_default();
    if written_tokens.is_empty() {
        context.mistake("admin.tokens", "none", "at least one, else no one can use the listener");
    }
    for (index, written) in written_tokens.iter_mut().enumerate() {
        let path = format!("admin.tokens[{index}]");
        tokens.extend(token(context, &path, written, &mut seen, &known));
    }
    let allow_proxy_vni = *written.allow_proxy_vni.get_or_insert(false);
    Some(AdminSettings { listen: listen?, hosts, tokens, web: web?, allow_proxy_vni })
}

/// The endpoint services or clusters of a project.
struct Words {
    project: String,
    /// Names and ids, valid or not.
    words: Vec<String>,
    /// There may be others, which no one has written.
    are_discovered: bool,
}

impl Words {
    fn can_fit(&self, pattern: &str) -> bool {
        let of_project = |(of, _)| can_fit(&format!("{of}/*"), &self.project, &[]);
        self.are_discovered && pattern.split_once('/').is_some_and(of_project)
            || can_fit(pattern, &self.project, &self.words)
    }
}

struct Known {
    services: Vec<Words>,
    clusters: Vec<Words>,
}

fn services(project: &file::Project) -> Words {
    let services = project.endpoint_services.iter().flatten();
    let words = services.flat_map(|service| [Some(service.id.clone()), service.name.clone()]);
    Words { project: project.name.clone(), words: words.flatten().collect(), are_discovered: false }
}

fn clusters(project: &file::Project) -> Words {
    let clusters = project.clusters.iter().flatten();
    let words = clusters.flat_map(|cluster| [Some(cluster.id.clone()), cluster.name.clone()]);
    Words {
        project: project.name.clone(),
        words: words.flatten().collect(),
        are_discovered: project.discovery.is_some(),
    }
}

/// The listener's own web configuration.
fn settings_of(context: &mut Context<'_>, file: &Path) -> Option<WebSettings> {
    let key = "admin.web_config_file";
    match web::load_web(file) {
        Ok(web) => {
            for warning in web.warnings {
                context.warning(key, warning);
            }
            if !web.settings.users.is_empty() {
                let found = format!("basic_auth_users in {}", file.display());
                context.mistake(key, found, "none: admin.tokens decides about access");
            }
            Some(web.settings)
        }
        Err(error) => {
            error.mistakes.iter().for_each(|mistake| context.refuse(key, mistake));
            None
        }
    }
}

fn listen(
    context: &mut Context<'_>,
    written: &mut String,
    may_have_tls: bool,
) -> Option<SocketAddr> {
    let address = written.parse::<SocketAddr>();
    let expected = "expected an address and a port like 127.0.0.1:10068";
    let address = context.ok("admin.listen", written, address.map_err(|_| expected))?;
    if !address.ip().is_loopback() && !may_have_tls {
        let expected = "a loopback address, or TLS by admin.web_config_file";
        context.mistake("admin.listen", format_args!("{written:?}"), expected);
    }
    *written = address.to_string();
    Some(address)
}

/// The `Host` headers that are accepted; by default the listener's own address and localhost.
fn hosts(
    context: &mut Context<'_>,
    written: &mut Option<Vec<String>>,
    listen: Option<SocketAddr>,
) -> Vec<String> {
    let Some(hosts) = written else {
        let own = |listen: SocketAddr| [listen.to_string(), format!("localhost:{}", listen.port())];
        return written.insert(listen.map(own).into_iter().flatten().collect()).clone();
    };
    if hosts.is_empty() {
        context.mistake("admin.hosts", "none", "at least one, else no one can use the listener");
    }
    for (index, host) in hosts.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            let expected = "a host and its port, like localhost:10068";
            context.mistake(&format!("admin.hosts[{index}]"), format_args!("{host:?}"), expected);
        }
    }
    hosts.clone()
}

/// The first place of each name and digest of a token.
#[derive(Default)]
struct Seen {
    names: HashMap<String, String>,
    digests: HashMap<[u8; 32], String>,
}

fn token(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::Token,
    seen: &mut Seen,
    known: &Known,
) -> Option<AdminToken> {
    let name_path = format!("{path}.name");
    context.unique(&mut seen.names, &name_path, &written.name);
    context.name(&name_path, &written.name);
    let digest_path = format!("{path}.sha256");
    let sha256 = digest(context, &digest_path, &written.sha256, &mut seen.digests);
    written.sha256 = DIGEST.into();
    let role = match written.role.as_str() {
        "viewer" => Some(Role::Viewer),
        "editor" => Some(Role::Editor),
        other => {
            context.mistake(&format!("{path}.role"), format_args!("{other:?}"), "viewer or editor");
            None
        }
    };
    let services = written.services.get_or_insert_default();
    let expected = "project/name of a configured endpoint service, or a pattern of these";
    patterns(context, &format!("{path}.services"), services, &known.services, expected);
    let clusters = written.clusters.get_or_insert_default();
    let expected = "project/name of a configured cluster, or a pattern of these";
    patterns(context, &format!("{path}.clusters"), clusters, &known.clusters, expected);
    let (name, services, clusters) = (written.name.clone(), services.clone(), clusters.clone());
    Some(AdminToken { name, sha256: sha256?, role: role?, services, clusters })
}

/// Checks patterns, each of which must be able to match something.
fn patterns(
    context: &mut Context<'_>,
    path: &str,
    patterns: &[String],
    known: &[Words],
    expected: &str,
) {
    for (index, pattern) in patterns.iter().enumerate() {
        let path = format!("{path}[{index}]");
        context.name(&path, pattern);
        if !pattern.is_empty() && !known.iter().any(|words| words.can_fit(pattern)) {
            context.mistake(&path, format_args!("{pattern:?}"), expected);
        }
    }
}

/// The digest of a token. The text may be the token itself, so no message shows it.
fn digest(
    context: &mut Context<'_>,
    path: &str,
    written: &str,
    seen: &mut HashMap<[u8; 32], String>,
) -> Option<[u8; 32]> {
    let Some(digest) = text::from_hex(&written.to_ascii_lowercase()) else {
        context.mistake(path, "something else", "64 hexadecimal digits, the SHA-256 of the token");
        return None;
    };
    // With one token for two people the record could not distinguish them.
    if let Some(first) = seen.get(&digest) {
        let expected = format!("a digest other than the one at {}", context.other(first));
        context.mistake(path, "a digest", expected);
        return None;
    }
    seen.insert(digest, path.to_owned());
    Some(digest)
}
