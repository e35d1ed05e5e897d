//! The operations of the cloud, each with its address and the permissions that it needs.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// An operation as its API reference describes it.
#[derive(Debug)]
struct Call {
    operation: Operation,
    method: &'static str,
    path: &'static str,
    /// The actions that it needs. Each has a name in identity policies and, if the sources know it, another in
    /// the older policies. `None` if the operation itself judges who asks.
    actions: Option<&'static [&'static [&'static str]]>,
}

macro_rules! calls {
    ($($operation:ident $method:literal $path:literal $actions:expr;)*) => {
        /// An operation of the cloud; its name in faults and in the request log is in snake case.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub(super) enum Operation {
            $(#[doc = $path] $operation,)*
            /// No API has this address with this method.
            #[default]
            #[serde(skip_deserializing)]
            Unknown,
        }

        const CALLS: &[Call] = &[$(Call {
            operation: Operation::$operation,
            method: $method,
            path: $path,
            actions: $actions,
        }),*];
    };
}

// The first matching row counts, so a fixed word comes before an id in the same place.
calls! {
    CssClusters "GET" "/v1.0/{project}/clusters" Some(&[&["css:cluster:list"]]);
    CssCluster "GET" "/v1.0/{project}/clusters/{cluster}" Some(&[&["css:cluster:get"]]);
    CssConnections "GET"
        "/v1.0/{project}/clusters/{cluster}/vpcepservice/connections"
        Some(&[&["css:VPCEndpoint:listConnection"], &["vpcep:endpoints:get"]]);
    CssUpdateConnections "POST"
        "/v1.0/{project}/clusters/{cluster}/vpcepservice/connections"
        Some(&[&["css:VPCEndpoint:manageConnection"]]);
    CssUpdateWhitelist "POST"
        "/v1.0/{project}/clusters/{cluster}/vpcepservice/permissions"
        Some(&[&["css:VPCEndpoint:updateWhitelist"]]);
    VpcepServices "GET" "/v1/{project}/vpc-endpoint-services"
        Some(&[&["vpcep:endpointServices:list", "vpcep:epservices:list"]]);
    VpcepDescribe "GET" "/v1/{project}/vpc-endpoint-services/describe"
        Some(&[&["vpcep:epserviceDesc:get"]]);
    VpcepPublic "GET" "/v1/{project}/vpc-endpoint-services/public"
        Some(&[&["vpcep:pubEpservices:list"]]);
    VpcepService "GET" "/v1/{project}/vpc-endpoint-services/{service}"
        Some(&[&["vpcep:endpointServices:get", "vpcep:epservices:get"]]);
    VpcepUpdate "PUT" "/v1/{project}/vpc-endpoint-services/{service}"
        Some(&[&["vpcep:endpointServices:update", "vpcep:epservices:update"]]);
    VpcepConnections "GET"
        "/v1/{project}/vpc-endpoint-services/{service}/connections" Some(&[&["vpcep:connections:list"]]);
    VpcepPermissions "GET"
        "/v1/{project}/vpc-endpoint-services/{service}/permissions" Some(&[&["vpcep:permissions:list"]]);
    VpcepQuotas "GET" "/v1/{project}/quotas" Some(&[&["vpcep:quotas:get"]]);
    IamProjects "GET" "/v3/projects"
        Some(&[&["iam:projects:list", "iam:projects:listProjects"]]);
    IamDomains "GET" "/v3/auth/domains" Some(&[]);
    IamToken "POST" "/v3/auth/tokens" None;
    IamIdToken "POST" "/v3.0/OS-AUTH/id-token/tokens" None;
    IamSecurityTokens "POST" "/v3.0/OS-CREDENTIAL/securitytokens" None;
    StsAssume "POST" "/v5/agencies/assume" Some(&[]);
    StsAssumeWithOidc "POST" "/v5/agencies/assume-with-oidc" None;
    StsCaller "GET" "/v5/caller-identity" Some(&[]);
    MetadataToken "PUT" "/meta-data/latest/api/token" None;
    MetadataKeys "GET" "/openstack/latest/securitykey" None;
    PodIdentity "POST" "/pod-identity/credentials" None;
}

impl Operation {
    fn call(self) -> Option<&'static Call> {
        CALLS.iter().find(|call| call.operation == self)
    }

