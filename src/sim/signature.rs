//! The signature SDK-HMAC-SHA256, as the signing guide describes it.
//!
//! - canonical request: method, URI, query, one `name:value` line per signed header, an empty line,
//!   the signed names, the hash of the payload; each on its own line;
//! - text to sign: the algorithm, `X-Sdk-Date`, the hash of the canonical request;
//! - signature: HMAC of that with the secret key itself, in lower-case hexadecimal.

use hmac::{Hmac, KeyInit, Mac};
use hyper::{HeaderMap, header::CONTENT_TYPE};
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, percent_encode,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The only algorithm that this cloud accepts.
const ALGORITHM: &str = "SDK-HMAC-SHA256";
const CONTENT_HASH: &str = "x-sdk-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// All characters but the unreserved ones.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) method: &'a str,
    /// Still percent-encoded, as it arrived.
    pub(super) path: &'a str,
    /// Without its question mark.
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// The parts of an `Authorization` header.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    pub(super) access_key: &'a str,
    /// Lower-case, sorted, each once.
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`.
    ///
    /// # Errors
    ///
    /// The gateway's words for the first mistake.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        const FORMAT: &str = "authorization format is wrong";
        let (algorithm, rest) = text.split_once(' ').ok_or(FORMAT)?;
        if algorithm != ALGORITHM {
            return Err("signature algorithm is not supported");
        }
        let parts: Vec<&str> = rest.split(", ").collect();
        let [access, signed, signature] = parts[..] else { return Err(FORMAT) };
        let value = |part: &'a str, name| {
            part.strip_prefix(name).filter(|value| !value.is_empty()).ok_or(FORMAT)
        };
        let access_key = value(access, "Access=")?;
        let signed_headers: Vec<&str> = value(signed, "SignedHeaders=")?.split(';').collect();
        let signature = value(signature, "Signature=")?;
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if signature.len() != 64 || !signature.bytes().all(lower_hex) {
            return Err("signature format is wrong");
        }
        if !signed_headers.is_sorted_by(|a, b| a < b) {
            return Err("signed headers are not sorted");
        }
        if signed_headers.iter().any(|name| name.is_empty() || *name != name.to_ascii_lowercase()) {
            return Err("signed headers are not in lower case");
        }
        Ok(Self { access_key, signed_headers, signature })
    }

    /// True if a header of this name is signed.
    pub(super) fn signs(&self, name: &str) -> bool {
        self.signed_headers.contains(&name)
    }
}

/// The canonical request. It is an error if a signed header is absent or occurs twice.
pub(super) fn canonical_request(
    received: &Received<'_>,
    authorization: &Authorization<'_>,
) -> Result<String, String> {
    let signed = &authorization.signed_headers;
    let line = |name: &&str| match only_value(received.headers, name) {
        Some(value) => Ok(format!("{name}:{value}\n")),
        None => Err(format!("signed header {name} is not there")),
    };
    let headers = signed.iter().map(line).collect::<Result<String, String>>()?;
    let (uri, query) = (canonical_uri(received.path), canonical_query(received.query));
    let (names, hash) = (signed.join(";"), payload_hash(received, authorization));
    Ok(format!("{}\n{uri}\n{query}\n{headers}\n{names}\n{hash}", received.method))
}

/// The signature that belongs to a canonical request.
pub(super) fn signature(secret_key: &str, date: &str, canonical_request: &str) -> String {
    // HMAC takes a key of any length: the error cannot happen, and an empty text never matches.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes()) else {
        return String::new();
    };
    let digest = sha256(canonical_request.as_bytes());
    mac.update(format!("{ALGORITHM}\n{date}\n{digest}").as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The hash of these bytes in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares two texts in a time that does not depend on where they differ.
pub(super) fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// The trimmed value of a header that occurs exactly once and is UTF-8.
pub(super) fn only_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    std::str::from_utf8(value.as_bytes()).ok().map(str::trim_ascii)
}

/// The path with each segment encoded once, however the client encoded it, and with a slash at the end.
fn canonical_uri(path: &str) -> String {
    let segments = path.strip_suffix('/').unwrap_or(path).split('/');
    segments.map(|segment| format!("{}/", encoded(&decoded(segment)))).collect()
}

/// The query with its pairs in the order of their decoded keys, then of their decoded values.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Undoes percent-encoding. A `%` that does not begin one stands for itself, as a `+` always does.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

fn encoded(bytes: &[u8]) -> PercentEncode<'_> {
    percent_encode(bytes, ENCODED)
}

/// The hash of the body that arrived, whatever hash the client states. Only a body that is not JSON may go
/// unsigned, if a signed `X-Sdk-Content-Sha256` says so.
fn payload_hash(received: &Received<'_>, authorization: &Authorization<'_>) -> String {
    let headers = received.headers;
    let unsigned = authorization.signs(CONTENT_HASH)
        && only_value(headers, CONTENT_HASH) == Some(UNSIGNED)
        && !is_json(headers);
    if unsigned { UNSIGNED.to_owned() } else { sha256(received.body) }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        let kind = value.as_bytes().to_ascii_lowercase();
        kind.starts_with(b"application/json") || kind.starts_with(b"application/bson")
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use serde::Deserialize as _;
    use serde_json::Value;

    use super::*;

    /// Made with the vendor's own signer: fixed keys, fixed date.
    const VECTORS: &str = include_str!("../../tests/data/signing-vectors.json");
    const OTHER_VECTORS: &str = include_str!("../../tests/data/signing-vectors-go-node.json");

    fn headers_of(vector: &Value) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for part in ["headers_in", "headers_added_by_signer"] {
            for (name, value) in vector[part].as_object().expect("headers") {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                let value = value.as_str().expect("a text");
                headers.insert(name, HeaderValue::from_str(value).expect("a value"));
            }
        }
        headers
    }

    #[test]
    fn agrees_with_the_vendors_signer() {
        let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
        let mut checked = 0;
        for vector in vectors["vectors"].as_array().expect("vectors") {
            let text = |key: &str| vector[key].as_str().unwrap_or_default();
            if text("algorithm") != ALGORITHM {
                continue;
            }
            let url = text("url");
            let begin = url.find("://").map_or(0, |at| at + 3);
            let target = url[begin..].find('/').map_or("/", |at| &url[begin + at..]);
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let received = Received {
                method: text("method"),
                path,
                query,
                headers: &headers_of(vector),
                body: text("body").as_bytes(),
            };
            let name = text("name");
            let authorization = Authorization::parse(text("authorization")).expect(name);
            let canonical = canonical_request(&received, &authorization).expect(name);
            assert_eq!(canonical, text("canonical_request"), "{name}");
            let expected = signature(text("sk"), text("date"), &canonical);
            assert!(same(&expected, authorization.signature), "{name}");
            checked += 1;
        }
        assert!(checked >= 20, "only {checked} vectors");
    }

    /// The path and the query arrive encoded, as the clients send them.
    #[test]
    fn agrees_with_the_signers_for_go_and_node() {
        let (go, node) = ("go-sdk 0.1.207", "node-sdk 3.1.211");
        let differ = [
            // The hash that the header states is not that of the body.
            (go, "content hash given, wrong, body"),
            // Only a body that is not JSON may go unsigned, and here no content type says so.
            (go, "content hash given, no body"),
            (go, "content hash given as a hash, no body"),
            // It signs the spaces around a value, which are lost on the wire.
            (node, "header values trimmed"),
            (node, "content hash given, no body"),
            (node, "content hash given as a hash, no body"),
            // It sorts the header lines in a different order from the header names.
            (node, "underscore header"),
        ];
        let vectors: Value = serde_json::from_str(OTHER_VECTORS).expect("JSON");
        let vectors = vectors["vectors"].as_array().expect("vectors");
        assert_eq!(vectors.len(), 59);
        let different = vectors.iter().filter(|vector| !is_accepted(vector));
        let different: Vec<_> =
            different.map(|one| (one["signer"].as_str(), one["name"].as_str())).collect();
        assert_eq!(different, differ.map(|(signer, name)| (Some(signer), Some(name))));
    }

    fn is_accepted(vector: &Value) -> bool {
        let text = |key: &str| vector[key].as_str().expect("a text");
        let encoded = |text: &str| encoded(text.as_bytes()).to_string();
        let path: Vec<String> = text("raw_path").split('/').map(encoded).collect();
        let pairs: Vec<(String, String)> =
            Vec::deserialize(&vector["query"]).expect("pairs of texts");
        let pairs = pairs.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
        let query: Vec<String> = pairs.collect();
        let mut headers = HeaderMap::new();
        for (name, value) in vector["headers_in"].as_object().expect("headers") {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let value = value.as_str().expect("a text").as_bytes();
            headers.insert(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        let authorization = format!(
            "{ALGORITHM} Access={}, SignedHeaders={}, Signature={}",
            text("ak"),
            text("signed_headers"),
            text("signature")
        );
        let authorization = Authorization::parse(&authorization).expect("well formed");
        assert_eq!(authorization.access_key, text("ak"));
        let received = Received {
            method: text("method"),
            path: &path.join("/"),
            query: &query.join("&"),
            headers: &headers,
            body: text("body").as_bytes(),
        };
        let canonical = canonical_request(&received, &authorization).expect("all headers");
        same(&signature(text("sk"), text("date"), &canonical), authorization.signature)
    }

    #[test]
    fn agrees_with_one_vector_written_out() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("css.cn-north-4.myhuaweicloud.com"));
        headers.insert("x-sdk-date", HeaderValue::from_static("20240102T030405Z"));
        let received = Received {
            method: "GET",
            path: "/v1.0/0123456789abcdef0123456789abcdef/clusters/\
                   5c77b71c-5b35-4f50-8984-76387e42451a/vpcepservice/connections",
            query: "",
            headers: &headers,
            body: b"",
        };
        let authorization = Authorization::parse(
            "SDK-HMAC-SHA256 Access=AKEXAMPLE0123456789A, SignedHeaders=host;x-sdk-date, \
             Signature=f6674cf3358b97dbbf200aa352e8afaf1f4ae8998752af92ace6f0d000841fdd",
        )
        .expect("well formed");
        let canonical = canonical_request(&received, &authorization).expect("all headers");
        let secret = "skExample/abcDEF+0123456789=ghijklmnopqr";
        assert_eq!(signature(secret, "20240102T030405Z", &canonical), authorization.signature);
    }

    #[test]
    fn reads_authorization_strictly() {
        let signature = "a".repeat(64);
        let good = format!("SDK-HMAC-SHA256 Access=A, SignedHeaders=a;b, Signature={signature}");
        let parsed = Authorization::parse(&good).expect("well formed");
        assert!(parsed.signs("a") && parsed.signs("b") && !parsed.signs("c"));
        let spoil = |from: &str, to: &str| Authorization::parse(&good.replace(from, to)).is_err();
        for (from, to) in [
            ("SDK-HMAC-SHA256", "SDK-HMAC-SM3"),
            ("SDK-HMAC-SHA256 ", "SDK-HMAC-SHA256, "),
            ("SDK-HMAC-SHA256 ", "SDK-HMAC-SHA256  "),
            (", Sig", ",Sig"),
            ("Access=A", "Access="),
            ("Access=", "Credential="),
            ("a;b", "b;a"),
            ("a;b", "a;a"),
            ("a;b", "A;b"),
            ("a;b", "a;"),
            (&*signature, "abc"),
            (&*signature, &*"A".repeat(64)),
            (&*signature, &*format!("{signature}, More=1")),
        ] {
            assert!(spoil(from, to), "{from} to {to}");
        }
    }

    #[test]
    fn a_signed_header_stands_exactly_once() {
        let authorization =
            Authorization { access_key: "", signed_headers: vec!["x-a"], signature: "" };
        let mut headers = HeaderMap::new();
        let asked = |headers: &HeaderMap| {
            let received = Received { method: "GET", path: "/", query: "", headers, body: b"" };
            canonical_request(&received, &authorization)
        };
        assert!(asked(&headers).is_err());
        headers.append("x-a", HeaderValue::from_static("1"));
        assert!(asked(&headers).is_ok());
        headers.append("x-a", HeaderValue::from_static("2"));
        assert!(asked(&headers).is_err());
    }

    #[test]
    fn odd_encodings_stand_for_themselves() {
        assert_eq!(canonical_uri("/a%zz/%4"), "/a%25zz/%254/");
        assert_eq!(["", "/", "/a/", "/a//"].map(canonical_uri), ["/", "/", "/a/", "/a//"]);
        assert_eq!(encoded("aZ09-_.~ /+*é".as_bytes()).to_string(), "aZ09-_.~%20%2F%2B%2A%C3%A9");
        assert_eq!(decoded("%zz%4+%e9"), b"%zz%4+\xe9");
        assert_eq!(canonical_query("b&a=+&a=%20&&"), "a=%20&a=%2B&b=");
        assert_eq!(canonical_query(""), "");
    }
}
