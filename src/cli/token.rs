//! `token`: makes an admin token. It goes to stdout alone, so that `token > file` makes a token file;
//! the lines for the configuration, which has only its SHA-256, go to stderr.

use clap::Args;
use sha2::{Digest, Sha256};

use super::{
    exit::{FINE, Failure},
    terminal::{complain, print},
};
use crate::{config::check_name, text};

/// The beginning of every token, so that a leaked one is recognized.
const PREFIX: &str = "cssvpcep_";

#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    /// The name of the holder, for the audit log
    #[arg(
        long,
        value_name = "NAME",
        env = "CSS_VPCEP_EXPORTER_NAME",
        default_value = "oncall",
        value_parser = label
    )]
    name: String,
    /// The role of the token
    #[arg(
        long,
        value_name = "ROLE",
        env = "CSS_VPCEP_EXPORTER_ROLE",
        default_value = "viewer",
        value_parser = ["viewer", "editor"]
    )]
    role: String,
    /// The endpoint services it may see or change, as PROJECT/NAME or PROJECT/ID; * is any run of
    /// characters. None if this is left out
    #[arg(
        long,
        value_name = "PATTERN",
        env = "CSS_VPCEP_EXPORTER_SERVICES",
        value_delimiter = ',',
        value_parser = pattern
    )]
    services: Vec<String>,
    /// The clusters whose connections it may see, accept and reject, likewise. None if this is left out
    #[arg(
        long,
        value_name = "PATTERN",
        env = "CSS_VPCEP_EXPORTER_CLUSTERS",
        value_delimiter = ',',
        value_parser = pattern
    )]
    clusters: Vec<String>,
}

/// A name or a pattern that the configuration accepts: a token that it refuses would be useless.
fn label(text: &str) -> Result<String, String> {
    check_name(text).map_err(|expected| format!("expected {expected}"))?;
    Ok(text.to_owned())
}

/// A pattern that fits a service or a cluster of some project: one that never can is refused, as in the configuration.
fn pattern(text: &str) -> Result<String, String> {
    let has_both_parts = text.split_once('/').is_some_and(|(_, name)| !name.is_empty());
    if text.starts_with('/') || !text.contains('*') && !has_both_parts {
        return Err("expected PROJECT/NAME or PROJECT/ID, or a pattern of these".to_owned());
    }
    label(text)
}

pub(super) fn run(args: &TokenArgs) -> Result<u8, Failure> {
    let token = token()?;
    if !print(&token) {
        return Err("the token could not be written: it is lost".into());
    }
    configuration(args, &token).iter().for_each(|line| complain(line));
    Ok(FINE)
}

/// A new token: 32 random bytes.
///
/// # Errors
/// The system has no random bytes.
pub(super) fn token() -> Result<String, String> {
    Ok(format!("{PREFIX}{}", random_hex()?))
}

/// 32 random bytes in hexadecimal.
pub(super) fn random_hex() -> Result<String, String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(text::to_hex(&bytes))
}

/// The lines for the file. A JSON string is a YAML string.
fn configuration(args: &TokenArgs, token: &str) -> [String; 3] {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let list = |patterns: &[String]| {
        patterns.iter().map(|pattern| quoted(pattern)).collect::<Vec<_>>().join(", ")
    };
    [
        "# The token is on the standard output; it is not shown again. For the configuration:"
            .to_owned(),
        "# admin: { tokens: [ … ] }".to_owned(),
        format!(
            "- {{ name: {}, sha256: {}, role: {}, services: [{}], clusters: [{}] }}",
            quoted(&args.name),
            quoted(&text::to_hex(&Sha256::digest(token))),
            args.role,
            list(&args.services),
            list(&args.clusters),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_configuration_refuses_gets_no_token() {
        let expected = "expected 1 to 128 bytes without control characters";
        for name in ["", "a\nb", &"a".repeat(129)] {
            assert_eq!(label(name).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_pattern_that_fits_no_service_whatever_is_configured_gets_no_token() {
        for good in ["*", "*/*", "prod/*", "prod/logs", "pr*", "pr*logs", "*/logs", "prod/a/b"] {
            assert_eq!(pattern(good).unwrap(), good);
        }
        let expected = "expected PROJECT/NAME or PROJECT/ID, or a pattern of these";
        for bad in ["demo", "/logs", "/*", "/", "prod/"] {
            assert_eq!(pattern(bad).unwrap_err(), expected, "{bad}");
        }
        assert!(pattern("").is_err() && pattern("a/\n").is_err());
    }

    #[test]
    fn a_token_fits_the_line_for_the_configuration() {
        let token = token().unwrap();
        assert_eq!(token.len(), PREFIX.len() + 64);
        assert_ne!(token, super::token().unwrap());
        let args = TokenArgs {
            name: "on \"call\"".into(),
            role: "editor".into(),
            services: vec!["prod/*".into(), "test/a".into()],
            clusters: vec!["prod/c".into()],
        };
        let lines = configuration(&args, &token).join("\n");
        assert!(!lines.contains(&token));
        let entries: serde_json::Value = serde_saphyr::from_str(&lines).unwrap();
        let digest = text::to_hex(&Sha256::digest(&token));
        let expected = serde_json::json!([{
            "name": "on \"call\"", "sha256": digest, "role": "editor", "services": ["prod/*", "test/a"],
            "clusters": ["prod/c"],
        }]);
        assert_eq!(entries, expected);
    }
}
