//! The configured endpoint services as last read, and the changes of them that were made elsewhere.

mod expected;

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::time::Instant;

use self::expected::Expected;
use crate::{
    cloud::CloudError,
    model::{EndpointService, RegionId, ServiceFields, ServiceId},
};

/// The configuration of an endpoint service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceMeta {
    /// Region id.
    pub region: RegionId,
    /// Configured name of the project.
    pub project: Arc<str>,
    /// Its id.
    pub id: ServiceId,
    /// Its configured name; the id where there is none.
    pub name: Arc<str>,
}

impl ServiceMeta {
    fn is_same_service(&self, other: &Self) -> bool {
        (&self.id, &self.project, &self.region) == (&other.id, &other.project, &other.region)
    }
}

/// Everything known of an endpoint service.
#[derive(Clone, Debug)]
pub struct ServiceState {
    /// Its configuration.
    pub meta: Arc<ServiceMeta>,
    /// The last successful reading.
    pub seen: Option<SeenService>,
    /// True if the last reading succeeded; `None` before the first.
    pub up: Option<bool>,
    /// Why it failed, if it did.
    pub last_error: Option<CloudError>,
    /// Number of readings that found its fields changed by someone else.
    pub unattributed_changes: u64,
    own_change: OwnChange,
    expected: Expected,
}

/// The change of ours, if any, that may explain what the next reading finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnChange {
    /// No change was made since the last reading.
    No,
    /// A change is being made.
    UnderWay,
    /// A change was made, and the service has not been read since.
    Unseen,
}

/// An endpoint service and when it was read.
#[derive(Clone, Debug)]
pub struct SeenService {
    /// When it was read, to be shown to people.
    pub at: Timestamp,
    /// The service as it was read.
    pub service: EndpointService,
    /// The same moment on a monotonic clock, which decides which of two readings is the newer one.
    moment: Instant,
}

impl ServiceState {
    fn new(meta: ServiceMeta) -> Self {
        Self {
            meta: Arc::new(meta),
            seen: None,
            up: None,
            last_error: None,
            unattributed_changes: 0,
            own_change: OwnChange::No,
            expected: Expected::default(),
        }
    }

    /// Takes over a reading, unless it began before the one that is known.
    fn take(
        &mut self,
        result: Result<EndpointService, CloudError>,
        (at, moment): (Timestamp, Instant),
        attribution: Attribution,
    ) {
        if self.seen.as_ref().is_some_and(|seen| seen.moment > moment) {
            return;
        }
        self.up = Some(result.is_ok());
        let mut service = match result {
            Ok(service) => service,
            Err(error) => {
                self.last_error = Some(error);
                return;
            }
        };
        self.last_error = None;
        let is_ours = attribution == Attribution::Ours;
        if let Some(SeenService { service: before, .. }) = &self.seen {
            let is_explained = is_ours
                || self.own_change != OwnChange::No
                || self.expected.explains(before, &service);
            self.unattributed_changes += u64::from(!is_explained);
            // Only the list of services has this number; a reading of one service keeps the last.
            service.connections = service.connections.or(before.connections);
        }
        if is_ours || self.own_change == OwnChange::Unseen {
            self.own_change = OwnChange::No;
        }
        self.expected.see(&service);
        self.seen = Some(SeenService { at, service, moment });
    }

    fn change_ended(&mut self, asked: Option<&ServiceFields>) {
        // If the change is not under way any more, a reading of ours has already seen its effect.
        let is_unseen = asked.is_some() && self.own_change == OwnChange::UnderWay;
        self.own_change = if is_unseen { OwnChange::Unseen } else { OwnChange::No };
        if let Some(asked) = asked {
            self.expected.ask(asked);
        }
        if let Some(seen) = &self.seen {
            self.expected.see(&seen.service);
        }
    }
}

/// The author of a change that a reading finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// A change of ours came between: it explains any difference.
    Ours,
    /// No change of ours came between.
    Nobody,
}

/// The services board. Clones share it.
#[derive(Clone, Debug)]
pub struct ServiceBoard(Arc<RwLock<Services>>);

type Services = Arc<[Arc<ServiceState>]>;

impl ServiceBoard {
    /// A board of services that were never read, in the order of project and name.
    pub fn new(services: impl IntoIterator<Item = ServiceMeta>) -> Self {
        let board = Self(Arc::new(RwLock::new(Arc::from([]))));
        board.reconfigure(services);
        board
    }

