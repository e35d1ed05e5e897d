//! A VPC endpoint that is connected to the endpoint service of a cluster.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::sim::{account::REGION, rng::Rng};

/// The statuses that connections take by themselves in the simulated world
/// (VPCEP API Reference, Querying Connections of a VPC Endpoint Service).
pub(crate) const ACCEPTED: &str = "accepted";
pub(crate) const REJECTED: &str = "rejected";
pub(crate) const CREATING: &str = "creating";
pub(crate) const PENDING: &str = "pendingAcceptance";
pub(crate) const DELETING: &str = "deleting";

/// A value that the API leaves out (`None`), sends as null (`Some(None)`), or sends.
pub(crate) type Field<T> = Option<Option<T>>;

/// Reads a value that is present, so that null differs from a missing key.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Field<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

type Text = Box<str>;

/// A connection. Its JSON is the truth for tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    pub(crate) id: Text,
    /// Any text, so that a test can set a status that the cloud may send one day.
    pub(crate) status: Cow<'static, str>,
    pub(crate) max_sessions: u32,
    pub(crate) specification_name: Cow<'static, str>,
    pub(crate) created_at: Timestamp,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) update_at: Field<Timestamp>,
    pub(crate) domain_id: Text,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Field<Text>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) ipv6: Field<Text>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) dns_name: Field<Text>,
    /// The IPv4 and the IPv6 address, until the first acceptance shows them.
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
        let ip = Some(Some(format!("10.{}.{net}.{host}", cluster % 256).into()));
        // IPv6 addresses only with dual stack, a name only where DNS was enabled
        // (CSS API Reference, Obtaining an Endpoint Connection, Function).
        let ipv6 = match rng.below(8) {
            0 => Some(Some(format!("fd00:{:x}::{:x}", cluster % 0xffff + 1, number + 1).into())),
            1 => Some(None),
            _ => None,
        };
        let dns_name = match rng.below(4) {
            0 => None,
            1 => Some(None),
            _ => Some(Some(format!("vpcep-{id}.{REGION}.sim.internal").into())),
        };
        Self {
            status: Cow::Borrowed(CREATING),
            max_sessions: if rng.chance(90) { 3_000 } else { 1_000 },
            specification_name: Cow::Borrowed("default"),
            created_at,
            update_at: Some(None),
            domain_id: domains[rng.index(domains.len())].clone(),
            ip: None,
            ipv6: None,
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
