//! Closed lists: enums whose values each have one word, for the labels of metrics, JSON and the log.

/// A value of a closed list.
pub trait Label: Copy + 'static {
    /// All values, in the order in which they are shown.
    const ALL: &'static [Self];

    /// The value's word.
    fn as_str(self) -> &'static str;

    /// The value of that word.
    fn from_str(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

/// The words of a closed list, in its order.
pub fn words<L: Label>() -> Vec<&'static str> {
    L::ALL.iter().map(|value| value.as_str()).collect()
}

/// Declares an enum as a closed list, so that its values, their order and their words stand in one place.
macro_rules! labels {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $value:ident = $word:expr,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $value,)+
        }

        impl $name {
            /// All values, in the order in which they are shown.
            pub const ALL: [Self; [$(Self::$value),+].len()] = [$(Self::$value),+];

            /// The word: in JSON, in the log and as a label of a metric.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl $crate::label::Label for $name {
            const ALL: &'static [Self] = &Self::ALL;

            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

pub(crate) use labels;

/// Serde for a field that is a [`Label`]: its word.
pub mod serde {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Label;

    /// Writes the word.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<L: Label, S: Serializer>(value: &L, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.as_str())
    }

    /// Reads one of the words.
    ///
    /// # Errors
    /// If the text is none of them.
    pub fn deserialize<'de, L: Label, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<L, D::Error> {
        let word = <&str>::deserialize(deserializer)?;
        L::from_str(word)
            .ok_or_else(|| D::Error::custom(format_args!("{word:?} is no word known here")))
    }
}
