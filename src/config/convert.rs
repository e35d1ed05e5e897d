//! From what is written to what is meant. Every mistake is noted with its key, what was found and
//! what was expected; conversion goes on, so that one run reports them all.

use std::{
    collections::HashMap, fmt::Display, net::SocketAddr, path::Path, sync::Arc, time::Duration,
};

use super::{Lookup, Project, file};
use crate::{
    board::ClusterMeta,
    exposition,
    http::{AdminSettings, AdminToken, Role},
    huawei::{
        self,
        credentials::{Environment, SecretText, Source},
        endpoints::{BaseUrl, Endpoints, Service, derived},
        paging::{LARGEST_LIMIT, Paging, Parameter},
    },
    model::{ClusterId, ProjectId, RegionId},
    pacing::RateLimit,
    secret::Secret,
};

/// A poll of one page takes a fraction of a second; more often than this only costs quota.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A value read less often than daily is no monitoring.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// More would exhaust file descriptors before it made anything faster.
const MOST_CONCURRENCY: u32 = 256;
/// The gateway's own default limit is 200 calls a second for each API.
const FASTEST_RATE: f64 = 1000.0;
/// Names are labels on every series.
const LONGEST_NAME: usize = 128;

/// What came out of a file without a mistake.
pub(super) struct Converted {
    pub(super) exposition: exposition::Settings,
    pub(super) projects: Vec<Project>,
    pub(super) admin: Option<AdminSettings>,
    pub(super) warnings: Vec<String>,
}

/// Turns a file into settings, or says all that is wrong with it.
pub(super) fn convert(
    file: file::File,
    folder: &Path,
    lookup: Lookup<'_>,
) -> Result<Converted, Vec<String>> {
    let mut notes = Notes::default();
    let poll = poll(&mut notes, file.poll);
    let mut context = Context { folder, lookup, poll: &poll, seen: HashMap::new() };
    if file.projects.is_empty() {
        notes.mistake("projects", "nothing", "at least one project");
    }
    let mut projects = Vec::new();
    let mut names = HashMap::new();
    for (index, written) in file.projects.into_iter().enumerate() {
        let path = format!("projects[{index}]");
        unique(&mut notes, &mut names, &format!("{path}.name"), &written.name);
        projects.extend(project(&mut notes, &path, written, &mut context));
    }
    let admin = file.admin.and_then(|written| admin(&mut notes, written));
    if !notes.mistakes.is_empty() {
        return Err(notes.mistakes);
    }
    let exposition = exposition::Settings {
        stale_after: poll.stale_after,
        per_connection: poll.per_connection,
        per_connection_limit: poll.per_connection_limit,
    };
    Ok(Converted { exposition, projects, admin, warnings: notes.warnings })
}

#[derive(Default)]
struct Notes {
    mistakes: Vec<String>,
    warnings: Vec<String>,
}

impl Notes {
    fn mistake(&mut self, path: &str, found: impl Display, expected: impl Display) {
        self.mistakes.push(format!("{path}: found {found}, expected {expected}"));
    }

    fn ok<T, E: Display>(&mut self, path: &str, found: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(expected) => {
                self.mistakes.push(format!("{path}: found {found:?}, {expected}"));
                None
            }
        }
    }

    /// A value that must lie between two others, or its default where it is not written.
    fn between<T: PartialOrd + Display + Copy>(
        &mut self,
        path: &str,
        written: Option<T>,
        default: T,
        (least, most): (T, T),
    ) -> T {
        match written {
            None => default,
            Some(value) if least <= value && value <= most => value,
            Some(value) => {
                self.mistake(path, value, format_args!("{least} to {most}"));
                default
            }
        }
    }

    fn duration(&mut self, path: &str, written: Option<&str>, default: Duration) -> Duration {
        let Some(text) = written else { return default };
        match humantime::parse_duration(text) {
            Ok(duration) => duration,
            Err(error) => {
                let expected = format!("a duration like 30s or 5m ({error})");
                self.mistake(path, format_args!("{text:?}"), expected);
                default
            }
        }
    }

    fn name(&mut self, path: &str, name: &str) {
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            let expected = format!("1 to {LONGEST_NAME} bytes without control characters");
            self.mistake(path, format_args!("{name:?}"), expected);
        }
    }
}

