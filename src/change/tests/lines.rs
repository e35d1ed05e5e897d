//! The lines that a change leaves in the log of the process.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::{
    attribution::dangling,
    fake::{Acts, Fake, Put, error, id},
    log::Log,
    rig::Rig,
    service,
};
use crate::cloud::Reason;

/// Lines as `name=value` pairs.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Visit for Lines {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.lock().unwrap().push(format!("{}={value}", field.name()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push(format!("{}={value:?}", field.name()));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let one = Self::default();
        event.record(&mut one.clone());
        let line = one.0.lock().unwrap().join(" ");
        self.0.lock().unwrap().push(line);
    }
}

impl Lines {
    async fn read() -> (Self, tracing::subscriber::DefaultGuard) {
        // A line that appears for the first time, in the thread of another test, just as a subscriber
        // comes, may miss it: so both appear once before.
        let rig = Rig::with(Fake::new([service()]), Log::default(), vec![dangling("prod")]);
        tokio::time::sleep(Duration::from_secs(30)).await;
        rig.change().await;
        let lines = Self::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn with(&self, text: &str) -> String {
        let lines = self.0.lock().unwrap();
        lines.iter().find(|line| line.contains(text)).expect(text).clone()
    }
}

const ENDED: &str = "a change of an endpoint service has ended";

#[tokio::test(start_paused = true)]
async fn the_line_of_a_change_says_why_it_failed() {
    let (lines, _read) = Lines::read().await;
    let rig = Rig::new();
    rig.projects.borrow()["prod"].vpcep.throttled(Some(Duration::from_secs(60)));
    rig.change().await;
    let line = lines.with("outcome=not_sent");
    assert!(line.contains(ENDED) && line.contains(" reason=timeout"), "{line}");
    assert!(line.contains("own rate limit"), "{line}");

    let (lines, _read) = Lines::read().await;
    let rig = Rig::new();
    rig.put(Put::fails(error(Reason::Reset, None, ""), Acts::NotAtAll));
    rig.change().await;
    let line = lines.with("outcome=not_applied");
    assert!(
        line.contains(&format!("{ENDED}: as told")) && line.contains(" reason=reset"),
        "{line}"
    );

    let (lines, _read) = Lines::read().await;
    Rig::new().change().await;
    let line = lines.with("outcome=applied");
    assert!(line.contains(ENDED) && !line.contains("reason="), "{line}");
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_change_that_was_cut_short_names_the_service_as_other_lines_do() {
    let (lines, _read) = Lines::read().await;
    let _rig = Rig::with(Fake::new([service()]), Log::default(), vec![dangling("prod")]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    let line = lines.with("was under way when the exporter ended");
    assert!(line.contains(&format!(" service_id={}", id().as_str())), "{line}");
    assert!(line.contains(" service_name=logs "), "{line}");
}
