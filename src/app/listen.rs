//! Sockets that are taken before anything runs.

use std::{convert::Infallible, future::pending, net::SocketAddr};

use super::error::StartError;
use crate::{public, web::Bound};

/// Takes the first of these addresses that is free.
///
/// # Errors
/// If none is.
pub(super) async fn bind(addresses: &[SocketAddr]) -> Result<Bound, StartError> {
    Bound::listen(addresses).await.map_err(|error| {
        let list: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        StartError::Machine(format!("cannot listen on {}: {error}", list.join(" or ")))
    })
}

/// Answers probes while the start has to wait.
pub(super) async fn answer_during_start(public: &Bound) -> Infallible {
    match public.second() {
        Ok(bound) => {
            tracing::info!(public = %bound.address(), "listening during the start");
            bound.serve(public::starting_router(), pending()).await;
        }
        Err(error) => tracing::warn!("requests are not answered during the start: {error}"),
    }
    pending().await
}