struct Poll {
    interval: Duration,
    timeout: Duration,
    concurrency: usize,
    stale_after: Duration,
    per_connection: bool,
    per_connection_limit: usize,
}

fn poll(notes: &mut Notes, written: file::Poll) -> Poll {
    let interval = notes.duration("poll.interval", written.interval.as_deref(), secs(60));
    check_interval(notes, "poll.interval", interval);
    let timeout = notes.duration("poll.timeout", written.timeout.as_deref(), secs(30));
    if timeout.is_zero() || timeout >= interval {
        let expected = format!("more than 0s and less than poll.interval ({})", human(interval));
        notes.mistake("poll.timeout", human(timeout), expected);
    }
    let stale_after = notes.duration("poll.stale_after", written.stale_after.as_deref(), secs(900));
    check_stale_after(notes, "poll.interval", interval, stale_after);
    let concurrency =
        notes.between("poll.concurrency", written.concurrency, 8, (1, MOST_CONCURRENCY));
    Poll {
        interval,
        timeout,
        concurrency: concurrency as usize,
        stale_after,
        per_connection: written.per_connection.unwrap_or(true),
        per_connection_limit: written.per_connection_limit.unwrap_or(1000) as usize,
    }
}

fn check_interval(notes: &mut Notes, path: &str, interval: Duration) {
    if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) {
        let expected = format!("{} to {}", human(SHORTEST_INTERVAL), human(LONGEST_INTERVAL));
        notes.mistake(path, human(interval), expected);
    }
}

fn check_stale_after(notes: &mut Notes, path: &str, interval: Duration, stale_after: Duration) {
    if stale_after < interval * 3 {
        let expected = format!("at least 3 times {path} ({})", human(interval * 3));
        notes.mistake("poll.stale_after", human(stale_after), expected);
    }
}

/// What the parts of a project need of the whole.
struct Context<'a> {
    folder: &'a Path,
    lookup: Lookup<'a>,
    poll: &'a Poll,
    /// Where each cluster id was first seen.
    seen: HashMap<String, String>,
}

fn project(
    notes: &mut Notes,
    path: &str,
    written: file::Project,
    context: &mut Context<'_>,
) -> Option<Project> {
    let at = |key: &str| format!("{path}.{key}");
    notes.name(&at("name"), &written.name);
    if written.name.contains('/') {
        notes.mistake(&at("name"), format_args!("{:?}", written.name), "a name without /");
    }
    let region = notes.ok(&at("region"), &written.region, RegionId::parse(&written.region));
    let project_id = ProjectId::parse(&written.project_id);
    let project_id = notes.ok(&at("project_id"), &written.project_id, project_id);
    let credentials = source(notes, &at("credentials"), written.credentials, context);
    let css = rate_limit(notes, &at("rate_limit.css"), written.rate_limit.css, (5.0, 10));
    rate_limit(notes, &at("rate_limit.vpcep"), written.rate_limit.vpcep, (0.5, 5));
    let paging = paging(notes, &at("paging"), written.paging);
    let name: Arc<str> = written.name.into();
    let mut clusters = Vec::new();
    for (index, written) in written.clusters.into_iter().enumerate() {
        let path = at(&format!("clusters[{index}]"));
        clusters.extend(cluster(notes, &path, written, &name, region.as_ref(), context));
    }
    let endpoints = endpoints(notes, &at("api_endpoints"), written.api_endpoints, region.as_ref()?);
    Some(Project {
        cloud: huawei::Settings {
            name,
            region: region?,
            project_id: Some(project_id?),
            endpoints: endpoints?,
            credentials: credentials?,
            paging,
        },
        css_rate_limit: css,
        concurrency: context.poll.concurrency,
        timeout: context.poll.timeout,
        clusters,
    })
}

