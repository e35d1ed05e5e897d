//! Small files of others: configurations, secrets, certificates.

use std::{fmt, fs, io, io::Read as _, os::unix::fs::PermissionsExt as _, path::Path};

use zeroize::Zeroizing;

/// The access that other users have to a file, besides its owner and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Every user of the machine may read and change it.
    MayAll,
    /// Every user of the machine may read it, none may change it.
    MayRead,
    /// No other user of the machine may use it.
    MayNothing,
}

/// Why a file was not read. `Display` continues a sentence that begins with the file's path.
#[derive(Debug)]
pub enum FileError {
    /// The operating system refused.
    Unreadable(io::Error),
    /// It is a directory, or neither a file nor a directory.
    NotAFile {
        /// True for a directory.
        directory: bool,
    },
    /// It has more bytes than the limit.
    TooLarge {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// Its mode lets every user of the machine do what [`Others`] excludes.
    Exposed {
        /// The permission bits.
        mode: u32,
        /// True if reading it is excluded too.
        private: bool,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NotAFile { directory: true } => f.write_str("a directory, a file is expected"),
            Self::NotAFile { directory: false } => {
                f.write_str("not a regular file; a regular file is expected")
            }
            Self::TooLarge { limit_bytes } if limit_bytes % (1 << 20) == 0 => {
                write!(f, "larger than {} MiB", limit_bytes >> 20)
            }
            Self::TooLarge { limit_bytes } => write!(f, "larger than {} KiB", limit_bytes >> 10),
            Self::Exposed { mode, private } => {
                let verb = if *private { "use" } else { "change" };
                write!(f, "every user of the machine can {verb} it (mode {mode:03o})")
            }
        }
    }
}

/// Reads a plain file of at most `limit_bytes` bytes, and wipes them from memory when they are dropped.
///
/// # Errors
/// If it cannot be read, is no plain file, is larger, or is open to others.
pub fn read_capped(
    path: &Path,
    limit_bytes: u64,
    others: Others,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // Before opening: opening a named pipe waits until someone writes to it.
    plain(&fs::metadata(path).map_err(FileError::Unreadable)?)?;
    let file = fs::File::open(path).map_err(FileError::Unreadable)?;
    // Again, of what was opened: the path may name another file by now.
    let metadata = file.metadata().map_err(FileError::Unreadable)?;
    plain(&metadata)?;
    let mode = metadata.permissions().mode() & 0o777;
    let excluded = match others {
        Others::MayAll => 0,
        Others::MayRead => 0o002,
        Others::MayNothing => 0o007,
    };
    if mode & excluded != 0 {
        return Err(FileError::Exposed { mode, private: others == Others::MayNothing });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    // One byte more than allowed tells a file that is too large from one that just fits.
    file.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(FileError::Unreadable)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(FileError::TooLarge { limit_bytes });
    }
    Ok(bytes)
}

fn plain(metadata: &fs::Metadata) -> Result<(), FileError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(FileError::NotAFile { directory: metadata.is_dir() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_plain_small_and_closed_to_others() {
        let folder = std::env::temp_dir().join(format!("files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        let read = |mode: u32, limit_bytes: u64, others| {
            fs::write(&file, "four").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            read_capped(&file, limit_bytes, others)
                .map(|bytes| bytes.to_vec())
                .map_err(|error| error.to_string())
        };
        let exposed =
            |verb, mode| Err(format!("every user of the machine can {verb} it (mode {mode})"));
        for (mode, limit_bytes, others, expected) in [
            (0o640, 4, Others::MayNothing, Ok(b"four".to_vec())),
            (0o666, 4, Others::MayAll, Ok(b"four".to_vec())),
            (0o644, 4, Others::MayRead, Ok(b"four".to_vec())),
            (0o644, 4, Others::MayNothing, exposed("use", "644")),
            (0o646, 4, Others::MayRead, exposed("change", "646")),
            (0o600, 3, Others::MayNothing, Err("larger than 0 KiB".to_owned())),
        ] {
            assert_eq!(read(mode, limit_bytes, others), expected, "{mode:o} {others:?}");
        }
        let error = |path: &Path| read_capped(path, 4, Others::MayAll).unwrap_err().to_string();
        assert_eq!(error(&folder), "a directory, a file is expected");
        assert_eq!(error(Path::new("/dev/null")), "not a regular file; a regular file is expected");
        assert!(error(&folder.join("missing")).starts_with("cannot be read: "));
        assert_eq!(FileError::TooLarge { limit_bytes: 2 << 20 }.to_string(), "larger than 2 MiB");
        fs::remove_dir_all(&folder).unwrap();
    }
}
