//! The README says what the program does: its tables, its example configuration, its flags and its
//! names are compared with the code and with the binary. Where a table differs, the failure prints
//! it as it should be.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use css_vpcep_exporter::{
    board::Freshness,
    cloud::Reason,
    config::{self, Config, ConfigError},
    exposition::{self, families},
    huawei::{OPERATIONS, credentials, wire::Surprise},
    model::Status,
    sim::Fault,
    stats::{self, ADMIN_DENIALS, Definition, Stats},
};
use serde_json::Value;

const README: &str = include_str!("../README.md");
const COMMANDS: [&str; 4] = ["serve", "demo", "simulate", "collect"];

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
    ". Cached; its age is time() - huaweicloud_css_vpcep_last_success_timestamp_seconds.";

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
    ];
    let rows = lists.map(|(label, values)| row(&[label, &values]));
    expect_table("Label values", rows.into_iter());

    let written: Vec<_> =
        table("Reasons of failed polls").map(|row| cells(row)[0].clone()).collect();
    assert_eq!(written, Reason::ALL.map(|reason| code(reason.as_str())));
}

#[test]
fn the_example_configuration_has_every_key_and_is_accepted() {
    let mut written = BTreeSet::new();
    for (text, config) in examples() {
        if let Err(error) = config {
            panic!("the example is not accepted:\n{error}\n{text}");
        }
        let value: Value = serde_saphyr::from_str(&text).expect("it was accepted");
        collect_paths("", &value, &mut written);
    }
    let mut accepted = BTreeSet::new();
    discover("", &|inner| inner.to_owned(), &mut accepted);
    assert!(accepted.len() > 20 && accepted.contains("projects[].rate_limit.css.burst"));
    let missing: Vec<_> = accepted.difference(&written).collect();
    assert!(missing.is_empty(), "the example lacks {missing:?}");
    // What is not accepted would have been refused above.
    assert_eq!(written, accepted);
}

#[test]
fn the_example_configuration_shows_the_defaults() {
    let least = "projects: [{ name: p, region: cn-north-4, \
                 project_id: 6e9dfd51d1124e8d8498dce894923a0d }]";
    let defaults = config::parse(least, Path::new("c.yml"), &fake_keys).unwrap();
    let (_, example) = examples().swap_remove(0);
    let shown = |config: &Config| {
        let project = &config.projects[0];
        let cloud = &project.cloud;
        format!(
            "{:#?}",
            (
                config.exposition,
                project.css_rate_limit,
                project.concurrency,
                project.timeout,
                &cloud.paging,
                &cloud.endpoints,
            )
        )
    };
    let example = example.unwrap();
    assert_eq!(shown(&example), shown(&defaults));
    let intervals: Vec<_> = example.clusters().map(|cluster| cluster.interval.as_secs()).collect();
    assert_eq!(intervals, [30, 60], "one cluster with an interval of its own, one without");

    let admin = example.admin.unwrap();
    assert_eq!(admin.hosts, ["127.0.0.1:10068", "localhost:10068"]);
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
    assert_eq!(names.len(), flags.len(), "a flag means the same with every command");
    expect_table(
        "Flags and environment variables",
        flags.iter().map(|(flag, commands)| {
            let default = flag.default.as_deref().map_or_else(String::new, code);
            let environment = code(&flag.environment);
            row(&[&code(&flag.name), &environment, &default, &codes(commands), &flag.help])
        }),
    );

    let others = ["--release", "--help", "--version"];
    for word in words(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        let word = word.trim_end_matches('.');
        let is_flag =
            word.strip_prefix("--").is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        assert!(!is_flag || names.contains(word) || others.contains(&word), "no flag {word}");
        let is_variable = word.starts_with("CSS_VPCEP_EXPORTER_") && !word.ends_with('_');
        let is_known = || flags.iter().any(|(flag, _)| flag.environment == word);
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
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(),
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
    format!("| {} |", cells.join(" | ")).replace("|  |", "| |")
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

/// The example of the README as it is written, then with each line `# key: …` in place of the line
/// with the same key.
fn examples() -> Vec<(String, Result<Config, ConfigError>)> {
    let (_, text) = code_blocks()
        .find(|(language, text)| *language == "yaml" && text.contains("per_connection_limit"))
        .expect("there is an example");
    let folder = secrets();
    let parsed = |text: String| {
        let config = config::parse(&text, &folder.join("c.yml"), &fake_keys);
        (text, config)
    };
    let mut examples = vec![parsed(text.clone())];
    let mut lines: Vec<_> = text.lines().collect();
    let alternatives: Vec<_> = lines
        .iter()
        .filter_map(|line| line.trim_start().strip_prefix("# "))
        .filter_map(|line| Some((line.split_once(": {")?.0, line)))
        .collect();
    lines.retain(|line| !line.trim_start().starts_with('#'));
    for (key, alternative) in alternatives {
        let start = format!("{key}:");
        let swapped = lines.iter().map(|line| match line.trim_start().starts_with(&start) {
            true => format!("{}{alternative}\n", &line[..line.len() - line.trim_start().len()]),
            false => format!("{line}\n"),
        });
        examples.push(parsed(swapped.collect()));
    }
    assert!(examples.len() > 2, "the example has alternatives");
    examples
}

/// A folder with the secret files that the example names.
fn secrets() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(folder.join("secrets")).expect("the folder is ours");
    for name in ["secrets/secret-key", "secrets/security-token"] {
        let path = folder.join(name);
        fs::write(&path, "fake\n").expect("the folder is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
    folder
}

fn collect_paths(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = joined(path, key);
                collect_paths(&path, value, paths);
                paths.insert(path);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| collect_paths(&format!("{path}[]"), item, paths));
        }
        _ => {}
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Finds all keys by asking: a key that cannot be makes the parser say which can.
fn discover(path: &str, wrap: &dyn Fn(&str) -> String, keys: &mut BTreeSet<String>) {
    let places = [(path.to_owned(), ["", ""]), (format!("{path}[]"), ["[", "]"])];
    for (path, [open, close]) in places {
        for key in accepted(&wrap(&format!("{open}{{ zzz: 1 }}{close}"))) {
            let path = joined(&path, &key);
            let deeper = |inner: &str| wrap(&format!("{open}{{ {key}: {inner} }}{close}"));
            discover(&path, &deeper, keys);
            keys.insert(path);
        }
    }
}

/// The keys that are accepted in the place of `zzz`.
fn accepted(text: &str) -> Vec<String> {
    let error = config::parse(text, Path::new("c.yml"), &fake_keys).expect_err("zzz is no key");
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
    environment: String,
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
    let help = help(&[command]);
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
    let note = |name: &str| {
        let (_, rest) = text.split_once(&format!("[{name}: "))?;
        rest.split_once(']').map(|(value, _)| value.to_owned())
    };
    let (head, _) = text.split_once(" [").expect("a flag has notes");
    let (usage, what) = head.split_once('>').expect("a flag has a value");
    let what = what.trim_start_matches('.').trim();
    let values = note("possible values");
    Flag {
        name: usage.split(' ').next().unwrap_or_default().to_owned(),
        environment: note("env").expect("a flag has a variable").trim_end_matches('=').to_owned(),
        default: note("default"),
        help: values.map_or_else(|| what.to_owned(), |values| format!("{what}: {values}")),
    }
}
