//! The settings of the admin listener: its names, its tokens, and what each token may see.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::globs::fits;
use crate::{board::ServiceMeta, web::WebSettings};

/// The admin listener, as configured.
#[derive(Debug)]
pub struct AdminSettings {
    /// Where it listens; without TLS, on loopback.
    pub listen: SocketAddr,
    /// The `Host` values that are accepted.
    pub hosts: Vec<String>,
    /// Who may enter.
    pub tokens: Vec<AdminToken>,
    /// TLS, for one.
    pub web: WebSettings,
    /// Whether `tcp_proxy` may become `proxy_vni`, which only the SDK knows, not the document.
    pub allow_proxy_vni: bool,
}

/// An entry of the token list. It holds no secret: the digest cannot be turned back.
#[derive(Clone, Debug)]
pub struct AdminToken {
    /// The name of whoever has it, for the record.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// Which endpoint services it may touch, as `project/name` globs.
    pub services: Vec<String>,
}

impl AdminToken {
    /// Whether the service is among those of the token, by its name or its id.
    pub(super) fn sees(&self, meta: &ServiceMeta) -> bool {
        self.sees_one_of(&meta.project, &[&meta.name, meta.id.as_str()])
    }

    /// The same for a service that is known by these words.
    pub(super) fn sees_one_of(&self, project: &str, words: &[&str]) -> bool {
        let mut paths = words.iter().map(|word| format!("{project}/{word}"));
        paths.any(|path| self.services.iter().any(|pattern| fits(pattern, &path)))
    }
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May read, plan changes, and ask for a poll.
    Viewer,
    /// Change things too.
    Editor,
}

/// Who may enter and do what; a reload may change it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub(super) hosts: Arc<[String]>,
    pub(super) tokens: Arc<[AdminToken]>,
    pub(super) allow_proxy_vni: bool,
    pub(super) stale_after: Duration,
}

impl Access {
    /// The settings, for a listener that is bound to `address`: its own names change with the port that it
    /// got. Clusters whose data are older than `stale_after` are shown without them.
    pub fn of(settings: &AdminSettings, address: SocketAddr, stale_after: Duration) -> Self {
        let mut hosts = settings.hosts.clone();
        if address != settings.listen {
            hosts.extend([address.to_string(), format!("localhost:{}", address.port())]);
        }
        Self {
            hosts: hosts.into(),
            tokens: settings.tokens.as_slice().into(),
            allow_proxy_vni: settings.allow_proxy_vni,
            stale_after,
        }
    }
}
