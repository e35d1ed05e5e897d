//! `projects[].api_endpoints`: written, or derived from the region.

use super::{diagnostics::At, file};
use crate::{
    huawei::endpoints::{BaseUrl, Endpoints, Service, derived, doubt, is_known},
    model::RegionId,
};

/// The addresses of the services. Only for those that the project asks a doubt about a host matters.
/// `of_profile` is that of IAM in the profile that gives the credentials.
pub(super) fn endpoints(
    at: &At<'_>,
    written: &mut Option<file::ApiEndpoints>,
    region: &RegionId,
    asks: impl Fn(Service) -> bool,
    of_profile: Option<String>,
) -> Option<Endpoints> {
    let written = written.get_or_insert_default();
    let of_region = at.key("region");
    if !is_known(region) && *written == file::ApiEndpoints::default() {
        of_region.warning(format_args!(
            "{region} is not a region known here; its API hosts are derived, like {}: set \
             api_endpoints if they are elsewhere",
            derived(Service::Css, region)
        ));
    }
    let environment = &at.context.environment;
    written.iam = written.iam.take().or_else(|| environment.iam_endpoint()).or(of_profile);
    written.sts = written.sts.take().or_else(|| environment.sts_endpoint());
    let endpoint = |key, written: &mut Option<String>, service| {
        let doubt = doubt(service, region).filter(|_| asks(service) && is_known(region));
        if let (None, Some(why)) = (&*written, doubt) {
            let host = derived(service, region);
            let what = format!("{host} is not certain: {why}; set api_endpoints.{key}");
            of_region.warning(what);
        }
        let text = written.get_or_insert_with(|| derived(service, region));
        // A URL with a user name may have a password too.
        let shown = if text.contains('@') { "a URL with @" } else { &**text };
        let url = at.key("api_endpoints").key(key).ok(shown, BaseUrl::parse(text))?;
        *text = url.to_string();
        Some(url)
    };
    let css = endpoint("css", &mut written.css, Service::Css);
    let vpcep = endpoint("vpcep", &mut written.vpcep, Service::Vpcep);
    let iam = endpoint("iam", &mut written.iam, Service::Iam);
    let sts = endpoint("sts", &mut written.sts, Service::Sts);
    Some(Endpoints { css: css?, vpcep: vpcep?, iam: iam?, sts: sts? })
}
