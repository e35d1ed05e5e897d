//! `projects[].discovery` and `labels`: which clusters the list of a project brings, and what is said of
//! them in `cluster_labels`.

use std::{collections::BTreeMap, time::Duration};

use super::{
    diagnostics::{Context, human},
    file,
    poll::LONGEST_INTERVAL,
};
use crate::{
    globs::fits,
    model::{Labels, is_uuid},
    poll::{DiscoverySettings, Shard},
};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);
/// Clusters take minutes to be made; more often than this only costs quota.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(60);
const DEFAULT_LIMIT: u32 = 2000;
/// More than the API's paging can reach.
const LARGEST_LIMIT: u32 = 10_000;
/// Labels beyond this are no labels but documents.
const MOST_LABELS: usize = 32;

pub(super) fn discovery(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::Discovery,
    (poll_interval, labels, shard): (Duration, &Labels, Shard),
) -> DiscoverySettings {
    let at = |key: &str| format!("{path}.{key}");
    let include = texts(context, &at("include"), &mut written.include);
    let exclude = texts(context, &at("exclude"), &mut written.exclude);
    never_matched(context, path, &include, &exclude);
    let projects = &mut written.enterprise_project_ids;
    let projects = texts(context, &at("enterprise_project_ids"), projects);
    for (index, id) in projects.iter().enumerate().filter(|(_, id)| *id != "0" && !is_uuid(id)) {
        let path = at(&format!("enterprise_project_ids[{index}]"));
        context.mistake(&path, format_args!("{id:?}"), "0, or a UUID in lower case");
    }
    let limits = (1, LARGEST_LIMIT);
    DiscoverySettings {
        interval: interval(context, &at("interval"), &mut written.interval),
        include,
        exclude,
        tags: pairs(context, &at("tags"), &mut written.tags),
        enterprise_project_ids: projects,
        tag_labels: texts(context, &at("tag_labels"), &mut written.tag_labels),
        limit: context.between(&at("limit"), &mut written.limit, DEFAULT_LIMIT, limits) as usize,
        poll_interval,
        labels: labels.clone(),
        shard,
    }
}

fn interval(context: &mut Context<'_>, path: &str, written: &mut Option<String>) -> Duration {
    let read = context.duration(path, written.as_deref());
    let fits = |length: &Duration| (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(length);
    if let Some(length) = read.filter(|length| !fits(length)) {
        let (least, most) = (human(SHORTEST_INTERVAL), human(LONGEST_INTERVAL));
        context.mistake(path, human(length), format_args!("{least} to {most}"));
    }
    let interval = read.filter(fits).unwrap_or(DEFAULT_INTERVAL);
    *written = Some(human(interval));
    interval
}

/// An included pattern of which `exclude` leaves nothing: its text, the `*` too, is matched by a pattern of
/// those.
fn never_matched(context: &mut Context<'_>, path: &str, include: &[String], exclude: &[String]) {
    if let Some(index) = exclude.iter().position(|pattern| fits(pattern, "*")) {
        let path = format!("{path}.exclude[{index}]");
        context.mistake(&path, "a pattern of all names", "one that leaves some clusters");
        return;
    }
    for (index, pattern) in include.iter().enumerate() {
        if let Some(other) = exclude.iter().find(|other| fits(other, pattern)) {
            let path = format!("{path}.include[{index}]");
            let expected = format!("a pattern of which exclude ({other:?}) leaves something");
            context.mistake(&path, format_args!("{pattern:?}"), expected);
        }
    }
}

fn texts(context: &mut Context<'_>, path: &str, written: &mut Option<Vec<String>>) -> Vec<String> {
    let texts = written.get_or_insert_default();
    for (index, text) in texts.iter().enumerate() {
        context.name(&format!("{path}[{index}]"), text);
    }
    texts.clone()
}

/// Labels, or tags: keys and values.
fn pairs(
    context: &mut Context<'_>,
    path: &str,
    written: &mut Option<BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let pairs = written.get_or_insert_default();
    if pairs.len() > MOST_LABELS {
        context.mistake(
            path,
            format_args!("{} of them", pairs.len()),
            format_args!("at most {MOST_LABELS}"),
        );
    }
    for (key, value) in &*pairs {
        let path = format!("{path}[{key:?}]");
        context.name(&path, key);
        context.name(&path, value);
    }
    pairs.clone()
}

/// `labels` of a project or a cluster, with those that it has not from `others`.
pub(super) fn labels(
    context: &mut Context<'_>,
    path: &str,
    written: &mut Option<BTreeMap<String, String>>,
    others: &Labels,
) -> Labels {
    let own = pairs(context, path, written);
    Labels::of(own.iter().map(|(key, value)| (&**key, &**value))).or(others.pairs())
}
