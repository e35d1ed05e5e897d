//! `projects[].credentials`: the word `chain`, or exactly one kind.

use super::{
    agency::agency,
    diagnostics::At,
    file::{self, CredentialKinds as Kinds},
};
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

const CHAIN: &str = "whole credentials in the environment or a profile file";
const TOKEN_FILE: &str = "a file with a token that no other user may change";

/// The source of a project's credentials. They are read once now, so that a mistake is found at the
/// start and not at the first poll.
pub(super) fn source(at: &At<'_>, written: &mut Option<file::Credentials>) -> Option<Source> {
    match written.get_or_insert_with(|| file::Credentials::Word("chain".into())) {
        // A chain that is written as a word has no key of its own.
        file::Credentials::Word(word) if word == "chain" => {
            elsewhere(at, Source::Chain(at.context.environment.clone()), CHAIN)
        }
        // The word may be a secret that someone put one level too high.
        file::Credentials::Word(word) => {
            let found = format_args!("another word, of {} characters", word.chars().count());
            at.wrong(found, format_args!("chain, or {KINDS}"))
        }
        file::Credentials::Kinds(written) => kinds(at, written),
    }
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
fn kinds(at: &At<'_>, written: &mut Kinds) -> Option<Source> {
    let base = kind(at, written);
    let Some(assume) = &mut written.assume else { return base };
    let has_keys = written.password.is_none() && written.token.is_none();
    let agency = agency(&at.key("assume"), assume, has_keys);
    Some(Source::Assumed { base: Box::new(base?), agency: agency? })
}

fn kind(at: &At<'_>, written: &mut Kinds) -> Option<Source> {
    let kinds = [
        ("static", written.r#static.is_some()),
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
    let found: Vec<_> = kinds.iter().filter_map(|(kind, is)| is.then_some(*kind)).collect();
    let [kind] = found[..] else {
        let found = if found.is_empty() { "none".to_owned() } else { found.join(" and ") };
        return at.wrong(found, KINDS);
    };
    let (at, environment) = (&at.key(kind), || at.context.environment.clone());
    match written {
        Kinds { r#static: Some(keys), .. } => static_keys(at, keys),
        Kinds { profile: Some(profile), .. } => self::profile(at, profile),
        Kinds { password: Some(password), .. } => self::password(at, password),
        Kinds { token: Some(token), .. } => {
            let file = SecretText::File(at.context.path(&mut token.file));
            read(&at.key("file"), file, key).map(Source::Token)
        }
        Kinds { identity_provider: Some(provider), .. } => identity_provider(at, provider),
        Kinds { oidc: Some(provider), .. } => oidc(at, provider),
        Kinds { metadata: Some(_), .. } => Some(Source::Metadata),
        Kinds { pod_identity: Some(_), .. } => {
            let expected = "a pod of CCE that has a pod identity";
            elsewhere(at, Source::PodIdentity(environment()), expected)
        }
        Kinds { chain: Some(_), .. } => elsewhere(at, Source::Chain(environment()), CHAIN),
        _ => {
            let expected = "an access key and a secret key in the environment";
            elsewhere(at, Source::Environment(environment()), expected)
        }
    }
}

/// A source that is not in the configuration itself, with a mistake if there is nothing to read, or not
/// what is expected.
fn elsewhere(at: &At<'_>, source: Source, expected: &str) -> Option<Source> {
    if !at.context.text_only
        && let Err(found) = source.resolve()
    {
        at.mistake(found, expected);
    }
    Some(source)
}

fn identity_provider(at: &At<'_>, written: &mut file::IdentityProvider) -> Option<Source> {
    at.key("idp_id").name(&written.idp_id);
    let id_token_file = at.context.path(&mut written.id_token_file);
    let source = Source::IdentityProvider { idp_id: written.idp_id.clone(), id_token_file };
    elsewhere(&at.key("id_token_file"), source, TOKEN_FILE)
}

fn oidc(at: &At<'_>, written: &mut file::Oidc) -> Option<Source> {
    let token_file = at.context.path(&mut written.token_file);
    let (provider_urn, agency_urn) = (written.provider_urn.clone(), written.agency_urn.clone());
    at.key("provider_urn").name(&provider_urn);
    at.key("agency_urn").name(&agency_urn);
    let source = Source::Oidc { provider_urn, agency_urn, token_file };
    elsewhere(&at.key("token_file"), source, TOKEN_FILE)
}

fn static_keys(at: &At<'_>, written: &mut file::StaticKeys) -> Option<Source> {
    let access_key = std::mem::replace(&mut written.access_key, ACCESS_KEY.to_owned());
    if let Err(found) = check_printable(&access_key) {
        at.key("access_key").mistake(found, PRINTABLE);
    }
    let (inline, file) = (&written.secret_key, &mut written.secret_key_file);
    let secret_key = secret(at, "secret_key", inline, file, key);
    let (inline, file) = (&written.security_token, &mut written.security_token_file);
    let security_token = match inline.is_some() || file.is_some() {
        true => secret(at, "security_token", inline, file, key).map(Some),
        false => Some(None),
    };
    let (secret_key, security_token) = (secret_key?, security_token?);
    Some(Source::Static { access_key, secret_key, security_token })
}

fn profile(at: &At<'_>, written: &mut file::Profile) -> Option<Source> {
    let file = match &mut written.file {
        Some(file) => Some(at.context.path(file)),
        None => at.context.environment.profile_file(),
    };
    let at_file = at.key("file");
    if file.is_none() && !at.context.text_only {
        let expected = "a file, or HUAWEICLOUD_SDK_CREDENTIALS_FILE or HOME in the environment";
        return at_file.wrong("nothing", expected);
    }
    let file = file.unwrap_or_default();
    written.file = Some(file.display().to_string());
    let section = written.section.get_or_insert_with(|| PROFILE_SECTION.to_owned());
    at.key("section").name(section);
    let source = Source::Profile { file, section: section.clone() };
    elsewhere(&at_file, source, "a file of mode 600 or 640 with ak and sk in the section")
}

fn password(at: &At<'_>, written: &mut file::Password) -> Option<Source> {
    let file::Password { domain, user, password, password_file } = written;
    at.key("domain").name(domain);
    at.key("user").name(user);
    let password = secret(at, "password", password, password_file, some_text)?;
    Some(Source::Password { domain: domain.clone(), user: user.clone(), password })
}

/// A check of a secret. The error says what was found and what was expected, without the value.
type Check = fn(&str) -> Result<(), (&'static str, &'static str)>;

/// A key or a token.
fn key(text: &str) -> Result<(), (&'static str, &'static str)> {
    check_printable(text).map_err(|found| (found, PRINTABLE))
}

/// A password may have any character.
fn some_text(text: &str) -> Result<(), (&'static str, &'static str)> {
    if text.is_empty() { Err(("an empty text", "a password")) } else { Ok(()) }
}

/// A secret, in the configuration or in a file of its own.
fn secret(
    at: &At<'_>,
    key: &str,
    inline: &Option<Secret>,
    file: &mut Option<String>,
    check: Check,
) -> Option<SecretText> {
    let at_inline = at.key(key);
    match (inline, file) {
        (None, None) => at_inline.wrong("nothing", format_args!("{key}_file (or {key})")),
        (Some(_), Some(_)) => at_inline.wrong(format_args!("{key}_file too"), "only one of them"),
        (Some(secret), None) => {
            at_inline.warning(format_args!(
                "written in the configuration; {key}_file keeps it out of backups and version \
                 control"
            ));
            read(&at_inline, SecretText::Inline(secret.clone()), check)
        }
        (None, Some(file)) => {
            let file = SecretText::File(at.context.path(file));
            read(&at.key(&format!("{key}_file")), file, check)
        }
    }
}

/// Reads a secret once, so that a mistake is found at the start and reported at its own key.
fn read(at: &At<'_>, secret: SecretText, check: Check) -> Option<SecretText> {
    if at.context.text_only && matches!(secret, SecretText::File(_)) {
        return Some(secret);
    }
    let expected = "a file of mode 600 or 640 with one line, the secret";
    match secret.read().map(|value| check(value.expose())) {
        Ok(Ok(())) => Some(secret),
        Ok(Err((found, expected))) => at.wrong(found, expected),
        Err(found) => at.wrong(found, expected),
    }
}
