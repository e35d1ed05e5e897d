//! The admin API, as a client sees it.

use std::{path::Path, time::Duration};

use reqwest::{Certificate, Method, RequestBuilder, Url, header, redirect::Policy};
use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::Value;

use super::{ApiArgs, Out, failure, text};
use crate::{
    admin::{ProblemDocument, ReadConnections, ReadService, ServiceList},
    change::{ChangeView, ConnectionsView, DecisionRequest, LONGEST_CHANGE, ServiceChangeView},
    cli::{exit::Failure, terminal::visible},
    config::process_environment,
    files::{Others, read_capped},
    huawei::{credentials::SecretText, endpoints::is_loopback},
    secret::Secret,
};

/// The variable with the token, if no file has it.
const TOKEN_VARIABLE: &str = "CSS_VPCEP_EXPORTER_ADMIN_TOKEN";
/// Four times the bundle of all public certificate authorities.
const LARGEST_CA_FILE_BYTES: u64 = 1 << 20;
/// For a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For a whole answer: a client that gives up earlier does not learn the outcome of a change.
const TIMEOUT: Duration = LONGEST_CHANGE.saturating_add(CONNECT_TIMEOUT);
/// The longest answers are lists; a service with 200 ports has some 15 KB.
const MOST_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// An answer of the admin API.
pub(in crate::cli) struct Answer<T> {
    pub(in crate::cli) etag: Option<String>,
    /// The body as it came.
    pub(in crate::cli) raw: Value,
    pub(in crate::cli) body: T,
}

/// An answer, or the end of the command.
type Answered<T> = Result<Answer<T>, Failure>;

pub(in crate::cli) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Secret,
    pub(in crate::cli) out: Out,
}

impl Client {
    /// A client, or the mistake in its arguments.
    pub(in crate::cli) fn new(api: &ApiArgs) -> Result<Self, Failure> {
        let base = base(&api.url).map_err(Failure::usage)?;
        let token = token(api.token_file.as_deref()).map_err(Failure::usage)?;
        let http = http(api.ca_file.as_deref()).map_err(Failure::usage)?;
        Ok(Self { http, base, token, out: Out::of(api) })
    }

    /// The address of the admin listener.
    pub(in crate::cli) fn base(&self) -> &str {
        self.base.as_str()
    }

    pub(in crate::cli) async fn list(&self) -> Answered<ServiceList> {
        let request = self.http.get(self.url(&["endpoint-services"]));
        self.send(request, "list of endpoint services", &[]).await
    }

    /// Project and service of an id as a person writes it.
    pub(in crate::cli) async fn resolve(&self, id: &str) -> Result<(String, String), Failure> {
        if let Some((project, service)) = id.split_once('/') {
            return Ok((project.to_owned(), service.to_owned()));
        }
        let services = self.list().await?.body.endpoint_services.into_iter();
        let found = services.filter(|known| known.service_id == id || known.name == id);
        let mut found: Vec<_> = found.map(|known| (known.project, known.service_id)).collect();
        match found.len() {
            0 => Err(Failure::usage(format!("the token may see no service {}", visible(id)))),
            1 => Ok(found.remove(0)),
            _ => {
                let all: Vec<_> = found.iter().map(|(p, s)| format!("{p}/{s}")).collect();
                let all = visible(&all.join(", "));
                Err(Failure::usage(format!("several services have this name: use one of {all}")))
            }
        }
    }

    pub(in crate::cli) async fn read(
        &self,
        (project, service): &(String, String),
    ) -> Answered<ReadService> {
        let request = self.http.get(self.url(&["endpoint-services", project, service]));
        self.send(request, "endpoint service", &[]).await
    }

    pub(in crate::cli) async fn change(
        &self,
        (project, service): &(String, String),
        update: &str,
        dry_run: bool,
        etag: Option<&str>,
        said: &[String],
    ) -> Answered<ChangeView<ServiceChangeView>> {
        let path = ["endpoint-services", project, service];
        let mut request = self.changing(Method::PUT, &path, update.to_owned(), dry_run);
        if let Some(etag) = etag {
            request = request.header(header::IF_MATCH, etag);
        }
        self.send(request, "outcome and difference", said).await
    }

    /// The connections of a cluster, by its id or by `project/name`.
    pub(in crate::cli) async fn connections(&self, cluster: &str) -> Answered<ReadConnections> {
        let request = self.http.get(self.url(&["clusters", cluster, "connections"]));
        self.send(request, "list of connections", &[]).await
    }

    pub(in crate::cli) async fn decide(
        &self,
        cluster: &str,
        decision: &DecisionRequest,
        dry_run: bool,
        said: &[String],
    ) -> Answered<ChangeView<ConnectionsView>> {
        // Words and ids are always JSON.
        let body = serde_json::to_string(decision).unwrap_or_default();
        let path = ["clusters", cluster, "connections"];
        let request = self.changing(Method::POST, &path, body, dry_run);
        self.send(request, "outcome and connections", said).await
    }

    fn changing(
        &self,
        method: Method,
        path: &[&str],
        body: String,
        dry_run: bool,
    ) -> RequestBuilder {
        let mut url = self.url(path);
        if dry_run {
            url.set_query(Some("dry_run=true"));
        }
        let request = self.http.request(method, url);
        request.header(header::CONTENT_TYPE, "application/json").body(body)
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only a URL that cannot be a base has no segments; `base` let none through.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        url
    }

