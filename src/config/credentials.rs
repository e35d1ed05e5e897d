//! `projects[].credentials`: the word `chain`, or exactly one kind.

use super::{agency::agency, diagnostics::Context, file};
use crate::{
    huawei::{
        credentials::{AgencyName, PROFILE_SECTION, SecretText, Source, check_printable},
        endpoints::Service,
    },
    secret::Secret,
};

/// The characters that [`check_printable`] accepts.
const PRINTABLE: &str = "ASCII characters without spaces";
const KINDS: &str = "exactly one of static, environment, profile, password, token, metadata, pod_identity, \
                     identity_provider, oidc, chain";
/// An access key is no secret, but it identifies an account, so it is not shown.
const ACCESS_KEY: &str = "<access key>";

const TOKEN_FILE: &str = "a file with a token that no other user may change";
/// The source of a project's credentials. They are read once now, so that a mistake is found at the
/// start and not at the first poll: those that are written here each at its key, the others here.
pub(super) fn source(
    context: &mut Context<'_>,
    path: &str,
    written: &mut Option<file::Credentials>,
) -> Option<Source> {
    let source = match written.get_or_insert_with(|| file::Credentials::Word("chain".into())) {
        file::Credentials::Word(word) if word == "chain" => {
            Source::Chain(context.environment.clone())
        }
        // The word may be a secret that someone put one level too high.
        file::Credentials::Word(word) => {
            let found = format_args!("another word, of {} characters", word.chars().count());
            context.mistake(path, found, format_args!("chain, or {KINDS}"));
            return None;
        }
        file::Credentials::Kinds(written) => kinds(context, path, written)?,
    };
    let base = match &source {
        Source::Assumed { base, .. } => base,
        other => other,
    };
    // A chain that is written as a word has no key of its own.
    let is_word = matches!(written, Some(file::Credentials::Word(_)));
    if let Some((key, expected)) = elsewhere(base)
        && !context.text_only
        && let Err(found) = source.resolve()
    {
        let key = if is_word { "" } else { key };
        context.mistake(&format!("{path}{key}"), found, expected);
    }
    Some(source)
}

/// The key and the content of a source that is not in the configuration itself.
const fn elsewhere(source: &Source) -> Option<(&'static str, &'static str)> {
    Some(match source {
        Source::Chain(_) => (".chain", "whole credentials in the environment or a profile file"),
        Source::Environment(_) => {
            (".environment", "an access key and a secret key in the environment")
        }
        Source::Profile { .. } => {
            (".profile.file", "a file of mode 600 or 640 with ak and sk in the section")
        }
        Source::PodIdentity(_) => (".pod_identity", "a pod of CCE that has a pod identity"),
        Source::IdentityProvider { .. } => (".identity_provider.id_token_file", TOKEN_FILE),
        Source::Oidc { .. } => (".oidc.token_file", TOKEN_FILE),
        _ => return None,
    })
}

/// True if a source certainly needs the service; the environment and files are not looked at.
pub(super) fn asks(source: &Source, service: Service) -> bool {
    match (source, service) {
        (Source::Password { .. } | Source::IdentityProvider { .. }, Service::Iam)
        | (Source::Oidc { .. }, Service::Sts) => true,
        (Source::Assumed { base, agency }, service) => {
            let of_agency = match agency.name {
                AgencyName::Urn(_) => Service::Sts,
                AgencyName::OfDomain { .. } => Service::Iam,
            };
            of_agency == service || asks(base, service)
        }
        _ => false,
    }
}

/// The one kind, and the agency that is assumed with it.
fn kinds(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::CredentialKinds,
) -> Option<Source> {
    let base = kind(context, path, written);
    let Some(assume) = &mut written.assume else { return base };
    let has_keys = written.password.is_none() && written.token.is_none();
    let agency = agency(context, &format!("{path}.assume"), assume, has_keys);
    Some(Source::Assumed { base: Box::new(base?), agency: agency? })
}

/// The names of the kinds that are written.
fn names(written: &file::CredentialKinds) -> Vec<&'static str> {
    let kinds = [
        ("static", written.fixed.is_some()),
        ("environment", written.environment.is_some()),
        ("profile", written.profile.is_some()),
        ("password", written.password.is_some()),
        ("token", written.token.is_some()),
        ("metadata", written.metadata.is_some()),
        ("pod_identity", written.pod_identity.is_some()),
        ("identity_provider", written.identity_provider.is_some()),
        ("oidc", written.oidc.is_some()),
        ("chain", written.chain.is_some()),
    ];
    kinds.into_iter().filter_map(|(kind, is)| is.then_some(kind)).collect()
}

fn kind(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::CredentialKinds,
) -> Option<Source> {
    let found = names(written);
    let [kind] = found[..] else {
        let found = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
        context.mistake(path, found, KINDS);
        return None;
    };
    let path = format!("{path}.{kind}");
    match written {
        file::CredentialKinds { fixed: Some(keys), .. } => static_keys(context, &path, keys),
        file::CredentialKinds { profile: Some(written), .. } => profile(context, &path, written),
        file::CredentialKinds { password: Some(written), .. } => password(context, &path, written),
        file::CredentialKinds { token: Some(written), .. } => {
            let file = SecretText::File(context.path(&mut written.file));
            read(context, &format!("{path}.file"), file, Kind::Key).map(Source::Token)
        }
        file::CredentialKinds { identity_provider: Some(written), .. } => {
            Some(identity_provider(context, &path, written))
        }
        file::CredentialKinds { oidc: Some(written), .. } => Some(oidc(context, &path, written)),
        file::CredentialKinds { metadata: Some(_), .. } => Some(Source::Metadata),
        file::CredentialKinds { pod_identity: Some(_), .. } => {
            Some(Source::PodIdentity(context.environment.clone()))
        }
        file::CredentialKinds { chain: Some(_), .. } => {
            Some(Source::Chain(context.environment.clone()))
        }
        _ => Some(Source::Environment(context.environment.clone())),
    }
}

