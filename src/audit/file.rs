//! The file: opened so that it is surely ours, appended to by one write for each record, and left at
//! the last good length after any failure.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Only the owner may read the log.
const MODE: u32 = 0o600;

/// The calls that can fail on a disk, so that tests can make each of them fail.
pub(super) trait Disk: Send {
    fn write(&mut self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn set_len(&mut self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// The machine's.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {}

/// The reason why the log cannot be used now: a phrase.
pub(super) type Trouble = String;

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Trouble {
    move |error| format!("cannot {doing}: {error}")
}

/// The state in which [`LogFile::reopen`] found the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reopened {
    Same,
    /// A new file; the old one was renamed.
    Rotated,
    /// A new file; the old one was deleted, or was not as we left it.
    Replaced,
}

pub(super) struct LogFile {
    path: PathBuf,
    folder: PathBuf,
    file: File,
    identity: (u64, u64),
    /// The end of the last good record.
    length: u64,
    /// True if there may be half a record behind it.
    dirty: bool,
    disk: Box<dyn Disk>,
}

impl LogFile {
    /// Opens the file, or creates it, and locks it.
    pub(super) fn open(path: &Path, disk: Box<dyn Disk>) -> Result<Self, Trouble> {
        let (file, metadata) = open(path)?;
        lock(&file)?;
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let identity = identity(&metadata);
        let path = path.to_owned();
        let length = metadata.len();
        let mut log = Self { path, folder, file, identity, length, dirty: false, disk };
        // A file that was just created is on the disk when its folder is.
        log.disk.sync_folder(&log.folder).map_err(failed("write its folder"))?;
        Ok(log)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Moves the text after the last whole line to a separate file, and cuts it off.
    pub(super) fn set_aside(&mut self, torn: &[u8], whole_bytes: u64) -> Result<PathBuf, Trouble> {
        let mut name = OsString::from(&self.path);
        name.push(".torn");
        let aside = PathBuf::from(name);
        let (file, _) = open(&aside)?;
        (&file)
            .write_all(torn)
            .and_then(|()| (&file).write_all(b"\n"))
            .map_err(failed("write the torn line beside it"))?;
        file.sync_all().map_err(failed("write the torn line beside it"))?;
        self.disk.sync_folder(&self.folder).map_err(failed("write its folder"))?;
        self.length = whole_bytes;
        self.dirty = true;
        self.repair()?;
        Ok(aside)
    }

    /// Checks that the path still names our file, and that it is as we left it.
    pub(super) fn check(&mut self) -> Result<(), Trouble> {
        let at_path = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("look at it")(error)),
        };
        let ours = self.file.metadata().map_err(failed("look at it"))?;
        if ours.nlink() == 0 {
            return Err("the file was deleted".to_owned());
        }
        if at_path.is_none() {
            return Err("the file was renamed; SIGHUP starts a new one".to_owned());
        }
        if at_path.is_none_or(|metadata| identity(&metadata) != self.identity) {
            return Err("the path names another file; SIGHUP starts a new one".to_owned());
        }
        if self.dirty {
            self.repair()?;
        } else if ours.len() != self.length {
            return Err("the file was truncated or written to by another".to_owned());
        }
        Ok(())
    }

    /// Appends one line and waits until it is on the disk. After an error the line is not there,
    /// or will be cut off before the next one.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), Trouble> {
        self.check()?;
        let appended = self
            .write(line)
            .and_then(|()| self.disk.sync(&self.file).map_err(failed("bring it to the disk")));
        if appended.is_err() {
            self.dirty = true;
            // Tried again before the next record.
            let _ = self.repair();
            return appended;
        }
        self.length += line.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Trouble> {
        loop {
            return match self.disk.write(&self.file, line) {
                Ok(written) if written == line.len() => Ok(()),
                Ok(_) => Err(failed("write it")(io::ErrorKind::StorageFull.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(failed("write it")(error)),
            };
        }
    }

    fn repair(&mut self) -> Result<(), Trouble> {
        let cut = "cut off half a record";
        self.disk.set_len(&self.file, self.length).map_err(failed(cut))?;
        self.disk.sync(&self.file).map_err(failed(cut))?;
        self.dirty = false;
        Ok(())
    }

    /// Goes on in a new file if the path does not name ours any more.
    pub(super) fn reopen(&mut self) -> Result<Reopened, Trouble> {
        let at_path = fs::symlink_metadata(&self.path).ok();
        if at_path.is_some_and(|metadata| identity(&metadata) == self.identity) {
            return self.check().map(|()| Reopened::Same);
        }
        let ours = self.file.metadata().map_err(failed("look at it"))?;
        if self.dirty {
            // Half a record must not look like a torn log later; if the cut fails, `verify` reports it.
            let _ = self.repair();
        }
        let as_left = ours.nlink() > 0 && (self.dirty || ours.len() == self.length);
        let (file, metadata) = open(&self.path)?;
        if metadata.len() > 0 {
            return Err("the path names another file that is not empty".to_owned());
        }
        lock(&file)?;
        self.disk.sync_folder(&self.folder).map_err(failed("write its folder"))?;
        self.file = file;
        self.identity = identity(&metadata);
        (self.length, self.dirty) = (0, false);
        Ok(if as_left { Reopened::Rotated } else { Reopened::Replaced })
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens a regular file that only its owner can use. It follows no link and waits for no FIFO.
fn open(path: &Path) -> Result<(File, Metadata), Trouble> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => "the path is a symbolic link".to_owned(),
            _ => failed("open it")(error),
        })?;
    let metadata = file.metadata().map_err(failed("look at it"))?;
    if !metadata.is_file() {
        return Err("the path is not a regular file".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err("other users can use the file: chmod 600 it".to_owned());
    }
    Ok((file, metadata))
}

fn lock(file: &File) -> Result<(), Trouble> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => "another process writes it".to_owned(),
        TryLockError::Error(error) => failed("lock it")(error),
    })
}
