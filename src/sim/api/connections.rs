//! Obtaining an Endpoint Connection (CSS API Reference).
//!
//! Owns the paging of connections and the JSON of an answer, with the document's mixed naming. Faults
//! of paging are here, because they are about rows; what they do to fields is in `faults::content`.

use jiff::Timestamp;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::sim::cloud::State;
use crate::sim::errors::{JSON, Reply, no_such_cluster, not_enabled, out_of_range};
use crate::sim::faults::active::Hits;
use crate::sim::faults::{Group, Kind, content};
use crate::sim::query::{Query, Range};
use crate::sim::world::{Cluster, Connection, Field, Permission, World};

/// Ranges and defaults: Table 2.
const OFFSET: Range = Range { low: 0, high: 1_000, default: 0 };
const LIMIT: Range = Range { low: 1, high: 1_000, default: 10 };
/// Of the older parameter `start`, and of servers that count from one.
const START: Range = Range { low: 1, high: 1_000, default: 1 };
/// What servers with smaller pages allow.
const SMALL_LIMIT: usize = 100;

/// Rows asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    first: usize,
    limit: usize,
}

/// Answers with one page of a cluster's connections.
pub(super) fn list(
    state: &mut State,
    cluster_id: &str,
    query: &Query,
    hits: &Hits,
    now: Timestamp,
) -> Reply {
    let window = match window(query, hits) {
        Ok(window) => window,
        Err(refused) => return refused,
    };
    let endless = if hits.has(Kind::Endless) {
        new_connections(&mut state.world, cluster_id, window.limit, now)
    } else {
        Vec::new()
    };
    let Some(cluster) = state.world.cluster(cluster_id) else { return no_such_cluster() };
    if !cluster.vpcep_enabled {
        return not_enabled();
    }
    let page = page(cluster, window, hits, &endless);
    let reply = write(&page, hits);
    move_rows(state, cluster_id, hits, now);
    reply
}

fn window(query: &Query, hits: &Hits) -> Result<Window, Reply> {
    let limit = query.number("limit", LIMIT)? as usize;
    if hits.has(Kind::LimitRefused) && limit > SMALL_LIMIT {
        return Err(out_of_range("limit"));
    }
    let first = if hits.has(Kind::StartParameter) {
        query.number("start", START)? as usize - 1
    } else if hits.has(Kind::OffsetOneBased) {
        query.number("offset", START)? as usize - 1
    } else {
        query.number("offset", OFFSET)? as usize
    };
    let first = if hits.has(Kind::OffsetIgnored) { 0 } else { first };
    let limit = if hits.has(Kind::LimitCapped) { limit.min(SMALL_LIMIT) } else { limit };
    Ok(Window { first, limit })
}

fn page<'a>(
    cluster: &'a Cluster,
    window: Window,
    hits: &Hits,
    endless: &'a [Connection],
) -> Page<'a> {
    let total = cluster.connections.len();
    if hits.has(Kind::Endless) {
        // More than any walk has read so far, so that the count never ends it.
        let total_count = window.first + 2 * window.limit;
        return Page { cluster, rows: endless.iter().collect(), total_count };
    }
    let rows = if hits.has(Kind::DuplicateRows) {
        twice(&cluster.connections, window)
    } else {
        cluster.connections.iter().skip(window.first).take(window.limit).collect()
    };
    Page { cluster, rows, total_count: total }
}

/// Every fiftieth row twice, and each page begins with the last row of the page before it, in such a
/// way that a walk by rows received still meets every row.
fn twice(connections: &[Connection], window: Window) -> Vec<&Connection> {
    let doubled = connections.iter().enumerate().flat_map(|(at, row)| {
        let times = if at.is_multiple_of(50) { 2 } else { 1 };
        std::iter::repeat_n(row, times)
    });
    let pages_before = window.first / window.limit;
    doubled.skip(window.first - pages_before).take(window.limit).collect()
}

fn new_connections(
    world: &mut World,
    cluster_id: &str,
    count: usize,
    now: Timestamp,
) -> Vec<Connection> {
    let at = world.by_id.get(cluster_id).copied();
    at.map(|at| (0..count).map(|_| world.new_connection(at, now)).collect()).unwrap_or_default()
}

/// What faults do to the world once a page has been answered.
fn move_rows(state: &mut State, cluster_id: &str, hits: &Hits, now: Timestamp) {
    if hits.has(Kind::TotalGrows) {
        state.world.insert_first(cluster_id, now);
    }
    if hits.has(Kind::TotalShrinks) {
        state.world.remove_first(cluster_id);
    }
    if hits.has(Kind::TotalMovesOnce) && state.faults.moves_now(cluster_id) {
        state.world.remove_first(cluster_id);
    }
}

fn write(page: &Page<'_>, hits: &Hits) -> Reply {
    let spoilt = |kind: &Kind| matches!(kind.group(), Group::Content | Group::Paging);
    let written = if hits.0.iter().any(spoilt) {
        serde_json::to_value(page).map(|value| content::spoiled(value, hits))
    } else {
        // 400 bytes a row: one allocation for the whole page.
        let mut body = Vec::with_capacity(1_024 + page.rows.len() * 400);
        serde_json::to_writer(&mut body, page).map(|()| Reply::new(200, JSON, body))
    };
    written.unwrap_or_else(|error| Reply::new(500, JSON, error.to_string()))
}

