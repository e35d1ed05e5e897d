//! SDK-HMAC-SHA256 as the gateway checks it, written from the signing guide.
//!
//! Owns the reading of `Authorization`, the canonical request and the signature. Pure: it knows no
//! key, no clock and no lock; `gate` has those.
//!
//! - canonical request: method, URI, query, one `name:value` line per signed header, an empty line,
//!   the signed names, the hash of the payload; each on its own line;
//! - text to sign: the algorithm, `X-Sdk-Date`, the hash of the canonical request;
//! - signature: HMAC of that with the secret key itself, in lower-case hexadecimal.

use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::encoding::{encode, hex, percent_decoded};

/// The only algorithm that this cloud accepts.
pub(crate) const ALGORITHM: &str = "SDK-HMAC-SHA256";

const CONTENT_HASH: &str = "x-sdk-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What arrived, as it arrived.
pub(crate) struct Received<'a> {
    pub(crate) method: &'a str,
    /// Still percent-encoded, as on the request line.
    pub(crate) path: &'a str,
    /// Without its question mark.
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The parts of an `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) access_key: String,
    /// Lower-case, sorted, each once.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

impl Authorization {
    /// Reads `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`, or says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Authorization, &'static str> {
        let (algorithm, rest) = text.split_once(' ').ok_or("authorization format is wrong")?;
        if algorithm != ALGORITHM {
            return Err("signature algorithm is not supported");
        }
        let mut parts = rest.split(", ");
        let mut part = |name: &str| {
            let (key, value) = parts.next()?.split_once('=')?;
            (key == name && !value.is_empty()).then_some(value)
        };
        let (access, signed, signature) =
            (part("Access"), part("SignedHeaders"), part("Signature"));
        let (Some(access), Some(signed), Some(signature), None) =
            (access, signed, signature, parts.next())
        else {
            return Err("authorization format is wrong");
        };
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if signature.len() != 64 || !signature.bytes().all(lower_hex) {
            return Err("signature format is wrong");
        }
        let signed_headers: Vec<String> = signed.split(';').map(str::to_owned).collect();
        if !signed_headers.is_sorted_by(|a, b| a < b) {
            return Err("signed headers are not sorted");
        }
        if signed_headers.iter().any(|name| name.is_empty() || *name != name.to_ascii_lowercase()) {
            return Err("signed headers are not in lower case");
        }
        Ok(Authorization {
            access_key: access.to_owned(),
            signed_headers,
            signature: signature.to_owned(),
        })
    }

    /// Whether a header of this name is signed.
    pub(crate) fn signs(&self, name: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == name)
    }
}

/// The canonical request, or the name of a signed header that is absent or stands twice.
pub(crate) fn canonical_request(
    received: &Received<'_>,
    authorization: &Authorization,
) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(received.method.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(canonical_uri(received.path).as_bytes());
    out.push(b'\n');
    out.extend_from_slice(canonical_query(received.query).as_bytes());
    out.push(b'\n');
    for name in &authorization.signed_headers {
        let value = only_value(received.headers, name).ok_or_else(|| name.clone())?;
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(value.trim_ascii());
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(authorization.signed_headers.join(";").as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash(received, authorization).as_bytes());
    Ok(out)
}

/// The signature that belongs to a canonical request.
pub(crate) fn signature(secret_key: &str, date: &str, canonical_request: &[u8]) -> String {
    let digest = hex(&Sha256::digest(canonical_request));
    let to_sign = format!("{ALGORITHM}\n{date}\n{digest}");
    // HMAC takes a key of any length: the error cannot happen, and an empty text never matches.
    Hmac::<Sha256>::new_from_slice(secret_key.as_bytes()).map_or_else(
        |_| String::new(),
        |mut mac| {
            mac.update(to_sign.as_bytes());
            hex(&mac.finalize().into_bytes())
        },
    )
}

/// Compares without telling by its duration where the difference is.
pub(crate) fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

/// The value of a header that stands exactly once.
pub(crate) fn only_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

/// Every segment encoded once, whatever the client encoded, and always a slash at the end.
fn canonical_uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    for (number, segment) in path.split('/').enumerate() {
        if number > 0 {
            out.push('/');
        }
        encode(&percent_decoded(segment), &mut out);
    }
    if !out.ends_with('/') {
        out.push('/');
    }
    out
}

/// Pairs in the order of their raw keys, then of their raw values.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(key), percent_decoded(value))
        })
        .collect();
    pairs.sort();
    let mut out = String::with_capacity(query.len());
    for (key, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        encode(&key, &mut out);
        out.push('=');
        encode(&value, &mut out);
    }
    out
}

/// The hash of the body that was received. A signed `X-Sdk-Content-Sha256` stands for it only when
/// it is true, or says that a body which is not JSON is not signed.
fn payload_hash(received: &Received<'_>, authorization: &Authorization) -> String {
    let stated = authorization
        .signs(CONTENT_HASH)
        .then(|| only_value(received.headers, CONTENT_HASH))
        .flatten()
        .map(<[u8]>::trim_ascii);
    if stated == Some(UNSIGNED.as_bytes()) && !is_json(received.headers) {
        return UNSIGNED.to_owned();
    }
    hex(&Sha256::digest(received.body))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        let kind = value.as_bytes().to_ascii_lowercase();
        kind.starts_with(b"application/json") || kind.starts_with(b"application/bson")
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
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
            assert_eq!(String::from_utf8_lossy(&canonical), text("canonical_request"), "{name}");
            let expected = signature(text("sk"), text("date"), &canonical);
            assert!(same(&expected, &authorization.signature), "{name}");
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
        let encoded = |text: &str| {
            let mut out = String::new();
            encode(text.as_bytes(), &mut out);
            out
        };
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
        let authorization = Authorization::parse(&format!(
            "{ALGORITHM} Access={}, SignedHeaders={}, Signature={}",
            text("ak"),
            text("signed_headers"),
            text("signature")
        ))
        .expect("well formed");
        assert_eq!(authorization.access_key, text("ak"));
        let received = Received {
            method: text("method"),
            path: &path.join("/"),
            query: &query.join("&"),
            headers: &headers,
            body: text("body").as_bytes(),
        };
        let canonical = canonical_request(&received, &authorization).expect("all headers");
        same(&signature(text("sk"), text("date"), &canonical), &authorization.signature)
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
        let authorization = Authorization {
            access_key: String::new(),
            signed_headers: vec!["x-a".to_owned()],
            signature: String::new(),
        };
        let mut headers = HeaderMap::new();
        let asked = |headers: &HeaderMap| {
            let received = Received { method: "GET", path: "/", query: "", headers, body: b"" };
            canonical_request(&received, &authorization)
        };
        assert_eq!(asked(&headers), Err("x-a".to_owned()));
        headers.append("x-a", HeaderValue::from_static("1"));
        assert!(asked(&headers).is_ok());
        headers.append("x-a", HeaderValue::from_static("2"));
        assert_eq!(asked(&headers), Err("x-a".to_owned()));
    }

    #[test]
    fn odd_encodings_stand_for_themselves() {
        assert_eq!(canonical_uri("/a%zz/%4"), "/a%25zz/%254/");
        assert_eq!(canonical_query("b&a=+&a=%20&&"), "a=%20&a=%2B&b=");
        assert_eq!(canonical_query(""), "");
    }
}
