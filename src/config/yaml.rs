//! Text to YAML and back: a file is read completely, and a mistake of its shape is reported in one line.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use serde_saphyr::{
    Error, UserMessageFormatter,
    budget::BudgetBreach,
    options::{MergeKeyPolicy, NonFiniteFloatPolicy, Options},
};

use super::diagnostics::ConfigError;
use crate::files::{Others, read_capped};

/// A configuration file has some hundred bytes a cluster; this is room for 50,000 of them.
const LARGEST_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// The file's own nesting is 7 deep.
const DEEPEST: usize = 16;
/// A cluster takes 7 nodes; this is as much as the largest file can hold.
const MOST_NODES: usize = 2_000_000;

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is no text.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let bytes = read_capped(path, LARGEST_FILE_BYTES, Others::MayRead)
        .map_err(|error| ConfigError::of_file(path, format_args!(" {error}")))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        ConfigError::of_file(path, format_args!("{line}:{column}: not UTF-8"))
    })?;
    Ok(text.to_owned())
}

/// Reads the YAML. `path` is for messages.
///
/// # Errors
/// The first mistake of shape, with its line and column. No value of the file is in it.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let place = error.location().map(|at| format!("{}:{}:", at.line(), at.column()));
        let what = plain_message(&error);
        ConfigError::of_file(path, format_args!("{} {what}", place.unwrap_or_default()))
    })
}

/// A value as YAML.
pub(super) fn write(value: &impl Serialize) -> String {
    // Texts, numbers and lists of them: nothing that YAML cannot hold.
    serde_saphyr::to_string(value)
        .unwrap_or_else(|error| format!("# cannot be written as YAML: {error}\n"))
}

fn options() -> Options {
    serde_saphyr::options! {
        // A snippet of the file in the message could show a secret.
        with_snippet: false,
        emit_comments: false,
        strict_booleans: true,
        merge_keys: MergeKeyPolicy::Error,
        // The checks of values refuse these, and say what is expected.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_depth: DEEPEST,
            max_nodes: MOST_NODES,
            max_events: 2 * MOST_NODES,
            // A file that repeats itself by reference cannot be read from top to bottom, and can
            // be made to grow without bound.
            max_anchors: 0,
            max_aliases: 0,
        },
    }
}

fn plain_message(error: &Error) -> String {
    let error = error.without_snippet();
    match error {
        Error::Budget {
            breach: BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. },
            ..
        }
        | Error::UnknownAnchor { .. } => {
            return "anchors and aliases are not supported; write the value out".into();
        }
        Error::MergeKeyNotAllowed { .. } => {
            return "merge keys (<<) are not supported; write the values out".into();
        }
        Error::InvalidBooleanStrict { .. } => return "expected true or false".into(),
        Error::MultipleDocuments { .. } => return "expected one document, found another".into(),
        _ => {}
    }
    let message = error.render_with_formatter(&UserMessageFormatter);
    let line = message.lines().next().unwrap_or_default();
    // The place comes first, as compilers write it.
    let line = line.rsplit_once(" at line ").map_or(line, |(what, _)| what);
    match line {
        "expected mapping start" => "expected a mapping (key: value)".into(),
        "expected sequence start" => "expected a list (- item)".into(),
        "expected string scalar" => "expected a text".into(),
        "invalid u32" => format!("expected a whole number, 0 to {}", u32::MAX),
        "invalid floating point" => "expected a number".into(),
        // The text could be a secret in the wrong place.
        line if line.starts_with("invalid type: ") || line.starts_with("invalid value: ") => line
            .rsplit_once(", expected ")
            .map_or_else(String::new, |(_, what)| format!("expected {what}")),
        line => line.to_owned(),
    }
}
