//! A cluster's line: the same facts as [`ClusterState`], as words, numbers and RFC 3339 dates.
//!
//! Left out are the next poll, which the schedule knows, and what is empty or absent.

use std::{borrow::Cow, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    board::{ClusterMeta, ClusterState, Observation, PollRecord, Transition},
    cloud::{CloudError, Reason, Trace},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, Connections, EndpointId,
        InvalidId, RegionId, ServiceName, Status,
    },
};

type Text<'a> = Cow<'a, str>;

#[derive(Serialize, Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    region: Text<'a>,
    #[serde(borrow)]
    project: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    interval: Duration,
    transitions: [u64; 7],
    #[serde(borrow)]
    recent_transitions: Vec<TransitionRecord<'a>>,
    #[serde(borrow)]
    polls: Vec<PollLine<'a>>,
    #[serde(borrow)]
    observation: Option<ObservationRecord<'a>>,
    /// Absent from files of the first versions, like the next field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service_switched: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<Date>,
}

#[derive(Serialize, Deserialize)]
struct TransitionRecord<'a> {
    at: Date,
    #[serde(borrow)]
    endpoint_id: Text<'a>,
    from: Word<Status>,
    to: Word<Status>,
}

#[derive(Serialize, Deserialize)]
struct PollLine<'a> {
    at: Date,
    duration: Duration,
    pages: u32,
    requests: u32,
    retries: u32,
    request_ids: Cow<'a, [String]>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorRecord<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ErrorRecord<'a> {
    reason: Word<Reason>,
    status: Option<u16>,
    code: Option<Text<'a>>,
    #[serde(borrow)]
    message: Text<'a>,
    request_id: Option<Text<'a>>,
    retry_after: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
struct ObservationRecord<'a> {
    at: Date,
    service_enabled: bool,
    complete: bool,
    reported: Option<u64>,
    update_switch: Option<bool>,
    permissions: Option<u64>,
    service_name: Option<Text<'a>>,
    #[serde(borrow)]
    connections: Vec<ConnectionRecord<'a>>,
}

/// Most of the file: what is absent is left out, which saves a third of it.
#[derive(Serialize, Deserialize)]
struct ConnectionRecord<'a> {
    #[serde(borrow)]
    endpoint_id: Text<'a>,
    status: Word<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_changed: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_sessions: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<Date>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    specification_name: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    domain_id: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    ip: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    ipv6: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    dns_name: Text<'a>,
}

/// RFC 3339, to the nanosecond.
struct Date(Timestamp);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde_json borrows a text that has nothing escaped, and a date has not.
        <&str>::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// One of a closed list, by its word.
struct Word<T>(T);

macro_rules! word {
    ($type:ty) => {
        impl Serialize for Word<$type> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.0.as_str())
            }
        }

        impl<'de> Deserialize<'de> for Word<$type> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <&str>::deserialize(deserializer)?;
                <$type>::ALL
                    .into_iter()
                    .find(|value| value.as_str() == word)
                    .map(Self)
                    .ok_or_else(|| D::Error::custom(format_args!("{word:?} is no word known here")))
            }
        }
    };
}

word!(Status);
word!(Reason);

impl<'a> From<&'a ClusterState> for Record<'a> {
    fn from(state: &'a ClusterState) -> Self {
        let meta = &*state.meta;
        Self {
            region: meta.region.as_str().into(),
            project: (&*meta.project).into(),
            id: meta.id.as_str().into(),
            name: (&*meta.name).into(),
            interval: meta.interval,
            transitions: state.transitions,
            recent_transitions: state.recent_transitions.iter().map(Into::into).collect(),
            polls: state.polls.iter().map(|poll| (&**poll).into()).collect(),
            observation: state.observation.as_deref().map(Into::into),
            service_switched: state.service_switched.map(Date),
            failing_since: state.failing_since.map(Date),
        }
    }
}

impl TryFrom<Record<'_>> for ClusterState {
    type Error = String;

    fn try_from(record: Record<'_>) -> Result<Self, String> {
        let invalid = |error: InvalidId| error.to_string();
        let meta = ClusterMeta {
            region: RegionId::parse(&record.region).map_err(invalid)?,
            project: record.project.into(),
            id: ClusterId::parse(&record.id).map_err(invalid)?,
            name: record.name.into(),
            interval: record.interval,
        };
        Ok(Self {
            meta: Arc::new(meta),
            observation: record.observation.map(|observation| Arc::new(observation.into())),
            service_switched: record.service_switched.map(|Date(at)| at),
            failing_since: record.failing_since.map(|Date(at)| at),
            transitions: record.transitions,
            recent_transitions: record.recent_transitions.into_iter().map(Into::into).collect(),
            polls: record.polls.into_iter().map(|poll| Arc::new(poll.into())).collect(),
            next_poll: None,
        })
    }
}

