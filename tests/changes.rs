//! Changes of endpoint services, and decisions about connections, over real sockets: the rows P1 to P21 and C9 to C14 of "Faults of
//! changes" in the manual, each by its id. After each of them the books balance: what the cloud saw, what the audit
//! log says and what callers were told is the same.

mod callers;
mod decisions;
mod disk;
mod fates;
mod front;
mod kills;
mod ledger;
mod refusals;
mod world;
