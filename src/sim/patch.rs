//! Changes of single fields, named in JSON.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{errors::unreadable, reply::Reply};

/// New values by the names of their fields.
pub(super) type Patch = Map<String, Value>;

/// `old` with the values of `patch` in place of its own; a name that it does not have is refused.
pub(super) fn patched<T: Serialize + DeserializeOwned>(old: &T, patch: Patch) -> Result<T, Reply> {
    let mut whole = serde_json::to_value(old).map_err(unreadable)?;
    if let Some(whole) = whole.as_object_mut() {
        whole.extend(patch);
    }
    serde_json::from_value(whole).map_err(unreadable)
}
