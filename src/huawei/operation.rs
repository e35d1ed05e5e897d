//! The operations that are called.

use crate::label::labels;

labels! {
    /// An operation of the cloud's APIs, as the metrics and the log name it.
    pub enum Operation {
        /// Lists the connections of a cluster.
        Connections = "css_connections",
        /// Accepts or rejects connections of a cluster.
        UpdateConnections = "css_update_connections",
        /// Lists the clusters of a project.
        Clusters = "css_clusters",
        /// Lists the endpoint services of a project.
        Services = "vpcep_services",
        /// Reads one endpoint service.
        Service = "vpcep_service",
        /// Changes one endpoint service.
        UpdateService = "vpcep_update",
        /// Asks IAM for a token.
        Token = "iam_token",
        /// Asks IAM for the id of a project.
        Projects = "iam_projects",
        /// Asks IAM for a token by that of an identity provider.
        IdToken = "iam_id_token",
        /// Asks IAM for temporary keys.
        SecurityTokens = "iam_security_tokens",
        /// Asks STS for the keys of an agency.
        Assume = "sts_assume",
        /// Asks STS for the keys of an agency by the token of an OIDC provider.
        AssumeWithOidc = "sts_assume_with_oidc",
        /// Asks the ECS metadata service for keys.
        Metadata = "metadata",
        /// Asks the pod identity agent of CCE for keys.
        PodIdentity = "pod_identity",
    }
}

/// A call of an API, in the words of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The HTTP method.
    pub method: &'static str,
    /// The service that is called.
    pub service: &'static str,
    /// The path, with names in braces for what differs; empty where the environment has the whole address.
    pub path: &'static str,
    /// The IAM actions that a caller must be allowed; none where the call needs no policy of its own.
    pub actions: &'static [&'static str],
}

const CONNECTIONS: &str = "/v1.0/{project_id}/clusters/{cluster_id}/vpcepservice/connections";
const SERVICE: &str = "/v1/{project_id}/vpc-endpoint-services/{id}";

impl Operation {
    /// The call that it is. The actions are those of identity policies of version 5.
    pub const fn described(self) -> Described {
        let (method, service, path, actions): (_, _, _, &[_]) = match self {
            Self::Connections => (
                "GET",
                "CSS",
                CONNECTIONS,
                &["css:VPCEndpoint:listConnection", "vpcep:endpoints:get"],
            ),
            Self::UpdateConnections => {
                ("POST", "CSS", CONNECTIONS, &["css:VPCEndpoint:manageConnection"])
            }
            Self::Clusters => ("GET", "CSS", "/v1.0/{project_id}/clusters", &["css:cluster:list"]),
            Self::Services => (
                "GET",
                "VPCEP",
                "/v1/{project_id}/vpc-endpoint-services",
                &["vpcep:endpointServices:list"],
            ),
            Self::Service => ("GET", "VPCEP", SERVICE, &["vpcep:endpointServices:get"]),
            Self::UpdateService => ("PUT", "VPCEP", SERVICE, &["vpcep:endpointServices:update"]),
            Self::Token => ("POST", "IAM", "/v3/auth/tokens", &[]),
            Self::Projects => ("GET", "IAM", "/v3/projects", &["iam:projects:list"]),
            Self::IdToken => ("POST", "IAM", "/v3.0/OS-AUTH/id-token/tokens", &[]),
            Self::SecurityTokens => ("POST", "IAM", "/v3.0/OS-CREDENTIAL/securitytokens", &[]),
            Self::Assume => ("POST", "STS", "/v5/agencies/assume", &[]),
            Self::AssumeWithOidc => ("POST", "STS", "/v5/agencies/assume-with-oidc", &[]),
            Self::Metadata => ("GET", "ECS metadata", "/openstack/latest/securitykey", &[]),
            Self::PodIdentity => ("POST", "CCE pod identity", "", &[]),
        };
        Described { method, service, path, actions }
    }

    /// Returns true if its answer holds credentials.
    pub(super) const fn is_exchange(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::IdToken
                | Self::SecurityTokens
                | Self::Assume
                | Self::AssumeWithOidc
                | Self::Metadata
                | Self::PodIdentity
        )
    }

    /// Returns true if sending it twice may do more than sending it once.
    pub fn is_change(self) -> bool {
        matches!(self, Self::UpdateConnections | Self::UpdateService)
    }
}
