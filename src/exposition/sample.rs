//! Samples, and the families that name them: the rows of the tables in `families` and `services`.

use std::fmt::Write as _;

use super::text::{Value, push_label};
use crate::{model::Label, stats::Definition};

/// The largest number of labels that a family has beside those of its target.
const MOST_LABELS: usize = 6;

/// A metric about targets of one kind: clusters or endpoint services.
#[derive(Debug)]
pub struct Family<Target: 'static> {
    /// Its definition. The labels are those after the target's own; `label_…` are not among them.
    pub definition: Definition,
    /// The presence of the metric, in the words of the manual.
    pub presence: &'static str,
    pub(super) per: Per,
    pub(super) samples: fn(&Target) -> Samples<'_>,
}

/// The number of samples that a target has in a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    /// At most one.
    Target,
    /// A sample for each status of a connection.
    Status,
    /// At most one for each connection.
    Connection,
}

/// The samples of a target, in the order of their lines.
pub(super) type Samples<'a> = Box<dyn Iterator<Item = Sample<'a>> + 'a>;

/// A value and the values of its labels, in the order of the family's definition.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    labels: [&'a str; MOST_LABELS],
    /// Labels whose names are the target's own.
    more: &'a [Label],
    value: Value,
}

impl<'a> Sample<'a> {
    pub(super) fn new<const N: usize>(labels: [&'a str; N], value: impl Into<Value>) -> Self {
        let mut all = [""; MOST_LABELS];
        all[..N].copy_from_slice(&labels);
        Self { labels: all, more: &[], value: value.into() }
    }

    /// The value 1 with labels whose names are the target's own.
    pub(super) fn of_labels(more: &'a [Label]) -> Self {
        Self { more, ..Self::new([], true) }
    }
}

impl<Target> Family<Target> {
    /// Adds the lines of a target to `text`, and calls `written` after each. All of them begin with
    /// `labels`, which are the target's own.
    pub(super) fn write(
        &self,
        target: &Target,
        labels: &str,
        text: &mut String,
        mut written: impl FnMut(&mut String),
    ) {
        let start = [self.definition.name, "{", labels].concat();
        for sample in (self.samples)(target) {
            text.push_str(&start);
            for (name, value) in self.definition.labels.iter().zip(sample.labels) {
                push_label(text, name, value);
            }
            for label in sample.more {
                push_label(text, &label.name, &label.value);
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "}} {}", sample.value);
            written(text);
        }
    }

    /// True if two targets have the same samples; their own labels are not compared.
    pub(super) fn is_same(&self, one: &Target, other: &Target) -> bool {
        (self.samples)(one).eq((self.samples)(other))
    }
}

/// A row of a table of families. The last part says what has samples, the labels of such a sample, and
/// its value, which is an `Option`.
macro_rules! family {
    ($per:ident, $kind:ident, $name:literal, $presence:literal, $help:expr,
     |$target:ident| $items:expr, |$item:pat_param| [$($label:literal = $text:expr),*] $value:expr) => {
        Family {
            definition: Definition {
                name: $name,
                kind: Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            },
            presence: $presence,
            per: Per::$per,
            samples: |$target| {
                let items = IntoIterator::into_iter($items);
                Box::new(items.filter_map(|$item| Some(Sample::new([$($text),*], $value?))))
            },
        }
    };
}
pub(super) use family;
