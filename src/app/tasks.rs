//! The tasks of the daemon, in the groups in which they end.

use std::{future::pending, pin::Pin};

use tokio::{sync::watch, task::JoinSet};

/// Ready as soon as a task has to end.
pub(super) type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tasks that are told to end at the same time.
pub(super) struct Group {
    running: JoinSet<&'static str>,
    stop: watch::Sender<bool>,
}

impl Default for Group {
    fn default() -> Self {
        Self { running: JoinSet::new(), stop: watch::Sender::new(false) }
    }
}

impl Group {
    /// Starts a task under the name by which its death is reported. It gets a future that is ready when it has to end.
    pub(super) fn spawn<F>(&mut self, name: &'static str, task: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut stop = self.stop.subscribe();
        // A sender that is gone means the same: nothing is left to run for.
        let stop = async move { drop(stop.wait_for(|stop| *stop).await) };
        let task = task(Box::pin(stop));
        self.running.spawn(async move {
            task.await;
            name
        });
    }

    /// The name of the first task to end; waits for ever if there is none.
    async fn first_ended(&mut self) -> &'static str {
        match self.running.join_next().await {
            Some(ended) => ended.unwrap_or("part that panicked"),
            None => pending().await,
        }
    }

    fn stop(&self) {
        self.stop.send_replace(true);
    }

    async fn join(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// All tasks of the daemon.
#[derive(Default)]
pub(super) struct Tasks {
    /// The tasks that poll, serve and reload.
    pub(super) work: Group,
    /// The task that makes changes; it finishes the ones under way.
    pub(super) changes: Group,
    /// The admin listener. A caller waits there for the end of a change, so it ends after `changes`.
    pub(super) admin: Group,
    /// The tasks that write down what the others did; they end last.
    pub(super) keepers: Group,
}

impl Tasks {
    /// The name of a task that ended before its time.
    pub(super) async fn first_ended(&mut self) -> &'static str {
        tokio::select! {
            name = self.work.first_ended() => name,
            name = self.changes.first_ended() => name,
            name = self.admin.first_ended() => name,
            name = self.keepers.first_ended() => name,
        }
    }

    /// Ends all tasks, in order.
    pub(super) async fn end(mut self) {
        self.work.stop();
        self.changes.stop();
        self.changes.join().await;
        self.admin.stop();
        self.work.join().await;
        self.admin.join().await;
        self.keepers.stop();
        self.keepers.join().await;
    }
}
