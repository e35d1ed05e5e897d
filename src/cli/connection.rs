//! `connection`: lists, accepts and rejects connections of clusters, through the admin API of a running
//! exporter.

use clap::{Args, Subcommand};

use super::{
    admin_api::{
        ApiArgs,
        change::{Consent, Effect, make, may_ask},
        client::Client,
        text::{Paint, columns, connections, warnings},
    },
    examples,
    exit::{FINE, Failure},
    terminal::visible,
};
use crate::{
    admin::{ReadConnection, ReadConnections},
    change::{ChangeView, ConnectionsView, DecisionRequest, Outcome, Seen},
    label::Label as _,
    model::{Decision, EndpointId, Status},
};

#[derive(Args, Debug)]
pub(super) struct ConnectionArgs {
    #[command(subcommand)]
    command: ConnectionCommand,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Subcommand)]
enum ConnectionCommand {
    /// Lists the connections of a cluster, read from the cloud now
    #[command(after_help = examples::of("connection list"))]
    List(ClusterArgs),
    /// Accepts connections: shows the change, asks for confirmation, makes it and reads back the result
    #[command(after_help = examples::of("connection accept"))]
    Accept(DecisionArgs),
    /// Rejects connections: shows the change, asks for confirmation, makes it and reads back the result
    #[command(after_help = examples::of("connection reject"))]
    Reject(DecisionArgs),
}

#[derive(Args, Debug)]
struct ClusterArgs {
    /// The cluster: its id, PROJECT/ID or PROJECT/NAME
    #[arg(value_name = "CLUSTER")]
    cluster: String,
}

#[derive(Args, Debug)]
struct DecisionArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The ids of the endpoints
    #[arg(required = true, value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// Only shows what would change; nothing is sent
    #[arg(long)]
    dry_run: bool,
    /// Makes the change without asking for confirmation
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

pub(super) async fn run(args: ConnectionArgs) -> Result<u8, Failure> {
    match args.command {
        ConnectionCommand::List(ClusterArgs { cluster }) => list(&args.api, &cluster).await,
        ConnectionCommand::Accept(decision) => decide(&args.api, Decision::Accept, &decision).await,
        ConnectionCommand::Reject(decision) => decide(&args.api, Decision::Reject, &decision).await,
    }
}

async fn list(api: &ApiArgs, cluster: &str) -> Result<u8, Failure> {
    let client = Client::new(api)?;
    let answer = client.connections(cluster).await?;
    client.out.show(&answer.raw, |paint| {
        let row = |one: &ReadConnection| {
            let updated = one.updated.as_deref().unwrap_or("-");
            [&one.endpoint_id, &one.status, one.ip.as_deref().unwrap_or("-"), updated].map(visible)
        };
        let mut lines = match &*answer.body.connections {
            [] => vec!["The cluster has no connection.".to_owned()],
            all => columns(["ENDPOINT", "STATUS", "IP", "UPDATED"], all.iter().map(row), paint),
        };
        if !answer.body.complete {
            lines
                .push("These are not all: the cloud reports more than it lets anyone read.".into());
        }
        lines
    });
    Ok(FINE)
}

async fn decide(api: &ApiArgs, action: Decision, args: &DecisionArgs) -> Result<u8, Failure> {
    may_ask(args.yes || args.dry_run, true)?;
    let client = Client::new(api)?;
    let cluster = &args.cluster.cluster;
    let current = client.connections(cluster).await?.body;
    let decision = DecisionRequest { action, connections: seen(&current, &args.endpoints)? };
    let consent = match (args.dry_run, args.yes) {
        (true, _) => Consent::Never,
        (false, true) => Consent::Given,
        (false, false) => {
            let count = decision.connections.len();
            Consent::Asked(question(action, count, &current, client.base()))
        }
    };
    make(&client, consent, async |dry_run, said| {
        client.decide(cluster, &decision, dry_run, said).await
    })
    .await
}

impl Effect for ConnectionsView {
    fn is_nothing(&self) -> bool {
        self.connections.iter().all(|one| one.outcome == Outcome::Unchanged)
    }

    fn planned(change: &ChangeView<Self>, paint: &Paint) -> Vec<String> {
        let mut lines = change.effect.parts(paint);
        lines.extend(warnings(&change.warnings, &[], paint));
        lines
    }

    fn parts(&self, paint: &Paint) -> Vec<String> {
        connections(&self.connections, paint)
    }
}

/// The connections as they are now: what is decided is based on what is shown.
fn seen(current: &ReadConnections, endpoints: &[String]) -> Result<Vec<Seen>, Failure> {
    let one = |id: &String| {
        let found = current.connections.iter().find(|one| one.endpoint_id == *id);
        let found = found.ok_or_else(|| {
            Failure::usage(format!(
                "the cluster {} has no connection {}; `connection list` shows them",
                visible(&current.cluster_name),
                visible(id)
            ))
        })?;
        let status = Status::from_str(&found.status).unwrap_or(Status::Unknown);
        Ok(Seen { endpoint_id: EndpointId::new(id), status })
    };
    endpoints.iter().map(one).collect()
}

/// The question before a decision: it names what will be changed, and where.
fn question(action: Decision, count: usize, cluster: &ReadConnections, listener: &str) -> String {
    let verb = match action {
        Decision::Accept => "Accept",
        Decision::Reject => "Reject",
    };
    let noun = if count == 1 { "connection" } else { "connections" };
    visible(&format!(
        "{verb} {count} {noun} of the cluster {} ({}) of project {} in region {}, through {listener}? \
         Type yes to go on; anything else cancels.",
        cluster.cluster_name, cluster.cluster_id, cluster.project, cluster.region_id,
    ))
}
