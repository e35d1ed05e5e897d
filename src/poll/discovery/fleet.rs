//! The projects with the clusters that are configured and those that were discovered, and the readings
//! of lists that are under way.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use super::{
    known::{Known, Outcome},
    settings::DiscoverySettings,
};
use crate::{
    board::ClusterMeta,
    clock::{Clock, unix_seconds},
    cloud::{Budget, CloudError, Directory, Reason, Traced},
    model::{ClusterList, ListedCluster, RegionId},
    pacing::Priority,
    poll::{schedule, target::Target},
    stats::Stats,
};

/// A list of two pages takes a second or two.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// A project of which no cluster is known is asked again after this time, if its interval is longer.
const RETRY_WITHOUT_CLUSTERS: Duration = Duration::from_secs(300);

/// The projects and clusters that are to be polled.
#[derive(Debug)]
pub struct Polled<C> {
    /// The projects.
    pub targets: Vec<Target<C>>,
    /// The clusters of all projects, for the board.
    pub clusters: Vec<ClusterMeta>,
}

/// The last reading of a project's list.
#[derive(Debug)]
pub struct Found {
    /// Clusters on the list; none where it could not be read.
    pub listed: usize,
    /// Those of them that the configuration asks for, of all shards.
    pub wanted: usize,
    /// Clusters that are polled although the configuration does not name them.
    pub new: usize,
    /// Why the list is not to be trusted, or not in all it says.
    pub failure: Option<CloudError>,
}

/// A project.
struct Member<C> {
    /// Without its clusters.
    target: Target<C>,
    configured: Vec<ClusterMeta>,
    known: Known,
    /// When its list is read next; none while it is read, or where there is no discovery.
    due: Option<Instant>,
    /// Its list was never read to an end.
    is_new: bool,
    /// Why the last list failed, if it did: a cause is logged once.
    failing: Option<(Reason, Option<String>)>,
    found: Option<Found>,
}

/// All projects, with what discovery knows of each.
pub struct Fleet<C> {
    members: Vec<Member<C>>,
    lists: JoinSet<Traced<ClusterList>>,
    running: HashMap<Id, Arc<str>>,
    clock: Clock,
    stats: Arc<Stats>,
}

