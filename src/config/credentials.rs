//! `projects[].credentials`: the word `chain`, or exactly one kind.

use super::{convert::Context, file, notes::Notes};
use crate::{
    huawei::credentials::{PROFILE_SECTION, SecretText, Source, check_printable},
    secret::Secret,
};

const KINDS: &str = "exactly one of static, environment, profile, password, token";

/// Where a project's credentials come from. They are read once now, so that a mistake is found at the
/// start and not at the first poll.
pub(super) fn source(
    notes: &mut Notes<'_>,
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
    if context.text_only {
        return Some(source);
    }
    let mistake = match source.resolve() {
        Ok(_) => return Some(source),
        Err(mistake) => mistake,
    };
    match &source {
        Source::Profile { .. } => {
            let expected = "a file of mode 600 or 640 with ak and sk in the section";
            notes.mistake(&format!("{path}.profile.file"), mistake, expected);
        }
        Source::Environment(_) => notes.refuse(&format!("{path}.environment"), mistake),
        _ => notes.refuse(path, mistake),
    }
    None
}

fn kind(
    notes: &mut Notes<'_>,
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
            let file = SecretText::File(context.path(&written.file));
            read(notes, &format!("{path}.file"), file, Some("the token"), context)
                .map(Source::Token)
        }
        _ => Some(Source::Environment(context.environment.clone())),
    }
}

fn static_keys(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::StaticKeys,
    context: &Context<'_>,
) -> Option<Source> {
    let file::StaticKeys { access_key, secret_key, secret_key_file, .. } = written;
    let at = |key: &str| format!("{path}.{key}");
    let known = check_printable("the access key", &access_key);
    let known = known.map_err(|mistake| notes.refuse(&at("access_key"), mistake));
    let what = Some("the secret key");
    let secret_key = required(
        notes,
        &at("secret_key"),
        Written { inline: secret_key, file: secret_key_file, what },
        context,
    );
    let what = Some("the security token");
    let (inline, file) = (written.security_token, written.security_token_file);
    let token = Written { inline, file, what };
    let security_token = secret(notes, &at("security_token"), token, context);
    known.ok()?;
    Some(Source::Static {
        access_key,
        secret_key: secret_key?,
        security_token: security_token.ok()?,
    })
}

fn profile(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::Profile,
    context: &Context<'_>,
) -> Option<Source> {
    let file = match written.file {
        Some(file) => Some(context.path(&file)),
        None => context.environment.profile_file(),
    };
    if file.is_none() && !context.text_only {
        let expected = "a file, or HUAWEICLOUD_SDK_CREDENTIALS_FILE or HOME in the environment";
        notes.mistake(&format!("{path}.file"), "nothing", expected);
    }
    let section = written.section.unwrap_or_else(|| PROFILE_SECTION.to_owned());
    notes.name(&format!("{path}.section"), &section);
    let file = if context.text_only { file.unwrap_or_default() } else { file? };
    Some(Source::Profile { file, section })
}

fn password(
    notes: &mut Notes<'_>,
    path: &str,
    written: file::Password,
    context: &Context<'_>,
) -> Option<Source> {
    let file::Password { domain, user, password, password_file } = written;
    notes.name(&format!("{path}.domain"), &domain);
    notes.name(&format!("{path}.user"), &user);
    let written = Written { inline: password, file: password_file, what: None };
    let password = required(notes, &format!("{path}.password"), written, context)?;
    Some(Source::Password { domain, user, password })
}

/// A secret, in the configuration or in a file of its own.
struct Written {
    inline: Option<Secret>,
    file: Option<String>,
    /// The name of the secret, if it must be printable.
    what: Option<&'static str>,
}

fn required(
    notes: &mut Notes<'_>,
    path: &str,
    written: Written,
    context: &Context<'_>,
) -> Option<SecretText> {
    let secret = secret(notes, path, written, context).ok()?;
    if secret.is_none() {
        let (_, key) = path.rsplit_once('.').unwrap_or(("", path));
        notes.mistake(path, "nothing", format_args!("{key}_file (or {key})"));
    }
    secret
}

/// There was a mistake, and it is noted.
struct Noted;

fn secret(
    notes: &mut Notes<'_>,
    path: &str,
    Written { inline, file, what }: Written,
    context: &Context<'_>,
) -> Result<Option<SecretText>, Noted> {
    let (_, key) = path.rsplit_once('.').unwrap_or(("", path));
    match (inline, file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            notes.mistake(path, format_args!("{key}_file too"), "only one of them");
            Err(Noted)
        }
        (Some(secret), None) => {
            notes.warning(
                path,
                format_args!(
                    "written in the configuration; {key}_file keeps it out of backups and version \
                     control"
                ),
            );
            read(notes, path, SecretText::Inline(secret), what, context).map(Some).ok_or(Noted)
        }
        (None, Some(file)) => {
            let file = SecretText::File(context.path(&file));
            read(notes, &format!("{path}_file"), file, what, context).map(Some).ok_or(Noted)
        }
    }
}

/// Reads a secret once, so that a mistake is found at the start and reported at its own key.
fn read(
    notes: &mut Notes<'_>,
    path: &str,
    secret: SecretText,
    what: Option<&str>,
    context: &Context<'_>,
) -> Option<SecretText> {
    if context.text_only && matches!(secret, SecretText::File(_)) {
        return Some(secret);
    }
    match secret.read() {
        Ok(value) => {
            let printable = what.map(|what| check_printable(what, value.expose()));
            if let Some(Err(mistake)) = printable {
                notes.refuse(path, mistake);
                return None;
            }
            Some(secret)
        }
        Err(mistake) => {
            let expected = "a file of mode 600 or 640 with one line, the secret";
            notes.mistake(path, mistake, expected);
            None
        }
    }
}
