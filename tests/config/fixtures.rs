//! Every file of `tests/data/config`. Comments at the top of a file say what to expect of it:
//! `expect: TEXT` in the messages, `mistakes: NUMBER` (1), `warns: TEXT`, and `env: NAME=VALUE`; and
//! `no place: REASON` where no message can name a line.

use super::*;

/// What a file says of itself: the values of the comments that begin with a word.
pub(super) fn remarks<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let prefix = format!("# {word}: ");
    text.lines().filter_map(|line| line.strip_prefix(&prefix)).collect()
}

/// All files with this ending: path, text and environment.
fn fixtures(ending: &str) -> Vec<(PathBuf, String, Variables)> {
    let folder = fs::read_dir(here("tests/data/config")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    paths.sort();
    let fixture = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let more: Vec<_> = remarks(&text, "env")
            .into_iter()
            .map(|pair| pair.split_once('=').expect("NAME=VALUE"))
            .collect();
        let variables = variables(&more);
        (path, text, variables)
    };
    paths.into_iter().map(fixture).collect()
}

#[test]
fn every_file_is_good_or_bad() {
    let folder = fs::read_dir(here("tests/data/config")).unwrap();
    for path in folder.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let known = [".good.yml", ".bad.yml", ".cost.txt"];
        assert!(known.iter().any(|ending| name.ends_with(ending)), "{name}");
    }
}

#[test]
fn good_files_load_with_the_warnings_they_expect() {
    let fixtures = fixtures(".good.yml");
    assert!(fixtures.len() >= 10);
    for (path, text, variables) in fixtures {
        let config = load(&path, &variables).unwrap_or_else(|error| panic!("{error}"));
        let expected = remarks(&text, "warns");
        assert_eq!(config.warnings.len(), expected.len(), "{path:?}: {:?}", config.warnings);
        for (warning, expected) in config.warnings.iter().zip(expected) {
            assert!(warning.contains(expected), "{path:?}: {warning}");
            assert!(!warning.contains(CANARY), "{warning}");
        }
    }
}

#[test]
fn bad_files_fail_for_the_reason_they_expect_and_no_other() {
    let fixtures = fixtures(".bad.yml");
    assert!(fixtures.len() >= 40, "only {}", fixtures.len());
    let complaints: Vec<_> = fixtures.iter().flat_map(complaints).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What is not as a bad file expects it.
fn complaints((path, text, variables): &(PathBuf, String, Variables)) -> Vec<String> {
    match load(path, variables) {
        Ok(_) => vec![format!("{path:?} is taken")],
        Err(error) => unexpected(path, text, &error.mistakes),
    }
}

/// How the mistakes of a bad file are not those that it expects.
pub(super) fn unexpected(path: &Path, text: &str, mistakes: &[String]) -> Vec<String> {
    let path = path.to_str().unwrap();
    let mut complaints = Vec::new();
    let mut check = |good: bool, what: String| {
        if !good {
            complaints.push(format!("{path}: {what}: {mistakes:#?}"));
        }
    };
    let expected = remarks(text, "expect");
    check(!expected.is_empty(), "does not say what to expect".into());
    for expected in expected {
        let found = mistakes.iter().any(|mistake| mistake.contains(expected));
        check(found, format!("{expected:?} is not there"));
    }
    let count = remarks(text, "mistakes").first().map_or(1, |count| count.parse().unwrap());
    check(mistakes.len() == count, format!("not {count}"));
    let has_place = remarks(text, "no place").is_empty();
    for mistake in mistakes {
        check(mistake.starts_with(path), "without the file's name".into());
        check(names_a_place(path, mistake) == has_place, "line and column".into());
        check(!mistake.contains(CANARY), "shows a secret".into());
        check(!mistake.contains(['\n', '\r']), "more than a line".into());
    }
    complaints
}

/// Whether a message begins with `FILE:LINE:COLUMN: `.
fn names_a_place(path: &str, mistake: &str) -> bool {
    let numbers: Vec<_> = mistake[path.len()..].splitn(4, ':').collect();
    matches!(numbers[..], ["", line, column, what]
        if line.parse::<u32>().is_ok() && column.parse::<u32>().is_ok() && what.starts_with(' '))
}