    /// Puts these services, and no others, on the board. One that was there, in the same project and
    /// region, keeps all that is known of it.
    pub fn reconfigure(&self, services: impl IntoIterator<Item = ServiceMeta>) {
        let mut known = self.0.write();
        let state_of = |meta: ServiceMeta| {
            if let Some(same) = known.iter().find(|state| state.meta.is_same_service(&meta)) {
                return ServiceState { meta: Arc::new(meta), ..ServiceState::clone(same) };
            }
            let mut state = ServiceState::new(meta);
            // A project may have been renamed: changes of its services under way are still ours.
            if let Some(renamed) = known.iter().find(|known| known.meta.id == state.meta.id) {
                (state.own_change, state.expected) = (renamed.own_change, renamed.expected.clone());
            }
            state
        };
        let mut next: Vec<_> = services.into_iter().map(state_of).map(Arc::new).collect();
        next.sort_by(|a, b| (&a.meta.project, &a.meta.name).cmp(&(&b.meta.project, &b.meta.name)));
        *known = next.into();
    }

    /// All services as they are known now.
    pub fn snapshot(&self) -> Arc<[Arc<ServiceState>]> {
        self.0.read().clone()
    }

    /// The service of that id, or of that configured name, in a project.
    pub fn find(&self, project: &str, id_or_name: &str) -> Option<Arc<ServiceState>> {
        let services = self.0.read();
        let of_project = || services.iter().filter(|state| *state.meta.project == *project);
        of_project()
            .find(|state| state.meta.id.as_str() == id_or_name)
            .or_else(|| of_project().find(|state| *state.meta.name == *id_or_name))
            .cloned()
    }

    /// Notes that a change of ours is about to be sent. A service may be configured in several projects,
    /// and is the same service in all of them.
    pub fn change_begins(&self, service: &ServiceId) {
        let begin = |state: &mut ServiceState| state.own_change = OwnChange::UnderWay;
        self.update(|meta| meta.id == *service, begin);
    }

    /// Notes that a change has ended, and the fields it requested if it may have had an effect.
    pub fn change_ends(&self, service: &ServiceId, asked: Option<&ServiceFields>) {
        self.update(|meta| meta.id == *service, |state| state.change_ended(asked));
    }

    /// Records a reading that has just ended, and its date. A service that is not on the board is ignored.
    pub fn record(
        &self,
        meta: &ServiceMeta,
        result: Result<EndpointService, CloudError>,
        at: Timestamp,
        attribution: Attribution,
    ) {
        let when = (at, Instant::now());
        let take = |state: &mut ServiceState| state.take(result.clone(), when, attribution);
        self.update(|known| known.is_same_service(meta), take);
    }

    /// Records a reading that began at that date and moment. It is ignored if the board has a
    /// newer one.
    pub fn record_since(
        &self,
        meta: &ServiceMeta,
        result: Result<EndpointService, CloudError>,
        at: Timestamp,
        began: Instant,
    ) {
        let take =
            |state: &mut ServiceState| state.take(result.clone(), (at, began), Attribution::Nobody);
        self.update(|known| known.is_same_service(meta), take);
    }

