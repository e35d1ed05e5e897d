//! A project's `proxy_url`, `no_proxy`, `proxy_from_environment` and `ca_file`.

use std::sync::Arc;

use super::{diagnostics::At, file};
use crate::{
    files::{Others, read_capped},
    huawei::{
        network::{Network, Past, Proxies, ProxyUrl, authorities},
        transport,
    },
};

/// The bundle of all public authorities has a quarter of it.
const LARGEST_CA_FILE: u64 = 1024 * 1024;

/// The way to the cloud.
pub(super) fn network(at: &At<'_>, written: &mut file::Project) -> Option<Network> {
    let proxies = proxies(at, written);
    let authorities = match &mut written.ca_file {
        Some(file) => ca_file(&at.key("ca_file"), file),
        None => Some(Arc::default()),
    };
    Some(Network { proxies: proxies?, authorities: authorities? })
}

/// As in Prometheus: one proxy and the hosts that bypass it, or both from the environment.
fn proxies(at: &At<'_>, written: &mut file::Project) -> Option<Proxies> {
    let from_environment = *written.proxy_from_environment.get_or_insert(false);
    let environment = at.key("proxy_from_environment");
    let no_proxy = written.no_proxy.as_deref();
    match &mut written.proxy_url {
        Some(_) if from_environment => environment.wrong("it with proxy_url", "only one of them"),
        Some(url) => {
            let past = no_proxy.map(Past::parse);
            Some(Proxies::both(proxy_url(&at.key("proxy_url"), url)?, past))
        }
        None => {
            if no_proxy.is_some() {
                let expected = match from_environment {
                    true => "NO_PROXY in the environment, where the proxy is",
                    false => "it with proxy_url: there is no proxy",
                };
                at.key("no_proxy").mistake("it", expected);
            }
            match from_environment {
                true => of_environment(&environment),
                false => Some(Proxies::default()),
            }
        }
    }
}

/// The proxy, which is shown without its user from here on.
fn proxy_url(at: &At<'_>, written: &mut String) -> Option<ProxyUrl> {
    let url = ProxyUrl::parse(written).map_err(|expected| at.refuse(expected)).ok()?;
    *written = url.to_string();
    if url.has_password() {
        at.warning(
            "a password, written in the configuration; HTTPS_PROXY with proxy_from_environment \
             keeps it out of backups and version control",
        );
    }
    Some(url)
}

/// The variables that Go's programs read.
fn of_environment(at: &At<'_>) -> Option<Proxies> {
    let variable = |name: &str| at.context.environment.either_case(name);
    let proxy = |name: &str| {
        let url = variable(name).map(|url| ProxyUrl::of_environment(url.expose())).transpose();
        let refuse = |expected| at.refuse(format_args!("the variable {name}: {expected}"));
        url.map_err(refuse).ok()
    };
    let (http, https) = (proxy("HTTP_PROXY"), proxy("HTTPS_PROXY"));
    let past = variable("NO_PROXY");
    let past = past.map_or_else(Past::default, |list| Past::parse(list.expose()));
    Some(Proxies { http: http?, https: https?, past: Some(past) })
}

fn ca_file(at: &At<'_>, written: &mut String) -> Option<Arc<[Box<[u8]>]>> {
    let file = at.context.path(written);
    if at.context.text_only {
        return Some(Arc::default());
    }
    let read = read_capped(&file, LARGEST_CA_FILE, Others::MayRead);
    let read = read.map_err(|error| format!("{} {error}", file.display()));
    let found = read.and_then(|pem| authorities(&pem)).and_then(|authorities| {
        let network = Network { authorities: authorities.clone(), ..Network::default() };
        transport::check(&network).map(|()| authorities)
    });
    let expected = "a PEM file with certificates of authorities";
    found.map_err(|found| at.mistake(found, expected)).ok()
}
