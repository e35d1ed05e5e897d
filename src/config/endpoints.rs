//! `projects[].api_endpoints`: written, or derived from the region.

use super::{diagnostics::Context, file};
use crate::{
    huawei::endpoints::{BaseUrl, Endpoints, Service, derived, doubt, is_known},
    model::RegionId,
};

/// The services that a project asks; only for these a doubt about a host matters.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) css: bool,
    pub(super) iam: bool,
    pub(super) sts: bool,
}

/// The addresses of the services. `of_profile` is that of IAM in the profile that gives the credentials.
pub(super) fn endpoints(
    context: &mut Context<'_>,
    path: &str,
    written: &mut Option<file::ApiEndpoints>,
    region: &RegionId,
    asked: Asked,
    of_profile: Option<String>,
) -> Option<Endpoints> {
    let written = written.get_or_insert_default();
    let region_path = format!("{path}.region");
    if !is_known(region) && *written == file::ApiEndpoints::default() {
        let what = format!(
            "{region} is not a region known here; its API hosts are derived, like {}: set \
             api_endpoints if they are elsewhere",
            derived(Service::Css, region)
        );
        context.warning(&region_path, what);
    }
    let environment = &context.environment;
    written.iam = written.iam.take().or_else(|| environment.iam_endpoint()).or(of_profile);
    written.sts = written.sts.take().or_else(|| environment.sts_endpoint());
    for (key, service, is_derived) in [
        ("css", Service::Css, asked.css && written.css.is_none()),
        ("iam", Service::Iam, asked.iam && written.iam.is_none()),
        ("sts", Service::Sts, asked.sts && written.sts.is_none()),
    ] {
        if let Some(why) = doubt(service, region).filter(|_| is_derived && is_known(region)) {
            let host = derived(service, region);
            let what = format!("{host} is not certain: {why}; set api_endpoints.{key}");
            context.warning(&region_path, what);
        }
    }
    let mut endpoint = |key, written: &mut Option<String>, service| {
        endpoint(context, &format!("{path}.api_endpoints.{key}"), written, service, region)
    };
    let css = endpoint("css", &mut written.css, Service::Css);
    let vpcep = endpoint("vpcep", &mut written.vpcep, Service::Vpcep);
    let iam = endpoint("iam", &mut written.iam, Service::Iam);
    let sts = endpoint("sts", &mut written.sts, Service::Sts);
    Some(Endpoints { css: css?, vpcep: vpcep?, iam: iam?, sts: sts? })
}

fn endpoint(
    context: &mut Context<'_>,
    path: &str,
    written: &mut Option<String>,
    service: Service,
    region: &RegionId,
) -> Option<BaseUrl> {
    let text = written.get_or_insert_with(|| derived(service, region));
    // A URL with a user name may have a password too.
    let shown = if text.contains('@') { "a URL with @" } else { &**text };
    let url = context.ok(path, shown, BaseUrl::parse(text))?;
    *text = url.to_string();
    Some(url)
}
