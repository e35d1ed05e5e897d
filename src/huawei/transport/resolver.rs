//! Name lookups that cannot use up the threads of the process.
//!
//! The system's lookup blocks a thread and cannot be given up: with dead name servers each one stays
//! for a minute or two. The threads are those that render pages and write files too, so every host
//! may run only a few of them; later ones wait, and the connect timeout ends the wait.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::Arc,
};

use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// A lookup that hangs must not keep the next one out; there are three hosts for each region.
const LOOKUPS_PER_HOST: usize = 2;

type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Looks names up as the system does.
#[derive(Debug)]
pub(super) struct Resolver {
    lookup: Lookup,
    /// Hosts are those of the configuration.
    places: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self::with(|host| Ok((host, 0).to_socket_addrs()?.collect()))
    }

    fn with(lookup: Lookup) -> Self {
        Self { lookup, places: Mutex::new(HashMap::new()) }
    }

    fn places(&self, host: &str) -> Arc<Semaphore> {
        let mut places = self.places.lock();
        let new = || Arc::new(Semaphore::new(LOOKUPS_PER_HOST));
        places.entry(host.to_owned()).or_insert_with(new).clone()
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, lookup) = (name.as_str().to_owned(), self.lookup);
        let places = self.places(&host);
        Box::pin(async move {
            let place = places.acquire_owned().await?;
            let addresses = tokio::task::spawn_blocking(move || {
                // Kept until the lookup really ends, even if no caller waits any more.
                let _place = place;
                lookup(&host)
            });
            let addresses: Addrs = Box::new(addresses.await??.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        str::FromStr as _,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use parking_lot::Condvar;

    use super::*;

    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    static RELEASED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    fn hangs_until_released(host: &str) -> io::Result<Vec<SocketAddr>> {
        if host == "healthy" {
            return Ok(vec![([127, 0, 0, 1], 0).into()]);
        }
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        RELEASED.1.wait_while(&mut RELEASED.0.lock(), |released| !*released);
        Err(io::ErrorKind::NotFound.into())
    }

    #[tokio::test]
    async fn a_host_whose_lookups_hang_holds_two_threads_and_no_other_host_up() {
        let resolver = Resolver::with(hangs_until_released);
        let lookup = |host: &str| resolver.resolve(Name::from_str(host).unwrap());
        let mut given_up = Vec::new();
        for _ in 0..50 {
            let waited = tokio::time::timeout(Duration::from_millis(1), lookup("hanging")).await;
            given_up.push(waited.is_err());
        }
        assert_eq!(given_up, [true; 50]);
        assert_eq!(lookup("healthy").await.map(Iterator::count).ok(), Some(1));
        assert!(UNDER_WAY.load(Ordering::SeqCst) <= LOOKUPS_PER_HOST);
        *RELEASED.0.lock() = true;
        RELEASED.1.notify_all();
        assert!(lookup("hanging").await.is_err());
    }
}
