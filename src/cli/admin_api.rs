//! The admin API of a running exporter, for the commands that use it.
//!
//! `client` speaks HTTP, `failure` explains a missing answer, `text` prints what all answers have in common. Texts
//! of the server are escaped before they reach the terminal.

pub(super) mod client;
mod failure;
pub(super) mod text;

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use clap::{Args, builder::FalseyValueParser};
use serde_json::Value;

use self::{
    client::{Client, Refused},
    text::Paint,
};
use super::{FAILED, USAGE, complain, print};
use crate::text::json_line;

/// A plan found something to change.
pub(super) const CHANGES: u8 = 2;

#[derive(Args, Debug)]
pub(super) struct ApiArgs {
    /// The URL of the admin listener. Plain http only to loopback
    #[arg(
        long = "admin.url",
        value_name = "URL",
        global = true,
        env = "CSS_VPCEP_EXPORTER_ADMIN_URL",
        default_value = "http://127.0.0.1:10068"
    )]
    url: String,
    /// A file with the token; if unset, the token is read from CSS_VPCEP_EXPORTER_ADMIN_TOKEN
    #[arg(
        long = "admin.token-file",
        value_name = "FILE",
        global = true,
        env = "CSS_VPCEP_EXPORTER_ADMIN_TOKEN_FILE"
    )]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust in addition to those of the system
    #[arg(
        long = "admin.ca-file",
        value_name = "FILE",
        global = true,
        env = "CSS_VPCEP_EXPORTER_ADMIN_CA_FILE"
    )]
    ca_file: Option<PathBuf>,
    /// Prints the JSON answer of the API unchanged
    #[arg(
        long,
        global = true,
        env = "CSS_VPCEP_EXPORTER_JSON",
        value_parser = FalseyValueParser::new()
    )]
    json: bool,
}

/// An early end of a command.
pub(super) enum End {
    /// The command line is wrong, or something it names.
    Usage(String),
    /// It did not work.
    Failed(String),
    /// The exporter refused; the answer is shown.
    Refused(Box<Refused>),
}

/// The exit code of a command; says why it ended early.
pub(super) fn answered(out: &Out, ended: Result<u8, End>) -> u8 {
    match ended {
        Ok(code) => code,
        Err(End::Usage(why)) => {
            complain(&why);
            USAGE
        }
        Err(End::Failed(why)) => {
            complain(&why);
            FAILED
        }
        Err(End::Refused(refusal)) => refused(out, &refusal, &[]),
    }
}

/// Shows a refusal, without the warnings in `said`.
pub(super) fn refused(out: &Out, refusal: &Refused, said: &[String]) -> u8 {
    out.raw(&refusal.raw);
    for line in text::refusal(refusal.status, &refusal.problem, said, &out.paint) {
        complain(&line);
    }
    FAILED
}

/// The output: with `--json` the results are the answer, and nothing else.
pub(super) struct Out {
    json: bool,
    pub(super) paint: Paint,
}

impl Out {
    pub(super) fn of(api: &ApiArgs) -> Self {
        Self { json: api.json, paint: Paint::for_stdout() }
    }

    pub(super) fn say(&self, line: &str) {
        if self.json {
            complain(line);
        } else {
            print(line);
        }
    }

    /// The answer itself with `--json`, else these lines about it.
    pub(super) fn show(&self, answer: &Value, lines: impl FnOnce() -> Vec<String>) {
        self.raw(answer);
        if !self.json {
            lines().iter().for_each(|line| self.say(line));
        }
    }

    pub(super) fn raw(&self, answer: &Value) {
        if self.json {
            // A value that was parsed can be serialized.
            let line = json_line(answer).unwrap_or_default();
            print(&String::from_utf8_lossy(&line));
        }
    }
}

/// Fails without a terminal to ask on.
pub(super) fn may_ask(yes: bool, can_ask: bool) -> Result<(), End> {
    let can_ask = can_ask && std::io::stdin().is_terminal();
    if !yes && !can_ask {
        let why = "there is no terminal to ask on: check the plan, then use --yes";
        return Err(End::Usage(why.into()));
    }
    Ok(())
}

pub(super) fn confirmed(question: &str) -> Result<bool, End> {
    complain(question);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| End::Failed(format!("no answer: {error}")))?;
    Ok(line.trim() == "yes")
}

pub(super) fn client(api: &ApiArgs) -> Result<Client, End> {
    Client::new(&api.url, api.token_file.as_deref(), api.ca_file.as_deref()).map_err(End::Usage)
}
