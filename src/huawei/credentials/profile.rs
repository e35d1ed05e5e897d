//! The official SDK's profile file: INI, with `ak`, `sk` and perhaps `security_token` in a section.

use std::{collections::HashMap, io, path::Path};

use super::{CredentialsError, Keys, secret_text::read_private};
use crate::secret::Secret;

/// Reads the keys of a section.
pub(super) fn keys(path: &Path, section: &str) -> Result<Keys, CredentialsError> {
    let place = format!("{}, section [{section}]", path.display());
    if std::fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(CredentialsError::Absent(format!("{} does not exist", path.display())));
    }
    let text = read_private(path)
        .map_err(|mistake| CredentialsError::Broken(format!("{}: {mistake}", path.display())))?;
    let Some(mut values) = section_of(text.expose(), section) else {
        return Err(CredentialsError::Absent(format!("{place} does not exist")));
    };
    for unsupported in ["idp_id", "id_token_file"] {
        if values.contains_key(unsupported) {
            let mistake = format!("{place}: {unsupported} is not supported; use ak and sk");
            return Err(CredentialsError::Broken(mistake));
        }
    }
    let mut take = |name: &str| values.remove(name).filter(|value| !value.is_empty());
    match (take("ak"), take("sk")) {
        (Some(access_key), Some(secret_key)) => Ok(Keys {
            access_key,
            secret_key: Secret::new(secret_key),
            security_token: take("security_token").map(Secret::new),
        }),
        (None, None) => Err(CredentialsError::Absent(format!("{place} has neither ak nor sk"))),
        (Some(_), None) => Err(CredentialsError::Broken(format!("{place} has ak, but no sk"))),
        (None, Some(_)) => Err(CredentialsError::Broken(format!("{place} has sk, but no ak"))),
    }
}

/// The pairs of a section, as Python's `configparser` reads them: names in lower case, `=` or `:`,
/// whole-line comments.
fn section_of(text: &str, section: &str) -> Option<HashMap<String, String>> {
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
            values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
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
        assert_eq!(values.get("ak").map(String::as_str), Some("a=b"));
        assert_eq!(values.get("sk").map(String::as_str), Some("s"));
        assert_eq!(values.len(), 2);
        assert!(section_of(text, "other").is_none());
        assert!(section_of("ak = outside\n", "basic").is_none());
    }
}
