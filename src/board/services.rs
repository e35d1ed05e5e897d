//! The endpoint services that are configured, as last seen, and whether somebody else changed them.

mod expected;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{sync::watch, time::Instant};

use self::expected::Expected;
use crate::{
    cloud::CloudError,
    model::{EndpointService, RegionId, ServiceFields, ServiceId},
};

/// What is configured of an endpoint service.
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

/// What is known of an endpoint service.
#[derive(Clone, Debug)]
pub struct ServiceState {
    /// What is configured.
    pub meta: Arc<ServiceMeta>,
    /// What the last successful reading found.
    pub seen: Option<SeenService>,
    /// Whether the last reading succeeded; `None` before the first.
    pub up: Option<bool>,
    /// Why it failed, if it did.
    pub last_error: Option<CloudError>,
    /// How often its fields were found changed by somebody else.
    pub unattributed_changes: u64,
    changing: Changing,
    expected: Expected,
}

/// Whether a change of ours may be what the next reading finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changing {
    /// None was made since the last reading.
    No,
    /// One is being made.
    UnderWay,
    /// One was made, and nobody has read the service since.
    Unseen,
}

/// An endpoint service and when it was read.
#[derive(Clone, Debug)]
pub struct SeenService {
    /// When it was read, to be shown to people.
    pub at: Timestamp,
    /// What was found.
    pub service: EndpointService,
    /// The same moment on a monotonic clock: decides which of two readings is the newer one.
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
            changing: Changing::No,
            expected: Expected::default(),
        }
    }
}

/// Who may have changed what a reading finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// A change of ours came between: whatever is found is its doing.
    Ours,
    /// None of ours did.
    Nobody,
}

/// The services board. Clones share it.
#[derive(Clone, Debug)]
pub struct ServiceBoard(Arc<watch::Sender<Services>>);

type Services = Arc<[Arc<ServiceState>]>;

impl ServiceBoard {
    /// A board of services that were never read, in the order of project and name.
    pub fn new(services: impl IntoIterator<Item = ServiceMeta>) -> Self {
        let board = Self(Arc::new(watch::Sender::new(Arc::from([]))));
        board.reconfigure(services);
        board
    }

    /// Puts these services, and no others, on the board. One that was there, in the same project and
    /// region, keeps all that is known of it.
    pub fn reconfigure(&self, services: impl IntoIterator<Item = ServiceMeta>) {
        let services: Vec<_> = services.into_iter().collect();
        self.0.send_modify(|known| {
            let stay = |meta: ServiceMeta| match known
                .iter()
                .find(|state| state.meta.is_same_service(&meta))
            {
                Some(state) if *state.meta == meta => state.clone(),
                Some(state) => {
                    Arc::new(ServiceState { meta: Arc::new(meta), ..ServiceState::clone(state) })
                }
                None => {
                    // The project may have been renamed: its changes under way are still ours.
                    let same = known.iter().find(|state| state.meta.id == meta.id);
                    let mut state = ServiceState::new(meta);
                    if let Some(same) = same {
                        (state.changing, state.expected) = (same.changing, same.expected.clone());
                    }
                    Arc::new(state)
                }
            };
            let mut next: Vec<_> = services.into_iter().map(stay).collect();
            next.sort_by(|a, b| {
                (&a.meta.project, &a.meta.name).cmp(&(&b.meta.project, &b.meta.name))
            });
            *known = next.into();
        });
    }

    /// All services as they are known now.
    pub fn snapshot(&self) -> Arc<[Arc<ServiceState>]> {
        self.0.borrow().clone()
    }

    /// The service of that id, or of that configured name, in a project.
    pub fn find(&self, project: &str, id_or_name: &str) -> Option<Arc<ServiceState>> {
        let services = self.0.borrow();
        let of_project = || services.iter().filter(|state| *state.meta.project == *project);
        of_project()
            .find(|state| state.meta.id.as_str() == id_or_name)
            .or_else(|| of_project().find(|state| *state.meta.name == *id_or_name))
            .cloned()
    }

    /// Notes that a change of ours is about to be sent. A service may be configured in several projects,
    /// and is the same service in all of them.
    pub fn change_begins(&self, service: &ServiceId) {
        self.update_all(service, |state| state.changing = Changing::UnderWay);
    }

    /// Notes that a change has ended, and what it asked for if it may have had an effect.
    pub fn change_ends(&self, service: &ServiceId, asked: Option<&ServiceFields>) {
        self.update_all(service, |state| {
            // A reading of ours has already seen the effect.
            let is_unseen = asked.is_some() && state.changing == Changing::UnderWay;
            state.changing = if is_unseen { Changing::Unseen } else { Changing::No };
            if let Some(asked) = asked {
                state.expected.ask(asked);
            }
            if let Some(seen) = &state.seen {
                state.expected.see(&seen.service);
            }
        });
    }

    fn update_all(&self, service: &ServiceId, change: impl Fn(&mut ServiceState)) {
        self.0.send_modify(|known| {
            let next = known.iter().map(|state| {
                let mut state = state.clone();
                if state.meta.id == *service {
                    change(Arc::make_mut(&mut state));
                }
                state
            });
            *known = next.collect();
        });
    }

    /// Records a reading that has just ended, and its date. A service that is not on the board is ignored.
    pub fn record(
        &self,
        meta: &ServiceMeta,
        result: Result<EndpointService, CloudError>,
        at: Timestamp,
        attribution: Attribution,
    ) {
        self.take(meta, result, (at, Instant::now()), attribution);
    }

    /// Records a reading that began at that date and moment. A reading that is older than what is known is
    /// ignored.
    pub fn record_since(
        &self,
        meta: &ServiceMeta,
        result: Result<EndpointService, CloudError>,
        at: Timestamp,
        began: Instant,
    ) {
        self.take(meta, result, (at, began), Attribution::Nobody);
    }

    fn take(
        &self,
        meta: &ServiceMeta,
        result: Result<EndpointService, CloudError>,
        (at, moment): (Timestamp, Instant),
        attribution: Attribution,
    ) {
        self.update(meta, |old| {
            if old.seen.as_ref().is_some_and(|seen| seen.moment > moment) {
                return None;
            }
            let is_ours = attribution == Attribution::Ours;
            let mut next = old.clone();
            if result.is_ok() && (is_ours || old.changing == Changing::Unseen) {
                next.changing = Changing::No;
            }
            match result {
                Ok(mut service) => {
                    if let Some(before) = &old.seen {
                        let is_explained = is_ours
                            || old.changing != Changing::No
                            || old.expected.explains(&before.service, &service);
                        next.unattributed_changes += u64::from(!is_explained);
                        // Only the list of services says it.
                        service.connections = service.connections.or(before.service.connections);
                    }
                    next.expected.see(&service);
                    next.seen = Some(SeenService { at, service, moment });
                    next.up = Some(true);
                    next.last_error = None;
                }
                Err(error) => {
                    next.up = Some(false);
                    next.last_error = Some(error);
                }
            }
            Some(next)
        });
    }

    fn update(&self, meta: &ServiceMeta, next: impl FnOnce(&ServiceState) -> Option<ServiceState>) {
        self.0.send_if_modified(|known| {
            let found = known.iter().position(|state| state.meta.is_same_service(meta));
            let Some(index) = found else { return false };
            let Some(next) = next(&known[index]) else { return false };
            let mut all = known.to_vec();
            all[index] = Arc::new(next);
            *known = all.into();
            true
        });
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
        assert_eq!(only(&board).unattributed_changes, 1, "it began before what is known was read");
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
