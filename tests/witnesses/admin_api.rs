//! The admin API and its description, as openapi-spec-validator and schemathesis judge them.

use serde_json::Value;

use super::{
    parts::{part, printed, said},
    support::{
        HTTP,
        process::{Folder, Process, exporter, run},
    },
    world::world,
};

/// The validator takes the document, and schemathesis finds nothing in what the listener answers to
/// some hundred requests, good ones and bad ones.
#[tokio::test]
async fn the_admin_api_is_as_it_is_described() {
    const EXAMPLES: &str = "20";
    let folder = Folder::new("the_admin_api_is_as_it_is_described");
    let mut demo = Process::start(&folder, "demo", exporter(&["demo"]));
    let admin = printed(&mut demo, "admin").await;
    let token = printed(&mut demo, "token").await;
    let cluster = world(&printed(&mut demo, "cloud").await).await.expect("a world")[0].id.clone();
    let get = async |path: &str| {
        let answer = HTTP
            .get(format!("{admin}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .send()
            .await;
        let text = answer.expect("the listener answers").text().await.expect("a text");
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let document = folder.write("openapi.json", get("openapi.json").await.to_string());
    let mut validator = part("WITNESS_PYTHON");
    validator.args(["-m", "openapi_spec_validator"]).arg(&document);
    let judged = run(validator).await;
    assert!(judged.code == Some(0), "{}", said(&judged));

    let services = get("api/v1/endpoint-services").await;
    let service = &services["endpoint_services"][0];
    let word = |name: &str| service[name].as_str().unwrap_or_else(|| panic!("{services}"));
    let settings = include_str!("schemathesis.toml")
        .replace("PROJECT", word("project"))
        .replace("SERVICE", word("service_id"))
        .replace("CLUSTER", &cluster);
    let settings = folder.write("schemathesis.toml", &settings);
    let mut schemathesis = part("WITNESS_PYTHON");
    schemathesis
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(settings)
        .args(["run", &format!("{admin}openapi.json"), "--header"])
        .arg(format!("Authorization: Bearer {token}"))
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES])
        .args(["--seed", "1"])
        .current_dir(&folder.path);
    let judged = run(schemathesis).await;
    assert!(judged.code == Some(0), "{}", said(&judged));
}
