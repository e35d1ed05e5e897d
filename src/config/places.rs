//! The places of the keys in a YAML file, so that a message about a value can name its line.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, Span};

/// A line and a column, both from 1, as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The places of keys and of entries in lists, by paths like `projects[0].clusters[3].id`. A key that
/// the user chose may have dots, so each key is found quoted too: `basic_auth_users["a.b"]`.
#[derive(Default)]
pub(super) struct Places(HashMap<String, Place>);

/// A mapping or a list that is not at its end yet, and what comes next in it.
enum Open {
    Key { path: String },
    Value { path: String, of_key: String },
    Entry { path: String, index: usize },
}

impl Places {
    /// The places in a file without syntax errors; any other file has none.
    pub(super) fn of(text: &str) -> Self {
        let (mut places, mut open) = (Self::default(), Vec::new());
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => places.add(&mut open, &event, span),
                Err(_) => return Self::default(),
            }
        }
        places
    }

    fn add(&mut self, open: &mut Vec<Open>, event: &Event<'_>, span: Span) {
        if matches!(event, Event::MappingEnd | Event::SequenceEnd) {
            open.pop();
        }
        if !event.is_node() {
            return;
        }
        let place = Place { line: span.start.line(), column: span.start.col() + 1 };
        let path = match (open.pop(), event) {
            (None, _) => String::new(),
            (Some(Open::Key { path }), Event::Scalar(key, ..)) => {
                let dot = if path.is_empty() { "" } else { "." };
                let of_key = format!("{path}{dot}{key}");
                self.0.insert(format!("{path}[{key:?}]"), place);
                self.0.insert(of_key.clone(), place);
                open.push(Open::Value { path, of_key });
                return;
            }
            (Some(Open::Key { path }), _) => path,
            (Some(Open::Value { path, of_key }), _) => {
                open.push(Open::Key { path });
                of_key
            }
            (Some(Open::Entry { path, index }), _) => {
                let entry = format!("{path}[{index}]");
                self.0.insert(entry.clone(), place);
                open.push(Open::Entry { path, index: index + 1 });
                entry
            }
        };
        match event {
            Event::MappingStart(..) => open.push(Open::Key { path }),
            Event::SequenceStart(..) => open.push(Open::Entry { path, index: 0 }),
            _ => {}
        }
    }

    /// The place of a key or an entry, if it is there.
    pub(super) fn find(&self, path: &str) -> Option<Place> {
        self.0.get(path).copied()
    }

    /// The place of a key, or of the section that it is missing from.
    pub(super) fn nearest(&self, path: &str) -> Option<Place> {
        let above = || self.nearest(&path[..path.rfind(['.', '['])?]);
        self.find(path).or_else(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_path_and_an_absent_one_by_what_is_around_it() {
        let text = "\
poll: { interval: 0s, per_connection: true, per_connection_limit: 7, x: -1, y: .nan, z: }
projects:
  - name: a
    clusters:
      - id: x
      - { id: y, name: ü, interval: 1s }
    list:
    - plain
users:
  a.b[c]: 99999999999999999999999999999999999999999999999999
  inf: -.inf
";
        let cases = [
            ("poll", Some((1, 1, true))),
            ("poll.interval", Some((1, 9, true))),
            ("poll.per_connection_limit", Some((1, 45, true))),
            ("poll.z", Some((1, 86, true))),
            ("poll.timeout", Some((1, 1, false))),
            ("projects[0].name", Some((3, 5, true))),
            ("projects[0].region", Some((3, 5, false))),
            ("projects[0].clusters[1].interval", Some((6, 27, true))),
            ("projects[0].clusters[9].interval", Some((4, 5, false))),
            ("projects[0].list[0]", Some((8, 7, true))),
            ("users[\"a.b[c]\"]", Some((10, 3, true))),
            ("admin.tokens[0]", None),
            ("", None),
        ];
        let places = Places::of(text);
        for (path, expected) in cases {
            let found = places.nearest(path);
            let is_it = places.find(path).is_some();
            let found = found.map(|place| (place.line, place.column, is_it));
            assert_eq!(found, expected, "{path}");
        }
        assert_eq!(Places::of("- [").find("[0]"), None);
    }
}
