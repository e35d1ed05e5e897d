//! Requests for a reload of the configuration, by a route or by a signal.

use axum::{http::StatusCode, response::Response};
use tokio::sync::{mpsc, oneshot};

use crate::web::answers::{TEXT, answer, busy};

/// Requests reloads. Clones ask the same reloader.
#[derive(Clone, Debug)]
pub struct ReloadHandle(mpsc::Sender<ReloadRequest>);

/// A request for a reload.
#[derive(Debug)]
pub struct ReloadRequest(Option<oneshot::Sender<Result<Vec<&'static str>, String>>>);

impl ReloadRequest {
    /// The answer to a reload: the keys whose new values need a restart, or the mistakes, one in each line.
    pub fn answer(self, result: Result<Vec<&'static str>, String>) {
        if let Some(reply) = self.0 {
            // The client may have hung up.
            let _ = reply.send(result);
        }
    }
}

impl ReloadHandle {
    /// Requests go to the other end of this channel.
    pub fn new(requests: mpsc::Sender<ReloadRequest>) -> Self {
        Self(requests)
    }

    /// Requests a reload without waiting. If requests are waiting already, the reload that answers them
    /// answers this one too.
    pub fn ask(&self) {
        let _ = self.0.try_send(ReloadRequest(None));
    }

    /// Requests a reload and answers as the route does: 200, 500 with the mistakes, or 503.
    pub(super) async fn answer(&self) -> Response {
        let (reply, answered) = oneshot::channel();
        if self.0.try_send(ReloadRequest(Some(reply))).is_err() {
            return busy(1, "too many reloads are waiting\n");
        }
        match answered.await {
            Ok(Ok(pending)) => {
                let lines = pending.iter().map(|key| format!("needs a restart: {key}\n"));
                let text = format!("reloaded\n{}", lines.collect::<String>());
                answer(StatusCode::OK, TEXT, text)
            }
            Ok(Err(mistakes)) => {
                let text = format!(
                    "not reloaded, the previous configuration stays in force:\n{mistakes}\n"
                );
                answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
            }
            Err(_) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "shutting down\n"),
        }
    }
}
