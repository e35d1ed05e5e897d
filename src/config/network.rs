//! A project's `proxy_url`, `no_proxy`, `proxy_from_environment` and `ca_file`.

use std::sync::Arc;

use super::{diagnostics::Context, file};
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
pub(super) fn network(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::Project,
) -> Option<Network> {
    let proxies = proxies(context, path, written);
    let authorities = match &mut written.ca_file {
        Some(file) => ca_file(context, &format!("{path}.ca_file"), file),
        None => Some(Arc::default()),
    };
    Some(Network { proxies: proxies?, authorities: authorities? })
}

/// As in Prometheus: one proxy and the hosts that bypass it, or both from the environment.
fn proxies(context: &mut Context<'_>, path: &str, written: &mut file::Project) -> Option<Proxies> {
    let from_environment = *written.proxy_from_environment.get_or_insert(false);
    let no_proxy = written.no_proxy.as_deref();
    match &mut written.proxy_url {
        Some(_) if from_environment => {
            let path = format!("{path}.proxy_from_environment");
            context.mistake(&path, "it with proxy_url", "only one of them");
            None
        }
        Some(url) => {
            let past = no_proxy.map(Past::parse);
            let url = proxy_url(context, &format!("{path}.proxy_url"), url)?;
            Some(Proxies::both(url, past))
        }
        None => {
            if no_proxy.is_some() {
                let expected = match from_environment {
                    true => "NO_PROXY in the environment, where the proxy is",
                    false => "it with proxy_url: there is no proxy",
                };
                context.mistake(&format!("{path}.no_proxy"), "it", expected);
            }
            match from_environment {
                true => of_environment(context, &format!("{path}.proxy_from_environment")),
                false => Some(Proxies::default()),
            }
        }
    }
}

/// The proxy, which is shown without its user from here on.
fn proxy_url(context: &mut Context<'_>, path: &str, written: &mut String) -> Option<ProxyUrl> {
    let url = match ProxyUrl::parse(written) {
        Ok(url) => url,
        Err(expected) => {
            context.refuse(path, expected);
            return None;
        }
    };
    *written = url.to_string();
    if url.has_password() {
        context.warning(
            path,
            "a password, written in the configuration; HTTPS_PROXY with proxy_from_environment \
             keeps it out of backups and version control",
        );
    }
    Some(url)
}

/// The variables that Go's programs read.
fn of_environment(context: &mut Context<'_>, path: &str) -> Option<Proxies> {
    let mut proxy = |name: &str| {
        let Some(url) = context.environment.either_case(name) else { return Some(None) };
        match ProxyUrl::of_environment(url.expose()) {
            Ok(url) => Some(Some(url)),
            Err(expected) => {
                context.refuse(path, format_args!("the variable {name}: {expected}"));
                None
            }
        }
    };
    let (http, https) = (proxy("HTTP_PROXY"), proxy("HTTPS_PROXY"));
    let past = context.environment.either_case("NO_PROXY");
    let past = past.map_or_else(Past::default, |list| Past::parse(list.expose()));
    Some(Proxies { http: http?, https: https?, past: Some(past) })
}

fn ca_file(
    context: &mut Context<'_>,
    path: &str,
    written: &mut String,
) -> Option<Arc<[Box<[u8]>]>> {
    let file = context.path(written);
    if context.text_only {
        return Some(Arc::default());
    }
    let read = read_capped(&file, LARGEST_CA_FILE, Others::MayRead);
    let read = read.map_err(|error| format!("{} {error}", file.display()));
    let found = read.and_then(|pem| authorities(&pem)).and_then(|authorities| {
        let network = Network { authorities: authorities.clone(), ..Network::default() };
        transport::check(&network).map(|()| authorities)
    });
    match found {
        Ok(authorities) => Some(authorities),
        Err(found) => {
            context.mistake(path, found, "a PEM file with certificates of authorities");
            None
        }
    }
}