impl<C: Directory + Clone> Fleet<C> {
    /// Projects with their configured clusters, whose lists were never read. `restored` are the clusters of
    /// before a restart; those that were discovered are polled again without waiting for a list.
    pub fn new<'a>(
        configured: Polled<C>,
        restored: impl IntoIterator<Item = &'a ClusterMeta>,
        clock: Clock,
        stats: Arc<Stats>,
    ) -> Self {
        let (members, lists, running) = Default::default();
        let mut fleet = Self { members, lists, running, clock, stats };
        let mut listed: HashMap<(Arc<str>, RegionId), Vec<Arc<ListedCluster>>> = HashMap::new();
        for meta in restored {
            let place = listed.entry((meta.project.clone(), meta.region.clone())).or_default();
            place.extend(meta.listed.clone());
        }
        fleet.set(configured, |target| {
            let place = (target.name.clone(), target.region.clone());
            listed.remove(&place).unwrap_or_default()
        });
        fleet
    }

    /// Takes another configuration. Lists that are under way are thrown away, and read again.
    pub(super) fn replace(&mut self, configured: Polled<C>) {
        self.lists.abort_all();
        self.running.clear();
        let before = std::mem::take(&mut self.members);
        let of = |target: &Target<C>| {
            let same = |old: &&Member<C>| {
                (&old.target.name, &old.target.region) == (&target.name, &target.region)
            };
            before.iter().find(same)
        };
        self.set(configured, |target| {
            of(target).into_iter().flat_map(|old| old.known.rows().cloned()).collect()
        });
        for member in &mut self.members {
            let Some(old) = of(&member.target) else { continue };
            member.is_new = old.is_new;
            if old.target.discovery == member.target.discovery {
                member.failing.clone_from(&old.failing);
                member.due = old.due.or(member.due);
            }
        }
        let names: HashSet<_> = self.discovering().map(|member| &member.target.name).collect();
        for old in before.iter().filter(|old| !names.contains(&old.target.name)) {
            self.stats.discover_no_more(&old.target.name);
        }
    }

    fn set(
        &mut self,
        Polled { targets, clusters }: Polled<C>,
        mut listed: impl FnMut(&Target<C>) -> Vec<Arc<ListedCluster>>,
    ) {
        let mut configured: HashMap<Arc<str>, Vec<ClusterMeta>> = HashMap::new();
        for meta in clusters {
            configured.entry(meta.project.clone()).or_default().push(meta);
        }
        let now = Instant::now();
        for target in targets {
            let settings = target.discovery.as_deref();
            let known = settings.map(|settings| Known::of(listed(&target), settings));
            let known = known.unwrap_or_default();
            if settings.is_some() {
                self.stats.discover(&target.name, known.len());
            }
            self.members.push(Member {
                configured: configured.remove(&target.name).unwrap_or_default(),
                known,
                due: settings.map(|_| now),
                is_new: settings.is_some(),
                failing: None,
                found: None,
                target,
            });
        }
    }

    fn discovering(&self) -> impl Iterator<Item = &Member<C>> {
        self.members.iter().filter(|member| member.target.discovery.is_some())
    }

    /// True if every list was read once, well or not.
    pub(super) fn has_tried_all(&self) -> bool {
        self.discovering().all(|member| !member.is_new)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| member.due).min()
    }

    /// Begins to read the lists that are due.
    pub(super) fn start_due(&mut self) {
        let now = Instant::now();
        for member in &mut self.members {
            if member.due.take_if(|due| *due <= now).is_none() {
                continue;
            }
            let cloud = member.target.cloud.clone();
            // Behind the polls of a project that has too many it would never be read; it is one request.
            let budget = Budget {
                deadline: now + LIST_TIMEOUT,
                first_token: None,
                priority: Priority::Begun,
            };
            let task = self.lists.spawn(async move { cloud.clusters(budget).await });
            self.running.insert(task.id(), member.target.name.clone());
        }
    }

    /// Waits until the reading of a list has ended; none is under way: `None`.
    pub(super) async fn next_end(
        &mut self,
    ) -> Option<Result<(Id, Traced<ClusterList>), JoinError>> {
        self.lists.join_next_with_id().await
    }

    /// Takes the end of a reading. True if other clusters, or clusters with other names or tags, are to be
    /// polled now.
    pub(super) fn ended(&mut self, ended: Result<(Id, Traced<ClusterList>), JoinError>) -> bool {
        let (task, result) = match ended {
            Ok((task, traced)) => (task, traced.result),
            Err(error) => {
                let message = "the reading of the list ended by a fault of the exporter";
                (error.id(), Err(CloudError::new(Reason::Internal, message)))
            }
        };
        let Some(name) = self.running.remove(&task) else { return false };
        let member = self.members.iter_mut().find(|member| member.target.name == name);
        let Some((settings, member)) =
            member.and_then(|member| Some((member.target.discovery.clone()?, member)))
        else {
            return false;
        };
        let rows = result.as_ref().map(|list| &*list.clusters).unwrap_or_default();
        let listed = rows.len();
        let wanted = rows.iter().filter(|row| settings.wants(row)).count();
        let outcome = match result {
            Ok(list) => member.known.after(list, &settings),
            Err(error) => member.known.unchanged(error),
        };
        let reason = outcome.failure.as_ref().map(|error| error.reason);
        let date = self.clock.now();
        self.stats.discovered(&name, outcome.known.len(), unix_seconds(date), reason);
        member.tell(&outcome);
        member.is_new = false;
        member.due = Some(member.next(&settings, outcome.failure.is_some(), date));
        let is_changed = outcome.known != member.known;
        member.known = outcome.known;
        let configured: HashSet<_> = member.configured.iter().map(|meta| &meta.id).collect();
        let new = member.known.rows().filter(|row| !configured.contains(&row.id)).count();
        member.found = Some(Found { listed, wanted, new, failure: outcome.failure });
        is_changed
    }

    /// Everything that is to be polled: what is configured, and what was discovered beside it. A cluster
    /// that two projects list is the first one's.
    pub fn polled(&self) -> Polled<C> {
        let configured = self.members.iter().flat_map(|member| &member.configured);
        let mut taken: HashSet<_> = configured.map(|meta| meta.id.clone()).collect();
        let mut polled = Polled { targets: Vec::new(), clusters: Vec::new() };
        for member in &self.members {
            let mut own = member.configured();
            own.extend(member.discovered().filter(|meta| taken.insert(meta.id.clone())));
            let clusters = own.iter().map(|meta| (meta.id.clone(), meta.interval)).collect();
            polled.targets.push(Target { clusters, ..member.target.clone() });
            polled.clusters.append(&mut own);
        }
        polled
    }

    /// Reads every list once. True if all of them are whole.
    pub async fn read_once(&mut self) -> bool {
        self.start_due();
        while let Some(ended) = self.next_end().await {
            self.ended(ended);
        }
        self.discovering().all(|member| member.failing.is_none())
    }

    /// The last reading of each list, by the names of the projects.
    pub fn found(&self) -> impl Iterator<Item = (&Arc<str>, &Found)> {
        let members = self.members.iter();
        members.filter_map(|member| Some((&member.target.name, member.found.as_ref()?)))
    }

    /// Gives up the readings under way.
    pub(super) async fn shutdown(&mut self) {
        self.lists.shutdown().await;
    }
}

