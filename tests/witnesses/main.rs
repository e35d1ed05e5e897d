//! Outside witnesses: programs by others check the exporter and its simulated cloud.
//! They are the official Huawei Cloud SDKs for Go and Python, the official Prometheus client for Python,
//! schemathesis, a real Prometheus, a real Alertmanager, promtool and curl.
//!
//! They need parts that cargo does not bring, so plain `cargo test` leaves this target out.
//! `tests/run` installs the parts, names them in the environment and runs it; a part that is
//! missing is then a failure. Everything runs on loopback, against the finished binary.

#[allow(dead_code, reason = "the tests of the daemon use more of it")]
#[path = "../support/mod.rs"]
mod support;

mod binary;
mod parts;
mod samples;
mod world;

mod admin_api;
mod alerts;
mod audit;
mod changes;
mod credentials;
mod curl;
mod formats;
mod prometheus;
mod sdk;
mod signatures;
mod tls;