fn identity_provider(
    context: &mut Context<'_>,
    path: &str,
    file::IdentityProvider { idp_id, id_token_file }: &mut file::IdentityProvider,
) -> Source {
    context.name(&format!("{path}.idp_id"), idp_id);
    Source::IdentityProvider { idp_id: idp_id.clone(), id_token_file: context.path(id_token_file) }
}

fn oidc(
    context: &mut Context<'_>,
    path: &str,
    file::Oidc { provider_urn, agency_urn, token_file }: &mut file::Oidc,
) -> Source {
    context.name(&format!("{path}.provider_urn"), provider_urn);
    context.name(&format!("{path}.agency_urn"), agency_urn);
    let token_file = context.path(token_file);
    Source::Oidc { provider_urn: provider_urn.clone(), agency_urn: agency_urn.clone(), token_file }
}

fn static_keys(
    context: &mut Context<'_>,
    path: &str,
    written: &mut file::StaticKeys,
) -> Option<Source> {
    let access_key = std::mem::replace(&mut written.access_key, ACCESS_KEY.to_owned());
    if let Err(found) = check_printable(&access_key) {
        context.mistake(&format!("{path}.access_key"), found, PRINTABLE);
    }
    let (inline, file) = (&written.secret_key, &mut written.secret_key_file);
    let secret_key = secret(context, &format!("{path}.secret_key"), inline, file, Kind::Key);
    let (inline, file) = (&written.security_token, &mut written.security_token_file);
    let security_token = (inline.is_some() || file.is_some())
        .then(|| secret(context, &format!("{path}.security_token"), inline, file, Kind::Key));
    Some(Source::Static {
        access_key,
        secret_key: secret_key?,
        security_token: match security_token {
            None => None,
            Some(token) => Some(token?),
        },
    })
}

fn profile(context: &mut Context<'_>, path: &str, written: &mut file::Profile) -> Option<Source> {
    let file = match &mut written.file {
        Some(file) => Some(context.path(file)),
        None => context.environment.profile_file(),
    };
    if file.is_none() && !context.text_only {
        let expected = "a file, or HUAWEICLOUD_SDK_CREDENTIALS_FILE or HOME in the environment";
        context.mistake(&format!("{path}.file"), "nothing", expected);
        return None;
    }
    let file = file.unwrap_or_default();
    written.file = Some(file.display().to_string());
    let section = written.section.get_or_insert_with(|| PROFILE_SECTION.to_owned());
    context.name(&format!("{path}.section"), section);
    Some(Source::Profile { file, section: section.clone() })
}

fn password(context: &mut Context<'_>, path: &str, written: &mut file::Password) -> Option<Source> {
    let file::Password { domain, user, password, password_file } = written;
    context.name(&format!("{path}.domain"), domain);
    context.name(&format!("{path}.user"), user);
    let path = format!("{path}.password");
    let password = secret(context, &path, password, password_file, Kind::Password)?;
    Some(Source::Password { domain: domain.clone(), user: user.clone(), password })
}

/// The forms of a secret.
#[derive(Clone, Copy)]
enum Kind {
    /// A key or a token: printable.
    Key,
    /// A text that is not empty.
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

/// A secret, in the configuration or in a file of its own.
fn secret(
    context: &mut Context<'_>,
    path: &str,
    inline: &Option<Secret>,
    file: &mut Option<String>,
    kind: Kind,
) -> Option<SecretText> {
    let (_, key) = path.rsplit_once('.').unwrap_or(("", path));
    match (inline, file) {
        (None, None) => {
            context.mistake(path, "nothing", format_args!("{key}_file (or {key})"));
            None
        }
        (Some(_), Some(_)) => {
            context.mistake(path, format_args!("{key}_file too"), "only one of them");
            None
        }
        (Some(secret), None) => {
            let what = format_args!(
                "written in the configuration; {key}_file keeps it out of backups and version \
                 control"
            );
            context.warning(path, what);
            read(context, path, SecretText::Inline(secret.clone()), kind)
        }
        (None, Some(file)) => {
            let file = SecretText::File(context.path(file));
            read(context, &format!("{path}_file"), file, kind)
        }
    }
}

/// Reads a secret once, so that a mistake is found at the start and reported at its own key.
fn read(
    context: &mut Context<'_>,
    path: &str,
    secret: SecretText,
    kind: Kind,
) -> Option<SecretText> {
    if context.text_only && matches!(secret, SecretText::File(_)) {
        return Some(secret);
    }
    let expected = "a file of mode 600 or 640 with one line, the secret";
    match secret.read().map(|value| kind.check(value.expose())) {
        Ok(Ok(())) => return Some(secret),
        Ok(Err((found, expected))) => context.mistake(path, found, expected),
        Err(found) => context.mistake(path, found, expected),
    }
    None
}
