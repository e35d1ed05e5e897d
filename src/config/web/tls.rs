//! `tls_server_config`: certificate, client authentication, versions and algorithms.

use super::{super::diagnostics::Context, file};
use crate::{
    secret::Secret,
    web::tls::{self, ClientAuth, Pem, Place, Tls, TlsError, TlsSettings, TlsVersion},
};

/// The versions that this program has.
const VERSIONS: &str = "TLS12 or TLS13; older versions are broken";

/// Also reads the files that are named, unless only the text is checked.
pub(super) fn tls(context: &mut Context<'_>, written: file::Tls) -> Option<Tls> {
    let before = context.mistakes();
    let keys = ["cert", "cert_file"];
    let certificate = pem(context, keys, written.cert, written.cert_file, true);
    let key = pem(context, ["key", "key_file"], written.key, written.key_file, true);
    let keys = ["client_ca", "client_ca_file"];
    let ca = pem(context, keys, written.client_ca, written.client_ca_file, false);
    let word = written.client_auth_type.as_deref().unwrap_or("NoClientCert");
    let sans = written.client_allowed_sans.unwrap_or_default();
    let clients = clients(context, word, ca, sans);
    let min_version = version(context, "min_version", written.min_version, TlsVersion::Tls12);
    let max_version = version(context, "max_version", written.max_version, TlsVersion::Tls13);
    if min_version > max_version {
        context.mistake(&path("max_version"), "TLS12", "no older version than min_version");
    }
    let cipher_suites = list(context, "cipher_suites", written.cipher_suites, &tls::CIPHER_SUITES);
    let curves = list(context, "curve_preferences", written.curve_preferences, &tls::CURVES);
    let settings = TlsSettings {
        certificate: certificate?,
        key: key?,
        clients: clients?,
        min_version,
        max_version,
        cipher_suites,
        curves,
        prefer_server_order: written.prefer_server_cipher_suites.unwrap_or(true),
    };
    if context.text_only || context.mistakes() > before {
        return None;
    }
    let opened = Tls::open(settings);
    let opened = opened.map_err(|TlsError { key, what }| context.refuse(&path(key), what)).ok()?;
    for TlsError { key, what } in opened.1 {
        context.warning(&path(key), what);
    }
    Some(opened.0)
}

fn path(key: &str) -> String {
    format!("tls_server_config.{key}")
}

/// A text in the web configuration itself, or in the file that it names.
fn pem(
    context: &mut Context<'_>,
    [key, key_file]: [&'static str; 2],
    inline: Option<Secret>,
    file: Option<String>,
    is_required: bool,
) -> Option<Pem> {
    match (inline, file) {
        (Some(text), None) => return Some(Pem { key, place: Place::Inline(text) }),
        (None, Some(mut file)) => {
            return Some(Pem { key: key_file, place: Place::File(context.path(&mut file)) });
        }
        (Some(_), Some(_)) => {
            context.mistake(&path(key), "both", format_args!("only one of {key} and {key_file}"));
        }
        (None, None) if is_required => {
            context.mistake(&path(key), "nothing", format_args!("{key} or {key_file}"));
        }
        (None, None) => {}
    }
    None
}

/// The demand on clients, in the words of Go's `ClientAuthType`: none inside, if they are not asked for a
/// certificate.
fn clients(
    context: &mut Context<'_>,
    word: &str,
    ca: Option<Pem>,
    allowed_sans: Vec<String>,
) -> Option<Option<ClientAuth>> {
    if !allowed_sans.is_empty() && word != "RequireAndVerifyClientCert" {
        let expected = "client_auth_type RequireAndVerifyClientCert with it: a name in a \
                        certificate that is not verified, or not there, proves nothing";
        context.mistake(&path("client_allowed_sans"), word, expected);
    }
    match (word, ca) {
        ("NoClientCert", None) => return Some(None),
        ("NoClientCert", Some(_)) => {
            let expected = "a client_auth_type that asks for a certificate, with an authority";
            context.mistake(&path("client_auth_type"), word, expected);
        }
        // The toolkit takes the last word too, for old files.
        ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert", ca) => {
            let ignored = if ca.is_some() { "; the client CA is not used" } else { "" };
            let what = format_args!(
                "{word} takes any certificate, also one that a stranger made{ignored}; \
                 RequireAndVerifyClientCert takes only those of an authority"
            );
            context.warning(&path("client_auth_type"), what);
            let mandatory = word != "RequestClientCert";
            return Some(Some(ClientAuth { mandatory, ca: None, allowed_sans }));
        }
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", ca @ Some(_)) => {
            let mandatory = word == "RequireAndVerifyClientCert";
            return Some(Some(ClientAuth { mandatory, ca, allowed_sans }));
        }
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            let expected = format!("one with {word}; the authorities of the system are not asked");
            context.mistake(&path("client_ca_file"), "nothing", expected);
        }
        _ => {
            let expected = "NoClientCert, RequestClientCert, RequireAnyClientCert, \
                            VerifyClientCertIfGiven or RequireAndVerifyClientCert";
            context.mistake(&path("client_auth_type"), format_args!("{word:?}"), expected);
        }
    }
    None
}

fn version(
    context: &mut Context<'_>,
    key: &str,
    written: Option<String>,
    default: TlsVersion,
) -> TlsVersion {
    match written.as_deref() {
        None => default,
        Some("TLS12") => TlsVersion::Tls12,
        Some("TLS13") => TlsVersion::Tls13,
        Some(other) => {
            context.mistake(&path(key), format_args!("{other:?}"), VERSIONS);
            default
        }
    }
}

/// The values of a list of names, with a mistake for each name that is unknown.
fn list<T: Copy>(
    context: &mut Context<'_>,
    key: &str,
    written: Option<Vec<String>>,
    known: &[(&str, T)],
) -> Vec<T> {
    let mut values = Vec::new();
    for (index, name) in written.iter().flatten().enumerate() {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, value)) => values.push(*value),
            None => {
                let known = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                let path = format!("{}[{index}]", path(key));
                context.mistake(&path, format_args!("{name:?}"), format_args!("one of {known}"));
            }
        }
    }
    values
}
