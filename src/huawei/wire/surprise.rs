//! Everything that the cloud sent otherwise than documented: counted by its kind, and noted once.

use std::fmt::Display;

use crate::label::labels;

/// An answer with more oddities of one kind is that of an unknown version.
const MOST_OF_A_KIND: usize = 32;

labels! {
    /// A kind of deviation from the document.
    pub enum Surprise {
        /// A field that no version of the document has.
        UnknownField = "unknown_field",
        /// A status word that this version does not know.
        UnknownStatus = "unknown_status",
        /// A value of another type than documented, but clear in meaning.
        CoercedType = "coerced_type",
        /// A value that makes no sense and was left out.
        UnparsableValue = "unparsable_value",
        /// A connection that came more than once.
        DuplicateId = "duplicate_id",
    }
}

impl Surprise {
    /// Returns true if the value is irrelevant: a new field is one surprise whatever its values, and so
    /// is a wrong type.
    const fn has_any_value(self) -> bool {
        matches!(self, Self::UnknownField | Self::CoercedType)
    }
}

/// A surprise in full. Its texts are unescaped, so they are not safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Oddity {
    /// The kind of surprise.
    pub kind: Surprise,
    /// The cloud's name of the field.
    pub field: String,
    /// The value of the field, nearly as in JSON.
    pub value: String,
}

impl Oddity {
    /// Returns true for the same surprise. For a new field and a wrong type the value does not matter.
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.field == other.field
            && (self.kind.has_any_value() || self.value == other.value)
    }
}

/// The surprises of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surprises {
    counts: [u64; Surprise::ALL.len()],
    /// Each once, and the first ones of each kind.
    pub oddities: Vec<Oddity>,
}

impl Surprises {
    /// The kinds that were met, each with its number.
    pub fn counts(&self) -> impl Iterator<Item = (Surprise, u64)> {
        let all = Surprise::ALL.into_iter().zip(self.counts);
        all.filter(|(_, times)| *times > 0)
    }

    /// Counts a surprise, without a note of it.
    pub(in crate::huawei) fn count(&mut self, kind: Surprise, times: u64) {
        self.counts[kind as usize] += times;
    }

    /// Adds the surprises of a part of the answer.
    pub(in crate::huawei) fn add(&mut self, part: Self) {
        for (kind, times) in part.counts() {
            self.count(kind, times);
        }
        for Oddity { kind, field, value } in part.oddities {
            self.note(kind, &field, &value);
        }
    }

    /// Notes a surprise, if it is the first of its like.
    pub(in crate::huawei) fn note(&mut self, kind: Surprise, field: &str, value: &dyn Display) {
        let of_its_kind = || self.oddities.iter().filter(|known| known.kind == kind);
        // Before the value is made a text: a page may have thousands of values of a wrong type.
        let is_known = kind.has_any_value() && of_its_kind().any(|known| known.field == field);
        if is_known || of_its_kind().count() == MOST_OF_A_KIND {
            return;
        }
        let oddity = Oddity { kind, field: field.to_owned(), value: value.to_string() };
        if !self.oddities.iter().any(|known| known.is_like(&oddity)) {
            self.oddities.push(oddity);
        }
    }
}
