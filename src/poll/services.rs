//! Reads the endpoint services: all of a project in one go, every five minutes.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::Instant,
};

use super::{
    causes::{Cause, Causes, Kind},
    schedule,
};
use crate::{
    board::{ServiceBoard, ServiceMeta, ServiceState},
    clock::Clock,
    cloud::{Budget, CloudError, Clouds, Services},
    model::ServiceId,
    pacing::Priority,
};

/// Time between two readings of a project: services change by hand, so rarely.
const SERVICES_INTERVAL: Duration = Duration::from_secs(300);
/// A project with a service that was never read is read within this time, each at a moment that depends on
/// its name.
const FIRST_WITHIN: Duration = Duration::from_secs(5);
/// A reading takes a request or two, and a wait for their tokens.
const READING_TIMEOUT: Duration = Duration::from_secs(60);

/// The part that reads endpoint services, with a task for each project.
#[derive(Debug)]
pub struct ServiceReader<C> {
    clouds: watch::Receiver<Clouds<C>>,
    board: ServiceBoard,
    clock: Clock,
}

impl<C: Services + Clone> ServiceReader<C> {
    /// Nothing is read before [`ServiceReader::run`].
    pub fn new(clouds: watch::Receiver<Clouds<C>>, board: ServiceBoard, clock: Clock) -> Self {
        Self { clouds, board, clock }
    }

    /// Reads until `shutdown` is ready; then gives up what is under way and ends.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let mut tasks = JoinSet::new();
        let mut running: HashMap<Id, Arc<str>> = HashMap::new();
        // After a fault the next reading comes in its turn, as after any other failure.
        let mut is_after_fault = false;
        loop {
            let clouds = self.clouds.borrow_and_update().clone();
            for name in clouds.keys() {
                if !running.values().any(|running| running == name) {
                    let mut project = ProjectReader::new(name.clone());
                    if !is_after_fault {
                        project.hurry_if_new(&self.board);
                    }
                    let clouds = self.clouds.clone();
                    let task =
                        tasks.spawn(project.run(clouds, self.board.clone(), self.clock.clone()));
                    running.insert(task.id(), name.clone());
                }
            }
            is_after_fault = false;
            tokio::select! {
                () = &mut shutdown => break,
                Ok(()) = self.clouds.changed() => {}
                Some(ended) = tasks.join_next_with_id() => {
                    if let Err(error) = &ended {
                        is_after_fault = true;
                        tracing::error!(
                            "a reading of endpoint services ended by a fault of the exporter: {error}"
                        );
                    }
                    running.remove(&ended.map_or_else(|error| error.id(), |(task, ())| task));
                }
            }
        }
        tasks.shutdown().await;
    }
}

/// The services of one project, and when they are read next.
struct ProjectReader {
    name: Arc<str>,
    due: Instant,
    causes: Causes<ServiceId>,
}

impl ProjectReader {
    fn new(name: Arc<str>) -> Self {
        Self { name, due: Instant::now() + SERVICES_INTERVAL, causes: Causes::default() }
    }

    /// Reads again and again, until the project is gone.
    async fn run<C: Services + Clone>(
        mut self,
        mut clouds: watch::Receiver<Clouds<C>>,
        board: ServiceBoard,
        clock: Clock,
    ) {
        loop {
            let is_due = tokio::select! {
                () = tokio::time::sleep_until(self.due) => true,
                changed = clouds.changed() => match changed {
                    Ok(()) => false,
                    Err(_) => return,
                },
            };
            let Some(cloud) = clouds.borrow_and_update().get(&self.name).cloned() else { return };
            if is_due {
                self.read(&cloud, &board, &clock).await;
                self.due = Instant::now() + SERVICES_INTERVAL;
            }
            // A reload may have brought services, also while others were read.
            self.hurry_if_new(&board);
        }
    }

    /// Brings the next reading forward if a service was never read.
    fn hurry_if_new(&mut self, board: &ServiceBoard) {
        if self.services(board).iter().any(|state| state.up.is_none()) {
            let soon = Instant::now() + schedule::phase(&self.name, FIRST_WITHIN);
            self.due = self.due.min(soon);
        }
    }

    fn services(&self, board: &ServiceBoard) -> Vec<Arc<ServiceState>> {
        let all = board.snapshot();
        all.iter().filter(|state| state.meta.project == self.name).cloned().collect()
    }

