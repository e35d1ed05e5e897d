//! The README says what the program does: its tables, its example configuration, its flags and its
//! names are compared with the code and with the binary. Where a table differs, the failure prints
//! it as it should be. So are the PromQL of all documents, and what the runbooks quote.

mod commands;
mod configuration;
mod promql;
mod runbooks;
mod tables;

use std::collections::BTreeSet;

use crate::support::here;

const README: &str = include_str!("../README.md");

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