    fn path(self) -> &'static str {
        self.call().map_or("", |call| call.path)
    }

    pub(super) fn is_css(self) -> bool {
        self.path().starts_with("/v1.0/")
    }

    pub(super) fn is_vpcep(self) -> bool {
        self.path().starts_with("/v1/")
    }

    /// True if its path names a cluster or an endpoint service.
    pub(super) fn names_one(self) -> bool {
        self.path().contains("{cluster}") || self.path().contains("{service}")
    }

    /// True if the operation itself judges who asks, so that the gateway lets everyone in.
    pub(super) fn admits_anyone(self) -> bool {
        self.call().is_some_and(|call| call.actions.is_none())
    }

    /// The first action that it needs and that is allowed by none of its names.
    pub(super) fn lacks(self, allowed: &HashSet<String>) -> Option<&'static str> {
        let mut needed = self.call()?.actions?.iter();
        let lacking = needed.find(|names| !names.iter().any(|name| allowed.contains(*name)));
        lacking?.first().copied()
    }
}

/// An operation and the ids in its path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) operation: Operation,
    pub(super) project: Option<&'a str>,
    pub(super) cluster: Option<&'a str>,
    pub(super) service: Option<&'a str>,
}

/// The operation that has this method and path.
pub(super) fn route<'a>(method: &str, path: &'a str) -> Route<'a> {
    let mut fitting = CALLS.iter().filter(|call| call.method == method);
    fitting.find_map(|call| call.fits(path)).unwrap_or_default()
}

impl Call {
    fn fits<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        let mut route = Route { operation: self.operation, ..Route::default() };
        let mut given = path.split('/');
        for wanted in self.path.split('/') {
            let part = given.next()?;
            match wanted {
                "{project}" => route.project = Some(part),
                "{cluster}" => route.cluster = Some(part),
                "{service}" => route.service = Some(part),
                _ if wanted == part => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_its_method_and_its_address() {
        use Operation::*;
        for (method, path, wanted) in [
            ("GET", "/v1.0/p/clusters", CssClusters),
            ("GET", "/v1.0/p/clusters/c", CssCluster),
            ("GET", "/v1.0/p/clusters/c/vpcepservice/connections", CssConnections),
            ("POST", "/v1.0/p/clusters/c/vpcepservice/connections", CssUpdateConnections),
            ("GET", "/v1/p/vpc-endpoint-services", VpcepServices),
            ("GET", "/v1/p/vpc-endpoint-services/describe", VpcepDescribe),
            ("GET", "/v1/p/vpc-endpoint-services/s", VpcepService),
            ("PUT", "/v1/p/vpc-endpoint-services/s", VpcepUpdate),
            ("GET", "/v1/p/quotas", VpcepQuotas),
            ("GET", "/v3/projects", IamProjects),
            ("POST", "/v3/auth/tokens", IamToken),
            ("GET", "/v3/auth/tokens", Unknown),
            ("DELETE", "/v1/p/vpc-endpoint-services/s", Unknown),
            ("GET", "/v1.0/p/clusters/c/", Unknown),
            ("GET", "//v3/projects", Unknown),
            ("GET", "/V3/projects", Unknown),
            ("GET", "/", Unknown),
            ("GET", "", Unknown),
        ] {
            assert_eq!(route(method, path).operation, wanted, "{method} {path}");
        }
        let found = route("GET", "/v1.0/p/clusters/c");
        assert_eq!((found.project, found.cluster, found.service), (Some("p"), Some("c"), None));
        assert_eq!(route("PUT", "/v1/p/vpc-endpoint-services/s").service, Some("s"));
    }

    #[test]
    fn every_operation_has_its_own_name_and_address() {
        for call in CALLS {
            assert_eq!(route(call.method, call.path).operation, call.operation);
            let name = serde_json::to_value(call.operation).expect("a name");
            assert_eq!(serde_json::from_value::<Operation>(name).ok(), Some(call.operation));
        }
        let named = |name: &str| serde_json::from_value(name.into()).ok();
        assert_eq!(named("css_update_whitelist"), Some(Operation::CssUpdateWhitelist));
        assert_eq!(named("unknown"), None);
    }

    #[test]
    fn each_action_is_needed_under_one_of_its_names() {
        let lacks = |operation: Operation, allowed: &[&str]| {
            operation.lacks(&allowed.iter().map(|one| one.to_string()).collect())
        };
        let (connection, endpoints) = ("css:VPCEndpoint:listConnection", "vpcep:endpoints:get");
        for (operation, allowed, wanted) in [
            (Operation::CssConnections, &[connection, endpoints][..], None),
            (Operation::CssConnections, &[connection], Some(endpoints)),
            (Operation::CssConnections, &[endpoints], Some(connection)),
            (Operation::VpcepServices, &["vpcep:epservices:list"], None),
            (
                Operation::VpcepServices,
                &["vpcep:epservices:get"],
                Some("vpcep:endpointServices:list"),
            ),
            (Operation::IamToken, &[], None),
        ] {
            assert_eq!(lacks(operation, allowed), wanted, "{operation:?} {allowed:?}");
        }
    }
}