    async fn read<C: Services>(&mut self, cloud: &C, board: &ServiceBoard, clock: &Clock) {
        let services = self.services(board);
        if services.is_empty() {
            return;
        }
        let wanted: Vec<_> = services.iter().map(|state| state.meta.id.clone()).collect();
        // Dated by its beginning, so that a change of ours that ends meanwhile counts as newer.
        let (date, began) = (clock.now(), Instant::now());
        let budget = Budget {
            deadline: began + READING_TIMEOUT,
            first_token: None,
            priority: Priority::Poll,
        };
        let result = cloud.services(&wanted, budget).await.result;
        let results = result.unwrap_or_else(|error| vec![Err(error); services.len()]);
        self.causes.keep_only(|id| wanted.contains(id));
        for (state, result) in services.iter().zip(results) {
            self.log(&state.meta, result.as_ref().err(), date);
            board.record_since(&state.meta, result, date, began);
        }
    }

    /// Logs a cause of failures when it begins and when it is over.
    fn log(&mut self, service: &ServiceMeta, error: Option<&CloudError>, date: jiff::Timestamp) {
        let cause = error.and_then(|error| Cause::of(&self.name, error));
        let (is_news, over) = self.causes.update(&service.id, cause, date, SERVICES_INTERVAL);
        if let Some(error) = error.filter(|_| is_news) {
            tracing::warn!(
                project = &*self.name,
                service_name = &*service.name,
                service_id = service.id.as_str(),
                reason = error.reason.as_str(),
                code = error.code,
                request_id = error.request_id,
                "the endpoint service cannot be read: {error}"
            );
        }
        if let Some((Cause { kind: Kind::Failed(reason, code), .. }, spread)) = over
            && error.is_none()
        {
            tracing::info!(
                project = &*self.name,
                reason = reason.as_str(),
                code,
                services = spread.most_subjects,
                since = %spread.since,
                "endpoint services can be read again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        board::ServiceMeta,
        cloud::{Listed, Reason, Trace, Traced},
        model::{EndpointService, RegionId, ServiceFields, ServiceId, ServiceName, ServiceStatus},
    };

    #[derive(Clone, Default)]
    struct Fake {
        asked: Arc<Mutex<Vec<(Instant, usize)>>>,
        missing: Arc<Mutex<Option<ServiceId>>>,
        broken: Arc<Mutex<bool>>,
        panics: Arc<Mutex<bool>>,
        takes: Arc<Mutex<Duration>>,
    }

    impl Services for Fake {
        async fn service(&self, _: &ServiceId, _: Budget) -> Traced<EndpointService> {
            unreachable!("the reader lists")
        }

        async fn services(&self, wanted: &[ServiceId], _: Budget) -> Traced<Listed> {
            self.asked.lock().unwrap().push((Instant::now(), wanted.len()));
            let panics = *self.panics.lock().unwrap();
            assert!(!panics, "a fault");
            let takes = *self.takes.lock().unwrap();
            tokio::time::sleep(takes).await;
            let missing = self.missing.lock().unwrap().clone();
            let found = wanted.iter().map(|id| match Some(id) == missing.as_ref() {
                true => Err(CloudError::new(Reason::NotFound, "not there")),
                false => Ok(service(id)),
            });
            let result = match *self.broken.lock().unwrap() {
                false => Ok(found.collect()),
                true => Err(CloudError::new(Reason::Reset, "gone")),
            };
            Traced { result, trace: Trace::default() }
        }

        async fn update_service(&self, _: &ServiceId, _: &ServiceFields, _: Budget) -> Traced<()> {
            unreachable!("the reader changes nothing")
        }
    }

    fn id(number: u32) -> ServiceId {
        ServiceId::parse(&format!("{number:08x}-8882-4871-a3c2-d380272eed88")).unwrap()
    }

    fn service(id: &ServiceId) -> EndpointService {
        EndpointService {
            id: id.clone(),
            full_name: ServiceName::new(""),
            status: ServiceStatus::Available,
            fields: ServiceFields::default(),
            connections: Some(1),
            created: None,
            updated: None,
        }
    }

    fn meta(project: &str, number: u32) -> ServiceMeta {
        ServiceMeta {
            region: RegionId::parse("r").unwrap(),
            project: project.into(),
            id: id(number),
            name: format!("s{number}").into(),
        }
    }

    struct Running {
        clouds: watch::Sender<Clouds<Fake>>,
        board: ServiceBoard,
        stop: oneshot::Sender<()>,
        task: tokio::task::JoinHandle<()>,
    }

    fn run(clouds: &[(&str, &Fake)], services: Vec<ServiceMeta>) -> Running {
        let (clouds, receiver) = watch::channel(of(clouds));
        let board = ServiceBoard::new(services);
        let reader = ServiceReader::new(receiver, board.clone(), Clock::system());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(reader.run(async {
            stopped.await.ok();
        }));
        Running { clouds, board, stop, task }
    }

    fn of(clouds: &[(&str, &Fake)]) -> Clouds<Fake> {
        Arc::new(clouds.iter().map(|(name, cloud)| ((*name).into(), (*cloud).clone())).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn a_project_is_asked_once_for_all_its_services_and_again_after_five_minutes() {
        let (a, b) = (Fake::default(), Fake::default());
        let services = vec![meta("a", 1), meta("a", 2), meta("b", 3)];
        let start = Instant::now();
        let running = run(&[("a", &a), ("b", &b), ("none", &Fake::default())], services);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        for (cloud, count) in [(&a, 2), (&b, 1)] {
            let asked = cloud.asked.lock().unwrap().clone();
            assert_eq!(asked.len(), 12, "{asked:?}");
            assert!(asked[0].0 - start < FIRST_WITHIN);
            assert!(asked.windows(2).all(|two| two[1].0 - two[0].0 >= SERVICES_INTERVAL));
            assert!(asked.iter().all(|(_, wanted)| *wanted == count));
        }
        assert!(running.board.snapshot().iter().all(|state| state.up == Some(true)));
        running.stop.send(()).unwrap();
        running.task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_and_a_service_that_is_missing_are_told_apart() {
        let cloud = Fake::default();
        *cloud.missing.lock().unwrap() = Some(id(2));
        let running = run(&[("a", &cloud)], vec![meta("a", 1), meta("a", 2)]);
        tokio::time::sleep(FIRST_WITHIN).await;
        let reasons = || {
            let states = running.board.snapshot();
            let reason = |state: &Arc<ServiceState>| state.last_error.as_ref().map(|e| e.reason);
            states.iter().map(reason).collect::<Vec<_>>()
        };
        assert_eq!(reasons(), [None, Some(Reason::NotFound)]);
        *cloud.broken.lock().unwrap() = true;
        tokio::time::sleep(SERVICES_INTERVAL).await;
        assert_eq!(reasons(), [Some(Reason::Reset); 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_panics_is_made_again_in_its_turn() {
        let cloud = Fake::default();
        *cloud.panics.lock().unwrap() = true;
        let running = run(&[("a", &cloud)], vec![meta("a", 1)]);
        tokio::time::sleep(SERVICES_INTERVAL).await;
        assert_eq!(cloud.asked.lock().unwrap().len(), 1);
        *cloud.panics.lock().unwrap() = false;
        tokio::time::sleep(FIRST_WITHIN).await;
        assert_eq!(cloud.asked.lock().unwrap().len(), 2);
        assert_eq!(running.board.snapshot()[0].up, Some(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_a_reload_brings_is_read_soon() {
        let cloud = Fake::default();
        let running = run(&[("a", &cloud)], vec![meta("a", 1)]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        running.board.reconfigure([meta("a", 1), meta("a", 2)]);
        running.clouds.send_replace(of(&[("a", &cloud)]));
        tokio::time::sleep(FIRST_WITHIN).await;
        assert!(running.board.snapshot().iter().all(|state| state.up == Some(true)));
        assert_eq!(cloud.asked.lock().unwrap().len(), 2);
        running.clouds.send_replace(of(&[]));
        tokio::time::sleep(SERVICES_INTERVAL * 3).await;
        assert_eq!(cloud.asked.lock().unwrap().len(), 2, "a project that is gone is not asked");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_comes_while_its_project_is_read_is_read_soon_after() {
        let cloud = Fake::default();
        *cloud.takes.lock().unwrap() = Duration::from_secs(20);
        let running = run(&[("a", &cloud)], vec![meta("a", 1)]);
        tokio::time::sleep(FIRST_WITHIN).await;
        assert_eq!(cloud.asked.lock().unwrap().len(), 1, "it is under way");
        running.board.reconfigure([meta("a", 1), meta("a", 2)]);
        running.clouds.send_replace(of(&[("a", &cloud)]));
        tokio::time::sleep(Duration::from_secs(20) * 2 + FIRST_WITHIN).await;
        assert!(running.board.snapshot().iter().all(|state| state.up == Some(true)));
        tokio::time::sleep(SERVICES_INTERVAL).await;
        let asked = cloud.asked.lock().unwrap().clone();
        assert_eq!(asked.iter().map(|(_, wanted)| *wanted).collect::<Vec<_>>(), [1, 2, 2]);
        assert!(asked[2].0 - asked[1].0 >= SERVICES_INTERVAL, "and then in its turn");
    }
}
