//! The end of a command: its exit code, and the message of a failure.

use crate::{app::StartError, config::ConfigError};

/// Everything went well.
pub(super) const FINE: u8 = 0;
/// Something failed or is incomplete.
pub(super) const FAILED: u8 = 1;
/// The command line or the configuration is wrong (`EX_USAGE` of sysexits.h).
pub(super) const USAGE: u8 = 64;

/// A failure that ends a command, with its exit code.
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) text: String,
}

impl Failure {
    /// The command line is wrong, or something that it names.
    pub(super) const fn usage(text: String) -> Self {
        Self { code: USAGE, text }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self { code: FAILED, text }
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<ConfigError> for Failure {
    fn from(mistakes: ConfigError) -> Self {
        Self::usage(mistakes.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::Configuration(_) => USAGE,
            StartError::Machine(_) => FAILED,
        };
        Self { code, text: error.to_string() }
    }
}

/// The exit code of a command that has done its work, in whole or only in part.
pub(super) const fn code(is_whole: bool) -> u8 {
    if is_whole { FINE } else { FAILED }
}
