//! A secret of the configuration, and how its file is read.

use std::path::{Path, PathBuf};

use super::{CredentialsError, checks::check_printable};
use crate::{
    files::{Others, read_capped},
    secret::Secret,
};

/// A security token has a few thousand characters.
const LARGEST_SECRET_BYTES: u64 = 64 * 1024;

/// A secret that is written in the configuration, or in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretText {
    /// In the configuration.
    Inline(Secret),
    /// In a file that only its owner (and perhaps a group) can use.
    File(PathBuf),
}

impl SecretText {
    /// The secret as it is now.
    ///
    /// # Errors
    /// [`CredentialsError::Broken`]: a file that cannot be read, that everyone can read, or that
    /// holds something else than one line.
    pub fn read(&self) -> Result<Secret, CredentialsError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::File(path) => read_secret(path).map_err(|mistake| {
                CredentialsError::Broken(format!("{}: {mistake}", path.display()))
            }),
        }
    }
}

fn read_secret(path: &Path) -> Result<Secret, String> {
    let text = read_private(path)?;
    let text = text.expose().trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(['\r', '\n']) {
        return Err("empty, or more than one line".into());
    }
    Ok(Secret::new(text))
}

/// Reads the token that a platform keeps fresh in a file. Kubernetes lets every user of the pod read it, so
/// that is no mistake; it lives for an hour or so.
pub(super) fn read_token(path: &Path) -> Result<Secret, CredentialsError> {
    let broken =
        |mistake: String| CredentialsError::Broken(format!("{}: {mistake}", path.display()));
    let text = read(path, Others::MayRead).map_err(broken)?;
    let token = text.expose().trim();
    check_printable(token).map_err(|found| broken(format!("a token with {found}")))?;
    Ok(Secret::new(token))
}

/// Reads a small file that is closed to other users of the machine.
pub(super) fn read_private(path: &Path) -> Result<Secret, String> {
    read(path, Others::MayNothing)
}

fn read(path: &Path, others: Others) -> Result<Secret, String> {
    let bytes =
        read_capped(path, LARGEST_SECRET_BYTES, others).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "cannot be read: not UTF-8")?;
    Ok(Secret::new(text))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// A folder with private files, gone at the end.
    pub(in crate::huawei::credentials) struct Home(pub(in crate::huawei::credentials) PathBuf);

    impl Home {
        pub(in crate::huawei::credentials) fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("credentials-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join(".huaweicloud")).unwrap();
            Self(path)
        }

        pub(in crate::huawei::credentials) fn write(
            &self,
            name: &str,
            text: &str,
            mode: u32,
        ) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn secret_files_are_private_single_lines() {
        let home = Home::new("files");
        let read = |path: PathBuf| SecretText::File(path).read();
        for (text, secret) in [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), ("a b\r\n", "a b")] {
            assert_eq!(read(home.write("good", text, 0o640)).unwrap().expose(), secret);
        }
        let bad = [("", 0o600), ("\n", 0o600), ("canary\nb\n", 0o600), ("canary", 0o644)];
        for (text, mode) in bad {
            let error = read(home.write("bad", text, mode)).unwrap_err().to_string();
            assert!(error.contains("bad: ") && !error.contains("canary"), "{error}");
        }
        assert!(read(home.0.join("missing")).is_err());
        assert!(read(home.0.clone()).unwrap_err().to_string().contains("a directory"));
    }
}
