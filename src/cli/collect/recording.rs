//! `collect --record`: the file that a recording goes to.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::Arc,
};

use crate::{
    cli::{exit::Failure, terminal::complain},
    config::Config,
    huawei::transport::{Recorder, Recording},
};

/// A new file, which is gone again if nothing is written to it.
pub(super) struct RecordingFile {
    pub(super) recorder: Arc<Recorder>,
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl RecordingFile {
    /// Takes the file before the cloud is asked; one that exists is not overwritten.
    pub(super) fn create(path: PathBuf, config: &Config) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| {
            let path = path.display();
            Failure::usage(format!("{path}: a recording needs a new file: {error}"))
        })?;
        let mut regions: Vec<_> =
            config.projects.iter().map(|project| project.cloud.region.clone()).collect();
        regions.sort();
        regions.dedup();
        Ok(Self { recorder: Arc::new(Recorder::new(&regions)), path, file, is_written: false })
    }

    /// Writes the recording, and tells its reader about it.
    pub(super) fn write(mut self) -> Result<(), Failure> {
        let failed =
            |error| format!("{}: the recording is not written: {error}", self.path.display());
        let Recording { text, exchanges, left_out } = self.recorder.finish();
        self.file.write_all(&text).map_err(failed)?;
        self.is_written = true;
        let path = self.path.display();
        complain(&format!(
            "{path}: {exchanges} exchanges, {} bytes; secrets are left out, and ids, names, addresses and accounts \
             replaced. Read it before you send it.",
            text.len()
        ));
        if left_out > 0 {
            complain(&format!("{path}: {left_out} more exchanges do not fit into a recording."));
        }
        Ok(())
    }
}

impl Drop for RecordingFile {
    fn drop(&mut self) {
        if !self.is_written {
            // An empty file would only be in the way of the next try.
            let _ = fs::remove_file(&self.path);
        }
    }
}
