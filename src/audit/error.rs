//! The errors of the log, in words for callers and operators.

use std::{fmt, io, path::PathBuf};

/// A longer line is refused before anything is written: a pipe or a syslog behind the file takes as
/// much at once, and the largest change that the cloud accepts is far below.
pub const MAX_LINE_BYTES: usize = 64 << 10;

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

/// A fault of a line, or of a chain of them.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be read.
    Io(io::Error),
    /// A line is longer than any record.
    TooLong,
    /// It is not JSON, or not the JSON of a record.
    NotARecord(String),
    /// It was changed after it was written.
    Hash,
    /// Another number belongs here: records were removed, put in or put in another order.
    Seq {
        /// The number that is there.
        found: u64,
    },
    /// It follows another record than the one before it.
    Prev,
    /// A file begins with another record than `opened`: its beginning is missing.
    Beginning,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::TooLong => write!(f, "it is longer than {} KiB", MAX_LINE_BYTES >> 10),
            Self::NotARecord(why) => write!(f, "it is not a record: {why}"),
            Self::Hash => f.write_str("its hash does not fit: the line was changed"),
            Self::Seq { found } => write!(f, "seq {found} was found instead"),
            Self::Prev => f.write_str("its prev is not the hash of the record before"),
            Self::Beginning => f.write_str("a file begins with a record of kind opened"),
        }
    }
}

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
