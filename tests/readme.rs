//! The README says what the program does: its tables, its example configuration, its flags and its
//! names are compared with the code and with the binary. Where a table differs, the failure prints
//! it as it should be. So are the PromQL of all documents, and what the runbooks quote.

mod promql;
mod runbooks;

use std::{cell::RefCell, collections::BTreeSet, path::Path, process::Command, time::Duration};

use css_vpcep_exporter::{
    board::Freshness,
    change::Outcome,
    cloud::Reason,
    config::{self, ConfigError},
    exposition::{self, families, services},
    huawei::{OPERATIONS, credentials, wire::Surprise},
    model::Status,
    public::MAX_SCRAPES,
    sim::Fault,
    stats::{self, ADMIN_DENIALS, Definition, Stats},
    web::{LOGINS_AT_ONCE, Limits, MAX_HEADER_BYTES, MOST_LOGINS},
};
use serde_json::{Value, json};

use crate::support::{
    certificates::{self, Authority},
    here,
    process::Folder,
};

const README: &str = include_str!("../README.md");
const COMMANDS: [&str; 12] = [
    "serve",
    "demo",
    "simulate",
    "collect",
    "check-config",
    "service list",
    "service show",
    "service plan",
    "service apply",
    "audit verify",
    "audit show",
    "token",
];

#[test]
fn the_metric_tables_are_those_of_the_code() {
    let data = families::FAMILIES.iter().map(|family| {
        let definition = &family.definition;
        let help = definition.help.strip_suffix(CACHED);
        // The README says once which help texts end so.
        assert_eq!(help.is_some(), !family.presence.starts_with('L'), "{}", definition.name);
        let help = help.map_or_else(|| definition.help.to_owned(), |help| format!("{help}."));
        let Definition { name, kind, labels, .. } = *definition;
        row(&[&code(name), kind.as_str(), &codes(labels), family.presence, &help])
    });
    expect_table("Data metrics", data);
    let promised = format!("`{}`", CACHED.trim_start_matches(". "));
    assert!(one_line(README).contains(&promised), "the README shows: {promised}");
    assert!(README.contains(&codes(&families::CLUSTER_LABELS)), "the README shows their labels");

    let services = services::SERVICE_FAMILIES.iter().map(|family| {
        let definition = &family.definition;
        let help = definition.help.strip_suffix(READ);
        assert_eq!(help.is_some(), family.presence.starts_with('D'), "{}", definition.name);
        let help = help.map_or_else(|| definition.help.to_owned(), |help| format!("{help}."));
        let Definition { name, kind, labels, .. } = *definition;
        row(&[&code(name), kind.as_str(), &codes(labels), family.presence, &help])
    });
    expect_table("Metrics of endpoint services", services);
    assert!(README.contains(&codes(&services::SERVICE_LABELS)), "the README shows their labels");

    let own = stats::DEFINITIONS.iter().chain(&exposition::DEFINITIONS);
    expect_table(
        "The exporter's own metrics",
        own.map(|&Definition { name, kind, labels, help }| {
            row(&[&code(name), kind.as_str(), &codes(labels), help])
        }),
    );
}

/// How the help texts of cached values end.
const CACHED: &str =
    ". Cached; huaweicloud_css_vpcep_last_success_timestamp_seconds tells its age.";
const READ: &str = ". Read every 5 minutes; huaweicloud_vpcep_service_last_success_timestamp_seconds tells its age.";

#[cfg(target_os = "linux")]
#[test]
fn the_process_metrics_are_those_that_are_shown() {
    let families = Stats::new().gather();
    let process = families.iter().filter(|family| family.name().starts_with("process_"));
    expect_table(
        "The process",
        process.map(|family| {
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            row(&[&code(family.name()), &kind, family.help()])
        }),
    );
}

