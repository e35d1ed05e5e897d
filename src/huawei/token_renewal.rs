//! Renews credentials in the background, so that no poll has to wait for them.

use std::{future::Future, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::client::Client;
use crate::cloud::Clouds;

/// The interval of the checks. Credentials that are due live for some minutes more.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Renews the credentials of the clients whose end, until `shutdown` is ready.
pub async fn keep_fresh(
    clients: watch::Receiver<Clouds<Client>>,
    shutdown: impl Future<Output = ()>,
) {
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let now = Instant::now();
        let mut renewals = JoinSet::new();
        let all = clients.borrow().clone();
        for client in all.values() {
            let client = client.clone();
            renewals.spawn(async move { client.renew_if_due(now).await });
        }
        tokio::select! {
            () = &mut shutdown => {
                renewals.shutdown().await;
                return;
            }
            () = joined(&mut renewals) => {}
        }
    }
}

/// A renewal that panicked is a fault of the exporter, and ends it like any other.
async fn joined(renewals: &mut JoinSet<()>) {
    while let Some(renewed) = renewals.join_next().await {
        if let Err(error) = renewed
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
