//! No two files of a module need each other, neither directly nor around a circle, so that each module can
//! be read from its lowest file up.
//!
//! A file needs another one of its module if a path in it leads there, be it through a file that hands on what
//! another one defines (`pub use child::Item;`). What a file needs of its own parts, those in the folder of its
//! name, is not counted: it stands above them, although they may use what it defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{
    paths::{Source, Words},
    rust_files,
};
use crate::support::here;

/// The files by the paths of their modules.
type Sources = BTreeMap<Words, Source>;

/// Which names each file takes from which other files of its module.
type Needs = BTreeMap<Words, BTreeMap<Words, BTreeSet<String>>>;

#[test]
fn no_two_files_of_a_module_need_each_other() {
    let folder = here("src");
    let sources = rust_files(&folder).into_iter().filter_map(|file| {
        let inside = file.strip_prefix(&folder).unwrap().with_extension("");
        let module: Words = inside.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        let is_part = !["lib", "main"].contains(&&*module[0]);
        let is_code = is_part && !module.iter().any(|name| name == "tests");
        is_code.then(|| (module, without_tests(&fs::read_to_string(file).unwrap())))
    });
    let circles = circles(&needs(&sources.collect()));
    assert!(circles.is_empty(), "{} circles\n{}", circles.len(), circles.join("\n"));
}

fn without_tests(text: &str) -> Source {
    Source::read(text.split("#[cfg(test)]\nmod tests {").next().unwrap())
}

fn needs(sources: &Sources) -> Needs {
    let mut needs = Needs::new();
    for (module, source) in sources {
        let is_used = |name: &String| source.paths.iter().any(|path| path[0] == *name);
        let imports = source.imports.iter();
        let imports = imports.filter(|import| !import.is_handed_on || is_used(&import.name));
        let inline = source.paths.iter().filter(|path| path.len() > 1);
        for path in imports.map(|import| &import.path).chain(inline) {
            let Some(target) = defining(sources, module, path) else { continue };
            if !target.starts_with(module) && target.first() == module.first() {
                let name = path.last().unwrap().clone();
                needs.entry(module.clone()).or_default().entry(target).or_default().insert(name);
            }
        }
    }
    needs
}

/// The file that defines what a path in a file means, if it is one of the library.
fn defining(sources: &Sources, module: &[String], path: &[String]) -> Option<Words> {
    let mut place = match &*path[0] {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len() - 1].to_vec(),
        child => [module, &[child.to_owned()]].concat(),
    };
    if !place.is_empty() && !sources.contains_key(&place) {
        return None;
    }
    for (at, name) in path.iter().enumerate().skip(1) {
        if name == "super" {
            place.pop();
            continue;
        }
        let child = [&*place, std::slice::from_ref(name)].concat();
        if sources.contains_key(&child) {
            place = child;
            continue;
        }
        let mut imports = sources.get(&place)?.imports.iter();
        let Some(import) = imports.find(|import| import.name == *name) else { break };
        return defining(sources, &place, &[&*import.path, &path[at + 1..]].concat());
    }
    Some(place)
}

/// Each group of files that need each other, with the names that tie them.
fn circles(needs: &Needs) -> Vec<String> {
    let mut reached = BTreeMap::new();
    for start in needs.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(targets) = next.pop().map(|module| needs.get(module)) {
            let new = targets.into_iter().flat_map(BTreeMap::keys);
            next.extend(new.filter(|target| seen.insert((*target).clone())));
        }
        reached.insert(start, seen);
    }
    let together = |one: &Words, other: &Words| {
        reached[one].contains(other) && reached.get(other).is_some_and(|seen| seen.contains(one))
    };
    let mut circles = BTreeMap::<Vec<&Words>, String>::new();
    for (module, targets) in needs {
        let circle: Vec<_> = needs.keys().filter(|other| together(module, other)).collect();
        for (target, names) in targets.iter().filter(|(target, _)| together(module, target)) {
            let line = format!("  {} -> {}: {names:?}\n", module.join("::"), target.join("::"));
            *circles.entry(circle.clone()).or_default() += &line;
        }
    }
    circles.into_values().collect()
}

#[test]
fn circles_are_found_through_those_who_hand_on() {
    let found = |files: &[(&str, &str)]| {
        let source = |(name, text): &(&str, &str)| {
            (name.split("::").map(str::to_owned).collect(), without_tests(text))
        };
        circles(&needs(&files.iter().map(source).collect()))
    };
    let parent = ("m", "mod a; mod b; pub use a::A; use b::{self, B as Bee}; struct M;");
    let straight = [parent, ("m::a", "use super::Bee;"), ("m::b", "struct B(super::M);")];
    assert_eq!(found(&straight), Vec::<String>::new());
    let expected = "  m::a -> m::b: {\"Bee\"}\n  m::b -> m::a: {\"A\"}\n";
    for back in ["fn b() -> super::A {}", "use super::{M, A};", "use crate::m::a::A;"] {
        let circle = [parent, ("m::a", "use super::Bee;"), ("m::b", back)];
        assert_eq!(found(&circle), [expected], "{back}");
    }
    let test = "#[cfg(test)]\nmod tests {\n    use super::super::A;\n}\n";
    assert_eq!(found(&[parent, ("m::a", "use super::Bee;"), ("m::b", test)]), Vec::<String>::new());
}
