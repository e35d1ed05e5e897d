//! `admin`: the listener that can make changes, and its tokens.

use std::{collections::HashMap, net::SocketAddr, path::Path};

use super::{
    diagnostics::{At, Context},
    file, web,
};
use crate::{
    admin::{AdminSettings, AdminToken, Role, can_fit},
    text,
    web::WebSettings,
};

/// The digest of a token grants no access, but it is not shown either.
const DIGEST: &str = "<digest>";

/// The section. `projects` has the endpoint services and the clusters that tokens may be for.
pub(super) fn admin(
    context: &Context<'_>,
    written: &mut file::Admin,
    projects: &[file::Project],
) -> Option<AdminSettings> {
    let at = &context.key("admin");
    let has_web = written.web_config_file.is_some();
    let web = match &mut written.web_config_file {
        Some(file) => {
            let file = context.path(file);
            match context.text_only {
                true => Some(WebSettings::default()),
                false => settings_of(&at.key("web_config_file"), &file),
            }
        }
        None => Some(WebSettings::default()),
    };
    // The position in a broken web configuration is unknown.
    let is_unknown = web.is_none() || has_web && context.text_only;
    let may_have_tls = is_unknown || web.as_ref().is_some_and(|web| web.tls.is_some());
    let listen = listen(&at.key("listen"), &mut written.listen, may_have_tls);
    let hosts = hosts(&at.key("hosts"), &mut written.hosts, listen);
    let services = projects.iter().map(|project| {
        let all = project.endpoint_services.iter().flatten();
        Words::new(&project.name, all.map(|one| (&*one.id, one.name.as_deref())), false)
    });
    let clusters = projects.iter().map(|project| {
        let all = project.clusters.iter().flatten();
        let all = all.map(|one| (&*one.id, one.name.as_deref()));
        Words::new(&project.name, all, project.discovery.is_some())
    });
    let known = Known { services: services.collect(), clusters: clusters.collect() };
    let mut seen = Seen::default();
    let mut tokens = Vec::new();
    let at_tokens = at.key("tokens");
    let written_tokens = written.tokens.get_or_insert_default();
    some(&at_tokens, written_tokens);
    for (at, written) in at_tokens.each(written_tokens) {
        tokens.extend(token(&at, written, &mut seen, &known));
    }
    let allow_proxy_vni = *written.allow_proxy_vni.get_or_insert(false);
    Some(AdminSettings { listen: listen?, hosts, tokens, web: web?, allow_proxy_vni })
}

/// The endpoint services or the clusters of a project, for which tokens may be.
pub(crate) struct Words {
    project: String,
    /// Names and ids, valid or not.
    words: Vec<String>,
    /// There may be others, which no one has written.
    are_discovered: bool,
}

impl Words {
    /// `all` are the ids, and the names if there are any.
    pub(crate) fn new<'a>(
        project: &str,
        all: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        are_discovered: bool,
    ) -> Self {
        let words = all.into_iter().flat_map(|(id, name)| [Some(id), name]);
        let words = words.flatten().map(str::to_owned).collect();
        Self { project: project.to_owned(), words, are_discovered }
    }

    /// True if there is nothing, and nothing to come.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && !self.are_discovered
    }

    /// True if a pattern matches one of them, or could match one.
    pub(crate) fn can_fit(&self, pattern: &str) -> bool {
        let of_project = |(of, _)| can_fit(&format!("{of}/*"), &self.project, &[]);
        // Whatever its name is, a cluster that is discovered may be the one.
        self.are_discovered && pattern.split_once('/').is_some_and(of_project)
            || can_fit(pattern, &self.project, &self.words)
    }
}

struct Known {
    services: Vec<Words>,
    clusters: Vec<Words>,
}

/// The listener's own web configuration.
fn settings_of(at: &At<'_>, file: &Path) -> Option<WebSettings> {
    match web::load_web(file, false) {
        Ok(web) => {
            web.warnings.into_iter().for_each(|warning| at.warning(warning));
            if !web.settings.users.is_empty() {
                let found = format!("basic_auth_users in {}", file.display());
                at.mistake(found, "none: admin.tokens decides about access");
            }
            Some(web.settings)
        }
        Err(error) => {
            error.mistakes.iter().for_each(|mistake| at.refuse(mistake));
            None
        }
    }
}

