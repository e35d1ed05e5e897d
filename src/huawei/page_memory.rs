//! The list that a page was decoded to, remembered for each cluster that has one page.
//!
//! Decoding is a pure function of the page's bytes, and most pages are the same from poll to poll: a
//! fleet in which nothing changes spends a fifth of its CPU time on decoding them again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use super::wire::Surprises;
use crate::model::{ClusterId, ConnectionList};

/// The SHA-256 of a page: two pages with the same digest are the same, also where someone tries to
/// make them differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageDigest([u8; 32]);

impl PageDigest {
    pub(super) fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).into())
    }
}

#[derive(Debug)]
struct Remembered {
    digest: PageDigest,
    /// Weak, so that a list that is no longer shown takes no memory.
    list: Weak<ConnectionList>,
    /// They are counted at each poll.
    surprises: Surprises,
}

/// The last page of each cluster, and its list.
#[derive(Debug, Default)]
pub(super) struct PageMemory(Mutex<HashMap<ClusterId, Remembered>>);

impl PageMemory {
    /// The list of a page that came before, and the deviations in it.
    pub(super) fn recall(
        &self,
        cluster: &ClusterId,
        digest: PageDigest,
    ) -> Option<(Arc<ConnectionList>, Surprises)> {
        let all = self.0.lock();
        let known = all.get(cluster).filter(|known| known.digest == digest)?;
        Some((known.list.upgrade()?, known.surprises.clone()))
    }

    /// Remembers a page that was a whole list.
    pub(super) fn remember(
        &self,
        cluster: &ClusterId,
        digest: PageDigest,
        list: &Arc<ConnectionList>,
        surprises: Surprises,
    ) {
        let list = Arc::downgrade(list);
        self.0.lock().insert(cluster.clone(), Remembered { digest, list, surprises });
    }

    /// Forgets all clusters except these.
    pub(super) fn keep_only(&self, clusters: &HashSet<&ClusterId>) {
        self.0.lock().retain(|cluster, _| clusters.contains(cluster));
    }
}
