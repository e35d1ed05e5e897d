//! Converts the file to settings. Every mistake is noted with its key, the value found and the value
//! expected; conversion goes on, so that one run reports them all.

use std::{collections::HashMap, path::Path};

use sha2::{Digest, Sha256};

use super::{
    admin::admin,
    diagnostics::{At, ConfigError, Context},
    file,
    poll::{Intervals, poll},
    project::{Fleet, project},
    settings::Config,
    yaml,
};
use crate::{huawei::credentials::Environment, poll::Shard, text, web::WebSettings};

/// Reads an environment variable; tests pass a map.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Each cluster is hashed once for every shard.
const MOST_SHARDS: u32 = 1000;
/// Kubernetes sets it to the name of the pod.
const HOST_NAME: &str = "HOSTNAME";

/// Turns a text into settings, or reports all its mistakes. Without a way to look up environment
/// variables, only the text is checked: no file that it names, no credentials.
pub(super) fn parse(
    text: &str,
    path: &Path,
    lookup: Option<Lookup<'_>>,
) -> Result<Config, ConfigError> {
    if text.trim().is_empty() {
        return Err(ConfigError::of_file(path, " empty, projects are expected"));
    }
    let mut file = yaml::parse(path, text)?;
    let mut context = Context::new(path, text, lookup.is_none());
    if let Some(lookup) = lookup {
        context.environment = Environment::capture(lookup);
    }
    let config = convert(&context, &mut file, lookup);
    Ok(Config { warnings: context.finish()?, ..config })
}

/// The settings, without the warnings; where there are mistakes, some of them are missing.
fn convert(context: &Context<'_>, file: &mut file::File, lookup: Option<Lookup<'_>>) -> Config {
    let shard = match &file.shard {
        Some(written) => shard(&context.key("shard"), written, lookup),
        None => Shard::ONLY,
    };
    file.shard =
        Some(file::Shard { index: Some(shard.index), from: None, count: Some(shard.count) });
    let (at, written) = (context.key("poll"), file.poll.get_or_insert_default());
    let intervals = Intervals::new(at.key("interval"), &mut written.interval);
    let mut fleet = Fleet::new(shard, intervals);
    let (at_projects, projects) = (context.key("projects"), file.projects.get_or_insert_default());
    if projects.is_empty() {
        at_projects.mistake("nothing", "at least one project");
    }
    let defaults = file.defaults.take().unwrap_or_default();
    let mut unused = defaults.keys();
    let mut names = HashMap::new();
    let mut converted = Vec::new();
    for (at, written) in at_projects.each(&mut *projects) {
        at.key("name").unique(&mut names, &written.name);
        for key in defaults.fill(written) {
            unused.retain(|unused| *unused != key);
            at.key(key).inherited();
        }
        converted.extend(project(&at, &mut fleet, written));
    }
    for key in unused {
        let what = "no project takes this default, so it is never used";
        context.key("defaults").key(key).warning(what);
    }
    let (poll, exposition) = poll(&at, written, &fleet.intervals);
    let admin = file.admin.as_mut().and_then(|written| admin(context, written, projects));
    let audit_log = file.admin.as_mut().and_then(|admin| admin.audit_log.as_mut());
    let (audit_log, state_file) = (audit_log, file.state_file.as_mut());
    let [audit_log, state_file] =
        [audit_log, state_file].map(|written| written.map(|written| context.path(written)));
    Config {
        poll,
        exposition,
        state_file,
        shard,
        projects: converted,
        clusters_of_all_shards: fleet.size(),
        admin,
        web: WebSettings::default(),
        audit_log,
        sha256: text::to_hex(&Sha256::digest(context.text)),
        warnings: Vec::new(),
        effective: effective(file, shard),
    }
}

/// The file with all that was filled in.
fn effective(file: &file::File, shard: Shard) -> String {
    let note = match shard {
        Shard { count: 1, .. } => String::new(),
        Shard { index, count } => {
            format!("# Rate limits are the part of shard {index} of {count}.\n")
        }
    };
    note + &yaml::write(file)
}

fn shard(at: &At<'_>, written: &file::Shard, lookup: Option<Lookup<'_>>) -> Shard {
    let mut count = written.count;
    let count = at.key("count").between(&mut count, 1, (1, MOST_SHARDS));
    let index = match (written.index, written.from.as_deref()) {
        (Some(index), None) if index < count => Some(index),
        (Some(index), None) => {
            at.key("index").wrong(index, format_args!("less than shard.count ({count})"))
        }
        (None, Some("hostname-ordinal")) => {
            if written.count.is_none() {
                at.key("count").mistake("nothing", "how many shards there are");
            }
            // Without a host's name the text is about the whole fleet, and not about one shard of it.
            let Some(lookup) = lookup else { return Shard::ONLY };
            written.count.and_then(|count| ordinal(&at.key("from"), count, lookup))
        }
        (None, Some(other)) => at.key("from").wrong(format_args!("{other:?}"), "hostname-ordinal"),
        (Some(_), Some(_)) => at.wrong("index and from", "only one of them"),
        (None, None) => at.wrong("neither index nor from", "one of them"),
    };
    let index = index.unwrap_or(0);
    Shard { index, count }
}

/// The number at the end of a name like `css-vpcep-exporter-2`, as a StatefulSet gives it.
fn ordinal(at: &At<'_>, count: u32, lookup: Lookup<'_>) -> Option<u32> {
    let Some(name) = lookup(HOST_NAME) else {
        let expected = "the environment variable HOSTNAME with a name that ends like -2";
        return at.wrong("no HOSTNAME", expected);
    };
    let digits = name.rsplit_once('-').map(|(_, digits)| digits);
    let plain = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let ordinal = digits.filter(plain).and_then(|digits| digits.parse().ok());
    ordinal.filter(|ordinal| *ordinal < count).or_else(|| {
        let expected = format!("a name that ends with - and a number less than {count}");
        at.wrong(format_args!("HOSTNAME {name:?}"), expected)
    })
}
