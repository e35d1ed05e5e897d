//! The state file: the observations that must survive a restart, so that a warm start shows the old data
//! with their true age at once.
//!
//! A header line, then one line of JSON per cluster:
//!
//! ```text
//! css-vpcep-exporter-state 1 <SHA-256 of the body> <bytes of the body, 20 digits>
//! {"region":"cn-north-4","project":"prod","id":"5c77b71c-…",…}
//! ```
//!
//! A new file is written next to the old one and replaces it once it is complete and on the disk.
//! So a file that is not whole was damaged from outside: it is set aside and never trusted in
//! part. A file belongs to one process, which holds its `lock`.

mod format;

mod lock;
mod record;
mod task;

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{ClusterMeta, ClusterState, Snapshot};

use lock::{Lock, LockError};

pub use format::Damage;
pub use task::keep;

/// The file holds addresses and account ids, which no other user needs to see.
const MODE: u32 = 0o600;

/// The place where the state is kept. Only one exists for a file, and it writes once at a time.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    temporary: PathBuf,
    folder: PathBuf,
    _lock: Lock,
}

/// The states from before the restart, for [`Board::restore`](super::Board::restore).
#[derive(Debug, Default)]
pub struct Restored {
    pub(super) clusters: Vec<ClusterState>,
    /// The file that could not be trusted, if there was one; then nothing is restored.
    pub damaged: Option<SetAside>,
}

/// A damaged state file that was renamed. Its `Display` is a sentence for the log.
#[derive(Debug)]
pub struct SetAside {
    /// Its path before.
    pub path: PathBuf,
    /// Its path now.
    pub moved_to: PathBuf,
    /// The damage.
    pub damage: Damage,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, moved_to, damage } = self;
        write!(
            f,
            "the state file {} is damaged and ignored: {damage}; it is now {}",
            path.display(),
            moved_to.display()
        )
    }
}

/// The reason why the state cannot be kept in a file.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the lock of the file until it ends.
    Held {
        /// The state file.
        path: PathBuf,
        /// The other process: its id and its machine.
        holder: String,
    },
    /// The configuration or the machine is at fault.
    Unusable {
        /// The action that failed.
        doing: &'static str,
        /// The file that it failed on.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { path, holder } => write!(f, "{} belongs to {holder}", path.display()),
            Self::Unusable { doing, path, cause } => {
                write!(f, "cannot {doing} {}: {cause}", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Held { .. } => None,
            Self::Unusable { cause, .. } => Some(cause),
        }
    }
}

impl Restored {
    /// The clusters, as they were before the restart.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterMeta> {
        self.clusters.iter().map(|state| &*state.meta)
    }

    /// Drops every fact with a later date than this: it was seen by a clock that was wrong, and would
    /// look fresh until that date comes.
    pub fn without_later_than(mut self, latest: Timestamp) -> Self {
        self.clusters.iter_mut().for_each(|state| state.forget_after(latest));
        self
    }
}

fn lacks_folder(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder != Path::new("") && !folder.exists())
}

impl StateFile {
    /// Takes the lock, proves that the state can be written at `path` and reads what is there. No file
    /// is a first start. A damaged one is renamed with the date `now` in its name. Blocks, but does not
    /// wait for the lock.
    ///
    /// # Errors
    /// If another process has the lock, the folder is missing or cannot be written, or `path` is not a
    /// readable file.
    pub fn open(path: &Path, now: Timestamp) -> Result<(Self, Restored), OpenError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |cause| OpenError::Unusable { doing, path, cause }
        };
        if path.file_name().is_none() || path.is_dir() {
            return Err(failed("use as a state file the folder", path)(
                io::ErrorKind::IsADirectory.into(),
            ));
        }
        // First of all, because the next steps write.
        let lock_file = with_suffix(path, ".lock");
        let lock = Lock::take(&lock_file).map_err(|error| match error {
            LockError::Held(holder) => OpenError::Held { path: path.to_owned(), holder },
            LockError::Io(cause) if lacks_folder(path) => {
                let cause = io::Error::new(cause.kind(), "its folder does not exist");
                failed("use as a state file", path)(cause)
            }
            LockError::Io(cause) => failed("take the lock", &lock_file)(cause),
        })?;
        let file = Self {
            path: path.to_owned(),
            temporary: with_suffix(path, ".tmp"),
            folder: match path.parent() {
                Some(folder) if folder != Path::new("") => folder.to_owned(),
                _ => PathBuf::from("."),
            },
            _lock: lock,
        };
        file.probe().map_err(failed("write the state to", &file.temporary))?;
        let restored = match format::read(path) {
            Ok(Ok(clusters)) => Restored { clusters, damaged: None },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Restored::default(),
            Err(cause) => return Err(failed("read the state file", path)(cause)),
            Ok(Err(damage)) => {
                let moved_to =
                    set_aside(path, now).map_err(failed("rename the damaged state file", path))?;
                let damaged = SetAside { path: path.to_owned(), moved_to, damage };
                Restored { clusters: Vec::new(), damaged: Some(damaged) }
            }
        };
        Ok((file, restored))
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file by one with this snapshot, and waits until it is on the disk. Blocks.
    ///
    /// # Errors
    /// If it could not be written; the file is then the old one, or the new one whole.
    pub fn write(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let replaced = self.write_temporary(snapshot).and_then(|()| {
            fs::rename(&self.temporary, &self.path)?;
            self.sync_folder()
        });
        if replaced.is_err() {
            // On a full disk, half a file takes the room that the next write needs.
            let _ = fs::remove_file(&self.temporary);
        }
        replaced
    }

    fn write_temporary(&self, snapshot: &Snapshot) -> io::Result<()> {
        let file = self.create_temporary()?;
        format::write(&file, snapshot)?;
        file.sync_all()
    }

    /// Does everything that a write does except the renaming.
    fn probe(&self) -> io::Result<()> {
        let file = self.create_temporary()?;
        let probed = format::write(&file, &Snapshot::default())
            .and_then(|()| file.sync_all())
            .and_then(|()| self.sync_folder());
        fs::remove_file(&self.temporary)?;
        probed
    }

    /// Replaces a file that a killed process left; reusing it would keep its mode, or follow it if it is
    /// a link.
    fn create_temporary(&self) -> io::Result<File> {
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(MODE).open(&self.temporary)
    }

    /// A rename is on the disk when its folder is.
    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// Renames a file to a free name with a date in it.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let first = with_suffix(path, &format!(".damaged-{}", now.as_second()));
    let mut target = first.clone();
    for number in 2.. {
        // Renaming replaces what has the name; so the name is taken first, which does not.
        match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&target) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                target = with_suffix(&first, &format!("-{number}"));
            }
            Err(error) => return Err(error),
        }
    }
    fs::rename(path, &target)?;
    Ok(target)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
