//! Reads the endpoint services: all of a project in one go, every five minutes.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{Id, JoinSet},
    time::Instant,
};

use super::{schedule, sleep_until};
use crate::{
    board::{ServiceBoard, ServiceState},
    clock::Clock,
    cloud::{Budget, CloudError, Clouds, Services},
    model::EndpointService,
    pacing::Priority,
};

/// How often the services of a project are read: their fields change by hand, so rarely.
const SERVICES_INTERVAL: Duration = Duration::from_secs(300);
/// Projects take their first turn within this time, each at its own moment.
const FIRST_WITHIN: Duration = Duration::from_secs(5);
/// One reading: a request or two, and a wait for their tokens.
const READING_TIMEOUT: Duration = Duration::from_secs(60);

/// The part that reads endpoint services.
#[derive(Debug)]
pub struct ServiceReader<C> {
    clouds: watch::Receiver<Clouds<C>>,
    board: ServiceBoard,
    clock: Clock,
    due: HashMap<Arc<str>, Instant>,
    /// Projects that got a new service while they were read.
    again: HashSet<Arc<str>>,
    readings: JoinSet<()>,
    running: HashMap<Id, Arc<str>>,
}

impl<C: Services + Clone> ServiceReader<C> {
    /// Nothing is read before [`ServiceReader::run`].
    pub fn new(clouds: watch::Receiver<Clouds<C>>, board: ServiceBoard, clock: Clock) -> Self {
        let (due, running) = (HashMap::new(), HashMap::new());
        let (again, readings) = (HashSet::new(), JoinSet::new());
        Self { clouds, board, clock, due, again, readings, running }
    }

    /// Reads until `shutdown` is ready; then gives up what is under way and ends.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        self.lay_out();
        loop {
            let next_due = self.due.values().min().copied();
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = self.readings.join_next_with_id() => {
                    let task = match ended {
                        Ok((task, ())) => task,
                        Err(error) => {
                            tracing::error!(
                                "a reading of endpoint services ended by a fault of the exporter: {error}"
                            );
                            error.id()
                        }
                    };
                    self.ended(task);
                }
                Ok(()) = self.clouds.changed() => self.lay_out(),
                () = sleep_until(next_due) => self.start_due(),
            }
        }
        self.readings.shutdown().await;
    }

    /// Gives every project its turns. One that has services which were never read is next.
    fn lay_out(&mut self) {
        let clouds = self.clouds.borrow_and_update().clone();
        let now = Instant::now();
        self.due.retain(|project, _| clouds.contains_key(project));
        for project in clouds.keys() {
            let never_read = has_never_read(&self.board, project);
            let is_running = self.running.values().any(|running| running == project);
            match (is_running, never_read) {
                // Its next turn is laid out when this one has ended.
                (true, true) => drop(self.again.insert(project.clone())),
                (true, false) => {}
                (false, true) => drop(self.due.insert(project.clone(), now + soon(project))),
                (false, false) => {
                    self.due.entry(project.clone()).or_insert(now + SERVICES_INTERVAL);
                }
            }
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let clouds = self.clouds.borrow().clone();
        let is_due = |(project, due): (&Arc<str>, &Instant)| (*due <= now).then(|| project.clone());
        for project in self.due.iter().filter_map(is_due).collect::<Vec<_>>() {
            // Its next turn is laid out when this one has ended.
            self.due.remove(&project);
            let Some(cloud) = clouds.get(&project) else { continue };
            let reading =
                read(project.clone(), cloud.clone(), self.board.clone(), self.clock.clone());
            let task = self.readings.spawn(reading);
            self.running.insert(task.id(), project);
        }
    }

    fn ended(&mut self, task: Id) {
        let Some(project) = self.running.remove(&task) else { return };
        let is_wanted = self.again.remove(&project) && has_never_read(&self.board, &project);
        if self.clouds.borrow().contains_key(&project) {
            let wait = if is_wanted { soon(&project) } else { SERVICES_INTERVAL };
            self.due.insert(project, Instant::now() + wait);
        }
    }
}

/// How long a project with a service that was never read waits.
fn soon(project: &str) -> Duration {
    schedule::phase(project, FIRST_WITHIN)
}

fn has_never_read(board: &ServiceBoard, project: &str) -> bool {
    services_of(board, project).iter().any(|state| state.up.is_none())
}