impl<C> Member<C> {
    /// The configured clusters, with what the list says of them.
    fn configured(&self) -> Vec<ClusterMeta> {
        let mut metas = self.configured.clone();
        let Some(settings) = &self.target.discovery else { return metas };
        for meta in &mut metas {
            if let Some(row) = self.known.row(&meta.id) {
                meta.labels = meta.labels.or(settings.labels_of(row));
                meta.listed = Some(row.clone());
            }
        }
        metas
    }

    fn discovered(&self) -> impl Iterator<Item = ClusterMeta> {
        let settings = self.target.discovery.iter();
        settings.flat_map(|settings| self.known.rows().map(|row| self.meta(settings, row)))
    }

    fn meta(&self, settings: &DiscoverySettings, row: &Arc<ListedCluster>) -> ClusterMeta {
        ClusterMeta {
            region: self.target.region.clone(),
            project: self.target.name.clone(),
            name: if row.name.is_empty() { row.id.as_str() } else { &*row.name }.into(),
            id: row.id.clone(),
            interval: settings.poll_interval,
            labels: settings.labels.or(settings.labels_of(row)),
            listed: Some(row.clone()),
        }
    }

    /// When the list is read next: at the project's place in the interval, sooner if nothing is known.
    fn next(&self, settings: &DiscoverySettings, failed: bool, date: jiff::Timestamp) -> Instant {
        let (now, interval) = (Instant::now(), settings.interval);
        let phase = schedule::phase(&self.target.name, interval);
        let beat = now + schedule::until_next(date, phase, interval);
        let beat = schedule::beat_after_a_poll(beat, interval, now);
        match failed && self.known.len() == 0 {
            true => beat.min(now + RETRY_WITHOUT_CLUSTERS),
            false => beat,
        }
    }

    /// Logs what changed, a cause of failures when it begins, and when it is over.
    fn tell(&mut self, outcome: &Outcome) {
        let project = &*self.target.name;
        let Outcome { come, gone, renamed, .. } = outcome;
        if !come.is_empty() || !gone.is_empty() || !renamed.is_empty() {
            let (come, gone, renamed) = (come.len(), gone.len(), renamed.len());
            let clusters = outcome.known.len();
            tracing::info!(
                project,
                clusters,
                come,
                gone,
                renamed,
                "discovery found other clusters"
            );
        }
        let cause = outcome.failure.as_ref().map(|error| (error.reason, error.code.clone()));
        if let Some(error) = outcome.failure.as_ref().filter(|_| cause != self.failing) {
            let (reason, code) = (error.reason.as_str(), error.code.as_deref());
            let request_id = error.request_id.as_deref();
            tracing::warn!(project, reason, code, request_id, "discovery fails: {error}");
        }
        if cause.is_none() && self.failing.is_some() {
            tracing::info!(project, "discovery works again");
        }
        self.failing = cause;
    }
}
