//! Connections, and how many thousands of them fit into memory.
//!
//! A connection has six texts. As strings these would be six allocations and 144 bytes of pointers; here
//! all texts of a list stand one after the other in one shared string, and a connection holds where each
//! of its own begins and how long it is: a third less memory for a fleet.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::Status;

/// A VPC endpoint connected to a cluster's endpoint service.
#[derive(Clone)]
pub struct Connection {
    /// Its present status.
    pub status: Status,
    /// `maxSession`: how many connections the endpoint may have at most; `None` if unparsable.
    pub max_sessions: Option<u64>,
    created_micros: i64,
    updated_micros: i64,
    /// The texts of all connections that came together; none while they are still coming.
    texts: Option<Arc<str>>,
    starts: [u32; TEXTS],
    lengths: [u16; TEXTS],
}

/// In place of a time that is not known. As microseconds since 1970 it is no [`Timestamp`], which has 16
/// bytes, and 24 where it may be missing.
const NO_TIME: i64 = i64::MIN;

fn micros(time: Option<Timestamp>) -> i64 {
    time.map_or(NO_TIME, Timestamp::as_microsecond)
}

fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

/// The fields of a connection, to make one.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionFields<'a> {
    /// The id of the VPC endpoint.
    pub endpoint_id: &'a str,
    /// Its present status.
    pub status: Status,
    /// `maxSession`.
    pub max_sessions: Option<u64>,
    /// `created_at`; kept to the microsecond, as is `update_at`.
    pub created: Option<Timestamp>,
    /// `update_at`.
    pub updated: Option<Timestamp>,
    /// `specificationName`; empty where the cloud gives none, as are the texts below.
    pub specification_name: &'a str,
    /// `domain_id`.
    pub domain_id: &'a str,
    /// `vpcepIp`.
    pub ip: &'a str,
    /// `vpcepIpv6Address`.
    pub ipv6: &'a str,
    /// `vpcepDnsName`.
    pub dns_name: &'a str,
}

impl<'a> ConnectionFields<'a> {
    /// A connection with nothing but its endpoint and status.
    pub const fn bare(endpoint_id: &'a str, status: Status) -> Self {
        Self {
            endpoint_id,
            status,
            max_sessions: None,
            created: None,
            updated: None,
            specification_name: "",
            domain_id: "",
            ip: "",
            ipv6: "",
            dns_name: "",
        }
    }
}

// The places of the texts in `starts` and `lengths`.
const TEXTS: usize = 6;
const ENDPOINT_ID: usize = 0;
const IP: usize = 1;
const IPV6: usize = 2;
const DNS_NAME: usize = 3;
const SPECIFICATION_NAME: usize = 4;
const DOMAIN_ID: usize = 5;

/// The number of connections whose texts a new one may share. More would make a list of strangers slow to
/// build and no smaller.
const NEIGHBOURS: usize = 16;

impl Connection {
    /// The id of the VPC endpoint, as the cloud gives it. It is only ever shown.
    pub fn endpoint_id(&self) -> &str {
        self.text(ENDPOINT_ID)
    }

    /// `specificationName`; empty where the cloud gives none, as are the texts below.
    pub fn specification_name(&self) -> &str {
        self.text(SPECIFICATION_NAME)
    }

    /// `domain_id`: the account that owns the endpoint.
    pub fn domain_id(&self) -> &str {
        self.text(DOMAIN_ID)
    }

    /// `vpcepIp`.
    pub fn ip(&self) -> &str {
        self.text(IP)
    }

    /// `vpcepIpv6Address`.
    pub fn ipv6(&self) -> &str {
        self.text(IPV6)
    }

    /// `vpcepDnsName`.
    pub fn dns_name(&self) -> &str {
        self.text(DNS_NAME)
    }

    /// `created_at`.
    pub fn created(&self) -> Option<Timestamp> {
        time(self.created_micros)
    }

    /// `update_at`; the cloud often has none.
    pub fn updated(&self) -> Option<Timestamp> {
        time(self.updated_micros)
    }

    fn text(&self, which: usize) -> &str {
        let start = self.starts[which] as usize;
        // While its list is still coming, a connection has no texts yet; no one sees it then.
        let texts = self.texts.as_deref().unwrap_or_default();
        &texts[start..start + usize::from(self.lengths[which])]
    }

    /// All that is known of it.
    pub fn fields(&self) -> ConnectionFields<'_> {
        ConnectionFields {
            endpoint_id: self.endpoint_id(),
            status: self.status,
            max_sessions: self.max_sessions,
            created: self.created(),
            updated: self.updated(),
            specification_name: self.specification_name(),
            domain_id: self.domain_id(),
            ip: self.ip(),
            ipv6: self.ipv6(),
            dns_name: self.dns_name(),
        }
    }

    #[cfg(test)]
    pub(crate) fn bare(endpoint_id: &str, status: Status) -> Self {
        ConnectionFields::bare(endpoint_id, status).into()
    }
}

impl From<ConnectionFields<'_>> for Connection {
    fn from(fields: ConnectionFields<'_>) -> Self {
        let mut coming = Connections::default();
        let connection = coming.place(&fields);
        Self { texts: Some(coming.texts.into()), ..connection }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().fmt(f)
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        let times = |one: &Self| (one.created_micros, one.updated_micros);
        let facts = |one: &Self| (one.status, one.max_sessions, times(one));
        // Offsets do not matter here; texts of different lengths differ without being read.
        self.lengths == other.lengths
            && facts(self) == facts(other)
            && (0..TEXTS).all(|which| self.text(which) == other.text(which))
    }
}