fn services_of(board: &ServiceBoard, project: &str) -> Vec<Arc<ServiceState>> {
    let all = board.snapshot();
    all.iter().filter(|state| *state.meta.project == *project).cloned().collect()
}

async fn read<C: Services>(project: Arc<str>, cloud: C, board: ServiceBoard, clock: Clock) {
    let services = services_of(&board, &project);
    if services.is_empty() {
        return;
    }
    let wanted: Vec<_> = services.iter().map(|state| state.meta.id.clone()).collect();
    // What is found is at least as new as that; a change that ends meanwhile knows better.
    let (date, began) = (clock.now(), Instant::now());
    let budget = Budget {
        deadline: Instant::now() + READING_TIMEOUT,
        first_token: None,
        priority: Priority::Poll,
    };
    let result = cloud.services(&wanted, budget).await.result;
    let results = result.unwrap_or_else(|error| vec![Err(error); services.len()]);
    report(&project, &services, &results);
    for (state, result) in services.into_iter().zip(results) {
        board.record_since(&state.meta, result, date, began);
    }
}

/// Logs a line for each cause when reading begins to fail, and one when it works again.
fn report(
    project: &str,
    services: &[Arc<ServiceState>],
    results: &[Result<EndpointService, CloudError>],
) {
    let mut told: Vec<&CloudError> = Vec::new();
    for (state, result) in services.iter().zip(results) {
        let Err(error) = result else { continue };
        if is_news(state.last_error.as_ref(), error) && !told.contains(&error) {
            told.push(error);
            tracing::warn!(
                project,
                service_name = &*state.meta.name,
                service_id = state.meta.id.as_str(),
                reason = error.reason.as_str(),
                code = error.code,
                request_id = error.request_id,
                "the endpoint service cannot be read: {error}"
            );
        }
    }
    let was_lost =
        |(state, result): &(&Arc<ServiceState>, &Result<EndpointService, CloudError>)| {
            state.up == Some(false) && result.is_ok()
        };
    let again = services.iter().zip(results).filter(was_lost).count();
    if again > 0 {
        tracing::info!(project, services = again, "endpoint services can be read again");
    }
}

/// Whether a service that failed with `before`, if at all, now fails for another cause.
fn is_news(before: Option<&CloudError>, error: &CloudError) -> bool {
    let is_same =
        |before: &CloudError| (before.reason, &before.code) == (error.reason, &error.code);
    // Credentials in back-off are told once where the back-off begins, not for each service.
    error.retry_at.is_none() && !before.is_some_and(is_same)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        board::ServiceMeta,
        cloud::{Listed, Reason, Trace, Traced},
        model::{RegionId, ServiceFields, ServiceId, ServiceName, ServiceStatus},
    };

    #[derive(Clone, Default)]
    struct Fake {
        asked: Arc<Mutex<Vec<(Instant, usize)>>>,
        missing: Arc<Mutex<Option<ServiceId>>>,
        broken: Arc<Mutex<bool>>,
        takes: Arc<Mutex<Duration>>,
    }

    impl Services for Fake {
        async fn service(&self, _: &ServiceId, _: Budget) -> Traced<EndpointService> {
            unreachable!("the reader lists")
        }

        async fn services(&self, wanted: &[ServiceId], _: Budget) -> Traced<Listed> {
            self.asked.lock().unwrap().push((Instant::now(), wanted.len()));
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

    #[test]
    fn each_cause_of_a_failure_is_news_once() {
        let error = |reason, code: Option<&str>| CloudError {
            code: code.map(Into::into),
            ..CloudError::new(reason, "no")
        };
        let reset = error(Reason::Reset, None);
        let other_words = CloudError { message: "gone".into(), ..reset.clone() };
        let (one, other) = ("EndPoint.0001", "EndPoint.0002");
        let back_off = CloudError { retry_at: Some(Clock::system().now()), ..reset.clone() };
        let cases = [
            (None, &reset, true),
            (Some(&reset), &other_words, false),
            (Some(&reset), &error(Reason::NotFound, None), true),
            (Some(&error(Reason::Http4xx, Some(one))), &error(Reason::Http4xx, Some(other)), true),
            (Some(&error(Reason::Http4xx, Some(one))), &error(Reason::Http4xx, Some(one)), false),
            (None, &back_off, false),
        ];
        for (before, error, expected) in cases {
            assert_eq!(is_news(before, error), expected, "{before:?}, then {error:?}");
        }
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
