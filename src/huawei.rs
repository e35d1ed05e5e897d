//! The real cloud: one [`Client`] is a region, a project id and credentials.
//!
//! Reading order: `settings`, `endpoints` and `network` (of what, where and on which way), `credentials`
//! (who), `sign` (how a request proves it), `transport` (sending, retrying, classifying), `codes` (what an
//! error code means), `key_guard` and `key_check` (keys are not burned), `auth` (which credentials are in
//! force, and their providers), `session`, `iam` (project ids), `api` (a request to a service), `wire` (JSON),
//! `paging` (many pages, one list), `page_limits` (which page limit the API accepts), `page_memory` (pages
//! that came before), `connections`, `clusters` and `services` (what is read and changed), `client` (the
//! traits of [`crate::cloud`]). Only `transport`, `endpoints` and `network` know reqwest;
//! nobody outside knows any of it.

mod api;
mod auth;
mod client;
mod clusters;
mod codes;
mod connections;
pub mod credentials;
mod effort;
pub mod endpoints;
mod iam;
mod key_check;
mod key_guard;
pub mod network;
mod operation;
mod page_limits;
mod page_memory;
pub mod paging;
mod services;
mod session;
mod settings;
pub mod sign;
mod surprise_log;
mod token_renewal;
pub mod transport;
pub mod wire;

pub use self::{
    auth::{METADATA_URL, Metadata},
    client::Client,
    key_guard::KeyGuard,
    operation::Operation,
    settings::{Common, Pacers, Settings},
    token_renewal::keep_fresh,
};
