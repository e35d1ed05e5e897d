//! States that no one would think of.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use proptest::{
    array::{uniform2, uniform4, uniform6, uniform7},
    collection::{vec, vec_deque},
    option::of as maybe,
    prelude::*,
    sample::select,
};

use crate::{
    board::{
        ClusterMeta, ClusterState, Observation, OwnChanges, PollRecord, Rejection, Transition,
    },
    cloud::{CloudError, Reason, Trace},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, EndpointId, ListedCluster,
        RegionId, ServiceName, Status,
    },
};

fn text() -> impl Strategy<Value = String> {
    const ODD: [char; 17] = [
        'a',
        'Z',
        '0',
        ' ',
        '"',
        '\\',
        '/',
        '{',
        '\n',
        '\r',
        '\0',
        '\u{1b}',
        '\u{7f}',
        'é',
        '\u{2028}',
        '\u{feff}',
        '\u{10ffff}',
    ];
    vec(select(ODD.to_vec()), 0..=12).prop_map(String::from_iter)
}

fn date() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second() - 1);
    let second = prop_oneof![
        5 => 1_700_000_000..1_800_000_000_i64,
        1 => first..last,
        1 => Just(first),
        1 => Just(last),
    ];
    let nanosecond = select(vec![0, 1, 120_000_000, 999_999_999]);
    (second, nanosecond).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..2_u64, (0..64).prop_map(|shift| u64::MAX >> shift)]
}

fn duration() -> impl Strategy<Value = Duration> {
    (number(), select(vec![0, 1, 999_999_999]))
        .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn status() -> impl Strategy<Value = Status> {
    select(Status::ALL.to_vec())
}

prop_compose! {
    fn transition()(
        at in date(),
        endpoint_id in text(),
        from in status(),
        to in status(),
        change_id in maybe(text()),
    ) -> Transition {
        let endpoint_id = EndpointId::new(&endpoint_id);
        Transition { at, endpoint_id, from, to, change_id: change_id.map(Into::into) }
    }
}

prop_compose! {
    fn error()(
        reason in select(Reason::ALL.to_vec()),
        status in any::<Option<u16>>(),
        code in maybe(text()),
        message in text(),
        request_id in maybe(text()),
        retry_after in maybe(duration()),
    ) -> CloudError {
        // Every field by its name, so that a new one is not forgotten here. The last three are not kept.
        CloudError {
            reason,
            status,
            refusal: None,
            code,
            message,
            request_id,
            retry_after,
            never_sent: false,
            own_limit: false,
            retry_at: None,
        }
    }
}

prop_compose! {
    fn poll()(
        at in date(),
        duration in duration(),
        [pages, requests, retries] in any::<[u32; 3]>(),
        request_ids in vec(text(), 0..=Trace::MAX_REQUEST_IDS),
        error in maybe(error()),
    ) -> PollRecord {
        PollRecord { at, duration, trace: Trace { pages, requests, retries, request_ids }, error }
    }
}

prop_compose! {
    fn connection()(
        status in status(),
        max_sessions in maybe(number()),
        created in maybe(date()),
        updated in maybe(date()),
        [id, specification_name, domain_id, ip, ipv6, dns_name] in uniform6(text()),
    ) -> Connection {
        Connection::from(ConnectionFields {
            endpoint_id: &id,
            status,
            max_sessions,
            created,
            updated,
            specification_name: &specification_name,
            domain_id: &domain_id,
            ip: &ip,
            ipv6: &ipv6,
            dns_name: &dns_name,
        })
    }
}

prop_compose! {
    fn list()(
        service_enabled in any::<bool>(),
        complete in any::<bool>(),
        reported in maybe(number()),
        update_switch in any::<Option<bool>>(),
        permissions in maybe(number()),
        service_name in maybe(text()),
        connections in vec(connection(), 0..=6),
    ) -> ConnectionList {
        let service_name = service_name.map(|name| ServiceName::new(&name));
        ConnectionList {
            service_enabled,
            complete,
            reported,
            update_switch,
            permissions,
            service_name,
            connections,
        }
    }
}

prop_compose! {
    fn rejection()(change_id in text(), actor in text(), at in date()) -> Rejection {
        Rejection { change_id: change_id.into(), actor: actor.into(), at }
    }
}

prop_compose! {
    /// The last connection was rejected here, unless its id is that of another one too.
    fn observation()(
        at in date(),
        list in list(),
        seen_changed in vec(maybe(date()), 6),
        rejection in rejection(),
    ) -> Observation {
        let ids: Vec<_> = list.connections.iter().map(Connection::endpoint_id).collect();
        let last = ids.last().filter(|last| ids.iter().filter(|id| id == last).count() == 1);
        let rejected_here = last.map(|id| (EndpointId::new(id), rejection)).into_iter().collect();
        let seen_changed = seen_changed[..ids.len()].into();
        let rejected_here = Arc::new(rejected_here);
        Observation { at, list: list.into(), seen_changed, rejected_here }
    }
}

prop_compose! {
    fn meta()(
        id in any::<u32>(),
        region in select(vec!["cn-north-4", "eu-de", "x"]),
        [project, name] in uniform2(text()),
        interval in duration(),
        listed in maybe((uniform4(text()), vec((text(), text()), 0..=3))),
    ) -> ClusterMeta {
        let id = ClusterId::parse(&format!("{id:08x}-5b35-4f50-8984-76387e42451a")).unwrap();
        let listed = listed.map(|([name, engine, engine_version, project], tags)| ListedCluster {
            id: id.clone(),
            name: name.into(),
            engine: engine.into(),
            engine_version: engine_version.into(),
            enterprise_project_id: project.into(),
            tags: tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        });
        ClusterMeta {
            listed: listed.map(Arc::new),
            region: RegionId::parse(region).unwrap(),
            project: project.into(),
            name: name.into(),
            interval,
            labels: Default::default(),
            id,
        }
    }
}

prop_compose! {
    pub(super) fn cluster()(
        meta in meta(),
        observation in maybe(observation()),
        service_switched in maybe(date()),
        failing_since in maybe(date()),
        transitions in uniform7(number()),
        recent_transitions in vec_deque(transition(), 0..=50),
        polls in vec_deque(poll().prop_map(Arc::new), 0..=10),
    ) -> ClusterState {
        ClusterState {
            meta: Arc::new(meta),
            observation: observation.map(Arc::new),
            service_switched,
            failing_since,
            transitions,
            recent_transitions,
            polls,
            next_poll: None,
            own_changes: OwnChanges::default(),
        }
    }
}
