//! The mistakes and warnings of a file, each with its place in it, and the checks that all sections
//! share.

use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{HashMap, HashSet},
    fmt::{self, Display},
    path::{Path, PathBuf},
    time::Duration,
};

use super::places::{Place, Places};
use crate::huawei::credentials::Environment;

/// Names are labels on every series.
const LONGEST_NAME: usize = 128;

/// The mistakes in a configuration, in lines fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The mistakes; each begins with the file's name.
    pub mistakes: Vec<String>,
}

impl ConfigError {
    /// The only mistake of a file: its text cannot be read or has the wrong shape.
    pub(super) fn of_file(file: &Path, what: impl Display) -> Self {
        Self { mistakes: vec![format!("{}:{what}", file.display())] }
    }
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistakes.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// A file that is being converted, and the mistakes and warnings in it so far. Checks note a mistake
/// and go on, so that one run reports all of them.
pub(super) struct Context<'a> {
    file: &'a Path,
    pub(super) text: &'a str,
    pub(super) environment: Environment,
    /// Check only the text: the files and variables that it names may be missing here.
    pub(super) text_only: bool,
    /// Computed only when there is something to report, which is rare.
    places: OnceCell<Places>,
    /// The keys that projects have from `defaults`, such as `projects[3].paging`.
    inherited: Vec<String>,
    mistakes: Vec<Note>,
    warnings: Vec<Note>,
}

/// A message, and its place in the file, if it has one.
struct Note {
    place: Option<Place>,
    line: String,
}

/// The lines in the order of the file, which is not that of the checks.
fn in_order(mut notes: Vec<Note>) -> Vec<String> {
    notes.sort_by_key(|note| note.place);
    let mut lines: Vec<String> = notes.into_iter().map(|note| note.line).collect();
    // A default is found wrong in every project that has it.
    let mut seen = HashSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

impl<'a> Context<'a> {
    /// No mistakes so far, and an empty environment.
    pub(super) fn new(file: &'a Path, text: &'a str, text_only: bool) -> Self {
        let (environment, places, inherited, mistakes, warnings) = Default::default();
        Self { file, text, environment, text_only, places, inherited, mistakes, warnings }
    }

    /// The warnings.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub(super) fn finish(self) -> Result<Vec<String>, ConfigError> {
        match self.mistakes.is_empty() {
            true => Ok(in_order(self.warnings)),
            false => Err(ConfigError { mistakes: in_order(self.mistakes) }),
        }
    }

    pub(super) fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    pub(super) fn mistake(&mut self, path: &str, found: impl Display, expected: impl Display) {
        self.refuse(path, format_args!("found {found}, expected {expected}"));
    }

    /// A mistake with a message of its own.
    pub(super) fn refuse(&mut self, path: &str, what: impl Display) {
        let note = self.note(path, what);
        self.mistakes.push(note);
    }

    pub(super) fn warning(&mut self, path: &str, what: impl Display) {
        let note = self.note(path, what);
        self.warnings.push(note);
    }

    /// A project has this key from `defaults`, where messages about it are to point.
    pub(super) fn inherited(&mut self, project: &str, key: &str) {
        self.inherited.push(format!("{project}.{key}"));
    }

    /// The path under which a value is written.
    fn written<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let below = |of: &String| {
            let rest = path.strip_prefix(&**of)?;
            let key = of.rsplit('.').next()?;
            let is_below = rest.is_empty() || rest.starts_with(['.', '[']);
            is_below.then(|| format!("defaults.{key}{rest}"))
        };
        self.inherited.iter().find_map(below).map_or(path.into(), Cow::Owned)
    }

    fn note(&self, path: &str, what: impl Display) -> Note {
        let path = &*self.written(path);
        let file = self.file.display();
        let place = self.places().nearest(path);
        let at = place.map(|Place { line, column }| format!(":{line}:{column}"));
        Note { place, line: format!("{file}{}: {path}: {what}", at.unwrap_or_default()) }
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::of(self.text))
    }

    /// Another key, with its line if it is written.
    pub(super) fn other(&self, path: &str) -> String {
        let path = &*self.written(path);
        let line = self.places().find(path).map(|place| format!(" (line {})", place.line));
        format!("{path}{}", line.unwrap_or_default())
    }

    /// The value, or a mistake; the error says what was expected.
    pub(super) fn ok<T, E: Display>(
        &mut self,
        path: &str,
        found: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|expected| self.refuse(path, format_args!("found {found:?}, {expected}")))
            .ok()
    }

    /// A value that must lie between two others; where it is not written, the default is filled in.
    pub(super) fn between<T: PartialOrd + Display + Copy>(
        &mut self,
        path: &str,
        written: &mut Option<T>,
        default: T,
        (least, most): (T, T),
    ) -> T {
        let value = *written.get_or_insert(default);
        if (least..=most).contains(&value) {
            return value;
        }
        self.mistake(path, value, format_args!("{least} to {most}"));
        default
    }

    /// A duration, if one is written.
    pub(super) fn duration(&mut self, path: &str, written: Option<&str>) -> Option<Duration> {
        let text = written?;
        let duration = humantime::parse_duration(text).map_err(|error| {
            let expected = format!("a duration like 30s or 5m ({error})");
            self.mistake(path, format_args!("{text:?}"), expected);
        });
        duration.ok()
    }

    /// A name that people read and labels carry.
    pub(super) fn name(&mut self, path: &str, name: &str) {
        if let Err(expected) = check_name(name) {
            self.mistake(path, format_args!("{name:?}"), expected);
        }
    }

    /// A value that no other place may have; `seen` has the first place of each.
    pub(super) fn unique(&mut self, seen: &mut HashMap<String, String>, path: &str, value: &str) {
        if let Some(first) = seen.get(value) {
            let expected = format!("a value that is not already at {}", self.other(first));
            self.mistake(path, format_args!("{value:?}"), expected);
        } else {
            seen.insert(value.to_owned(), path.to_owned());
        }
    }

    /// A path, made absolute: relative to the file, or to the home folder if it begins with `~/`.
    pub(super) fn path(&self, written: &mut String) -> PathBuf {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let path = folder.join(self.environment.expand_home(written));
        *written = path.display().to_string();
        path
    }
}

/// A duration as people write it.
pub(super) fn human(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Checks if the configuration takes a text as a name or a pattern.
///
/// # Errors
/// The expected form.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("1 to {LONGEST_NAME} bytes without control characters"));
    }
    Ok(())
}