fn cluster(
    notes: &mut Notes,
    path: &str,
    written: file::Cluster,
    project: &Arc<str>,
    region: Option<&RegionId>,
    context: &mut Context<'_>,
) -> Option<ClusterMeta> {
    let id_path = format!("{path}.id");
    unique(notes, &mut context.seen, &id_path, &written.id);
    let id = notes.ok(&id_path, &written.id, ClusterId::parse(&written.id));
    let interval_path = format!("{path}.interval");
    let interval =
        notes.duration(&interval_path, written.interval.as_deref(), context.poll.interval);
    if written.interval.is_some() {
        check_interval(notes, &interval_path, interval);
        check_stale_after(notes, &interval_path, interval, context.poll.stale_after);
    }
    let name = written.name.unwrap_or_else(|| written.id.clone());
    notes.name(&format!("{path}.name"), &name);
    Some(ClusterMeta {
        region: region?.clone(),
        project: project.clone(),
        id: id?,
        name: name.into(),
        interval,
    })
}

fn unique(notes: &mut Notes, seen: &mut HashMap<String, String>, path: &str, value: &str) {
    if let Some(first) = seen.insert(value.to_owned(), path.to_owned()) {
        let expected = format!("a value that is not already at {first}");
        notes.mistake(path, format_args!("{value:?}"), expected);
    }
}

fn source(
    notes: &mut Notes,
    path: &str,
    written: Option<file::Credentials>,
    context: &Context<'_>,
) -> Option<Source> {
    let environment = || Environment::capture(context.lookup);
    let source = match written {
        None => Source::Chain(environment()),
        Some(file::Credentials::Word(word)) if word == "chain" => Source::Chain(environment()),
        Some(file::Credentials::Word(word)) => {
            // A key that was pasted here must not be repeated.
            let found = format_args!("another word, of {} characters", word.chars().count());
            notes.mistake(path, found, "chain, or one kind of credentials");
            return None;
        }
        Some(file::Credentials::Kinds(kinds)) => match (kinds.fixed, kinds.environment) {
            (Some(fixed), None) => {
                static_keys(notes, &format!("{path}.static"), fixed, context.folder)?
            }
            (None, Some(file::Nothing {})) => Source::Environment(environment()),
            (None, None) => {
                notes.mistake(path, "no kind", "exactly one of static, environment");
                return None;
            }
            (Some(_), Some(_)) => {
                notes.mistake(path, "two kinds", "exactly one of static, environment");
                return None;
            }
        },
    };
    // Read once now, so that a mistake is found at the start and not at the first poll.
    match source.resolve() {
        Ok(_) => Some(source),
        Err(mistake) => {
            notes.mistakes.push(format!("{path}: {mistake}"));
            None
        }
    }
}

fn static_keys(
    notes: &mut Notes,
    path: &str,
    written: file::StaticKeys,
    folder: &Path,
) -> Option<Source> {
    let key_path = format!("{path}.secret_key");
    let secret_key = secret(notes, &key_path, written.secret_key, written.secret_key_file, folder);
    if secret_key.is_none() {
        notes.mistake(&key_path, "nothing usable", "secret_key_file (or secret_key)");
    }
    let token_path = format!("{path}.security_token");
    let security_token =
        secret(notes, &token_path, written.security_token, written.security_token_file, folder);
    Some(Source::Static { access_key: written.access_key, secret_key: secret_key?, security_token })
}

/// A secret that is written in the file, which earns a warning, or in a file of its own.
fn secret(
    notes: &mut Notes,
    path: &str,
    inline: Option<Secret>,
    file: Option<String>,
    folder: &Path,
) -> Option<SecretText> {
    match (inline, file) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            notes.mistake(path, format_args!("{path}_file too"), "only one of them");
            None
        }
        (Some(secret), None) => {
            notes.warnings.push(format!(
                "{path} is written in the configuration; {path}_file keeps it out of backups \
                 and version control"
            ));
            Some(SecretText::Inline(secret))
        }
        (None, Some(file)) => Some(SecretText::File(folder.join(file))),
    }
}

