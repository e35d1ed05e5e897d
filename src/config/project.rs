//! `projects`: addresses, rate limits, and the clusters and services of each.

use std::collections::HashMap;

use super::{
    credentials::{asks, source},
    diagnostics::Context,
    discovery::{discovery, labels},
    endpoints::{Asked, endpoints},
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
pub(super) struct Fleet {
    pub(super) intervals: Intervals,
    pub(super) shard: Shard,
    /// The place of each cluster id.
    clusters: HashMap<String, String>,
    /// The region and the place of the first project that has an id which the file does not name.
    unwritten_ids: HashMap<ProjectId, (RegionId, String)>,
}

impl Fleet {
    /// No clusters so far.
    pub(super) fn new(shard: Shard, intervals: Intervals) -> Self {
        Self { intervals, shard, clusters: HashMap::new(), unwritten_ids: HashMap::new() }
    }

    /// The number of clusters.
    pub(super) fn size(&self) -> usize {
        self.clusters.len()
    }

    /// A project id belongs to one region, so that of an environment or a profile can be right for one only.
    fn check_unwritten_id(
        &mut self,
        context: &mut Context<'_>,
        path: &str,
        cloud: &huawei::Settings,
    ) {
        let Some(id) = cloud.project_id.clone() else { return };
        let first = || (cloud.region.clone(), path.to_owned());
        let (region, first) = self.unwritten_ids.entry(id).or_insert_with(first);
        if *region != cloud.region {
            let what = format!(
                "the id is that of the environment or the profile, which is also used at {} for region \
                 {region}; a project id belongs to one region, so write project_id for each project",
                context.other(first)
            );
            context.warning(path, what);
        }
    }
}

pub(super) fn project(
    context: &mut Context<'_>,
    fleet: &mut Fleet,
    path: &str,
    written: &mut file::Project,
) -> Option<ProjectSettings> {
    let at = |key: &str| format!("{path}.{key}");
    let is_unwritten = written.project_id.is_none();
    let cloud = cloud(context, path, written);
    if let Some(cloud) = cloud.as_ref().filter(|_| is_unwritten) {
        fleet.check_unwritten_id(context, &at("project_id"), cloud);
    }
    let limits = written.rate_limit.get_or_insert_default();
    let mut limit = |key: &str, written: &mut Option<file::RateLimit>, default| {
        rate_limit(context, &at(key), written.get_or_insert_default(), default, fleet.shard)
    };
    let css_rate_limit = limit("rate_limit.css", &mut limits.css, CSS_RATE);
    let vpcep_rate_limit = limit("rate_limit.vpcep", &mut limits.vpcep, VPCEP_RATE);
    let clusters = written.clusters.get_or_insert_default();
    let services = written.endpoint_services.get_or_insert_default();
    let of_project = labels(context, &at("labels"), &mut written.labels, &Labels::default());
    let discovery = written.discovery.as_mut().map(|written| {
        let path = at("discovery");
        // Clusters to come have the interval of those without one of their own.
        let interval = fleet.intervals.of_cluster(context, &path, &mut None);
        discovery(context, &path, written, (interval, &of_project, fleet.shard))
    });
    if clusters.is_empty() && services.is_empty() && discovery.is_none() {
        context.warning(&at("clusters"), "there are none: nothing of this project is polled");
    }
    let mut own_clusters = Vec::new();
    for (index, written) in clusters.iter_mut().enumerate() {
        let path = at(&format!("clusters[{index}]"));
        own_clusters.extend(cluster(context, fleet, &path, written, (cloud.as_ref(), &of_project)));
    }
    let services = endpoint_services(context, &at("endpoint_services"), services, cloud.as_ref());
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
fn cloud(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::Project,
) -> Option<huawei::Settings> {
    let at = |key: &str| format!("{path}.{key}");
    context.name(&at("name"), &written.name);
    // A slash separates project and service in `admin.tokens`.
    if written.name.contains('/') {
        context.mistake(&at("name"), format_args!("{:?}", written.name), "a name without /");
    }
    let region = context.ok(&at("region"), &written.region, RegionId::parse(&written.region));
    let credentials = source(context, &at("credentials"), &mut written.credentials);
    let network = network(context, path, written);
    let read = credentials.as_ref().filter(|_| !context.text_only);
    let defaults = read.map(Source::defaults).unwrap_or_default();
    if written.project_id.is_none() {
        written.project_id = defaults.project_id;
    }
    let project_id = project_id(context, &at("project_id"), written.project_id.as_deref());
    let paging = paging(context, &at("paging"), written.paging.get_or_insert_default());
    let (region, credentials) = (region?, credentials?);
    let asked = Asked {
        css: written.discovery.is_some()
            || written.clusters.as_ref().is_some_and(|clusters| !clusters.is_empty()),
        iam: project_id == Some(None) || asks(&credentials, Service::Iam),
        sts: asks(&credentials, Service::Sts),
    };
    let of_profile = defaults.iam_endpoint;
    let endpoints =
        endpoints(context, path, &mut written.api_endpoints, &region, asked, of_profile);
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

/// The id, if a valid one is written.
fn project_id(
    context: &mut Context<'_>,
    path: &str,
    written: Option<&str>,
) -> Option<Option<ProjectId>> {
    match written {
        Some(text) => context.ok(path, text, ProjectId::parse(text)).map(Some),
        None => Some(None),
    }
}

/// The cluster, if it is this shard's.
fn cluster(
    context: &mut Context<'_>,
    fleet: &mut Fleet,
    path: &str,
    written: &mut file::Cluster,
    (cloud, of_project): (Option<&huawei::Settings>, &Labels),
) -> Option<ClusterMeta> {
    let id_path = format!("{path}.id");
    context.unique(&mut fleet.clusters, &id_path, &written.id);
    let id = context.ok(&id_path, &written.id, ClusterId::parse(&written.id));
    let interval_path = format!("{path}.interval");
    let interval = fleet.intervals.of_cluster(context, &interval_path, &mut written.interval);
    let name = written.name.get_or_insert_with(|| written.id.clone());
    context.name(&format!("{path}.name"), name);
    let labels = labels(context, &format!("{path}.labels"), &mut written.labels, of_project);
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
    context: &mut Context<'_>,
    path: &str,
    written: &mut [file::EndpointService],
    cloud: Option<&huawei::Settings>,
) -> Vec<ServiceMeta> {
    let (mut ids, mut names) = (HashMap::new(), HashMap::new());
    let mut services = Vec::new();
    for (index, written) in written.iter_mut().enumerate() {
        let (id_path, name_path) = (format!("{path}[{index}].id"), format!("{path}[{index}].name"));
        let name = written.name.get_or_insert_with(|| written.id.clone());
        context.unique(&mut ids, &id_path, &written.id);
        context.name(&name_path, name);
        // The same id twice has one mistake, not a second one for the name it defaults to.
        if *name != written.id {
            context.unique(&mut names, &name_path, name);
        }
        let id = context.ok(&id_path, &written.id, ServiceId::parse(&written.id));
        services.extend(id.zip(cloud).map(
            |(id, huawei::Settings { region, name: project, .. })| {
                let (region, project) = (region.clone(), project.clone());
                ServiceMeta { region, project, id, name: name.as_str().into() }
            },
        ));
    }
    // A token for the one would be a token for the other.
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    for (name, name_path) in &names {
        if let Some(id_path) = ids.get(name) {
            let of = id_path.trim_end_matches(".id");
            let expected = format!("a name that is not the id of {}", context.other(of));
            context.mistake(name_path, format_args!("{name:?}"), expected);
        }
    }
    services
}

/// This shard's part of a limit that all shards share.
fn rate_limit(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::RateLimit,
    default: RateLimit,
    shard: Shard,
) -> RateLimit {
    let rate_path = format!("{path}.requests_per_second");
    let (rate, rates) = (default.requests_per_second, (SLOWEST_RATE, FASTEST_RATE));
    let rate = context.between(&rate_path, &mut written.requests_per_second, rate, rates);
    let bursts = (1, LARGEST_BURST);
    let burst = &mut written.burst;
    let burst = context.between(&format!("{path}.burst"), burst, default.burst, bursts);
    let requests_per_second = rate / f64::from(shard.count);
    let burst = (burst / shard.count).max(1);
    *written =
        file::RateLimit { requests_per_second: Some(requests_per_second), burst: Some(burst) };
    RateLimit { requests_per_second, burst }
}

fn paging(context: &mut Context<'_>, path: &str, written: &mut file::Paging) -> Paging {
    let parameter = written.parameter.get_or_insert_with(|| Parameter::Offset.as_str().into());
    let parameter = match parameter.as_str() {
        "offset" => Parameter::Offset,
        "start" => Parameter::Start,
        other => {
            let expected = "offset, or start for older regions";
            context.mistake(&format!("{path}.parameter"), format_args!("{other:?}"), expected);
            Parameter::Offset
        }
    };
    let limits = (1, LARGEST_LIMIT);
    let limit = &mut written.limit;
    Paging {
        parameter,
        first: context.between(&format!("{path}.first"), &mut written.first, 0, (0, 1)),
        limit: context.between(&format!("{path}.limit"), limit, LARGEST_LIMIT, limits),
    }
}
