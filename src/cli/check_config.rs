//! `check-config`: the validity of a configuration, and the cost of its polls.
//!
//! Everything goes to stdout: it is this command's result. Only mistakes go where those of other
//! commands go.

mod calls;
mod cost;
mod json;
mod online;
mod proof;
mod report;

use std::time::Duration;

use clap::{Args, builder::FalseyValueParser};

use self::{
    calls::{Needed, Needs},
    cost::{Cost, Expected, Page},
    online::Read,
};
use super::{
    args::{ConfigArgs, WebArgs},
    exit::{self, Failure},
    log::LogArgs,
    terminal::{columns, print},
};
use crate::{
    config::{self, Config, ProjectSettings, human},
    huawei::paging::MAX_ROWS,
};

#[derive(Args, Debug)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    web: WebArgs,
    /// Checks only the text: reads no credentials, no secrets and no other file
    #[arg(long, env = "CSS_VPCEP_EXPORTER_SYNTAX_ONLY", value_parser = FalseyValueParser::new(), conflicts_with = "online")]
    syntax_only: bool,
    /// Also makes every call that reads once: proves credentials, project and clusters, says which calls are permitted and which policies are needed
    #[arg(long, env = "CSS_VPCEP_EXPORTER_ONLINE", value_parser = FalseyValueParser::new())]
    online: bool,
    /// Prints one JSON document instead of lines
    #[arg(long, env = "CSS_VPCEP_EXPORTER_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
    /// The number of connections to assume in each cluster that was not polled
    #[arg(
        long,
        value_name = "N",
        env = "CSS_VPCEP_EXPORTER_CONNECTIONS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(..=MAX_ROWS as u64)
    )]
    connections: u64,
    #[command(flatten)]
    log: LogArgs,
}

/// Prints the report. A cluster that was not read, or not completely, is a failure, and so is another call
/// that failed.
pub(super) async fn run(args: CheckConfigArgs) -> Result<u8, Failure> {
    args.log.init();
    let web = args.web.file();
    let mut config = match args.syntax_only {
        true => config::load(&args.config.config_file, web.as_deref(), None)?,
        false => args.config.load(web.as_deref())?,
    };
    if !args.json {
        lines(&head(&config));
    }
    let mut projects = config.projects.clone();
    // Only shard 0 has the listener.
    let admin = config.admin.as_ref().filter(|_| config.shard.index == 0);
    let needs: Vec<_> = projects.iter().map(|project| Needs::of(project, admin)).collect();
    let read = match args.online {
        true => Some(online::read(&mut config, &mut projects, &needs, args.connections).await?),
        false => None,
    };
    let assumed = Expected::all(args.connections);
    let expected = read.as_ref().map_or(&assumed, |read| &read.expected);
    let clusters = projects.iter().flat_map(|project| &project.clusters);
    let findings = Findings {
        costs: projects.iter().map(|project| Cost::of(project, expected)).collect(),
        page: cost::page(clusters, expected, &config.exposition),
        expected,
        read: read.as_ref(),
        config: &config,
        projects: &projects,
        policies: calls::policies(&needs),
    };
    match args.json {
        true => _ = print(&findings.json()),
        false => lines(&findings.lines()),
    }
    Ok(exit::code(read.is_none_or(|read| read.is_whole())))
}

/// All that there is to say.
struct Findings<'a> {
    config: &'a Config,
    /// With the clusters that were discovered.
    projects: &'a [ProjectSettings],
    /// One for each project.
    costs: Vec<Cost>,
    page: Page,
    expected: &'a Expected,
    read: Option<&'a Read>,
    policies: Vec<Needed>,
}

