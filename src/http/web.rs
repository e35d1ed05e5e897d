//! What a web configuration file decides of a listener: TLS, who may enter, how many requests, and
//! headers of answers.

use std::{path::PathBuf, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use tokio::sync::watch;

use super::{
    basic_auth::{Busy, Counter, Login, Users},
    problem::{TEXT, answer},
    rate_limit::RequestLimit,
    tls::Tls,
};

/// Whoever watches over the process asks these, and has no password.
const OPEN: [&str; 2] = ["/-/healthy", "/-/ready"];

/// A web configuration file, read. Without one, all of it is absent.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// The file.
    pub file: Option<PathBuf>,
    /// Absent: plain HTTP.
    pub tls: Option<Tls>,
    /// Who may enter; if there are none, everybody.
    pub users: Arc<Users>,
    /// What every answer carries.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How many requests there may be.
    pub rate_limit: Option<Arc<RequestLimit>>,
}

impl WebSettings {
    /// These, but speaking TLS only if `before` does: that changes only with a restart, so that no
    /// mistake in a file turns encryption off.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        if self.tls.is_some() != before.tls.is_some() {
            self.tls.clone_from(&before.tls);
        }
        self
    }
}

/// The web configuration of a listener in force; a reload may change it.
pub type Web = watch::Receiver<WebSettings>;

/// The gate of a listener.
#[derive(Clone)]
pub(super) struct Gate {
    web: Web,
    counter: Counter,
}

impl Gate {
    pub(super) fn new(web: Web) -> Self {
        Self { web, counter: Counter::new() }
    }

    /// What there is to compare before this request may enter, or why it may not.
    fn look_at(web: &WebSettings, request: &Request) -> Result<Option<Login>, Response> {
        let route = request.extensions().get::<MatchedPath>();
        if route.is_some_and(|route| OPEN.contains(&route.as_str())) {
            return Ok(None);
        }
        if let Some(wait) = web.rate_limit.as_ref().and_then(|limit| limit.take().err()) {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            return Err(later(StatusCode::TOO_MANY_REQUESTS, seconds, "too many requests\n"));
        }
        if web.users.is_empty() {
            return Ok(None);
        }
        Login::of(request.headers()).map(Some).ok_or_else(unauthorized)
    }

    async fn admit(&self, web: &WebSettings, login: Option<Login>) -> Result<(), Response> {
        let Some(login) = login else { return Ok(()) };
        match self.counter.admits(login, web.users.clone()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(unauthorized()),
            Err(Busy) => {
                Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "too many logins at once\n"))
            }
        }
    }
}

/// Lets a request through, or says why not.
pub(super) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let web = gate.web.borrow().clone();
    let admitted = match Gate::look_at(&web, &request) {
        Ok(login) => gate.admit(&web, login).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    };
    for (name, value) in web.headers {
        response.headers_mut().insert(name, value);
    }
    response
}

fn unauthorized() -> Response {
    let why = "a user name and its password are needed\n";
    let mut response = answer(StatusCode::UNAUTHORIZED, TEXT, why);
    let challenge = r#"Basic realm="css-vpcep-exporter", charset="UTF-8""#;
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

fn later(status: StatusCode, seconds: u64, why: &'static str) -> Response {
    let mut response = answer(status, TEXT, why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
