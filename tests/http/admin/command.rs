//! The `service` command, as a process, and its exit codes; other commands of the admin API run the same.

use std::{process::Stdio, sync::atomic::AtomicUsize};

use css_vpcep_exporter::{
    change::Difference,
    cloud::CloudError,
    model::{Field, FieldValue},
};
use tokio::{io::AsyncReadExt as _, process::Command};

use super::{super::tls::Pair, *};
use crate::support::certificates::{Authority, place};

pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs it with `input` on a standard input that is no terminal.
async fn run(admin: SocketAddr, token: Option<&str>, arguments: &[&str], input: &str) -> Ran {
    let url = format!("http://{admin}");
    run_at(&url, token, arguments, input).await
}

async fn run_at(url: &str, token: Option<&str>, arguments: &[&str], input: &str) -> Ran {
    run_command("service", url, token, arguments, input).await
}

pub(super) async fn run_command(
    name: &str,
    url: &str,
    token: Option<&str>,
    arguments: &[&str],
    input: &str,
) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"));
    command.env_clear().arg(name).args(arguments).args(["--admin.url", url]);
    if let Some(token) = token {
        command.env("CSS_VPCEP_EXPORTER_ADMIN_TOKEN", token);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // It may end without reading.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = process.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// The ports lose one mapping.
fn differs(request: &ChangeRequest) -> Report {
    let port = |client_port| PortMapping { client_port, server_port: 80, protocol: "TCP".into() };
    let ports = |ports: &[u16]| FieldValue::Ports(ports.iter().copied().map(port).collect());
    let (from, to) = (Some(ports(&[1, 2])), Some(ports(&[2])));
    let mut report = report(request);
    effect(&mut report).diff = vec![Difference { field: Field::Ports, from, to }];
    report
}

#[tokio::test]
async fn services_are_listed_and_shown() {
    let admin = Admin::start().await;
    let list = run(admin.address, Some(VIEWER), &["list"], "").await;
    assert_eq!((list.code, &*list.err), (0, ""));
    assert!(list.out.starts_with("SERVICE") && list.out.contains("prod/logs"), "{}", list.out);
    for id in ["prod/logs", &format!("prod/{LOGS}"), "logs", LOGS] {
        let shown = run(admin.address, Some(VIEWER), &["show", id], "").await;
        assert_eq!(shown.code, 0, "{id}: {}", shown.err);
        assert!(
            shown.out.contains("    9200 -> 9200/TCP") && shown.out.contains(ETAG),
            "{}",
            shown.out
        );
    }
    let json = run(admin.address, Some(VIEWER), &["show", "logs", "--json"], "").await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["service"]["id"], LOGS);
}

