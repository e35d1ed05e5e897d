//! Pages that came before: a cluster whose pages have the same bytes as last time has the same
//! connections, without decoding or comparing them.
//!
//! What is kept of a page is a digest of 128 bits (XXH3) under a seed of this process. By chance two
//! pages of a cluster share it once in 10^38 polls. Nobody can aim at it either: the seed is random
//! and never leaves the process, and whoever answers with pages could as well answer with old ones.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Weak},
};

use parking_lot::{Mutex, MutexGuard};
use twox_hash::XxHash3_128;

use super::wire::Surprise;
use crate::model::{ClusterId, ConnectionList};

/// The last complete walks of a project's clusters.
#[derive(Debug)]
pub(super) struct Seen {
    seed: u64,
    walks: Mutex<HashMap<ClusterId, Arc<Walk>>>,
}

/// Tells the bytes of a page from other bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageDigest(u128);

/// A page of a walk: where it was asked for and what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeenPage {
    pub(super) offset: u32,
    pub(super) limit: u32,
    pub(super) digest: PageDigest,
}

/// A complete walk.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) pages: Box<[SeenPage]>,
    /// What was odd about all of its pages together.
    pub(super) surprises: [u64; Surprise::ALL.len()],
    /// Who shows the list keeps it; a list that nobody shows is not worth its memory.
    list: Weak<ConnectionList>,
}

impl Walk {
    pub(super) fn new(
        pages: Vec<SeenPage>,
        surprises: [u64; Surprise::ALL.len()],
        list: &Arc<ConnectionList>,
    ) -> Self {
        Self { pages: pages.into(), surprises, list: Arc::downgrade(list) }
    }
}

impl Seen {
    pub(super) fn new() -> Self {
        // Without a source of randomness the digest is as wide, only its seed is known.
        Self { seed: getrandom::u64().unwrap_or_default(), walks: Mutex::default() }
    }

    pub(super) fn digest(&self, body: &[u8]) -> PageDigest {
        PageDigest(XxHash3_128::oneshot_with_seed(self.seed, body))
    }

    /// The last complete walk of a cluster and what it found, if that is still shown.
    pub(super) fn recall(&self, cluster: &ClusterId) -> Option<(Arc<Walk>, Arc<ConnectionList>)> {
        let walk = self.lock().get(cluster)?.clone();
        let list = walk.list.upgrade()?;
        Some((walk, list))
    }

    pub(super) fn remember(&self, cluster: &ClusterId, walk: Walk) {
        self.lock().insert(cluster.clone(), Arc::new(walk));
    }

    pub(super) fn forget(&self, cluster: &ClusterId) {
        self.lock().remove(cluster);
    }

    /// Forgets the clusters that are not among these.
    pub(super) fn keep_only(&self, clusters: &HashSet<&ClusterId>) {
        self.lock().retain(|cluster, _| clusters.contains(cluster));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterId, Arc<Walk>>> {
        self.walks.lock()
    }
}
