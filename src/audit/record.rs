//! A record, and the one line of JSON that it is in the file.
//!
//! A line has sixteen members, always all of them and in this order; those that do not apply are
//! null. A line about a cluster has two more, `cluster_id` and `cluster_name`, after `service_name`.
//! Lines of older versions have no `service_name`; they are read and checked like the others.
//! `hash` is the SHA-256, in lower-case hexadecimal digits, of the bytes of the line before the comma
//! that precedes `"hash"`. `prev` is the `hash` of the record before, and 64 zeros in the very first
//! one. So the last hash stands for everything before it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    ChangeId,
    error::{AuditError, Fault, MAX_LINE_BYTES},
};
use crate::{
    label::{self, Label as _, labels},
    model::{ClusterId, ServiceId},
    text::{self, json_line},
};

labels! {
    /// The subject of a record; its word in the file.
    #[derive(Default)]
    pub enum Kind {
        /// A change is about to be sent.
        Intent = "intent",
        /// The outcome of a change.
        Outcome = "outcome",
        /// A request was refused.
        Denied = "denied",
        /// The log was opened, or can be written again.
        #[default]
        Opened = "opened",
    }
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash before the first record of all.
    pub const ZERO: Self = Self([0; 32]);

    fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    fn parse(text: &str) -> Option<Self> {
        text::from_hex(text).map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::to_hex(&self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A record apart from its place in the chain.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Content {
    /// Its kind.
    #[serde(serialize_with = "label::serde::serialize")]
    pub kind: Kind,
    /// The change it belongs to.
    pub change_id: Option<ChangeId>,
    /// The name of the token.
    pub actor: Option<Box<str>>,
    /// The address of the client.
    pub remote: Option<Box<str>>,
    /// The name of the project.
    pub project: Option<Box<str>>,
    /// The endpoint service.
    pub service_id: Option<ServiceId>,
    /// The name of the service in the configuration at that time.
    pub service_name: Option<Box<str>>,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<ClusterId>,
    /// The name of the cluster in the configuration at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<Box<str>>,
    /// The state before the change.
    pub before: Option<Value>,
    /// The request; of refusals, their count.
    pub request: Option<Value>,
    /// The differences that the change makes, or made.
    pub diff: Option<Value>,
    /// The cloud's answer.
    pub cloud: Option<Value>,
    /// The outcome of a change, the reason of a denial, or why the log was opened.
    pub outcome: Option<Box<str>>,
}

/// The outcome of an intent that nothing followed.
pub const NOT_SENT: &str = "not_sent";

/// A record that is on the disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Content {
    /// The record of the outcome of this intent's change, with only the word for it.
    pub fn ended(&self, outcome: &str) -> Self {
        Self {
            kind: Kind::Outcome,
            before: None,
            request: None,
            diff: None,
            cloud: None,
            outcome: Some(outcome.into()),
            ..self.clone()
        }
    }

    /// The outcome to record if the change of this intent is never sent.
    pub(super) fn not_sent(&self) -> Option<Self> {
        (self.kind == Kind::Intent).then(|| self.ended(NOT_SENT))
    }

    /// Only its kind.
    pub fn empty(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The record of a refused request; `reason` is one of a closed list.
    pub fn denied(reason: &str, remote: &str) -> Self {
        let (outcome, remote) = (Some(reason.into()), Some(remote.into()));
        Self { outcome, remote, ..Self::empty(Kind::Denied) }
    }

    /// The same record, about an endpoint service of a project.
    #[must_use]
    pub fn of_service(self, project: &str, id: &ServiceId, name: &str) -> Self {
        let (service_id, service_name) = (Some(id.clone()), Some(name.into()));
        Self { project: Some(project.into()), service_id, service_name, ..self }
    }

    /// The same record, about a cluster of a project.
    #[must_use]
    pub fn of_cluster(self, project: &str, id: &ClusterId, name: &str) -> Self {
        let (cluster_id, cluster_name) = (Some(id.clone()), Some(name.into()));
        Self { project: Some(project.into()), cluster_id, cluster_name, ..self }
    }
}

/// A record with its place in the chain. It serializes to the members of its line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// Its number, from 1, without gaps, over all files of the log.
    pub seq: u64,
    /// When it was written, to the millisecond.
    #[serde(serialize_with = "to_the_millisecond")]
    pub time: Timestamp,
    /// Its content.
    #[serde(flatten)]
    pub content: Content,
    /// The hash of the record before.
    pub prev: Hash,
    /// Its own hash.
    pub hash: Hash,
}

impl Record {
    /// Makes the record that follows `prev`, and its line with the line feed.
    pub(super) fn seal(
        seq: u64,
        time: Timestamp,
        content: Content,
        prev: Hash,
    ) -> Result<(Self, Vec<u8>), AuditError> {
        let time = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time);
        let unsealed = Unsealed { seq, time, content: &content, prev };
        let mut line =
            json_line(&unsealed).map_err(|error| AuditError::Unreadable(error.to_string()))?;
        line.pop();
        let record = Self { seq, time, content, prev, hash: Hash::of(&line) };
        line.extend_from_slice(format!("{HASH_MEMBER}{}\"}}\n", record.hash).as_bytes());
        if line.len() > MAX_LINE_BYTES {
            return Err(AuditError::TooLong { bytes: line.len() });
        }
        match Self::parse(&line[..line.len() - 1]) {
            Ok(_) => Ok((record, line)),
            // Nested so deeply that it could not be read again.
            Err(fault) => Err(AuditError::Unreadable(fault.to_string())),
        }
    }

    /// Reads a line, without its line feed, and checks its hash.
    ///
    /// # Errors
    /// If it is no record, or its hash is not that of the line.
    pub fn parse(line: &[u8]) -> Result<Self, Fault> {
        let not_a_record = |why: String| Fault::NotARecord(why);
        let wire: Wire =
            serde_json::from_slice(line).map_err(|error| not_a_record(error.to_string()))?;
        let record = Self::try_from(wire).map_err(|why| not_a_record(why.to_owned()))?;
        let seal_length = HASH_MEMBER.len() + 64 + 2;
        let sealed = line.len().checked_sub(seal_length).map(|at| line.split_at(at));
        let (hashed, seal) = sealed.ok_or_else(|| not_a_record("it is too short".into()))?;
        if !seal.starts_with(HASH_MEMBER.as_bytes()) || !seal.ends_with(b"\"}") {
            return Err(not_a_record("it does not end in its hash".into()));
        }
        if Hash::of(hashed) != record.hash {
            return Err(Fault::Hash);
        }
        Ok(record)
    }
}

const HASH_MEMBER: &str = ",\"hash\":\"";

/// A record up to and without its hash.
#[derive(Serialize)]
struct Unsealed<'a> {
    seq: u64,
    #[serde(serialize_with = "to_the_millisecond")]
    time: Timestamp,
    #[serde(flatten)]
    content: &'a Content,
    prev: Hash,
}

