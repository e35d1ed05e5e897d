//! Refusals as problem documents (RFC 9457).

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::text::json_line;

/// The media type of short answers to programs and people alike.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of data.
pub const JSON: &str = "application/json";
/// The media type of refusals.
pub const PROBLEM: &str = "application/problem+json";

/// The type of a problem that its status describes fully (RFC 9457, 4.2.1).
const BLANK: &str = "about:blank";

#[derive(Serialize)]
struct Problem<'a, M> {
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    members: &'a M,
}

/// An answer that ends a request early. It is boxed, as the error of many small functions.
#[derive(Debug)]
pub struct Refused(Box<Response>);

impl From<Response> for Refused {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// A problem document for a refused request.
pub fn problem(status: StatusCode, detail: &str) -> Response {
    problem_with(status, BLANK, detail, &serde_json::Map::new())
}

/// A problem document with its own type, which is a relative reference, and more members.
pub fn problem_with(
    status: StatusCode,
    kind: &str,
    detail: &str,
    members: &impl Serialize,
) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let document = Problem { r#type: kind, title, status: status.as_u16(), detail, members };
    json(status, PROBLEM, &document)
}

/// An answer in JSON. Characters that could control a terminal are escaped.
pub fn json(status: StatusCode, media_type: &'static str, value: &impl Serialize) -> Response {
    let (status, body) = match json_line(value) {
        Ok(body) => (status, body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    answer(status, media_type, body)
}

/// The answer with one more header.
pub fn with_header(
    mut answer: Response,
    name: HeaderName,
    value: impl Into<HeaderValue>,
) -> Response {
    answer.headers_mut().insert(name, value.into());
    answer
}

/// Something is busy, for so many seconds at most.
pub fn busy(seconds: u64, why: impl Into<Body>) -> Response {
    let busy = answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, why);
    with_header(busy, header::RETRY_AFTER, seconds)
}

/// An answer that no cache stores and whose media type no browser second-guesses.
pub fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
