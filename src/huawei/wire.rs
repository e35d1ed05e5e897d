//! The cloud's JSON: pages of connections, endpoint services, and error bodies in all their shapes.
//!
//! The cloud's types are not always the documented ones (a switch sent as the text `"false"`, a
//! number sent as text), and fields arrive over the years. What can be understood is taken and
//! counted as a [`Surprise`]; what cannot is absent, never a made-up zero. Texts are capped and
//! freed of what may not be shown here, so that nothing later needs to; only those of endpoint services,
//! which are compared, stay as they are.

mod error_body;
mod meaning;
mod page;
mod scalar;
mod service;

pub use error_body::{ErrorBody, Hide, error_body};
pub use page::{DecodedPage, page};
pub use service::{DecodedServices, service, services, update};

use crate::{
    cloud::{CloudError, Reason},
    text::may_be_shown,
};

/// 400 with this code means that the cluster has no endpoint service (CSS error codes): a state of
/// the cluster, not a failure.
pub const SERVICE_NOT_ENABLED: &str = "CSS.5182";

/// What the cloud sent otherwise than documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surprise {
    /// A field that no version of the document has.
    UnknownField,
    /// A status word that this version does not know.
    UnknownStatus,
    /// A value of another type than documented, but clear in meaning.
    CoercedType,
    /// A value that makes no sense and was left out.
    UnparsableValue,
    /// A connection that came more than once.
    DuplicateId,
}

impl Surprise {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 5] = [
        Self::UnknownField,
        Self::UnknownStatus,
        Self::CoercedType,
        Self::UnparsableValue,
        Self::DuplicateId,
    ];

    /// Whether the value is irrelevant: a new field is one surprise whatever its values, and so is a wrong
    /// type.
    const fn has_any_value(self) -> bool {
        matches!(self, Self::UnknownField | Self::CoercedType)
    }

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::UnknownStatus => "unknown_status",
            Self::CoercedType => "coerced_type",
            Self::UnparsableValue => "unparsable_value",
            Self::DuplicateId => "duplicate_id",
        }
    }
}

/// A surprise in full: what the cloud sent, and where. Unescaped, so not safe to show.
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
    /// Whether two surprises are the same. For a new field and a wrong type the value does not matter.
    pub fn is_like(&self, other: &Self) -> bool {
        self.is_of(other.kind, &other.field)
            && (self.kind.has_any_value() || self.value == other.value)
    }

    fn is_of(&self, kind: Surprise, field: &str) -> bool {
        self.kind == kind && self.field == field
    }
}

/// What is wrong with a body that could not be decoded. No part of the body is in the text.
fn not_the_document(error: &serde_json::Error) -> CloudError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Data => CloudError::new(
            Reason::BadShape,
            format!("the answer is not the documented object (line {line}, column {column})"),
        ),
        _ => CloudError::new(
            Reason::BadJson,
            format!("the answer is not JSON (line {line}, column {column})"),
        ),
    }
}

/// A text of the cloud, fit to be shown: at most `cap` bytes, and what may not be shown replaced.
pub fn shown(text: &str, cap: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(cap));
    for character in text.chars() {
        let safe = if may_be_shown(character) { character } else { '\u{FFFD}' };
        if shown.len() + safe.len_utf8() > cap {
            break;
        }
        shown.push(safe);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_texts_are_short_and_on_one_line() {
        assert_eq!(shown("plain", 10), "plain");
        assert_eq!(
            shown("a\nb\u{1b}[31m\u{2028}\u{7f}", 40),
            "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}\u{FFFD}"
        );
        assert_eq!(shown("1\u{202e}2\u{2066}3\u{61c}", 40), "1\u{FFFD}2\u{FFFD}3\u{FFFD}");
        assert_eq!(shown("éééé", 5), "éé");
        assert_eq!(shown(&"x".repeat(1000), 128).len(), 128);
    }
}
