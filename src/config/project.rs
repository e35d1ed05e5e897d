//! `projects`: addresses, rate limits, and the clusters and services of each.

use std::collections::HashMap;

use super::{
    credentials::{asks, source},
    diagnostics::At,
    discovery::{discovery, labels},
    endpoints::endpoints,
    file,
    network::network,
    poll::Intervals,
    settings::ProjectSettings,
};
use crate::{
    board::{ClusterMeta, ServiceMeta},
    huawei::{
        self,
        credentials::Source,
        endpoints::Service,
        paging::{LARGEST_LIMIT, Paging, Parameter},
    },
    model::{ClusterId, Labels, ProjectId, RegionId, ServiceId},
    pacing::RateLimit,
    poll::Shard,
};

/// The gateway's own default limit is 200 calls a second for each API.
const FASTEST_RATE: f64 = 1000.0;
/// A call in 17 minutes; a slower rate is a typing error.
const SLOWEST_RATE: f64 = 0.001;
/// More at once than the gateway lets through in a second.
const LARGEST_BURST: u32 = 1000;
const CSS_RATE: RateLimit = RateLimit { requests_per_second: 5.0, burst: 10 };
const VPCEP_RATE: RateLimit = RateLimit { requests_per_second: 0.5, burst: 5 };

/// The facts that hold for the projects of a file together.
pub(super) struct Fleet<'a> {
    pub(super) intervals: Intervals<'a>,
    pub(super) shard: Shard,
    /// The place of each cluster id.
    clusters: HashMap<String, At<'a>>,
    /// The region and the place of the first project that has an id which the file does not name.
    unwritten_ids: HashMap<ProjectId, (RegionId, At<'a>)>,
}

impl<'a> Fleet<'a> {
    /// No clusters so far.
    pub(super) fn new(shard: Shard, intervals: Intervals<'a>) -> Self {
        Self { intervals, shard, clusters: HashMap::new(), unwritten_ids: HashMap::new() }
    }

    /// The number of clusters.
    pub(super) fn size(&self) -> usize {
        self.clusters.len()
    }

    /// A project id belongs to one region, so that of an environment or a profile can be right for one only.
    fn check_unwritten_id(&mut self, at: &At<'a>, cloud: &huawei::Settings) {
        let Some(id) = cloud.project_id.clone() else { return };
        let first = || (cloud.region.clone(), at.clone());
        let (region, first) = self.unwritten_ids.entry(id).or_insert_with(first);
        if *region != cloud.region {
            at.warning(format_args!(
                "the id is that of the environment or the profile, which is also used at {} for region \
                 {region}; a project id belongs to one region, so write project_id for each project",
                first.named()
            ));
        }
    }
}

pub(super) fn project<'a>(
    at: &At<'a>,
    fleet: &mut Fleet<'a>,
    written: &mut file::Project,
) -> Option<ProjectSettings> {
    let is_unwritten = written.project_id.is_none();
    let cloud = cloud(at, written);
    if let Some(cloud) = cloud.as_ref().filter(|_| is_unwritten) {
        fleet.check_unwritten_id(&at.key("project_id"), cloud);
    }
    let limits = written.rate_limit.get_or_insert_default();
    let limit = |key: &str, written: &mut Option<file::RateLimit>, default| {
        let at = at.key("rate_limit").key(key);
        rate_limit(&at, written.get_or_insert_default(), default, fleet.shard)
    };
    let css_rate_limit = limit("css", &mut limits.css, CSS_RATE);
    let vpcep_rate_limit = limit("vpcep", &mut limits.vpcep, VPCEP_RATE);
    let clusters = written.clusters.get_or_insert_default();
    let services = written.endpoint_services.get_or_insert_default();
    let of_project = labels(at, &mut written.labels, &Labels::default());
    let discovery = written.discovery.as_mut().map(|written| {
        let at = at.key("discovery");
        // Clusters to come have the interval of those without one of their own.
        let interval = fleet.intervals.of_cluster(at.clone(), &mut None);
        discovery(&at, written, (interval, &of_project, fleet.shard))
    });
    let at_clusters = at.key("clusters");
    if clusters.is_empty() && services.is_empty() && discovery.is_none() {
        at_clusters.warning("there are none: nothing of this project is polled");
    }
    let mut own_clusters = Vec::new();
    for (at, written) in at_clusters.each(clusters) {
        own_clusters.extend(cluster(&at, fleet, written, (cloud.as_ref(), &of_project)));
    }
    let services = endpoint_services(&at.key("endpoint_services"), services, cloud.as_ref());
    Some(ProjectSettings {
        cloud: cloud?,
        css_rate_limit,
        vpcep_rate_limit,
        clusters: own_clusters,
        discovery,
        endpoint_services: if fleet.shard.index == 0 { services } else { Vec::new() },
    })
}

