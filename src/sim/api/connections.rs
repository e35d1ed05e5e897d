//! Obtaining an Endpoint Connection (CSS API Reference), with the document's mixture of naming styles.
//!
//! Faults of paging are here, because they are about rows; faults of fields are in `faults::content`.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use super::request::{Answer, Request};
use crate::sim::{
    cloud::State,
    errors::{no_such_cluster, not_enabled, out_of_range},
    faults::{Group, Hits, Kind, content},
    query::{Query, Range},
    reply::{JSON, Reply},
    world::{Cluster, Permission, World, connection::Connection},
};

/// Ranges and defaults: Table 2.
const OFFSET: Range = Range { low: 0, high: 1_000, default: 0 };
const LIMIT: Range = Range { low: 1, high: 1_000, default: 10 };
/// For the older parameter `start`, and for servers that count from one.
const START: Range = Range { low: 1, high: 1_000, default: 1 };
/// The largest page of some servers, which the faults `limit-capped` and `limit-refused` imitate.
const SMALL_LIMIT: usize = 100;

/// The rows that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    first: usize,
    limit: usize,
}

/// Answers with one page of a cluster's connections.
pub(super) fn list(state: &mut State, request: &Request<'_>) -> Answer {
    let (world, id, hits) = (&mut state.world, request.cluster(), &request.hits);
    let window = window(&request.query, hits)?;
    let fresh = if hits.has(Kind::Endless) { window.limit } else { 0 };
    let endless = world.new_connections(id, fresh, request.now);
    let reply = write(&page(enabled(world, id)?, window, hits, &endless), hits);
    move_rows(state, request);
    Ok(reply)
}

/// A cluster that exists and has an endpoint service.
pub(super) fn enabled<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Cluster, Reply> {
    let cluster = world.cluster_mut(id).ok_or_else(no_such_cluster)?;
    if cluster.vpcep_enabled { Ok(cluster) } else { Err(not_enabled()) }
}

fn window(query: &Query, hits: &Hits) -> Result<Window, Reply> {
    let limit = query.number("limit", LIMIT)? as usize;
    if hits.has(Kind::LimitRefused) && limit > SMALL_LIMIT {
        return Err(out_of_range("limit"));
    }
    let name = if hits.has(Kind::StartParameter) { "start" } else { "offset" };
    let one_based = hits.any(&[Kind::StartParameter, Kind::OffsetOneBased]);
    let range = if one_based { START } else { OFFSET };
    // The lowest value means the first row, also where rows are counted from one.
    let first = (query.number(name, range)? - range.low) as usize;
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
    let Window { first, limit } = window;
    let all = &cluster.connections;
    let (connections, total_count) = if hits.has(Kind::Endless) {
        // More rows than a walk has read so far, so that the count never ends it.
        (endless.iter().map(Row).collect(), first + 2 * limit)
    } else if hits.has(Kind::DuplicateRows) {
        (twice(all, window).map(Row).collect(), all.len())
    } else {
        (all.iter().skip(first).take(limit).map(Row).collect(), all.len())
    };
    Page {
        connections,
        update_switch: &cluster.update_switch,
        total_count,
        service_name: &cluster.service_name,
        permissions: &cluster.permissions,
    }
}

/// A page in which every fiftieth row occurs twice, and which begins with the last row of the page before it.
/// A walk whose offset counts the rows received still meets every row.
fn twice(connections: &[Connection], window: Window) -> impl Iterator<Item = &Connection> {
    let doubled = connections.iter().enumerate().flat_map(|(at, row)| {
        let times = if at.is_multiple_of(50) { 2 } else { 1 };
        std::iter::repeat_n(row, times)
    });
    // Each page before this one repeated a row, so that it got one row less far.
    let pages_before = window.first / window.limit;
    doubled.skip(window.first - pages_before).take(window.limit)
}

/// Adds and removes rows after a page was answered, as faults want it.
fn move_rows(state: &mut State, request: &Request<'_>) {
    let (id, hits) = (request.cluster(), &request.hits);
    let grown = usize::from(hits.has(Kind::TotalGrows));
    let new = state.world.new_connections(id, grown, request.now);
    let once = hits.has(Kind::TotalMovesOnce) && state.faults.moves_now(id);
    let Some(cluster) = state.world.cluster_mut(id) else { return };
    cluster.connections.splice(..0, new);
    for _ in 0..usize::from(hits.has(Kind::TotalShrinks)) + usize::from(once) {
        cluster.connections.drain(..1.min(cluster.connections.len()));
    }
}

fn write(page: &Page<'_>, hits: &Hits) -> Reply {
    let spoilt = |kind: Kind| matches!(kind.group(), Group::Content | Group::Paging);
    let written = if hits.kinds().any(spoilt) {
        serde_json::to_value(page).map(|value| content::spoiled(value, hits))
    } else {
        // A row takes about 400 bytes, so that one allocation holds the page.
        let mut body = Vec::with_capacity(1_024 + page.connections.len() * 400);
        serde_json::to_writer(&mut body, page).map(|()| Reply::new(200, JSON, body))
    };
    written.unwrap_or_else(|error| Reply::new(500, JSON, error.to_string()))
}

/// The body of an answer: Table 3.
#[derive(Serialize)]
struct Page<'a> {
    connections: Vec<Row<'a>>,
    #[serde(rename = "vpcepUpdateSwitch")]
    update_switch: &'a Value,
    total_count: usize,
    #[serde(rename = "vpcServiceName")]
    service_name: &'a str,
    permissions: &'a [Permission],
}

/// A connection: Table 4.
struct Row<'a>(&'a Connection);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(one) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &one.id)?;
        map.serialize_entry("status", &one.status)?;
        map.serialize_entry("maxSession", &format_args!("{}", one.max_sessions))?;
        map.serialize_entry("specificationName", &one.specification_name)?;
        let texts = [
            ("vpcepIp", &one.ip),
            ("vpcepIpv6Address", &one.ipv6),
            ("vpcepDnsName", &one.dns_name),
        ];
        for (name, field) in texts {
            if let Some(value) = field {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry("created_at", &one.created_at)?;
        if let Some(value) = &one.update_at {
            map.serialize_entry("update_at", value)?;
        }
        map.serialize_entry("domain_id", &one.domain_id)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sim::world::first;

    fn world(connections: usize) -> World {
        first::world(1, 1, connections, "2024-06-11T09:36:24Z".parse().expect("a time"))
    }

    fn window_of(query: &str, kinds: &[Kind]) -> Option<(usize, usize)> {
        let outcome = window(&Query::parse(query), &Hits::of(kinds));
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
                let rows: Vec<_> = rows.collect();
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
        (one.update_at, one.ipv6, one.dns_name) = (Some(None), None, Some(None));
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
