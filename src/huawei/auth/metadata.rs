//! The ECS metadata service, which gives the keys of the server's agency.
//!
//! There is one client for all projects of the process, and it asks at most once a minute; in between,
//! its last answer counts.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

use super::issued::Issued;
use crate::{
    cloud::{CloudError, Reason},
    huawei::{
        operation::Operation,
        transport::{PlatformAnswer, PlatformRequest, Transport},
    },
    secret::Secret,
};

/// The address of the service on every server (ECS User Guide, "Obtaining Metadata").
pub const METADATA_URL: &str = "http://169.254.169.254";
/// The service is nearby, or absent.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Rule 7 of the collection.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// A machine that is no ECS does not become one; but a network may come late.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// Most regions give no metadata tokens; the official SDKs ask again after a day.
const TOKENS_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest life of a metadata token, in seconds.
const TOKEN_SECONDS: &str = "21600";
/// The answer of the service if the server has no agency.
const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

/// The metadata service. Clones of a client share it.
#[derive(Debug)]
pub struct Metadata {
    url: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Secret>,
    no_tokens_until: Option<Instant>,
    /// The last answer, and until when nothing is asked.
    last: Option<(Instant, Result<Issued, NoKeys>)>,
}

/// Why the service gives no keys.
#[derive(Clone, Debug)]
pub(super) enum NoKeys {
    /// There is no service, or no agency: a chain goes on.
    Absent(String),
    /// It should give keys, and fails.
    Failed(CloudError),
}

impl Default for Metadata {
    fn default() -> Self {
        Self::at(METADATA_URL)
    }
}

impl Metadata {
    /// A service at this base URL, which has no slash at its end.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), state: Mutex::default() }
    }

    /// The keys of the server's agency.
    pub(super) async fn issue(
        &self,
        transport: &Transport,
        project: &str,
    ) -> Result<Issued, NoKeys> {
        let mut state = self.state.lock().await;
        if let Some((until, last)) = &state.last
            && *until > Instant::now()
        {
            return last.clone();
        }
        // Before it is asked: a request that is given up counts as well.
        let unanswered = CloudError::new(
            Reason::Timeout,
            "the metadata service did not answer before the deadline of the request",
        );
        let pause = |pause| Instant::now() + pause;
        state.last = Some((pause(ASK_AGAIN), Err(NoKeys::Failed(unanswered))));
        let asked = Asked { url: &self.url, transport, project };
        let outcome = asked.keys(&mut state).await;
        let until = match &outcome {
            Err(NoKeys::Absent(_)) if state.token.is_none() => pause(LOOK_AGAIN),
            _ => pause(ASK_AGAIN),
        };
        state.last = Some((until, outcome.clone()));
        outcome
    }
}

/// The service, as one project asks it.
struct Asked<'a> {
    url: &'a str,
    transport: &'a Transport,
    project: &'a str,
}

impl Asked<'_> {
    async fn keys(&self, state: &mut State) -> Result<Issued, NoKeys> {
        let may_have_tokens = state.no_tokens_until.is_none_or(|until| until <= Instant::now());
        if state.token.is_none() && may_have_tokens {
            let answer = self.ask_for_token().await?;
            match answer.status {
                404 | 405 | 503 => state.no_tokens_until = Some(Instant::now() + TOKENS_AGAIN),
                _ => state.token = Some(token(answer)?),
            }
        }
        let mut answer = self.ask_for_keys(state.token.as_ref()).await?;
        if answer.status == 401 && !answer.body.expose().contains(NO_AGENCY) {
            // The token has expired, or is required by now.
            let fresh = token(self.ask_for_token().await?)?;
            answer = self.ask_for_keys(Some(&fresh)).await?;
            (state.token, state.no_tokens_until) = (Some(fresh), None);
        }
        match answer.status {
            200 => {
                let (body, clock) = (answer.body.expose().as_bytes(), self.transport.clock());
                Issued::keys(body, clock, answer.seconds_ahead).map_err(NoKeys::Failed)
            }
            401 if answer.body.expose().contains(NO_AGENCY) => {
                Err(NoKeys::Absent("the server has no agency".into()))
            }
            404 => Err(NoKeys::Absent(format!("no ECS metadata service at {}", self.url))),
            _ => Err(NoKeys::Failed(refusal(answer, state.token.as_ref()))),
        }
    }

    async fn ask_for_token(&self) -> Result<PlatformAnswer, NoKeys> {
        let headers = [("x-metadata-token-ttl-seconds", TOKEN_SECONDS)];
        self.ask("PUT", "/meta-data/latest/api/token", &headers).await
    }

    async fn ask_for_keys(&self, token: Option<&Secret>) -> Result<PlatformAnswer, NoKeys> {
        let header = token.map(|token| ("x-metadata-token", token.expose()));
        self.ask("GET", "/openstack/latest/securitykey", header.as_slice()).await
    }

    async fn ask(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<PlatformAnswer, NoKeys> {
        let request = PlatformRequest {
            operation: Operation::Metadata,
            method,
            url: &format!("{}{path}", self.url),
            headers,
            body: "",
            timeout: TIMEOUT,
        };
        let answer = self.transport.ask_platform(self.project, request).await;
        answer.map_err(|error| match error.never_sent {
            true => NoKeys::Absent(format!("no ECS metadata service at {}", self.url)),
            false => NoKeys::Failed(error),
        })
    }
}

fn token(answer: PlatformAnswer) -> Result<Secret, NoKeys> {
    match answer.status {
        200 => Ok(Secret::new(answer.body.expose().trim())),
        _ => Err(NoKeys::Failed(refusal(answer, None))),
    }
}

fn refusal(answer: PlatformAnswer, token: Option<&Secret>) -> CloudError {
    answer.refusal("the ECS metadata service", token.unwrap_or(&"".into()))
}
