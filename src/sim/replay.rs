//! A recording of the real cloud, which answers in place of the simulated world.
//!
//! Each line is a JSON object: the first names the regions, the others are exchanges. A request with a recorded
//! method, path and query gets the recorded answers in their order, and then the last one again and again.
//! Signatures are not checked.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use hyper::{
    HeaderMap, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    body::{SimBody, body},
    reply::{Fate, JSON},
};

/// The number of recorded requests that a 404 names.
const NAMED: usize = 10;

/// The exchanges of a recording.
#[derive(Debug)]
pub(super) struct Replay {
    regions: Vec<String>,
    recorded: Vec<Recorded>,
}

/// A request with its answers.
#[derive(Debug)]
struct Recorded {
    request: String,
    answers: Vec<Response<Bytes>>,
    given: AtomicUsize,
}

/// A line; one without a path holds no exchange.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    regions: Vec<String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    query: String,
    status: Option<u16>,
    #[serde(default)]
    headers: HashMap<String, String>,
    body: Option<String>,
}

impl Replay {
    /// Reads a recording; an error says which line is wrong.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut replay = Self { regions: Vec::new(), recorded: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let taken = serde_json::from_str(line).map_err(|error| error.to_string());
            let taken = taken.and_then(|line| replay.take(line));
            taken.map_err(|error| {
                format!("line {} is no part of a recording: {error}", number + 1)
            })?;
        }
        match replay.recorded.is_empty() {
            true => Err("there is no exchange in it".to_owned()),
            false => Ok(replay),
        }
    }

    fn take(&mut self, line: Line) -> Result<(), String> {
        self.regions.extend(line.regions);
        let (Some(method), Some(path)) = (line.method, line.path) else { return Ok(()) };
        let status = line.status.ok_or("it has a path, but no status")?;
        let mut answer = Response::new(Bytes::from(line.body.unwrap_or_default()));
        *answer.status_mut() = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
        *answer.headers_mut() =
            HeaderMap::try_from(&line.headers).map_err(|error| error.to_string())?;
        let request = request(&method, &path, &line.query);
        match self.recorded.iter_mut().find(|recorded| recorded.request == request) {
            Some(known) => known.answers.push(answer),
            None => self.recorded.push(Recorded {
                request,
                answers: vec![answer],
                given: AtomicUsize::new(0),
            }),
        }
        Ok(())
    }

    /// The first region.
    pub(super) fn region(&self) -> Option<&str> {
        self.regions.first().map(String::as_str)
    }

    /// The first project id: the part that follows the version in a path.
    pub(super) fn project_id(&self) -> Option<&str> {
        let ids = self.recorded.iter().filter_map(|recorded| recorded.request.split('/').nth(2));
        ids.into_iter().find(|id| id.len() == 32)
    }

    /// Answers a request.
    pub(super) fn answer(&self, method: &str, path: &str, query: &str) -> Response<SimBody> {
        let request = request(method, path, query);
        let known = self.recorded.iter().find(|recorded| recorded.request == request);
        let answer = known.map_or_else(|| self.not_recorded(&request), Recorded::next);
        answer.map(|bytes| body(Fate::Sent, bytes.into()).0)
    }

    fn not_recorded(&self, request: &str) -> Response<Bytes> {
        let named: Vec<&str> =
            self.recorded.iter().take(NAMED).map(|recorded| &*recorded.request).collect();
        let more = if self.recorded.len() > NAMED { ", …" } else { "" };
        let problem =
            format!("{request} is not in the recording, which has: {}{more}", named.join(", "));
        let mut answer = Response::new(json!({ "error_msg": problem }).to_string().into());
        *answer.status_mut() = StatusCode::NOT_FOUND;
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        answer
    }
}

impl Recorded {
    /// The next answer, or the last one again.
    fn next(&self) -> Response<Bytes> {
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        self.answers[given.min(self.answers.len() - 1)].clone()
    }
}

/// A request as one text, the same for any order of its parameters.
fn request(method: &str, path: &str, query: &str) -> String {
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let mark = if pairs.is_empty() { "" } else { "?" };
    format!("{method} {path}{mark}{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const RECORDING: &str = r#"{"recording":1,"regions":["r-1"]}
{"operation":"metadata","status":200,"left_out":"everything else"}
{"method":"GET","path":"/v3/projects","query":"name=r-1","status":200,"body":"{}"}
{"method":"GET","path":"/v1.0/5131a7edc1004d0b9c0ffee051a1e5e0/x","query":"b=2&a=1","status":429,"headers":{"retry-after":"2"}}
{"method":"GET","path":"/v1.0/5131a7edc1004d0b9c0ffee051a1e5e0/x","query":"a=1&b=2","status":200,"body":"first"}
{"method":"GET","path":"/v1.0/5131a7edc1004d0b9c0ffee051a1e5e0/x","query":"a=1&b=2","status":200,"body":"last"}
"#;

    async fn answered(replay: &Replay, method: &str, target: &str) -> (u16, HeaderMap, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (parts, body) = replay.answer(method, path, query).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn answers_come_in_their_order_and_the_last_one_again_and_again() {
        let replay = Replay::read(RECORDING).unwrap();
        let target = "/v1.0/5131a7edc1004d0b9c0ffee051a1e5e0/x?a=1&b=2";
        let (status, headers, body) = answered(&replay, "GET", target).await;
        assert_eq!((status, &headers["retry-after"], &*body), (429, &"2".parse().unwrap(), ""));
        for expected in ["first", "last", "last"] {
            let (status, _, body) = answered(&replay, "GET", target).await;
            assert_eq!((status, &*body), (200, expected));
        }
        assert_eq!(replay.region(), Some("r-1"));
        assert_eq!(replay.project_id(), Some("5131a7edc1004d0b9c0ffee051a1e5e0"));
    }

    #[tokio::test]
    async fn what_is_not_recorded_is_not_found_and_says_what_is() {
        let replay = Replay::read(RECORDING).unwrap();
        for (method, target) in
            [("POST", "/v3/projects?name=r-1"), ("GET", "/v3/projects"), ("GET", "/__sim/world")]
        {
            let (status, _, body) = answered(&replay, method, target).await;
            let text = format!("{method} {target} is not in the recording, which has: GET /v3/");
            assert!(status == 404 && body.contains(&text), "{status} {body}");
        }
    }

    #[test]
    fn a_recording_that_is_none_says_which_line() {
        for (text, expected) in [
            ("", "there is no exchange in it"),
            ("{\"regions\":[\"r-1\"]}\n", "there is no exchange in it"),
            ("{}\nx\n", "line 2 is no part of a recording: expected value at line 1 column 1"),
            (
                r#"{"method":"GET","path":"/"}"#,
                "line 1 is no part of a recording: it has a path, but no status",
            ),
            (
                r#"{"method":"GET","path":"/","status":7}"#,
                "line 1 is no part of a recording: invalid status code",
            ),
            (
                r#"{"method":"GET","path":"/","status":200,"headers":{"a b":""}}"#,
                "line 1 is no part of a recording: invalid HTTP header name",
            ),
        ] {
            assert_eq!(Replay::read(text).unwrap_err(), expected, "{text}");
        }
    }
}
