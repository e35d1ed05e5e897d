//! `admin`: the listener that can change something, and who may enter.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{convert::Context, file, notes::Notes, web};
use crate::{
    admin::{AdminSettings, AdminToken, Role, can_fit},
    text,
    web::WebSettings,
};

/// The admin section.
#[derive(Debug)]
pub(super) struct Admin {
    pub(super) listener: AdminSettings,
    pub(super) audit_log: Option<PathBuf>,
}

pub(super) fn admin(
    notes: &mut Notes<'_>,
    written: file::Admin,
    context: &Context<'_>,
) -> Option<Admin> {
    let has_web = written.web_config_file.is_some();
    let web = match written.web_config_file {
        Some(file) if !context.text_only => settings_of(notes, &context.path(&file)),
        _ => Some(WebSettings::default()),
    };
    // Where the web configuration is broken, nobody knows.
    let is_unknown = web.is_none() || has_web && context.text_only;
    let may_have_tls = is_unknown || web.as_ref().is_some_and(|web| web.tls.is_some());
    let listen = listen(notes, &written.listen, may_have_tls);
    let hosts = hosts(notes, written.hosts, listen);
    let mut seen = Seen::default();
    let mut tokens = Vec::new();
    let is_empty = written.tokens.is_empty();
    for (index, written) in written.tokens.into_iter().enumerate() {
        tokens.extend(token(notes, &format!("admin.tokens[{index}]"), written, &mut seen, context));
    }
    if is_empty {
        notes.mistake("admin.tokens", "none", "at least one, else nobody can use the listener");
    }
    let audit_log = written.audit_log.map(|file: String| -> PathBuf { context.path(&file) });
    let allow_proxy_vni = written.allow_proxy_vni.unwrap_or(false);
    let (listen, web) = (listen?, web?);
    let listener = AdminSettings { listen, hosts, tokens, web, allow_proxy_vni };
    Some(Admin { listener, audit_log })
}

/// The listener's own web configuration.
fn settings_of(notes: &mut Notes<'_>, file: &Path) -> Option<WebSettings> {
    let key = "admin.web_config_file";
    match web::load_web(file) {
        Ok(web) => {
            for warning in web.warnings {
                notes.warning(key, warning);
            }
            if !web.settings.users.is_empty() {
                let found = format!("basic_auth_users in {}", file.display());
                notes.mistake(key, found, "none: who may enter is decided by admin.tokens");
            }
            Some(web.settings)
        }
        Err(error) => {
            error.mistakes.iter().for_each(|mistake| notes.refuse(key, mistake));
            None
        }
    }
}

fn listen(notes: &mut Notes<'_>, written: &str, may_have_tls: bool) -> Option<SocketAddr> {
    let address = written.parse::<SocketAddr>();
    let expected = "expected an address and a port like 127.0.0.1:10068";
    let address = notes.ok("admin.listen", written, address.map_err(|_| expected))?;
    if !address.ip().is_loopback() && !may_have_tls {
        let expected = "a loopback address, or TLS by admin.web_config_file";
        notes.mistake("admin.listen", format_args!("{written:?}"), expected);
    }
    Some(address)
}

/// The `Host` headers that are accepted; by default the listener's own address and localhost.
fn hosts(
    notes: &mut Notes<'_>,
    written: Option<Vec<String>>,
    listen: Option<SocketAddr>,
) -> Vec<String> {
    let Some(hosts) = written else {
        let own = |listen: SocketAddr| [listen.to_string(), format!("localhost:{}", listen.port())];
        return listen.map(own).into_iter().flatten().collect();
    };
    if hosts.is_empty() {
        notes.mistake("admin.hosts", "none", "at least one, else nobody can use the listener");
    }
    for (index, host) in hosts.iter().enumerate() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            let expected = "a host and its port, like localhost:10068";
            notes.mistake(&format!("admin.hosts[{index}]"), format_args!("{host:?}"), expected);
        }
    }
    hosts
}

/// Where names and digests of tokens were first seen.
#[derive(Default)]
struct Seen {
    names: HashMap<String, String>,
    digests: HashMap<[u8; 32], String>,
}

fn token(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::Token,
    seen: &mut Seen,
    context: &Context<'_>,
) -> Option<AdminToken> {
    let name_path = format!("{path}.name");
    notes.unique(&mut seen.names, &name_path, &written.name);
    notes.name(&name_path, &written.name);
    let sha256 = digest(notes, &format!("{path}.sha256"), &written.sha256, seen);
    let role = match written.role.as_str() {
        "viewer" => Some(Role::Viewer),
        "editor" => Some(Role::Editor),
        other => {
            notes.mistake(&format!("{path}.role"), format_args!("{other:?}"), "viewer or editor");
            None
        }
    };
    for (index, pattern) in written.services.iter().enumerate() {
        let path = format!("{path}.services[{index}]");
        notes.name(&path, pattern);
        let fits = |(project, words): &(String, Vec<String>)| can_fit(pattern, project, words);
        if !pattern.is_empty() && !context.services.iter().any(fits) {
            let expected = "project/name of a configured endpoint service, or a pattern of these";
            notes.mistake(&path, format_args!("{pattern:?}"), expected);
        }
    }
    Some(AdminToken {
        name: written.name,
        sha256: sha256?,
        role: role?,
        services: written.services,
    })
}

/// The digest of a token. What is written may be the token itself, so no message shows it.
fn digest(notes: &mut Notes<'_>, path: &str, written: &str, seen: &mut Seen) -> Option<[u8; 32]> {
    let Some(digest) = text::from_hex(&written.to_ascii_lowercase()) else {
        notes.mistake(path, "something else", "64 hexadecimal digits, the SHA-256 of the token");
        return None;
    };
    // The record could not tell two people with one token apart.
    if let Some(first) = seen.digests.get(&digest) {
        let expected = format!("a digest other than the one at {}", notes.other(first));
        notes.mistake(path, "a digest", expected);
        return None;
    }
    seen.digests.insert(digest, path.to_owned());
    Some(digest)
}