#[test]
fn every_metric_that_is_named_anywhere_exists() {
    let stats = Stats::new();
    let mut known = BTreeSet::new();
    for family in stats.gather() {
        known.insert(family.name().to_owned());
    }
    for definition in stats::DEFINITIONS.iter().chain(&exposition::DEFINITIONS) {
        known.insert(definition.name.to_owned());
        if definition.kind == stats::Kind::Histogram {
            known
                .extend(["bucket", "sum", "count"].map(|end| format!("{}_{end}", definition.name)));
        }
    }
    let of_services = services::SERVICE_FAMILIES.iter();
    known.extend(of_services.map(|family| family.definition.name.to_owned()));
    known.extend(families::FAMILIES.iter().map(|family| family.definition.name.to_owned()));
    for word in words(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let is_prefix = word.ends_with('_');
        let is_ours = word.starts_with("huaweicloud_") || word.starts_with("css_vpcep_exporter_");
        assert!(!is_ours || is_prefix || known.contains(word), "there is no metric {word}");
    }
}

#[test]
fn closed_lists_of_label_values_are_those_of_the_code() {
    let lists = [
        ("`status`, `to`", codes(&Status::ALL.map(Status::as_str))),
        ("`state`", codes(&Freshness::ALL.map(Freshness::as_str))),
        ("`operation`", codes(&OPERATIONS)),
        ("`kind`", codes(&Surprise::ALL.map(Surprise::as_str))),
        ("`reason` of `css_vpcep_exporter_admin_denied_total`", codes(&ADMIN_DENIALS)),
        ("`outcome`", codes(&Outcome::ALL.map(Outcome::as_str))),
    ];
    let rows = lists.map(|(label, values)| row(&[label, &values]));
    expect_table("Label values", rows.into_iter());

    let written: Vec<_> =
        table("Reasons of failed polls").map(|row| cells(row)[0].clone()).collect();
    assert_eq!(written, Reason::ALL.map(|reason| code(reason.as_str())));
}

#[test]
fn codes_of_the_cloud_are_counted_under_reasons_that_exist() {
    let known = Reason::ALL.map(|reason| code(reason.as_str()));
    for row in table("Error codes of the cloud") {
        let reason = &cells(row)[2];
        assert!(reason == "none" || known.contains(reason), "{row}");
    }
}

#[test]
fn the_limits_of_the_listeners_are_those_of_the_code() {
    let Limits {
        connections,
        handshake,
        header,
        idle,
        body,
        body_bytes,
        write,
        unsent_bytes,
        patience,
        drain,
    } = Limits::PUBLIC;
    let seconds = |duration: Duration| format!("{} s", duration.as_secs_f64());
    let expected = [
        format!("{connections}, on the admin listener {}", Limits::ADMIN.connections),
        seconds(handshake),
        seconds(header),
        seconds(idle),
        format!("{} KiB", MAX_HEADER_BYTES >> 10),
        format!("{} KiB, {}", body_bytes >> 10, seconds(body)),
        seconds(write),
        format!("{} MiB", unsent_bytes >> 20),
        MAX_SCRAPES.to_string(),
        format!("{MOST_LOGINS}, compared {LOGINS_AT_ONCE} at a time"),
        seconds(drain),
    ];
    let rows: Vec<_> = table("Limits of the listeners").map(cells).collect();
    assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), expected);
    assert!(rows[0][2].contains(&seconds(patience)), "{:?}", rows[0]);
}

#[test]
fn the_configuration_reference_has_every_key_once() {
    let mut accepted = BTreeSet::new();
    discover("", &|inner| inner.to_owned(), &accepted_keys, &mut accepted);
    assert!(accepted.len() > 20 && accepted.contains("projects[].rate_limit.css.burst"));
    expect_reference("### Configuration reference", &accepted);
}

#[test]
fn the_web_configuration_reference_has_every_key_once() {
    let mut accepted = BTreeSet::new();
    discover("", &|inner| inner.to_owned(), &accepted_web_keys, &mut accepted);
    assert!(accepted.contains("http_server_config.headers.X-Frame-Options"));
    expect_reference("#### Web configuration reference", &accepted);
}

