//! The documents say what the program does: their tables, example configurations, flags and
//! names are compared with the code and with the binary. Where a table differs, the failure prints
//! it as it should be. So are the PromQL of all documents, and what the runbooks quote.

mod commands;
mod configuration;
mod language;
mod promql;
mod runbooks;
mod schema;
mod tables;

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
    sync::LazyLock,
};

use crate::support::here;

/// The documents that tell the reader about the program; each folder counts with all of its pages.
const PAGES: [&str; 6] = [
    "README.md",
    "CONTRIBUTING.md",
    "deploy/manual",
    "deploy/runbooks/README.md",
    "dashboards/README.md",
    "tests/README.md",
];
/// The documents whose links are followed, besides.
const OTHERS: [&str; 4] =
    ["CHANGELOG.md", "SECURITY.md", "deploy/runbooks", "deploy/helm/css-vpcep-exporter/README.md"];

/// The text of [`PAGES`] as one: a table is found wherever it stands.
static MANUAL: LazyLock<String> = LazyLock::new(|| pages(&PAGES).into_values().collect());

/// Documents by path; a folder gives all that it has.
fn pages(paths: &[&str]) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for path in paths.iter().map(Path::new) {
        if path.extension().is_some() {
            found.insert(path.to_owned(), read(path));
            continue;
        }
        for entry in fs::read_dir(at(path)).expect("the folder is there") {
            let page = path.join(entry.expect("it can be listed").file_name());
            found.insert(page.clone(), read(&page));
        }
    }
    found
}

fn at(path: &Path) -> PathBuf {
    here(path.to_str().expect("it is text"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn links_lead_somewhere() {
    let mut all = pages(&PAGES);
    all.extend(pages(&OTHERS));
    let mut seen = 0;
    for (page, text) in &all {
        for link in outside_code(text).flat_map(|line| line.split("](").skip(1)) {
            let target = link.split(')').next().unwrap_or_default();
            seen += 1;
            let leads = target.starts_with("https://") || leads_somewhere(&all, page, target);
            assert!(leads, "{}: {target} leads nowhere", page.display());
        }
    }
    assert!(seen > 100, "{seen} links were found");
}

/// Whether the file that a link of `page` names is there, and in it the heading.
fn leads_somewhere(all: &BTreeMap<PathBuf, String>, page: &Path, target: &str) -> bool {
    let (file, heading) = target.split_once('#').map_or((target, None), |(f, h)| (f, Some(h)));
    let file = match file {
        "" => page.to_owned(),
        file => without_dots(&page.parent().expect("a page is in a folder").join(file)),
    };
    let has = |heading: &str| {
        let text = all.get(&file).map(String::as_str).unwrap_or_default();
        let mut headings = outside_code(text).filter(|line| line.starts_with('#'));
        headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading)
    };
    at(&file).exists() && heading.is_none_or(has)
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leaves the project", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// It is the door to the manual, not a second one.
#[test]
fn the_readme_is_short_and_begins_with_pictures() {
    let readme = read(Path::new("README.md"));
    assert!(readme.lines().count() <= 250, "{} lines", readme.lines().count());
    let first_screen: Vec<_> = readme.lines().take(12).collect();
    assert_eq!(first_screen.concat().matches("![").count(), 2);
}

/// A heading is looked for in all pages, so a table or a link would find the wrong one.
#[test]
fn no_heading_stands_twice() {
    let mut seen = BTreeMap::new();
    for (page, text) in pages(&PAGES) {
        for line in outside_code(&text).filter(|line| line.starts_with('#')) {
            let heading = line.trim_start_matches('#').trim().to_owned();
            let other = seen.insert(heading.clone(), page.clone());
            assert_eq!(other, None, "{heading:?} stands in {} too", page.display());
        }
    }
}

#[test]
fn the_texts_are_finished_and_name_no_machine() {
    let unfit =
        ["TODO", "FIXME", "XXX", "/work/", "/home/", "/root/", "/tmp/", "/Users/", "file://"];
    for (page, text) in pages(&PAGES).into_iter().chain(pages(&OTHERS)) {
        for (number, line) in text.lines().enumerate() {
            let found = unfit.iter().find(|word| line.contains(**word));
            let place = format!("{}:{}", page.display(), number + 1);
            assert_eq!(found, None, "{place}: {line}");
            assert_eq!(line, line.trim_end(), "{place} ends in blanks");
        }
        assert!(
            text.ends_with('\n') && text.matches("\n```").count() % 2 == 0,
            "{}",
            page.display()
        );
    }
}

/// Fails with the whole table, ready to be pasted, where the documents have another one.
fn expect_table(heading: &str, rows: impl Iterator<Item = String>) {
    let expected: Vec<_> = rows.collect();
    let written: Vec<_> = table(heading).collect();
    assert!(written == expected, "{heading:?} should have these rows:\n{}\n", expected.join("\n"));
}

/// The rows of the one table below a heading, without its head.
fn table(heading: &str) -> impl Iterator<Item = &'static str> {
    let is_heading =
        move |line: &&str| line.starts_with('#') && line.trim_start_matches('#').trim() == heading;
    let mut lines = MANUAL.lines().skip_while(move |line| !is_heading(line));
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
    MANUAL.split(move |c: char| !(c.is_ascii() && belongs(c as u8))).filter(|word| !word.is_empty())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fenced blocks of the manual: language and text.
fn code_blocks() -> impl Iterator<Item = (&'static str, String)> {
    MANUAL.split("\n```").skip(1).step_by(2).filter_map(|block| {
        let (language, text) = block.split_once('\n')?;
        Some((language, format!("{text}\n")))
    })
}

fn outside_code(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n```").step_by(2).flat_map(str::lines)
}

/// The name that a heading has in links.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
