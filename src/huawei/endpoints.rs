//! The addresses of the services of a region: host names derived from the region id.
//!
//! The exceptions are those of the official SDK's region tables (`css_region`, `vpcep_region`,
//! `iam_region` of release 3.1.219) and, for the European site, of the Terraform provider.

use std::{fmt, net::IpAddr};

use reqwest::Url;

use crate::model::RegionId;

/// The regions in the official SDK's tables, and sa-argentina-1, which is in none of them.
const REGIONS: [&str; 35] = [
    "ae-ad-1",
    "af-north-1",
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "cn-east-2",
    "cn-east-3",
    "cn-east-4",
    "cn-east-5",
    "cn-north-1",
    "cn-north-11",
    "cn-north-12",
    "cn-north-2",
    "cn-north-4",
    "cn-north-9",
    "cn-south-1",
    "cn-south-2",
    "cn-south-4",
    "cn-southwest-2",
    "cn-southwest-3",
    "eu-west-0",
    "eu-west-101",
    "la-north-2",
    "la-south-2",
    "me-east-1",
    "my-kualalumpur-1",
    "na-mexico-1",
    "ru-moscow-1",
    "ru-northwest-2",
    "sa-argentina-1",
    "sa-brazil-1",
    "tr-west-1",
];

/// The addresses of the services of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Cloud Search Service.
    pub css: BaseUrl,
    /// VPC Endpoint.
    pub vpcep: BaseUrl,
    /// Identity and Access Management.
    pub iam: BaseUrl,
    /// Security Token Service.
    pub sts: BaseUrl,
}

/// Scheme, host and port of a service; nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    authority: String,
}

impl BaseUrl {
    /// Takes `https://host[:port]`, or `http://` on loopback (the simulated cloud): signed requests must
    /// not travel in clear, nor to a place that a path or a user name in the URL hides.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        let host = url.host_str().ok_or("a URL with a host is expected")?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => return Err("plain http:// is only for loopback; use https://".into()),
            other => return Err(format!("https:// is expected, not {other}://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL without user name and password is expected".into());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("only scheme, host and port are expected, without a path".into());
        }
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self { text: format!("{}://{authority}", url.scheme()), authority })
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns true for a URL on this machine: no one else can read a request that is sent there in clear.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// The services that the exporter calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Cloud Search Service.
    Css,
    /// VPC Endpoint.
    Vpcep,
    /// Identity and Access Management.
    Iam,
    /// Security Token Service.
    Sts,
}

/// Returns true for a known region of the public cloud. Others may exist: new regions, and those of
/// partner clouds.
pub fn is_known(region: &RegionId) -> bool {
    REGIONS.contains(&region.as_str())
}

/// The host of STS that the official SDK asks in regions without one in its table.
const OTHER_STS: &str = "https://sts.cn-north-4.myhuaweicloud.com";

/// The regions with a host of STS in that table.
const WITH_STS: [&str; 12] = [
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "cn-east-3",
    "cn-north-4",
    "cn-south-1",
    "cn-southwest-2",
    "la-south-2",
    "sa-brazil-1",
    "tr-west-1",
];

/// The reason to doubt the derived host of a service in a known region.
pub fn doubt(service: Service, region: &RegionId) -> Option<&'static str> {
    match (service, region.as_str()) {
        (Service::Css, "eu-west-101") => {
            Some("the official SDKs say css.eu-west-101.myhuaweicloud.com, Terraform says .eu")
        }
        (Service::Css, "eu-west-0" | "ru-northwest-2" | "sa-argentina-1") => {
            Some("no official client knows a CSS there")
        }
        (
            Service::Iam,
            "af-north-1" | "ap-southeast-5" | "cn-north-11" | "cn-south-4" | "cn-southwest-3"
            | "ru-northwest-2" | "sa-argentina-1",
        ) => Some("no official client knows the IAM of this region"),
        (Service::Sts, region) if !WITH_STS.contains(&region) => {
            Some("no official client knows the STS of this region; it is that of cn-north-4")
        }
        _ => None,
    }
}