impl<'a> From<&'a Transition> for TransitionRecord<'a> {
    fn from(transition: &'a Transition) -> Self {
        Self {
            at: Date(transition.at),
            endpoint_id: transition.endpoint_id.as_str().into(),
            from: Word(transition.from),
            to: Word(transition.to),
        }
    }
}

impl From<TransitionRecord<'_>> for Transition {
    fn from(record: TransitionRecord<'_>) -> Self {
        Self {
            at: record.at.0,
            endpoint_id: EndpointId::new(&record.endpoint_id),
            from: record.from.0,
            to: record.to.0,
        }
    }
}

impl<'a> From<&'a PollRecord> for PollLine<'a> {
    fn from(poll: &'a PollRecord) -> Self {
        let Trace { pages, requests, retries, ref request_ids } = poll.trace;
        Self {
            at: Date(poll.at),
            duration: poll.duration,
            pages,
            requests,
            retries,
            request_ids: request_ids.into(),
            error: poll.error.as_ref().map(Into::into),
        }
    }
}

impl From<PollLine<'_>> for PollRecord {
    fn from(line: PollLine<'_>) -> Self {
        let PollLine { at, duration, pages, requests, retries, request_ids, error } = line;
        let request_ids = request_ids.into_owned();
        Self {
            at: at.0,
            duration,
            trace: Trace { pages, requests, retries, request_ids },
            error: error.map(Into::into),
        }
    }
}

impl<'a> From<&'a CloudError> for ErrorRecord<'a> {
    fn from(error: &'a CloudError) -> Self {
        Self {
            reason: Word(error.reason),
            status: error.status,
            code: error.code.as_deref().map(Into::into),
            message: error.message.as_str().into(),
            request_id: error.request_id.as_deref().map(Into::into),
            retry_after: error.retry_after,
        }
    }
}

impl From<ErrorRecord<'_>> for CloudError {
    fn from(record: ErrorRecord<'_>) -> Self {
        Self {
            reason: record.reason.0,
            status: record.status,
            refusal: None,
            code: record.code.map(Cow::into_owned),
            message: record.message.into_owned(),
            request_id: record.request_id.map(Cow::into_owned),
            retry_after: record.retry_after,
            never_sent: false,
            own_limit: false,
            retry_at: None,
        }
    }
}

impl<'a> From<&'a Observation> for ObservationRecord<'a> {
    fn from(observation: &'a Observation) -> Self {
        let list = &observation.list;
        let connections = list.connections.iter().zip(&*observation.seen_changed);
        Self {
            at: Date(observation.at),
            service_enabled: list.service_enabled,
            complete: list.complete,
            reported: list.reported,
            update_switch: list.update_switch,
            permissions: list.permissions,
            service_name: list.service_name.as_ref().map(|name| name.as_str().into()),
            connections: connections
                .map(|(connection, seen)| ConnectionRecord::new(connection, *seen))
                .collect(),
        }
    }
}

impl From<ObservationRecord<'_>> for Observation {
    fn from(record: ObservationRecord<'_>) -> Self {
        let mut connections = Connections::default();
        let mut seen_changed = Vec::with_capacity(record.connections.len());
        for connection in &record.connections {
            connections.push(&connection.fields());
            seen_changed.push(connection.seen_changed.as_ref().map(|Date(at)| *at));
        }
        Self {
            at: record.at.0,
            list: Arc::new(ConnectionList {
                service_enabled: record.service_enabled,
                complete: record.complete,
                reported: record.reported,
                update_switch: record.update_switch,
                permissions: record.permissions,
                service_name: record.service_name.map(|name| ServiceName::new(&name)),
                connections: connections.finish(),
            }),
            seen_changed: seen_changed.into(),
        }
    }
}

impl<'a> ConnectionRecord<'a> {
    fn new(connection: &'a Connection, seen_changed: Option<Timestamp>) -> Self {
        Self {
            endpoint_id: connection.endpoint_id().into(),
            status: Word(connection.status),
            seen_changed: seen_changed.map(Date),
            max_sessions: connection.max_sessions,
            created: connection.created.map(Date),
            updated: connection.updated.map(Date),
            specification_name: connection.specification_name().into(),
            domain_id: connection.domain_id().into(),
            ip: connection.ip().into(),
            ipv6: connection.ipv6().into(),
            dns_name: connection.dns_name().into(),
        }
    }

    fn fields(&self) -> ConnectionFields<'_> {
        let date = |date: &Option<Date>| date.as_ref().map(|Date(at)| *at);
        ConnectionFields {
            endpoint_id: &self.endpoint_id,
            status: self.status.0,
            max_sessions: self.max_sessions,
            created: date(&self.created),
            updated: date(&self.updated),
            specification_name: &self.specification_name,
            domain_id: &self.domain_id,
            ip: &self.ip,
            ipv6: &self.ipv6,
            dns_name: &self.dns_name,
        }
    }
}
