//! A state file belongs to one process: two that share it would overwrite each other's data.
//!
//! The lock is on a separate file beside the state file, because the state file is replaced at each write.
//! The system releases the lock however the process ends; the file of the lock stays.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::MODE;
use crate::text::may_be_shown;

/// Enough for a process id and the name of a machine.
const LONGEST_HOLDER: u64 = 512;

/// The lock is released when this is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "what counts is that it is open")] File);

/// Why the lock cannot be taken.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it; this is how that process described itself.
    Held(String),
    Io(io::Error),
}

impl Lock {
    /// Takes the lock if it is free, and writes down which process has it now.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(MODE);
        // The file will be emptied, so it must not be some other file.
        options.custom_flags(libc::O_NOFOLLOW);
        let mut file = options.open(path).map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        let own = format!("process {}{}\n", std::process::id(), on_this_machine());
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| file.write_all(own.as_bytes())).map_err(LockError::Io)?;
        Ok(Self(file))
    }
}

/// The holder's description of itself.
fn holder(file: File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST_HOLDER).read_to_string(&mut text);
    let text: String = text.trim().chars().filter(|one| may_be_shown(*one)).collect();
    // It has the lock, but has not written yet.
    if read.is_err() || text.is_empty() { "another process".into() } else { text }
}

/// In a container this is the container's name; without it a process id would mean little.
fn on_this_machine() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| String::new(), |name| format!(" on {}", name.trim()))
}
