//! Converts the file to settings. Every mistake is noted with its key, the value found and the value
//! expected; conversion goes on, so that one run reports them all.

use std::{collections::HashMap, path::Path};

use sha2::{Digest, Sha256};

use super::{
    admin::admin,
    diagnostics::{ConfigError, Context},
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
    let file = yaml::parse(path, text)?;
    let mut context = Context::new(path, text, lookup.is_none());
    if let Some(lookup) = lookup {
        context.environment = Environment::capture(lookup);
    }
    convert(context, file, lookup)
}

fn convert(
    mut context: Context<'_>,
    mut file: file::File,
    lookup: Option<Lookup<'_>>,
) -> Result<Config, ConfigError> {
    let shard = match &file.shard {
        Some(written) => shard(&mut context, written, lookup),
        None => Shard::ONLY,
    };
    file.shard =
        Some(file::Shard { index: Some(shard.index), from: None, count: Some(shard.count) });
    let written = file.poll.get_or_insert_default();
    let mut fleet = Fleet::new(shard, Intervals::new(&mut context, written));
    let projects = file.projects.get_or_insert_default();
    if projects.is_empty() {
        context.mistake("projects", "nothing", "at least one project");
    }
    let defaults = file.defaults.take().unwrap_or_default();
    let mut unused = defaults.keys();
    let mut names = HashMap::new();
    let mut converted = Vec::new();
    for (index, project_file) in projects.iter_mut().enumerate() {
        let path = format!("projects[{index}]");
        context.unique(&mut names, &format!("{path}.name"), &project_file.name);
        for key in defaults.fill(project_file) {
            unused.retain(|unused| *unused != key);
            context.inherited(&path, key);
        }
        converted.extend(project(&mut context, &mut fleet, &path, project_file));
    }
    for key in unused {
        let what = "every project has its own, so this default is never used";
        context.warning(&format!("defaults.{key}"), what);
    }
    let (poll, exposition) = poll(&mut context, written, &fleet.intervals);
    let admin = file.admin.as_mut().and_then(|written| admin(&mut context, written, projects));
    let audit_log = file.admin.as_mut().and_then(|admin| admin.audit_log.as_mut());
    let (audit_log, state_file) = (audit_log, file.state_file.as_mut());
    let [audit_log, state_file] =
        [audit_log, state_file].map(|written| written.map(|written| context.path(written)));
    let sha256 = text::to_hex(&Sha256::digest(context.text));
    Ok(Config {
        poll,
        exposition,
        state_file,
        shard,
        projects: converted,
        clusters_of_all_shards: fleet.size(),
        admin,
        web: WebSettings::default(),
        audit_log,
        sha256,
        warnings: context.finish()?,
        effective: effective(&file, shard),
    })
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

fn shard(context: &mut Context<'_>, written: &file::Shard, lookup: Option<Lookup<'_>>) -> Shard {
    let mut count = written.count;
    let count = context.between("shard.count", &mut count, 1, (1, MOST_SHARDS));
    let index = match (written.index, written.from.as_deref()) {
        (Some(index), None) if index < count => index,
        (Some(index), None) => {
            context.mistake("shard.index", index, format_args!("less than shard.count ({count})"));
            0
        }
        (None, Some("hostname-ordinal")) => {
            if written.count.is_none() {
                context.mistake("shard.count", "nothing", "how many shards there are");
            }
            // Without a host's name the text is about the whole fleet, and not about one shard of it.
            let Some(lookup) = lookup else { return Shard::ONLY };
            written.count.and_then(|count| ordinal(context, count, lookup)).unwrap_or(0)
        }
        (None, Some(other)) => {
            context.mistake("shard.from", format_args!("{other:?}"), "hostname-ordinal");
            0
        }
        (Some(_), Some(_)) => {
            context.mistake("shard", "index and from", "only one of them");
            0
        }
        (None, None) => {
            context.mistake("shard", "neither index nor from", "one of them");
            0
        }
    };
    Shard { index, count }
}

/// The number at the end of a name like `css-vpcep-exporter-2`, as a StatefulSet gives it.
fn ordinal(context: &mut Context<'_>, count: u32, lookup: Lookup<'_>) -> Option<u32> {
    let Some(name) = lookup(HOST_NAME) else {
        let expected = "the environment variable HOSTNAME with a name that ends like -2";
        context.mistake("shard.from", "no HOSTNAME", expected);
        return None;
    };
    let digits = name.rsplit_once('-').map(|(_, digits)| digits);
    let plain = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let ordinal = digits.filter(plain).and_then(|digits| digits.parse().ok());
    if ordinal.is_none_or(|ordinal: u32| ordinal >= count) {
        let found = format!("HOSTNAME {name:?}");
        let expected = format!("a name that ends with - and a number less than {count}");
        context.mistake("shard.from", found, expected);
        return None;
    }
    ordinal
}