impl Findings<'_> {
    /// The lines after the head.
    fn lines(&self) -> Vec<String> {
        let mut lines = self.read.map_or_else(Vec::new, |read| read.lines(self.projects));
        lines.extend(table(&self.costs));
        let stale_after = self.config.exposition.stale_after;
        lines.extend(self.costs.iter().filter_map(|cost| over_the_limit(cost, stale_after)));
        lines.extend(self.totals());
        match self.read {
            Some(_) => lines.extend(self.policies.iter().flat_map(Needed::lines)),
            None => {
                let each = self.projects.iter().zip(&self.costs);
                lines.extend(each.filter_map(|(project, cost)| self.of_discovery(project, cost)));
            }
        }
        lines
    }

    fn calls_per_minute(&self) -> f64 {
        self.costs.iter().map(|cost| cost.calls_per_minute).sum()
    }

    fn totals(&self) -> Vec<String> {
        let Page { series, bytes } = self.page;
        let mut lines = vec![
            format!("calls per minute  {}", number(self.calls_per_minute())),
            format!("series            {series}"),
            format!(
                "bytes per scrape  {} (without the exporter's own metrics)",
                self::bytes(bytes)
            ),
        ];
        if self.expected.any_assumed {
            lines.push(format!(
                "assumed: {} connections in each cluster that was not read; see --connections, --online",
                self.expected.default
            ));
        }
        lines
    }

    fn of_discovery(&self, project: &ProjectSettings, cost: &Cost) -> Option<String> {
        let discovery = project.discovery.as_ref()?;
        let (rows_per_call, exposition) = (project.cloud.paging.limit, &self.config.exposition);
        let (calls, series) =
            cost::of_each_found(discovery, rows_per_call, self.expected, exposition);
        let left = (cost.limit_per_minute - cost.calls_per_minute).max(0.0);
        Some(format!(
            "discovery of {}: its list is read every {}; each cluster that it finds is not counted above and \
             adds {} calls a minute and {series} series; the rate limit has room for {} of them",
            cost.project,
            human(discovery.interval),
            number(calls),
            (left / calls) as u64
        ))
    }
}

fn lines(lines: &[String]) {
    for line in lines {
        print(line);
    }
}

fn head(config: &Config) -> Vec<String> {
    let mut lines = vec!["valid".to_owned()];
    lines.extend(config.warnings.iter().map(|warning| format!("warning: {warning}")));
    let (shard, all) = (config.shard, config.clusters_of_all_shards);
    if shard.count > 1 {
        let own = config.own_clusters().count();
        lines.push(format!("shard {} of {}: {own} of {all} clusters", shard.index, shard.count));
    }
    lines
}

const HEADINGS: [&str; 6] =
    ["project", "clusters", "calls/min", "limit/min", "share", "first round"];

/// A line for each project, the columns under their headings.
fn table(costs: &[Cost]) -> Vec<String> {
    let rows = costs.iter().map(|cost| {
        [
            cost.project.to_string(),
            cost.clusters.to_string(),
            number(cost.calls_per_minute),
            number(cost.limit_per_minute),
            format!("{:.1}%", cost.share() * 100.0),
            seconds(cost.first_round()),
        ]
    });
    columns(HEADINGS, rows, true)
}

fn over_the_limit(cost: &Cost, stale_after: Duration) -> Option<String> {
    if cost.share() <= 1.0 {
        return None;
    }
    let fits = match cost.interval_that_fits() {
        Some(interval) if interval * 3 > stale_after => format!(
            "an interval of {} for all of its clusters would fit, with poll.stale_after at least {}",
            human(interval),
            human(interval * 3)
        ),
        Some(interval) => {
            format!("an interval of {} for all of its clusters would fit", human(interval))
        }
        None => "no interval would fit".to_owned(),
    };
    Some(format!(
        "warning: project {} needs {} calls a minute and may make {}, so its clusters will be polled \
         late: {fits}, or a higher rate_limit.css",
        cost.project,
        number(cost.calls_per_minute),
        number(cost.limit_per_minute)
    ))
}

/// With one digit after the point, where there is something.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 if duration.is_zero() => "at once".to_owned(),
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        seconds => human(Duration::from_secs(seconds)),
    }
}

/// The connections are made up, so more digits would promise too much.
fn bytes(bytes: usize) -> String {
    match bytes as f64 {
        some if some < 1e6 => format!("{:.0} kB", some / 1e3),
        many => format!("{:.1} MB", many / 1e6),
    }
}
