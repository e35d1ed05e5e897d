//! The real cloud: one [`Client`] is a region, a project id and credentials.
//!
//! Reading order: `settings`, `endpoints` and `network` (addresses and proxies), `credentials`, `sign`
//! (signatures of requests), `transport` (sending, retrying, classifying), `codes` (the
//! meaning of error codes), `key_guard` and `key_check` (protection of keys from being locked), `auth` (the
//! credentials in force, and their providers), `session`, `iam` (project ids), `api` (a request to a service), `wire` (JSON),
//! `paging` (many pages, one list), `page_limits` (which page limit the API accepts), `page_memory` (pages
//! that were read before), `connections`, `clusters` and `services` (the operations on them), `client` (the
//! traits of [`crate::cloud`]). Only `transport`, `endpoints` and `network` know reqwest;
//! no module outside knows any of this.

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
    auth::{Account, METADATA_URL, Metadata},
    client::Client,
    key_guard::KeyGuard,
    operation::{Described, Operation},
    settings::{Common, Pacers, Settings},
    token_renewal::keep_fresh,
};
