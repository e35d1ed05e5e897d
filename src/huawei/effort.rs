//! An operation under way.

use crate::cloud::{Budget, Trace};

/// The budget of an operation, and the trace of what it took so far.
#[derive(Debug)]
pub(super) struct Effort {
    pub(super) budget: Budget,
    pub(super) trace: Trace,
}

impl Effort {
    pub(super) fn new(budget: Budget) -> Self {
        Self { budget, trace: Trace::default() }
    }
}
