//! A request and the proof of who sends it, made into a request of reqwest.

use jiff::Timestamp;
use reqwest::{
    Method, Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

use super::redaction::Redaction;
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        auth::{Auth, Proof},
        credentials::Keys,
        endpoints::BaseUrl,
        operation::Operation,
        sign::{self as signing, Signed},
    },
    model::ProjectId,
    pacing::Pacer,
    secret::Secret,
};

const JSON: &str = "application/json";

/// A request to the cloud, but for who sends it.
#[derive(Debug)]
pub struct Request<'a> {
    /// The configured name of the project.
    pub project: &'a str,
    /// The operation, as the metrics name it.
    pub operation: Operation,
    /// The service's address.
    pub base: &'a BaseUrl,
    /// Absolute path, made of fixed words and checked ids.
    pub path: String,
    /// Query pairs, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// JSON.
    pub body: Option<&'a Secret>,
    /// The secret part of the body.
    pub secret: Option<&'a Secret>,
    /// A header beside the usual ones; it is not signed.
    pub header: Option<(&'static str, &'a str)>,
    /// For the `X-Project-Id` header, which project-level services want with signed requests.
    pub project_id: Option<&'a ProjectId>,
    /// Every try costs one of its tokens.
    pub pacer: &'a Pacer,
}

impl Request<'_> {
    pub(super) fn method(&self) -> Method {
        match self.operation.described().method {
            "PUT" => Method::PUT,
            "POST" => Method::POST,
            _ => Method::GET,
        }
    }

    fn body(&self) -> &[u8] {
        self.body.map(|body| body.expose().as_bytes()).unwrap_or_default()
    }
}

/// The request to send, signed at `now`, and its secrets.
///
/// # Errors
/// [`Reason::Internal`]: something that the checks of ids and credentials should have refused.
pub(super) fn build(
    call: &Request<'_>,
    auth: Option<&Auth>,
    now: Timestamp,
) -> Result<(reqwest::Request, Redaction), CloudError> {
    let mut request = reqwest::Request::new(call.method(), url(call)?);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(JSON));
    if call.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    if let Some((name, value)) = call.header {
        insert_secret(headers, name, value)?;
    }
    let mut secrets = Vec::new();
    match auth.map(|auth| &auth.proof) {
        None => {}
        Some(Proof::Token(token)) => {
            insert_secret(headers, "x-auth-token", token.expose())?;
            secrets.push(token.clone());
        }
        Some(Proof::Keys(keys)) => {
            let Signed { authorization, signature, .. } = sign(call, keys, now, headers)?;
            secrets.extend([Secret::new(authorization), Secret::new(signature)]);
            // No secret, but it names an account, and the pages are open to many.
            secrets.push(Secret::new(keys.access_key.as_str()));
            secrets.push(keys.secret_key.clone());
            secrets.extend(keys.security_token.clone());
        }
    }
    if let Some(secret) = call.secret {
        let in_json = serde_json::Value::from(secret.expose()).to_string();
        secrets.extend([Secret::new(in_json.trim_matches('"')), secret.clone()]);
    }
    *request.body_mut() = call.body.map(|body| body.expose().to_owned().into());
    Ok((request, Redaction::of(secrets)))
}

fn url(call: &Request<'_>) -> Result<Url, CloudError> {
    let query = signing::canonical_query(call.query);
    let separator = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{}{separator}{query}", call.base, call.path);
    let url = Url::parse(&url).map_err(|_| internal("the URL of a request is malformed"))?;
    // The request that is sent must be the one that was signed, and no segment may leave its path.
    if url.path() != call.path || url.query().unwrap_or_default() != query {
        return Err(internal("the URL of a request does not say what was signed"));
    }
    Ok(url)
}

fn sign(
    call: &Request<'_>,
    keys: &Keys,
    now: Timestamp,
    sent: &mut HeaderMap,
) -> Result<Signed, CloudError> {
    let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut headers = vec![("host", call.base.authority()), ("x-sdk-date", &date)];
    if let Some(id) = call.project_id {
        headers.push(("x-project-id", id.as_str()));
    }
    if let Some(token) = &keys.security_token {
        headers.push(("x-security-token", token.expose()));
    }
    if call.body.is_some() {
        headers.push(("content-type", JSON));
    }
    let signed = signing::sign(
        signing::Request {
            method: call.method().as_str(),
            path: &call.path,
            query: call.query,
            headers: &headers,
            body: call.body(),
        },
        &keys.access_key,
        &keys.secret_key,
        &date,
    );
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
        insert_secret(sent, name, value)?;
    }
    insert_secret(sent, "authorization", &signed.authorization)?;
    Ok(signed)
}

/// Adds a header that no log shows, whether it is a secret or not.
fn insert_secret(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), CloudError> {
    let malformed = || internal("a header of a request has characters it must not have");
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| malformed())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn internal(message: &str) -> CloudError {
    CloudError::new(Reason::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::RateLimit;

    const SECRETS: [&str; 3] = ["secret-key", "temporary-token", "ACCESSKEY"];

    fn built(secret: Option<&Secret>, auth: Option<&Auth>) -> (reqwest::Request, Redaction) {
        let base = BaseUrl::parse("https://css.example.com").unwrap();
        let pacer = Pacer::new(RateLimit { requests_per_second: 1.0, burst: 1 });
        let call = Request {
            project: "p",
            operation: Operation::Connections,
            base: &base,
            path: "/v1.0".into(),
            query: &[],
            body: None,
            secret,
            header: None,
            project_id: None,
            pacer: &pacer,
        };
        build(&call, auth, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[tokio::test]
    async fn nothing_secret_of_a_request_is_shown() {
        let [secret_key, token, access_key] = SECRETS;
        let keys = Auth::keys(&Keys {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            security_token: Some(token.into()),
        });
        let (request, redaction) = built(None, Some(&keys));
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let (_, signature) = authorization.split_once("Signature=").unwrap();
        let text = format!(
            "authorization:{authorization}|{signature}|x-security-token:{token} {secret_key} {access_key}"
        );
        let clean = "authorization:<secret>|<secret>|x-security-token:<secret> <secret> <secret>";
        assert_eq!(redaction.hide(&text), clean);
        assert!(!format!("{request:?}").contains(token), "{request:?}");
    }

    #[tokio::test]
    async fn a_password_and_a_token_are_hidden_too() {
        let password = Secret::new("pass\"word");
        let (_, of_login) = built(Some(&password), None);
        let text = r#"the password is pass"word, in JSON pass\"word"#;
        assert_eq!(of_login.hide(text), "the password is <secret>, in JSON <secret>");
        let (_, of_token) = built(None, Some(&Auth::token(Secret::new("a-token"))));
        assert_eq!(of_token.hide("a-token"), "<secret>");
    }
}