    /// Sends a request and reads its answer to the end. An answer from some other server must not
    /// pass for an empty list, or for "nothing to change". A refusal is the answer with `--json`; its
    /// warnings in `said` are left out.
    async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        what: &str,
        said: &[String],
    ) -> Answered<T> {
        let base = &self.base;
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            let mut why = failure::explained(&error, base.host_str().unwrap_or_default());
            if base.scheme() == "http" {
                why += "; is the exporter running, with an admin section in its configuration?";
            }
            format!("{base}: {}", visible(&why))
        };
        let mut answer = request.bearer_auth(self.token.expose()).send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MOST_ANSWER_BYTES {
                return Err(format!("{base}: an answer without end").into());
            }
            body.extend_from_slice(&chunk);
        }
        let raw: Value = serde_json::from_slice(&body).unwrap_or_default();
        let status = answer.status();
        if !status.is_success() {
            self.out.raw(&raw);
            let problem = ProblemDocument::deserialize(&raw).unwrap_or_default();
            let lines = text::refusal(status.as_u16(), &problem, said, &self.out.paint);
            return Err(lines.join("\n").into());
        }
        let foreign = || format!("{base}: that is not the admin API: its answer has no {what}");
        let body = T::deserialize(&raw).map_err(|_| foreign())?;
        let etag = answer.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok());
        Ok(Answer { etag: etag.map(str::to_owned), raw, body })
    }
}

/// Trusts the certificates in the file too.
fn http(ca_file: Option<&Path>) -> Result<reqwest::Client, String> {
    let mut http = reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    let named = ca_file.map(|file| format!("--admin.ca-file {}", file.display()));
    let unusable = |error: reqwest::Error| {
        let why = failure::explained(&error, "");
        match &named {
            Some(file) => format!("{file}: a certificate cannot be read: {why}"),
            None => format!("no HTTP client can be made: {why}"),
        }
    };
    if let (Some(file), Some(named)) = (ca_file, &named) {
        let read = read_capped(file, LARGEST_CA_FILE_BYTES, Others::MayAll);
        let pem = read.map_err(|error| format!("{named}: {error}"))?;
        let all = Certificate::from_pem_bundle(&pem).map_err(unusable)?;
        if all.is_empty() {
            return Err(format!("{named}: there is no certificate in it"));
        }
        http = http.tls_certs_merge(all);
    }
    http.build().map_err(unusable)
}

/// A token in clear crosses no network.
fn base(url: &str) -> Result<Url, String> {
    let wrong = |why: &str| format!("--admin.url {}: {why}", visible(url));
    let parsed = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    let is_bare = parsed.username().is_empty()
        && parsed.password().is_none()
        && parsed.query().is_none()
        && parsed.fragment().is_none();
    if !is_bare {
        return Err("--admin.url: expected a URL without a user, a query and a fragment".to_owned());
    }
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_loopback(&parsed) => Ok(parsed),
        "http" => Err(wrong("plain http is only for loopback; use https")),
        _ => Err(wrong("expected http:// or https://")),
    }
}

fn token(file: Option<&Path>) -> Result<Secret, String> {
    let (from, text) = match file {
        Some(file) => {
            let text = SecretText::File(file.to_owned()).read();
            let text = text.map_err(|mistake| format!("--admin.token-file {mistake}"))?;
            let from = format!("--admin.token-file {}", file.display());
            (from, Secret::new(text.expose().trim()))
        }
        None => {
            let text = process_environment(TOKEN_VARIABLE).unwrap_or_default();
            (TOKEN_VARIABLE.to_owned(), Secret::new(text.trim()))
        }
    };
    if text.expose().is_empty() {
        return Err(format!(
            "there is no token: give --admin.token-file, or {TOKEN_VARIABLE} in the environment"
        ));
    }
    if !text.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{from}: that is not a token"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_crosses_no_network_in_clear() {
        for good in [
            "http://127.0.0.1:10068",
            "http://localhost:1/",
            "http://[::1]:10068",
            "http://127.9.9.9",
            "https://exporter.example",
            "https://exporter.example/behind/a/proxy/",
        ] {
            assert!(base(good).is_ok(), "{good}");
        }
        for bad in [
            "http://exporter.example",
            "http://10.0.0.1:10068",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "ftp://127.0.0.1",
            "127.0.0.1:10068",
            "",
            "http://user:word@127.0.0.1",
            "http://127.0.0.1/?x=1",
            "file:///etc/passwd",
        ] {
            let refusal = base(bad).expect_err(bad);
            assert!(!refusal.contains("word"), "{refusal}");
        }
    }

    #[test]
    fn ids_are_one_segment_of_the_path() {
        let client = Client {
            http: reqwest::Client::new(),
            base: base("http://127.0.0.1:1/p/").unwrap(),
            token: Secret::new("t"),
            out: Out { json: false, paint: text::Paint(false) },
        };
        let url = client.url(&["endpoint-services", "a/b", "c?d#e%"]);
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/p/api/v1/endpoint-services/a%2Fb/c%3Fd%23e%25"
        );
    }
}
