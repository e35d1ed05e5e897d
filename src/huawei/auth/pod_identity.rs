//! Pod identity of CCE: an agent beside the pod gives the keys of its agency.

use std::time::Duration;

use super::{issued::Issued, issuer::Issuer};
use crate::{
    cloud::CloudError,
    huawei::{
        credentials::PodIdentity,
        operation::Operation,
        transport::{PlatformAnswer, PlatformRequest},
    },
};

/// As long as the official SDKs wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the agent.
pub(super) async fn issue(issuer: &Issuer, pod: &PodIdentity) -> Result<Issued, CloudError> {
    let request = PlatformRequest {
        operation: Operation::PodIdentity,
        method: "POST",
        url: &pod.url,
        headers: &[("content-type", "application/json"), ("authorization", pod.token.expose())],
        body: "{}",
        timeout: TIMEOUT,
    };
    let transport = &issuer.common.transport;
    match transport.ask_platform(&issuer.settings.name, request).await? {
        PlatformAnswer { status: 200, body, seconds_ahead } => {
            let body = body.expose().as_bytes();
            let issued = Issued::keys(body, transport.clock(), seconds_ahead)?;
            Ok(Issued { is_of_pod: true, ..issued })
        }
        answer => Err(answer.refusal("the pod identity agent", &pod.token)),
    }
}