#[tokio::test]
async fn plan_says_by_its_exit_code_whether_something_differs() {
    let admin = Admin::start_with(Box::new(|request| Ok(differs(request)))).await;
    let plan = run(admin.address, Some(EDITOR), &["plan", "logs", "-f", "-"], r#"{"ports":[]}"#);
    let plan = plan.await;
    assert_eq!(plan.code, 2, "{}", plan.err);
    assert_eq!(plan.out, "ports\n  - 1 -> 80/TCP  REMOVED\n    1 as before\n");
    // A viewer may plan.
    let plan = run(admin.address, Some(VIEWER), &["plan", "logs", "-f", "-"], r#"{"ports":[]}"#);
    assert_eq!(plan.await.code, 2);
    assert!(admin.asked.lock().unwrap().iter().all(|request| request.dry_run));
    let apply = ["apply", "logs", "-f", "-", "--yes"];
    let apply = run(admin.address, Some(VIEWER), &apply, r#"{"ports":[]}"#).await;
    assert!(apply.code == 1 && apply.err.contains("only an editor may"), "{}", apply.err);
    let same = Admin::start().await;
    let plan = run(same.address, Some(EDITOR), &["plan", "logs", "-f", "-"], r#"{"ports":[]}"#);
    assert_eq!(plan.await.code, 0);
}

#[tokio::test]
async fn apply_changes_what_was_shown() {
    let admin = Admin::start_with(Box::new(|request| Ok(differs(request)))).await;
    let update = r#"{"description":"x"}"#;
    let apply = ["apply", "prod/logs", "-f", "-"];
    // Nobody can be asked, so nothing is done.
    let refused = run(admin.address, Some(EDITOR), &apply, update).await;
    assert_eq!(refused.code, 64, "{}", refused.err);
    assert!(admin.asked.lock().unwrap().is_empty());
    let apply = [&apply[..], &["--yes"]].concat();
    let applied = run(admin.address, Some(EDITOR), &apply, update).await;
    assert_eq!((applied.code, &*applied.err), (0, ""));
    assert!(applied.out.contains("REMOVED"), "{}", applied.out);
    assert!(applied.out.contains("Outcome: applied. Reading back"), "{}", applied.out);
    assert!(applied.out.contains(CHANGE_OF_LOGS), "{}", applied.out);
    let asked: Vec<_> = admin.asked.lock().unwrap().drain(..).collect();
    let asked: Vec<_> = asked.iter().map(|one| (one.dry_run, condition(one))).collect();
    let tag = Condition::Tags(vec![ETAG.into()]);
    assert_eq!(asked, [(true, &Condition::None), (false, &tag)]);
    // Nothing differs: nothing is asked for but the plan.
    let same = Admin::start().await;
    let applied = run(same.address, Some(EDITOR), &apply, update).await;
    assert_eq!(applied.code, 0);
    assert_eq!(same.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_went_wrong_is_a_failure() {
    for outcome in [Outcome::NotApplied, Outcome::Partial, Outcome::Unknown, Outcome::Rejected] {
        let says = move |request: &ChangeRequest| {
            let mut report = differs(request);
            if !request.dry_run {
                report.outcome = outcome;
                report.safe_to_retry = false;
            }
            Ok(report)
        };
        let admin = Admin::start_with(Box::new(says)).await;
        let arguments = ["apply", "logs", "-f", "-", "--yes"];
        let ran = run(admin.address, Some(EDITOR), &arguments, r#"{"description":"x"}"#).await;
        assert_eq!(ran.code, 1, "{outcome:?}");
        assert!(ran.err.contains(&format!("Outcome: {}", outcome.as_str())), "{}", ran.err);
        assert!(ran.err.contains("may be made again: no"), "{}", ran.err);
    }
    // Somebody was faster.
    let asked = AtomicUsize::new(0);
    let says = move |request: &ChangeRequest| match request.dry_run {
        true => Ok(differs(request)),
        false => {
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Err(Refusal::ConditionFailed(Box::new(current())))
        }
    };
    let admin = Admin::start_with(Box::new(says)).await;
    let arguments = ["apply", "logs", "-f", "-", "--yes"];
    let ran = run(admin.address, Some(EDITOR), &arguments, r#"{"description":"x"}"#).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("412") && ran.err.contains("plan again"), "{}", ran.err);
}

#[tokio::test]
async fn mistakes_of_the_caller_are_told_apart_from_failures() {
    let admin = Admin::start().await;
    let (url, secret) = (format!("http://{}", admin.address), "secret-word");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    let plan = ["plan", "logs", "-f", "-"];
    type Case<'a> = (&'a str, Option<&'a str>, &'a [&'a str], &'a str, i32);
    let cases: [Case<'_>; 10] = [
        (&url, None, &["list"], "", 64),
        (&url, Some("a b"), &["list"], "", 64),
        ("http://exporter.example", Some(VIEWER), &["list"], "", 64),
        ("ftp://127.0.0.1", Some(VIEWER), &["list"], "", 64),
        (&url, Some(VIEWER), &["show", "no-such"], "", 64),
        (&url, Some(VIEWER), &["plan", "logs", "-f", "/no/such/file"], "", 64),
        (&url, Some(EDITOR), &plan, "{", 64),
        (&url, Some(EDITOR), &plan, "{}", 1),
        (&url, Some(secret), &["list"], "", 1),
        (&closed, Some(VIEWER), &["list"], "", 1),
    ];
    for (url, token, arguments, input, code) in cases {
        let ran = run_at(url, token, arguments, input).await;
        assert_eq!(ran.code, code, "{url} {arguments:?}: {}{}", ran.out, ran.err);
        assert!(!ran.err.is_empty() && ran.out.is_empty(), "{arguments:?}: {}", ran.out);
        assert!(!ran.err.contains(secret) && !ran.err.contains(VIEWER), "{}", ran.err);
    }
}

/// Answers every request with this text, as a server does that is not the admin listener.
async fn stranger(status: u16, body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\netag: \"x\"\r\ncontent-length: {length}\r\n\r\n"
            );
            let _ = stream.write_all((head + body).as_bytes()).await;
        }
    });
    url
}

/// An answer from another API is never taken for an empty list or for "nothing to change".
#[tokio::test]
async fn an_answer_of_somebody_else_is_told_from_ours() {
    let plan = ["plan", "prod/logs", "-f", "-"];
    let apply = ["apply", "prod/logs", "-f", "-", "--yes"];
    let (list, show) = (["list"], ["show", "prod/logs"]);
    let by_name = ["show", "logs"];
    let commands: [&[&str]; 5] = [&list, &show, &by_name, &plan, &apply];
    let bodies = [
        "[1,2,3]",
        "{}",
        "\"text\"",
        "<html>",
        "",
        r#"{"endpoint_services": {}, "service": [], "diff": {}, "outcome": 1}"#,
        r#"{"endpoint_services": [1], "service": 1, "diff": [1], "outcome": "planned"}"#,
    ];
    for body in bodies {
        let url = stranger(200, body).await;
        for command in commands {
            let ran = run_at(&url, Some(VIEWER), command, "{}").await;
            assert_eq!((ran.code, &*ran.out), (1, ""), "{command:?} {body}: {}", ran.err);
            assert!(ran.err.contains("not the admin API"), "{command:?} {body}: {}", ran.err);
        }
    }
    let url = stranger(404, "404 page not found").await;
    let ran = run_at(&url, Some(VIEWER), &["list"], "").await;
    assert!(ran.code == 1 && ran.err.contains("is that the admin listener?"), "{}", ran.err);
}

/// In JSON, too, a text written by others cannot control the terminal.
#[tokio::test]
async fn json_is_one_line_without_controls() {
    let url = stranger(
        200,
        "{\"endpoint_services\":[{\"project\":\"\u{9b}2J\u{2028}\",\"service_id\":\"x\",\
         \"region_id\":\"\",\"name\":\"\",\"unattributed_changes\":0}]}",
    )
    .await;
    let ran = run_at(&url, Some(VIEWER), &["list", "--json"], "").await;
    assert!(ran.code == 0 && ran.out.contains(r"\u009b2J\u2028"), "{}", ran.out);
}

/// A refusal by the exporter itself is not shown as an answer of the cloud.
#[tokio::test]
async fn our_own_rate_limit_is_not_the_cloud() {
    let says = |request: &ChangeRequest| {
        let mut report = differs(request);
        if !request.dry_run {
            report.outcome = Outcome::NotSent;
            report.sent = false;
            report.failure = Some(CloudError::no_turn());
        }
        Ok(report)
    };
    let admin = Admin::start_with(Box::new(says)).await;
    let arguments = ["apply", "logs", "-f", "-", "--yes"];
    let ran = run(admin.address, Some(EDITOR), &arguments, r#"{"description":"x"}"#).await;
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err.matches("own rate limit").count(), 1, "{}", ran.err);
    assert!(ran.err.contains("503"), "{}", ran.err);
    assert!(!ran.err.contains("The cloud") && !ran.err.contains("the cloud"), "{}", ran.err);
}

/// TLS does not accept a self-signed certificate, as most tools make it, as that of a server. The error
/// also says if a certificate has expired, is from an unknown authority or is for another name.
#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let names = ["127.0.0.1"];
    let own = Authority::self_signed(&names, true);
    let leaf = Authority::self_signed(&names, false);
    let good = authority.issue(&names);
    let rows = [
        ("good", &good, authority.certificate(), None),
        ("leaf", &leaf, leaf.certificate.clone(), None),
        ("self-signed", &own, own.certificate.clone(), Some("it is that of an authority")),
        ("untrusted", &good, other.certificate(), Some("is not signed by any authority")),
        ("expired", &authority.issue_expired(&names), authority.certificate(), Some("expired")),
        ("name", &authority.issue(&["other"]), authority.certificate(), Some("127.0.0.1")),
        ("no-certificate", &good, "text".to_owned(), Some("no certificate in it")),
        ("key", &good, good.key.clone(), Some("no certificate in it")),
        (
            "cut",
            &good,
            own.certificate[..200].to_owned(),
            Some("ca.crt: a certificate cannot be read"),
        ),
    ];
    for (name, issued, ca, wrong) in rows {
        let folder = Pair::new(&format!("command-{name}"), issued);
        place(&folder.file("ca.crt"), &ca);
        let server = folder.serve(&[], Limits::ADMIN).await;
        let url = format!("https://{}", server.address);
        let ca = folder.file("ca.crt");
        let arguments = ["list", "--admin.ca-file", ca.to_str().unwrap()];
        let ran = run_at(&url, Some(VIEWER), &arguments, "").await;
        match wrong {
            // The handshake succeeds, with a listener that has no admin API.
            None => assert!(ran.err.contains("HTTP 404"), "{name}: {}", ran.err),
            Some(wrong) => {
                assert!(ran.err.contains(wrong), "{name}: {}", ran.err);
                let debug = ["Other(", "CaUsed", "Error(", "UnknownIssuer", "{", "not_after:"];
                assert!(!debug.iter().any(|word| ran.err.contains(word)), "{name}: {}", ran.err);
            }
        }
    }
}

/// Nobody named a certificate, so the complaint is not of one that was named.
#[tokio::test]
async fn a_machine_that_trusts_nobody_is_told_so() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_css-vpcep-exporter"));
    command.env_clear().env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
    command.args(["service", "list"]).env("CSS_VPCEP_EXPORTER_ADMIN_TOKEN", VIEWER);
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.starts_with("no HTTP client can be made: "), "{said}");
    assert!(said.contains("No CA certificates"), "{said}");
}
