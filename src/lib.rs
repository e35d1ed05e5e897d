//! css-vpcep-exporter: a Prometheus exporter for the VPC endpoint connections of Huawei Cloud CSS
//! clusters.
//!
//! # Two towers on one ground floor
//!
//! The read tower shows the cloud. [`config`] turns a file into settings. [`poll`] decides when each
//! cluster is polled and each endpoint service is read, and asks [`cloud`]: traits whose real
//! implementation, [`huawei`], signs requests, sends them at the pace of [`pacing`], walks the pages and
//! decodes them. The outcome goes to the [`board`], which keeps the newest observation of every cluster
//! and endpoint service and the changes that were seen; a state file keeps it over a restart.
//! [`exposition`] turns a snapshot of the board into text, and [`public`] serves it.
//!
//! The change tower changes the cloud. A request to [`admin`] becomes a change in [`change`], which reads,
//! plans, writes its intent to [`audit`] (a chained log), sends the request through [`cloud`], reads back,
//! and writes the outcome. Then the clusters in which it may show are polled at once.
//!
//! Both stand on [`web`], a server that knows nothing of clusters. [`app`] builds the towers and changes
//! them when the configuration is reloaded, [`cli`] starts them, and [`sim`] is a simulated cloud in the
//! same binary. [`stats`] has the exporter's own metrics.
//!
//! # Invariants
//!
//! - Nothing imports upwards: a module uses those above it in the list below, never one below it.
//! - A poll succeeds whole or fails whole; a failed one changes nothing but its own record.
//! - A change is in the audit log before it is sent, and no change is sent twice.
//! - Serving a page never waits for the cloud, and no lock is held across IO.
//! - Only [`clock`] reads the wall clock (and the log, for its own lines); waiting uses tokio's clock,
//!   which tests pause.
//! - Only [`huawei`] and the commands of the admin API know reqwest, and only [`config`] and [`cli`] see the
//!   environment.
//! - Only [`stats`] and [`exposition`] know the crate `prometheus`.
//! - [`model`] does no IO, and derives serde for the state file only; ids are checked when they are made,
//!   also when they are read.
//! - [`sim`] imports nothing of ours and is spoken to only over HTTP: a mistake in the client cannot
//!   cancel out with the same mistake in the cloud.
//! - Every task is joined; one that ends early ends the process with an error.
//! - A secret is a [`secret::Secret`] and is exposed only to sign or to fill a header.
//!
//! # Modules, in reading order

#[cfg(test)]
mod random_tests;

pub mod files;
pub mod globs;
pub mod label;
pub mod model;
pub mod secret;
pub mod text;
pub mod tls;

pub mod clock;
pub mod pacing;
pub mod stats;

pub mod cloud;
pub mod huawei;

pub mod board;
pub mod poll;

pub mod exposition;

pub mod audit;
pub mod change;

pub mod web;

pub mod admin;
pub mod public;

pub mod config;

pub mod sim;

pub mod app;
pub mod cli;
