//! `connection`: lists, accepts and rejects connections of clusters, through the admin API of a running
//! exporter.

use clap::{Args, Subcommand};

use super::{
    FINE,
    admin_api::{
        ApiArgs, CHANGES, End, Out, answered, client, confirmed, may_ask, refused,
        text::{columns, connections, outcome, warnings},
    },
    examples,
    terminal::visible,
};
use crate::{
    admin::{ReadConnection, ReadConnections},
    change::{DecisionRequest, Outcome, Seen},
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
    #[command(after_help = examples::CONNECTION_LIST)]
    List(ClusterArgs),
    /// Accepts connections: shows the change, asks for confirmation, makes it and reads back the result
    #[command(after_help = examples::CONNECTION_ACCEPT)]
    Accept(DecisionArgs),
    /// Rejects connections: shows the change, asks for confirmation, makes it and reads back the result
    #[command(after_help = examples::CONNECTION_REJECT)]
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

pub(super) async fn run(args: ConnectionArgs) -> u8 {
    let out = Out::of(&args.api);
    let ended = match args.command {
        ConnectionCommand::List(ClusterArgs { cluster }) => list(&args.api, &out, &cluster).await,
        ConnectionCommand::Accept(decision) => {
            decide(&args.api, &out, Decision::Accept, &decision).await
        }
        ConnectionCommand::Reject(decision) => {
            decide(&args.api, &out, Decision::Reject, &decision).await
        }
    };
    answered(&out, ended)
}

async fn list(api: &ApiArgs, out: &Out, cluster: &str) -> Result<u8, End> {
    let answer = client(api)?.connections(cluster).await?;
    out.show(&answer.raw, || {
        let row = |one: &ReadConnection| {
            let updated = one.updated.as_deref().unwrap_or("-");
            [&one.endpoint_id, &one.status, one.ip.as_deref().unwrap_or("-"), updated].map(visible)
        };
        let mut lines = match &*answer.body.connections {
            [] => vec!["The cluster has no connection.".to_owned()],
            all => {
                let head = ["ENDPOINT", "STATUS", "IP", "UPDATED"];
                columns(head, all.iter().map(row), &out.paint)
            }
        };
        if !answer.body.complete {
            lines
                .push("These are not all: the cloud reports more than it lets anyone read.".into());
        }
        lines
    });
    Ok(FINE)
}

async fn decide(
    api: &ApiArgs,
    out: &Out,
    action: Decision,
    args: &DecisionArgs,
) -> Result<u8, End> {
    may_ask(args.yes || args.dry_run, true)?;
    let client = client(api)?;
    let cluster = &args.cluster.cluster;
    let current = client.connections(cluster).await?.body;
    let decision = DecisionRequest { action, connections: seen(&current, &args.endpoints)? };
    let planned = client.decide(cluster, &decision, true).await?;
    let changes = &planned.body.effect.connections;
    for line in connections(changes, &out.paint) {
        out.say(&line);
    }
    for line in warnings(&planned.body.warnings, &[], &out.paint) {
        out.say(&line);
    }
    let is_as_wanted = changes.iter().all(|one| one.outcome == Outcome::Unchanged);
    if args.dry_run || is_as_wanted {
        out.raw(&planned.raw);
        return Ok(if is_as_wanted { FINE } else { CHANGES });
    }
    if !args.yes && !confirmed(&question(action, changes.len(), &current, client.base()))? {
        return Err(End::Failed("nothing was changed".into()));
    }
    // The warnings of the plan are not repeated.
    let said = &planned.body.warnings;
    let answer = match client.decide(cluster, &decision, false).await {
        Err(End::Refused(refusal)) => return Ok(refused(out, &refusal, said)),
        ended => ended?,
    };
    out.raw(&answer.raw);
    for line in connections(&answer.body.effect.connections, &out.paint) {
        out.say(&line);
    }
    for line in outcome(&(&answer.body).into(), said, &out.paint) {
        out.say(&line);
    }
    Ok(FINE)
}

/// The connections as they are now: what is decided is based on what is shown.
fn seen(current: &ReadConnections, endpoints: &[String]) -> Result<Vec<Seen>, End> {
    let one = |id: &String| {
        let found = current.connections.iter().find(|one| one.endpoint_id == *id);
        let found = found.ok_or_else(|| {
            End::Usage(format!(
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
