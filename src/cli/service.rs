//! `service`: looks at endpoint services and changes them, through the admin API of a running
//! exporter.
//!
//! `client` speaks HTTP, `failure` says why no answer came, `text` says what the answers mean. Texts of
//! the server are escaped before they reach the terminal.

mod client;
mod failure;
mod text;

use std::{
    io::{BufRead as _, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, builder::FalseyValueParser};
use serde_json::Value;

use self::{
    client::{Client, Refused},
    text::Paint,
};
use super::{FAILED, FINE, USAGE, complain, print};
use crate::{text::json_line, web::Limits};

/// `plan` found something to change.
const CHANGES: u8 = 2;
/// The admin API takes no longer body.
const MOST_UPDATE_BYTES: u64 = Limits::ADMIN.body_bytes as u64;

#[derive(Args, Debug)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Args, Debug)]
pub(super) struct ApiArgs {
    /// Where the admin listener is. Plain http only to loopback
    #[arg(
        long = "admin.url",
        value_name = "URL",
        global = true,
        env = "CSS_VPCEP_EXPORTER_ADMIN_URL",
        default_value = "http://127.0.0.1:10068"
    )]
    url: String,
    /// A file with the token; without it the environment has it in CSS_VPCEP_EXPORTER_ADMIN_TOKEN
    #[arg(
        long = "admin.token-file",
        value_name = "FILE",
        global = true,
        env = "CSS_VPCEP_EXPORTER_ADMIN_TOKEN_FILE"
    )]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust beside those of the system
    #[arg(
        long = "admin.ca-file",
        value_name = "FILE",
        global = true,
        env = "CSS_VPCEP_EXPORTER_ADMIN_CA_FILE"
    )]
    ca_file: Option<PathBuf>,
    /// Prints the answer as it came, in JSON
    #[arg(
        long,
        global = true,
        env = "CSS_VPCEP_EXPORTER_JSON",
        value_parser = FalseyValueParser::new()
    )]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Lists the services that the token may see, as they were last read
    List,
    /// Shows a service, read from the cloud now
    Show(IdArgs),
    /// Shows what a change would do; nothing is sent
    Plan(ChangeArgs),
    /// Shows what a change does, asks, makes it and says what reading back found
    Apply {
        #[command(flatten)]
        change: ChangeArgs,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
struct IdArgs {
    /// PROJECT/ID or PROJECT/NAME, or an id or a name that only one service has
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Args, Debug)]
struct ChangeArgs {
    #[command(flatten)]
    id: IdArgs,
    /// What shall change, in JSON; - is the standard input
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: PathBuf,
}

/// An early end of a command.
enum End {
    /// The command line is wrong, or something it names.
    Usage(String),
    /// It did not work.
    Failed(String),
    /// The exporter refused; the answer is shown.
    Refused(Box<Refused>),
}

pub(super) async fn run(args: ServiceArgs) -> u8 {
    let out = Out { json: args.api.json, paint: Paint::for_stdout() };
    let ended = match args.command {
        ServiceCommand::List => list(&args.api, &out).await,
        ServiceCommand::Show(IdArgs { id }) => show(&args.api, &out, &id).await,
        ServiceCommand::Plan(change) => plan(&args.api, &out, &change).await,
        ServiceCommand::Apply { change, yes } => apply(&args.api, &out, &change, yes).await,
    };
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
        Err(End::Refused(refusal)) => refused(&out, &refusal, &[]),
    }
}

/// Shows a refusal, without the warnings in `said`.
fn refused(out: &Out, refusal: &Refused, said: &[String]) -> u8 {
    out.raw(&refusal.raw);
    for line in text::refusal(refusal.status, &refusal.problem, said, &out.paint) {
        complain(&line);
    }
    FAILED
}

/// The output: with `--json` the results are the answer, and nothing else.
struct Out {
    json: bool,
    paint: Paint,
}

impl Out {
    fn say(&self, line: &str) {
        if self.json {
            complain(line);
        } else {
            print(line);
        }
    }

    /// The answer itself with `--json`, else these lines about it.
    fn show(&self, answer: &Value, lines: impl FnOnce() -> Vec<String>) {
        self.raw(answer);
        if !self.json {
            lines().iter().for_each(|line| self.say(line));
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

async fn list(api: &ApiArgs, out: &Out) -> Result<u8, End> {
    let answer = client(api)?.list().await?;
    out.show(&answer.raw, || text::list(&answer.body, &out.paint));
    Ok(FINE)
}

async fn show(api: &ApiArgs, out: &Out, id: &str) -> Result<u8, End> {
    let client = client(api)?;
    let path = client.resolve(id).await?;
    let answer = client.read(&path).await?;
    out.show(&answer.raw, || text::service(&answer.body));
    Ok(FINE)
}

async fn plan(api: &ApiArgs, out: &Out, change: &ChangeArgs) -> Result<u8, End> {
    let update = update(&change.file)?;
    let client = client(api)?;
    let path = client.resolve(&change.id.id).await?;
    let answer = client.change(&path, &update, true, None).await?;
    out.show(&answer.raw, || text::plan(&answer.body, &out.paint));
    Ok(if answer.body.diff.is_empty() { FINE } else { CHANGES })
}

async fn apply(api: &ApiArgs, out: &Out, change: &ChangeArgs, yes: bool) -> Result<u8, End> {
    let can_ask = std::io::stdin().is_terminal() && change.file != Path::new("-");
    if !yes && !can_ask {
        let why = "there is no terminal to ask at: use --yes, after a look at what plan says";
        return Err(End::Usage(why.into()));
    }
    let update = update(&change.file)?;
    let client = client(api)?;
    let path = client.resolve(&change.id.id).await?;
    let current = client.read(&path).await?;
    let Some(etag) = current.etag else {
        return Err(End::Failed("the exporter answered without an ETag".into()));
    };
    let planned = client.change(&path, &update, true, None).await?;
    for line in text::plan(&planned.body, &out.paint) {
        out.say(&line);
    }
    if planned.body.diff.is_empty() {
        out.raw(&planned.raw);
        return Ok(FINE);
    }
    if !yes && !confirmed(&text::question(&current.body, client.base()))? {
        return Err(End::Failed("nothing was changed".into()));
    }
    // The warnings of the plan are not repeated.
    let said = &planned.body.warnings;
    let answer = match client.change(&path, &update, false, Some(&etag)).await {
        Err(End::Refused(refusal)) => return Ok(refused(out, &refusal, said)),
        ended => ended?,
    };
    out.raw(&answer.raw);
    for line in text::outcome(&(&answer.body).into(), said, &out.paint) {
        out.say(&line);
    }
    Ok(FINE)
}

fn confirmed(question: &str) -> Result<bool, End> {
    complain(question);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| End::Failed(format!("no answer: {error}")))?;
    Ok(line.trim() == "yes")
}

fn client(api: &ApiArgs) -> Result<Client, End> {
    Client::new(&api.url, api.token_file.as_deref(), api.ca_file.as_deref()).map_err(End::Usage)
}

/// The text of the change. The exporter, which knows the rules, says what is wrong with it.
fn update(file: &Path) -> Result<String, End> {
    let wrong = |why: String| End::Usage(format!("{}: {why}", file.display()));
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MOST_UPDATE_BYTES + 1).read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file).map_err(|error| wrong(error.to_string()))?;
        opened.take(MOST_UPDATE_BYTES + 1).read_to_string(&mut text)
    };
    read.map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MOST_UPDATE_BYTES {
        return Err(wrong(format!("longer than {MOST_UPDATE_BYTES} bytes")));
    }
    serde_json::from_str::<Value>(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(text)
}