fn endpoints(
    notes: &mut Notes,
    path: &str,
    written: file::ApiEndpoints,
    region: &RegionId,
) -> Option<Endpoints> {
    let mut endpoint = |key: &str, written: Option<String>, service| {
        let text = written.unwrap_or_else(|| derived(service, region));
        // A URL with a user name may have a password too.
        let shown = if text.contains('@') { "a URL with @" } else { &text };
        notes.ok(&format!("{path}.{key}"), shown, BaseUrl::parse(&text))
    };
    let css = endpoint("css", written.css, Service::Css);
    let vpcep = endpoint("vpcep", written.vpcep, Service::Vpcep);
    let iam = endpoint("iam", written.iam, Service::Iam);
    Some(Endpoints { css: css?, vpcep: vpcep?, iam: iam? })
}

fn rate_limit(
    notes: &mut Notes,
    path: &str,
    written: Option<file::RateLimit>,
    (rate, burst): (f64, u32),
) -> RateLimit {
    let (written_rate, written_burst) =
        written.map_or((None, None), |written| (written.requests_per_second, written.burst));
    RateLimit {
        requests_per_second: notes.between(
            &format!("{path}.requests_per_second"),
            written_rate,
            rate,
            (0.001, FASTEST_RATE),
        ),
        burst: notes.between(&format!("{path}.burst"), written_burst, burst, (1, 1000)),
    }
}

fn paging(notes: &mut Notes, path: &str, written: file::Paging) -> Paging {
    let parameter = match written.parameter.as_deref() {
        None | Some("offset") => Parameter::Offset,
        Some("start") => Parameter::Start,
        Some(other) => {
            notes.mistake(
                &format!("{path}.parameter"),
                format_args!("{other:?}"),
                "offset, or start for older regions",
            );
            Parameter::Offset
        }
    };
    Paging {
        parameter,
        first: notes.between(&format!("{path}.first"), written.first, 0, (0, 1)),
        limit: notes.between(
            &format!("{path}.limit"),
            written.limit,
            LARGEST_LIMIT,
            (1, LARGEST_LIMIT),
        ),
    }
}

fn admin(notes: &mut Notes, written: file::Admin) -> Option<AdminSettings> {
    let listen = written.listen.parse::<SocketAddr>();
    let listen = notes.ok(
        "admin.listen",
        &written.listen,
        listen.map_err(|_| "expected an address and a port like 127.0.0.1:10068"),
    );
    if listen.is_some_and(|address| !address.ip().is_loopback()) {
        notes.mistake("admin.listen", &written.listen, "a loopback address: there is no TLS");
    }
    let mut names = HashMap::new();
    let mut tokens = Vec::new();
    for (index, written) in written.tokens.into_iter().enumerate() {
        let path = format!("admin.tokens[{index}]");
        unique(notes, &mut names, &format!("{path}.name"), &written.name);
        notes.name(&format!("{path}.name"), &written.name);
        tokens.extend(token(notes, &path, written));
    }
    if names.is_empty() {
        notes.mistake("admin.tokens", "none", "at least one, else nobody can use the listener");
    }
    let listen = listen?;
    let hosts = written
        .hosts
        .unwrap_or_else(|| vec![listen.to_string(), format!("localhost:{}", listen.port())]);
    Some(AdminSettings { listen, hosts, tokens })
}

fn token(notes: &mut Notes, path: &str, written: file::Token) -> Option<AdminToken> {
    let digest = hex_digest(&written.sha256);
    if digest.is_none() {
        let expected = "64 hexadecimal digits, the SHA-256 of the token";
        notes.mistake(&format!("{path}.sha256"), "something else", expected);
    }
    let role = match written.role.as_str() {
        "viewer" => Some(Role::Viewer),
        "editor" => Some(Role::Editor),
        other => {
            notes.mistake(&format!("{path}.role"), format_args!("{other:?}"), "viewer or editor");
            None
        }
    };
    Some(AdminToken {
        name: written.name,
        sha256: digest?,
        role: role?,
        services: written.services,
    })
}

fn hex_digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn human(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
