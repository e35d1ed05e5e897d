//! Words that were replaced in everything that people read, and that must not come back.

use std::{collections::BTreeSet, fs, path::Path};

use super::{at, one_line, pages, runbooks::code};

/// Each with the words that are used instead. Case does not matter.
const REPLACED: [(&str, &str); 19] = [
    ("anybody", "anyone"),
    ("as good as absent", "unset"),
    ("as wanted", "as requested, or matches"),
    ("breaks tls open", "intercepts TLS"),
    ("everybody", "everyone"),
    ("in vain", "what did not happen"),
    ("is as asked for", "matches"),
    ("is rejected since", "has been rejected since"),
    ("liked best first", "in order of preference"),
    ("look by day", "office hours"),
    ("mend", "correct"),
    ("nobody can see", "cannot be seen"),
    ("nobody knows", "is unknown"),
    ("somebody", "someone"),
    ("something is wrong", "troubleshooting"),
    ("surprise", "unexpected value"),
    ("surprises", "unexpected values"),
    ("taken for yes", "type yes"),
    ("whoever", "the person, caller or process who"),
];

#[test]
fn words_that_were_replaced_do_not_come_back() {
    let mut texts: Vec<_> = pages(&super::PAGES).into_iter().chain(pages(&super::OTHERS)).collect();
    for folder in ["deploy", "dashboards"] {
        add(Path::new(folder), &mut texts);
    }
    assert!(texts.len() > 80, "{} texts were found", texts.len());
    let code = code();
    texts.push(("string literals of src".into(), literals(&code)));
    // Names in the code may be what a text may not.
    texts.push(("src".into(), code.replace("Surprise", "").replace("surprise", "")));
    let mut mistakes = BTreeSet::new();
    for (path, text) in texts {
        let text = one_line(&text.replace('#', " ")).to_lowercase();
        for (word, instead) in REPLACED {
            if let Some(place) = find(&text, word) {
                let place = place.escape_debug();
                mistakes.insert(format!("{}: {instead}, not {word}: {place}", path.display()));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Adds the texts below a folder.
fn add(folder: &Path, texts: &mut Vec<(std::path::PathBuf, String)>) {
    for entry in fs::read_dir(at(folder)).expect("the folder is there") {
        let path = folder.join(entry.expect("it can be listed").file_name());
        if at(&path).is_dir() {
            add(&path, texts);
        } else if let Ok(text) = fs::read_to_string(at(&path)) {
            texts.push((path, text));
        }
    }
}

/// The words around a whole word; a part of a name, such as `api_surprises_total`, is none.
fn find(text: &str, word: &str) -> Option<String> {
    let is_of_name = |c: char| c.is_alphanumeric() || "_-:`".contains(c);
    let (at, _) = text.match_indices(word).find(|(at, _)| {
        !text[..*at].ends_with(is_of_name) && !text[at + word.len()..].starts_with(is_of_name)
    })?;
    let around = text[..at].chars().rev().take(40).count();
    let begin: usize = text[..at].chars().rev().take(around).map(char::len_utf8).sum();
    Some(text[at - begin..].chars().take(around + word.len() + 40).collect())
}

/// The string literals of code, each on a line. A quote in a character literal is none.
fn literals(code: &str) -> String {
    // Backslashes before the quotes that they may escape.
    let code =
        ["'\"'", r"\\", r#"\""#].iter().fold(code.to_owned(), |code, no| code.replace(no, ""));
    code.split('"').skip(1).step_by(2).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_replaced_word_is_found_as_a_whole_word_only() {
    assert_eq!(find("mend it", "mend"), Some("mend it".to_owned()));
    for text in ["amend it", "recommended", "css_mend", "mend-it"] {
        assert_eq!(find(text, "mend"), None, "{text}");
    }
    assert_eq!(literals(r#"f("a \"b\" c", '"', "d")"#), "a b c\nd");
}
