//! The words of the project as types: ids, statuses, connections. No IO.
//!
//! Ids are checked when they are made, so that every later use (a URL path, a label) is safe. Serde is
//! there for the state file only; what the cloud and the API's callers send is decoded elsewhere.

mod cluster;
mod connection;
mod service;

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::label::labels;

pub use cluster::{ClusterList, Label, Labels, ListedCluster};
pub use connection::{Connection, ConnectionFields, Connections};
pub use service::{
    EndpointService, Field, FieldValue, PortMapping, ServiceFields, ServiceStatus, TcpProxy,
};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        $(#[$doc])*
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident: $is_valid:expr, $expected:literal) => {
        text_id! {
            $(#[$doc])*
            #[serde(try_from = "String")]
            $name
        }

        impl $name {
            #[doc = concat!("Takes ", $expected, "; any other text is an error that says so.")]
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if $is_valid(text) { Ok(Self(text.into())) } else { Err(InvalidId($expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }
    };
}

text_id! {
    /// A CSS cluster: a UUID in lower case (CSS API Reference, "Obtaining an Endpoint Connection",
    /// Table 1). Safe in a URL path.
    ClusterId: is_uuid, "a UUID in lower case, like 5c77b71c-5b35-4f50-8984-76387e42451a"
}
text_id! {
    /// A project: 32 lower-case letters and digits (same page). Safe in a URL path.
    ProjectId: is_project_id, "32 lower-case letters and digits"
}
text_id! {
    /// A region: 1 to 64 lower-case letters, digits and inner hyphens. Safe in a host name.
    RegionId: is_region_id, "a region id like cn-north-4"
}
text_id! {
    /// An endpoint service: a UUID in lower case. Safe in a URL path.
    ServiceId: is_uuid, "a UUID in lower case, like 4189d3c2-8882-4871-a3c2-d380272eed88"
}
text_id! {
    /// The id of a VPC endpoint, as the cloud gives it. It is only ever shown.
    EndpointId
}

/// The reason why a text is not an id of the wanted kind.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidId(&'static str);

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for InvalidId {}

impl EndpointId {
    /// Takes any text: the cloud chooses it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
}

fn is_project_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn is_region_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// True if a text is a UUID in lower case: 8-4-4-4-12 hexadecimal digits.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

labels! {
    /// The status of a connection: the two that the CSS document lists, the four more of the endpoint
    /// service behind it (VPCEP API Reference, "Querying Connections of a VPC Endpoint Service"), and
    /// [`Status::Unknown`] for any other word.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub enum Status {
        /// In use.
        Accepted = "accepted",
        /// Refused by the owner of the service.
        Rejected = "rejected",
        /// Waits for the owner's approval.
        PendingAcceptance = "pendingAcceptance",
        /// Being built.
        Creating = "creating",
        /// Could not be built.
        Failed = "failed",
        /// Going away.
        Deleting = "deleting",
        /// A word that this version does not know.
        Unknown = "unknown",
    }
}

impl Status {
    /// The status of that word, if it is one of the documented six.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL[..6].iter().copied().find(|status| status.as_str() == word)
    }
}

labels! {
    /// The decision of a service's owner about a connection (CSS API Reference, "Updating an Endpoint
    /// Connection").
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Decision {
        /// It may be used.
        Accept = "accept",
        /// It is cut off; its addresses stay.
        Reject = "reject",
    }
}

impl Decision {
    /// The status that a connection has afterwards.
    pub const fn status(self) -> Status {
        match self {
            Self::Accept => Status::Accepted,
            Self::Reject => Status::Rejected,
        }
    }
}

/// A value for each status, in the order of [`Status::ALL`]; `status as usize` is its place.
pub type ByStatus<T> = [T; Status::ALL.len()];

/// The result of one walk through a cluster's pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionList {
    /// False when the cloud says that the cluster has no endpoint service (`CSS.5182`).
    pub service_enabled: bool,
    /// True if every connection that the cloud reports was read.
    pub complete: bool,
    /// `total_count`, if sent.
    pub reported: Option<u64>,
    /// `vpcepUpdateSwitch`, if sent.
    pub update_switch: Option<bool>,
    /// The number of entries in the whitelist (`permissions`), if sent.
    pub permissions: Option<u64>,
    /// `vpcServiceName`, if sent.
    pub service_name: Option<ServiceName>,
    /// The connections, each id once, in the order of their ids.
    pub connections: Vec<Connection>,
}

