//! Nothing imports upwards: which module may use which other, as a table.

mod circles;
mod paths;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::support::here;
use paths::Source;

/// Each module of the library, with those that it uses. A new module needs a row here.
const ALLOWED: &[(&str, &[&str])] = &[
    // Of the tests alone.
    ("random_tests", &[]),
    ("files", &[]),
    ("globs", &["random_tests"]),
    ("label", &[]),
    ("model", &["label"]),
    ("secret", &[]),
    ("text", &[]),
    ("tls", &[]),
    ("clock", &[]),
    ("stats", &["label"]),
    ("sim", &[]),
    ("pacing", &[]),
    ("web", &["clock", "files", "secret", "stats", "text"]),
    ("cloud", &["label", "model", "pacing"]),
    (
        "huawei",
        &[
            "clock",
            "cloud",
            "files",
            "label",
            "model",
            "pacing",
            "random_tests",
            "secret",
            "stats",
            "text",
            "tls",
        ],
    ),
    ("audit", &["clock", "label", "model", "random_tests", "text"]),
    ("board", &["cloud", "label", "model", "random_tests", "text"]),
    ("poll", &["board", "clock", "cloud", "globs", "model", "pacing", "random_tests", "stats"]),
    (
        "change",
        &[
            "audit",
            "board",
            "clock",
            "cloud",
            "label",
            "model",
            "pacing",
            "random_tests",
            "stats",
            "text",
        ],
    ),
    ("exposition", &["board", "clock", "cloud", "model", "random_tests", "stats"]),
    ("public", &["board", "clock", "cloud", "exposition", "model", "stats", "text", "web"]),
    (
        "admin",
        &["audit", "board", "change", "clock", "cloud", "globs", "model", "poll", "stats", "web"],
    ),
    (
        "config",
        &[
            "admin",
            "board",
            "exposition",
            "files",
            "globs",
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
            "label",
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
            "admin",
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
            "label",
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
    let source = here("src");
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

/// A file that no module names is not compiled, and nothing else would notice it.
#[test]
fn every_file_is_a_module() {
    let source = here("src");
    for file in rust_files(&source) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let folder = file.parent().unwrap();
        if folder == source && ["lib", "main"].contains(&name) {
            continue;
        }
        let parent = match folder == source {
            true => source.join("lib.rs"),
            false => folder.with_extension("rs"),
        };
        let text = fs::read_to_string(&parent).unwrap();
        let named = text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};")));
        assert!(named, "{} has no `mod {name};`", parent.display());
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

/// The modules that a text uses, in imports and elsewhere.
fn uses_of(text: &str) -> BTreeSet<String> {
    let source = Source::read(text);
    let paths = source.imports.iter().map(|import| &import.path).chain(&source.paths);
    paths.filter(|path| path[0] == "crate").filter_map(|path| path.get(1).cloned()).collect()
}

#[test]
fn uses_are_found_in_all_their_forms() {
    let cases: [(&str, &[&str]); 6] = [
        ("use crate::{a::{self, x::Y}, b, c::Z};\nuse crate::d::E;", &["a", "b", "c", "d"]),
        ("use crate::{\n    a::B,\n    c::{\n        D,\n    },\n};", &["a", "c"]),
        ("fn f() -> crate::a::B { crate::c::d() }", &["a", "c"]),
        ("// crate::a\nlet x = 1; // crate::b", &[]),
        (r##"let x = ["crate::a", r#""crate::b"#]; let y = ('"', b'\'', crate::c);"##, &["c"]),
        ("use super::a;", &[]),
    ];
    for (text, expected) in cases {
        let expected = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(uses_of(text), expected, "{text}");
    }
}
