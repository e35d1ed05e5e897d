use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::{
    huawei::endpoints::BaseUrl,
    pacing::{Pacer, RateLimit},
    secret::Secret,
};

const CLUSTER: &str = "/v1.0/5131a7edc1004d0b9c0ffee051a1e5e0/clusters";

fn recorder() -> Recorder {
    Recorder::new(&[RegionId::parse("cn-north-4").unwrap()])
}

fn note(recorder: &Recorder, operation: Operation, body: &[u8]) {
    let base = BaseUrl::parse("https://css.example.com").unwrap();
    let call = Request {
        project: "prod",
        operation,
        base: &base,
        path: CLUSTER.into(),
        query: &[("name", "cn-north-4"), ("limit", "1000")],
        body: None,
        secret: None,
        header: None,
        project_id: None,
        pacer: &Pacer::new(RateLimit { requests_per_second: 1.0, burst: 1 }),
    };
    let redaction = Redaction::of(vec![Secret::new("canary-secret")]);
    let headers = [
        ("content-type", "application/json"),
        ("x-request-id", "db9b76a0d9ae431f8e85e89da2ca867c"),
        ("x-subject-token", "canary-token"),
        ("retry-after", "canary-secret"),
    ];
    let headers = headers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    recorder.note(&call, 200, &headers.into_iter().collect(), body, &redaction);
}

/// The lines after the first one.
fn lines(recorder: &Recorder) -> Vec<Value> {
    let text = String::from_utf8(recorder.finish().text).unwrap();
    text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_recording_has_a_head_and_a_line_for_each_exchange() {
    let recorder = recorder();
    let body = r#"{ "request_id":"db9b76a0d9ae431f8e85e89da2ca867c", "n":1.0, "n":null, "a":"canary-secret" }"#;
    note(&recorder, Operation::Connections, body.as_bytes());
    note(&recorder, Operation::Connections, b"<h1>prod</h1>");
    note(&recorder, Operation::Connections, b"");
    let Recording { text, exchanges, left_out } = recorder.finish();
    let text = String::from_utf8(text).unwrap();
    let first = concat!(
        r#"{"made_by":"css-vpcep-exporter/"#,
        env!("CARGO_PKG_VERSION"),
        r#"","recording":1,"regions":["cn-north-4"]}"#,
    );
    let request = concat!(
        r#"{"operation":"css_connections","method":"GET","path":"/v1.0/00000000000000000000000000000001/clusters","#,
        r#""query":"limit=1000&name=cn-north-4","status":200,"#,
        r#""headers":{"content-type":"application/json","retry-after":"<secret>","#,
        r#""x-request-id":"00000000000000000000000000000002"}"#,
    );
    let body = r#"{ \"request_id\":\"00000000000000000000000000000002\", \"n\":1.0, \"n\":null, \"a\":\"text-1\" }"#;
    assert_eq!(
        text,
        format!(
            "{first}\n{request},\"body\":\"{body}\"}}\n\
             {request},\"body\":null,\"left_out\":\"13 bytes that are not JSON\"}}\n\
             {request},\"body\":null}}\n"
        )
    );
    assert_eq!((exchanges, left_out), (3, 0));
}

#[tokio::test]
async fn of_an_exchange_that_issues_credentials_only_the_status_is_noted() {
    let recorder = recorder();
    let secret = [
        Operation::Token,
        Operation::IdToken,
        Operation::SecurityTokens,
        Operation::Assume,
        Operation::AssumeWithOidc,
    ];
    for operation in secret {
        note(&recorder, operation, br#"{"securitytoken":"canary-token"}"#);
    }
    recorder.note_secret(Operation::Metadata, 200);
    let all = lines(&recorder);
    assert_eq!(all.len(), 6);
    for (line, operation) in all.iter().zip(secret.into_iter().chain([Operation::Metadata])) {
        let expected = json!({
            "operation": operation.as_str(),
            "status": 200,
            "left_out": "everything else: it issues credentials",
        });
        assert_eq!(*line, expected);
    }
}

#[test]
fn a_recording_has_a_limit() {
    for (bytes, exchanges, fits) in [
        (MOST_BYTES - 2, 0, true),
        (MOST_BYTES - 1, 0, false),
        (0, MOST_EXCHANGES - 1, true),
        (0, MOST_EXCHANGES, false),
    ] {
        let mut recording = Recording { text: vec![b' '; bytes], exchanges, left_out: 0 };
        recording.push(&json!(1));
        let more = recording.exchanges - exchanges;
        assert_eq!((more, recording.left_out), (usize::from(fits), usize::from(!fits)));
        assert_eq!(recording.text.len(), bytes + 2 * more);
    }
}
