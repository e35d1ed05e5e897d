//! Requests to services of the platform that this machine runs on: the ECS metadata service and the pod
//! identity agent. They are next door, so no proxy is asked, and they speak plain HTTP.

use std::time::Duration;

use reqwest::{
    Method,
    header::{HeaderName, HeaderValue},
};
use tokio::time::{Instant, timeout};

use super::{Transport, failure, read_capped, redaction::Redaction, skew::seconds_ahead};
use crate::{
    cloud::{CloudError, Reason},
    huawei::{codes, operation::Operation, wire},
    secret::Secret,
    stats::ApiRequest,
};

/// Keys and their token have about 3 KB.
const LARGEST_BODY: usize = 16 * 1024;
/// A machine that has no such service may swallow the request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A request to the platform.
#[derive(Clone, Copy)]
pub(in crate::huawei) struct PlatformRequest<'a> {
    pub(in crate::huawei) operation: Operation,
    pub(in crate::huawei) method: &'static str,
    pub(in crate::huawei) url: &'a str,
    pub(in crate::huawei) headers: &'a [(&'static str, &'a str)],
    pub(in crate::huawei) body: &'static str,
    pub(in crate::huawei) timeout: Duration,
}

/// An answer of the platform, whatever its status.
pub(in crate::huawei) struct PlatformAnswer {
    pub(in crate::huawei) status: u16,
    pub(in crate::huawei) body: Secret,
    /// The lead of its clock over ours, if the answer has a date.
    pub(in crate::huawei) seconds_ahead: f64,
}

impl PlatformAnswer {
    /// The error that this answer is; `token` was sent with the request, and must not be shown.
    pub(in crate::huawei) fn refusal(&self, who: &str, token: &Secret) -> CloudError {
        let redaction = Redaction::of(vec![token.clone()]);
        let said = wire::error_body(self.body.expose().as_bytes(), &|text| redaction.hide(text));
        let reason = codes::reason(self.status, "", "");
        let message = said.message.unwrap_or_else(|| "nothing".into());
        codes::answered(CloudError::new(reason, format!("{who} answered: {message}")), self.status)
    }
}

/// A client for the platform.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(super::USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(0)
        .build()
}

impl Transport {
    /// Asks the platform, once.
    ///
    /// # Errors
    /// There is no complete answer; [`CloudError::never_sent`] if nothing listens there.
    pub(in crate::huawei) async fn ask_platform(
        &self,
        project: &str,
        request: PlatformRequest<'_>,
    ) -> Result<PlatformAnswer, CloudError> {
        let started = Instant::now();
        let asked = timeout(request.timeout, self.exchange_with_platform(request)).await;
        let result = asked.unwrap_or_else(|_| {
            let message = format!("no answer from {} in time", request.operation.as_str());
            Err(CloudError::new(Reason::Timeout, message))
        });
        self.shared.stats.api_request(&ApiRequest {
            project,
            operation: request.operation,
            status: result.as_ref().ok().map(|answer| answer.status),
            duration: started.elapsed(),
        });
        result
    }

    async fn exchange_with_platform(
        &self,
        PlatformRequest { operation, method, url, headers, body, .. }: PlatformRequest<'_>,
    ) -> Result<PlatformAnswer, CloudError> {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let mut request = self.shared.platform.request(method, url).body(body);
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                let message = "a header of a request has characters it must not have";
                CloudError::new(Reason::Internal, message)
            })?;
            value.set_sensitive(true);
            request = request.header(HeaderName::from_static(name), value);
        }
        let mut response = request.send().await.map_err(|error| {
            let failure = failure::of(&error);
            // The words for an API do not fit here.
            let message = format!("no connection to {}", operation.as_str());
            if failure.never_sent { CloudError { message, ..failure } } else { failure }
        })?;
        let seconds_ahead = seconds_ahead(response.headers(), self.shared.clock.now());
        let status = response.status().as_u16();
        let body = read_capped(&mut response, LARGEST_BODY).await?;
        if let Some(recorder) = &self.shared.recorder {
            recorder.note_secret(operation, status);
        }
        let body = Secret::new(String::from_utf8_lossy(&body));
        Ok(PlatformAnswer { status, body, seconds_ahead: seconds_ahead.unwrap_or(0.0) })
    }
}
