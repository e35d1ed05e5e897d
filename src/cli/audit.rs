//! `audit`: checks the chain of the audit log, and shows it to people. All findings go to stdout: they are
//! this command's result.

mod show;

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{FAILED, FINE, examples, print, terminal::visible};
use crate::{
    audit::{self, Head, Reading, Record, Unresolved},
    text::from_hex,
};

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Checks that no record was changed, removed, inserted or moved
    ///
    /// Several files are one log, in pieces: they are read in the order of their first records. Whether
    /// records are missing at the very end cannot be seen in the files. To check that, give a number or a
    /// head that was noted elsewhere with --expect-sequence and --expect-head; the metric
    /// css_vpcep_exporter_audit_last_sequence has the number.
    ///
    /// The exit code is 1 if the chain is broken, a file is missing or empty, or the expected record is
    /// not there.
    #[command(after_help = examples::of("audit verify"))]
    Verify(VerifyArgs),
    /// Shows the changes, the refusals and when the log was opened
    ///
    /// The chain is not checked: `audit verify` does that.
    #[command(after_help = examples::of("audit show"))]
    Show(show::ShowArgs),
}

#[derive(Args, Debug)]
struct VerifyArgs {
    /// The files of the log, rotated ones too
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The log must have a record with this number
    #[arg(long, value_name = "SEQ", env = "CSS_VPCEP_EXPORTER_EXPECT_SEQUENCE")]
    expect_sequence: Option<u64>,
    /// The log must have a record with this hash; with --expect-sequence, with that number too
    #[arg(long, value_name = "HASH", env = "CSS_VPCEP_EXPORTER_EXPECT_HEAD", value_parser = hash)]
    expect_head: Option<String>,
}

fn hash(text: &str) -> Result<String, String> {
    match from_hex::<32>(text) {
        Some(_) => Ok(text.to_owned()),
        None => {
            Err("expected 64 lower-case hexadecimal digits, the head as verify prints it".into())
        }
    }
}

impl VerifyArgs {
    /// True if a record has the expected number and hash, as far as they are given.
    fn expects(&self, record: &Record) -> bool {
        let has_head = |head: &String| *head == record.hash.to_string();
        self.expect_sequence.is_none_or(|seq| seq == record.seq)
            && self.expect_head.as_ref().is_none_or(has_head)
    }

    fn missing(&self) -> String {
        let seq = self.expect_sequence.map(|seq| format!(" with seq {seq}"));
        let head = self.expect_head.as_ref().map(|head| format!(" with head {head}"));
        format!("there is no record{}{}", seq.unwrap_or_default(), head.unwrap_or_default())
    }
}

pub(super) fn run(args: AuditArgs) -> u8 {
    let is_fine = match args.command {
        AuditCommand::Verify(args) => verify(&args),
        AuditCommand::Show(args) => show::show(&args),
    };
    if is_fine { FINE } else { FAILED }
}

/// Checks the files as one chain and prints the result; false if it is broken.
fn verify(args: &VerifyArgs) -> bool {
    let mut check = Check {
        args,
        is_sound: true,
        is_expected_there: false,
        unresolved: Unresolved::default(),
        after: None,
    };
    // After a break the next file has nothing to follow.
    in_order(&args.files).into_iter().all(|path| check.file(path)) && check.end()
}

/// The check of a chain, file after file.
struct Check<'a> {
    args: &'a VerifyArgs,
    is_sound: bool,
    is_expected_there: bool,
    unresolved: Unresolved,
    /// The last file that had records, and its head.
    after: Option<(Head, &'a Path)>,
}

impl<'a> Check<'a> {
    /// Checks one file; false if the chain breaks in it.
    fn file(&mut self, path: &'a Path) -> bool {
        let name = visible(&path.display().to_string());
        match self.read(path) {
            Ok(reading) => {
                self.report(&name, &reading);
                if reading.records > 0 {
                    self.after = Some((reading.head, path));
                }
                true
            }
            Err(why) => {
                print(&format!("{name}: {}", visible(&why)));
                if let Some((head, before)) = self.after {
                    let before = visible(&before.display().to_string());
                    let Head { seq, hash } = head;
                    print(&format!("  {before} before it ends at seq {seq}, head {hash}"));
                }
                false
            }
        }
    }

    fn read(&mut self, path: &Path) -> Result<Reading, String> {
        let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
        let head = self.after.map(|(head, _)| head);
        let take = |record: Record, _| {
            self.is_expected_there |= self.args.expects(&record);
            self.unresolved.take(&record);
        };
        audit::read(BufReader::new(file), head, take).map_err(|broken| broken.to_string())
    }

    fn report(&mut self, name: &str, reading: &Reading) {
        let Reading { records, span, head: Head { seq, hash }, torn, .. } = reading;
        print(&match span {
            None => format!("{name}: no records; the exporter begins each file with one"),
            Some([(first, from), (last, to)]) => format!(
                "{name}: {records} records, seq {first} to {last}, {from:.3} to {to:.3}, head {hash}"
            ),
        });
        if !torn.is_empty() {
            let (line, seq, bytes) = (records + 1, seq + 1, torn.len());
            print(&format!(
                "{name}: line {line}, seq {seq}: it was not written to its end ({bytes} bytes); the \
                 next start moves it away"
            ));
        }
        self.is_sound &= span.is_some() && torn.is_empty();
    }

    /// Prints what can be said only after the last file; false if anything was wrong.
    fn end(mut self) -> bool {
        let VerifyArgs { expect_sequence, expect_head, .. } = self.args;
        if !self.is_expected_there && (expect_sequence.is_some() || expect_head.is_some()) {
            print(&self.args.missing());
            self.is_sound = false;
        }
        for intent in self.unresolved.intents() {
            let subject = show::subject(&intent);
            print(&format!("intent without outcome: seq {}, {subject}", intent.seq));
        }
        self.is_sound
    }
}

/// The oldest first. A file without a first record comes last; reading it says what is wrong.
fn in_order(files: &[PathBuf]) -> Vec<&Path> {
    let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    files.sort_by_cached_key(|path| first_seq(path).unwrap_or(u64::MAX));
    files
}

fn first_seq(path: &Path) -> Option<u64> {
    let mut lines = show::lines(File::open(path).ok()?);
    Record::parse(&lines.next()?.ok()?).ok().map(|record| record.seq)
}
