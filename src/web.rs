//! The web server, which knows nothing of clusters: listeners with deadlines and limits, TLS, basic
//! authentication, and the short answers that all routes share.
//!
//! It follows Prometheus' exporter-toolkit: [`WebSettings`] are the settings of a `--web.config.file`.

mod access;
pub mod answers;
mod basic_auth;
mod listener;
pub mod page;
mod rate_limit;
pub mod tls;

pub use access::{Web, WebSettings, protected};
pub use basic_auth::{AT_ONCE as LOGINS_AT_ONCE, MOST_LOGINS, PasswordHash, Users, authorization};
pub use listener::{Bound, Limits, MAX_HEADER_BYTES, Peer};
pub use rate_limit::RequestLimit;