fn expect_reference(heading: &str, accepted: &BTreeSet<String>) {
    let written: Vec<_> = reference(heading).into_iter().map(|(key, _)| key).collect();
    let unique: BTreeSet<_> = written.iter().cloned().collect();
    assert_eq!(written.len(), unique.len(), "a key stands in the reference once");
    let missing: Vec<_> = accepted.difference(&unique).collect();
    assert!(missing.is_empty(), "the reference lacks {missing:?}");
    assert_eq!(unique, *accepted);
}

/// With certificates in the place of those that it names.
#[test]
fn the_example_of_a_web_configuration_is_accepted() {
    let folder = secrets();
    let authority = Authority::new("readme");
    let issued = authority.issue(&["exporter.example.com"]);
    certificates::place(&folder.file("server.crt"), &issued.certificate);
    certificates::place(&folder.file("server.key"), &issued.key);
    certificates::place(&folder.file("clients.crt"), &authority.certificate());
    let mut examples = code_blocks()
        .filter(|(language, text)| *language == "yaml" && text.starts_with("tls_server_config:"));
    let (_, text) = examples.next().expect("there is an example");
    let web =
        config::parse_web(&text, &folder.file("web.yml")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(web.warnings, [""; 0]);
}

/// A default that is written out means the same as no key at all; a key that is said to be required
/// cannot be left out, and every other one can.
#[test]
fn the_configuration_reference_has_the_defaults() {
    let folder = secrets();
    let effective = |value: &Value| {
        config::parse(&value.to_string(), &folder.file("c.yml"), &fake_keys)
            .map(|config| config.effective)
    };
    let least: Vec<_> = least()
        .into_iter()
        .map(|value| (effective(&value).expect("it has what is required"), value))
        .collect();
    for (key, default) in reference("### Configuration reference") {
        let mut was_looked_at = false;
        for (meaning, value) in &least {
            let mut without = value.clone();
            let is_there = remove(&mut without, &key);
            if default.starts_with("required") {
                was_looked_at |= is_there;
                assert!(!is_there || effective(&without).is_err(), "{key} is not required");
            } else if let Some(default) = default.strip_prefix('`') {
                let default = default.trim_end_matches('`');
                let default = serde_saphyr::from_str(default).expect("a default is YAML");
                if !is_there && set(&mut without, &key, default) {
                    was_looked_at = true;
                    assert_eq!(effective(&without).as_ref(), Ok(meaning), "{key}");
                }
            } else {
                was_looked_at = true;
                assert!(!is_there || key.contains(".credentials.") || effective(&without).is_ok());
            }
        }
        assert!(was_looked_at, "{key}: no configuration of this test has its section");
    }
}

/// Configurations with what is required and, of what is not, only what holds something required.
fn least() -> Vec<Value> {
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let service = "4189d3c2-8882-4871-a3c2-d380272eed88";
    let cluster = "5c77b71c-5b35-4f50-8984-76387e42451a";
    let file = "secrets/secret_key";
    let plain = json!({
        "projects": [{
            "name": "p",
            "region": "cn-north-4",
            "clusters": [{ "id": cluster }],
            "endpoint_services": [{ "id": service }],
        }],
    });
    let with = |key: &str, value: Value| {
        let mut changed = plain.clone();
        assert!(set(&mut changed, key, value));
        changed
    };
    let mut bare = plain.clone();
    remove(&mut bare, "projects[].clusters");
    remove(&mut bare, "projects[].endpoint_services");
    let credentials = |kind: Value| with("projects[].credentials", kind);
    let token = json!({ "name": "t", "sha256": digest, "role": "viewer" });
    vec![
        bare,
        plain.clone(),
        with("shard", json!({ "index": 0 })),
        with("admin", json!({ "listen": "127.0.0.1:10068", "tokens": [token] })),
        credentials(json!({ "static": { "access_key": "A", "secret_key_file": file } })),
        credentials(json!({ "profile": { "file": "secrets/profile" } })),
        credentials(json!({ "password": { "domain": "d", "user": "u", "password_file": file } })),
        credentials(json!({ "token": { "file": file } })),
    ]
}

/// The object that a key is in, and the key's last name; a list has one entry.
fn place<'a, 'k>(value: &'a mut Value, key: &'k str) -> Option<(&'a mut Value, &'k str)> {
    let Some((first, rest)) = key.split_once('.') else { return Some((value, key)) };
    let inner = match first.strip_suffix("[]") {
        Some(list) => value.get_mut(list)?.get_mut(0)?,
        // A section of sections is only a default away.
        None if ["poll", "paging", "rate_limit", "css", "vpcep"].contains(&first) => {
            value.as_object_mut()?.entry(first).or_insert_with(|| json!({}))
        }
        None => value.get_mut(first)?,
    };
    place(inner, rest)
}

fn remove(value: &mut Value, key: &str) -> bool {
    let mut whole = value.clone();
    let removed = place(&mut whole, key)
        .and_then(|(inside, last)| inside.as_object_mut()?.remove(last))
        .is_some();
    if removed {
        *value = whole;
    }
    removed
}

/// False where the section that the key is in is not there.
fn set(value: &mut Value, key: &str, new: Value) -> bool {
    let Some((inside, last)) = place(value, key) else { return false };
    let Some(object) = inside.as_object_mut() else { return false };
    object.insert(last.to_owned(), new);
    true
}

/// Key and default of each row of a reference.
fn reference(heading: &str) -> Vec<(String, String)> {
    let mut lines = README.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "there is a reference");
    let section = lines.take_while(|line| !line.starts_with('#'));
    let rows = section.filter(|line| line.starts_with("| `")).map(cells);
    rows.map(|row| (row[0].trim_matches('`').to_owned(), row[2].clone())).collect()
}

