//! `projects[].credentials`: the word `chain`, or exactly one kind.

use super::{convert::Context, file, notes::Notes};
use crate::{
    huawei::credentials::{PROFILE_SECTION, SecretText, Source},
    secret::Secret,
};

const KINDS: &str = "exactly one of static, environment, profile, password, token";

/// Where a project's credentials come from. It is read once now, so that a mistake is found at the
/// start and not at the first poll.
pub(super) fn source(
    notes: &mut Notes,
    path: &str,
    written: Option<file::Credentials>,
    context: &Context<'_>,
) -> Option<Source> {
    let source = match written {
        None => Source::Chain(context.environment.clone()),
        Some(file::Credentials::Word(word)) if word == "chain" => {
            Source::Chain(context.environment.clone())
        }
        // The word may be a secret that somebody put one level too high.
        Some(file::Credentials::Word(word)) => {
            let found = format_args!("another word, of {} characters", word.chars().count());
            notes.mistake(path, found, format_args!("chain, or {KINDS}"));
            return None;
        }
        Some(file::Credentials::Kinds(kinds)) => kind(notes, path, *kinds, context)?,
    };
    match source.resolve() {
        Ok(_) => Some(source),
        Err(mistake) => {
            notes.mistakes.push(format!("{path}: {mistake}"));
            None
        }
    }
}

fn kind(
    notes: &mut Notes,
    path: &str,
    written: file::CredentialKinds,
    context: &Context<'_>,
) -> Option<Source> {
    let kinds = [
        ("static", written.fixed.is_some()),
        ("environment", written.environment.is_some()),
        ("profile", written.profile.is_some()),
        ("password", written.password.is_some()),
        ("token", written.token.is_some()),
    ];
    let found: Vec<_> = kinds.into_iter().filter_map(|(kind, is)| is.then_some(kind)).collect();
    let [kind] = found[..] else {
        let found = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
        notes.mistake(path, found, KINDS);
        return None;
    };
    let path = format!("{path}.{kind}");
    match written {
        file::CredentialKinds { fixed: Some(fixed), .. } => {
            static_keys(notes, &path, fixed, context)
        }
        file::CredentialKinds { profile: Some(written), .. } => {
            profile(notes, &path, written, context)
        }
        file::CredentialKinds { password: Some(written), .. } => {
            password(notes, &path, written, context)
        }
        file::CredentialKinds { token: Some(written), .. } => {
            Some(Source::Token(SecretText::File(context.path(&written.file))))
        }
        _ => Some(Source::Environment(context.environment.clone())),
    }
}

fn static_keys(
    notes: &mut Notes,
    path: &str,
    written: file::StaticKeys,
    context: &Context<'_>,
) -> Option<Source> {
    let file::StaticKeys { access_key, .. } = written;
    let at = |key: &str| format!("{path}.{key}");
    let secret_key =
        required(notes, &at("secret_key"), written.secret_key, written.secret_key_file, context);
    let token = (written.security_token, written.security_token_file);
    let security_token = secret(notes, &at("security_token"), token.0, token.1, context);
    Some(Source::Static {
        access_key,
        secret_key: secret_key?,
        security_token: security_token.ok()?,
    })
}

fn profile(
    notes: &mut Notes,
    path: &str,
    written: file::Profile,
    context: &Context<'_>,
) -> Option<Source> {
    let file = match written.file {
        Some(file) => Some(context.path(&file)),
        None => context.environment.profile_file(),
    };
    if file.is_none() {
        let expected = "a file, or HUAWEICLOUD_SDK_CREDENTIALS_FILE or HOME in the environment";
        notes.mistake(&format!("{path}.file"), "nothing", expected);
    }
    let section = written.section.unwrap_or_else(|| PROFILE_SECTION.to_owned());
    notes.name(&format!("{path}.section"), &section);
    Some(Source::Profile { file: file?, section })
}

fn password(
    notes: &mut Notes,
    path: &str,
    written: file::Password,
    context: &Context<'_>,
) -> Option<Source> {
    let file::Password { domain, user, password, password_file } = written;
    notes.name(&format!("{path}.domain"), &domain);
    notes.name(&format!("{path}.user"), &user);
    let password = required(notes, &format!("{path}.password"), password, password_file, context)?;
    Some(Source::Password { domain, user, password })
}

fn required(
    notes: &mut Notes,
    path: &str,
    inline: Option<Secret>,
    file: Option<String>,
    context: &Context<'_>,
) -> Option<SecretText> {
    let secret = secret(notes, path, inline, file, context).ok()?;
    if secret.is_none() {
        let (_, key) = path.rsplit_once('.').unwrap_or(("", path));
        notes.mistake(path, "nothing", format_args!("{key}_file (or {key})"));
    }
    secret
}

/// There was a mistake, and it is noted.
struct Noted;

/// A secret that is written in the configuration, which earns a warning, or in a file of its own.
fn secret(
    notes: &mut Notes,
    path: &str,
    inline: Option<Secret>,
    file: Option<String>,
    context: &Context<'_>,
) -> Result<Option<SecretText>, Noted> {
    match (inline, file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            let (_, key) = path.rsplit_once('.').unwrap_or(("", path));
            notes.mistake(path, format_args!("{key}_file too"), "only one of them");
            Err(Noted)
        }
        (Some(secret), None) => {
            let (_, key) = path.rsplit_once('.').unwrap_or(("", path));
            notes.warning(
                path,
                format_args!(
                    "written in the configuration; {key}_file keeps it out of backups and version \
                     control"
                ),
            );
            Ok(Some(SecretText::Inline(secret)))
        }
        (None, Some(file)) => Ok(Some(SecretText::File(context.path(&file)))),
    }
}
