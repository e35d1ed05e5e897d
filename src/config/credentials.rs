//! `projects[].credentials`: the word `chain`, or exactly one kind.

use super::{convert::Context, file, notes::Notes};
use crate::{
    huawei::credentials::{PROFILE_SECTION, SecretText, Source, check_printable},
    secret::Secret,
};

/// What [`check_printable`] takes.
const PRINTABLE: &str = "ASCII characters without spaces";
const KINDS: &str = "exactly one of static, environment, profile, password, token";

/// Where a project's credentials come from. They are read once now, so that a mistake is found at the
/// start and not at the first poll: those that are written here each at its key, the others here.
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
    let (key, expected) = match source {
        Source::Chain(_) => {
            ("", "an access key and a secret key in the environment or a profile file")
        }
        Source::Environment(_) => {
            (".environment", "an access key and a secret key in the environment")
        }
        Source::Profile { .. } => {
            (".profile.file", "a file of mode 600 or 640 with ak and sk in the section")
        }
        Source::Static { .. } | Source::Password { .. } | Source::Token(_) => return Some(source),
    };
    let resolved = source.resolve();
    resolved.map_err(|found| notes.mistake(&format!("{path}{key}"), found, expected)).ok()?;
    Some(source)
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
            read(notes, &format!("{path}.file"), file, Kind::Key, context).map(Source::Token)
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
    let known = check_printable(&access_key);
    let known = known.map_err(|found| notes.mistake(&at("access_key"), found, PRINTABLE));
    let secret_key = Written { inline: secret_key, file: secret_key_file, kind: Kind::Key };
    let secret_key = required(notes, &at("secret_key"), secret_key, context);
    let (inline, file) = (written.security_token, written.security_token_file);
    let token = Written { inline, file, kind: Kind::Key };
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
    let written = Written { inline: password, file: password_file, kind: Kind::Password };
    let password = required(notes, &format!("{path}.password"), written, context)?;
    Some(Source::Password { domain, user, password })
}

/// A secret, in the configuration or in a file of its own.
struct Written {
    inline: Option<Secret>,
    file: Option<String>,
    kind: Kind,
}

/// What a secret may be.
#[derive(Clone, Copy)]
enum Kind {
    /// A key or a token: printable.
    Key,
    /// Anything but nothing.
    Password,
}

impl Kind {
    /// The error says what was found and what was expected, without the value.
    fn check(self, text: &str) -> Result<(), (&'static str, &'static str)> {
        match check_printable(text) {
            Err(found) if matches!(self, Self::Key) => Err((found, PRINTABLE)),
            Err(found) if text.is_empty() => Err((found, "a password")),
            _ => Ok(()),
        }
    }
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
    Written { inline, file, kind }: Written,
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
            read(notes, path, SecretText::Inline(secret), kind, context).map(Some).ok_or(Noted)
        }
        (None, Some(file)) => {
            let file = SecretText::File(context.path(&file));
            read(notes, &format!("{path}_file"), file, kind, context).map(Some).ok_or(Noted)
        }
    }
}

/// Reads a secret once, so that a mistake is found at the start and reported at its own key.
fn read(
    notes: &mut Notes<'_>,
    path: &str,
    secret: SecretText,
    kind: Kind,
    context: &Context<'_>,
) -> Option<SecretText> {
    if context.text_only && matches!(secret, SecretText::File(_)) {
        return Some(secret);
    }
    let checked = match secret.read() {
        Ok(value) => kind.check(value.expose()).map_err(|(found, expected)| {
            notes.mistake(path, found, expected);
        }),
        Err(mistake) => {
            let expected = "a file of mode 600 or 640 with one line, the secret";
            notes.mistake(path, mistake, expected);
            Err(())
        }
    };
    checked.ok().map(|()| secret)
}