impl ConnectionList {
    /// A cluster without an endpoint service (`CSS.5182`), hence without connections, read completely.
    pub fn service_not_enabled() -> Self {
        Self {
            service_enabled: false,
            complete: true,
            reported: None,
            update_switch: None,
            permissions: None,
            service_name: None,
            connections: Vec::new(),
        }
    }

    /// The number of connections with each status.
    pub fn counts(&self) -> ByStatus<u64> {
        let mut counts = ByStatus::default();
        for connection in &self.connections {
            counts[connection.status as usize] += 1;
        }
        counts
    }
}

/// The full name of an endpoint service: `<region>.<service id>` or `<region>.<name>.<service id>`
/// (VPCEP API Reference, "Creating a VPC Endpoint Service").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceName(Box<str>);

impl ServiceName {
    /// Takes any text: the cloud chooses it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that its owner gave it: the middle of `<region>.<name>.<id>`, empty where there is
    /// none. A name without dots is taken as it is (the document's own example answers with one).
    pub fn short_name(&self) -> &str {
        let Some((_, rest)) = self.0.split_once('.') else {
            return if is_uuid(&self.0) { "" } else { &self.0 };
        };
        match rest.rsplit_once('.') {
            Some((name, id)) if is_uuid(id) => name,
            _ => "",
        }
    }

    /// The service id inside the name; empty where the last part is no UUID, as with the gateway
    /// services of the provider.
    pub fn service_id(&self) -> &str {
        match self.0.rsplit_once('.') {
            Some((_, last)) if is_uuid(last) => last,
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_leave_their_place_in_a_url_are_refused() {
        let uuid = "5c77b71c-5b35-4f50-8984-76387e42451a";
        assert_eq!(ClusterId::parse(uuid).map(|id| id.to_string()), Ok(uuid.to_owned()));
        let bad = ["", "..", "../../v3/auth/tokens", "5C77B71C-5B35-4F50-8984-76387E42451A", "a?b"];
        for text in bad {
            assert!(ClusterId::parse(text).is_err(), "{text}");
            assert!(ServiceId::parse(text).is_err(), "{text}");
            assert!(ProjectId::parse(text).is_err(), "{text}");
        }
        assert!(ClusterId::parse(&format!("{uuid} ")).is_err());
        assert!(ClusterId::parse("5c77b71c-5b35-4f50-8984-76387e42451g").is_err());
        assert!(ProjectId::parse("6e9dfd51d1124e8d8498dce894923a0d").is_ok());
        assert!(ProjectId::parse("6E9dfd51d1124e8d8498dce894923a0d").is_err());
        for text in ["cn-north-4", "eu-de", "x"] {
            assert!(RegionId::parse(text).is_ok(), "{text}");
        }
        for text in ["", "-", "cn-", "a.b", "a/b", "a@b", "CN-north-4"] {
            assert!(RegionId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_status_word_is_read_back_and_unknown_is_no_word() {
        for (index, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, index);
            let known = status != Status::Unknown;
            assert_eq!(Status::from_word(status.as_str()), known.then_some(status));
        }
        assert_eq!(Status::from_word("Accepted"), None);
    }

    #[test]
    fn the_service_id_is_the_last_part_of_the_name_if_it_is_a_uuid() {
        let id = "cf072729-b076-49db-83d3-020dc9f589bd";
        let cases = [
            (format!("cn-north-4.css-op-no-delete.{id}"), id),
            (format!("eu-de.{id}"), id),
            ("com.t-systems.otc.eu-de.obs".to_owned(), ""),
            (id.to_owned(), ""),
            (String::new(), ""),
        ];
        for (name, expected) in cases {
            assert_eq!(ServiceName::new(&name).service_id(), expected, "{name}");
        }
    }

    #[test]
    fn the_short_name_is_between_the_region_and_the_id() {
        let id = "cf072729-b076-49db-83d3-020dc9f589bd";
        let cases = [
            (format!("cn-north-4.css-op-no-delete.{id}"), "css-op-no-delete"),
            (format!("eu-de.a.b.{id}"), "a.b"),
            (format!("eu-de.{id}"), ""),
            ("com.t-systems.otc.eu-de.obs".to_owned(), ""),
            (id.to_owned(), ""),
            ("test123".to_owned(), "test123"),
        ];
        for (name, expected) in cases {
            assert_eq!(ServiceName::new(&name).short_name(), expected, "{name}");
        }
    }
}