    fn update(
        &self,
        which: impl Fn(&ServiceMeta) -> bool,
        mut change: impl FnMut(&mut ServiceState),
    ) {
        let mut services = self.0.write();
        // Readers keep the states that they have; only those that change are copied.
        for state in Arc::make_mut(&mut *services).iter_mut().filter(|state| which(&state.meta)) {
            change(Arc::make_mut(state));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cloud::Reason,
        model::{ServiceName, ServiceStatus},
    };

    const ID: &str = "4189d3c2-8882-4871-a3c2-d380272eed88";

    fn meta(name: &str) -> ServiceMeta {
        ServiceMeta {
            region: RegionId::parse("cn-north-4").unwrap(),
            project: "prod".into(),
            id: ServiceId::parse(ID).unwrap(),
            name: name.into(),
        }
    }

    fn service(description: &str, connections: Option<u64>) -> EndpointService {
        EndpointService {
            id: ServiceId::parse(ID).unwrap(),
            full_name: ServiceName::new(""),
            status: ServiceStatus::Available,
            fields: ServiceFields {
                description: Some(description.into()),
                ..ServiceFields::default()
            },
            connections,
            created: None,
            updated: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn only(board: &ServiceBoard) -> Arc<ServiceState> {
        board.snapshot()[0].clone()
    }

    #[test]
    fn a_field_that_moved_without_us_is_counted() {
        let board = ServiceBoard::new([meta("logs")]);
        let record = |text, second, who| {
            board.record(&meta("logs"), Ok(service(text, None)), at(second), who);
            only(&board).unattributed_changes
        };
        assert_eq!(record("a", 1, Attribution::Nobody), 0, "the first reading");
        assert_eq!(record("a", 2, Attribution::Nobody), 0);
        assert_eq!(record("b", 3, Attribution::Nobody), 1);
        assert_eq!(record("c", 4, Attribution::Ours), 1);
        assert_eq!(record("c", 5, Attribution::Nobody), 1);
        let before = Instant::now() - std::time::Duration::from_secs(1);
        board.record_since(&meta("logs"), Ok(service("b", None)), at(9), before);
        assert_eq!(
            only(&board).unattributed_changes,
            1,
            "it began before the reading that the board has"
        );
        let known = only(&board).seen.clone().unwrap().service.fields.description;
        assert_eq!(known.as_deref(), Some("c"));
        assert_eq!(record("d", 6, Attribution::Nobody), 2);
        let id = meta("logs").id;
        board.change_begins(&id);
        assert_eq!(record("e", 7, Attribution::Nobody), 2, "while one of ours is under way");
        assert_eq!(record("e", 8, Attribution::Ours), 2);
        assert_eq!(record("f", 9, Attribution::Nobody), 3);
        board.change_begins(&id);
        assert_eq!(record("f", 9, Attribution::Ours), 3);
        assert_eq!(record("g", 10, Attribution::Nobody), 4);
        for (text, second, may_have_acted, counted) in [("x", 11, true, 4), ("y", 12, false, 5)] {
            board.change_begins(&id);
            let asked = ServiceFields { description: Some("?".into()), ..ServiceFields::default() };
            board.change_ends(&id, may_have_acted.then_some(&asked));
            let count = record(text, second, Attribution::Nobody);
            assert_eq!(count, counted, "it may have acted: {may_have_acted}");
        }
        assert_eq!(record("h", 13, Attribution::Nobody), 6);
    }

    #[test]
    fn a_failed_reading_keeps_what_was_seen() {
        let board = ServiceBoard::new([meta("logs")]);
        assert_eq!(only(&board).up, None);
        board.record(&meta("logs"), Ok(service("a", Some(7))), at(1), Attribution::Nobody);
        let error = CloudError::new(Reason::Reset, "gone");
        board.record(&meta("logs"), Err(error.clone()), at(2), Attribution::Nobody);
        let state = only(&board);
        assert_eq!((state.up, state.last_error.as_ref()), (Some(false), Some(&error)));
        assert_eq!(state.seen.as_ref().unwrap().at, at(1));
        board.record(&meta("logs"), Ok(service("a", None)), at(3), Attribution::Nobody);
        let state = only(&board);
        assert_eq!((state.up, state.last_error.as_ref()), (Some(true), None));
        assert_eq!(state.seen.as_ref().unwrap().service.connections, Some(7));
    }

    #[test]
    fn a_service_is_found_by_id_or_name_and_keeps_its_past_under_another_name() {
        let board = ServiceBoard::new([meta("logs")]);
        board.record(&meta("logs"), Ok(service("a", None)), at(1), Attribution::Nobody);
        board.reconfigure([meta("search")]);
        assert!(board.find("prod", "logs").is_none());
        assert!(board.find("test", "search").is_none());
        assert!(board.find("prod", "search").unwrap().seen.is_some());
        assert!(board.find("prod", ID).is_some());
        board.reconfigure([]);
        board.record(&meta("search"), Ok(service("b", None)), at(2), Attribution::Nobody);
        assert!(board.snapshot().is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_hides_no_reading() {
        let board = ServiceBoard::new([meta("logs")]);
        let record = |text, second, who| {
            board.record(&meta("logs"), Ok(service(text, None)), at(second), who);
            let state = only(&board);
            let seen = state.seen.as_ref().unwrap();
            (seen.at.as_second(), seen.service.fields.description.clone())
        };
        record("a", 28_800, Attribution::Nobody);
        assert_eq!(record("b", 1, Attribution::Nobody), (1, Some("b".into())));
        assert_eq!(record("c", 28_801, Attribution::Nobody), (28_801, Some("c".into())));
        assert_eq!(record("d", 2, Attribution::Ours), (2, Some("d".into())));
        let error = CloudError::new(Reason::Reset, "gone");
        board.record(&meta("logs"), Err(error), at(1), Attribution::Nobody);
        assert_eq!(only(&board).up, Some(false));
    }
}
