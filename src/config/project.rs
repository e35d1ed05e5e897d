//! `projects`: who is called, how fast, and for what.

use std::{collections::HashMap, sync::Arc};

use super::{EndpointService, Project, convert::Context, credentials::source, file, notes::Notes};
use crate::{
    board::ClusterMeta,
    huawei::{
        self,
        endpoints::{BaseUrl, Endpoints, Service, derived, is_known},
        paging::{LARGEST_LIMIT, Paging, Parameter},
    },
    model::{ClusterId, ProjectId, RegionId, ServiceId},
    pacing::RateLimit,
    poll::Shard,
};

/// The gateway's own default limit is 200 calls a second for each API.
const FASTEST_RATE: f64 = 1000.0;
/// One call in 17 minutes; whatever is slower is a slip of the pen.
const SLOWEST_RATE: f64 = 0.001;
/// More at once than the gateway lets through in a second.
const LARGEST_BURST: u32 = 1000;
const CSS_RATE: RateLimit = RateLimit { requests_per_second: 5.0, burst: 10 };
const VPCEP_RATE: RateLimit = RateLimit { requests_per_second: 0.5, burst: 5 };

pub(super) fn project(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::Project,
    context: &mut Context<'_>,
) -> Option<Project> {
    let at = |key: &str| format!("{path}.{key}");
    notes.name(&at("name"), &written.name);
    // A slash separates project and service in `admin.tokens`.
    if written.name.contains('/') {
        notes.mistake(&at("name"), format_args!("{:?}", written.name), "a name without /");
    }
    let region = notes.ok(&at("region"), &written.region, RegionId::parse(&written.region));
    let project_id = match written.project_id {
        Some(text) => notes.ok(&at("project_id"), &text, ProjectId::parse(&text)).map(Some),
        None => Some(None),
    };
    let credentials = source(notes, &at("credentials"), written.credentials, context);
    let limits = written.rate_limit;
    let css = rate_limit(notes, &at("rate_limit.css"), limits.css, CSS_RATE);
    let vpcep = rate_limit(notes, &at("rate_limit.vpcep"), limits.vpcep, VPCEP_RATE);
    let paging = paging(notes, &at("paging"), written.paging);
    let name: Arc<str> = written.name.into();
    let mut clusters = Vec::new();
    for (index, written) in written.clusters.into_iter().enumerate() {
        let path = at(&format!("clusters[{index}]"));
        clusters.extend(cluster(notes, &path, written, &name, region.as_ref(), context));
    }
    let services = endpoint_services(notes, &at("endpoint_services"), written.endpoint_services);
    if clusters.is_empty() && services.is_empty() && notes.mistakes.is_empty() {
        notes.warning(&at("clusters"), "there are none: nothing of this project is polled");
    }
    let region = region?;
    if !is_known(&region) && written.api_endpoints.is_empty() {
        let what = format!(
            "{region} is not a region known here; its API hosts are derived, like {}: set \
             api_endpoints if they are elsewhere",
            derived(Service::Css, &region)
        );
        notes.warning(&at("region"), what);
    }
    let endpoints = endpoints(notes, &at("api_endpoints"), written.api_endpoints, &region);
    Some(Project {
        cloud: huawei::Settings {
            name,
            region,
            project_id: project_id?,
            endpoints: endpoints?,
            credentials: credentials?,
            paging,
        },
        css_rate_limit: part_of(css, context.shard),
        vpcep_rate_limit: part_of(vpcep, context.shard),
        clusters,
        endpoint_services: services,
    })
}

fn cluster(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::Cluster,
    project: &Arc<str>,
    region: Option<&RegionId>,
    context: &mut Context<'_>,
) -> Option<ClusterMeta> {
    let id_path = format!("{path}.id");
    notes.unique(&mut context.clusters, &id_path, &written.id);
    let id = notes.ok(&id_path, &written.id, ClusterId::parse(&written.id));
    let interval_path = format!("{path}.interval");
    let interval = context.intervals.of_cluster(notes, &interval_path, written.interval.as_deref());
    let name = written.name.unwrap_or_else(|| written.id.clone());
    notes.name(&format!("{path}.name"), &name);
    Some(ClusterMeta {
        region: region?.clone(),
        project: project.clone(),
        id: id?,
        name: name.into(),
        interval,
    })
}

