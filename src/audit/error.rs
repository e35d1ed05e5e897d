//! The errors of the log, in words for callers and operators.

use std::{fmt, path::PathBuf};

use super::MAX_LINE_BYTES;

/// The reason why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditError {
    /// The log cannot be written now. An intent is void: nothing may be sent. An outcome is kept,
    /// and written as soon as that is possible.
    Unavailable(String),
    /// The record is longer than [`MAX_LINE_BYTES`]; nothing was written.
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The record could not be read again; nothing was written.
    Unreadable(String),
    /// The log is closed.
    Closed,
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the audit log is unavailable: {why}"),
            Self::TooLong { bytes } => write!(
                f,
                "a record of {bytes} bytes is too long for the audit log: the most is {MAX_LINE_BYTES}"
            ),
            Self::Unreadable(why) => write!(f, "the record does not fit the audit log: {why}"),
            Self::Closed => f.write_str("the audit log is closed"),
        }
    }
}

impl std::error::Error for AuditError {}

/// A log that cannot be opened. Its `Display` is a sentence that names the file.
#[derive(Debug)]
pub struct OpenError {
    pub(super) path: PathBuf,
    pub(super) why: String,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the audit log {}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for OpenError {}

/// The writer's thread ended by a panic.
#[derive(Debug)]
pub struct WriterPanicked;

impl fmt::Display for WriterPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the writer of the audit log panicked")
    }
}

impl std::error::Error for WriterPanicked {}
