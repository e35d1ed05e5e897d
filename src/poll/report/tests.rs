use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    board::Board,
    cloud::{Reason, Trace, Traced},
    model::RegionId,
};

fn cluster(project: &str, number: u32) -> ClusterMeta {
    ClusterMeta {
        region: RegionId::parse("r").unwrap(),
        project: project.into(),
        id: ClusterId::parse(&format!("{number:08x}-8882-4871-a3c2-d380272eed88")).unwrap(),
        name: format!("c{number}").into(),
        interval: Duration::from_secs(60),
        labels: Default::default(),
        listed: None,
    }
}

fn attempt(result: Result<Arc<ConnectionList>, CloudError>) -> Attempt {
    Attempt {
        at: jiff::Timestamp::UNIX_EPOCH,
        duration: Duration::ZERO,
        outcome: Traced { result, trace: Trace::default() },
    }
}

fn failure(reason: Reason) -> Attempt {
    attempt(Err(CloudError::new(reason, "gone")))
}

fn success() -> Attempt {
    attempt(Ok(Arc::new(ConnectionList::service_not_enabled())))
}

/// The lines that are logged: some of their fields.
#[derive(Clone)]
struct Lines(&'static [&'static str], Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::field::Visit for Lines {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if self.0.contains(&field.name()) {
            self.1.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let one = Self(self.0, Arc::default());
        if self.0.contains(&"level") {
            one.1.lock().unwrap().push(event.metadata().level().to_string());
        }
        event.record(&mut one.clone());
        let words = one.1.lock().unwrap().join(" ");
        self.1.lock().unwrap().push(words);
    }
}

fn logged(say: impl FnOnce()) -> Vec<String> {
    logged_with(&["message", "project", "clusters"], say)
}

fn logged_with(fields: &'static [&'static str], say: impl FnOnce()) -> Vec<String> {
    use tracing_subscriber::layer::SubscriberExt as _;
    let lines = Lines(fields, Arc::default());
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    tracing::subscriber::with_default(subscriber, say);
    lines.1.lock().unwrap().clone()
}

const FAILED: &str = "a cluster cannot be read: gone";
const AGAIN: &str = "clusters can be read again";

#[tokio::test(start_paused = true)]
async fn one_cause_is_one_line_for_all_clusters_of_a_project() {
    let mut causes = Causes::default();
    let poll_all = |causes: &mut Causes<ClusterId>, attempt: fn() -> Attempt| {
        for number in 0..100 {
            news(causes, &cluster("a", number), &attempt());
        }
        news(causes, &cluster("b", 1000), &attempt());
    };
    let lines = logged(|| {
        poll_all(&mut causes, || failure(Reason::Dns));
        poll_all(&mut causes, || failure(Reason::Dns));
    });
    assert_eq!(lines, [format!("{FAILED} \"a\""), format!("{FAILED} \"b\"")]);
    let lines = logged(|| poll_all(&mut causes, || failure(Reason::Connect)));
    assert_eq!(lines.len(), 2, "another reason is another cause: {lines:?}");
    let lines = logged(|| poll_all(&mut causes, success));
    assert_eq!(lines, [format!("{AGAIN} \"a\" 100"), format!("{AGAIN} \"b\" 1")]);
    assert!(causes.is_empty(), "{causes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_fails_alike_much_later_is_news() {
    let mut causes = Causes::default();
    let first = logged(|| news(&mut causes, &cluster("a", 1), &failure(Reason::NotFound)));
    tokio::time::advance(Duration::from_secs(119)).await;
    let soon = logged(|| news(&mut causes, &cluster("a", 2), &failure(Reason::NotFound)));
    tokio::time::advance(Duration::from_secs(121)).await;
    let later = logged(|| news(&mut causes, &cluster("a", 3), &failure(Reason::NotFound)));
    assert_eq!([first.len(), soon.len(), later.len()], [1, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn another_code_is_another_cause_and_a_back_off_is_none() {
    let refused = |code: &str| CloudError {
        code: Some(code.into()),
        ..CloudError::new(Reason::Http4xx, "gone")
    };
    let back_off = CloudError { retry_at: Some(jiff::Timestamp::UNIX_EPOCH), ..refused("1") };
    let mut causes = Causes::default();
    for (error, lines) in [(refused("1"), 1), (refused("2"), 1), (refused("2"), 0), (back_off, 0)] {
        let said = logged(|| news(&mut causes, &cluster("a", 1), &attempt(Err(error))));
        assert_eq!(said.len(), lines, "{said:?}");
    }
    assert!(causes.is_empty(), "{causes:?}");
}

#[tokio::test(start_paused = true)]
async fn clusters_that_are_gone_are_forgotten() {
    let mut causes = Causes::default();
    news(&mut causes, &cluster("a", 1), &failure(Reason::Dns));
    news(&mut causes, &cluster("a", 2), &failure(Reason::Dns));
    causes.keep_only(|id| *id == cluster("a", 1).id);
    let lines = logged(|| news(&mut causes, &cluster("a", 1), &success()));
    assert_eq!(lines.len(), 1, "it is the last one: {lines:?}");
    news(&mut causes, &cluster("a", 2), &failure(Reason::Dns));
    causes.keep_only(|_| false);
    assert!(causes.is_empty(), "{causes:?}");
}

#[test]
fn an_endpoint_service_that_is_switched_off_or_on_is_one_line() {
    let at = |is_on: bool| {
        let board = Board::new([cluster("a", 1)]);
        let list =
            ConnectionList { service_enabled: is_on, ..ConnectionList::service_not_enabled() };
        board.record(&cluster("a", 1).id, attempt(Ok(Arc::new(list))), jiff::Timestamp::UNIX_EPOCH);
        ClusterState::clone(&board.snapshot().clusters()[0])
    };
    let never = ClusterState::new(cluster("a", 1));
    let fields = &["level", "message", "project", "region_id", "cluster_id", "cluster_name"];
    let said = |before: &ClusterState, after: &ClusterState| {
        logged_with(fields, || transitions(before, after))
    };
    let line = |level, way| {
        let id = "00000001-8882-4871-a3c2-d380272eed88";
        let what = format!("the endpoint service of a cluster was switched {way}");
        [format!("{level} {what} \"a\" \"r\" \"{id}\" \"c1\"")]
    };
    assert_eq!(said(&at(true), &at(false)), line("WARN", "off"));
    assert_eq!(said(&at(false), &at(true)), line("INFO", "on"));
    for (before, after) in [(&never, &at(false)), (&at(true), &at(true)), (&at(false), &never)] {
        assert_eq!(said(before, after), [""; 0]);
    }
}

#[test]
fn a_poll_that_has_ended_names_its_cluster() {
    let fields = &["level", "message", "project", "cluster_id", "cluster_name", "reason"];
    let lines = logged_with(fields, || {
        ended(&cluster("a", 1), &success());
        ended(&cluster("a", 1), &failure(Reason::Dns));
    });
    let line = "DEBUG a poll has ended \"a\" \"00000001-8882-4871-a3c2-d380272eed88\" \"c1\"";
    assert_eq!(lines, [line.to_owned(), format!("{line} \"dns\"")]);
}
