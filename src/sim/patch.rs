//! Bodies in which a missing key, null and a value are three different things.
//!
//! Owns that distinction only; which keys there are is the business of those who read them.

use serde::{Deserialize, Deserializer};

/// Tells a key with the value null from a key that is missing: for `deserialize_with`, with `default`.
///
/// Where `T` takes no null, null is refused.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
