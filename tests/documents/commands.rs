//! Commands, flags and environment variables.

use std::{cell::RefCell, collections::BTreeSet, process::Command};

use css_vpcep_exporter::huawei::credentials;

use super::{code, codes, expect_table, one_line, row, words};

const COMMANDS: [&str; 15] = [
    "serve",
    "demo",
    "simulate",
    "collect",
    "check-config",
    "service list",
    "service show",
    "service plan",
    "service apply",
    "connection list",
    "connection accept",
    "connection reject",
    "audit verify",
    "audit show",
    "token",
];

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
        "--quick",
        "--peer",
        "--stop-timeout",
        "--read-only",
        "--rm",
        "--tmpfs",
    ];
    // A token is never an argument; a revision is built in.
    let no_flags = ["CSS_VPCEP_EXPORTER_ADMIN_TOKEN", "CSS_VPCEP_EXPORTER_REVISION"];
    for word in words(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        let word = word.trim_end_matches('.');
        let is_flag =
            word.strip_prefix("--").is_some_and(|rest| rest.starts_with(char::is_alphabetic));
        assert!(!is_flag || names.contains(word) || others.contains(&word), "no flag {word}");
        let is_variable = word.starts_with("CSS_VPCEP_EXPORTER_") && !word.ends_with('_');
        let is_known = || {
            no_flags.contains(&word)
                || flags.iter().any(|(flag, _)| flag.environment.as_deref() == Some(word))
        };
        assert!(!is_variable || is_known(), "no environment variable {word}");
    }
}

#[test]
fn the_environment_variables_of_credentials_are_those_that_are_read() {
    let read = RefCell::new(BTreeSet::new());
    credentials::Environment::capture(&|name| {
        // Proxies have their names in lower case too.
        read.borrow_mut().insert(name.to_ascii_uppercase());
        None
    });
    let is_one = |word: &&str| {
        let starts = ["HUAWEICLOUD_SDK_", "CLOUD_SDK_", "HC_CONTAINER_", "HOME"];
        let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
        proxies.contains(word) || starts.iter().any(|start| word.starts_with(start))
    };
    let written: BTreeSet<_> = words(|byte| byte.is_ascii_uppercase() || byte == b'_')
        .filter(is_one)
        .filter(|word| !word.ends_with('_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(written, read.into_inner());
}

#[derive(PartialEq)]
struct Flag {
    name: String,
    environment: Option<String>,
    default: Option<String>,
    help: String,
}

pub(super) fn help(command: &[&str]) -> String {
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
