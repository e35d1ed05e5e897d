//! The file's bytes: header and lines, written and read as a stream, never held whole.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

use crate::{
    board::{ClusterState, Snapshot},
    text,
};

const MAGIC: &str = "css-vpcep-exporter-state";
const VERSION: &str = "1";
/// Magic word, version, 64 hexadecimal digits, 20 decimal ones, three spaces and the line's end.
const HEADER_BYTES: usize = MAGIC.len() + VERSION.len() + 64 + 20 + 4;
/// Sixteen times 2,000 clusters of 100 connections. A larger file is not ours, and would take longer to
/// read than to poll what is in it.
pub(super) const MAX_BYTES: u64 = 1 << 30;
/// As large as it takes to make the calls of the system cheap.
const BUFFER_BYTES: usize = 64 << 10;

/// The damage of a state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It does not begin as a state file does.
    Foreign,
    /// It is of a version of the format that this program does not know.
    Version,
    /// It is larger than any true one.
    TooLarge,
    /// It has another length than it says.
    Length,
    /// Its content has another checksum than it says.
    Checksum,
    /// It is as it was written, but this program cannot read it; with the line and what is wrong.
    Content(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it does not begin as a state file does"),
            Self::Version => write!(f, "its format is not version {VERSION}, the one known here"),
            Self::TooLarge => write!(f, "it is larger than {MAX_BYTES} bytes"),
            Self::Length => f.write_str("its length differs from the one in its header"),
            Self::Checksum => f.write_str("its checksum is wrong"),
            Self::Content(what) => f.write_str(what),
        }
    }
}

/// The clusters of a file, or what is wrong with it; the outer error is one of reading.
pub(super) type Content = io::Result<Result<Vec<ClusterState>, Damage>>;

/// Writes a whole file into an empty one.
///
/// # Errors
/// If a write fails, or the file would be larger than one that is read.
pub(super) fn write(mut file: &File, snapshot: &Snapshot) -> io::Result<()> {
    // The header is known last. Until then its place holds nothing that could be taken for one.
    file.write_all(&[b'\n'; HEADER_BYTES])?;
    let left = MAX_BYTES - HEADER_BYTES as u64;
    let mut body = BufWriter::with_capacity(BUFFER_BYTES, Summed::new(file, left));
    for state in snapshot.clusters() {
        serde_json::to_writer(&mut body, &**state)?;
        body.write_all(b"\n")?;
    }
    let header = body.into_inner().map_err(io::IntoInnerError::into_error)?.header();
    file.rewind()?;
    file.write_all(header.as_bytes())
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Content {
    // Opening a pipe would wait for its other end.
    if !path.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_BYTES {
        return Ok(Err(Damage::TooLarge));
    }
    parse(file)
}

/// Checks that the bytes are as they were written before it decodes any.
pub(super) fn parse(mut file: impl Read + Seek) -> Content {
    if let Some(damage) = damage(&mut file)? {
        return Ok(Err(damage));
    }
    file.seek(io::SeekFrom::Start(HEADER_BYTES as u64))?;
    let mut lines = BufReader::with_capacity(BUFFER_BYTES, file);
    let (mut line, mut clusters) = (Vec::new(), Vec::new());
    while lines.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(state) => clusters.push(state),
            Err(error) => {
                let what = format!("the cluster in line {}: {error}", clusters.len() + 2);
                return Ok(Err(Damage::Content(what)));
            }
        }
        line.clear();
    }
    Ok(Ok(clusters))
}

fn damage(file: &mut impl Read) -> io::Result<Option<Damage>> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    let mut words = header.split(|&byte| byte == b' ');
    if words.next() != Some(MAGIC.as_bytes()) {
        return Ok(Some(Damage::Foreign));
    }
    if words.next() != Some(VERSION.as_bytes()) {
        return Ok(Some(Damage::Version));
    }
    let mut body = Summed::new(io::sink(), MAX_BYTES);
    io::copy(&mut BufReader::with_capacity(BUFFER_BYTES, file), &mut body)?;
    let length = format!("{:020}\n", body.length);
    if !header.ends_with(length.as_bytes()) {
        return Ok(Some(Damage::Length));
    }
    Ok((header != body.header().as_bytes()).then_some(Damage::Checksum))
}

/// Sums up what is written through it.
struct Summed<W> {
    to: W,
    digest: Sha256,
    length: u64,
    most: u64,
}

impl<W> Summed<W> {
    fn new(to: W, most: u64) -> Self {
        Self { to, digest: Sha256::new(), length: 0, most }
    }

    fn header(self) -> String {
        let digest = text::to_hex(&self.digest.finalize());
        format!("{MAGIC} {VERSION} {digest} {:020}\n", self.length)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length + bytes.len() as u64 > self.most {
            let message = format!("the state is larger than {MAX_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let count = self.to.write(bytes)?;
        self.digest.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_its_fixed_length() {
        assert_eq!(Summed::new(io::sink(), 0).header().len(), HEADER_BYTES);
    }

    #[test]
    fn a_body_that_could_not_be_read_again_is_not_written() {
        let mut body = Summed::new(Vec::new(), 5);
        body.write_all(b"12345").unwrap();
        let error = body.write_all(b"6").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(body.to, b"12345");
    }
}