/// The body of an answer: Table 3.
struct Page<'a> {
    cluster: &'a Cluster,
    rows: Vec<&'a Connection>,
    total_count: usize,
}

impl Serialize for Page<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("connections", &Rows(&self.rows))?;
        map.serialize_entry("vpcepUpdateSwitch", &self.cluster.update_switch)?;
        map.serialize_entry("total_count", &self.total_count)?;
        map.serialize_entry("vpcServiceName", &self.cluster.service_name)?;
        map.serialize_entry("permissions", &Permissions(&self.cluster.permissions))?;
        map.end()
    }
}

struct Rows<'a>(&'a [&'a Connection]);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        for row in self.0 {
            rows.serialize_element(&Row(row))?;
        }
        rows.end()
    }
}

/// One connection: Table 4.
struct Row<'a>(&'a Connection);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row(one) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &one.id)?;
        map.serialize_entry("status", &one.status)?;
        map.serialize_entry("maxSession", &format_args!("{}", one.max_sessions))?;
        map.serialize_entry("specificationName", &one.specification_name)?;
        optional(&mut map, "vpcepIp", one.ip())?;
        optional(&mut map, "vpcepIpv6Address", one.ipv6())?;
        optional(&mut map, "vpcepDnsName", &one.dns_name)?;
        map.serialize_entry("created_at", &format_args!("{}", one.created_at))?;
        match one.update_at {
            Field::Absent => {}
            Field::Null => map.serialize_entry("update_at", &())?,
            Field::Value(time) => map.serialize_entry("update_at", &format_args!("{time}"))?,
        }
        map.serialize_entry("domain_id", &*one.domain_id)?;
        map.end()
    }
}

fn optional<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    field: &Field<Box<str>>,
) -> Result<(), M::Error> {
    match field {
        Field::Absent => Ok(()),
        Field::Null => map.serialize_entry(name, &()),
        Field::Value(text) => map.serialize_entry(name, text),
    }
}

/// The whitelist: Table 5.
struct Permissions<'a>(&'a [Permission]);

impl Serialize for Permissions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(PermissionRow))
    }
}

struct PermissionRow<'a>(&'a Permission);

impl Serialize for PermissionRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let PermissionRow(one) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &one.id)?;
        map.serialize_entry("permission", &one.permission)?;
        map.serialize_entry("permission_type", "domainId")?;
        map.serialize_entry("created_at", &format_args!("{}", one.created_at))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn world(connections: usize) -> World {
        World::new(1, 1, connections, "2024-06-11T09:36:24Z".parse().expect("a time"))
    }

    fn window_of(query: &str, kinds: &[Kind]) -> Option<(usize, usize)> {
        let outcome = window(&Query::parse(query), &Hits(kinds.to_vec()));
        outcome.ok().map(|window| (window.first, window.limit))
    }

    #[test]
    fn windows_follow_the_document_and_the_faults() {
        for (query, kinds, wanted) in [
            ("", &[][..], Some((0, 10))),
            ("offset=1000&limit=1000&more=1", &[], Some((1_000, 1_000))),
            ("offset=1001", &[], None),
            ("limit=0", &[], None),
            ("limit=1001", &[], None),
            ("offset=-1", &[], None),
            ("offset=5", &[Kind::OffsetIgnored], Some((0, 10))),
            ("offset=1", &[Kind::OffsetOneBased], Some((0, 10))),
            ("", &[Kind::OffsetOneBased], Some((0, 10))),
            ("offset=0", &[Kind::OffsetOneBased], None),
            ("offset=7&start=3", &[Kind::StartParameter], Some((2, 10))),
            ("offset=7", &[Kind::StartParameter], Some((0, 10))),
            ("limit=1000", &[Kind::LimitCapped], Some((0, 100))),
            ("limit=1000", &[Kind::LimitRefused], None),
            ("limit=100", &[Kind::LimitRefused], Some((0, 100))),
        ] {
            assert_eq!(window_of(query, kinds), wanted, "{query} {kinds:?}");
        }
    }

    #[test]
    fn a_walk_over_doubled_rows_meets_every_row() {
        for (count, limit) in [(1, 10), (100, 100), (250, 100), (1_234, 1_000), (60, 7)] {
            let world = world(count);
            let (mut seen, mut first, mut received) = (HashSet::new(), 0, 0);
            while seen.len() < count {
                let rows = twice(&world.clusters[0].connections, Window { first, limit });
                assert!(!rows.is_empty() && rows.len() <= limit);
                first += rows.len();
                received += rows.len();
                seen.extend(rows.iter().map(|row| &row.id));
            }
            assert!(received > count, "{count} rows by {limit}");
        }
    }

    #[test]
    fn fields_are_named_as_in_the_document() {
        let mut world = world(1);
        let cluster = &mut world.clusters[0];
        let one = &mut cluster.connections[0];
        (one.update_at, one.ipv6, one.dns_name) = (Field::Null, Field::Absent, Field::Null);
        let hits = Hits::default();
        let page = page(cluster, Window { first: 0, limit: 10 }, &hits, &[]);
        let text = String::from_utf8(write(&page, &hits).body).expect("UTF-8");
        for part in [
            "\"maxSession\":\"3000\"",
            "\"update_at\":null",
            "\"vpcepDnsName\":null",
            "Z\",\"update_at\"",
            "\"total_count\":1",
            "\"permission_type\":\"domainId\"",
            "\"vpcServiceName\":\"sim-region-1.css-logs-1.",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("vpcepIpv6Address"));
    }
}
