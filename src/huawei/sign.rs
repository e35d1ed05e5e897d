//! Request signing, `SDK-HMAC-SHA256`: a pure function of the request, the keys and the date.
//!
//! The rules are those of the API signing guide of Huawei Cloud ("AK/SK Signing and Authentication
//! Algorithm"). Tests hold every intermediate step against vectors made with the official SDK. Not
//! supported, as nothing here sends it: `V11-HMAC-SHA256` with a derived key, and a payload that is
//! not signed or is signed by a hash in a header (`X-Sdk-Content-Sha256`).

use std::{borrow::Cow, fmt::Write as _};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{secret::Secret, text};

/// The request as the gateway will see it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// The path, percent-encoded or not, without the query.
    pub path: &'a str,
    /// Query pairs, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers to sign: `x-sdk-date` must be among them. Names in any case; those
    /// with an underscore are left out, as gateways drop them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The exact bytes of the body.
    pub body: &'a [u8],
}

/// A signature with the steps that led to it. It holds the security token in clear, if one was
/// signed, so it has no `Debug`.
pub struct Signed {
    /// The canonical request.
    pub canonical_request: String,
    /// The names of the signed headers, joined with `;`.
    pub signed_headers: String,
    /// The text that the key signs.
    pub string_to_sign: String,
    /// Hexadecimal HMAC.
    pub signature: String,
    /// The value of the `Authorization` header.
    pub authorization: String,
}

/// Signs a request. `date` is the value of its `X-Sdk-Date` header, `20240102T030405Z`.
pub fn sign(request: Request<'_>, access_key: &str, secret_key: &Secret, date: &str) -> Signed {
    let headers = headers_to_sign(request.headers);
    let names: Vec<_> = headers.iter().map(|(name, _)| &**name).collect();
    let signed_headers = names.join(";");
    let canonical_request = canonical_request(&request, &headers, &signed_headers);
    let hash = sha256_hex(canonical_request.as_bytes());
    let string_to_sign = ["SDK-HMAC-SHA256\n", date, "\n", &hash].concat();
    let signature = hmac_hex(secret_key.expose().as_bytes(), &string_to_sign);
    let authorization = format!(
        "SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={signed_headers}, Signature={signature}"
    );
    Signed { canonical_request, signed_headers, string_to_sign, signature, authorization }
}

fn canonical_request(
    request: &Request<'_>,
    headers: &[(Cow<'_, str>, &str)],
    signed_headers: &str,
) -> String {
    let mut canonical = String::with_capacity(512);
    canonical.extend([request.method, "\n"]);
    push_canonical_path(&mut canonical, request.path);
    canonical.extend(["\n", &canonical_query(request.query), "\n"]);
    for (name, value) in headers {
        canonical.extend([name, ":", value, "\n"]);
    }
    canonical.extend(["\n", signed_headers, "\n", &payload_hash(request.body)]);
    canonical
}

/// The query string as it must be signed; sending the same text leaves no room for a difference.
/// Pairs are sorted by raw name, then raw value, before they are encoded.
pub fn canonical_query(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let mut text = String::new();
    for (name, value) in sorted {
        if !text.is_empty() {
            text.push('&');
        }
        push_encoded(&mut text, name.as_bytes());
        text.push('=');
        push_encoded(&mut text, value.as_bytes());
    }
    text
}

/// Lower-case names and trimmed values, in the order of the names.
fn headers_to_sign<'a>(given: &[(&'a str, &'a str)]) -> Vec<(Cow<'a, str>, &'a str)> {
    let mut headers: Vec<_> = given
        .iter()
        .filter(|(name, _)| !name.contains('_'))
        .map(|&(name, value)| (lower_case(name), value.trim()))
        .collect();
    headers.sort_unstable();
    headers
}

fn lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
    }
}

/// Most requests have no body, whose hash is always the same (FIPS 180-4, of the empty message).
fn payload_hash(body: &[u8]) -> Cow<'static, str> {
    const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    if body.is_empty() { OF_NOTHING.into() } else { sha256_hex(body).into() }
}

/// Decodes the path once and encodes it again, so that both forms of a path sign alike; the
/// canonical path always ends with a slash.
fn push_canonical_path(out: &mut String, path: &str) {
    if path.bytes().all(|byte| is_unreserved(byte) || byte == b'/') {
        out.push_str(path);
        if !path.ends_with('/') {
            out.push('/');
        }
        return;
    }
    let decoded = percent_decoded(path.as_bytes());
    for (index, segment) in decoded.split(|&byte| byte == b'/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        push_encoded(out, segment);
    }
    if !out.ends_with('/') {
        out.push('/');
    }
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

fn push_encoded(out: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    text::to_hex(&Sha256::digest(bytes))
}

fn hmac_hex(key: &[u8], message: &str) -> String {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message.as_bytes());
    text::to_hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