#[test]
fn examples_of_configurations_are_accepted() {
    let folder = secrets();
    let plain = "projects: [{ name: p, region: cn-north-4 }]\n";
    let mut accepted = 0;
    for (_, text) in code_blocks().filter(|(language, _)| *language == "yaml") {
        let texts: Vec<_> = if text.contains("projects:") {
            vec![text]
        } else if ["credentials:", "paging:"].iter().any(|key| text.starts_with(key)) {
            let project = plain.trim_end_matches(" }]\n");
            // Alternatives are commented out, as in the reference file.
            let lines = text.lines().map(|line| line.trim_start_matches('#'));
            lines.map(|line| format!("{project}, {line} }}]\n")).collect()
        } else if text.starts_with("shard:") {
            vec![format!("{plain}{text}")]
        } else {
            continue;
        };
        for text in texts {
            let here = folder.file("secrets");
            let home = here.join("home");
            let text = text.replace("/run/secrets", here.to_str().unwrap());
            let lookup = |name: &str| match name {
                "HOME" => Some(home.to_str()?.to_owned()),
                "HOSTNAME" => Some("exporter-3".to_owned()),
                other => fake_keys(other),
            };
            if let Err(error) = config::parse(&text, &folder.file("c.yml"), &lookup) {
                panic!("an example is not accepted:\n{error}\n{text}");
            }
            accepted += 1;
        }
    }
    assert!(accepted >= 10, "{accepted}");
}

#[test]
fn what_check_config_says_of_the_example_is_shown() {
    let folder = secrets();
    let (_, example) = code_blocks()
        .find(|(language, text)| *language == "yaml" && text.contains("state_file"))
        .expect("there is an example");
    folder.write("css-vpcep-exporter.yml", example);
    let output = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"))
        .arg("check-config")
        .current_dir(&folder.path)
        .env_clear()
        .envs([("HUAWEICLOUD_SDK_AK", "fake"), ("HUAWEICLOUD_SDK_SK", "fake")])
        .output()
        .expect("the program can be run");
    let said = String::from_utf8(output.stdout).expect("it is text");
    assert!(output.status.success(), "{said}");
    let shown = format!("\n```console\n$ css-vpcep-exporter check-config\n{said}```\n");
    assert!(README.contains(&shown), "the README should show:\n{said}");
}