/// The base URL of a service in a region, without a slash at the end.
pub fn derived(service: Service, region: &RegionId) -> String {
    let region = region.as_str();
    if service == Service::Sts && !WITH_STS.contains(&region) {
        return OTHER_STS.into();
    }
    let host = match (service, region) {
        // The service once was called "Elasticsearch", and two regions kept the host.
        (Service::Css, "cn-north-1" | "cn-east-2") => "es",
        (Service::Css, _) => "css",
        (Service::Vpcep, _) => "vpcep",
        (Service::Iam, _) => "iam",
        (Service::Sts, _) => "sts",
    };
    let domain = match region {
        region if region.starts_with("eu-west-1") => "myhuaweicloud.eu",
        _ => "myhuaweicloud.com",
    };
    format!("https://{host}.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_https_or_loopback_and_nothing_but_a_place() {
        let good = [
            ("https://css.cn-north-4.myhuaweicloud.com", "css.cn-north-4.myhuaweicloud.com"),
            ("https://css.example.com/", "css.example.com"),
            ("https://css.example.com:443", "css.example.com"),
            ("https://css.example.com:8443", "css.example.com:8443"),
            ("http://127.0.0.1:1234", "127.0.0.1:1234"),
            ("http://[::1]:1234", "[::1]:1234"),
            ("http://localhost", "localhost"),
        ];
        for (text, authority) in good {
            let url = BaseUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.authority(), authority, "{text}");
        }
        let bad = [
            "http://css.cn-north-4.myhuaweicloud.com",
            "http://127.0.0.1.example.com",
            "http://169.254.169.254",
            "ftp://127.0.0.1",
            "https://user@css.example.com",
            "https://user:password@css.example.com",
            "https://css.example.com/v1",
            "https://css.example.com?a=b",
            "https://css.example.com#a",
            "css.example.com",
            "",
            "https://",
            "file:///etc/passwd",
        ];
        for text in bad {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn regions_of_the_public_cloud_are_known_and_slips_of_the_pen_are_not() {
        let known = |region| is_known(&RegionId::parse(region).unwrap());
        let public = ["cn-north-4", "ap-southeast-3", "eu-west-101", "sa-argentina-1"];
        assert_eq!(public.map(known), [true; 4]);
        let others = ["cn-nroth-4", "cn-north-44", "eu-de", "sim-region-1"];
        assert_eq!(others.map(known), [false; 4]);
    }

    #[test]
    fn hosts_follow_the_region_with_the_known_exceptions() {
        let cases = [
            (Service::Css, "cn-north-4", "https://css.cn-north-4.myhuaweicloud.com"),
            (Service::Css, "cn-north-1", "https://es.cn-north-1.myhuaweicloud.com"),
            (Service::Css, "cn-east-2", "https://es.cn-east-2.myhuaweicloud.com"),
            (Service::Vpcep, "cn-north-1", "https://vpcep.cn-north-1.myhuaweicloud.com"),
            (Service::Iam, "ap-southeast-3", "https://iam.ap-southeast-3.myhuaweicloud.com"),
            (Service::Css, "eu-west-101", "https://css.eu-west-101.myhuaweicloud.eu"),
            (Service::Vpcep, "eu-west-101", "https://vpcep.eu-west-101.myhuaweicloud.eu"),
            (Service::Iam, "eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu"),
            (Service::Vpcep, "eu-west-0", "https://vpcep.eu-west-0.myhuaweicloud.com"),
            (Service::Sts, "ap-southeast-4", "https://sts.ap-southeast-4.myhuaweicloud.com"),
            (Service::Sts, "tr-west-1", "https://sts.tr-west-1.myhuaweicloud.com"),
            (Service::Sts, "ap-southeast-5", OTHER_STS),
            (Service::Sts, "eu-west-101", OTHER_STS),
        ];
        for (service, region, expected) in cases {
            assert_eq!(derived(service, &RegionId::parse(region).unwrap()), expected);
        }
    }
}
