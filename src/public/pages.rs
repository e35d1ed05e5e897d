//! The pages for people: plain HTML, no script, nothing from elsewhere.
//!
//! `status` is the overview: clusters that need attention come first, and `attention` decides which do.
//! `cluster` shows everything known of one cluster. `html` makes sure that no text of the cloud becomes
//! markup.

mod attention;
mod changes;
mod cluster;
mod html;
mod status;
mod times;

pub(super) use self::{cluster::cluster, status::status};