fn listen(at: &At<'_>, written: &mut String, may_have_tls: bool) -> Option<SocketAddr> {
    let address = written.parse::<SocketAddr>();
    let expected = "expected an address and a port like 127.0.0.1:10068";
    let address = at.ok(written, address.map_err(|_| expected))?;
    if !address.ip().is_loopback() && !may_have_tls {
        let expected = "a loopback address, or TLS by admin.web_config_file";
        at.mistake(format_args!("{written:?}"), expected);
    }
    *written = address.to_string();
    Some(address)
}

/// The `Host` headers that are accepted; by default the listener's own address and localhost.
fn hosts(
    at: &At<'_>,
    written: &mut Option<Vec<String>>,
    listen: Option<SocketAddr>,
) -> Vec<String> {
    let Some(hosts) = written else {
        let own = |listen: SocketAddr| [listen.to_string(), format!("localhost:{}", listen.port())];
        return written.insert(listen.map(own).into_iter().flatten().collect()).clone();
    };
    some(at, hosts);
    for (at, host) in at.each(&*hosts) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            at.mistake(format_args!("{host:?}"), "a host and its port, like localhost:10068");
        }
    }
    hosts.clone()
}

fn some<T>(at: &At<'_>, list: &[T]) {
    if list.is_empty() {
        at.mistake("none", "at least one, else no one can use the listener");
    }
}

/// The first place of each name and digest of a token.
#[derive(Default)]
struct Seen<'a> {
    names: HashMap<String, At<'a>>,
    digests: HashMap<[u8; 32], At<'a>>,
}

fn token<'a>(
    at: &At<'a>,
    written: &mut file::Token,
    seen: &mut Seen<'a>,
    known: &Known,
) -> Option<AdminToken> {
    let name = at.key("name");
    name.unique(&mut seen.names, &written.name);
    name.name(&written.name);
    let sha256 = digest(at.key("sha256"), &written.sha256, &mut seen.digests);
    written.sha256 = DIGEST.into();
    let role = match written.role.as_str() {
        "viewer" => Some(Role::Viewer),
        "editor" => Some(Role::Editor),
        other => at.key("role").wrong(format_args!("{other:?}"), "viewer or editor"),
    };
    let services = written.services.get_or_insert_default();
    patterns(&at.key("services"), services, &known.services, "endpoint service");
    let clusters = written.clusters.get_or_insert_default();
    patterns(&at.key("clusters"), clusters, &known.clusters, "cluster");
    let (name, services, clusters) = (written.name.clone(), services.clone(), clusters.clone());
    Some(AdminToken { name, sha256: sha256?, role: role?, services, clusters })
}

/// Checks patterns, each of which must be able to match something of that kind.
fn patterns(at: &At<'_>, patterns: &[String], known: &[Words], kind: &str) {
    for (at, pattern) in at.each(patterns) {
        at.name(pattern);
        if !pattern.is_empty() && !known.iter().any(|words| words.can_fit(pattern)) {
            let expected =
                format_args!("project/name of a configured {kind}, or a pattern of these");
            at.mistake(format_args!("{pattern:?}"), expected);
        }
    }
}

/// The digest of a token. The text may be the token itself, so no message shows it.
fn digest<'a>(at: At<'a>, written: &str, seen: &mut HashMap<[u8; 32], At<'a>>) -> Option<[u8; 32]> {
    let Some(digest) = text::from_hex(&written.to_ascii_lowercase()) else {
        return at.wrong("something else", "64 hexadecimal digits, the SHA-256 of the token");
    };
    // With one token for two people the record could not distinguish them.
    if let Some(first) = seen.get(&digest) {
        let expected = format!("a digest other than the one at {}", first.named());
        return at.wrong("a digest", expected);
    }
    seen.insert(digest, at);
    Some(digest)
}
