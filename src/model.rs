//! The words of the project as types: ids, statuses, connections. No IO and no serde.
//!
//! Ids are checked when they are made, so that every later use (a URL path, a label) is safe.

mod connection;
mod service;

use std::{fmt, sync::Arc};

pub use connection::{Connection, ConnectionFields, Connections};
pub use service::{
    EndpointService, Field, FieldValue, PortMapping, ServiceFields, ServiceStatus, TcpProxy,
};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
}

text_id! {
    /// A CSS cluster: a UUID in lower case (CSS API Reference, "Obtaining an Endpoint Connection",
    /// Table 1). Safe in a URL path.
    ClusterId
}
text_id! {
    /// A project: 32 lower-case letters and digits (same page). Safe in a URL path.
    ProjectId
}
text_id! {
    /// A region such as `cn-north-4`. Safe in a host name.
    RegionId
}
text_id! {
    /// An endpoint service: a UUID in lower case. Safe in a URL path.
    ServiceId
}
text_id! {
    /// The id of a VPC endpoint, as the cloud gives it. It is only ever shown.
    EndpointId
}

/// Why a text is not an id of the wanted kind.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidId(&'static str);

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl std::error::Error for InvalidId {}

impl ClusterId {
    /// Takes a UUID in lower case, else says what was expected.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_uuid(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId("a UUID in lower case, like 5c77b71c-5b35-4f50-8984-76387e42451a"))
        }
    }
}

impl ServiceId {
    /// Takes a UUID in lower case, else says what was expected.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if is_uuid(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId("a UUID in lower case, like 4189d3c2-8882-4871-a3c2-d380272eed88"))
        }
    }
}

impl ProjectId {
    /// Takes 32 lower-case letters and digits, else says what was expected.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId("32 lower-case letters and digits"))
        }
    }
}

impl RegionId {
    /// Takes 1 to 64 lower-case letters, digits and inner hyphens, else says what was expected.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || (b == b'-' && text.len() > 1);
        let ok = (1..=64).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if ok { Ok(Self(text.into())) } else { Err(InvalidId("a region id like cn-north-4")) }
    }
}

impl EndpointId {
    /// Takes any text: the cloud chooses it.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
}

/// Whether a text is a UUID in lower case: 8-4-4-4-12 hexadecimal digits.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

/// The status of a connection: the two that the CSS document lists, the four more of the endpoint
/// service behind it (VPCEP API Reference, "Querying Connections of a VPC Endpoint Service"), and
/// [`Status::Unknown`] for whatever comes one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// In use.
    Accepted,
    /// Refused by the owner of the service.
    Rejected,
    /// Waits for the owner's approval.
    PendingAcceptance,
    /// Being built.
    Creating,
    /// Could not be built.
    Failed,
    /// Going away.
    Deleting,
    /// A word that this version does not know.
    Unknown,
}

impl Status {
    /// All statuses, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Rejected,
        Self::PendingAcceptance,
        Self::Creating,
        Self::Failed,
        Self::Deleting,
        Self::Unknown,
    ];

    /// The API's word, which is also the label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::PendingAcceptance => "pendingAcceptance",
            Self::Creating => "creating",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Unknown => "unknown",
        }
    }

    /// The status of that word, if it is one of the documented six.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL[..6].iter().copied().find(|status| status.as_str() == word)
    }
}

/// What one walk through a cluster's pages found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionList {
    /// False when the cloud says that the cluster has no endpoint service (`CSS.5182`).
    pub service_enabled: bool,
    /// Whether every connection that the cloud reports was read.
    pub complete: bool,
    /// `total_count`, if sent.
    pub reported: Option<u64>,
    /// `vpcepUpdateSwitch`, if sent.
    pub update_switch: Option<bool>,
    /// How many entries the whitelist (`permissions`) has, if sent.
    pub permissions: Option<u64>,
    /// `vpcServiceName`, if sent.
    pub service_name: Option<ServiceName>,
    /// The connections, each id once, in the order of their ids.
    pub connections: Vec<Connection>,
}

impl ConnectionList {
    /// What `CSS.5182` means: no endpoint service, hence no connections, and that is complete.
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

    /// How many connections have each status, in the order of [`Status::ALL`].
    pub fn counts(&self) -> [u64; 7] {
        let mut counts = [0; 7];
        for connection in &self.connections {
            counts[connection.status as usize] += 1;
        }
        counts
    }
}

/// The full name of an endpoint service: `<region>.<service id>` or `<region>.<name>.<service id>`
/// (VPCEP API Reference, "Creating a VPC Endpoint Service").
#[derive(Clone, Debug, PartialEq, Eq)]
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
