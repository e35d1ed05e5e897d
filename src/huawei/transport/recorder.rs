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
const HEADERS: [&str; 5] =
    ["content-type", "date", "retry-after", "x-iam-trace-id", "x-request-id"];

/// Notes exchanges with the cloud.
#[derive(Debug)]
pub struct Recorder {
    regions: Vec<RegionId>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    exchanges: Vec<Exchange>,
    bytes: usize,
    left_out: usize,
}

/// An exchange as it was, but for secrets; as JSON, a line of the recording.
#[derive(Debug, Serialize)]
struct Exchange {
    operation: &'static str,
    #[serde(flatten)]
    request: Option<Asked>,
    status: u16,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
}

#[derive(Debug, Serialize)]
struct Asked {
    method: String,
    path: String,
    #[serde(serialize_with = "as_query")]
    query: Vec<(String, String)>,
}

fn as_query<S: serde::Serializer>(
    pairs: &[(String, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    serializer.serialize_str(&canonical_query(&pairs))
}

/// The first line of a recording.
#[derive(Serialize)]
struct Head<'a> {
    recording: u32,
    made_by: &'a str,
    regions: &'a [RegionId],
}

/// A finished recording.
#[derive(Debug)]
pub struct Recording {
    /// The text: JSON, an object a line.
    pub text: Vec<u8>,
    /// The exchanges in it.
    pub exchanges: usize,
    /// Exchanges that there was no room for.
    pub left_out: usize,
}

impl Recorder {
    /// A recorder of projects in these regions, whose names stay.
    pub fn new(regions: Vec<RegionId>) -> Self {
        Self { regions, notes: Mutex::default() }
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
        let query = call.query.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let header = |name: &'static str| Some((name, clean(headers.get(name)?.as_bytes())));
        self.push(Exchange {
            operation: call.operation.as_str(),
            request: Some(Asked {
                method: call.method().to_string(),
                path: call.path.clone(),
                query: query.collect(),
            }),
            status,
            headers: HEADERS.into_iter().filter_map(header).collect(),
            body: Some(clean(body)),
            left_out: None,
        });
    }

    /// Notes that an exchange took place whose content is secret.
    pub(super) fn note_secret(&self, operation: Operation, status: u16) {
        self.push(Exchange {
            operation: operation.as_str(),
            request: None,
            status,
            headers: BTreeMap::new(),
            body: None,
            left_out: Some("everything else: it issues credentials".into()),
        });
    }

    fn push(&self, exchange: Exchange) {
        let notes = &mut *self.notes.lock();
        let bytes = notes.bytes + exchange.body.as_ref().map_or(0, String::len);
        if notes.exchanges.len() == MOST_EXCHANGES || bytes > MOST_BYTES {
            notes.left_out += 1;
            return;
        }
        notes.bytes = bytes;
        notes.exchanges.push(exchange);
    }

    /// Replaces ids, names, addresses and accounts, and writes everything down.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn finish(&self) -> serde_json::Result<Recording> {
        let Notes { exchanges, left_out, .. } = std::mem::take(&mut *self.notes.lock());
        let mut replacements = Replacements::new(&self.regions);
        let made_by = super::USER_AGENT;
        let mut text = json_line(&Head { recording: 1, made_by, regions: &self.regions })?;
        text.push(b'\n');
        let count = exchanges.len();
        for exchange in exchanges {
            text.extend(json_line(&exchange.replaced(&mut replacements))?);
            text.push(b'\n');
        }
        Ok(Recording { text, exchanges: count, left_out })
    }
}

impl Exchange {
    fn replaced(mut self, replacements: &mut Replacements) -> Self {
        if let Some(Asked { path, query, .. }) = &mut self.request {
            *path = replacements.path(path);
            query.iter_mut().for_each(|(_, value)| *value = replacements.word(value));
        }
        for id in ["x-iam-trace-id", "x-request-id"] {
            self.headers.entry(id).and_modify(|value| *value = replacements.text(value));
        }
        if let Some(body) = self.body.take() {
            self.body = replacements.json(&body);
            let is_json = self.body.is_some() || body.is_empty();
            self.left_out = (!is_json).then(|| format!("{} bytes that are not JSON", body.len()));
        }
        self
    }
}

#[cfg(test)]
mod tests;
