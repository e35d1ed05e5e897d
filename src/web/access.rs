//! The settings of a web configuration file, and the check of requests by them: rate limit and password.

use std::sync::Arc;

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use tokio::{sync::watch, time::Instant};

use super::{
    answers::{Refused, TEXT, answer, busy, with_header},
    basic_auth::{Busy, Counter, Login, Users},
    rate_limit::RequestLimit,
    tls::Tls,
};
use crate::stats::Stats;

/// Health routes need no password: orchestrators that probe them have none.
const OPEN: [&str; 2] = ["/-/healthy", "/-/ready"];

/// The settings of a web configuration file. Without a file, all of them are absent.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// TLS; plain HTTP if absent.
    pub tls: Option<Tls>,
    /// The users who may enter; everyone if there are none.
    pub users: Arc<Users>,
    /// Headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The rate limit of requests.
    pub rate_limit: Option<Arc<RequestLimit>>,
}

impl WebSettings {
    /// These settings, but with TLS on or off as in `before`: only a restart changes that, so that no mistake
    /// in a file turns encryption off.
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

/// The check at the entrance of a listener: rate limit and password.
#[derive(Clone)]
struct Access {
    web: Web,
    counter: Counter,
}

impl Access {
    /// The login to compare before this request may enter, if one is needed.
    fn look_at(web: &WebSettings, request: &Request) -> Result<Option<Login>, Refused> {
        let route = request.extensions().get::<MatchedPath>();
        if route.is_some_and(|route| OPEN.contains(&route.as_str())) {
            return Ok(None);
        }
        if let Some(limit) = &web.rate_limit {
            limit.take().map_err(|wait| {
                let refusal = answer(StatusCode::TOO_MANY_REQUESTS, TEXT, "too many requests\n");
                let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
                with_header(refusal, header::RETRY_AFTER, seconds)
            })?;
        }
        if web.users.is_empty() {
            return Ok(None);
        }
        Login::of(request.headers()).map(Some).ok_or_else(no_login)
    }

    async fn admit(&self, login: Option<Login>, users: Arc<Users>) -> Result<(), Refused> {
        let Some(login) = login else { return Ok(()) };
        match self.counter.admits(login, users).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(no_login()),
            Err(Busy) => Err(busy(1, "too many logins at once\n").into()),
        }
    }
}

/// Measures the requests to these routes, and lets in only those that the web configuration admits.
pub fn protected<S>(router: Router<S>, web: Web, stats: Arc<Stats>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let access = Access { web, counter: Counter::new() };
    router
        .layer(middleware::from_fn_with_state(access, enter))
        .layer(middleware::from_fn_with_state(stats, measure))
}

/// Counts and times requests by the pattern of their route: a path that a stranger chooses must not
/// become a label.
async fn measure(State(stats): State<Arc<Stats>>, request: Request, next: Next) -> Response {
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let response = next.run(request).await;
    let handler = pattern.as_ref().map_or("other", MatchedPath::as_str);
    stats.http_request(handler, response.status().as_u16(), started.elapsed());
    response
}

/// Lets a request through or refuses it.
async fn enter(State(access): State<Access>, request: Request, next: Next) -> Response {
    let web = access.web.borrow().clone();
    let admitted = match Access::look_at(&web, &request) {
        Ok(login) => access.admit(login, web.users).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in web.headers {
        response.headers_mut().insert(name, value);
    }
    response
}

fn no_login() -> Refused {
    let why = "a user name and its password are needed\n";
    let scheme = r#"Basic realm="css-vpcep-exporter", charset="UTF-8""#;
    let refusal = answer(StatusCode::UNAUTHORIZED, TEXT, why);
    with_header(refusal, header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme)).into()
}
