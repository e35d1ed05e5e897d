//! `check-config`: what a configuration will do and cost, before it does.
//!
//! Everything goes to stdout: it is this command's result. Only mistakes go where those of other
//! commands go.

mod cost;
mod online;

use std::{sync::Arc, time::Duration};

use clap::{Args, builder::FalseyValueParser};

use self::cost::{Clusters, Cost, Expected, Page};
use super::{ConfigArgs, FAILED, FINE, USAGE, WebArgs, complain, log::LogArgs, print};
use crate::{config::Config, huawei::paging::MAX_ROWS};

#[derive(Args, Debug)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    web: WebArgs,
    /// Checks only the text: reads no credentials, no secrets and no other file
    #[arg(long, env = "CSS_VPCEP_EXPORTER_SYNTAX_ONLY", value_parser = FalseyValueParser::new(), conflicts_with = "online")]
    syntax_only: bool,
    /// Also polls every cluster once, which proves credentials, project and cluster
    #[arg(long, env = "CSS_VPCEP_EXPORTER_ONLINE", value_parser = FalseyValueParser::new())]
    online: bool,
    /// How many connections a cluster is taken to have, unless it was polled
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

pub(super) async fn run(args: CheckConfigArgs) -> u8 {
    args.log.init();
    let web = args.web.file();
    let loaded = match args.syntax_only {
        true => args.config.check_syntax(web.as_deref()),
        false => args.config.load(web.as_deref()),
    };
    let Some(mut config) = loaded else { return USAGE };
    match check(&mut config, &args).await {
        Ok(true) => FINE,
        Ok(false) => FAILED,
        Err(error) => {
            complain(&error);
            FAILED
        }
    }
}

/// Prints what there is to say; false if a cluster was not read.
async fn check(config: &mut Config, args: &CheckConfigArgs) -> Result<bool, String> {
    let (shard, stale_after) = (config.shard, config.exposition.stale_after);
    let (all, own) = (config.clusters_of_all_shards, config.own_clusters().count());
    print("valid");
    for warning in &config.warnings {
        print(&format!("warning: {warning}"));
    }
    if shard.count > 1 {
        print(&format!("shard {} of {}: {own} of {all} clusters", shard.index, shard.count));
    }
    let projects: Vec<_> = config.projects.iter().map(Clusters::of).collect();
    let settings = config.exposition;
    let mut expected = Expected::all(args.connections);
    let mut is_proved = true;
    if args.online {
        let read = online::read(config, args.connections).await?;
        expected = read.expected;
        let (failures, incomplete) = (read.failures, read.incomplete);
        is_proved = failures.is_empty() && incomplete.is_empty();
        let failed: usize = failures.iter().map(|failure| failure.clusters.len()).sum();
        print(&format!("read {} of {own} clusters", own - failed));
        let sizes: Vec<_> = projects.iter().map(Clusters::size).collect();
        let lines = failures.iter().flat_map(|failure| online::lines(failure, &sizes));
        lines.chain(online::incomplete(&incomplete, &sizes)).for_each(|line| {
            print(&line);
        });
    }
    let costs: Vec<_> = projects.iter().map(|project| project.cost(&expected)).collect();
    table(&costs).iter().for_each(|line| {
        print(line);
    });
    for warning in costs.iter().filter_map(|cost| over_the_limit(cost, stale_after)) {
        print(&format!("warning: {warning}"));
    }
    let clusters = projects.iter().flat_map(|project| &project.clusters);
    let page = cost::page(clusters, &expected, &settings);
    totals(&costs, &page, &expected).iter().for_each(|line| {
        print(line);
    });
    Ok(is_proved)
}

const HEADINGS: [&str; 6] =
    ["project", "clusters", "calls/min", "limit/min", "share", "first round"];

/// A line for each project, the columns under their headings.
fn table(costs: &[Cost]) -> Vec<String> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(costs.iter().map(|cost| {
        [
            cost.project.to_string(),
            cost.clusters.to_string(),
            number(cost.calls_per_minute),
            number(cost.limit_per_minute),
            format!("{:.1}%", cost.share() * 100.0),
            seconds(cost.first_round()),
        ]
    }));
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        line
    };
    rows.iter().map(line).collect()
}

fn over_the_limit(cost: &Cost, stale_after: Duration) -> Option<String> {
    if cost.share() <= 1.0 {
        return None;
    }
    let name: &Arc<str> = &cost.project;
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
        "project {name} needs {} calls a minute and may make {}, so its clusters will be polled \
         late: {fits}, or a higher rate_limit.css",
        number(cost.calls_per_minute),
        number(cost.limit_per_minute)
    ))
}

fn totals(costs: &[Cost], page: &Page, expected: &Expected) -> Vec<String> {
    let calls = costs.iter().map(|cost| cost.calls_per_minute).sum();
    let mut lines = vec![
        format!("calls per minute  {}", number(calls)),
        format!("series            {}", page.series),
        format!("bytes per scrape  {} (without the exporter's own metrics)", bytes(page.bytes)),
    ];
    if expected.any_assumed {
        lines.push(format!(
            "assumed: {} connections in each cluster that was not read; see --connections, --online",
            expected.default
        ));
    }
    lines
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

fn human(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// The connections are made up, so more digits would promise too much.
fn bytes(bytes: usize) -> String {
    match bytes as f64 {
        some if some < 1e6 => format!("{:.0} kB", some / 1e3),
        many => format!("{:.1} MB", many / 1e6),
    }
}