#[test]
fn code_blocks_of_data_can_be_read() {
    for (language, text) in code_blocks() {
        let problem = match language {
            "json" => serde_json::from_str::<Value>(&text).err().map(|error| error.to_string()),
            "yaml" => serde_saphyr::from_str::<Value>(&text).err().map(|error| error.to_string()),
            _ => None,
        };
        assert_eq!(problem, None, "{text}");
    }
}

#[test]
fn commands_and_flags_are_those_of_the_help() {
    let help = help(&[]);
    let (_, rest) = help.split_once("\nCommands:\n").unwrap();
    let commands = rest.lines().take_while(|line| !line.is_empty());
    let commands = commands.filter_map(|line| {
        let (name, what) = line.trim().split_once(' ')?;
        (name != "help").then(|| row(&[&code(name), what.trim()]))
    });
    expect_table("Commands", commands);

    let mut flags: Vec<(Flag, Vec<&str>)> = Vec::new();
    for command in COMMANDS {
        for flag in flags_of(command) {
            match flags.iter_mut().find(|(known, _)| *known == flag) {
                Some((_, commands)) => commands.push(command),
                None => flags.push((flag, vec![command])),
            }
        }
    }
    let names: BTreeSet<_> = flags.iter().map(|(flag, _)| flag.name.as_str()).collect();
    expect_table(
        "Flags and environment variables",
        flags.iter().map(|(flag, commands)| {
            let default = flag.default.as_deref().map_or_else(String::new, code);
            let environment = flag.environment.as_deref().map_or_else(String::new, code);
            row(&[&code(&flag.name), &environment, &default, &codes(commands), &flag.help])
        }),
    );

    let others = [
        "--locked",
        "--profile",
        "--release",
        "--help",
        "--version",
        "--cacert",
        "--key",
        "--path",
        "--check",
        "--compressed",
        "--bench",
        "--update",
        "--stop-timeout",
    ];
    // A token is never an argument.
    let no_flag = "CSS_VPCEP_EXPORTER_ADMIN_TOKEN";
    for word in words(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        let word = word.trim_end_matches('.');
        let is_flag =
            word.strip_prefix("--").is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        assert!(!is_flag || names.contains(word) || others.contains(&word), "no flag {word}");
        let is_variable = word.starts_with("CSS_VPCEP_EXPORTER_") && !word.ends_with('_');
        let is_known = || {
            word == no_flag
                || flags.iter().any(|(flag, _)| flag.environment.as_deref() == Some(word))
        };
        assert!(!is_variable || is_known(), "no environment variable {word}");
    }
}

