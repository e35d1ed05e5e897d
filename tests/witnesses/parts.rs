//! The programs that `tests/run` installs, and what is asked over HTTP.

use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;

use super::support::{
    ask, here,
    process::{Ended, Process, bare},
};

/// A command whose path `tests/run` has put into the environment.
pub(crate) fn part(variable: &str) -> Command {
    match std::env::var_os(variable) {
        Some(program) => bare(program),
        None => {
            panic!("{variable} is not set: run `tests/run`, which installs what these tests need")
        }
    }
}

pub(crate) fn python(script: &str) -> Command {
    let mut python = part("WITNESS_PYTHON");
    python.arg(here("tests/witnesses").join(script));
    python
}

/// The value on the first line of standard output that starts with this word.
pub(crate) async fn printed(process: &mut Process, word: &str) -> String {
    let value = |line: &str| Some(line.strip_prefix(word)?.strip_prefix(' ')?.to_owned());
    process.line(Process::out, value).await
}

/// Where a program of the Prometheus project says that it listens.
pub(crate) fn listening(line: &str) -> Option<String> {
    // Prometheus 3 names the component in between.
    let (_, rest) = line.split_once(r#"msg="Listening on" "#)?;
    let (_, address) = rest.split_once("address=")?;
    address.split_whitespace().next().map(str::to_owned)
}

/// All that an ended process said, for people to read.
pub(crate) fn said(Ended { code, out, err }: &Ended) -> String {
    format!("{code:?}\nstdout:\n{out}\nstderr:\n{err}")
}

pub(crate) async fn fetch(url: &str) -> Result<String, String> {
    let answer = ask(Method::GET, url, &[], String::new()).await?;
    if answer.status == 200 { Ok(answer.text) } else { Err(format!("{url}: {answer:?}")) }
}

pub(crate) async fn fetch_json(url: &str) -> Result<Value, String> {
    serde_json::from_str(&fetch(url).await?).map_err(|error| format!("{url}: {error}"))
}
