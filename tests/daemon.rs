//! The whole program, through its sockets, its signals and its files.

mod canaries;
mod collect;
mod discovery;
mod events;
mod faults;
mod generate;
mod golden;
mod http;
mod imports;
mod log;
mod outage;
mod pages;
mod paging;
mod permissions;
mod recordings;
mod regions;
mod reload;
mod restart;
mod shards;
mod signals;
mod supervisor;
mod terminal;
mod tls;
mod web;