fn endpoint_services(
    notes: &mut Notes<'_>,
    path: &str,
    written: Vec<file::EndpointService>,
) -> Vec<EndpointService> {
    let (mut ids, mut names) = (HashMap::new(), HashMap::new());
    let mut services = Vec::new();
    for (index, written) in written.into_iter().enumerate() {
        let (id_path, name_path) = (format!("{path}[{index}].id"), format!("{path}[{index}].name"));
        let name = written.name.unwrap_or_else(|| written.id.clone());
        notes.unique(&mut ids, &id_path, &written.id);
        notes.name(&name_path, &name);
        // The same id twice has one mistake, not a second one for the name it defaults to.
        if name != written.id {
            notes.unique(&mut names, &name_path, &name);
        }
        let id = notes.ok(&id_path, &written.id, ServiceId::parse(&written.id));
        services.extend(id.map(|id| EndpointService { id, name: name.into() }));
    }
    // A token for the one would be a token for the other.
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    for (name, name_path) in &names {
        if let Some(id_path) = ids.get(name) {
            let of = id_path.trim_end_matches(".id");
            let expected = format!("a name that is not the id of {}", notes.other(of));
            notes.mistake(name_path, format_args!("{name:?}"), expected);
        }
    }
    services
}

fn endpoints(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::ApiEndpoints,
    region: &RegionId,
) -> Option<Endpoints> {
    let mut endpoint = |key: &str, written: Option<String>, service| {
        let text = written.unwrap_or_else(|| derived(service, region));
        // A URL with a user name may have a password too.
        let shown = if text.contains('@') { "a URL with @" } else { &text };
        notes.ok(&format!("{path}.{key}"), shown, BaseUrl::parse(&text))
    };
    let css = endpoint("css", written.css, Service::Css);
    let vpcep = endpoint("vpcep", written.vpcep, Service::Vpcep);
    let iam = endpoint("iam", written.iam, Service::Iam);
    Some(Endpoints { css: css?, vpcep: vpcep?, iam: iam? })
}

fn rate_limit(
    notes: &mut Notes<'_>,
    path: &str,
    written: Option<file::RateLimit>,
    default: RateLimit,
) -> RateLimit {
    let (rate, burst) =
        written.map_or((None, None), |written| (written.requests_per_second, written.burst));
    let rate_path = format!("{path}.requests_per_second");
    let rates = (SLOWEST_RATE, FASTEST_RATE);
    let bursts = (1, LARGEST_BURST);
    RateLimit {
        requests_per_second: notes.between(&rate_path, rate, default.requests_per_second, rates),
        burst: notes.between(&format!("{path}.burst"), burst, default.burst, bursts),
    }
}

/// What one shard may use of a limit that all of them share.
fn part_of(limit: RateLimit, shard: Shard) -> RateLimit {
    RateLimit {
        requests_per_second: limit.requests_per_second / f64::from(shard.count),
        burst: (limit.burst / shard.count).max(1),
    }
}

fn paging(notes: &mut Notes<'_>, path: &str, written: file::Paging) -> Paging {
    let parameter = match written.parameter.as_deref() {
        None | Some("offset") => Parameter::Offset,
        Some("start") => Parameter::Start,
        Some(other) => {
            let expected = "offset, or start for older regions";
            notes.mistake(&format!("{path}.parameter"), format_args!("{other:?}"), expected);
            Parameter::Offset
        }
    };
    let limits = (1, LARGEST_LIMIT);
    Paging {
        parameter,
        first: notes.between(&format!("{path}.first"), written.first, 0, (0, 1)),
        limit: notes.between(&format!("{path}.limit"), written.limit, LARGEST_LIMIT, limits),
    }
}
