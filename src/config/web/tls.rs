//! `tls_server_config`: whose certificate, which clients, which versions and algorithms.

use std::path::Path;

use super::{super::notes::Notes, file, file::Hidden};
use crate::web::tls::{self, ClientAuth, Pem, Tls, TlsError, TlsSettings, TlsVersion};

/// What this program has of the versions.
const VERSIONS: &str = "TLS12 or TLS13; older versions are broken";

/// Also reads the files that are named, unless only the text is checked.
pub(super) fn tls(
    notes: &mut Notes<'_>,
    written: file::Tls,
    folder: &Path,
    text_only: bool,
) -> Option<Tls> {
    let before = notes.mistakes.len();
    let certificate = required(notes, "cert", written.cert, written.cert_file, folder);
    let key = required(notes, "key", written.key, written.key_file, folder);
    let ca = pem(notes, "client_ca", written.client_ca, written.client_ca_file, folder);
    let word = written.client_auth_type.as_deref();
    let clients = clients(notes, word, ca, written.client_allowed_sans);
    let mut version = |key: &str, written: Option<&str>, default| match written {
        None => default,
        Some("TLS12") => TlsVersion::Tls12,
        Some("TLS13") => TlsVersion::Tls13,
        Some(other) => {
            notes.mistake(&path(key), format_args!("{other:?}"), VERSIONS);
            default
        }
    };
    let min_version = version("min_version", written.min_version.as_deref(), TlsVersion::Tls12);
    let max_version = version("max_version", written.max_version.as_deref(), TlsVersion::Tls13);
    if min_version > max_version {
        notes.mistake(&path("max_version"), "TLS12", "no older version than min_version");
    }
    let suites = names(tls::cipher_suite_names());
    let cipher_suites =
        list(notes, "cipher_suites", &written.cipher_suites, tls::cipher_suite, &suites);
    let known = names(tls::curve_names());
    let curves = list(notes, "curve_preferences", &written.curve_preferences, tls::curve, &known);
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
    if text_only || notes.mistakes.len() > before {
        return None;
    }
    match Tls::open(settings) {
        Ok((tls, warnings)) => {
            for TlsError { key, what } in warnings {
                notes.warning(&path(key), what);
            }
            Some(tls)
        }
        Err(TlsError { key, what }) => {
            notes.refuse(&path(key), what);
            None
        }
    }
}

fn path(key: &str) -> String {
    format!("tls_server_config.{key}")
}

/// What is written in the file itself, or in the file that it names.
fn pem(
    notes: &mut Notes<'_>,
    key: &str,
    inline: Option<Hidden>,
    file: Option<String>,
    folder: &Path,
) -> Option<Pem> {
    match (inline, file) {
        (Some(_), Some(_)) => {
            let expected = format!("only one of {key} and {key}_file");
            notes.mistake(&path(key), "both", expected);
            None
        }
        (Some(Hidden(text)), None) => Some(Pem::Inline(text)),
        (None, Some(file)) => Some(Pem::File(folder.join(file))),
        (None, None) => None,
    }
}

fn required(
    notes: &mut Notes<'_>,
    key: &str,
    inline: Option<Hidden>,
    file: Option<String>,
    folder: &Path,
) -> Option<Pem> {
    if inline.is_none() && file.is_none() {
        notes.mistake(&path(key), "nothing", format_args!("{key} or {key}_file"));
    }
    pem(notes, key, inline, file, folder)
}

fn clients(
    notes: &mut Notes<'_>,
    word: Option<&str>,
    ca: Option<Pem>,
    allowed_sans: Vec<String>,
) -> Option<ClientAuth> {
    let word = word.unwrap_or("NoClientCert");
    let is_verified = word == "RequireAndVerifyClientCert";
    if !allowed_sans.is_empty() && !is_verified {
        let expected = "client_auth_type RequireAndVerifyClientCert with it: a name in a \
                        certificate that is not verified, or not there, proves nothing";
        notes.mistake(&path("client_allowed_sans"), format_args!("{word}"), expected);
    }
    let has_ca = ca.is_some();
    let mut authority = || {
        if ca.is_none() {
            let expected = format!("one with {word}; the authorities of the system are not asked");
            notes.mistake(&path("client_ca_file"), "nothing", expected);
        }
        ca.clone()
    };
    let clients = match word {
        "NoClientCert" => ClientAuth::NoClientCert,
        "RequestClientCert" => ClientAuth::RequestClientCert,
        // The toolkit takes the second word too, for old files.
        "RequireAnyClientCert" | "RequireClientCert" => ClientAuth::RequireAnyClientCert,
        "VerifyClientCertIfGiven" => ClientAuth::VerifyClientCertIfGiven { ca: authority()? },
        "RequireAndVerifyClientCert" => {
            ClientAuth::RequireAndVerifyClientCert { ca: authority()?, allowed_sans }
        }
        other => {
            let expected = "NoClientCert, RequestClientCert, RequireAnyClientCert, \
                            VerifyClientCertIfGiven or RequireAndVerifyClientCert";
            notes.mistake(&path("client_auth_type"), format_args!("{other:?}"), expected);
            return None;
        }
    };
    match clients {
        ClientAuth::NoClientCert if has_ca => {
            let expected = "a client_auth_type that asks for a certificate, with an authority";
            notes.mistake(&path("client_auth_type"), "NoClientCert", expected);
        }
        ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert => {
            let ignored = if has_ca { "; the client CA is not used" } else { "" };
            let what = format!(
                "{word} takes any certificate, also one that a stranger made{ignored}; \
                 RequireAndVerifyClientCert takes only those of an authority"
            );
            notes.warning(&path("client_auth_type"), what);
        }
        _ => {}
    }
    Some(clients)
}

/// The values of a list of names, with a mistake for each name that is unknown.
fn list<T>(
    notes: &mut Notes<'_>,
    key: &str,
    written: &[String],
    known: impl Fn(&str) -> Option<T>,
    names: &str,
) -> Vec<T> {
    let mut values = Vec::new();
    for (index, name) in written.iter().enumerate() {
        match known(name) {
            Some(value) => values.push(value),
            None => notes.mistake(
                &format!("{}[{index}]", path(key)),
                format_args!("{name:?}"),
                format_args!("one of {names}"),
            ),
        }
    }
    values
}

fn names(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
