//! The tests of the program from outside: through its sockets, its files, its signals and its documents.
//!
//! One program, so that the library is linked once and the tests run side by side. No test may
//! lean on another one, or on what they share beyond `support`: `cargo nextest` gives each a process.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../src/random_tests.rs"]
mod random_tests;
mod support;

mod audit;
mod changes;
mod churn;
mod config;
mod daemon;
mod discovery;
mod documents;
mod http;
mod huawei;
mod sim_vpcep;
mod state_file;
