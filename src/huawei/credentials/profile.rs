//! The official SDK's profile file: INI, with an identity provider or keys in a section.

use std::{collections::HashMap, io, path::Path};

use super::{CredentialsError, Defaults, Identity, place::Place, secret_text::read_private};
use crate::secret::Secret;

/// The section of the profile file that is for one region and project (the other is `global`).
pub const PROFILE_SECTION: &str = "basic";

/// A section of a profile file.
pub(super) struct Profile {
    place: String,
    values: HashMap<String, Secret>,
}

impl Profile {
    /// Reads a section.
    pub(super) fn read(path: &Path, section: &str) -> Result<Self, CredentialsError> {
        let place = format!("{}, section [{section}]", path.display());
        if std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(CredentialsError::Absent(format!("{} does not exist", path.display())));
        }
        let text = read_private(path).map_err(|mistake| {
            CredentialsError::Broken(format!("{}: {mistake}", path.display()))
        })?;
        match section_of(text.expose(), section) {
            Some(values) => Ok(Self { place, values }),
            None => Err(CredentialsError::Absent(format!("{place} does not exist"))),
        }
    }

    /// The identity provider's token, else the keys.
    pub(super) fn identity(&self) -> Result<Identity, CredentialsError> {
        if let Some(identity) = self.id_token("idp_id", "id_token_file")? {
            return Ok(identity);
        }
        let absent = || CredentialsError::Absent(format!("{} has neither ak nor sk", self.place));
        self.keys("ak", "sk", Some("security_token"))?.ok_or_else(absent)
    }

    /// The settings in it other than credentials.
    pub(super) fn defaults(&self) -> Defaults {
        let get = |name| self.get(name).map(str::to_owned);
        Defaults {
            project_id: get("project_id"),
            domain_id: get("domain_id"),
            iam_endpoint: get("iam_endpoint"),
        }
    }
}

impl Place for Profile {
    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }

    fn half(&self, has: &str, lacks: &str) -> String {
        format!("{} has {has}, but no {lacks}", self.place)
    }
}

/// The pairs of a section, as Python's `configparser` reads them: names in lower case, `=` or `:`,
/// whole-line comments.
fn section_of(text: &str, section: &str) -> Option<HashMap<String, Secret>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == section;
            if inside {
                found.get_or_insert_with(HashMap::new);
            }
        } else if inside
            && let Some(values) = &mut found
            && let Some((name, value)) = line.split_once(['=', ':'])
        {
            values.insert(name.trim().to_ascii_lowercase(), Secret::new(value.trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_as_the_sdk_reads_them() {
        let text = "# comment\n[global]\nak = wrong\n\n[ basic ]\n AK=a=b\nsk : s\n; x\nodd line\n";
        let values = section_of(text, "basic").unwrap();
        assert_eq!(values.get("ak").map(Secret::expose), Some("a=b"));
        assert_eq!(values.get("sk").map(Secret::expose), Some("s"));
        assert_eq!(values.len(), 2);
        assert!(section_of(text, "other").is_none());
        assert!(section_of("ak = outside\n", "basic").is_none());
    }
}
