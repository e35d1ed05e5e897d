//! `projects[].discovery` and `labels`: which clusters the list of a project brings, and what is said of
//! them in `cluster_labels`.

use std::{collections::BTreeMap, time::Duration};

use super::{diagnostics::At, file, poll::LONGEST_INTERVAL};
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
    at: &At<'_>,
    written: &mut file::Discovery,
    (poll_interval, labels, shard): (Duration, &Labels, Shard),
) -> DiscoverySettings {
    let include = texts(&at.key("include"), &mut written.include);
    let exclude = texts(&at.key("exclude"), &mut written.exclude);
    never_matched(at, &include, &exclude);
    let projects_at = at.key("enterprise_project_ids");
    let projects = texts(&projects_at, &mut written.enterprise_project_ids);
    for (at, id) in projects_at.each(&projects).filter(|(_, id)| *id != "0" && !is_uuid(id)) {
        at.mistake(format_args!("{id:?}"), "0, or a UUID in lower case");
    }
    let (interval, intervals) = (&mut written.interval, (SHORTEST_INTERVAL, LONGEST_INTERVAL));
    let interval = at.key("interval").duration_between(interval, DEFAULT_INTERVAL, intervals);
    let limits = (1, LARGEST_LIMIT);
    DiscoverySettings {
        interval: interval.unwrap_or(DEFAULT_INTERVAL),
        include,
        exclude,
        tags: pairs(&at.key("tags"), &mut written.tags),
        enterprise_project_ids: projects,
        tag_labels: texts(&at.key("tag_labels"), &mut written.tag_labels),
        limit: at.key("limit").between(&mut written.limit, DEFAULT_LIMIT, limits) as usize,
        poll_interval,
        labels: labels.clone(),
        shard,
    }
}

/// An included pattern of which `exclude` leaves nothing: its text, the `*` too, is matched by a pattern of
/// those.
fn never_matched(at: &At<'_>, include: &[String], exclude: &[String]) {
    if let Some((at, _)) = at.key("exclude").each(exclude).find(|(_, other)| fits(other, "*")) {
        at.mistake("a pattern of all names", "one that leaves some clusters");
        return;
    }
    for (at, pattern) in at.key("include").each(include) {
        if let Some(other) = exclude.iter().find(|other| fits(other, pattern)) {
            let expected = format!("a pattern of which exclude ({other:?}) leaves something");
            at.mistake(format_args!("{pattern:?}"), expected);
        }
    }
}

fn texts(at: &At<'_>, written: &mut Option<Vec<String>>) -> Vec<String> {
    let texts = written.get_or_insert_default();
    at.each(&*texts).for_each(|(at, text)| at.name(text));
    texts.clone()
}

/// Labels, or tags: keys and values.
fn pairs(at: &At<'_>, written: &mut Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let pairs = written.get_or_insert_default();
    if pairs.len() > MOST_LABELS {
        let found = format_args!("{} of them", pairs.len());
        at.mistake(found, format_args!("at most {MOST_LABELS}"));
    }
    for (key, value) in &*pairs {
        let at = at.quoted(key);
        at.name(key);
        at.name(value);
    }
    pairs.clone()
}

/// `labels` of a project or a cluster, with those that it has not from `others`.
pub(super) fn labels(
    at: &At<'_>,
    written: &mut Option<BTreeMap<String, String>>,
    others: &Labels,
) -> Labels {
    let own = pairs(&at.key("labels"), written);
    Labels::of(own.iter().map(|(key, value)| (&**key, &**value))).or(others.pairs())
}
