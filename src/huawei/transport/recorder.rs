//! A recording of what was asked and answered, for people who cannot reach the cloud: without secrets,
//! and with another id, name, address or account for each.
//!
//! Only `collect --record` has one. Exchanges by which credentials are issued are noted without their content.

mod json_strings;
mod replacements;
mod shape;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::json;

use self::replacements::Replacements;
use super::{redaction::Redaction, request::Request};
use crate::{
    huawei::{operation::Operation, sign::canonical_query},
    model::RegionId,
    text::json_line,
};

/// A round over a fleet of 2,000 clusters, and its retries.
const MOST_EXCHANGES: usize = 5_000;
/// More than anyone will read or send.
const MOST_BYTES: usize = 32 << 20;
/// The headers that say something of the API, and nothing of its user.
const HEADERS: [&str; 3] = ["content-type", "date", "retry-after"];
const IDS: [&str; 2] = ["x-iam-trace-id", "x-request-id"];

/// Notes exchanges with the cloud.
#[derive(Debug)]
pub struct Recorder(Mutex<Notes>);

#[derive(Debug)]
struct Notes {
    replacements: Replacements,
    recording: Recording,
}

/// The exchanges so far.
#[derive(Debug, Default)]
pub struct Recording {
    /// JSON, one object a line.
    pub text: Vec<u8>,
    /// The exchanges in it.
    pub exchanges: usize,
    /// Exchanges that there was no room for.
    pub left_out: usize,
}

/// An exchange as it was, but for secrets and replacements.
#[derive(Serialize)]
struct Exchange<'a> {
    operation: &'static str,
    method: &'a str,
    path: String,
    query: String,
    status: u16,
    headers: BTreeMap<&'static str, String>,
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
}

impl Recorder {
    /// A recorder of projects in these regions, whose names stay.
    pub fn new(regions: &[RegionId]) -> Self {
        let replacements = Replacements::new(regions);
        let head = json!({"recording": 1, "made_by": super::USER_AGENT, "regions": regions});
        let text = format!("{head}\n").into();
        let recording = Recording { text, ..Recording::default() };
        Self(Mutex::new(Notes { replacements, recording }))
    }

    /// Notes an answer that was read whole.
    pub(super) fn note(
        &self,
        call: &Request<'_>,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        redaction: &Redaction,
    ) {
        if call.operation.is_exchange() {
            return self.note_secret(call.operation, status);
        }
        let clean = |text: &[u8]| redaction.hide(&String::from_utf8_lossy(text));
        let header = |name: &'static str| Some((name, clean(headers.get(name)?.as_bytes())));
        let text = clean(body);
        let Notes { replacements, recording } = &mut *self.0.lock();
        let path = replacements.path(&call.path);
        let ids = IDS.into_iter().filter_map(header);
        let ids = ids.map(|(name, id)| (name, replacements.text(&id))).collect::<Vec<_>>();
        let query = call.query.iter().map(|(name, value)| (*name, replacements.word(value)));
        let query = query.collect::<Vec<_>>();
        let query = query.iter().map(|(name, value)| (*name, &**value)).collect::<Vec<_>>();
        let body = replacements.json(&text);
        let is_lost = body.is_none() && !text.is_empty();
        recording.push(&Exchange {
            operation: call.operation.as_str(),
            method: call.method().as_str(),
            path,
            query: canonical_query(&query),
            status,
            headers: HEADERS.into_iter().filter_map(header).chain(ids).collect(),
            left_out: is_lost.then(|| format!("{} bytes that are not JSON", text.len())),
            body,
        });
    }

    /// Notes that an exchange took place whose content is secret.
    pub(super) fn note_secret(&self, operation: Operation, status: u16) {
        let why = "everything else: it issues credentials";
        let line = json!({"operation": operation.as_str(), "status": status, "left_out": why});
        self.0.lock().recording.push(&line);
    }

    /// The recording, once.
    pub fn finish(&self) -> Recording {
        std::mem::take(&mut self.0.lock().recording)
    }
}

impl Recording {
    fn push(&mut self, exchange: &impl Serialize) {
        match json_line(exchange) {
            Ok(line)
                if self.exchanges < MOST_EXCHANGES && self.text.len() + line.len() < MOST_BYTES =>
            {
                self.text.extend(line);
                self.text.push(b'\n');
                self.exchanges += 1;
            }
            _ => self.left_out += 1,
        }
    }
}

#[cfg(test)]
mod tests;
