//! The calls of the cloud: the address of each, and the permissions that it needs.
//!
//! Owns the table and the search in it. What a call does is in `api`.

use std::collections::HashSet;

/// One call as in its API reference.
#[derive(Debug)]
struct Call {
    operation: Operation,
    name: &'static str,
    method: &'static str,
    path: &'static str,
    /// Every action that is needed, each with all its names: the name in identity policies first, then the
    /// name in the older policies. A missing name was found in no source.
    actions: &'static [&'static [&'static str]],
}

macro_rules! calls {
    ($($operation:ident $name:literal $method:literal $path:literal $actions:expr;)*) => {
        /// The operations of the cloud.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub(crate) enum Operation {
            $(#[doc = $path] $operation,)*
            /// No API has this address, or not with this method: the gateway does not distinguish these.
            #[default]
            Unknown,
        }

        const CALLS: &[Call] = &[$(Call {
            operation: Operation::$operation,
            name: $name,
            method: $method,
            path: $path,
            actions: $actions,
        }),*];
    };
}

// The first matching row counts, so a fixed word comes before an id in the same place.
calls! {
    CssClusters "css_clusters" "GET" "/v1.0/{project}/clusters" &[&["css:cluster:list"]];
    CssCluster "css_cluster" "GET" "/v1.0/{project}/clusters/{cluster}" &[&["css:cluster:get"]];
    CssConnections "css_connections" "GET"
        "/v1.0/{project}/clusters/{cluster}/vpcepservice/connections"
        &[&["css:VPCEndpoint:listConnection"], &["vpcep:endpoints:get"]];
    CssUpdateConnections "css_update_connections" "POST"
        "/v1.0/{project}/clusters/{cluster}/vpcepservice/connections"
        &[&["css:VPCEndpoint:manageConnection"]];
    CssUpdateWhitelist "css_update_whitelist" "POST"
        "/v1.0/{project}/clusters/{cluster}/vpcepservice/permissions"
        &[&["css:VPCEndpoint:updateWhitelist"]];
    VpcepServices "vpcep_services" "GET" "/v1/{project}/vpc-endpoint-services"
        &[&["vpcep:endpointServices:list", "vpcep:epservices:list"]];
    VpcepDescribe "vpcep_describe" "GET" "/v1/{project}/vpc-endpoint-services/describe"
        &[&["vpcep:epserviceDesc:get"]];
    VpcepPublic "vpcep_public" "GET" "/v1/{project}/vpc-endpoint-services/public"
        &[&["vpcep:pubEpservices:list"]];
    VpcepService "vpcep_service" "GET" "/v1/{project}/vpc-endpoint-services/{service}"
        &[&["vpcep:endpointServices:get", "vpcep:epservices:get"]];
    VpcepUpdate "vpcep_update" "PUT" "/v1/{project}/vpc-endpoint-services/{service}"
        &[&["vpcep:endpointServices:update", "vpcep:epservices:update"]];
    VpcepConnections "vpcep_connections" "GET"
        "/v1/{project}/vpc-endpoint-services/{service}/connections" &[&["vpcep:connections:list"]];
    VpcepPermissions "vpcep_permissions" "GET"
        "/v1/{project}/vpc-endpoint-services/{service}/permissions" &[&["vpcep:permissions:list"]];
    VpcepQuotas "vpcep_quotas" "GET" "/v1/{project}/quotas" &[&["vpcep:quotas:get"]];
    IamProjects "iam_projects" "GET" "/v3/projects"
        &[&["iam:projects:list", "iam:projects:listProjects"]];
    IamDomains "iam_domains" "GET" "/v3/auth/domains" &[];
    IamToken "iam_token" "POST" "/v3/auth/tokens" &[];
}

impl Operation {
    /// The operation with this name.
    pub(crate) fn named(name: &str) -> Option<Operation> {
        CALLS.iter().find(|call| call.name == name).map(|call| call.operation)
    }

    fn call(self) -> Option<&'static Call> {
        CALLS.iter().find(|call| call.operation == self)
    }

    /// The name in the request log and in faults.
    pub(crate) fn name(self) -> &'static str {
        self.call().map_or("unknown", |call| call.name)
    }

    pub(crate) fn is_vpcep(self) -> bool {
        self.call().is_some_and(|call| call.path.starts_with("/v1/"))
    }

    /// Whether its path names an endpoint service.
    pub(crate) fn names_a_service(self) -> bool {
        self.call().is_some_and(|call| call.path.contains("{service}"))
    }

    pub(crate) fn is_css(self) -> bool {
        self.call().is_some_and(|call| call.path.starts_with("/v1.0/"))
    }

    /// The first needed action that is not allowed under any of its names.
    pub(crate) fn lacks(self, allowed: &HashSet<String>) -> Option<&'static str> {
        let needed = self.call()?.actions.iter();
        let mut lacking = needed.filter(|names| !names.iter().any(|name| allowed.contains(*name)));
        lacking.next().and_then(|names| names.first().copied())
    }
}

/// A call and what its path names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) operation: Operation,
    pub(crate) project: Option<&'a str>,
    pub(crate) cluster: Option<&'a str>,
    pub(crate) service: Option<&'a str>,
}

/// The call that this method and path are.
pub(crate) fn route<'a>(method: &str, path: &'a str) -> Route<'a> {
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
    fn every_call_has_its_own_name_and_address() {
        for call in CALLS {
            assert_eq!(Operation::named(call.name), Some(call.operation));
            assert_eq!(route(call.method, call.path).operation, call.operation);
        }
        assert_eq!(Operation::named("unknown"), None);
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
