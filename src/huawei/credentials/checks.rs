//! Checks of credentials before they are used.

use super::{CredentialsError, Keys};

/// Keys that can be sent.
pub(super) fn checked(keys: Keys) -> Result<Keys, CredentialsError> {
    checked_text("an access key", &keys.access_key)?;
    checked_text("a secret key", keys.secret_key.expose())?;
    if let Some(token) = &keys.security_token {
        checked_text("a security token", token.expose())?;
    }
    Ok(keys)
}

/// A text that can be sent; `what` names it in the error.
pub(super) fn checked_text(what: &str, text: &str) -> Result<(), CredentialsError> {
    let broken = |found| CredentialsError::Broken(format!("{what} with {found}"));
    check_printable(text).map_err(broken)
}

/// Keys and tokens become header values, so they must be printable; a stray line break is the usual
/// mistake.
///
/// # Errors
/// The fault of the text, without the text itself.
pub fn check_printable(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("an empty text"),
        text if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err("characters that no key has"),
    }
}
