//! What the signer of the official Huawei Cloud SDK for Python says of the exporter's signatures.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    binary::{PREFIX, configuration},
    parts::{fetch_json, printed, python, said},
    support::process::{Folder, Process, exporter, run},
};

#[tokio::test]
async fn exporter_signs_as_the_sdk_does() {
    let folder = Folder::new("exporter_signs_as_the_sdk_does");
    let keys = Keys { access_key: "AKWITNESS", secret_key: "sk/Witness+", security_token: None };
    let credentials = json!({ "static": {
        "access_key": keys.access_key,
        "secret_key_file": folder.write("secret_key", keys.secret_key),
    } });

    let judge = Judge::start(&folder, keys).await;
    let config = judge.configuration(&folder, &credentials);
    let collected = run(collect(&config)).await;

    assert!(collected.code == Some(0), "{}", said(&collected));
    let page = collected.out;
    assert_shows_both_pages(&page);
    judge.assert_accepted_two_pages().await;
}

#[tokio::test]
async fn exporter_signs_the_security_token_as_the_sdk_does() {
    let folder = Folder::new("exporter_signs_the_security_token_as_the_sdk_does");
    let keys = Keys {
        access_key: "AKTEMPORARY",
        secret_key: "sk/Temporary+",
        security_token: Some("gQpjbi1ub3J0aC00=+/"),
    };

    let judge = Judge::start(&folder, keys).await;
    let config = judge.configuration(&folder, &json!({ "environment": {} }));
    let mut collect = collect(&config);
    keys.put_into(&mut collect);
    let collected = run(collect).await;

    assert!(collected.code == Some(0), "{}", said(&collected));
    let page = collected.out;
    assert_shows_both_pages(&page);
    judge.assert_accepted_two_pages().await;
}

/// The judge is only a witness if it can say no.
#[tokio::test]
async fn exporter_is_refused_with_a_wrong_secret_key() {
    let folder = Folder::new("exporter_is_refused_with_a_wrong_secret_key");
    let keys = Keys { access_key: "AKWITNESS", secret_key: "sk/Witness+", security_token: None };

    let judge = Judge::start(&folder, keys).await;
    let config = judge.configuration(&folder, &json!({ "environment": {} }));
    let mut collect = collect(&config);
    Keys { secret_key: "sk/Another+", ..keys }.put_into(&mut collect);
    let collected = run(collect).await;

    assert_eq!(collected.code, Some(1), "{}", said(&collected));
    let verdict = judge.verdict().await;
    assert_eq!(verdict["accepted"], 0, "{verdict}");
    assert_eq!(verdict["reasons"][0], "verify aksk signature fail", "{verdict}");
}

fn collect(config: &Path) -> Command {
    let mut collect = exporter(&["collect"]);
    collect.arg("--config.file").arg(config);
    collect
}

/// The judge shows 1,003 connections: those accepted fill the first page, those rejected follow.
fn assert_shows_both_pages(page: &str) {
    let value = |metric: &str, status: &str| {
        let start = format!("{PREFIX}{metric}{{");
        page.lines()
            .find(|line| line.starts_with(&start) && line.contains(status))
            .and_then(|line| line.rsplit(' ').next())
    };
    assert_eq!(value("connections", r#"status="accepted""#), Some("1000"), "{page}");
    assert_eq!(value("connections", r#"status="rejected""#), Some("3"), "{page}");
    assert_eq!(value("connections_reported", ""), Some("1003"), "{page}");
    assert_eq!(value("complete", ""), Some("1"), "{page}");
}

#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) access_key: &'static str,
    pub(crate) secret_key: &'static str,
    pub(crate) security_token: Option<&'static str>,
}

impl Keys {
    fn put_into(self, command: &mut Command) {
        command.env("HUAWEICLOUD_SDK_AK", self.access_key);
        command.env("HUAWEICLOUD_SDK_SK", self.secret_key);
        command.envs(self.security_token.map(|token| ("HUAWEICLOUD_SDK_SECURITY_TOKEN", token)));
    }
}

/// The server that gives each `Authorization` to the SDK's own signer.
pub(crate) struct Judge {
    _process: Process,
    pub(crate) url: String,
}

impl Judge {
    pub(crate) async fn start(folder: &Folder, keys: Keys) -> Judge {
        let mut script = python("verify_signatures.py");
        keys.put_into(&mut script);
        let mut process = Process::start(folder, "verify_signatures", script);
        let url = printed(&mut process, "cloud").await;
        Judge { _process: process, url }
    }

    fn configuration(&self, folder: &Folder, credentials: &Value) -> PathBuf {
        let project_id = "6e9dfd51d1124e8d8498dce894923a0d";
        let cluster_id = "5c77b71c-5b35-4f50-8984-76387e42451a";
        let clusters = [(cluster_id, "logs")];
        let configuration = configuration(&self.url, project_id, credentials, &clusters);
        folder.write("config.yml", configuration.to_string())
    }

    pub(crate) async fn verdict(&self) -> Value {
        fetch_json(&format!("{}/__verdict", self.url)).await.expect("the judge answers")
    }

    async fn assert_accepted_two_pages(&self) {
        let verdict = self.verdict().await;
        assert_eq!(verdict["rejected"], 0, "{verdict}");
        assert_eq!(verdict["accepted"], 2, "{verdict}");
    }
}