#[test]
fn the_environment_variables_of_credentials_are_those_that_are_read() {
    let read = RefCell::new(BTreeSet::new());
    credentials::Environment::capture(&|name| {
        read.borrow_mut().insert(name.to_owned());
        None
    });
    let is_one = |word: &&str| {
        ["HUAWEICLOUD_SDK_", "CLOUD_SDK_", "HOME"].iter().any(|p| word.starts_with(p))
    };
    let written: BTreeSet<_> = words(|byte| byte.is_ascii_uppercase() || byte == b'_')
        .filter(is_one)
        .filter(|word| !word.ends_with('_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(written, read.into_inner());
}

#[test]
fn faults_are_named_and_explained_as_the_simulator_does() {
    let shown = table("Faults").map(|row| cells(row)[0].trim_matches('`').to_owned());
    let meaning = |name: &str| {
        let known = Fault::NAMES.iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("no fault is called {name}")).1
    };
    let rows: Vec<_> = shown.map(|name| row(&[&code(&name), meaning(&name)])).collect();
    expect_table("Faults", rows.into_iter());
    assert!(README.contains("`simulate --help`"), "the README says where all faults are listed");
    let help = help(&["simulate"]);
    assert!(Fault::NAMES.iter().all(|(name, _)| help.contains(&format!("\n  {name} "))));
}

#[test]
fn links_lead_somewhere() {
    let anchors: BTreeSet<_> = outside_code()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    for link in outside_code().flat_map(|line| line.split("](").skip(1)) {
        let target = link.split(')').next().unwrap_or_default();
        let exists = match target.strip_prefix('#') {
            Some(name) => anchors.contains(name),
            None if target.starts_with("https://") => true,
            None => here(target).exists(),
        };
        assert!(exists, "{target} leads nowhere");
    }
}

#[test]
fn the_text_is_finished_and_names_no_machine() {
    let unfit =
        ["TODO", "FIXME", "XXX", "/work/", "/home/", "/root/", "/tmp/", "/Users/", "file://"];
    for (number, line) in README.lines().enumerate() {
        let found = unfit.iter().find(|word| line.contains(**word));
        assert_eq!(found, None, "line {}: {line}", number + 1);
        assert_eq!(line, line.trim_end(), "line {} ends in blanks", number + 1);
    }
}

// Tables.

/// Fails with the whole table, ready to be pasted, where the README has another one.
fn expect_table(heading: &str, rows: impl Iterator<Item = String>) {
    let expected: Vec<_> = rows.collect();
    let written: Vec<_> = table(heading).collect();
    assert!(written == expected, "{heading:?} should have these rows:\n{}\n", expected.join("\n"));
}

/// The rows of the one table below a heading, without its head.
fn table(heading: &str) -> impl Iterator<Item = &'static str> {
    let is_heading =
        move |line: &&str| line.starts_with('#') && line.trim_start_matches('#').trim() == heading;
    let mut lines = README.lines().skip_while(move |line| !is_heading(line));
    assert!(lines.next().is_some(), "there is no heading {heading:?}");
    let section = lines.take_while(|line| !line.starts_with('#'));
    section.filter(|line| line.starts_with('|')).skip(2)
}

