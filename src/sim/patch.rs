//! A part of something replaced, as JSON names it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{errors::unreadable, reply::Reply};

/// The names and values of a patch.
pub(super) type Patch = Map<String, Value>;

/// `old` with the values of `patch` in the place of its own; names it does not have are refused.
pub(super) fn patched<T: Serialize + DeserializeOwned>(old: &T, patch: Patch) -> Result<T, Reply> {
    let mut whole = serde_json::to_value(old).map_err(unreadable)?;
    if let Some(whole) = whole.as_object_mut() {
        whole.extend(patch);
    }
    serde_json::from_value(whole).map_err(unreadable)
}
