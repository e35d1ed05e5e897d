//! Everything that the runbooks quote exists: messages and words in the code, routes, commands, sections of
//! the manual.

use std::{collections::BTreeSet, fs, path::Path};

use super::{MANUAL, commands::help, one_line};
use crate::support::here;

/// Quotations that belong to other programs, their protocols, or the reader's own machine.
const FOREIGN: [&str; 7] = [
    "chronyc tracking",
    "css:VPCEndpoint:manageConnection",
    "curl http://INSTANCE/-/healthy",
    "df",
    "df -i",
    "dmesg",
    "timedatectl",
];

#[test]
fn what_the_runbooks_quote_is_there() {
    let code = one_line(&code());
    let rules = one_line(&text("deploy/prometheus/rules.yml"));
    let headings: Vec<_> = MANUAL.lines().filter(|line| line.starts_with('#')).collect();
    let mut mistakes = BTreeSet::new();
    let mut foreign: BTreeSet<_> = FOREIGN.into_iter().collect();
    let mut seen = 0;
    for (name, runbook) in runbooks() {
        for mark in marked(&runbook) {
            seen += 1;
            let is_there = foreign.remove(&*mark)
                || FOREIGN.contains(&&*mark)
                || is_route(&code, &mark)
                || is_command(&mark)
                || [&code, &*MANUAL, &rules].iter().any(|text| holds(text, &mark));
            if !is_there {
                mistakes.insert(format!("{name}: `{mark}` is nowhere"));
            }
        }
        for quotation in quoted(&runbook) {
            seen += 1;
            let is_there = headings.iter().any(|line| line.ends_with(&format!("# {quotation}")))
                || [&code, &rules].iter().any(|text| holds(text, &quotation));
            if !is_there {
                mistakes.insert(format!("{name}: \"{quotation}\" is nowhere"));
            }
        }
    }
    assert!(seen > 150, "{seen} quotations were found");
    assert!(mistakes.is_empty(), "{}", mistakes.into_iter().collect::<Vec<_>>().join("\n"));
    assert_eq!(foreign, BTreeSet::new(), "no runbook has these any more");
}

fn text(path: &str) -> String {
    let path = here(path);
    let text = fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The name and text of each runbook, without its code blocks.
fn runbooks() -> Vec<(String, String)> {
    let folder = here("deploy/runbooks");
    let names = fs::read_dir(folder).expect("the folder is there");
    let names = names.map(|entry| entry.expect("it can be listed").file_name());
    let names = names.map(|name| name.into_string().expect("it is text"));
    names
        .filter(|name| name != "README.md")
        .map(|name| {
            let text = text(&format!("deploy/runbooks/{name}"));
            let outside: Vec<_> = text.split("```").step_by(2).collect();
            (name, outside.concat())
        })
        .collect()
}

/// The program without its comments and its tests, and with strings whole that are broken over lines.
pub(super) fn code() -> String {
    fn add(folder: &Path, code: &mut String) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            if path.is_dir() {
                add(&path, code);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "html") {
                let text = fs::read_to_string(&path).expect("it is text");
                // They are the last thing in a file.
                let text = text.split("mod tests {\n").next().unwrap_or_default();
                let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                for line in lines {
                    *code += line.trim_end_matches('\\');
                    code.push('\n');
                }
            }
        }
    }
    let mut code = String::new();
    add(&here("src"), &mut code);
    code
}

/// The texts in backticks.
fn marked(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(one_line)
}

/// The texts in quotation marks, but not in backticks.
fn quoted(text: &str) -> Vec<String> {
    let prose: Vec<_> = text.split('`').step_by(2).collect();
    prose.join("_").split('"').skip(1).step_by(2).map(one_line).collect()
}

/// Whether it occurs there as whole words.
fn holds(text: &str, words: &str) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(words).any(|(at, _)| {
        !text[..at].ends_with(is_of_word) && !text[at + words.len()..].starts_with(is_of_word)
    })
}

/// `METHOD /path?query`, of which the code has the path.
fn is_route(code: &str, quoted: &str) -> bool {
    let path = quoted.split_once(' ').map_or(quoted, |(_, path)| path);
    let path = path.split('?').next().unwrap_or_default();
    let is_placeholder = |part: &str| part.starts_with(|c: char| c.is_uppercase());
    let is_same = |route: &str| {
        let (mut parts, mut others) = (path.split('/'), route.split('/'));
        loop {
            match (parts.next(), others.next()) {
                (None, None) => return true,
                (Some(part), Some(other)) => {
                    if part != other && !(is_placeholder(part) && other.starts_with('{')) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    };
    path.starts_with('/') && code.split('"').filter(|one| one.starts_with('/')).any(is_same)
}

/// A command of the program, with flags that it has.
fn is_command(quoted: &str) -> bool {
    let Some(rest) = quoted.strip_prefix("css-vpcep-exporter ") else { return false };
    let words: Vec<_> = rest.split(' ').filter(|word| word.is_ascii()).collect();
    let (flags, command): (Vec<&str>, Vec<&str>) =
        words.into_iter().partition(|word| word.starts_with("--"));
    let help = help(&command);
    flags.iter().all(|flag| holds(&help, flag))
}