fn row(cells: &[&str]) -> String {
    let cell = |cell: &&str| if cell.is_empty() { " ".to_owned() } else { format!(" {cell} ") };
    format!("|{}|", cells.iter().map(cell).collect::<Vec<_>>().join("|"))
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn codes(texts: &[&str]) -> String {
    texts.iter().map(|text| code(text)).collect::<Vec<_>>().join(", ")
}

// Text.

fn words(belongs: impl Fn(u8) -> bool + 'static) -> impl Iterator<Item = &'static str> {
    README.split(move |c: char| !(c.is_ascii() && belongs(c as u8))).filter(|word| !word.is_empty())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fenced blocks: language and text.
fn code_blocks() -> impl Iterator<Item = (&'static str, String)> {
    README.split("\n```").skip(1).step_by(2).filter_map(|block| {
        let (language, text) = block.split_once('\n')?;
        Some((language, format!("{text}\n")))
    })
}

fn outside_code() -> impl Iterator<Item = &'static str> {
    README.split("\n```").step_by(2).flat_map(str::lines)
}

/// The name that a heading has in links.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

// The configuration.

#[expect(clippy::unnecessary_wraps, reason = "the type of a lookup")]
fn fake_keys(_: &str) -> Option<String> {
    Some("fake".to_owned())
}

/// A folder with the secret files that the examples name.
fn secrets() -> Folder {
    let folder = Folder::new("readme");
    let profile = "[basic]\nak = fake\nsk = fake\n";
    for name in ["secret_key", "security_token", "password", "token"] {
        folder.write(&format!("secrets/{name}"), "fake\n");
    }
    folder.write("secrets/profile", profile);
    folder.write("secrets/home/.huaweicloud/credentials", profile);
    folder
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Finds all keys by asking: a key that cannot be makes the parser say which can.
fn discover(
    path: &str,
    wrap: &dyn Fn(&str) -> String,
    accepted: &dyn Fn(&str) -> Vec<String>,
    keys: &mut BTreeSet<String>,
) {
    let places = [(path.to_owned(), ["", ""]), (format!("{path}[]"), ["[", "]"])];
    for (path, [open, close]) in places {
        for key in accepted(&wrap(&format!("{open}{{ zzz: 1 }}{close}"))) {
            let path = joined(&path, &key);
            let deeper = |inner: &str| wrap(&format!("{open}{{ {key}: {inner} }}{close}"));
            discover(&path, &deeper, accepted, keys);
            keys.insert(path);
        }
    }
}

fn accepted_keys(text: &str) -> Vec<String> {
    let parsed = config::parse(text, Path::new("c.yml"), &fake_keys);
    in_place_of_zzz(&parsed.expect_err("zzz is no key"))
}

fn accepted_web_keys(text: &str) -> Vec<String> {
    let parsed = config::parse_web(text, Path::new("web.yml"));
    in_place_of_zzz(&parsed.expect_err("zzz is no key"))
}

/// The keys that are accepted in the place of `zzz`.
fn in_place_of_zzz(error: &ConfigError) -> Vec<String> {
    let Some((_, rest)) = error.mistakes[0].split_once("unknown field `zzz`, expected ") else {
        return Vec::new();
    };
    let list = rest.split(" at line").next().unwrap_or_default().trim_start_matches("one of ");
    list.split([',', ' ', '`'])
        .filter(|word| !["", "or"].contains(word))
        .map(str::to_owned)
        .collect()
}

// The command line.

#[derive(PartialEq)]
struct Flag {
    name: String,
    environment: Option<String>,
    default: Option<String>,
    help: String,
}

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"))
        .args(command)
        .arg("--help")
        .env_clear()
        // Wide enough for every line.
        .env("COLUMNS", "1000")
        .output()
        .expect("the program can be run");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("help is text")
}

fn flags_of(command: &str) -> Vec<Flag> {
    let help = help(&command.split(' ').collect::<Vec<_>>());
    let (_, options) = help.split_once("\nOptions:\n").expect("a command has options");
    // What follows the options begins at the margin.
    let options = options.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    let mut flags: Vec<String> = Vec::new();
    for line in options.map(str::trim) {
        if line.starts_with('-') {
            flags.push(line.to_owned());
        } else if let Some(flag) = flags.last_mut() {
            *flag = one_line(&format!("{flag} {line}"));
        }
    }
    flags.iter().filter(|flag| !flag.starts_with("-h")).map(|flag| read_flag(flag)).collect()
}

/// Reads `--name <VALUE> What it is [env: NAME=] [default: value] [possible values: a, b]`.
fn read_flag(text: &str) -> Flag {
    // The short one, where there is one, says nothing more.
    let text = text.split_once(", --").map_or(text, |(short, _)| &text[short.len() + 2..]);
    let note = |name: &str| {
        let (_, rest) = text.split_once(&format!("[{name}: "))?;
        rest.split_once(']').map(|(value, _)| value.to_owned())
    };
    let head = text.split_once(" [").map_or(text, |(head, _)| head);
    // A flag that is there or not has no value.
    let (usage, what) =
        head.split_once('>').or_else(|| head.split_once(' ')).expect("a flag has a meaning");
    let what = what.trim_start_matches('.').trim();
    let values = note("possible values");
    Flag {
        name: usage.split(' ').next().unwrap_or_default().to_owned(),
        environment: note("env").map(|name| name.trim_end_matches('=').to_owned()),
        default: note("default"),
        help: values.map_or_else(|| what.to_owned(), |values| format!("{what}: {values}")),
    }
}
