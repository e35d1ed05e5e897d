//! `service`: shows and changes endpoint services, through the admin API of a running exporter.
//!
//! `text` prints the answers.

mod text;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    admin_api::{
        ApiArgs,
        change::{Consent, Effect, code_of_plan, make, may_ask},
        client::Client,
    },
    examples,
    exit::{FINE, Failure},
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
    #[command(after_help = examples::of("service list"))]
    List,
    /// Shows a service, read from the cloud now
    #[command(after_help = examples::of("service show"))]
    Show(IdArgs),
    /// Shows a change without making it
    #[command(after_help = examples::of("service plan"))]
    Plan(ChangeArgs),
    /// Shows a change, asks for confirmation, makes it and reads back the result
    #[command(after_help = examples::of("service apply"))]
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

pub(super) async fn run(args: ServiceArgs) -> Result<u8, Failure> {
    match args.command {
        ServiceCommand::List => list(&args.api).await,
        ServiceCommand::Show(IdArgs { id }) => show(&args.api, &id).await,
        ServiceCommand::Plan(change) => plan(&args.api, &change).await,
        ServiceCommand::Apply { change, yes } => apply(&args.api, &change, yes).await,
    }
}

async fn list(api: &ApiArgs) -> Result<u8, Failure> {
    let client = Client::new(api)?;
    let answer = client.list().await?;
    client.out.show(&answer.raw, |paint| text::list(&answer.body, paint));
    Ok(FINE)
}

async fn show(api: &ApiArgs, id: &str) -> Result<u8, Failure> {
    let client = Client::new(api)?;
    let path = client.resolve(id).await?;
    let answer = client.read(&path).await?;
    client.out.show(&answer.raw, |_| text::service(&answer.body));
    Ok(FINE)
}

async fn plan(api: &ApiArgs, change: &ChangeArgs) -> Result<u8, Failure> {
    let update = update(&change.file)?;
    let client = Client::new(api)?;
    let path = client.resolve(&change.id.id).await?;
    let answer = client.change(&path, &update, true, None, &[]).await?;
    client.out.show(&answer.raw, |paint| Effect::planned(&answer.body, paint));
    Ok(code_of_plan(&answer.body))
}

async fn apply(api: &ApiArgs, change: &ChangeArgs, yes: bool) -> Result<u8, Failure> {
    may_ask(yes, change.file != Path::new("-"))?;
    let update = update(&change.file)?;
    let client = Client::new(api)?;
    let path = client.resolve(&change.id.id).await?;
    let current = client.read(&path).await?;
    let etag = current.etag.ok_or("the exporter answered without an ETag")?;
    let consent = match yes {
        true => Consent::Given,
        false => Consent::Asked(text::question(&current.body, client.base())),
    };
    make(&client, consent, async |dry_run, said| {
        let etag = Some(&*etag).filter(|_| !dry_run);
        client.change(&path, &update, dry_run, etag, said).await
    })
    .await
}

/// The text of the change. The exporter, which knows the rules, says what is wrong with it.
fn update(file: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let mut text = String::new();
    let opened: io::Result<Box<dyn Read>> = match file == Path::new("-") {
        true => Ok(Box::new(io::stdin())),
        false => File::open(file).map(|file| Box::new(file) as _),
    };
    let read = opened.and_then(|from| from.take(MOST_UPDATE_BYTES + 1).read_to_string(&mut text));
    read.map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > MOST_UPDATE_BYTES {
        return Err(wrong(format!("longer than {MOST_UPDATE_BYTES} bytes")));
    }
    serde_json::from_str::<Value>(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(text)
}
