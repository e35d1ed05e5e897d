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
    }
}

impl Operation {
    /// Returns true if sending it twice may do more than sending it once.
    pub(super) fn is_change(self) -> bool {
        matches!(self, Self::UpdateConnections | Self::UpdateService)
    }
}
