//! What is found wrong on the way from text to types, and the checks that every part shares.

use std::{cell::OnceCell, collections::HashMap, fmt::Display, path::Path, time::Duration};

use super::places::{Place, Places};

/// Names are labels on every series.
const LONGEST_NAME: usize = 128;

/// The mistakes and warnings of a file so far, each with its place in it. Checks note what is wrong
/// and go on, so that one run reports all of it.
pub(super) struct Notes<'a> {
    file: &'a Path,
    text: &'a str,
    /// Computed only when there is something to report, which is rare.
    places: OnceCell<Places>,
    pub(super) mistakes: Vec<Note>,
    pub(super) warnings: Vec<Note>,
}

/// What is wrong, and where, if it is somewhere.
pub(super) struct Note {
    place: Option<Place>,
    line: String,
}

/// The lines in the order of the file, which is not that of the checks.
pub(super) fn in_order(mut notes: Vec<Note>) -> Vec<String> {
    notes.sort_by_key(|note| note.place);
    notes.into_iter().map(|note| note.line).collect()
}

impl<'a> Notes<'a> {
    /// No mistakes so far.
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        let (places, mistakes, warnings) = Default::default();
        Self { file, text, places, mistakes, warnings }
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

    fn note(&self, path: &str, what: impl Display) -> Note {
        let file = self.file.display();
        let place = self.places().nearest(path).map(|(place, _)| place);
        let at = place.map(|Place { line, column }| format!(":{line}:{column}"));
        Note { place, line: format!("{file}{}: {path}: {what}", at.unwrap_or_default()) }
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::of(self.text))
    }

    /// Another key, with its line if it is written.
    pub(super) fn other(&self, path: &str) -> String {
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
        match result {
            Ok(value) => Some(value),
            Err(expected) => {
                self.refuse(path, format_args!("found {found:?}, {expected}"));
                None
            }
        }
    }

    /// A value that must lie between two others, or its default where it is not written.
    pub(super) fn between<T: PartialOrd + Display + Copy>(
        &mut self,
        path: &str,
        written: Option<T>,
        default: T,
        (least, most): (T, T),
    ) -> T {
        match written {
            None => default,
            Some(value) if least <= value && value <= most => value,
            Some(value) => {
                self.mistake(path, value, format_args!("{least} to {most}"));
                default
            }
        }
    }

    /// A duration, if one is written.
    pub(super) fn duration(&mut self, path: &str, written: Option<&str>) -> Option<Duration> {
        let text = written?;
        match humantime::parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let expected = format!("a duration like 30s or 5m ({error})");
                self.mistake(path, format_args!("{text:?}"), expected);
                None
            }
        }
    }

    /// A name that people read and labels carry.
    pub(super) fn name(&mut self, path: &str, name: &str) {
        if let Err(expected) = check_name(name) {
            self.mistake(path, format_args!("{name:?}"), expected);
        }
    }

    /// A value that no other place may have; `seen` knows where each was first.
    pub(super) fn unique(&mut self, seen: &mut HashMap<String, String>, path: &str, value: &str) {
        if let Some(first) = seen.get(value) {
            let expected = format!("a value that is not already at {}", self.other(first));
            self.mistake(path, format_args!("{value:?}"), expected);
        } else {
            seen.insert(value.to_owned(), path.to_owned());
        }
    }
}

/// A duration as people write it.
pub(super) fn human(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Whether the configuration takes a text as a name or a pattern.
///
/// # Errors
/// It does not: what is expected instead.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("1 to {LONGEST_NAME} bytes without control characters"));
    }
    Ok(())
}
