//! The cloud's JSON: pages of connections, endpoint services, and error bodies in all their shapes.
//!
//! The cloud's types are not always the documented ones (a switch sent as the text `"false"`, a
//! number sent as text), and fields arrive over the years. A value that can be understood is taken and
//! counted as a [`Surprise`]; any other is absent, never a made-up zero. Texts are capped and freed of
//! what may not be shown here, so that nothing later needs to; only those of endpoint services, which
//! are compared, stay as they are.
//!
//! Reading order: `object` (fields by name), `lenient` (their values), `page`, `cluster` and `service`.

mod cluster;
mod error_body;
mod lenient;
mod object;
mod page;
mod service;
mod surprise;

pub use self::{
    cluster::{ClusterPage, clusters},
    error_body::{ErrorBody, Hide, error_body},
    page::{decision, page},
    service::{ServicePage, service, services, update},
    surprise::{Oddity, Surprise, Surprises},
};
