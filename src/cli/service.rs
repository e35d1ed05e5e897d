//! `service`: shows and changes endpoint services, through the admin API of a running exporter.
//!
//! `text` prints the answers.

mod text;

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    FINE,
    admin_api::{
        ApiArgs, CHANGES, End, Out, answered, client, confirmed, may_ask, refused, text::outcome,
    },
    examples,
};
use crate::web::Limits;

/// The admin API takes no longer body.
const MOST_UPDATE_BYTES: u64 = Limits::ADMIN.body_bytes as u64;

#[derive(Args, Debug)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Lists the services that the token may see, as they were last read
    #[command(after_help = examples::SERVICE_LIST)]
    List,
    /// Shows a service, read from the cloud now
    #[command(after_help = examples::SERVICE_SHOW)]
    Show(IdArgs),
    /// Shows a change without making it
    #[command(after_help = examples::SERVICE_PLAN)]
    Plan(ChangeArgs),
    /// Shows a change, asks for confirmation, makes it and reads back the result
    #[command(after_help = examples::SERVICE_APPLY)]
    Apply {
        #[command(flatten)]
        change: ChangeArgs,
        /// Makes the change without asking for confirmation
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
    /// The change in JSON; - reads standard input
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: ServiceArgs) -> u8 {
    let out = Out::of(&args.api);
    let ended = match args.command {
        ServiceCommand::List => list(&args.api, &out).await,
        ServiceCommand::Show(IdArgs { id }) => show(&args.api, &out, &id).await,
        ServiceCommand::Plan(change) => plan(&args.api, &out, &change).await,
        ServiceCommand::Apply { change, yes } => apply(&args.api, &out, &change, yes).await,
    };
    answered(&out, ended)
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
    Ok(if answer.body.effect.diff.is_empty() { FINE } else { CHANGES })
}

async fn apply(api: &ApiArgs, out: &Out, change: &ChangeArgs, yes: bool) -> Result<u8, End> {
    may_ask(yes, change.file != Path::new("-"))?;
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
    if planned.body.effect.diff.is_empty() {
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
    for line in outcome(&(&answer.body).into(), said, &out.paint) {
        out.say(&line);
    }
    Ok(FINE)
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
