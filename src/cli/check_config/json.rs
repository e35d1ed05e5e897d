//! The findings as one JSON document.

use serde::Serialize;

use super::{Findings, calls::Needed, report::Online};

#[derive(Serialize)]
struct Document<'a> {
    valid: bool,
    warnings: &'a [String],
    projects: Vec<Project<'a>>,
    calls_per_minute: f64,
    series: usize,
    bytes_per_scrape: usize,
    /// Connections that each cluster is taken to have which was not read.
    assumed_connections: Option<u64>,
    policies: &'a [Needed],
}

#[derive(Serialize)]
struct Project<'a> {
    project: &'a str,
    region_id: &'a str,
    clusters: usize,
    calls_per_minute: f64,
    limit_per_minute: f64,
    first_round_seconds: f64,
    online: Option<&'a Online>,
}

impl Findings<'_> {
    pub(super) fn json(&self) -> String {
        let mut online = self.read.iter().flat_map(|read| &read.projects);
        let projects = self.costs.iter().zip(self.projects).map(|(cost, settings)| Project {
            project: &cost.project,
            region_id: settings.cloud.region.as_str(),
            clusters: cost.clusters,
            calls_per_minute: cost.calls_per_minute,
            limit_per_minute: cost.limit_per_minute,
            first_round_seconds: cost.first_round().as_secs_f64(),
            online: online.next(),
        });
        let document = Document {
            valid: true,
            warnings: &self.config.warnings,
            projects: projects.collect(),
            calls_per_minute: self.calls_per_minute(),
            series: self.page.series,
            bytes_per_scrape: self.page.bytes,
            assumed_connections: self.expected.any_assumed.then_some(self.expected.default),
            policies: &self.policies,
        };
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}
