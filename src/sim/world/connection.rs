//! One VPC endpoint that is connected to the endpoint service of a cluster.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::{account::REGION, rng::Rng};

/// Statuses that connections of the simulated world take by themselves
/// (VPCEP API Reference, Querying Connections of a VPC Endpoint Service).
pub(crate) const ACCEPTED: &str = "accepted";
pub(crate) const REJECTED: &str = "rejected";
pub(crate) const CREATING: &str = "creating";
pub(crate) const PENDING: &str = "pendingAcceptance";
pub(crate) const DELETING: &str = "deleting";

/// Something the API leaves out, sends as null, or sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

type Text = Box<str>;

/// One connection; as JSON, the truth for tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    pub(crate) id: Text,
    /// Any text, so that a test can set what the cloud may send one day.
    pub(crate) status: Cow<'static, str>,
    pub(crate) max_sessions: u32,
    pub(crate) specification_name: Cow<'static, str>,
    pub(crate) created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub(crate) update_at: Field<Timestamp>,
    pub(crate) domain_id: Text,
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub(crate) ip: Field<Text>,
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub(crate) ipv6: Field<Text>,
    #[serde(default, skip_serializing_if = "Field::is_absent")]
    pub(crate) dns_name: Field<Text>,
    /// IPv4 and IPv6 as they are from the first acceptance on.
    #[serde(skip)]
    pub(crate) hidden: Option<(Field<Text>, Field<Text>)>,
}

impl Connection {
    /// A connection that has just been asked for.
    pub(crate) fn new(
        rng: &mut Rng,
        cluster: usize,
        number: u32,
        created_at: Timestamp,
        domains: &[Text],
    ) -> Self {
        let id: Text = rng.uuid().into();
        let (net, host) = (number / 250 % 256, number % 250 + 2);
        let ip = Field::Value(format!("10.{}.{net}.{host}", cluster % 256).into());
        // IPv6 addresses only with dual stack, a name only where DNS was enabled
        // (CSS API Reference, Obtaining an Endpoint Connection, Function).
        let ipv6 = match rng.below(8) {
            0 => Field::Value(format!("fd00:{:x}::{:x}", cluster % 0xffff + 1, number + 1).into()),
            1 => Field::Null,
            _ => Field::Absent,
        };
        let dns_name = match rng.below(4) {
            0 => Field::Absent,
            1 => Field::Null,
            _ => Field::Value(format!("vpcep-{id}.{REGION}.sim.internal").into()),
        };
        Self {
            status: Cow::Borrowed(CREATING),
            max_sessions: if rng.chance(90) { 3_000 } else { 1_000 },
            specification_name: Cow::Borrowed("default"),
            created_at,
            update_at: Field::Null,
            domain_id: domains[rng.index(domains.len())].clone(),
            ip: Field::Absent,
            ipv6: Field::Absent,
            dns_name,
            hidden: Some((ip, ipv6)),
            id,
        }
    }

    /// Sets a status; the addresses appear with the first acceptance.
    pub(crate) fn take_status(&mut self, status: Cow<'static, str>) {
        if status == ACCEPTED {
            self.show_addresses();
        }
        self.status = status;
    }

    pub(crate) fn show_addresses(&mut self) {
        if let Some((ip, ipv6)) = self.hidden.take() {
            (self.ip, self.ipv6) = (ip, ipv6);
        }
    }
}
