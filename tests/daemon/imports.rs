//! Nothing imports upwards: which module may use which other, as a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each module of the library, with those that it uses. A new module needs a row here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("model", &[]),
    ("secret", &[]),
    ("text", &[]),
    ("tls", &[]),
    ("clock", &[]),
    ("stats", &[]),
    ("sim", &[]),
    ("pacing", &[]),
    ("web", &["clock", "files", "secret", "stats", "text"]),
    ("cloud", &["model", "pacing"]),
    ("huawei", &["clock", "cloud", "files", "model", "pacing", "secret", "stats", "text", "tls"]),
    ("audit", &["clock", "model", "text"]),
    ("board", &["cloud", "model", "text"]),
    ("poll", &["board", "clock", "cloud", "model", "pacing", "stats"]),
    ("change", &["audit", "board", "clock", "cloud", "model", "pacing", "stats", "text"]),
    ("exposition", &["board", "clock", "cloud", "model", "stats"]),
    ("public", &["board", "clock", "cloud", "exposition", "model", "stats", "web"]),
    ("admin", &["audit", "board", "change", "clock", "cloud", "model", "poll", "stats", "web"]),
    (
        "config",
        &[
            "admin",
            "board",
            "exposition",
            "files",
            "huawei",
            "model",
            "pacing",
            "poll",
            "secret",
            "text",
            "web",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "audit",
            "board",
            "change",
            "clock",
            "cloud",
            "config",
            "exposition",
            "huawei",
            "model",
            "pacing",
            "poll",
            "public",
            "stats",
            "web",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "audit",
            "board",
            "change",
            "clock",
            "cloud",
            "config",
            "exposition",
            "files",
            "huawei",
            "model",
            "pacing",
            "poll",
            "public",
            "secret",
            "sim",
            "stats",
            "text",
            "tls",
            "web",
        ],
    ),
];

#[test]
fn modules_use_what_the_table_says_and_nothing_else() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&source) {
        let inside = file.strip_prefix(&source).unwrap().to_str().unwrap();
        let module = inside.split(['/', '.']).next().unwrap();
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let uses = uses_of(&text);
        used.entry(module.to_owned())
            .or_default()
            .extend(uses.into_iter().filter(|one| one != module));
    }
    let modules: Vec<&str> = used.keys().map(String::as_str).collect();
    let mut rows: Vec<&str> = ALLOWED.iter().map(|(module, _)| *module).collect();
    rows.sort();
    assert_eq!(rows, modules, "one row for each module, and a module for each row");
    for (module, may) in ALLOWED {
        let too_much: Vec<_> = used[*module].iter().filter(|one| !may.contains(&&***one)).collect();
        assert!(too_much.is_empty(), "{module} uses {too_much:?}");
        let unused: Vec<_> = may.iter().filter(|one| !used[*module].contains(**one)).collect();
        assert!(unused.is_empty(), "{module} may use {unused:?}, and does not");
    }
}

/// Rows that come later may use those before them, so that no two modules can use each other.
#[test]
fn the_table_has_no_circles() {
    for (at, (module, may)) in ALLOWED.iter().enumerate() {
        for one in *may {
            let below = ALLOWED[..at].iter().any(|(before, _)| before == one);
            assert!(below, "{module} may use {one}, which is not above it in the table");
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The first words of all paths that begin with `crate::`, in groups too.
fn uses_of(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_words(group)),
            None => found.extend([word(rest)]),
        }
    }
    found
}

/// The words at the top of a group, up to the brace that closes it.
fn first_words(group: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                words.extend(Some(word(group[start..at].trim())).filter(|word| !word.is_empty()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn uses_are_found_in_all_their_forms() {
    let cases: [(&str, &[&str]); 5] = [
        ("use crate::{a::{self, x::Y}, b, c::Z};\nuse crate::d::E;", &["a", "b", "c", "d"]),
        ("use crate::{\n    a::B,\n    c::{\n        D,\n    },\n};", &["a", "c"]),
        ("fn f() -> crate::a::B { crate::c::d() }", &["a", "c"]),
        ("// crate::a\nlet x = 1; // crate::b", &[]),
        ("use super::a;", &[]),
    ];
    for (text, expected) in cases {
        let expected = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(uses_of(text), expected, "{text}");
    }
}
