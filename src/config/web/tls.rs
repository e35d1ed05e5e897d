//! `tls_server_config`: certificate, client authentication, versions and algorithms.

use super::{super::diagnostics::At, file};
use crate::{
    secret::Secret,
    web::tls::{self, ClientAuth, Pem, Place, Tls, TlsError, TlsSettings, TlsVersion},
};

/// The versions that this program has.
const VERSIONS: &str = "TLS12 or TLS13; older versions are broken";

/// Also reads the files that are named, unless only the text is checked.
pub(super) fn tls(at: &At<'_>, written: file::Tls) -> Option<Tls> {
    let before = at.context.mistakes();
    let certificate = pem(at, ["cert", "cert_file"], written.cert, written.cert_file, true);
    let key = pem(at, ["key", "key_file"], written.key, written.key_file, true);
    let keys = ["client_ca", "client_ca_file"];
    let ca = pem(at, keys, written.client_ca, written.client_ca_file, false);
    let word = written.client_auth_type.as_deref().unwrap_or("NoClientCert");
    let sans = written.client_allowed_sans.unwrap_or_default();
    let clients = clients(at, word, ca, sans);
    let min_version = version(&at.key("min_version"), written.min_version, TlsVersion::Tls12);
    let max_version = version(&at.key("max_version"), written.max_version, TlsVersion::Tls13);
    if min_version > max_version {
        at.key("max_version").mistake("TLS12", "no older version than min_version");
    }
    let suites = written.cipher_suites;
    let cipher_suites = list(&at.key("cipher_suites"), suites, &tls::CIPHER_SUITES);
    let curves = list(&at.key("curve_preferences"), written.curve_preferences, &tls::CURVES);
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
    if at.context.text_only || at.context.mistakes() > before {
        return None;
    }
    let opened = Tls::open(settings);
    let opened = opened.map_err(|TlsError { key, what }| at.key(key).refuse(what)).ok()?;
    for TlsError { key, what } in opened.1 {
        at.key(key).warning(what);
    }
    Some(opened.0)
}

/// A text in the web configuration itself, or in the file that it names.
fn pem(
    at: &At<'_>,
    [key, key_file]: [&'static str; 2],
    inline: Option<Secret>,
    file: Option<String>,
    is_required: bool,
) -> Option<Pem> {
    let at = at.key(key);
    match (inline, file) {
        (Some(text), None) => Some(Pem { key, place: Place::Inline(text) }),
        (None, Some(mut file)) => {
            Some(Pem { key: key_file, place: Place::File(at.context.path(&mut file)) })
        }
        (Some(_), Some(_)) => at.wrong("both", format_args!("only one of {key} and {key_file}")),
        (None, None) if is_required => at.wrong("nothing", format_args!("{key} or {key_file}")),
        (None, None) => None,
    }
}

/// The demand on clients, in the words of Go's `ClientAuthType`; `Some(None)` if they are asked for no
/// certificate, and `None` after a mistake.
fn clients(
    at: &At<'_>,
    word: &str,
    ca: Option<Pem>,
    allowed_sans: Vec<String>,
) -> Option<Option<ClientAuth>> {
    if !allowed_sans.is_empty() && word != "RequireAndVerifyClientCert" {
        let expected = "client_auth_type RequireAndVerifyClientCert with it: a name in a \
                        certificate that is not verified, or not there, proves nothing";
        at.key("client_allowed_sans").mistake(word, expected);
    }
    let at_type = at.key("client_auth_type");
    match (word, ca) {
        ("NoClientCert", None) => Some(None),
        ("NoClientCert", Some(_)) => {
            let expected = "a client_auth_type that asks for a certificate, with an authority";
            at_type.wrong(word, expected)
        }
        // The toolkit takes the last word too, for old files.
        ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert", ca) => {
            let ignored = if ca.is_some() { "; the client CA is not used" } else { "" };
            at_type.warning(format_args!(
                "{word} takes any certificate, also one that a stranger made{ignored}; \
                 RequireAndVerifyClientCert takes only those of an authority"
            ));
            let mandatory = word != "RequestClientCert";
            Some(Some(ClientAuth { mandatory, ca: None, allowed_sans }))
        }
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", ca @ Some(_)) => {
            let mandatory = word == "RequireAndVerifyClientCert";
            Some(Some(ClientAuth { mandatory, ca, allowed_sans }))
        }
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            let expected = format!("one with {word}; the authorities of the system are not asked");
            at.key("client_ca_file").wrong("nothing", expected)
        }
        _ => {
            let expected = "NoClientCert, RequestClientCert, RequireAnyClientCert, \
                            VerifyClientCertIfGiven or RequireAndVerifyClientCert";
            at_type.wrong(format_args!("{word:?}"), expected)
        }
    }
}

fn version(at: &At<'_>, written: Option<String>, default: TlsVersion) -> TlsVersion {
    let version = written.and_then(|word| match &*word {
        "TLS12" => Some(TlsVersion::Tls12),
        "TLS13" => Some(TlsVersion::Tls13),
        other => at.wrong(format_args!("{other:?}"), VERSIONS),
    });
    version.unwrap_or(default)
}

/// The values of a list of names, with a mistake for each name that is unknown.
fn list<T: Copy>(at: &At<'_>, written: Option<Vec<String>>, known: &[(&str, T)]) -> Vec<T> {
    let value = |(at, name): (At<'_>, &String)| match known.iter().find(|(known, _)| known == name)
    {
        Some((_, value)) => Some(*value),
        None => {
            let known = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            at.wrong(format_args!("{name:?}"), format_args!("one of {known}"))
        }
    };
    at.each(written.iter().flatten()).filter_map(value).collect()
}
