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

impl Places {
    /// The places in a file without syntax errors; any other file has none.
    pub(super) fn of(text: &str) -> Self {
        let is_end = |event: &Event<'_>| matches!(event, Event::MappingEnd | Event::SequenceEnd);
        // Neither comments nor the ends of the document.
        let events = Parser::new_from_str(text).map_while(Result::ok);
        let mut events = events.filter(|(event, _)| event.is_node() || is_end(event));
        let mut places = Self::default();
        match events.next().and_then(|(root, _)| places.add(&root, &mut events, "")) {
            Some(()) => places,
            None => Self::default(),
        }
    }

    /// Adds what is in a node; the file has few levels. `None` if it has no end.
    fn add<'t>(
        &mut self,
        node: &Event<'t>,
        events: &mut dyn Iterator<Item = (Event<'t>, Span)>,
        path: &str,
    ) -> Option<()> {
        let place = |span: Span| Place { line: span.start.line(), column: span.start.col() + 1 };
        match node {
            Event::MappingStart(..) => loop {
                let (key, span) = events.next()?;
                let path = match &key {
                    Event::MappingEnd => return Some(()),
                    Event::Scalar(key, ..) => {
                        let dot = if path.is_empty() { "" } else { "." };
                        self.0.insert(format!("{path}[{key:?}]"), place(span));
                        format!("{path}{dot}{key}")
                    }
                    _ => return None,
                };
                self.0.insert(path.clone(), place(span));
                let (value, _) = events.next()?;
                self.add(&value, events, &path)?;
            },
            Event::SequenceStart(..) => {
                for index in 0.. {
                    let (entry, span) = events.next()?;
                    if matches!(entry, Event::SequenceEnd) {
                        break;
                    }
                    let path = format!("{path}[{index}]");
                    self.0.insert(path.clone(), place(span));
                    self.add(&entry, events, &path)?;
                }
                Some(())
            }
            _ => Some(()),
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
      - { id: y, name: ü, interval: 1s } # a comment
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