/// The settings for calls of the project's APIs.
fn cloud(at: &At<'_>, written: &mut file::Project) -> Option<huawei::Settings> {
    let name = at.key("name");
    name.name(&written.name);
    // A slash separates project and service in `admin.tokens`.
    if written.name.contains('/') {
        name.mistake(format_args!("{:?}", written.name), "a name without /");
    }
    let region = at.key("region").ok(&written.region, RegionId::parse(&written.region));
    let credentials = source(&at.key("credentials"), &mut written.credentials);
    let network = network(at, written);
    let read = credentials.as_ref().filter(|_| !at.context.text_only);
    let defaults = read.map(Source::defaults).unwrap_or_default();
    if written.project_id.is_none() {
        written.project_id = defaults.project_id;
    }
    let project_id = match written.project_id.as_deref() {
        Some(text) => at.key("project_id").ok(text, ProjectId::parse(text)).map(Some),
        None => Some(None),
    };
    let paging = paging(&at.key("paging"), written.paging.get_or_insert_default());
    let (region, credentials) = (region?, credentials?);
    let has_clusters = written.discovery.is_some()
        || written.clusters.as_ref().is_some_and(|clusters| !clusters.is_empty());
    let asks = |service| match service {
        Service::Css => has_clusters,
        Service::Iam if project_id == Some(None) => true,
        service => asks(&credentials, service),
    };
    let of_profile = defaults.iam_endpoint;
    let endpoints = endpoints(at, &mut written.api_endpoints, &region, asks, of_profile);
    Some(huawei::Settings {
        name: written.name.as_str().into(),
        region,
        project_id: project_id?,
        domain_id: defaults.domain_id.map(Into::into),
        endpoints: endpoints?,
        credentials,
        network: network?,
        paging,
    })
}

/// The cluster, if it is this shard's.
fn cluster<'a>(
    at: &At<'a>,
    fleet: &mut Fleet<'a>,
    written: &mut file::Cluster,
    (cloud, of_project): (Option<&huawei::Settings>, &Labels),
) -> Option<ClusterMeta> {
    let at_id = at.key("id");
    at_id.unique(&mut fleet.clusters, &written.id);
    let id = at_id.ok(&written.id, ClusterId::parse(&written.id));
    let interval = fleet.intervals.of_cluster(at.key("interval"), &mut written.interval);
    let name = written.name.get_or_insert_with(|| written.id.clone());
    at.key("name").name(name);
    let labels = labels(at, &mut written.labels, of_project);
    Some(ClusterMeta {
        region: cloud?.region.clone(),
        project: cloud?.name.clone(),
        id: id.filter(|id| fleet.shard.owns(id))?,
        name: name.as_str().into(),
        interval,
        labels,
        listed: None,
    })
}

fn endpoint_services(
    at: &At<'_>,
    written: &mut [file::EndpointService],
    cloud: Option<&huawei::Settings>,
) -> Vec<ServiceMeta> {
    // The places of the ids, and those of the services with a name.
    let (mut ids, mut names) = (HashMap::new(), HashMap::new());
    let mut services = Vec::new();
    for (at, written) in at.each(&mut *written) {
        let (at_id, at_name) = (at.key("id"), at.key("name"));
        let name = written.name.get_or_insert_with(|| written.id.clone());
        at_id.unique(&mut ids, &written.id);
        at_name.name(name);
        // The same id twice has one mistake, not a second one for the name it defaults to.
        if *name != written.id {
            at_name.unique(&mut names, name);
        }
        let id = at_id.ok(&written.id, ServiceId::parse(&written.id));
        if let (Some(id), Some(cloud)) = (id, cloud) {
            let (region, project) = (cloud.region.clone(), cloud.name.clone());
            services.push(ServiceMeta { region, project, id, name: name.as_str().into() });
        }
    }
    // A token for the one would be a token for the other. Each id counts once.
    for (at_other, other) in at.each(&*written) {
        if let (Some(_), Some(at_name)) = (ids.remove(&other.id), names.get(&other.id)) {
            let expected = format!("a name that is not the id of {}", at_other.named());
            at_name.mistake(format_args!("{:?}", other.id), expected);
        }
    }
    services
}

/// This shard's part of a limit that all shards share.
fn rate_limit(
    at: &At<'_>,
    written: &mut file::RateLimit,
    default: RateLimit,
    shard: Shard,
) -> RateLimit {
    let (rate, rates) = (&mut written.requests_per_second, (SLOWEST_RATE, FASTEST_RATE));
    let rate = at.key("requests_per_second").between(rate, default.requests_per_second, rates);
    let (burst, bursts) = (&mut written.burst, (1, LARGEST_BURST));
    let burst = at.key("burst").between(burst, default.burst, bursts);
    let requests_per_second = rate / f64::from(shard.count);
    let burst = (burst / shard.count).max(1);
    *written =
        file::RateLimit { requests_per_second: Some(requests_per_second), burst: Some(burst) };
    RateLimit { requests_per_second, burst }
}

fn paging(at: &At<'_>, written: &mut file::Paging) -> Paging {
    let parameter = written.parameter.get_or_insert_with(|| Parameter::Offset.as_str().into());
    let all = [Parameter::Offset, Parameter::Start];
    let found = all.into_iter().find(|one| one.as_str() == parameter).or_else(|| {
        let expected = "offset, or start for older regions";
        at.key("parameter").wrong(format_args!("{parameter:?}"), expected)
    });
    let limits = (1, LARGEST_LIMIT);
    Paging {
        parameter: found.unwrap_or(Parameter::Offset),
        first: at.key("first").between(&mut written.first, 0, (0, 1)),
        limit: at.key("limit").between(&mut written.limit, LARGEST_LIMIT, limits),
    }
}
