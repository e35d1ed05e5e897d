//! Changes of endpoint services over real sockets: the rows P1 to P21 and C9 to C14 of "Faults of
//! changes" in README.md, each by its id. After each of them the books balance: what the cloud saw, what the audit
//! log says and what callers were told is the same.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[allow(dead_code, reason = "each test target uses a part of it")]
mod support;

mod changes {
    mod callers;
    mod disk;
    mod fates;
    mod front;
    mod kills;
    mod ledger;
    mod refusals;
    mod world;
}
