//! Reads a log from its beginning and checks that each record follows the one before.

use std::{
    fmt,
    io::{BufRead, Read as _},
};

use jiff::Timestamp;

use super::{
    error::{Fault, MAX_LINE_BYTES},
    record::{Hash, Kind, Record},
};

/// The end of a chain: what the next record must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last record; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// Before the first record of all.
    pub const START: Self = Self { seq: 0, hash: Hash::ZERO };
}

/// A file that is whole, or whole but for its last line.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The number of its records.
    pub records: u64,
    /// Number and time of the first and of the last of them.
    pub span: Option<[(u64, Timestamp); 2]>,
    /// The end of the chain; without a record, the head that was passed in.
    pub head: Head,
    /// The length of the whole lines, in bytes.
    pub whole_bytes: u64,
    /// The bytes after them: a line that was not written to its end. Empty if there is none.
    pub torn: Vec<u8>,
}

/// The place at which a chain breaks. Its `Display` is a phrase.
#[derive(Debug)]
pub struct Broken {
    /// The line, from 1.
    pub line: u64,
    /// The number that belongs there, if it follows from the lines before.
    pub seq: Option<u64>,
    /// The fault there.
    pub fault: Fault,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(seq) = self.seq {
            write!(f, ", seq {seq}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for Broken {}

/// Reads all records of a file and hands each on, with the length of its line in bytes. `after` is the
/// head of the file before it, if that is known; else the first record is believed as to what precedes
/// it.
///
/// # Errors
/// The first line that does not follow; those before it have been handed on.
pub fn read(
    mut file: impl BufRead,
    after: Option<Head>,
    mut each: impl FnMut(Record, usize),
) -> Result<Reading, Broken> {
    let mut head = after;
    let mut reading = Reading {
        records: 0,
        span: None,
        head: after.unwrap_or(Head::START),
        whole_bytes: 0,
        torn: Vec::new(),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let number = reading.records + 1;
        let broken = |fault| Broken { line: number, seq: head.map(|head| head.seq + 1), fault };
        let length = (&mut file)
            .take(MAX_LINE_BYTES as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| broken(Fault::Io(error)))?;
        if length > MAX_LINE_BYTES {
            return Err(broken(Fault::TooLong));
        }
        let Some(text) = line.strip_suffix(b"\n") else {
            reading.torn = line;
            return Ok(reading);
        };
        let record = Record::parse(text).map_err(broken)?;
        follows(head, &record).map_err(broken)?;
        if number == 1 && record.content.kind != Kind::Opened {
            return Err(broken(Fault::Beginning));
        }
        let here = (record.seq, record.time);
        reading.span = Some([reading.span.map_or(here, |[first, _]| first), here]);
        reading.head = Head { seq: record.seq, hash: record.hash };
        head = Some(reading.head);
        reading.records = number;
        reading.whole_bytes += length as u64;
        each(record, length);
    }
}

/// Checks that a record comes right after `head`. Without a head only the very first record is checked.
fn follows(head: Option<Head>, record: &Record) -> Result<(), Fault> {
    let before = match head {
        Some(head) => head,
        None if record.seq == 1 => Head::START,
        None => Head { seq: record.seq.saturating_sub(1), hash: record.prev },
    };
    if before.seq.checked_add(1) != Some(record.seq) {
        return Err(Fault::Seq { found: record.seq });
    }
    if record.prev != before.hash {
        return Err(Fault::Prev);
    }
    Ok(())
}
