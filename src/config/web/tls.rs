//! `tls_server_config`: certificate, client authentication, versions and algorithms.

use super::{super::diagnostics::At, file};
use crate::{
    secret::Secret,
    web::tls::{self, ClientAuth, Pem, Tls, TlsError, TlsSettings, TlsVersion},
};

/// The versions that this program has.
const VERSIONS: &str = "TLS12 or TLS13; older versions are broken";

/// Also reads the files that are named, unless only the text is checked.
pub(super) fn tls(at: &At<'_>, written: file::Tls) -> Option<Tls> {
    let before = at.context.mistakes();
    let certificate = pem(at, "cert", written.cert, written.cert_file, true);
    let key = pem(at, "key", written.key, written.key_file, true);
    let ca = pem(at, "client_ca", written.client_ca, written.client_ca_file, false);
    let word = written.client_auth_type.as_deref().unwrap_or("NoClientCert");
    let sans = written.client_allowed_sans.unwrap_or_default();
    let clients = clients(at, word, ca, sans);
    let min_version = version(&at.key("min_version"), written.min_version, TlsVersion::Tls12);
    let max_version = version(&at.key("max_version"), written.max_version, TlsVersion::Tls13);
    if min_version > max_version {
        at.key("max_version").mistake("TLS12", "no older version than min_version");
    }
    let (suites, known) = (written.cipher_suites, tls::cipher_suite_names());
    let cipher_suites = list(&at.key("cipher_suites"), suites, tls::cipher_suite, known);
    let (curves, known) = (written.curve_preferences, tls::curve_names());
    let curves = list(&at.key("curve_preferences"), curves, tls::curve, known);
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
    key: &str,
    inline: Option<Secret>,
    file: Option<String>,
    is_required: bool,
) -> Option<Pem> {
    let at = at.key(key);
    match (inline, file) {
        (Some(text), None) => Some(Pem::Inline(text)),
        (None, Some(mut file)) => Some(Pem::File(at.context.path(&mut file))),
        (Some(_), Some(_)) => at.wrong("both", format_args!("only one of {key} and {key}_file")),
        (None, None) if is_required => at.wrong("nothing", format_args!("{key} or {key}_file")),
        (None, None) => None,
    }
}

fn clients(
    at: &At<'_>,
    word: &str,
    ca: Option<Pem>,
    allowed_sans: Vec<String>,
) -> Option<ClientAuth> {
    if !allowed_sans.is_empty() && word != "RequireAndVerifyClientCert" {
        let expected = "client_auth_type RequireAndVerifyClientCert with it: a name in a \
                        certificate that is not verified, or not there, proves nothing";
        at.key("client_allowed_sans").mistake(word, expected);
    }
    let at_type = at.key("client_auth_type");
    match (word, ca) {
        ("NoClientCert", None) => Some(ClientAuth::NoClientCert),
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
            Some(match word {
                "RequestClientCert" => ClientAuth::RequestClientCert,
                _ => ClientAuth::RequireAnyClientCert,
            })
        }
        ("VerifyClientCertIfGiven", Some(ca)) => Some(ClientAuth::VerifyClientCertIfGiven { ca }),
        ("RequireAndVerifyClientCert", Some(ca)) => {
            Some(ClientAuth::RequireAndVerifyClientCert { ca, allowed_sans })
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
fn list<T>(
    at: &At<'_>,
    written: Option<Vec<String>>,
    value: impl Fn(&str) -> Option<T>,
    known: impl Iterator<Item = &'static str>,
) -> Vec<T> {
    let known = known.collect::<Vec<_>>().join(", ");
    let value = |(at, name): (At<'_>, &String)| {
        let expected = format_args!("one of {known}");
        value(name).or_else(|| at.wrong(format_args!("{name:?}"), expected))
    };
    at.each(written.iter().flatten()).filter_map(value).collect()
}
