//! Signatures against the vectors of the official SDKs, and unusual URLs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    algorithm: String,
    method: String,
    raw_path: String,
    query: Vec<(String, Value)>,
    headers_in: serde_json::Map<String, Value>,
    headers_added_by_signer: serde_json::Map<String, Value>,
    body: String,
    ak: String,
    sk: String,
    date: String,
    canonical_query: String,
    signed_headers: String,
    canonical_request: String,
    canonical_request_sha256: String,
    string_to_sign: String,
    signature: String,
    authorization: String,
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn every_step_of_every_vector_is_that_of_the_official_sdk() {
    let data = include_str!("../../../tests/data/signing-vectors.json");
    let vectors: Vectors = serde_json::from_str(data).unwrap();
    assert_eq!(vectors.vectors.len(), 23);
    let supported = vectors.vectors.iter().filter(|vector| is_supported(vector));
    assert_eq!(supported.map(check).count(), 20);
}

/// Neither a derived key nor a hash of the payload in a header.
fn is_supported(v: &Vector) -> bool {
    let mut headers = v.headers_in.keys().chain(v.headers_added_by_signer.keys());
    v.algorithm == "SDK-HMAC-SHA256" && !headers.any(|name| is_content_hash(name))
}

fn check(v: &Vector) {
    let name = &v.name;
    let query: Vec<_> = v.query.iter().map(|(k, value)| (k.clone(), text(value))).collect();
    let query: Vec<_> = query.iter().map(|(k, value)| (&**k, &**value)).collect();
    let added = &v.headers_added_by_signer;
    let headers: Vec<_> =
        v.headers_in.iter().chain(added).map(|(k, value)| (k.clone(), text(value))).collect();
    let headers: Vec<_> = headers.iter().map(|(k, value)| (&**k, &**value)).collect();
    let request = Request {
        method: &v.method,
        path: &v.raw_path,
        query: &query,
        headers: &headers,
        body: v.body.as_bytes(),
    };
    assert_eq!(canonical_query(&query), v.canonical_query, "{name}: canonical query");
    let signed = sign(request, &v.ak, &Secret::new(v.sk.clone()), &v.date);
    assert_eq!(signed.signed_headers, v.signed_headers, "{name}: signed headers");
    assert_eq!(signed.canonical_request, v.canonical_request, "{name}: canonical request");
    let hash = sha256_hex(signed.canonical_request.as_bytes());
    assert_eq!(hash, v.canonical_request_sha256, "{name}: hash of the canonical request");
    assert_eq!(signed.string_to_sign, v.string_to_sign, "{name}: string to sign");
    assert_eq!(signed.signature, v.signature, "{name}: signature");
    assert_eq!(signed.authorization, v.authorization, "{name}: authorization");
}

fn is_content_hash(name: &str) -> bool {
    name.eq_ignore_ascii_case("x-sdk-content-sha256")
}

#[derive(Deserialize)]
struct OtherVectors {
    vectors: Vec<OtherVector>,
}

/// Vectors without the intermediate steps of the signature.
#[derive(Deserialize)]
struct OtherVector {
    name: String,
    signer: String,
    method: String,
    raw_path: String,
    query: Vec<(String, String)>,
    headers_in: BTreeMap<String, String>,
    body: String,
    ak: String,
    sk: String,
    date: String,
    signed_headers: String,
    signature: String,
}

#[test]
fn the_signers_for_go_and_node_arrive_at_the_same_signatures() {
    let node = "node-sdk 3.1.211";
    let differ = [
        // It signs the spaces around a value, which are lost on the wire.
        (node, "header values trimmed"),
        // It signs a name with an underscore, which gateways drop.
        (node, "underscore header"),
    ];
    let data = include_str!("../../../tests/data/signing-vectors-go-node.json");
    let OtherVectors { mut vectors } = serde_json::from_str(data).unwrap();
    assert_eq!(vectors.len(), 59);
    // A hash of the payload in a header is not supported.
    vectors.retain(|v| !v.headers_in.keys().any(|name| is_content_hash(name)));
    assert_eq!(vectors.len(), 53);
    let different = vectors.iter().filter(|v| !is_same(v));
    let different: Vec<_> = different.map(|v| (&*v.signer, &*v.name)).collect();
    assert_eq!(different, differ);
}

fn is_same(v: &OtherVector) -> bool {
    let query: Vec<_> = v.query.iter().map(|(k, value)| (&**k, &**value)).collect();
    let headers: Vec<_> = v.headers_in.iter().map(|(k, value)| (&**k, &**value)).collect();
    let request = Request {
        method: &v.method,
        path: &v.raw_path,
        query: &query,
        headers: &headers,
        body: v.body.as_bytes(),
    };
    let signed = sign(request, &v.ak, &Secret::new(v.sk.clone()), &v.date);
    (signed.signed_headers, signed.signature) == (v.signed_headers.clone(), v.signature.clone())
}

#[test]
fn a_stray_percent_sign_is_kept_as_a_character() {
    let mut out = String::new();
    push_canonical_path(&mut out, "/a%zz/b%4");
    assert_eq!(out, "/a%25zz/b%254/");
}