impl Eq for Connection {}

/// A list under construction, whose connections will share their texts.
#[derive(Debug, Default)]
pub struct Connections {
    texts: String,
    rows: Vec<Connection>,
}

impl Connections {
    /// With room for so many connections, whose texts have so many bytes.
    pub fn with_capacity(connections: usize, text_bytes: usize) -> Self {
        Self { texts: String::with_capacity(text_bytes), rows: Vec::with_capacity(connections) }
    }

    /// Adds one. A text is cut at 65,535 bytes, and all texts together have at most 4 GiB; what the
    /// cloud sends is cut far below.
    pub fn push(&mut self, fields: &ConnectionFields<'_>) {
        let connection = self.place(fields);
        self.rows.push(connection);
    }

    fn place(&mut self, fields: &ConnectionFields<'_>) -> Connection {
        let mut connection = Connection {
            status: fields.status,
            max_sessions: fields.max_sessions,
            created_micros: micros(fields.created),
            updated_micros: micros(fields.updated),
            texts: None,
            starts: [0; TEXTS],
            lengths: [0; TEXTS],
        };
        let mut texts = [""; TEXTS];
        texts[ENDPOINT_ID] = fields.endpoint_id;
        texts[IP] = fields.ip;
        texts[IPV6] = fields.ipv6;
        texts[DNS_NAME] = fields.dns_name;
        texts[SPECIFICATION_NAME] = fields.specification_name;
        texts[DOMAIN_ID] = fields.domain_id;
        for (which, text) in texts.into_iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            // Cut where a character ends, or a later slice would panic. Lengths then fit into 16 bits.
            let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
            let start = match self.place_before(which, text) {
                Some(start) => start,
                None => {
                    let start = self.texts.len();
                    self.texts.push_str(text);
                    u32::try_from(start).expect("the texts of a list have less than 4 GiB")
                }
            };
            connection.starts[which] = start;
            connection.lengths[which] = text.len() as u16;
        }
        connection
    }

    /// The start of a text that one of the connections just before has too. A cluster's connections have
    /// few owners and specifications; the other texts differ in every connection and are not compared.
    fn place_before(&self, which: usize, text: &str) -> Option<u32> {
        if which < SPECIFICATION_NAME {
            return None;
        }
        self.rows.iter().rev().take(NEIGHBOURS).find_map(|before| {
            let start = before.starts[which];
            let end = start as usize + usize::from(before.lengths[which]);
            (self.texts[start as usize..end] == *text).then_some(start)
        })
    }

    /// All of them, in the order in which they came.
    pub fn finish(mut self) -> Vec<Connection> {
        // Only now, because the string moves while it grows.
        let texts: Arc<str> = self.texts.into();
        self.rows.shrink_to_fit();
        for row in &mut self.rows {
            row.texts = Some(texts.clone());
        }
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_the_one_of_its_connection() {
        let long = "é".repeat(40_000);
        let rows: Vec<_> = (0..5)
            .map(|number| {
                [
                    format!("id-{number}"),
                    ["a", "a", "b", "", "b"][number].to_owned(),
                    ["owner", "owner", "", "owner", "other"][number].to_owned(),
                    if number == 3 { long.clone() } else { format!("10.0.0.{number}") },
                ]
            })
            .collect();
        fn fields(row: &[String; 4]) -> (ConnectionFields<'_>, &str, &str, &str) {
            let [id, specification, domain, ip] = row.each_ref().map(String::as_str);
            (ConnectionFields::bare(id, Status::Accepted), specification, domain, ip)
        }
        let mut coming = Connections::default();
        for row in &rows {
            let (bare, specification_name, domain_id, ip) = fields(row);
            coming.push(&ConnectionFields { specification_name, domain_id, ip, ..bare });
        }
        for (connection, row) in coming.finish().iter().zip(&rows) {
            let (bare, specification_name, domain_id, ip) = fields(row);
            let alone = ConnectionFields { specification_name, domain_id, ip, ..bare };
            assert_eq!(*connection, Connection::from(alone));
            assert_eq!(connection.endpoint_id(), bare.endpoint_id);
            assert_eq!(connection.specification_name(), specification_name);
            assert_eq!(connection.domain_id(), domain_id);
            assert_eq!(connection.ip(), &ip[..ip.floor_char_boundary(65_535)]);
            assert_eq!((connection.ipv6(), connection.dns_name()), ("", ""));
        }
    }

    #[test]
    fn connections_differ_by_every_field() {
        let base = ConnectionFields::bare("a", Status::Accepted);
        let date = Some(Timestamp::UNIX_EPOCH);
        let others = [
            ConnectionFields { endpoint_id: "b", ..base },
            ConnectionFields { status: Status::Rejected, ..base },
            ConnectionFields { max_sessions: Some(0), ..base },
            ConnectionFields { created: date, ..base },
            ConnectionFields { updated: date, ..base },
            ConnectionFields { specification_name: "x", ..base },
            ConnectionFields { domain_id: "x", ..base },
            ConnectionFields { ip: "x", ..base },
            ConnectionFields { ipv6: "x", ..base },
            ConnectionFields { dns_name: "x", ..base },
        ];
        let all: Vec<Connection> = [base].into_iter().chain(others).map(Into::into).collect();
        for (at, one) in all.iter().enumerate() {
            assert_eq!(all.iter().filter(|other| *other == one).count(), 1, "{at}");
        }
    }
}
