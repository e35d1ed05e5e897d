//! From what is written to what is meant. Every mistake is noted with its key, what was found and
//! what was expected; conversion goes on, so that one run reports them all.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{
    Lookup, Project, admin,
    admin::Admin,
    file,
    notes::{Notes, in_order},
    poll::{Intervals, Poll, poll},
    project::project,
};
use crate::{exposition, huawei::credentials::Environment, poll::Shard};

/// Each cluster is hashed once for every shard.
const MOST_SHARDS: u32 = 1000;
/// Kubernetes sets it to the name of the pod.
const HOST_NAME: &str = "HOSTNAME";

/// What came out of a file without a mistake.
pub(super) struct Converted {
    pub(super) poll: Poll,
    pub(super) exposition: exposition::Settings,
    pub(super) state_file: Option<PathBuf>,
    pub(super) shard: Shard,
    pub(super) projects: Vec<Project>,
    pub(super) admin: Option<Admin>,
    pub(super) warnings: Vec<String>,
}

/// What the parts of a file need of the whole.
pub(super) struct Context<'a> {
    folder: &'a Path,
    pub(super) environment: Environment,
    /// Whether only the text is checked: the files and variables that it names may be missing here.
    pub(super) text_only: bool,
    pub(super) intervals: Intervals,
    pub(super) shard: Shard,
    /// Where each cluster id was first seen.
    pub(super) clusters: HashMap<String, String>,
    /// The names of all projects, each with the names and ids of its endpoint services.
    pub(super) services: Vec<(String, Vec<String>)>,
}

impl Context<'_> {
    /// A path of the file: relative to it, or to the home folder where it begins with `~/`.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(self.environment.expand_home(written))
    }
}

/// Turns a file into settings, or reports all its mistakes. Without a way to look up environment
/// variables, only the text is checked: no file that it names, no credentials.
pub(super) fn convert(
    mut notes: Notes<'_>,
    file: file::File,
    folder: &Path,
    lookup: Option<Lookup<'_>>,
) -> Result<Converted, Vec<String>> {
    let shard = file.shard.map_or(Shard::ONLY, |written| shard(&mut notes, &written, lookup));
    let mut context = Context {
        folder,
        environment: Environment::capture(lookup.unwrap_or(&|_| None)),
        text_only: lookup.is_none(),
        intervals: Intervals::new(&mut notes, &file.poll),
        shard,
        clusters: HashMap::new(),
        services: file.projects.iter().map(services).collect(),
    };
    if file.projects.is_empty() {
        notes.mistake("projects", "nothing", "at least one project");
    }
    let mut projects = Vec::new();
    let mut names = HashMap::new();
    for (index, written) in file.projects.into_iter().enumerate() {
        let path = format!("projects[{index}]");
        notes.unique(&mut names, &format!("{path}.name"), &written.name);
        projects.extend(project(&mut notes, &path, written, &mut context));
    }
    let (poll, exposition) = poll(&mut notes, &file.poll, &context.intervals);
    let admin = file.admin.and_then(|written| admin::admin(&mut notes, written, &context));
    let state_file = file.state_file.map(|written| context.path(&written));
    if !notes.mistakes.is_empty() {
        return Err(in_order(notes.mistakes));
    }
    let warnings = in_order(notes.warnings);
    Ok(Converted { poll, exposition, state_file, shard, projects, admin, warnings })
}

/// The names and ids of a project's endpoint services, valid or not.
fn services(project: &file::Project) -> (String, Vec<String>) {
    let services = project.endpoint_services.iter();
    let words = services.flat_map(|service| [Some(service.id.clone()), service.name.clone()]);
    (project.name.clone(), words.flatten().collect())
}

fn shard(notes: &mut Notes<'_>, written: &file::Shard, lookup: Option<Lookup<'_>>) -> Shard {
    let count = notes.between("shard.count", written.count, 1, (1, MOST_SHARDS));
    let index = match (written.index, written.from.as_deref()) {
        (Some(index), None) if index < count => index,
        (Some(index), None) => {
            notes.mistake("shard.index", index, format_args!("less than shard.count ({count})"));
            0
        }
        (None, Some("hostname-ordinal")) => {
            if written.count.is_none() {
                notes.mistake("shard.count", "nothing", "how many shards there are");
            }
            // Without a host's name the text is about the whole fleet, and not about one shard of it.
            let Some(lookup) = lookup else { return Shard::ONLY };
            written.count.and_then(|count| ordinal(notes, count, lookup)).unwrap_or(0)
        }
        (None, Some(other)) => {
            notes.mistake("shard.from", format_args!("{other:?}"), "hostname-ordinal");
            0
        }
        (Some(_), Some(_)) => {
            notes.mistake("shard", "index and from", "only one of them");
            0
        }
        (None, None) => {
            notes.mistake("shard", "neither index nor from", "one of them");
            0
        }
    };
    Shard { index, count }
}

/// The number at the end of a name like `css-vpcep-exporter-2`, as a StatefulSet gives it.
fn ordinal(notes: &mut Notes<'_>, count: u32, lookup: Lookup<'_>) -> Option<u32> {
    let Some(name) = lookup(HOST_NAME) else {
        let expected = "the environment variable HOSTNAME with a name that ends like -2";
        notes.mistake("shard.from", "no HOSTNAME", expected);
        return None;
    };
    let digits = name.rsplit_once('-').map(|(_, digits)| digits);
    let plain = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let ordinal = digits.filter(plain).and_then(|digits| digits.parse().ok());
    if ordinal.is_none_or(|ordinal: u32| ordinal >= count) {
        let found = format!("HOSTNAME {name:?}");
        let expected = format!("a name that ends with - and a number less than {count}");
        notes.mistake("shard.from", found, expected);
        return None;
    }
    ordinal
}