fn to_the_millisecond<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    seq: u64,
    time: String,
    kind: String,
    change_id: Option<String>,
    actor: Option<Box<str>>,
    remote: Option<Box<str>>,
    project: Option<Box<str>>,
    service_id: Option<String>,
    service_name: Option<Box<str>>,
    cluster_id: Option<String>,
    cluster_name: Option<Box<str>>,
    before: Option<Value>,
    request: Option<Value>,
    diff: Option<Value>,
    cloud: Option<Value>,
    outcome: Option<Box<str>>,
    prev: String,
    hash: String,
}

impl TryFrom<Wire> for Record {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, &'static str> {
        let change_id =
            wire.change_id.map(|id| ChangeId::parse(&id).ok_or("its change_id is none"));
        let service_id =
            wire.service_id.map(|id| ServiceId::parse(&id).map_err(|_| "its service_id is none"));
        let cluster_id =
            wire.cluster_id.map(|id| ClusterId::parse(&id).map_err(|_| "its cluster_id is none"));
        let content = Content {
            kind: Kind::from_str(&wire.kind).ok_or("its kind is not known")?,
            change_id: change_id.transpose()?,
            actor: wire.actor,
            remote: wire.remote,
            project: wire.project,
            service_id: service_id.transpose()?,
            service_name: wire.service_name,
            cluster_id: cluster_id.transpose()?,
            cluster_name: wire.cluster_name,
            before: wire.before,
            request: wire.request,
            diff: wire.diff,
            cloud: wire.cloud,
            outcome: wire.outcome,
        };
        Ok(Self {
            seq: wire.seq,
            time: wire.time.parse().map_err(|_| "its time is none")?,
            content,
            prev: Hash::parse(&wire.prev).ok_or("its prev is no SHA-256")?,
            hash: Hash::parse(&wire.hash).ok_or("its hash is no SHA-256")?,
        })
    }
}
