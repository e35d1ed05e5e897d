//! What is sent: a request and who sends it, made into the one of reqwest.

use jiff::Timestamp;
use reqwest::{
    Url,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

use super::Sent;
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        credentials::Keys,
        endpoints::BaseUrl,
        guard::{Credentials, Fingerprint},
        sign::{self as signing, Scheme, Signed},
    },
    model::ProjectId,
    pacing::Pacer,
    secret::Secret,
};

const JSON: &str = "application/json";

/// A request to the cloud, but for who sends it.
#[derive(Debug)]
pub struct Request<'a> {
    /// Configured name of the project.
    pub project: &'a str,
    /// The operation, as the metrics name it.
    pub operation: &'static str,
    /// What is done, with its body.
    pub method: Method<'a>,
    /// Where.
    pub base: &'a BaseUrl,
    /// Absolute path, made of fixed words and checked ids.
    pub path: String,
    /// Query pairs, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// For the `X-Project-Id` header, which project-level services want with signed requests.
    pub project_id: Option<&'a ProjectId>,
    /// Every try costs one of its tokens.
    pub pacer: &'a Pacer,
}

/// What is done.
#[derive(Clone, Copy)]
pub enum Method<'a> {
    /// A read.
    Get,
    /// A change, in JSON: sent once, whatever becomes of it.
    Put {
        /// The body.
        body: &'a [u8],
    },
    /// A question that needs a body, in JSON.
    Post {
        /// The body.
        body: &'a [u8],
        /// What of it nobody may see.
        secret: &'a Secret,
    },
}

impl std::fmt::Debug for Method<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Method<'_> {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put { .. } => "PUT",
            Self::Post { .. } => "POST",
        }
    }

    fn body(&self) -> Option<&[u8]> {
        match self {
            Self::Get => None,
            Self::Put { body } | Self::Post { body, .. } => Some(body),
        }
    }

    /// Whether sending it twice may do more than sending it once.
    pub(in crate::huawei) fn is_change(&self) -> bool {
        matches!(self, Self::Put { .. })
    }
}

/// How a request shows who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// By a signature.
    Keys(Keys),
    /// By `X-Auth-Token`.
    Token(Secret),
}

impl Auth {
    pub(in crate::huawei) fn credentials(&self) -> Credentials {
        match self {
            Self::Keys(keys) => {
                let access_key = Secret::new(keys.access_key.as_str());
                let mut parts = vec![&access_key, &keys.secret_key];
                parts.extend(&keys.security_token);
                let lockable = Fingerprint::of(&[&access_key]);
                Credentials { whole: Fingerprint::of(&parts), lockable }
            }
            Self::Token(token) => {
                let token = Fingerprint::of(&[token]);
                Credentials { whole: token, lockable: token }
            }
        }
    }
}

/// What is sent, signed at `now`, and what of it nobody may see.
///
/// # Errors
/// [`Reason::Internal`]: something that the checks of ids and credentials should have refused.
pub(super) fn build(
    call: &Request<'_>,
    auth: Option<&Auth>,
    now: Timestamp,
) -> Result<(reqwest::Request, Sent), CloudError> {
    let query = signing::canonical_query(call.query);
    let separator = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{}{separator}{query}", call.base, call.path);
    let url = Url::parse(&url).map_err(|_| internal("the URL of a request is malformed"))?;
    // What is sent must be what was signed, and nothing may climb out of its path.
    if url.path() != call.path || url.query().unwrap_or_default() != query {
        return Err(internal("the URL of a request does not say what was signed"));
    }
    let method = match call.method {
        Method::Get => reqwest::Method::GET,
        Method::Put { .. } => reqwest::Method::PUT,
        Method::Post { .. } => reqwest::Method::POST,
    };
    let mut request = reqwest::Request::new(method, url);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(JSON));
    if let Some(body) = call.method.body() {
        *request.body_mut() = Some(body.to_vec().into());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    let sent = request.headers_mut();
    let mut signed = None;
    match auth {
        None => {}
        Some(Auth::Token(token)) => insert_secret(sent, "x-auth-token", token.expose())?,
        Some(Auth::Keys(keys)) => signed = Some(sign(call, keys, now, sent)?),
    }
    Ok((request, Sent::new(auth, call.method, signed)))
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
    if call.method.body().is_some() {
        headers.push(("content-type", JSON));
    }
    let signed = signing::sign(
        signing::Request {
            method: call.method.as_str(),
            path: &call.path,
            query: call.query,
            headers: &headers,
            body: call.method.body().unwrap_or_default(),
        },
        &keys.access_key,
        &keys.secret_key,
        &date,
        Scheme::SdkHmacSha256,
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
