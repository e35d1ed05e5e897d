//! Request signing, `SDK-HMAC-SHA256`: a pure function of the request, the keys and the date.
//!
//! The rules are those of the API signing guide of Huawei Cloud ("AK/SK Signing and Authentication
//! Algorithm"). Tests hold every intermediate step against vectors made with the official SDK.
//! `V11-HMAC-SHA256`, the derived-key variant that gateways of other domains ask for, differs in
//! three places only and shares everything else.

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

/// Which algorithm signs, with what it needs beside the keys.
#[derive(Clone, Copy)]
pub enum Scheme<'a> {
    /// The usual one.
    SdkHmacSha256,
    /// With a key derived for a day, a region and a service.
    V11HmacSha256 {
        /// Region id, such as `cn-north-4`.
        region: &'a str,
        /// Service, such as `css`.
        service: &'a str,
    },
}

/// A signature with the steps that led to it. It holds the security token in clear, if one was
/// signed, so it has no `Debug`.
pub struct Signed {
    /// The canonical request.
    pub canonical_request: String,
    /// The names of the signed headers, joined with `;`.
    pub signed_headers: String,
    /// What the key signs.
    pub string_to_sign: String,
    /// Hexadecimal HMAC.
    pub signature: String,
    /// The value of the `Authorization` header.
    pub authorization: String,
    /// Whether `X-Sdk-Content-Sha256: UNSIGNED-PAYLOAD` was signed and must be sent too.
    pub payload_is_unsigned: bool,
}

const CONTENT_SHA256: &str = "x-sdk-content-sha256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Signs a request. `date` is the value of its `X-Sdk-Date` header, `20240102T030405Z`.
pub fn sign(
    request: Request<'_>,
    access_key: &str,
    secret_key: &Secret,
    date: &str,
    scheme: Scheme<'_>,
) -> Signed {
    let (mut headers, payload_is_unsigned) = headers_to_sign(request.headers);
    headers.sort_unstable();
    let mut signed_headers = String::with_capacity(128);
    for (name, _) in &headers {
        if !signed_headers.is_empty() {
            signed_headers.push(';');
        }
        signed_headers.push_str(name);
    }
    let payload_hash = headers
        .iter()
        .find(|(name, value)| {
            name == CONTENT_SHA256 && (*value == UNSIGNED_PAYLOAD || !request.body.is_empty())
        })
        .map_or_else(|| payload_hash(request.body), |(_, value)| Cow::Borrowed(*value));

    let mut canonical = String::with_capacity(512);
    canonical.push_str(request.method);
    canonical.push('\n');
    push_canonical_path(&mut canonical, request.path);
    canonical.push('\n');
    canonical.push_str(&canonical_query(request.query));
    canonical.push('\n');
    for (name, value) in &headers {
        canonical.extend([name, ":", value, "\n"]);
    }
    canonical.extend(["\n", &signed_headers, "\n", &payload_hash]);

    let hash = sha256_hex(canonical.as_bytes());
    let signed = scheme.finish(access_key, secret_key, date, &hash);
    Signed {
        authorization: [
            &*signed.credential,
            ", SignedHeaders=",
            &signed_headers,
            ", Signature=",
            &signed.signature,
        ]
        .concat(),
        canonical_request: canonical,
        signed_headers,
        string_to_sign: signed.string_to_sign,
        signature: signed.signature,
        payload_is_unsigned,
    }
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

struct Finished {
    credential: String,
    string_to_sign: String,
    signature: String,
}

impl Scheme<'_> {
    fn finish(self, access_key: &str, secret_key: &Secret, date: &str, hash: &str) -> Finished {
        match self {
            Self::SdkHmacSha256 => {
                let string_to_sign = ["SDK-HMAC-SHA256\n", date, "\n", hash].concat();
                Finished {
                    credential: ["SDK-HMAC-SHA256 Access=", access_key].concat(),
                    signature: hmac_hex(secret_key.expose().as_bytes(), &string_to_sign),
                    string_to_sign,
                }
            }
            Self::V11HmacSha256 { region, service } => {
                let day = date.get(..8).unwrap_or(date);
                let info = format!("{day}/{region}/{service}");
                let string_to_sign = format!("V11-HMAC-SHA256\n{date}\n{info}\n{hash}");
                // HKDF with one block of output (RFC 5869, section 2); the key is its hex *text*.
                let extracted = hmac(access_key.as_bytes(), &[secret_key.expose().as_bytes()]);
                let key = Secret::new(text::to_hex(&hmac(&extracted, &[info.as_bytes(), &[1]])));
                Finished {
                    credential: format!("V11-HMAC-SHA256 Credential={access_key}/{info}"),
                    signature: hmac_hex(key.expose().as_bytes(), &string_to_sign),
                    string_to_sign,
                }
            }
        }
    }
}

/// Lower-case names and trimmed values; a body that is not JSON is sent with an unsigned payload.
fn headers_to_sign<'a>(given: &[(&'a str, &'a str)]) -> (Vec<(Cow<'a, str>, &'a str)>, bool) {
    let mut headers: Vec<_> = given
        .iter()
        .filter(|(name, _)| !name.contains('_'))
        .map(|&(name, value)| (lower_case(name), value.trim()))
        .collect();
    let is_binary = headers.iter().any(|(name, value)| {
        name == "content-type"
            && !value.starts_with("application/json")
            && !value.starts_with("application/bson")
    });
    let payload_is_unsigned = is_binary && headers.iter().all(|(name, _)| name != CONTENT_SHA256);
    if payload_is_unsigned {
        headers.push((CONTENT_SHA256.into(), UNSIGNED_PAYLOAD));
    }
    (headers, payload_is_unsigned)
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

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hmac_hex(key: &[u8], text: &str) -> String {
    text::to_hex(&hmac(key, &[text.as_bytes()]))
}

#[cfg(test)]
mod tests;
