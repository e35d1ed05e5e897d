//! Changes of endpoint services, as the official SDK sees them: what our PUT wrote, how it was
//! signed, and a PUT of its own.

use serde_json::{Value, json};

use super::{
    binary::Simulator,
    parts::fetch_json,
    sdk::{Client, Sdk},
    signatures::{Judge, Keys},
    support::{HTTP, daemon::sha256, process::Folder, serve::Serve},
};

const EXAMPLE: &str = include_str!("../data/vpcep-update-example-request.json");
const TOKEN: &str = "the-editor-of-the-witnesses";

/// The daemon with one endpoint service, which may be changed.
struct Changer {
    _serve: Serve,
    url: String,
}

impl Changer {
    async fn start(
        folder: &Folder,
        cloud: &str,
        project_id: &str,
        keys: [&str; 2],
        id: &str,
    ) -> Self {
        let [access_key, secret_key] = keys;
        let keys =
            json!({"access_key": access_key, "secret_key_file": folder.write("key", secret_key)});
        let configuration = json!({
            "projects": [{
                "name": "prod",
                "region": "cn-north-4",
                "project_id": project_id,
                "credentials": {"static": keys},
                "api_endpoints": {"css": cloud, "vpcep": cloud, "iam": cloud},
                "endpoint_services": [{"id": id, "name": "logs"}],
            }],
            "admin": {
                "listen": "127.0.0.1:0",
                "audit_log": folder.path.join("audit.jsonl"),
                "tokens": [
                    {"name": "test", "sha256": sha256(TOKEN), "role": "editor", "services": ["*"]},
                ],
            },
        });
        let mut serve = Serve::start(folder, "changer", &configuration, &[]).await;
        let admin = serve.process.address("admin").await;
        let url = format!("http://{admin}/api/v1/endpoint-services/prod/logs");
        Self { _serve: serve, url }
    }

    async fn change(&self, body: &'static str) -> Value {
        let request = HTTP.put(&self.url).header("if-match", "*").body(body);
        self.answer(request.header("content-type", "application/json")).await
    }

    async fn read(&self) -> Value {
        self.answer(HTTP.get(&self.url)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.bearer_auth(TOKEN).send().await.expect("the listener answers");
        let text = answer.text().await.expect("a text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// The fields of a change, as they are in a service.
fn fields(service: &Value) -> Value {
    let names = ["approval_enabled", "ports", "tcp_proxy", "description", "service_name"];
    names.into_iter().map(|name| (name.to_owned(), service[name].clone())).collect()
}

#[tokio::test]
async fn the_sdk_and_the_exporter_read_what_the_other_wrote() {
    let folder = Folder::new("the_sdk_and_the_exporter_read_what_the_other_wrote");
    let cloud = Simulator::start(&folder, 1, 3).await;
    let puts = format!("{}/__sim/puts", cloud.url);
    let services = fetch_json(&format!("{}/__sim/services", cloud.url)).await.expect("services");
    let id = services["services"][0]["id"].as_str().expect("an id").to_owned();
    let keys = [&*cloud.access_key, &cloud.secret_key];
    let changer = Changer::start(&folder, &cloud.url, &cloud.project_id, keys, &id).await;

    let ours = changer.change(EXAMPLE).await;
    assert_eq!(ours["outcome"], "applied", "{ours:#}");
    let sdk = Client::new(Sdk::Python, &cloud);
    let read = json!(["ListServiceDetails", {"vpc_endpoint_service_id": id}]);
    let shown = sdk.answers(&json!([read])).await.remove(0);
    assert_eq!(fields(&shown), fields(&ours["after"]));
    let wanted: Value = serde_json::from_str(EXAMPLE).expect("the example is JSON");
    assert_eq!((&shown["ports"], &shown["approval_enabled"]), (&wanted["ports"], &json!(true)));
    assert_eq!(shown["service_name"], format!("sim-region-1.test.{id}"));

    let theirs = json!({
        "approval_enabled": false,
        "ports": [{"client_port": 9200, "server_port": 9201, "protocol": "TCP"}],
        "description": "by the SDK, 由 SDK",
    });
    let before = fields(&shown);
    let request = json!({"vpc_endpoint_service_id": id, "body": theirs});
    let changed = sdk.answers(&json!([["UpdateEndpointService", request], read])).await;
    // The echo has the values from before, as the document's example.
    assert_eq!(changed[0]["ports"], before["ports"]);
    let read = changer.read().await["service"].clone();
    assert_eq!(fields(&read), fields(&changed[1]));
    for name in ["approval_enabled", "ports", "description"] {
        assert_eq!(read[name], theirs[name], "{name}");
    }
    let puts = fetch_json(&puts).await.expect("the ledger");
    assert_eq!((&puts["total"], &puts["applied"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_server_with_the_signer_of_the_sdk_accepts_our_put() {
    let folder = Folder::new("a_server_with_the_signer_of_the_sdk_accepts_our_put");
    let keys = Keys { access_key: "AKWITNESS", secret_key: "sk/Witness+", security_token: None };
    let judge = Judge::start(&folder, keys).await;
    let id = "4189d3c2-8882-4871-a3c2-d380272eed83";
    let project_id = "6e9dfd51d1124e8d8498dce894923a0d";
    let [access_key, secret_key] = [keys.access_key, keys.secret_key];
    let changer =
        Changer::start(&folder, &judge.url, project_id, [access_key, secret_key], id).await;

    let ours = changer.change(EXAMPLE).await;
    assert_eq!(ours["outcome"], "applied", "{ours:#}");
    let verdict = judge.verdict().await;
    assert_eq!(verdict["rejected"], 0, "{verdict}");
    let wanted: Value = serde_json::from_str(EXAMPLE).expect("the example is JSON");
    assert_eq!(verdict["changes"], json!([wanted]), "{verdict}");
    let put = format!("PUT /v1/{project_id}/vpc-endpoint-services/{id}");
    let paths = verdict["paths"].as_array().expect("a list");
    assert_eq!(paths.iter().filter(|path| **path == *put).count(), 1, "{verdict}");

    // It can say no.
    let folder = Folder::new("a_server_with_the_signer_of_the_sdk_refuses_our_put");
    let wrong = [access_key, "sk/Another+"];
    let changer = Changer::start(&folder, &judge.url, project_id, wrong, id).await;
    let refused = changer.change(r#"{"description": "refused"}"#).await;
    assert_eq!(refused["status"], 502, "{refused}");
    assert_eq!(judge.verdict().await["changes"], json!([wanted]));
}
