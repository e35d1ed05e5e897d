//! The mistakes and warnings of a file, each with its place in it, and the checks that all sections
//! share.

use std::{
    borrow::Cow,
    cell::{OnceCell, RefCell},
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

/// A file that is being converted, and the mistakes and warnings in it so far.
pub(super) struct Context<'a> {
    file: &'a Path,
    pub(super) text: &'a str,
    pub(super) environment: Environment,
    /// Check only the text: the files and variables that it names may be missing here.
    pub(super) text_only: bool,
    /// Computed only when there is something to report, which is rare.
    places: OnceCell<Places>,
    /// The keys that projects have from `defaults`, such as `projects[3].paging`.
    inherited: RefCell<Vec<String>>,
    mistakes: RefCell<Vec<Note>>,
    warnings: RefCell<Vec<Note>>,
}

/// A message, and its place in the file, if it has one.
struct Note {
    place: Option<Place>,
    line: String,
}

/// The lines in the order of the file, which is not that of the checks.
fn in_order(notes: RefCell<Vec<Note>>) -> Vec<String> {
    let mut notes = notes.into_inner();
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

    /// A key of the file's own level.
    pub(super) fn key(&self, key: &str) -> At<'_> {
        At { context: self, path: key.to_owned() }
    }

    /// The warnings.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub(super) fn finish(self) -> Result<Vec<String>, ConfigError> {
        match in_order(self.mistakes) {
            mistakes if mistakes.is_empty() => Ok(in_order(self.warnings)),
            mistakes => Err(ConfigError { mistakes }),
        }
    }

    pub(super) fn mistakes(&self) -> usize {
        self.mistakes.borrow().len()
    }

    /// The path under which a value is written.
    fn written<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let below = |of: &String| {
            let rest = path.strip_prefix(&**of)?;
            let key = of.rsplit('.').next()?;
            let is_below = rest.is_empty() || rest.starts_with(['.', '[']);
            is_below.then(|| format!("defaults.{key}{rest}"))
        };
        self.inherited.borrow().iter().find_map(below).map_or(path.into(), Cow::Owned)
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

    /// A path, made absolute: relative to the file, or to the home folder if it begins with `~/`.
    pub(super) fn path(&self, written: &mut String) -> PathBuf {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let path = folder.join(self.environment.expand_home(written));
        *written = path.display().to_string();
        path
    }
}

/// A key in a file, to which the messages about its value point. Checks note a mistake and go on, so that
/// one run reports all of them.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub(super) context: &'a Context<'a>,
    path: String,
}

impl<'a> At<'a> {
    /// A key below this one.
    pub(super) fn key(&self, key: &str) -> At<'a> {
        self.below(format_args!(".{key}"))
    }

    /// A key below this one that the user chose.
    pub(super) fn quoted(&self, key: &str) -> At<'a> {
        self.below(format_args!("[{key:?}]"))
    }

    /// The entries of a list, each with its place.
    pub(super) fn each<T>(
        &self,
        list: impl IntoIterator<Item = T>,
    ) -> impl Iterator<Item = (At<'a>, T)> {
        let at = move |(index, entry)| (self.below(format_args!("[{index}]")), entry);
        list.into_iter().enumerate().map(at)
    }

    fn below(&self, end: fmt::Arguments<'_>) -> At<'a> {
        At { context: self.context, path: format!("{}{end}", self.path) }
    }

    pub(super) fn mistake(&self, found: impl Display, expected: impl Display) {
        self.refuse(format_args!("found {found}, expected {expected}"));
    }

    /// A mistake where a value was to be.
    pub(super) fn wrong<T>(&self, found: impl Display, expected: impl Display) -> Option<T> {
        self.mistake(found, expected);
        None
    }

    /// A mistake with a message of its own.
    pub(super) fn refuse(&self, what: impl Display) {
        let note = self.context.note(&self.path, what);
        self.context.mistakes.borrow_mut().push(note);
    }

    pub(super) fn warning(&self, what: impl Display) {
        let note = self.context.note(&self.path, what);
        self.context.warnings.borrow_mut().push(note);
    }

    /// A project has this key from `defaults`, where messages about it are to point.
    pub(super) fn inherited(self) {
        self.context.inherited.borrow_mut().push(self.path);
    }

    /// The key as a message about another key names it, with its line if it is written.
    pub(super) fn named(&self) -> String {
        let path = &*self.context.written(&self.path);
        let place = self.context.places().find(path);
        let line = place.map(|place| format!(" (line {})", place.line));
        format!("{path}{}", line.unwrap_or_default())
    }

    /// The value, or a mistake; the error says what was expected.
    pub(super) fn ok<T, E: Display>(&self, found: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|expected| self.refuse(format_args!("found {found:?}, {expected}"))).ok()
    }

    /// A value that must lie between two others; where it is not written, the default is filled in.
    pub(super) fn between<T: PartialOrd + Display + Copy>(
        &self,
        written: &mut Option<T>,
        default: T,
        (least, most): (T, T),
    ) -> T {
        let value = *written.get_or_insert(default);
        if (least..=most).contains(&value) {
            return value;
        }
        self.mistake(value, format_args!("{least} to {most}"));
        default
    }

    /// A duration, unless there is a mistake in it.
    pub(super) fn duration(&self, text: &str) -> Option<Duration> {
        let duration = humantime::parse_duration(text).map_err(|error| {
            let expected = format!("a duration like 30s or 5m ({error})");
            self.mistake(format_args!("{text:?}"), expected);
        });
        duration.ok()
    }

    /// A duration that must lie between two others; where it is not written, or a mistake, the default is
    /// filled in. `None` after a mistake.
    pub(super) fn duration_between(
        &self,
        written: &mut Option<String>,
        default: Duration,
        (least, most): (Duration, Duration),
    ) -> Option<Duration> {
        let found = written.as_ref().map_or(Some(default), |text| self.duration(text));
        let fitting = found.filter(|duration| (least..=most).contains(duration));
        if let (Some(found), None) = (found, fitting) {
            self.mistake(human(found), format_args!("{} to {}", human(least), human(most)));
        }
        *written = Some(human(fitting.unwrap_or(default)));
        fitting
    }

    /// A name that people read and labels carry.
    pub(super) fn name(&self, name: &str) {
        if let Err(expected) = check_name(name) {
            self.mistake(format_args!("{name:?}"), expected);
        }
    }

    /// A value that no other place may have; `seen` has the first place of each.
    pub(super) fn unique(&self, seen: &mut HashMap<String, At<'a>>, value: &str) {
        if let Some(first) = seen.get(value) {
            let expected = format!("a value that is not already at {}", first.named());
            self.mistake(format_args!("{value:?}"), expected);
        } else {
            seen.insert(value.to_owned(), self.clone());
        }
    }
}

/// A duration as people write it.
pub(crate) fn human(duration: Duration) -> String {
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
