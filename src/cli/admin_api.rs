//! The admin API of a running exporter, for the commands that use it.
//!
//! `client` speaks HTTP, `failure` explains a missing answer, `change` makes a change of either kind, `text` prints
//! what all answers have in common. Texts of the server are escaped before they reach the terminal.

pub(super) mod change;
pub(super) mod client;
mod failure;
pub(super) mod text;

use std::path::PathBuf;

use clap::{Args, builder::FalseyValueParser};
use serde_json::Value;

use self::text::Paint;
use super::terminal::{complain, print};
use crate::text::json_line;

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

/// The output: with `--json` the results are the answer, and nothing else.
pub(super) struct Out {
    json: bool,
    pub(super) paint: Paint,
}

impl Out {
    fn of(api: &ApiArgs) -> Self {
        Self { json: api.json, paint: Paint::for_stdout() }
    }

    fn say(&self, lines: &[String]) {
        for line in lines {
            if self.json {
                complain(line);
            } else {
                print(line);
            }
        }
    }

    /// The answer itself with `--json`, else these lines about it.
    pub(super) fn show(&self, answer: &Value, lines: impl FnOnce(&Paint) -> Vec<String>) {
        self.raw(answer);
        if !self.json {
            self.say(&lines(&self.paint));
        }
    }

    fn raw(&self, answer: &Value) {
        if self.json {
            // A value that was parsed can be serialized.
            let line = json_line(answer).unwrap_or_default();
            print(&String::from_utf8_lossy(&line));
        }
    }
}
