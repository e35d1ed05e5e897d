//! States that no one would think of.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    board::{ClusterMeta, ClusterState, Observation, PollRecord, Rejection, Transition},
    cloud::{CloudError, Reason, Trace},
    model::{
        ClusterId, Connection, ConnectionFields, ConnectionList, EndpointId, ListedCluster,
        RegionId, ServiceName, Status,
    },
};

/// splitmix64.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(3) > 0).then(|| make(self))
    }

    pub(super) fn many<C: FromIterator<T>, T>(
        &mut self,
        most: usize,
        make: fn(&mut Self) -> T,
    ) -> C {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn text(&mut self) -> String {
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
        self.many(12, |chance| chance.pick(&ODD))
    }

    fn date(&mut self) -> Timestamp {
        let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let second = match self.below(8) {
            0 => first,
            1 => last,
            2 => self.next() as i64 % last,
            _ => 1_700_000_000 + self.below(100_000_000) as i64,
        };
        let nanosecond = self.pick(&[0, 1, 999_999_999, 120_000_000]);
        Timestamp::new(second.clamp(first, last - 1), nanosecond).unwrap()
    }

    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.pick(&[0, 1, u64::MAX, u64::MAX >> shift])
    }

    fn duration(&mut self) -> Duration {
        Duration::new(self.number(), self.pick(&[0, 1, 999_999_999]))
    }

    fn transition(&mut self) -> Transition {
        Transition {
            at: self.date(),
            endpoint_id: EndpointId::new(&self.text()),
            from: self.pick(&Status::ALL),
            to: self.pick(&Status::ALL),
            change_id: self.maybe(|chance| chance.text().into()),
        }
    }

    fn poll(&mut self) -> PollRecord {
        let trace = Trace {
            pages: self.next() as u32,
            requests: self.next() as u32,
            retries: self.next() as u32,
            request_ids: self.many(Trace::MAX_REQUEST_IDS, Self::text),
        };
        let error = self.maybe(|chance| CloudError {
            reason: chance.pick(&Reason::ALL),
            status: chance.maybe(|chance| chance.next() as u16),
            refusal: None,
            code: chance.maybe(Self::text),
            message: chance.text(),
            request_id: chance.maybe(Self::text),
            retry_after: chance.maybe(Self::duration),
            never_sent: false,
            own_limit: false,
            retry_at: None,
        });
        PollRecord { at: self.date(), duration: self.duration(), trace, error }
    }

    fn connection(&mut self) -> Connection {
        Connection::from(ConnectionFields {
            endpoint_id: &self.text(),
            status: self.pick(&Status::ALL),
            max_sessions: self.maybe(Self::number),
            created: self.maybe(Self::date),
            updated: self.maybe(Self::date),
            specification_name: &self.text(),
            domain_id: &self.text(),
            ip: &self.text(),
            ipv6: &self.text(),
            dns_name: &self.text(),
        })
    }

    fn rejection(&mut self) -> Rejection {
        Rejection { change_id: self.text().into(), actor: self.text().into(), at: self.date() }
    }

    fn observation(&mut self) -> Observation {
        let connections: Vec<_> = self.many(6, Self::connection);
        let seen_changed = connections.iter().map(|_| self.maybe(Self::date)).collect();
        let last = connections.last().map(|one: &Connection| EndpointId::new(one.endpoint_id()));
        let is_only = |id: &EndpointId| {
            connections.iter().filter(|one| one.endpoint_id() == id.as_str()).count() == 1
        };
        let rejected_here = last.filter(is_only).into_iter().map(|id| (id, self.rejection()));
        let rejected_here = Arc::new(rejected_here.collect());
        let list = ConnectionList {
            service_enabled: self.pick(&[true, false]),
            complete: self.pick(&[true, false]),
            reported: self.maybe(Self::number),
            update_switch: self.maybe(|chance| chance.pick(&[true, false])),
            permissions: self.maybe(Self::number),
            service_name: self.maybe(|chance| ServiceName::new(&chance.text())),
            connections,
        };
        Observation { at: self.date(), list: list.into(), seen_changed, rejected_here }
    }

    fn row(&mut self, id: ClusterId) -> ListedCluster {
        ListedCluster {
            id,
            name: self.text().into(),
            engine: self.text().into(),
            engine_version: self.text().into(),
            enterprise_project_id: self.text().into(),
            tags: self.many(3, |chance| (chance.text().into(), chance.text().into())),
        }
    }

    pub(super) fn cluster(&mut self) -> ClusterState {
        let id = format!("{:08x}-5b35-4f50-8984-76387e42451a", self.next() as u32);
        let id = ClusterId::parse(&id).unwrap();
        let meta = ClusterMeta {
            listed: self.maybe(|chance| Arc::new(chance.row(id.clone()))),
            region: RegionId::parse(self.pick(&["cn-north-4", "eu-de", "x"])).unwrap(),
            project: self.text().into(),
            id,
            name: self.text().into(),
            interval: self.duration(),
            labels: Default::default(),
        };
        ClusterState {
            meta: Arc::new(meta),
            observation: self.maybe(Self::observation).map(Arc::new),
            service_switched: self.maybe(Self::date),
            failing_since: self.maybe(Self::date),
            transitions: [0; 7].map(|_: u64| self.number()),
            recent_transitions: self.many(50, Self::transition),
            polls: self.many(10, |chance| Arc::new(chance.poll())),
            next_poll: None,
            own_changes: Default::default(),
        }
    }
}
