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

impl Operation {
    /// Returns true if it asks IAM or STS for credentials: with POST, and twice brings no harm.
    pub(super) fn is_exchange(self) -> bool {
        matches!(
            self,
            Self::Token
                | Self::IdToken
                | Self::SecurityTokens
                | Self::Assume
                | Self::AssumeWithOidc
        )
    }

    /// Returns true if sending it twice may do more than sending it once.
    pub(super) fn is_change(self) -> bool {
        matches!(self, Self::UpdateConnections | Self::UpdateService)
    }
}
