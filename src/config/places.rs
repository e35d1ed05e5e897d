//! The places of the keys in a YAML file, so that a message about a value can name its line.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

use super::file;

/// A line and a column, both from 1, as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// The keys of a file and the entries of its lists.
pub(super) struct Places(Node);

#[derive(Default)]
enum Node {
    #[default]
    Scalar,
    Mapping(Vec<(String, Place, Node)>),
    List(Vec<(Place, Node)>),
}

impl Places {
    /// The places in a file without syntax errors; any other file has none.
    pub(super) fn of(text: &str) -> Self {
        Self(file::parse(text).unwrap_or_default())
    }

    /// The place of a key or an entry, like `projects[0].clusters[3].id`, if it is there.
    pub(super) fn find(&self, path: &str) -> Option<Place> {
        self.nearest(path).filter(|(_, is_it)| *is_it).map(|(place, _)| place)
    }

    /// The place of a key, or of the section that it is missing from; true if the key itself is there.
    pub(super) fn nearest(&self, path: &str) -> Option<(Place, bool)> {
        let (mut node, mut rest, mut found) = (&self.0, path, None);
        while let Some((place, below, after)) = node.step(rest) {
            (node, rest, found) = (below, after, Some((place, after.is_empty())));
        }
        found
    }
}

impl Node {
    /// The child that a path begins with, and the remaining path.
    fn step<'p>(&self, path: &'p str) -> Option<(Place, &Self, &'p str)> {
        match self {
            Self::Scalar => None,
            Self::Mapping(entries) => {
                let name = path.strip_prefix('.').unwrap_or(path);
                entries.iter().find_map(|(key, place, node)| {
                    // A key chosen by the user may have dots, so it is quoted.
                    let quoted = || path.strip_prefix(&format!("[{key:?}]"));
                    let after = name.strip_prefix(&**key).or_else(quoted)?;
                    let ends = after.is_empty() || after.starts_with(['.', '[']);
                    ends.then_some((*place, node, after))
                })
            }
            Self::List(entries) => {
                let (index, after) = path.strip_prefix('[')?.split_once(']')?;
                let (place, node) = entries.get(index.parse::<usize>().ok()?)?;
                Some((*place, node, after))
            }
        }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push((key.value, key.referenced.into(), map.next_value()?));
        }
        Ok(Node::Mapping(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element::<Spanned<Node>>()? {
            entries.push((entry.referenced.into(), entry.value));
        }
        Ok(Node::List(entries))
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
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
            let found = found.map(|(place, is_it)| (place.line, place.column, is_it));
            assert_eq!(found, expected, "{path}");
        }
        assert_eq!(Places::of("- [").find("[0]"), None);
    }
}
